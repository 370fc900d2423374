/* Bodies by hand, with their right sum: each shape that is none is refused, each limit is one. */
#include "tests/unit/api/wire_scene.h"

#define A "000000000000000000000000000000aa"
#define B "000000000000000000000000000000bb"
#define C "000000000000000000000000000000cc"
#define H1 "00000000000000a1"
#define OPEN(version, mode) "{\"v\":" version ",\"inc\":\"" A "\",\"mode\":\"" mode "\""
#define HEAD(mode, more) OPEN("2", mode) more "}\n"
#define FULL HEAD("full", ",\"o\":[\"" B "\"]")
#define END(more, lines) "{" more ",\"h\":\"" A "\",\"clk\":1,\"lines\":" lines
#define X9 "\"x\":[[0,0,9,\"\",\"" H1 "\"]]"
#define FULL_END(lines) END(X9 ",\"vec\":[[0,9]]", lines)

static enum err read_by_hand(const char *body, struct fragment *ret)
{
	struct text t = TEXT_INIT;
	struct vector after = VECTOR_INIT;
	enum err e;

	text_adds(&t, body);
	text_addf(&t, ",\"sum\":\"%016llx\"}\n", (unsigned long long)XXH64(body, strlen(body), 0));
	cr_assert_eq(vector_raise(&after, (struct origin_id){0, 0xbb}, 5), ERR_OK);
	e = read_with(t.bytes, t.used, 100, &after, ret);
	vector_fini(&after);
	text_fini(&t);
	return e;
}

Test(wire_shapes, what_is_written_by_hand_is_read)
{
	struct fragment f;

	cr_assert_eq(
		read_by_hand(FULL "[\"p\",0,5,6,\"meta/a\",{\"b\":1}]\n[\"k\",0,7,[[0,1],[1,2]]]\n"
				  "[\"o\",\"" C "\"]\n[\"c\",2,3,8,[4,8]]\n[\"c\",2,8,9,[]]\n"
				  "[\"s\",0,8,6,\"meta/b\",\"[\\n]\"]\n" END(
					  X9 ",\"vec\":[[0,9],[2,9]],\"f\":[[2,3]]", "6"),
			&f),
		ERR_OK);
	cr_assert_eq(f.put_count, 2);
	cr_assert_str_eq(f.puts[0].value, "{\"b\":1}");
	cr_assert_str_eq(f.puts[1].value, "[\n]");
	cr_assert_eq(f.kill_count, 2);
	cr_assert_eq(f.kills[1].victim.seq, 2);
	cr_assert_eq(f.kills[1].victim.origin.lo, 0xbb);
	cr_assert_eq(f.kills[1].killer.seq, 7);
	cr_assert_eq(f.check_count, 2);
	cr_assert_eq(f.checks[0].origin.lo, 0xcc);
	cr_assert_eq(f.checks[0].count, 2);
	cr_assert_eq(f.alive[1], 8);
	cr_assert_eq(f.checks[1].count, 0);
	cr_assert_eq(vector_get(&f.floors, (struct origin_id){0, 0xcc}), 3);
	cr_assert_eq(f.ranges[0].chain_after, 0);
	cr_assert_eq(f.ranges[0].chain_upto, 0xa1);
	cr_assert_not(f.ack_wanted);
	fragment_fini(&f);
}

Test(wire_shapes, unknown_members_of_the_envelope_are_ignored)
{
	struct fragment f;

	cr_assert_eq(read_by_hand(HEAD("tick", ",\"new\":[1]") END("\"F\":[],\"vec\":[]", "0"), &f),
		ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_TICK);
	fragment_fini(&f);
}

Test(wire_shapes, without_a_clock_it_is_that_of_the_latest_entry)
{
	struct fragment f;

	cr_assert_eq(read_by_hand(FULL "[\"p\",0,5,60,\"a\",1]\n[\"p\",0,6,50,\"b\",1]\n{" X9
				       ",\"vec\":[[0,9]],\"h\":\"" A "\",\"lines\":2",
			     &f),
		ERR_OK);
	cr_assert_eq(f.clock, 60);
	fragment_fini(&f);
}

Test(wire_shapes, a_slices_vector_is_its_deps_and_the_tops_of_its_ranges)
{
	struct fragment f;

	cr_assert_eq(read_by_hand(HEAD("slice", ",\"o\":[\"" B "\",\"" C "\"],\"ack\":true")
					  END(X9 ",\"deps\":[[1,4],[2,3]]", "0"),
			     &f),
		ERR_OK);
	cr_assert_eq(f.vector.used, 3);
	cr_assert_eq(vector_get(&f.vector, (struct origin_id){0, 0xaa}), 9);
	cr_assert_eq(vector_get(&f.vector, (struct origin_id){0, 0xbb}), 4);
	cr_assert(f.ack_wanted);
	fragment_fini(&f);
	/* The request knew 5 events of B: so do deps without B, unless a 0 says otherwise. */
	cr_assert_eq(read_by_hand(HEAD("slice", "") END(X9 ",\"+deps\":[]", "0"), &f), ERR_OK);
	cr_assert_eq(vector_get(&f.vector, (struct origin_id){0, 0xbb}), 5);
	fragment_fini(&f);
	cr_assert_eq(
		read_by_hand(
			HEAD("slice", ",\"o\":[\"" B "\"]") END(X9 ",\"+deps\":[[1,0]]", "0"), &f),
		ERR_OK);
	cr_assert_eq(f.vector.used, 1);
	fragment_fini(&f);
}

/* What carries nothing has no lines, so what its vector lacks of the request's stands in the
 * header. */
Test(wire_shapes, a_small_tick_of_one_that_knows_nothing_is_read)
{
	static const enum fragment_mode modes[] = {FRAGMENT_TICK, FRAGMENT_REDO, FRAGMENT_NEED};
	struct wire_sender sender = {.after = NULL};
	struct vector after = VECTOR_INIT;

	cr_assert_eq(vector_raise(&after, origin(3), 5), ERR_OK);
	sender.after = &after;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct fragment f = {.mode = modes[i], .from = origin(1)}, read;
		struct text t = TEXT_INIT;

		wire_write(&f, &sender, &t);
		cr_assert(text_ok(&t));
		cr_assert_eq(read_with(t.bytes, t.used, 9, &after, &read), ERR_OK);
		cr_assert_eq(read.mode, modes[i]);
		cr_assert_eq(read.vector.used, 0);
		fragment_fini(&read);
		text_fini(&t);
	}
	vector_fini(&after);
}

#define LINE(line) FULL line "\n" FULL_END("1")
#define BAD(body)                                                                                  \
	{                                                                                          \
		ERR_MALFORMED, body                                                                \
	}

static const struct {
	enum err err;
	const char *body;
} rows[] = {
	/* versions and headers */
	{ERR_PROTOCOL, "{\"v\":1}\n" FULL_END("0")},
	{ERR_PROTOCOL, OPEN("3", "tick") "}\n" FULL_END("0")},
	BAD("{\"v\":\"2\"}\n" FULL_END("0")),
	BAD("{}\n" FULL_END("0")),
	BAD("garbage\n" FULL_END("0")),
	BAD("\n" FULL FULL_END("0")),
	BAD(FULL "\n" FULL_END("0")),
	BAD(FULL FULL FULL_END("0")),
	BAD("[\"p\",0,5,6,\"a\",1]\n" FULL FULL_END("1")),
	BAD(HEAD("fuller", "") FULL_END("0")),
	BAD(OPEN("2", "full") "\n" FULL_END("0")),
	BAD("{\"v\":2,\"v\":2,\"inc\":\"" A "\",\"mode\":\"full\"}\n" FULL_END("0")),
	BAD("{\"v\":2,\"inc\":7,\"mode\":\"full\"}\n" FULL_END("0")),
	BAD("{\"v\":2,\"inc\":\"00000000000000000000000000000000\",\"mode\":"
	    "\"full\"}\n" FULL_END("0")),
	BAD(HEAD("full", ",\"o\":[\"" A "\"]") FULL_END("0")), /* 0 is the server already */
	BAD(HEAD("full", ",\"o\":[\"" B "\",\"" B "\"]") FULL_END("0")),
	BAD(HEAD("full", ",\"o\":[\"12\"]") FULL_END("0")),
	BAD(HEAD("full", ",\"o\":{}") FULL_END("0")),
	BAD(HEAD("full", ",\"rt\":\"12\"") FULL_END("0")),
	BAD(HEAD("full", "") END("\"+vec\":1", "0")),
	BAD(HEAD("full", ",\"ack\":null") FULL_END("0")),
	/* the count of lines */
	BAD(FULL FULL_END("1")),
	BAD(FULL "[\"p\",0,5,6,\"a\",1]\n" FULL_END("0")),
	BAD(FULL FULL_END("\"0\"")),
	/* entries */
	BAD(LINE("[\"p\",2,5,6,\"a\",1]")),
	BAD(LINE("[\"p\",0,0,6,\"a\",1]")),
	BAD(LINE("[\"p\",0,-5,6,\"a\",1]")),
	BAD(LINE("[\"p\",0,05,6,\"a\",1]")),
	BAD(LINE("[\"p\",0,5.0,6,\"a\",1]")),
	BAD(LINE("[\"p\",0, 5,6,\"a\",1]")),
	BAD(LINE("[\"p\",0,5,9223372036854775808,\"a\",1]")),
	BAD(LINE("[\"p\",0,5,6,\"\\u0000\",1]")),
	BAD(LINE("[\"p\",0,5,6,\"\\x\",1]")),
	BAD(LINE("[\"p\",0,5,6,\"\xff\",1]")),
	BAD(LINE("[\"p\",0,5,6,\"\xed\xa0\x80\",1]")),
	BAD(LINE("[\"p\",0,5,6,\"\x01\",1]")),
	BAD(LINE("[\"p\",0,5,6,a,1]")),
	BAD(LINE("[\"p\",0,5,6,\"a\",]")),
	BAD(LINE("[\"p\",0,5,6,\"a\",1")),
	BAD(LINE("[\"p\",0,5,6,\"a\",1],2]")),
	BAD(LINE("[\"p\",0,5,6,\"a\",1,2]")),
	BAD(LINE("[\"p\",0,5,6,\"a\",{]")),
	BAD(LINE("[\"p\",0,5,6,\"a\",01]")),
	BAD(LINE("[\"p\",0,5,6,\"a\",nul]")),
	BAD(LINE("[\"p\",0,5,6,\"a]")),
	BAD(LINE("[\"p\",0,5,6,\"a\\\"]")),
	BAD(LINE("[\"s\",0,5,6,\"a\",1]")),
	BAD(LINE("[\"s\",0,5,6,\"a\",\"{\"]")),
	BAD(LINE("[\"q\",0,5,6,\"a\",1]")),
	BAD(LINE("[\"\"]")),
	BAD(LINE("null")),
	/* kill records */
	BAD(LINE("[\"k\",0,5,[]]")),
	BAD(LINE("[\"k\",0,5,[[0,1]]")),
	BAD(LINE("[\"k\",0,5,[[0,1],]]")),
	BAD(LINE("[\"k\",0,5,[,[0,1]]]")),
	BAD(LINE("[\"k\",0,5,[[0,1][0,2]]]")),
	BAD(LINE("[\"k\",0,5,[[0,1]]]]")),
	BAD(LINE("[\"k\",0,5,[[0,1]],0]")),
	BAD(LINE("[\"k\",0,5,[[2,1]]]")),
	BAD(LINE("[\"k\",0,5,[[0,0]]]")),
	BAD(LINE("[\"k\",2,5,[[0,1]]]")),
	/* origins */
	BAD(LINE("[\"o\"]")),
	BAD(LINE("[\"o\",\"" B "\"]")),
	BAD(LINE("[\"o\",\"" A "\"]")),
	BAD(LINE("[\"o\",\"" C "\",\"" C "\"]")),
	BAD(LINE("[\"o\",\"00000000000000000000000000000000\"]")),
	BAD(LINE("[\"o\",\"12\"]")),
	BAD(LINE("[\"o\",\"" C "\"]]")),
	BAD(LINE("[\"o\",[\"" C "\"]]")),
	BAD(FULL "[\"p\",2,5,6,\"a\",1]\n[\"o\",\"" C "\"]\n" FULL_END("2")),
	/* checks */
	BAD(LINE("[\"c\",2,0,9,[]]")),
	BAD(LINE("[\"c\",0,9,9,[]]")),
	BAD(LINE("[\"c\",0,9,8,[]]")),
	BAD(LINE("[\"c\",0,0,9]")),
	BAD(LINE("[\"c\",0,0,9,[]")),
	BAD(LINE("[\"c\",0,0,9,[,1]]")),
	BAD(LINE("[\"c\",0,0,9,[1,]]")),
	BAD(LINE("[\"c\",0,0,9,[0]]")),
	BAD(LINE("[\"c\",0,0,9,[1,1]]")),
	BAD(LINE("[\"c\",0,0,9,[2,1]]")),
	BAD(LINE("[\"c\",0,0,9,[10]]")),
	BAD(LINE("[\"c\",0,5,9,[5]]")),
	BAD(LINE("[\"c\",0,0,9,[1]]]")),
	BAD(HEAD("slice", "") "[\"c\",0,0,9,[]]\n" END(X9 ",\"deps\":[]", "1")),
	/* ranges */
	BAD(FULL END("\"x\":[[0,9,9,\"\",\"\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,-1,9,\"\",\"\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[2,0,9,\"\",\"\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,0,9.5,\"\",\"\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,0,9,\"\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,0,9,\"\",0]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,0,9,\"\",\"a1\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,0,9,\"\",\"\"],[0,0,9,\"\",\"\"]],\"vec\":[[0,9]]", "0")),
	BAD(FULL END("\"x\":[[0,0,8,\"\",\"\"]],\"vec\":[[0,9]]", "0")), /* it is cut short */
	BAD(FULL END("\"x\":{},\"vec\":[[0,9]]", "0")),
	BAD(HEAD("tick", "") FULL_END("0")),
	BAD(HEAD("redo", "") FULL_END("0")),
	BAD(HEAD("slice", "") END("\"deps\":[]", "0")),
	/* vectors, floors, the rest of the trailer */
	BAD(FULL END(X9 ",\"vec\":[[0,8]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,0]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,9],[1,0]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[2,9]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,9],[0,9]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,9,9]]", "0")),
	BAD(FULL END(X9 ",\"vec\":{}", "0")),
	BAD(FULL END(X9 ",\"deps\":[[0,9]]", "0")),
	BAD(HEAD("slice", "") END(X9 ",\"vec\":[[0,9]]", "0")),
	BAD(HEAD("slice", "") END(X9 ",\"deps\":[[0,9]]", "0")), /* it has a range */
	BAD(HEAD("tick", "") END("\"+vec\":[[0,0]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,9]],\"f\":[[0,10]]", "0")), /* a floor above the vector */
	BAD(FULL END(X9 ",\"vec\":[[0,9]],\"f\":[[0,0]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,9]],\"f\":[[0,1],[0,1]]", "0")),
	BAD(FULL END(X9 ",\"vec\":[[0,9]],\"f\":0", "0")),
	BAD(HEAD("tick", "") END("\"vec\":[[0,9]],\"f\":[[0,1]]", "0")),
	BAD(FULL "{" X9 ",\"vec\":[[0,9]],\"h\":\"12\",\"clk\":1,\"lines\":0"),
	BAD(FULL "{" X9 ",\"vec\":[[0,9]],\"h\":\"" A "\",\"clk\":-1,\"lines\":0"),
	BAD(FULL "{" X9 ",\"vec\":[[0,9]],\"h\":\"" A "\",\"lines\":0"),
	/* modes that carry nothing */
	BAD(HEAD("tick", "") "[\"p\",0,5,6,\"a\",1]\n" END("\"vec\":[[0,9]]", "1")),
	BAD(HEAD("redo", "") "[\"k\",0,5,[[0,1]]]\n" END("\"vec\":[[0,9]]", "1")),
	BAD(HEAD("need", "") "[\"o\",\"" B "\"]\n" END("\"vec\":[[0,9]]", "1")),
};

Test(wire_shapes, every_other_shape_is_refused)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fragment f = {0};

		cr_assert_eq(read_by_hand(rows[i].body, &f), rows[i].err, "%s", rows[i].body);
		cr_assert_null(f.ranges);
	}
}

Test(wire_shapes, nothing_may_come_behind_the_trailer)
{
	static const char *const more[] = {"\n", "{}\n", "x", "[\"p\",0,5,6,\"a\",1]\n"};

	for (size_t i = 0; i < 4; i++) {
		static const char body[] = FULL FULL_END("0");
		struct fragment f = {0};
		struct text t = TEXT_INIT;

		text_addf(&t, "%s,\"sum\":\"%016llx\"}\n%s", body,
			(unsigned long long)XXH64(body, strlen(body), 0), more[i]);
		cr_assert_eq(read_body(t.bytes, t.used, 100, &f), ERR_MALFORMED, "%zu", i);
		text_fini(&t);
	}
}

Test(wire_shapes, what_is_too_long_is_refused_by_its_limit)
{
	struct text t = TEXT_INIT;
	struct fragment f = {0};
	char *big = malloc(WIRE_LINE_BYTES_MAX + 2);

	memset(big, 'x', WIRE_LINE_BYTES_MAX + 1);
	big[WIRE_LINE_BYTES_MAX + 1] = '\0';
	cr_assert_eq(read_body(big, WIRE_LINE_BYTES_MAX + 1, 65536, &f), ERR_LIMIT);
	text_adds(&t, FULL "[\"p\",0,5,6,\"");
	text_add(&t, big, KEY_BYTES_MAX + 1);
	text_adds(&t, "\",1]\n" FULL_END("1"));
	cr_assert_eq(read_by_hand(text_cstr(&t), &f), ERR_LIMIT);
	text_clear(&t);
	text_adds(&t, FULL "[\"p\",0,5,6,\"a\",\"");
	text_add(&t, big, VALUE_BYTES_MAX);
	text_adds(&t, "\"]\n" FULL_END("1"));
	cr_assert_eq(read_by_hand(text_cstr(&t), &f), ERR_LIMIT);
	text_fini(&t);
	free(big);
}

Test(wire_shapes, a_body_names_so_many_origins_and_no_more)
{
	for (size_t extra = 0; extra < 2; extra++) {
		struct text t = TEXT_INIT;
		struct fragment f = {0};

		text_adds(&t, HEAD("full", ""));
		for (size_t i = 1; i < WIRE_ORIGINS_MAX + extra; i++)
			text_addf(&t, "[\"o\",\"%032zx\"]\n", i + 0x1000);
		text_addf(&t, "{\"x\":[],\"vec\":[[%u,9]],\"h\":\"" A "\",\"clk\":1,\"lines\":%zu",
			WIRE_ORIGINS_MAX - 1, WIRE_ORIGINS_MAX - 1 + extra);
		cr_assert_eq(read_by_hand(text_cstr(&t), &f), extra ? ERR_LIMIT : ERR_OK);
		fragment_fini(&f);
		text_fini(&t);
	}
}

Test(wire_shapes, a_body_is_refused_at_its_limit_before_it_is_looked_at)
{
	struct wire_reader *r = NULL;

	cr_assert_eq(wire_reader_new(&r), ERR_OK);
	cr_assert_eq(wire_reader_feed(r, FULL, strlen(FULL)), ERR_OK);
	cr_assert_eq(wire_reader_feed(r, "[", (size_t)WIRE_BODY_BYTES_MAX), ERR_LIMIT);
	wire_reader_free(r);
}

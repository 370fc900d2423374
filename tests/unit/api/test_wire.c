#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire.h"
#include "tests/unit/core/failing.h"

static struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n * 0x9e3779b97f4a7c15u, n};
}

static struct map *new_map(uint64_t n)
{
	struct map *m = NULL;

	cr_assert_eq(map_new(origin(n), 42, &m), ERR_OK);
	return m;
}

static void put_n(struct map *m, const char *key, size_t key_bytes, const char *value,
	size_t value_bytes, uint64_t clock)
{
	struct changes c = {0};

	cr_assert_eq(map_put(m, key, key_bytes, value, value_bytes, NULL, clock, &c), ERR_OK);
	changes_fini(&c);
}

static void put(struct map *m, const char *key, const char *value, uint64_t clock)
{
	put_n(m, key, strlen(key), value, strlen(value), clock);
}

static void drop(struct map *m, const char *key)
{
	struct changes c = {0};

	cr_assert_eq(map_remove(m, key, strlen(key), 1, &c), ERR_OK);
	changes_fini(&c);
}

/* The body that `from` answers to one who knows `after`. */
static struct text body_of(const struct map *from, const struct vector *after)
{
	struct text t = TEXT_INIT;
	struct fragment f;

	cr_assert_eq(map_difference(from, after, &f), ERR_OK);
	f.clock = (uint64_t)INT64_MAX;
	wire_write(&f, "n\"1", &t);
	cr_assert(text_ok(&t));
	fragment_fini(&f);
	return t;
}

/* Reads a body in pieces of `piece` bytes. */
static enum err read_body(const char *bytes, size_t count, size_t piece, struct fragment *ret)
{
	struct wire_reader *r = NULL;
	enum err e = ERR_OK;

	cr_assert_eq(wire_reader_new(&r), ERR_OK);
	for (size_t at = 0; e == ERR_OK && at < count; at += piece)
		e = wire_reader_feed(r, bytes + at, count - at < piece ? count - at : piece);
	if (e == ERR_OK)
		e = wire_reader_end(r, ret);
	else
		cr_assert_eq(wire_reader_end(r, ret), e, "an error must stay");
	if (e == ERR_OK)
		cr_assert_str_eq(wire_reader_name(r), "n\"1");
	wire_reader_free(r);
	return e;
}

static enum err apply(struct map *m, struct fragment *f)
{
	struct changes c = {0};
	enum err e = map_apply(m, f, &c);

	map_sweep(m);
	changes_fini(&c);
	return e;
}

/* `to` learns by the wire, in pieces, what `from` knows. */
static void pull(struct map *to, const struct map *from, size_t piece)
{
	struct text t = body_of(from, map_vector(to));
	struct fragment f;

	cr_assert_eq(read_body(t.bytes, t.used, piece, &f), ERR_OK);
	cr_assert_eq(f.clock, (uint64_t)INT64_MAX);
	cr_assert(origin_equal(f.from, map_last_dot(from).origin));
	cr_assert(vector_equal(&f.vector, map_vector(from)));
	cr_assert_eq(f.digest.sums[0], map_digest(from).sums[0]);
	cr_assert_eq(f.digest.sums[1], map_digest(from).sums[1]);
	cr_assert_not(f.borrowed);
	cr_assert_eq(apply(to, &f), ERR_OK);
	fragment_fini(&f);
	text_fini(&t);
}

static void cr_same(const struct map *a, const struct map *b)
{
	cr_assert(vector_equal(map_vector(a), map_vector(b)));
	cr_assert_eq(map_digest(a).sums[0], map_digest(b).sums[0]);
	cr_assert_eq(map_digest(a).sums[1], map_digest(b).sums[1]);
	for (const struct entry *e = map_from(a, "", 0); e;
		e = map_after(a, e->key, e->key_bytes)) {
		const struct entry *o = map_get(b, e->key, e->key_bytes);

		cr_assert(o);
		cr_assert_eq(o->value_bytes, e->value_bytes);
		cr_assert_eq(memcmp(o->value, e->value, e->value_bytes), 0);
		cr_assert_eq(o->clock, e->clock);
	}
}

/* A map with siblings, kills and removals of two origins, and another that knows a part. */
static struct map *scene(void)
{
	struct map *a = new_map(1), *b = new_map(2);

	put(a, "meta/default/a", "1", 1);
	put(b, "meta/default/a", "{\"x\":[1,2]}", 2);
	put(b, "meta/default/b", "\"two\"", 3);
	pull(a, b, 1000);
	put(a, "meta/default/b", "3", 4);
	put(b, "meta/default/c", "null", 5);
	drop(b, "meta/default/b");
	pull(a, b, 7);
	drop(a, "meta/default/c");
	put(a, "meta/default/a", "4", 6);
	put(a, "assign/default/a",
		"{\"node\":\"00000000000000000000000000000001\",\"incarnation\":"
		"\"00000000000000000000000000000002\",\"epoch\":9}",
		7);
	map_free(b);
	return a;
}

Test(wire, a_fragment_comes_back_whatever_the_pieces)
{
	for (size_t piece = 1; piece < 4000; piece = piece * 3 / 2 + 1) {
		struct map *m = scene(), *to = new_map(9);

		pull(to, m, piece);
		cr_same(m, to);
		cr_assert_eq(map_get(to, "assign/default/a", 16)->record->assign.epoch, 9);
		pull(to, m, piece);
		cr_same(m, to);
		map_free(m);
		map_free(to);
	}
}

Test(wire, keys_and_values_travel_byte_for_byte)
{
	static const char *const keys[] = {"meta/d/\"quo\\ted\"", "meta/d/\xc3\xa9\xf0\x9f\x90\x9d",
		"meta/d/\x7f\x01\n\t\r", "", "meta/d/ space", "meta/d/[\"p\",0]"};
	static const char *const values[] = {"0.1", "1e2", " { \"a\" : 1 } ", "\"\\u00e9\xc3\xa9\"",
		"[\n1,\n2\n]", "\"]]\\\"\"", "-0", "123456789012345678"};
	struct map *m = new_map(1), *to = new_map(2);
	char *big = malloc(65537);

	for (size_t i = 0; i < 6; i++)
		put(m, keys[i], values[i], UINT64_MAX >> 1);
	for (size_t i = 0; i < 8; i++) {
		char key[32];

		snprintf(key, sizeof(key), "meta/v/%zu", i);
		put(m, key, values[i], i);
	}
	memset(big, 'x', 65536);
	big[0] = big[65535] = '"';
	put_n(m, "meta/big", 8, big, 65536, 1);
	pull(to, m, 4096);
	cr_same(m, to);
	cr_assert_eq(map_get(to, "meta/big", 8)->value_bytes, 65536);
	cr_assert_str_eq(map_get(to, "meta/v/4", 8)->value, "[\n1,\n2\n]");
	free(big);
	map_free(m);
	map_free(to);
}

Test(wire, a_tick_is_two_lines)
{
	struct map *m = scene();
	struct text t = body_of(m, map_vector(m));
	struct fragment f;
	size_t lines = 0;

	for (size_t i = 0; i < t.used; i++)
		lines += t.bytes[i] == '\n';
	cr_assert_eq(lines, 2);
	cr_assert_eq(read_body(t.bytes, t.used, 10, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_TICK);
	cr_assert_eq(apply(m, &f), ERR_OK);
	fragment_fini(&f);
	text_fini(&t);
	map_free(m);
	m = new_map(1);
	t = body_of(m, map_vector(m));
	cr_assert_eq(read_body(t.bytes, t.used, 10, &f), ERR_OK);
	fragment_fini(&f);
	text_fini(&t);
	map_free(m);
}

Test(wire, a_body_that_was_cut_anywhere_gives_nothing)
{
	struct map *m = scene();
	struct vector none = VECTOR_INIT;
	struct text t = body_of(m, &none);
	struct fragment f = {0};

	for (size_t count = 0; count < t.used; count++)
		cr_assert_eq(read_body(t.bytes, count, 64, &f), ERR_MALFORMED, "%zu", count);
	cr_assert_null(f.puts);
	text_fini(&t);
	map_free(m);
}

Test(wire, a_body_with_one_altered_byte_gives_nothing)
{
	struct map *m = scene();
	struct vector none = VECTOR_INIT;
	struct text t = body_of(m, &none);
	struct fragment f = {0};

	for (size_t i = 0; i < t.used; i++) {
		for (int bit = 0; bit < 8; bit++) {
			enum err e;

			t.bytes[i] = (char)(t.bytes[i] ^ 1 << bit);
			e = read_body(t.bytes, t.used, 512, &f);
			/* A version that was altered is another version. */
			cr_assert(e == ERR_MALFORMED || e == ERR_PROTOCOL, "byte %zu", i);
			t.bytes[i] = (char)(t.bytes[i] ^ 1 << bit);
		}
	}
	cr_assert_eq(read_body(t.bytes, t.used, 512, &f), ERR_OK);
	fragment_fini(&f);
	text_fini(&t);
	map_free(m);
}

Test(wire, without_memory_a_body_gives_nothing_and_says_so)
{
	struct map *m = scene();
	struct vector none = VECTOR_INIT;
	struct text t = body_of(m, &none);
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		struct wire_reader *r = NULL;
		struct fragment f = {0};
		enum err e;

		failing_arm(n);
		e = wire_reader_new(&r);
		if (e == ERR_OK)
			e = wire_reader_feed(r, t.bytes, t.used / 2);
		if (e == ERR_OK)
			e = wire_reader_feed(r, t.bytes + t.used / 2, t.used - t.used / 2);
		if (e == ERR_OK)
			e = wire_reader_end(r, &f);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld: %s", n, err_text(e));
		wire_reader_free(r);
		fragment_fini(&f);
	}
	cr_assert_gt(n, 20);
	text_fini(&t);
	map_free(m);
}

/* ---- bodies by hand, with their right sum ---- */

#define A "000000000000000000000000000000aa"
#define B "000000000000000000000000000000bb"
#define HEAD(o, x)                                                                                 \
	"{\"v\":1,\"from\":\"n\\\"1\",\"inc\":\"" A "\",\"mode\":\"full\",\"o\":" o ",\"x\":" x    \
	"}\n"
#define GOOD HEAD("[\"" A "\"]", "[[0,0,9]]")
#define END(vec, lines) "{\"vec\":" vec ",\"h\":\"" A "\",\"clk\":1,\"lines\":" lines
#define GOOD_END(lines) END("[[0,9]]", lines)

/* XXH64, as the wire has it; this is the one place that says so again. */
#define XXH_INLINE_ALL
#include <xxhash.h>

static enum err read_by_hand(const char *body, struct fragment *ret)
{
	struct text t = TEXT_INIT;
	enum err e;

	text_adds(&t, body);
	text_addf(&t, ",\"sum\":\"%016llx\"}\n", (unsigned long long)XXH64(body, strlen(body), 0));
	e = read_body(t.bytes, t.used, 100, ret);
	text_fini(&t);
	return e;
}

Test(wire, what_is_written_by_hand_is_read)
{
	struct fragment f;

	cr_assert_eq(
		read_by_hand(GOOD "[\"p\",0,5,6,\"meta/a\",{\"b\":1}]\n[\"k\",0,7,[[0,1],[0,2]]]\n"
				  "[\"s\",0,8,6,\"meta/b\",\"[\\n]\"]\n" GOOD_END("3"),
			&f),
		ERR_OK);
	cr_assert_eq(f.put_count, 2);
	cr_assert_str_eq(f.puts[0].value, "{\"b\":1}");
	cr_assert_str_eq(f.puts[1].value, "[\n]");
	cr_assert_eq(f.kill_count, 2);
	cr_assert_eq(f.kills[1].victim.seq, 2);
	cr_assert_eq(f.kills[1].killer.seq, 7);
	fragment_fini(&f);
	/* Unknown members of the envelope. */
	cr_assert_eq(read_by_hand("{\"v\":1,\"new\":[1],\"from\":\"n\\\"1\",\"inc\":\"" A
				  "\",\"mode\":\"tick\",\"o\":[],\"x\":[]}\n"
				  "{\"F\":[],\"vec\":[],\"h\":\"" A "\",\"clk\":1,\"lines\":0",
			     &f),
		ERR_OK);
	fragment_fini(&f);
}

Test(wire, every_other_shape_is_refused)
{
	static const struct {
		enum err err;
		const char *body;
	} rows[] = {
		{ERR_PROTOCOL, "{\"v\":2}\n" GOOD_END("0")},
		{ERR_MALFORMED, "{\"v\":\"1\"}\n" GOOD_END("0")},
		{ERR_MALFORMED, "{}\n" GOOD_END("0")},
		{ERR_MALFORMED, "garbage\n" GOOD_END("0")},
		{ERR_MALFORMED, "\n" GOOD GOOD_END("0")},
		{ERR_MALFORMED, GOOD "\n" GOOD_END("0")},
		{ERR_MALFORMED, "[\"p\",0,5,6,\"a\",1]\n" GOOD GOOD_END("1")},
		{ERR_MALFORMED, GOOD GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"a\",1]\n" GOOD_END("0")},
		{ERR_MALFORMED, GOOD "[\"p\",1,5,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,0,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,-5,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,05,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,9223372036854775808,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"\\u0000\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"\xff\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"a\",]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"a\",1\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"a\",1],2]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"a\",{]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"p\",0,5,6,\"a]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"s\",0,5,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"s\",0,5,6,\"a\",\"{\"]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"q\",0,5,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"k\",0,5,[]]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"k\",0,5,[[0,1]]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"k\",0,5,[[0,1],]]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"k\",0,5,[[0,1]]]]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"k\",0,5,[[1,1]]]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD "[\"k\",0,5,[[0,0]]]\n" GOOD_END("1")},
		{ERR_MALFORMED, GOOD END("[[0,8]]", "0")},
		{ERR_MALFORMED, GOOD END("[[0,0]]", "0")},
		{ERR_MALFORMED, GOOD END("[[1,9]]", "0")},
		{ERR_MALFORMED, GOOD END("[]", "0")},
		{ERR_MALFORMED, GOOD END("[[0,9],[0,9]]", "0")},
		{ERR_MALFORMED, GOOD END("{}", "0")},
		{ERR_MALFORMED, GOOD "{\"vec\":[[0,9]],\"h\":\"12\",\"clk\":1,\"lines\":0"},
		{ERR_MALFORMED, GOOD "{\"vec\":[[0,9]],\"h\":\"" A "\",\"clk\":-1,\"lines\":0"},
		{ERR_MALFORMED, HEAD("[\"" A "\"]", "[]") GOOD_END("0")},
		{ERR_MALFORMED, HEAD("[\"" A "\"]", "[[0,9,9]]") GOOD_END("0")},
		{ERR_MALFORMED, HEAD("[\"" A "\"]", "[[0,-1,9]]") GOOD_END("0")},
		{ERR_MALFORMED, HEAD("[\"" A "\"]", "[[1,0,9]]") GOOD_END("0")},
		{ERR_MALFORMED, HEAD("[\"" A "\"]", "[[0,0,9],[0,0,9]]") GOOD_END("0")},
		{ERR_MALFORMED, HEAD("[\"" A "\"]", "[[0,0,9.5]]") GOOD_END("0")},
		{ERR_MALFORMED,
			HEAD("[\"" A "\",\"" A "\"]", "[[0,0,9]]") END("[[0,9],[1,1]]", "0")},
		{ERR_MALFORMED,
			HEAD("[\"" B "\",\"" A "\"]", "[[0,0,9]]") END("[[0,9],[1,1]]", "0")},
		{ERR_MALFORMED, HEAD("[\"12\"]", "[[0,0,9]]") GOOD_END("0")},
		{ERR_MALFORMED, HEAD("{}", "[[0,0,9]]") GOOD_END("0")},
		{ERR_MALFORMED, "{\"v\":1,\"from\":\"n\\\"1\",\"inc\":\"" A
				"\",\"mode\":\"tick\",\"o\":[\"" A "\"],\"x\":[]}\n"
				"[\"p\",0,5,6,\"a\",1]\n" GOOD_END("1")},
		{ERR_MALFORMED,
			"{\"v\":1,\"from\":\"n\\\"1\",\"inc\":\"" A
			"\",\"mode\":\"slice\",\"o\":[\"" A "\"],\"x\":[]}\n" GOOD_END("0")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fragment f = {0};

		cr_assert_eq(read_by_hand(rows[i].body, &f), rows[i].err, "%s", rows[i].body);
		cr_assert_null(f.ranges);
	}
}

Test(wire, what_is_too_long_is_refused_by_its_limit)
{
	struct text t = TEXT_INIT;
	struct fragment f = {0};
	char *big = malloc(WIRE_LINE_BYTES_MAX + 2);

	memset(big, 'x', WIRE_LINE_BYTES_MAX + 1);
	big[WIRE_LINE_BYTES_MAX + 1] = '\0';
	cr_assert_eq(read_body(big, WIRE_LINE_BYTES_MAX + 1, 65536, &f), ERR_LIMIT);
	text_adds(&t, GOOD "[\"p\",0,5,6,\"");
	text_add(&t, big, KEY_BYTES_MAX + 1);
	text_adds(&t, "\",1]\n" GOOD_END("1"));
	cr_assert_eq(read_by_hand(text_cstr(&t), &f), ERR_LIMIT);
	text_clear(&t);
	text_adds(&t, GOOD "[\"p\",0,5,6,\"a\",\"");
	text_add(&t, big, VALUE_BYTES_MAX);
	text_adds(&t, "\"]\n" GOOD_END("1"));
	cr_assert_eq(read_by_hand(text_cstr(&t), &f), ERR_LIMIT);
	text_fini(&t);
	free(big);
}

/* The request of a poll, and of posted block sums. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/wire.h"
#include "tests/unit/core/failing.h"

#define A "000000000000000000000000000000aa"
#define B "000000000000000000000000000000bb"
#define TABLE_HASH 0x0123456789abcdefu
#define HASH "\"0123456789abcdef\""

static struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n * 0x9e3779b97f4a7c15u, n};
}

static void raise(struct vector *v, uint64_t n, uint64_t count)
{
	cr_assert_eq(vector_raise(v, origin(n), count), ERR_OK);
}

/* A request that says everything there is to say; two of its vectors share a table. */
struct sample {
	struct wire_request q;
	struct vector table;
};

static void sample_init(struct sample *s, bool digest)
{
	struct block_sums *b = &s->q.blocks;

	*s = (struct sample){.q = {.link = "9f-3c",
				     .n = 7,
				     .seen = 6,
				     .wait_ms = 25000,
				     .retired_hash = TABLE_HASH,
				     .digest = digest,
				     .repair = digest}};
	raise(&s->q.poll.after, 1, 1);
	raise(&s->q.poll.after, 2, INT64_MAX);
	raise(&s->q.poll.after, 3, 9);
	raise(&s->q.poll.ack, 2, 3);
	raise(&s->q.poll.ack, 3, 9);
	raise(&s->table, 3, 9);
	raise(&s->table, 1, 2);
	raise(&s->table, 4, 5);
	s->q.poll.own_seq = 77;
	s->q.poll.own_chain = 0xfedcba9876543210u;
	s->q.poll.origins = calloc(2, sizeof(*s->q.poll.origins));
	s->q.poll.origins[0] = origin(5);
	s->q.poll.origins[1] = origin(4);
	s->q.poll.origin_count = 2;
	if (!digest)
		return;
	b->runs = calloc(2, sizeof(*b->runs));
	b->sums = calloc(3, sizeof(*b->sums));
	b->runs[b->run_count++] = (struct block_run){{0, 5}, 6, 0, 2};
	b->runs[b->run_count++] = (struct block_run){{0, 6}, BLOCK_SHIFT_MAX, 2, 1};
	b->sums[b->sum_count++] = (struct block_sum){0, UINT64_MAX};
	b->sums[b->sum_count++] = (struct block_sum){9, 0};
	b->sums[b->sum_count++] = (struct block_sum){1, 1};
}

static void sample_fini(struct sample *s)
{
	wire_request_fini(&s->q);
	vector_fini(&s->table);
}

static void cr_same(const struct wire_request *a, const struct wire_request *b)
{
	cr_assert_str_eq(a->link, b->link);
	cr_assert(a->n == b->n && a->seen == b->seen && a->wait_ms == b->wait_ms);
	cr_assert_eq(a->retired_hash, b->retired_hash);
	cr_assert(a->compact == b->compact && a->digest == b->digest && a->repair == b->repair);
	cr_assert(vector_equal(&a->poll.after, &b->poll.after));
	cr_assert(vector_equal(&a->poll.ack, &b->poll.ack));
	cr_assert_eq(a->poll.all, b->poll.all);
	cr_assert_eq(a->poll.origin_count, b->poll.origin_count);
	for (size_t i = 0; i < a->poll.origin_count; i++)
		cr_assert(origin_equal(a->poll.origins[i], b->poll.origins[i]));
	cr_assert_eq(a->poll.own_seq, b->poll.own_seq);
	cr_assert_eq(a->poll.own_chain, b->poll.own_chain);
	cr_assert_eq(a->blocks.run_count, b->blocks.run_count);
	for (size_t i = 0; i < a->blocks.run_count; i++) {
		const struct block_run *p = &a->blocks.runs[i], *q = &b->blocks.runs[i];

		cr_assert(origin_equal(p->origin, q->origin));
		cr_assert(p->shift == q->shift && p->first == q->first && p->count == q->count);
	}
	cr_assert_eq(a->blocks.sum_count, b->blocks.sum_count);
	for (size_t i = 0; i < a->blocks.sum_count; i++)
		cr_assert(a->blocks.sums[i].index == b->blocks.sums[i].index &&
			  a->blocks.sums[i].sum == b->blocks.sums[i].sum);
}

/* Every way to write it is read as what it was, and no begin of it as anything. */
static void comes_back(struct sample *s)
{
	struct text t = TEXT_INIT;
	struct wire_request back;

	wire_request_write(&s->q, &s->table, &t);
	cr_assert_eq(wire_request_read(t.bytes, t.used, &s->table, TABLE_HASH, &back), ERR_OK, "%s",
		text_cstr(&t));
	cr_assert_not(back.stale);
	cr_same(&s->q, &back);
	wire_request_fini(&back);
	for (size_t count = 0; count < t.used; count++)
		cr_assert_eq(wire_request_read(t.bytes, count, &s->table, TABLE_HASH, &back),
			ERR_MALFORMED);
	text_fini(&t);
}

Test(wire_request, a_request_comes_back)
{
	for (int i = 0; i < 16; i++) {
		struct sample s;

		sample_init(&s, i & 1);
		s.q.compact = i & 2;
		s.q.poll.all = i & 4;
		if (i & 12)
			s.q.poll.origin_count = 0; /* all, or the server's own alone */
		if (i & 8)
			s.q.poll.own_seq = s.q.poll.own_chain = 0;
		comes_back(&s);
		sample_fini(&s);
	}
}

Test(wire_request, equal_vectors_are_written_once)
{
	struct sample s;
	struct text t = TEXT_INIT;

	sample_init(&s, false);
	vector_fini(&s.q.poll.ack);
	cr_assert_eq(vector_copy(&s.q.poll.after, &s.q.poll.ack), ERR_OK);
	wire_request_write(&s.q, &s.table, &t);
	cr_assert(strstr(text_cstr(&t), "\"ack\":\"=\""));
	comes_back(&s);
	text_fini(&t);
	sample_fini(&s);
}

Test(wire_request, a_request_by_another_table_is_stale_and_says_what_it_can)
{
	struct vector other = VECTOR_INIT;
	struct wire_request back;
	struct text t = TEXT_INIT;
	struct sample s;

	sample_init(&s, false);
	s.q.compact = true;
	raise(&other, 8, 8);
	wire_request_write(&s.q, &s.table, &t);
	cr_assert_eq(wire_request_read(t.bytes, t.used, &other, 5, &back), ERR_OK);
	cr_assert(back.stale);
	/* What was said counts, what was left out is unknown: never more than the client has. */
	cr_assert_eq(vector_get(&back.poll.after, origin(1)), 1);
	cr_assert_eq(vector_get(&back.poll.after, origin(2)), INT64_MAX);
	cr_assert_eq(back.poll.after.used, 2);
	cr_assert_eq(back.poll.ack.used, 1);
	wire_request_fini(&back);
	vector_fini(&other);
	text_fini(&t);
	sample_fini(&s);
}

Test(wire_request, without_memory_a_request_gives_nothing_and_says_so)
{
	struct sample s;
	struct text t = TEXT_INIT;
	bool failed = true;

	sample_init(&s, true);
	s.q.compact = true;
	wire_request_write(&s.q, &s.table, &t);
	for (long n = 0; failed; n++) {
		struct wire_request q = {.n = 0};
		enum err e;

		failing_arm(n);
		e = wire_request_read(t.bytes, t.used, &s.table, TABLE_HASH, &q);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		wire_request_fini(&q);
	}
	text_fini(&t);
	sample_fini(&s);
}

#define REQUEST(link, n, after, want, wait, more)                                                  \
	"{\"link\":" link ",\"n\":" n ",\"seen\":0,\"after\":" after ",\"ack\":[],\"want\":" want  \
	",\"wait_ms\":" wait more "}"
#define AFTER(after) REQUEST("\"a\"", "1", after, "\"*\"", "0", "")
#define MORE(more) REQUEST("\"a\"", "1", "[]", "\"*\"", "0", "," more)
#define BLOCKS(blocks) MORE("\"blocks\":" blocks)
#define S "\"00000000000000a1\""

static const struct {
	enum err err;
	const char *json;
} rows[] = {
	{ERR_OK, REQUEST("\"a\"", "1", "[]", "\"*\"", "60000", "")},
	{ERR_OK, REQUEST("\"a\"", "1", "[]", "\"own\"", "0", "")},
	{ERR_OK, REQUEST("\"a\"", "1", "[]", "[]", "0", "")},
	{ERR_OK, REQUEST("\"a\"", "1", "[]", "[\"" A "\",\"" B "\"]", "0", "")},
	{ERR_OK, AFTER("[[\"" B "\",1],[\"" A "\",1]]")}, /* in any order */
	{ERR_OK, MORE("\"new\":[1]")},
	{ERR_OK, MORE("\"rt\":" HASH ",\"compact\":true,\"own\":[1," S "]")},
	{ERR_OK, BLOCKS("[]")},
	{ERR_OK, BLOCKS("[[\"" A "\",0,[[0," S "],[9," S "]]],[\"" B "\",52,[[7," S "]]]]")},
	{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "1", "0", "")},
	{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "\"all\"", "0", "")},
	{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "[\"12\"]", "0", "")},
	{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "[1]", "0", "")},
	{ERR_MALFORMED, REQUEST("1", "1", "[]", "\"*\"", "0", "")},
	{ERR_MALFORMED, REQUEST("\"" A A "x\"", "1", "[]", "\"*\"", "0", "")},
	{ERR_MALFORMED, REQUEST("\"a\"", "-1", "[]", "\"*\"", "0", "")},
	{ERR_MALFORMED, REQUEST("\"a\"", "\"1\"", "[]", "\"*\"", "0", "")},
	{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "\"*\"", "60001", "")},
	{ERR_MALFORMED, AFTER("{}")},
	{ERR_MALFORMED, AFTER("\"=\"")},
	{ERR_MALFORMED, AFTER("[[\"" A "\",0]]")},
	{ERR_MALFORMED, AFTER("[[\"" A "\",1.5]]")},
	{ERR_MALFORMED, AFTER("[[\"" A "\",-1]]")},
	{ERR_MALFORMED, AFTER("[[\"" A "\"]]")},
	{ERR_MALFORMED, AFTER("[[\"12\",1]]")},
	{ERR_MALFORMED, AFTER("[[\"00000000000000000000000000000000\",1]]")},
	{ERR_MALFORMED, AFTER("[[\"" A "\",1],[\"" A "\",1]]")},
	{ERR_MALFORMED, MORE("\"rt\":1")},
	{ERR_MALFORMED, MORE("\"rt\":\"12\"")},
	{ERR_MALFORMED, MORE("\"compact\":\"yes\"")},
	{ERR_MALFORMED, MORE("\"own\":[1]")},
	{ERR_MALFORMED, MORE("\"own\":[-1," S "]")},
	{ERR_MALFORMED, MORE("\"own\":[1,2]")},
	{ERR_MALFORMED, MORE("\"own\":{}")},
	{ERR_MALFORMED, MORE("\"repair\":true")}, /* of nothing */
	{ERR_MALFORMED, BLOCKS("{}")},
	{ERR_MALFORMED, BLOCKS("[[]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",53,[[0," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",-1,[[0," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[[0," S "],[0," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[[1," S "],[0," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[[0]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[[0,1]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[[9223372036854775807," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",52,[[2048," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" A "\",0,[[0," S "]]],[\"" A "\",0,[[0," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"" B "\",0,[[0," S "]]],[\"" A "\",0,[[0," S "]]]]")},
	{ERR_MALFORMED, BLOCKS("[[\"12\",0,[[0," S "]]]]")},
	{ERR_MALFORMED, "[]"},
	{ERR_MALFORMED, "{}"},
	{ERR_MALFORMED, "{\"link\":\"a\",\"link\":\"a\",\"n\":1,\"seen\":0,\"after\":[],\"ack\":[],"
			"\"want\":\"*\",\"wait_ms\":0}"},
	{ERR_MALFORMED, "{\"link\":\"a\",\"n\":1,\"seen\":0,\"after\":[],\"ack\":\"after\","
			"\"want\":\"*\",\"wait_ms\":0}"},
};

Test(wire_request, a_bad_request_is_refused)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_request q = {.n = 0};

		cr_assert_eq(wire_request_read(rows[i].json, strlen(rows[i].json), NULL, 0, &q),
			rows[i].err, "%s", rows[i].json);
		wire_request_fini(&q);
	}
}

/* A request with `count` origins in its vector, then in what it wants. */
static enum err read_many(size_t count, bool want)
{
	struct wire_request q = {.n = 0};
	struct text t = TEXT_INIT;
	enum err e;

	text_adds(&t, "{\"link\":\"a\",\"n\":1,\"seen\":0,\"ack\":[],\"wait_ms\":0,");
	text_adds(&t, want ? "\"after\":[],\"want\":[" : "\"want\":\"own\",\"after\":[");
	for (size_t i = 0; i < count; i++)
		text_addf(&t, want ? "%s\"%032zx\"" : "%s[\"%032zx\",1]", i ? "," : "", i + 1);
	text_adds(&t, "]}");
	e = wire_request_read(t.bytes, t.used, NULL, 0, &q);
	wire_request_fini(&q);
	text_fini(&t);
	return e;
}

Test(wire_request, a_request_names_so_many_origins_and_no_more)
{
	for (int want = 0; want < 2; want++) {
		cr_assert_eq(read_many(WIRE_ORIGINS_MAX, want), ERR_OK);
		cr_assert_eq(read_many(WIRE_ORIGINS_MAX + 1, want), ERR_LIMIT);
	}
}

Test(wire_request, so_many_block_sums_are_read_and_no_more)
{
	for (size_t extra = 0; extra < 2; extra++) {
		struct wire_request q = {.n = 0};
		struct text t = TEXT_INIT;
		enum err e;

		text_adds(&t,
			"{\"link\":\"a\",\"n\":1,\"seen\":0,\"ack\":[],\"wait_ms\":0,\"after\":["
			"],\"want\":\"*\",\"blocks\":[[\"" A "\",0,[");
		for (size_t i = 0; i < WIRE_BLOCKS_MAX + extra; i++)
			text_addf(&t, "%s[%zu,%s]", i ? "," : "", i, S);
		text_adds(&t, "]]]}");
		e = wire_request_read(t.bytes, t.used, NULL, 0, &q);
		cr_assert_eq(e, extra ? ERR_LIMIT : ERR_OK, "%s, %zu bytes", err_text(e), t.used);
		wire_request_fini(&q);
		text_fini(&t);
	}
}

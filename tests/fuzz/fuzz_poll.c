/*
 * The decoder of polls, what a peer POSTs for deltas. An input is such a body. What is accepted is
 * within the limits, is written and read back equal, is not accepted when it is cut short, and is
 * answered by a map.
 */
#include "tests/fuzz/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/story.h"

static enum err read_request(const char *bytes, size_t count, struct wire_request *ret)
{
	char *copy = fuzz_copy(bytes, count);
	enum err e = wire_request_read(copy, count, body_retired(), BODY_RETIRED_HASH, ret);

	free(copy);
	must(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT || e == ERR_PROTOCOL,
		"there is memory");
	return e;
}

static void check_vector(const struct vector *v)
{
	must(v->used <= WIRE_ORIGINS_MAX, "a vector has its limit");
	for (size_t i = 0; i < v->used; i++)
		must(v->items[i].count > 0 && v->items[i].count <= INT64_MAX &&
				(i == 0 || origin_compare(
						   v->items[i - 1].origin, v->items[i].origin) < 0),
			"a vector is in order and without zeros");
}

static bool same_items(const void *a, size_t count, const void *b, size_t other, size_t bytes)
{
	return count == other && (count == 0 || memcmp(a, b, count * bytes) == 0);
}

static bool same_poll(const struct poll *p, const struct poll *q)
{
	return p->all == q->all && vector_equal(&p->after, &q->after) &&
	       vector_equal(&p->ack, &q->ack) && p->own_seq == q->own_seq &&
	       (p->own_seq == 0 || p->own_chain == q->own_chain) &&
	       same_items(p->origins, p->origin_count, q->origins, q->origin_count,
		       sizeof(*p->origins));
}

static bool same_blocks(const struct block_sums *a, const struct block_sums *b)
{
	bool equal = a->run_count == b->run_count &&
		     same_items(a->sums, a->sum_count, b->sums, b->sum_count, sizeof(*a->sums));

	for (size_t i = 0; equal && i < a->run_count; i++)
		equal = origin_equal(a->runs[i].origin, b->runs[i].origin) &&
			a->runs[i].shift == b->runs[i].shift &&
			a->runs[i].first == b->runs[i].first &&
			a->runs[i].count == b->runs[i].count;
	return equal;
}

static bool same(const struct wire_request *q, const struct wire_request *r)
{
	return strcmp(q->link, r->link) == 0 && q->n == r->n && q->seen == r->seen &&
	       q->wait_ms == r->wait_ms && q->digest == r->digest && q->repair == r->repair &&
	       q->retired_hash == r->retired_hash && q->compact == r->compact &&
	       same_poll(&q->poll, &r->poll) && same_blocks(&q->blocks, &r->blocks);
}

/* Sums of blocks are in order, so that the server may walk along them. */
static void check_blocks(const struct block_sums *b)
{
	for (size_t i = 0; i < b->run_count; i++) {
		const struct block_run *r = &b->runs[i];

		must(r->shift <= BLOCK_SHIFT_MAX && r->count > 0 && r->first <= b->sum_count &&
				r->count <= b->sum_count - r->first,
			"a run has its sums");
		must(i == 0 || origin_compare(r[-1].origin, r->origin) < 0, "runs are in order");
		for (size_t k = 1; k < r->count; k++)
			must(b->sums[r->first + k - 1].index < b->sums[r->first + k].index,
				"sums are in order");
	}
}

static void check_written(const struct wire_request *q, uint64_t *random)
{
	struct wire_request again = {.n = 0}, cut;
	struct text t = TEXT_INIT;

	wire_request_write(q, body_retired(), &t);
	must(text_ok(&t) && read_request(t.bytes, t.used, &again) == ERR_OK,
		"what is written is read");
	must(same(q, &again), "and is the same");
	must(read_request(t.bytes, fuzz_draw(random, t.used), &cut) != ERR_OK,
		"what is cut short is refused");
	wire_request_fini(&again);
	text_fini(&t);
}

/* What it asks for is given by a server, whatever it says; and that is written, and read. */
static void check_served(const struct wire_request *q)
{
	struct rows rows = {0};
	struct map *m = story_client(STORY_CLIENTS - 1, &rows);
	struct fragment f, again = {0};
	struct text t;

	if (q->digest)
		must(map_difference_checked(m, &q->poll.after, &q->blocks, q->repair, &f) == ERR_OK,
			"there is memory");
	else if (q->poll.all)
		must(map_difference(m, &q->poll.after, &f) == ERR_OK, "there is memory");
	else
		must(map_slice(m, &q->poll.after, q->poll.origins, q->poll.origin_count, &f) ==
				ERR_OK,
			"there is memory");
	t = body_write(&f, true);
	must(body_read(t.bytes, t.used, &again) == ERR_OK, "what a server says is read");
	fragment_fini(&again);
	fragment_fini(&f);
	text_fini(&t);
	map_free(m);
	rows_fini(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	uint64_t random = fuzz_seed(bytes, count);
	struct wire_request q = {.n = 0};

	if (read_request((const char *)bytes, count, &q) != ERR_OK)
		return 0;
	must(strlen(q.link) <= WIRE_LINK_BYTES_MAX && q.wait_ms >= 0 &&
			q.wait_ms <= WIRE_WAIT_MS_MAX,
		"a request is within its limits");
	check_vector(&q.poll.after);
	check_vector(&q.poll.ack);
	check_blocks(&q.blocks);
	if (!q.stale)
		check_written(&q, &random);
	check_served(&q);
	wire_request_fini(&q);
	return 0;
}

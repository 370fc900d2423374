/*
 * The decoder of polls, what a peer POSTs for deltas. An input is such a body. What is accepted is
 * within the limits, is written and read back equal, and is not accepted when it is cut short.
 */
#include "api/wire.h"
#include "tests/fuzz/fuzz.h"

static enum err read_request(const char *bytes, size_t count, struct wire_request *ret)
{
	char *copy = fuzz_copy(bytes, count);
	enum err e = wire_request_read(copy, count, ret);

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

static bool same(const struct wire_request *q, const struct wire_request *r)
{
	return strcmp(q->link, r->link) == 0 && q->n == r->n && q->seen == r->seen &&
	       vector_equal(&q->after, &r->after) && vector_equal(&q->ack, &r->ack) &&
	       q->wait_ms == r->wait_ms;
}

static void check_written(const struct wire_request *q, uint64_t *random)
{
	struct wire_request again = {.n = 0}, cut;
	struct text t = TEXT_INIT;

	wire_request_write(q, &t);
	must(text_ok(&t) && read_request(t.bytes, t.used, &again) == ERR_OK,
		"what is written is read");
	must(same(q, &again), "and is the same");
	must(read_request(t.bytes, fuzz_draw(random, t.used), &cut) != ERR_OK,
		"what is cut short is refused");
	wire_request_fini(&again);
	text_fini(&t);
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
	check_vector(&q.after);
	check_vector(&q.ack);
	check_written(&q, &random);
	wire_request_fini(&q);
	return 0;
}

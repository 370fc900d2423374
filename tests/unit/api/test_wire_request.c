#include <criterion/criterion.h>
#include <string.h>

#include "api/wire.h"
#include "tests/unit/core/failing.h"

#define A "000000000000000000000000000000aa"
#define B "000000000000000000000000000000bb"

static struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n * 0x9e3779b97f4a7c15u, n};
}

Test(wire_request, a_request_comes_back)
{
	struct wire_request q = {.link = "9f-3c", .n = 7, .seen = 6, .wait_ms = 25000}, back;
	struct text t = TEXT_INIT;

	cr_assert_eq(vector_raise(&q.after, origin(1), 1), ERR_OK);
	cr_assert_eq(vector_raise(&q.after, origin(2), INT64_MAX), ERR_OK);
	cr_assert_eq(vector_raise(&q.ack, origin(2), 3), ERR_OK);
	wire_request_write(&q, &t);
	cr_assert_eq(wire_request_read(text_cstr(&t), t.used, &back), ERR_OK);
	cr_assert_str_eq(back.link, "9f-3c");
	cr_assert_eq(back.n, 7);
	cr_assert_eq(back.seen, 6);
	cr_assert_eq(back.wait_ms, 25000);
	cr_assert(vector_equal(&back.after, &q.after));
	cr_assert(vector_equal(&back.ack, &q.ack));
	for (size_t count = 0; count < t.used; count++) {
		struct wire_request cut = {.n = 0};

		cr_assert_eq(wire_request_read(t.bytes, count, &cut), ERR_MALFORMED);
	}
	wire_request_fini(&back);
	wire_request_fini(&q);
	text_fini(&t);
}

Test(wire_request, without_memory_a_request_gives_nothing_and_says_so)
{
	const char *json = "{\"link\":\"a\",\"n\":1,\"seen\":0,\"after\":[[\"" A "\",1]],"
			   "\"ack\":[[\"" A "\",1]],\"want\":\"*\",\"wait_ms\":0}";
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct wire_request q = {.n = 0};
		enum err e;

		failing_arm(n);
		e = wire_request_read(json, strlen(json), &q);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		wire_request_fini(&q);
	}
}

#define REQUEST(link, n, after, want, wait)                                                        \
	"{\"link\":" link ",\"n\":" n ",\"seen\":0,\"after\":" after ",\"ack\":[],\"want\":" want  \
	",\"wait_ms\":" wait "}"

Test(wire_request, a_bad_request_is_refused)
{
	static const struct {
		enum err err;
		const char *json;
	} rows[] = {
		{ERR_OK, REQUEST("\"a\"", "1", "[]", "\"*\"", "60000")},
		{ERR_OK, REQUEST("\"a\"", "1", "[[\"" A "\",1],[\"" B "\",1]]", "\"*\"", "0")},
		{ERR_PROTOCOL, REQUEST("\"a\"", "1", "[]", "\"own\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "1", "0")},
		{ERR_MALFORMED, REQUEST("1", "1", "[]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"" A A "x\"", "1", "[]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "-1", "[]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "\"1\"", "[]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "[]", "\"*\"", "60001")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "{}", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "[[\"" A "\",0]]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "[[\"" A "\",1.5]]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "[[\"" A "\"]]", "\"*\"", "0")},
		{ERR_MALFORMED, REQUEST("\"a\"", "1", "[[\"12\",1]]", "\"*\"", "0")},
		{ERR_MALFORMED,
			REQUEST("\"a\"", "1", "[[\"" B "\",1],[\"" A "\",1]]", "\"*\"", "0")},
		{ERR_MALFORMED,
			REQUEST("\"a\"", "1", "[[\"" A "\",1],[\"" A "\",1]]", "\"*\"", "0")},
		{ERR_MALFORMED, "[]"},
		{ERR_MALFORMED, "{}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_request q = {.n = 0};

		cr_assert_eq(wire_request_read(rows[i].json, strlen(rows[i].json), &q), rows[i].err,
			"%s", rows[i].json);
		wire_request_fini(&q);
	}
}

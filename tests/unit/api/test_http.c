/* Requests to answers: what the kit checks before a handler runs, and what every reply has. */
#include "tests/unit/api/served.h"

#include "api/http_inside.h"

#define JSON "Content-Type: application/json\r\n"

TestSuite(http, .init = served_setup, .fini = served_stop, .timeout = 60);

struct row {
	const char *what;
	const char *headers;
	const char *body;
	int status;
	const char *text; /* must be in the answer */
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct answer *a = ask(rows[i].what, rows[i].headers, rows[i].body);

		cr_expect_eq(a->status, rows[i].status, "row %zu (%s): %d\n%s", i, rows[i].what,
			a->status, a->bytes);
		cr_expect(says(a, rows[i].text), "row %zu (%s): no '%s' in\n%s", i, rows[i].what,
			rows[i].text, a->bytes);
		cr_expect(says(a, "\r\nHorde-Node: n1\r\n"), "row %zu", i);
		cr_expect(says(a, "\r\nHorde-Request-Id: "), "row %zu", i);
		cr_expect(a->status == 204 || says(a, "nosniff"), "row %zu", i);
		if (a->status >= 400)
			cr_expect(says(a, "application/problem+json"), "row %zu", i);
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof(rows[0]))

Test(http, routes_are_found_or_refused_as_problems)
{
	static const struct row rows[] = {
		{"GET /value", "", NULL, 200, "{\"value\":0,\"etag\":\"0000000000000000\"}"},
		{"GET http://127.0.0.1/value", "", NULL, 200, "etag"},
		{"HEAD /value", "", NULL, 200, "Content-Length: 37"},
		{"GET /nowhere", "", NULL, 404, "no-such-route"},
		{"GET /value/", "", NULL, 404, "no-such-route"},
		{"GET /", "", NULL, 404, "no-such-route"},
		{"DELETE /value", "", NULL, 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n"},
		{"BREW /value", "", NULL, 405, "method-not-allowed"},
		{"OPTIONS /value", "", NULL, 204, "\r\nAllow: GET, HEAD, OPTIONS\r\n"},
		{"GET /nothing", "", NULL, 500, "internal"},
		{"GET /owned", "", NULL, 409, "\"owner\":\"n2\""},
		{"GET /owned", "", NULL, 409, "\"errors\":[{\"pointer\":\"/a\",\"code\":\"odd\""},
		{"GET /owned", "", NULL, 409, "\"instance\":\"/owned\""},
		{"GET /value?pretty", "", NULL, 200, "{\n  \"value\": 0,\n"},
		{"GET /nowhere?pretty=true", "", NULL, 404, "\n  \"code\": \"no-such-route\""},
		{"GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", "", NULL, 404, "too many"},
	};

	CHECK(rows);
}

Test(http, a_segment_is_decoded_after_routing)
{
	static const struct row rows[] = {
		{"PUT /entries/web%2F1", JSON, "{\"value\":1}", 201, "\"key\":\"web/1\""},
		{"PUT /entries/%C3%BC%20x", JSON, "{\"value\":1}", 201, "\"key\":\"\xC3\xBC x\""},
		{"PUT /entries/a%2", JSON, "{\"value\":1}", 400, "bad-escape"},
		{"PUT /entries/a%zz", JSON, "{\"value\":1}", 400, "bad-escape"},
		{"PUT /entries/a%00b", JSON, "{\"value\":1}", 400, "bad-escape"},
		{"PUT /entries/a%0A", JSON, "{\"value\":1}", 400, "bad-escape"},
		{"PUT /entries/%FF", JSON, "{\"value\":1}", 400, "bad-escape"},
		{"PUT /entries/%C0%AF", JSON, "{\"value\":1}", 400, "bad-escape"},
		{"PUT /entries/", JSON, "{\"value\":1}", 400, "\"bad-key\""},
		{"PUT /entries/", JSON, "{\"value\":1}", 400, "path.key"},
	};

	CHECK(rows);
}

Test(http, parameters_are_checked_and_every_fault_is_listed)
{
	static const struct row rows[] = {
		{"GET /numbers?limit=0", "", NULL, 400, "\"pointer\":\"query.limit\""},
		{"GET /numbers?limit=x", "", NULL, 400, "whole number"},
		{"GET /numbers?limit=1&limit=2", "", NULL, 400, "repeated"},
		{"GET /numbers?state=up&state=down", "", NULL, 200, "items"},
		{"GET /numbers?state=up&state=dwn", "", NULL, 400, "one of up, down"},
		{"GET /numbers?limti=1", "", NULL, 400, "did you mean 'limit'?"},
		{"GET /numbers?limit=0&limti=1", "", NULL, 400, "2 parameters are not valid"},
		{"GET /numbers?cursor=%2F", "", NULL, 400, "bad-cursor"},
		{"GET /numbers?cursor=AAAA", "", NULL, 400, "bad-cursor"},
		{"GET /numbers?prefix=%", "", NULL, 400, "bad-escape"},
		{"GET /owned?x=1", "", NULL, 400, "takes no parameters"},
		{"PUT /durable", "", NULL, 400, "query.batch"},
		{"GET /value?wait=1x", "", NULL, 400, "250ms"},
		{"GET /value?wait=11m", "", NULL, 400, "600000 ms"},
		{"POST /commit/x", "", NULL, 422, "path.number"},
	};

	CHECK(rows);
}

Test(http, bodies_are_checked_and_every_fault_is_listed)
{
	static const struct row rows[] = {
		{"PUT /entries/a", JSON, "{\"value\": 0.10, \"made\":5}", 201, "\"value\":0.10}"},
		{"PUT /entries/a", JSON, "{\"value\":null}", 201, "\"value\":null}"},
		{"PUT /entries/a", JSON, "{", 400, "bad-json"},
		{"PUT /entries/a", JSON, "", 400, "a body is needed"},
		{"PUT /entries/a", JSON, "{\"value\":1,\"value\":2}", 400, "duplicate"},
		{"PUT /entries/a", JSON, "{\"value\":9223372036854775808}", 422, "too big"},
		{"PUT /entries/a", JSON, "{\"value\":1e999}", 422, "invalid-spec"},
		{"PUT /entries/a", JSON, "{\"value\":\"\\u0000\"}", 422, "invalid-spec"},
		{"PUT /entries/a", JSON, "[]", 422, "must be an object"},
		{"PUT /entries/a", JSON, "{\"nam\":1}", 422, "did you mean 'name'?"},
		{"PUT /entries/a", JSON, "{\"nam\":1}", 422,
			"\"pointer\":\"/value\",\"code\":\"required\""},
		{"PUT /entries/a", JSON, "{\"nam\":1}", 422, "2 faults"},
		{"PUT /entries/a", JSON, "{\"value\":1,\"name\":\"abcd\"}", 422, "too-long"},
		{"PUT /entries/a", "", "{\"value\":1}", 201, "\"key\""},
		{"PUT /entries/a", "Content-Type: application/x-www-form-urlencoded\r\n",
			"{\"value\":1}", 201, "\"key\""},
		{"PUT /entries/a",
			"Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://e\r\n",
			"{\"value\":1}", 415, "application/json"},
		{"PUT /entries/a", "Origin: http://e\r\n" JSON, "{\"value\":1}", 201, "\"key\""},
		{"PUT /entries/a", "Content-Type: Application/JSON; charset=utf-8\r\n",
			"{\"value\":1}", 201, "\"key\""},
		{"PUT /entries/a", "Content-Type: text/plain\r\n", "{\"value\":1}", 415,
			"unsupported"},
		{"POST /bytes", "Content-Type: application/x-ndjson\r\n", "{\nx", 200, "\r\n\r\n3"},
		{"POST /bytes", JSON, "{}", 415, "application/x-ndjson"},
		{"POST /wake/a", "Origin: http://e\r\n", NULL, 415, "application/json"},
		{"POST /wake/a", "Origin: http://e\r\nContent-Type: text/plain\r\n", "x", 415,
			"web page"},
		{"POST /bytes", "Origin: http://e\r\n", NULL, 415, "web page"},
		{"POST /wake/a", "Origin: http://e\r\n" JSON, NULL, 204, ""},
		{"POST /wake/a", "", NULL, 204, ""},
	};

	CHECK(rows);
}

Test(http, sizes_have_limits)
{
	static char body[40000], url[9000], headers[17000], depth[300];
	struct row rows[] = {
		{"PUT /entries/a", JSON, body, 413, "body-too-large"},
		{url, "", NULL, 414, "uri-too-long"},
		{"GET /value", headers, NULL, 431, "headers-too-large"},
		{"PUT /entries/a", JSON, depth, 400, "deeper than 64"},
	};

	memset(body, ' ', sizeof(body) - 1);
	snprintf(url, sizeof(url), "GET /numbers?prefix=");
	memset(url + strlen(url), 'a', 8300);
	strcpy(headers, "X: ");
	memset(headers + 3, 'a', 16500);
	strcpy(headers + 16503, "\r\n");
	memset(depth, '[', 70);
	memset(depth + 70, ']', 70);
	CHECK(rows);
	/* A raw value over its own limit is a 413 too. */
	snprintf(body, sizeof(body), "{\"value\":\"%01000d\"}", 0);
	rows[0].text = "\"/value\"";
	CHECK(rows);
}

Test(http, a_chunked_body_over_the_limit_is_read_but_not_kept)
{
	static char chunk[30001];
	int fd = served_connect();
	struct answer *a;

	send_request(fd, "PUT /entries/a", JSON "Transfer-Encoding: chunked\r\n", NULL);
	memset(chunk, ' ', 30000);
	send_all(fd, "7530\r\n", 6);
	send_all(fd, chunk, 30000);
	send_all(fd, "\r\n0\r\n\r\n", 7);
	a = receive(fd, false);
	cr_expect_eq(a->status, 413);
	send_request(fd, "GET /value", "", NULL);
	cr_expect_eq(receive(fd, false)->status, 200, "the connection lives on");
	close(fd);
}

Test(http, bodies_together_have_a_limit)
{
	enum { COUNT = HTTP_BODIES_BYTES_MAX / HTTP_BODY_BYTES_MAX };
	static char part[HTTP_BODY_BYTES_MAX - 1], more[COUNT + 2];
	static int fds[COUNT];
	size_t *kept = &served.http->body_bytes;
	struct answer *a;

	memset(part, ' ', sizeof(part));
	memset(more, ' ', COUNT + 1);
	for (int i = 0; i < COUNT; i++) {
		char head[200];

		fds[i] = served_connect();
		snprintf(head, sizeof(head),
			"POST /bytes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
			"application/x-ndjson\r\nContent-Length: %u\r\n\r\n",
			HTTP_BODY_BYTES_MAX);
		send_all(fds[i], head, strlen(head));
		send_all(fds[i], part, sizeof(part));
	}
	while (__atomic_load_n(kept, __ATOMIC_RELAXED) < COUNT * sizeof(part))
		usleep(1000);
	a = ask("POST /bytes", "Content-Type: application/x-ndjson\r\n", more);
	cr_expect_eq(a->status, 503);
	cr_expect(says(a, "overloaded"));
	cr_expect_eq(ask("GET /value", "", NULL)->status, 200, "who has no body is served");
	for (int i = 0; i < COUNT; i++) {
		send_all(fds[i], " ", 1);
		cr_expect_eq(receive(fds[i], false)->status, 200);
		close(fds[i]);
	}
	a = ask("POST /bytes", "Content-Type: application/x-ndjson\r\n", more);
	cr_expect_eq(a->status, 200, "and then there is room again");
}

Test(http, a_client_that_waits_for_100_is_told_413_at_once)
{
	int fd = served_connect();

	send_request(fd, "PUT /entries/a", JSON "Expect: 100-continue\r\nContent-Length: 30000\r\n",
		NULL);
	cr_expect_eq(receive(fd, false)->status, 413);
	close(fd);
}

static struct answer *raw(const char *request)
{
	int fd = served_connect();
	struct answer *a;

	send_all(fd, request, strlen(request));
	a = receive(fd, false);
	close(fd);
	return a;
}

Test(http, a_request_of_doubtful_host_or_length_is_refused)
{
	cr_expect_eq(raw("GET /value HTTP/1.1\r\n\r\n")->status, 403);
	cr_expect(
		says(raw("GET /value HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "host-not-allowed"));
	cr_expect_eq(
		raw("GET /value HTTP/1.1\r\nHost: n1.example\r\nHost: n1.example\r\n\r\n")->status,
		403);
	cr_expect_eq(raw("GET /value HTTP/1.1\r\nHost: N1.example:4750\r\n\r\n")->status, 200);
	cr_expect_eq(raw("GET /value HTTP/1.1\r\nHost: [::1]:4750\r\n\r\n")->status, 200);
	cr_expect_eq(raw("GET /value HTTP/1.1\r\nHost: [::1]evil\r\n\r\n")->status, 403);
	cr_expect_eq(raw("GET /value HTTP/1.1\r\nHost: [::1\r\n\r\n")->status, 403);
	cr_expect_eq(raw("GET /value HTTP/1.1\r\nHost: n1.example:4750x\r\n\r\n")->status, 403);
	cr_expect_eq(raw("GET /value HTTP/1.1\r\nHost: n1.example:\r\n\r\n")->status, 200);
	cr_expect_eq(
		raw("GET http://evil.example/value HTTP/1.1\r\nHost: n1.example\r\n\r\n")->status,
		403);
	cr_expect_eq(
		raw("GET http://[::1]:80/value HTTP/1.1\r\nHost: n1.example\r\n\r\n")->status, 200);
	cr_expect(says(raw("PUT /entries/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"given twice"));
	cr_expect(says(raw("PUT /entries/a HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			   "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
		"is chunked"));
	cr_expect(says(raw("PUT /entries/a HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			   "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
			   "0\r\n\r\n"),
		"is chunked"));
}

Test(http, many_requests_share_one_connection)
{
	int fd = served_connect();

	for (int i = 0; i < 50; i++) {
		send_request(fd, "GET /value", "", NULL);
		cr_assert_eq(receive(fd, false)->status, 200);
		send_request(fd, "PUT /entries/a", JSON, "{");
		cr_assert_eq(receive(fd, false)->status, 400);
		send_request(fd, "DELETE /value", JSON, "{\"some\":\"body\"}");
		cr_assert_eq(receive(fd, false)->status, 405);
	}
	close(fd);
}

static void with_secrets(void)
{
	served_start("token", "secret");
}

TestSuite(http_secrets, .init = with_secrets, .fini = served_stop, .timeout = 60);

Test(http_secrets, users_and_peers_show_different_ones)
{
	static const struct row rows[] = {
		{"GET /value", "", NULL, 401, "\r\nWWW-Authenticate: Bearer\r\n"},
		{"GET /value", "Authorization: Basic token\r\n", NULL, 401, "unauthorized"},
		{"GET /value", "Authorization: Bearer tokem\r\n", NULL, 401, "unauthorized"},
		{"GET /value", "Authorization: Bearer tokentoken\r\n", NULL, 401, "unauthorized"},
		{"GET /value", "Authorization: Bearer \r\n", NULL, 401, "unauthorized"},
		{"GET /value", "Authorization: Bearer secret\r\n", NULL, 401, "unauthorized"},
		{"GET /value", "Authorization: Bearer token\r\n", NULL, 200, "value"},
		{"GET /value", "Authorization: bearer token\r\n", NULL, 200, "value"},
		{"GET /open", "", NULL, 409, "owner"},
		{"POST /peer/v1/hello", "", NULL, 401, "unauthorized"},
		{"POST /peer/v1/hello", "Authorization: Bearer token\r\n", NULL, 403, "forbidden"},
		{"POST /peer/v1/hello", "Authorization: Bearer secret\r\n", NULL, 200, "0"},
	};

	CHECK(rows);
}

static void answer_nothing(struct exchange *x)
{
	exchange_reply_empty(x, 204);
}

Test(http_start, names_an_operation_or_a_handler_that_is_alone)
{
	static const char yaml[] =
		"paths: {/a: {get: {operationId: getA}, put: {operationId: putA}}}";
	static const struct http_document documents[] = {
		{.yaml = yaml, .length = sizeof(yaml) - 1}, {.yaml = NULL}};
	static const struct binding rows[][4] = {
		{{"getA", answer_nothing}},
		{{"getA", answer_nothing}, {"putA", answer_nothing}, {"odd", answer_nothing}},
		{{"getA", answer_nothing}, {"getA", answer_nothing}},
	};
	static const char *const texts[] = {
		"'putA' has no handler", "'odd' has no operation", "'getA' has a double"};
	static const char *const hosts[] = {NULL};
	struct loop *loop;
	int port, fd = served_listen(&port);

	cr_assert_eq(loop_new(&loop), ERR_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct binding *const tables[] = {rows[i], NULL};
		const struct http_config c = {.loop = loop,
			.listen_fd = fd,
			.node_name = "n1",
			.hosts = hosts,
			.tables = tables,
			.documents = documents};
		struct http *h = NULL;
		char why[HTTP_WHY_BYTES];

		cr_expect_eq(http_start(&c, &h, why), ERR_NOT_FOUND);
		cr_expect(strstr(why, texts[i]), "%s", why);
		cr_expect_null(h);
	}
	close(fd);
	loop_free(loop);
}

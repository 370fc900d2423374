/* What every request meets: methods, types, sizes, waiting, versions, pages, hosts. One daemon. */
#include "tests/integration/suite.h"

SUITE(surface);

enum { BODY_BYTES_MAX = 1024 * 1024, ENTRIES_COUNT = 25, RAW_BYTES = 65536 };

#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"

static struct node *one(void)
{
	return &cluster_start(1, NULL)->nodes[0];
}

CLUSTER_TEST(surface, s122_unknown_paths_are_404)
{
	static const char *const paths[] = {"/", "/v1", "/v1/", "/v1/nothing", "/v1/nodes",
		"/v1/supervisors/default/children/a/b/c/d", "/livez/x", "/V1/node",
		"/peer/v1/nothing", NULL};
	struct node *n1 = one();

	for (int i = 0; paths[i]; i++) {
		expect_problem(node_call(n1, "GET", NULL, "%s", paths[i]), 404, NULL);
		expect_problem(node_call(n1, "PUT", "{}", "%s", paths[i]), 404, NULL);
	}
	expect_problem(node_call(n1, "GET", NULL, "/v1/nothing"), 404, "no-such-route");
	expect_problem(node_call(n1, "GET", NULL, "/v1/supervisors/none/children"), 404,
		"supervisor-not-found");
	expect_problem(node_call(n1, "GET", NULL, "/v1/registries/none/entries"), 404,
		"registry-not-found");
}

CLUSTER_TEST(surface, s122_wrong_methods_are_405_with_allow)
{
	static const struct {
		const char *method, *path, *allows;
	} rows[] = {{"DELETE", CHILDREN, "POST"}, {"PUT", "/livez", "GET"},
		{"PATCH", META "/a", "PUT"}, {"POST", ENTRIES "/a", "PATCH"},
		{"GET", CHILDREN "/a/stop", "POST"}, {"POST", "/v1/node", "GET"},
		{"BREW", CHILDREN "/a", "DELETE"}, {"GET", "/peer/v1/hello", "POST"}};
	struct node *n1 = one();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *reply = node_call(n1, rows[i].method, NULL, "%s", rows[i].path);
		const char *allow;

		expect_problem(reply, 405, "method-not-allowed");
		allow = http_header(reply, "Allow");
		CHECK(allow && strstr(allow, rows[i].allows) && !strstr(allow, rows[i].method),
			"%s %s: Allow is '%s'", rows[i].method, rows[i].path, allow ? allow : "-");
	}
}

CLUSTER_TEST(surface, s122_bodies_of_another_type_are_415)
{
	static const char *const types[] = {"text/plain", "application/xml",
		"application/octet-stream", "multipart/form-data; boundary=x", NULL};
	struct node *n1 = one();
	struct http_request request = {.method = "PUT", .body = SLEEPER};
	char header[128];

	request.url = node_url(n1, CHILDREN "/web");
	for (int i = 0; types[i]; i++) {
		snprintf(header, sizeof header, "Content-Type: %s", types[i]);
		request.headers[0] = header;
		expect_problem(http_send(&request), 415, "unsupported-media-type");
	}
	request.headers[0] = "Content-Type: application/x-www-form-urlencoded";
	request.headers[1] = "Origin: http://evil.example";
	expect_problem(http_send(&request), 415, "unsupported-media-type");
	expect_problem(node_call(n1, "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
	CHECK_INT(children_processes("sleep 1000"), 0);
	request.headers[0] = "Content-Type: application/json; charset=utf-8";
	expect_status(http_send(&request), 201);
}

CLUSTER_TEST(surface, s122_a_body_over_the_limit_is_413)
{
	struct node *n1 = one();
	char *body = malloc(2 * BODY_BYTES_MAX);
	struct http_reply *reply;

	memset(body, ' ', 2 * BODY_BYTES_MAX);
	memcpy(body, SLEEPER, sizeof SLEEPER - 1);
	reply = http_send(&(struct http_request){.method = "PUT",
		.url = node_url(n1, CHILDREN "/web"),
		.body = body,
		.body_size = BODY_BYTES_MAX + 1});
	expect_problem(reply, 413, "body-too-large");
	reply = http_send(&(struct http_request){.method = "PUT",
		.url = node_url(n1, CHILDREN "/web"),
		.body = body,
		.body_size = 2 * BODY_BYTES_MAX,
		.headers = {"Transfer-Encoding: chunked"}});
	expect_problem(reply, 413, "body-too-large");
	expect_problem(node_call(n1, "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
	reply = http_send(&(struct http_request){.method = "PUT",
		.url = node_url(n1, CHILDREN "/web"),
		.body = body,
		.body_size = BODY_BYTES_MAX});
	expect_status(reply, 201);
	free(body);
}

CLUSTER_TEST(surface, s122_head_is_get_without_the_body)
{
	struct node *n1 = one();
	static const char *const paths[] = {"/livez", "/readyz", "/version", "/openapi.yaml",
		"/v1/node", "/v1/cluster/members", CHILDREN, CHILDREN "/web", ENTRIES, NULL};

	child_start(n1, "web", SLEEPER);
	for (int i = 0; paths[i]; i++) {
		struct http_reply *head = node_call(n1, "HEAD", NULL, "%s", paths[i]);
		struct http_reply *get = node_call(n1, "GET", NULL, "%s", paths[i]);
		char type[128];

		expect_status(head, 200);
		CHECK_INT(head->body_size, 0);
		snprintf(type, sizeof type, "%s", http_header(get, "Content-Type"));
		CHECK_STR(http_header(head, "Content-Type"), type);
		if (http_header(get, "ETag"))
			CHECK_STR(expect_etag(head), expect_etag(get));
	}
	expect_problem(node_call(n1, "HEAD", NULL, CHILDREN "/none"), 404, NULL);
}

CLUSTER_TEST(surface, the_contract_is_served)
{
	struct node *n1 = one();
	struct http_reply *version, *json;

	version = expect_status(node_call(n1, "GET", NULL, "/version"), 200);
	CHECK(*json_str(version->json, "version"), "no version: %s", version->body);
	CHECK(strstr(expect_status(node_call(n1, "GET", NULL, "/openapi.yaml"), 200)->body,
		      "openapi: 3.0.3"),
		"this is not the document");
	json = expect_status(node_call(n1, "GET", NULL, "/openapi.json"), 200);
	CHECK_STR(json_str(json->json, "openapi"), "3.0.3");
	CHECK_STR(json_str(json_object_get(json_at(json->json, "paths"), "/livez"),
			  "get.operationId"),
		"getLivez");
	CHECK(strchr(node_call(n1, "GET", NULL, "/v1/node?pretty")->body, '\n'), "not indented");
}

CLUSTER_TEST(surface, s097_malformed_queries_are_400)
{
	static const char *const paths[] = {CHILDREN "?limit=0", CHILDREN "?limit=1001",
		CHILDREN "?limit=many", CHILDREN "?limit=-1",
		CHILDREN "?limit=", CHILDREN "?cursor=!!", ENTRIES "?cursor=AAAA",
		CHILDREN "?state=nonsense", CHILDREN "?wait=soon", CHILDREN "?wait=11m&since=a",
		CHILDREN "?label_selector=a", CHILDREN "?unknown=1", ENTRIES "?owner=nobody",
		ENTRIES "?prefix=%FF", ENTRIES "?prefix=%zz", ENTRIES "?prefix=%",
		"/v1/node?wait=-1s", CHILDREN "?limit=1&limit=2", NULL};
	struct node *n1 = one();

	for (int i = 0; paths[i]; i++)
		expect_problem(node_call(n1, "GET", NULL, "%s", paths[i]), 400,
			"bad-query|bad-cursor|bad-escape");
	expect_problem(node_call(n1, "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/a?ack=never"),
		400, "bad-query");
	expect_problem(node_call(n1, "GET", NULL, ENTRIES "/a"), 404, "key-not-found");
}

CLUSTER_TEST(surface, a_parked_read_answers_when_it_changes)
{
	struct node *n1 = one();
	struct http_request requests[3];
	struct http_reply *replies[3], *missing;
	char since[256], header[300];

	/* Wait for something to appear: a 404 has a version too. */
	missing = expect_problem(node_call(n1, "GET", NULL, ENTRIES "/job"), 404, "key-not-found");
	snprintf(header, sizeof header, "If-None-Match: %s", expect_etag(missing));
	snprintf(since, sizeof since, "%s", expect_etag(missing) + 1);
	since[strcspn(since, "\"")] = '\0';
	requests[0] = (struct http_request){
		.url = node_url(n1, ENTRIES "/job?wait=10s"), .headers = {header}};
	requests[1] =
		(struct http_request){.url = node_url(n1, ENTRIES "/job?wait=10s&since=%s", since)};
	requests[2] = (struct http_request){.method = "PUT",
		.url = node_url(n1, ENTRIES "/job"),
		.body = "{\"value\":1," BY_ALICE "}"};
	http_send_all(requests, replies, 3);
	expect_status(replies[2], 201);
	for (int i = 0; i < 2; i++) {
		expect_status(replies[i], 200);
		CHECK(replies[i]->ms < (double)check_ms(CLUSTER_SOON_MS),
			"woken after %.0f ms only", replies[i]->ms);
		CHECK_INT(json_number_at(replies[i]->json, "value"), 1);
		CHECK_STR(expect_etag(replies[i]), expect_etag(replies[2]));
	}
}

CLUSTER_TEST(surface, a_parked_read_ends_with_its_time)
{
	struct node *n1 = one();
	struct http_reply *list, *reply;
	char header[300];

	list = expect_status(node_call(n1, "GET", NULL, CHILDREN), 200);
	snprintf(header, sizeof header, "If-None-Match: %s", expect_etag(list));
	reply = http_send(&(struct http_request){
		.url = node_url(n1, CHILDREN "?wait=300ms"), .headers = {header}});
	expect_status(reply, 304);
	CHECK(reply->ms >= 290 && reply->body_size == 0, "304 after %.0f ms, %zu bytes", reply->ms,
		reply->body_size);
	CHECK_STR(expect_etag(reply), expect_etag(list));
	reply = node_call(
		n1, "GET", NULL, CHILDREN "?wait=300ms&since=%s", json_str(list->json, "etag"));
	expect_status(reply, 200);
	CHECK(reply->ms >= 290, "answered after %.0f ms", reply->ms);
	CHECK_STR(http_header(reply, "Horde-Changed"), "false");
	CHECK_STR(json_str(reply->json, "etag"), json_str(list->json, "etag"));
	reply = http_send(
		&(struct http_request){.url = node_url(n1, CHILDREN), .headers = {header}});
	expect_status(reply, 304);
	reply = http_send(&(struct http_request){
		.url = node_url(n1, CHILDREN), .headers = {header, "Prefer: wait=1"}});
	expect_status(reply, 304);
	CHECK(reply->ms >= 990, "Prefer: wait=1 answered after %.0f ms", reply->ms);
	reply = node_call(n1, "GET", NULL, CHILDREN "?wait=10s&since=another-version");
	expect_status(reply, 200);
	CHECK(reply->ms < (double)check_ms(1000), "another version waited %.0f ms", reply->ms);
}

static struct http_reply *put_with(const struct node *at, const char *header, const char *spec)
{
	return http_send(&(struct http_request){.method = "PUT",
		.url = node_url(at, CHILDREN "/web"),
		.body = spec,
		.headers = {header}});
}

CLUSTER_TEST(surface, if_match_compares_the_spec_only)
{
	struct node *n1 = one();
	const char *other = "{\"command\":[\"/bin/sleep\",\"2000\"]}";
	struct http_reply *put;
	char match[300];
	pid_t pid;

	expect_problem(put_with(n1, "If-Match: *", SLEEPER), 412, "etag-mismatch");
	expect_problem(node_call(n1, "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
	put = expect_status(put_with(n1, "If-None-Match: *", SLEEPER), 201);
	pid = (pid_t)json_number_at(put->json, "status.pid");
	snprintf(match, sizeof match, "If-Match: %s", expect_etag(put));
	expect_problem(put_with(n1, "If-None-Match: *", other), 412, "etag-mismatch");
	kill(pid, SIGKILL);
	child_until_new_pid(n1, "web", pid, CLUSTER_SOON_MS);
	expect_status(put_with(n1, match, other), 200);
	put = expect_problem(put_with(n1, match, SLEEPER), 412, "etag-mismatch");
	CHECK_STR(expect_etag(put), expect_etag(child_get(n1, "web")));
	children_until_processes("sleep 2000", 1, CLUSTER_SOON_MS);
}

CLUSTER_TEST(surface, what_get_returns_can_be_put_back)
{
	struct node *n1 = one();
	struct http_reply *put, *get, *again;
	json_t *unknown;
	char *body;

	put = child_start(n1, "web",
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"env\":{\"A\":\"b\"},"
		"\"labels\":{\"app\":\"web\"},\"restart\":\"transient\"}");
	get = child_get(n1, "web");
	again = expect_status(child_put(n1, "web", get->body), 200);
	CHECK_STR(json_str(again->json, "etag"), json_str(get->json, "etag"));
	CHECK_INT(
		json_number_at(again->json, "status.pid"), json_number_at(put->json, "status.pid"));
	unknown = json_deep_copy(get->json);
	json_object_set_new(unknown, "restrat", json_string("transient"));
	body = json_dumps(unknown, 0);
	again = expect_problem(child_put(n1, "web", body), 422, "invalid-spec");
	expect_fault(again, "/restrat");
	CHECK(strstr(again->body, "restart"), "the nearest known name is not named: %s",
		again->body);
	free(body);
	json_decref(unknown);
}

CLUSTER_TEST(surface, pages_hold_every_item_once)
{
	struct node *n1 = one();
	char cursor[1100] = "", last[16] = "";
	int seen = 0, pages = 0;

	for (int i = 0; i < ENTRIES_COUNT; i++)
		expect_status(
			node_call(n1, "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/k-%02d", i),
			201);
	do {
		struct http_reply *page =
			expect_status(node_call(n1, "GET", NULL, ENTRIES "?prefix=k-&limit=10%s%s",
					      *cursor ? "&cursor=" : "", cursor),
				200);
		const char *link = http_header(page, "Link");
		json_t *item;
		size_t i;

		json_array_foreach(json_at(page->json, "items"), i, item)
		{
			const char *key = json_str(item, "key");

			CHECK(strcmp(key, last) > 0, "%s comes after %s", key, last);
			snprintf(last, sizeof last, "%s", key);
			seen += strlen(key) == 4;
		}
		snprintf(cursor, sizeof cursor, "%s", json_str(page->json, "next_cursor"));
		CHECK(!*cursor == !(link && strstr(link, "rel=\"next\"")), "Link '%s', cursor '%s'",
			link ? link : "-", cursor);
		/* An insert in front of the cursor moves nothing. */
		expect_success(node_call(
			n1, "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/k-%02d-x", pages));
	} while (*cursor && ++pages < 10);
	CHECK_INT(seen, ENTRIES_COUNT);
	CHECK_INT(pages, 2);
	expect_problem(
		node_call(n1, "GET", NULL, ENTRIES "?limit=10&cursor=abc"), 400, "bad-cursor");
}

CLUSTER_TEST(surface, a_cursor_belongs_to_its_filter)
{
	struct node *n1 = one();
	struct http_reply *page;

	for (int i = 0; i < 5; i++)
		expect_status(
			node_call(n1, "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/k-%d", i),
			201);
	page = expect_status(node_call(n1, "GET", NULL, ENTRIES "?prefix=k-&limit=2"), 200);
	CHECK(*json_str(page->json, "next_cursor"), "no cursor: %s", page->body);
	expect_problem(node_call(n1, "GET", NULL, ENTRIES "?prefix=k&limit=2&cursor=%s",
			       json_str(page->json, "next_cursor")),
		400, "bad-cursor");
}

CLUSTER_TEST(surface, children_are_filtered)
{
	struct node *n1 = one();
	static const struct {
		const char *query;
		int count;
	} rows[] = {{"", 3}, {"?state=running", 2}, {"?state=stopped&state=running", 3},
		{"?node=n1&state=running", 2}, {"?node=n9", 0}, {"?label_selector=app%3Dweb", 2},
		{"?label_selector=app%3Dweb,tier%21%3Ddb", 1}, {"?prefix=a", 1}};

	child_start(
		n1, "a", "{\"command\":[\"/bin/sleep\",\"1000\"],\"labels\":{\"app\":\"web\"}}");
	child_start(n1, "b",
		"{\"command\":[\"/bin/sleep\",\"1000\"],"
		"\"labels\":{\"app\":\"web\",\"tier\":\"db\"}}");
	child_start(n1, "c", SLEEPER);
	expect_success(node_call(n1, "POST", NULL, CHILDREN "/c/stop"));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *list = expect_status(
			node_call(n1, "GET", NULL, CHILDREN "%s", rows[i].query), 200);
		int count = (int)json_array_size(json_at(list->json, "items"));

		CHECK(count == rows[i].count, "%s lists %d, should be %d", rows[i].query, count,
			rows[i].count);
	}
}

static long raw(const struct node *at, const char *request, char *out, size_t size)
{
	return http_raw(at->port, request, strlen(request), out, size, check_ms(3000));
}

CLUSTER_TEST(surface, the_host_header_must_be_known)
{
	static const char *const args[] = {"--allow-host", "horde.test", NULL};
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = args});
	struct node *n1 = &c->nodes[0];
	const char *url = node_url(n1, "/v1/node");
	static char out[RAW_BYTES];
	static const struct {
		const char *host;
		long status;
	} rows[] = {{"Host: evil.example", 403}, {"Host: evil.example:80", 403},
		{"Host: horde.test", 200}, {"Host: horde.test:1", 200},
		{"Host: 127.0.0.1.evil.example", 403}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *reply =
			http_send(&(struct http_request){.url = url, .headers = {rows[i].host}});

		if (rows[i].status == 403)
			expect_problem(reply, 403, "host-not-allowed");
		else
			expect_status(reply, rows[i].status);
	}
	CHECK(raw(n1, "GET /v1/node HTTP/1.1\r\nConnection: close\r\n\r\n", out, sizeof out) > 0,
		"no answer");
	CHECK(strncmp(out, "HTTP/1.1 403", 12) == 0 || strncmp(out, "HTTP/1.1 400", 12) == 0,
		"without Host: %.300s", out);
}

CLUSTER_TEST(surface, length_and_chunked_together_are_refused)
{
	struct node *n1 = one();
	static char out[RAW_BYTES];
	char request[512];

	snprintf(request, sizeof request,
		"PUT " ENTRIES "/smuggled HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
		"Content-Type: application/json\r\nContent-Length: 5\r\n"
		"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
		"35\r\n{\"value\":1,\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}}   "
		"\r\n0\r\n\r\n",
		n1->port);
	CHECK(raw(n1, request, out, sizeof out) > 0, "no answer");
	CHECK(strncmp(out, "HTTP/1.1 4", 10) == 0, "%.300s", out);
	expect_problem(node_call(n1, "GET", NULL, ENTRIES "/smuggled"), 404, "key-not-found");
}

/* Runs the real curl, the way the documentation does; returns what it printed. */
static const char *curl(const char *arguments)
{
	static char out[RAW_BYTES];
	FILE *pipe =
		popen(text_of("curl -sS --noproxy '*' -w '\\n%%{http_code}' %s", arguments), "re");
	size_t got;

	CHECK(pipe, "no curl");
	got = fread(out, 1, sizeof out - 1, pipe);
	out[got] = '\0';
	CHECK(pclose(pipe) == 0, "curl failed: %s", out);
	return out;
}

CLUSTER_TEST(surface, curl_d_needs_no_content_type)
{
	struct node *n1 = one();
	const char *out;

	out = curl(text_of("-X PUT %s -d '%s'", node_url(n1, CHILDREN "/web"), SLEEPER));
	CHECK(strstr(out, "\n201"), "%s", out);
	out = curl(text_of("-X PUT %s -d '{\"value\":{\"port\":8080}," BY_ALICE "}'",
		node_url(n1, ENTRIES "/web%%2F1")));
	CHECK(strstr(out, "\n201"), "%s", out);
	out = curl(text_of("-X PUT %s -d 'a=b&c=d'", node_url(n1, ENTRIES "/form")));
	CHECK(strstr(out, "\n4"), "%s", out);
	CHECK_INT(node_call(n1, "GET", NULL, ENTRIES "/form")->status, 404);
	out = curl(text_of("-X POST %s -d ''", node_url(n1, CHILDREN "/web/stop")));
	CHECK(strstr(out, "\n200"), "%s", out);
}

CLUSTER_TEST(surface, a_token_file_asks_everybody_for_the_token)
{
	struct cluster *c = cluster_new(NULL);
	char path[300];
	const char *args[] = {"--token-file", path, NULL};
	struct node *n1;
	struct http_reply *reply;

	snprintf(path, sizeof path, "%s/tokens", c->dir);
	file_write(path, "a-long-enough-token-0123456789\n", 31, 0600);
	n1 = cluster_add(c, NULL, args);
	node_wait_ready(n1);
	reply = expect_problem(node_call(n1, "GET", NULL, "/v1/node"), 401, "unauthorized");
	CHECK(http_header(reply, "WWW-Authenticate"), "no WWW-Authenticate in %s", reply->head);
	expect_problem(child_put(n1, "web", SLEEPER), 401, "unauthorized");
	reply = http_send(&(struct http_request){
		.url = node_url(n1, "/v1/node"), .headers = {"Authorization: Bearer wrong"}});
	expect_problem(reply, 401, "unauthorized");
	reply = http_send(&(struct http_request){.url = node_url(n1, "/v1/node"),
		.headers = {"Authorization: Bearer a-long-enough-token-0123456789"}});
	expect_status(reply, 200);
	expect_status(node_call(n1, "GET", NULL, "/livez"), 200);
	CHECK_INT(children_processes("sleep 1000"), 0);
}

/* Requests to the owner of a name, through any node: once, as they were sent, and nothing said that
 * is not the owner's or the next hop's business. */
#include "tests/integration/dispatch.h"

SUITE(dispatch);

CLUSTER_TEST(dispatch, s099_it_is_delivered_once_from_any_node_and_a_missing_name_is_a_404)
{
	struct cluster *c = cluster_start(3, NULL);
	int port = cluster_free_port();
	const char *hits = text_of("%s/files/hits", c->dir);
	struct http_reply *r;

	begin_owner(c, "web", port, text_of("%s/files", c->dir));
	for (int i = 0; i < 3; i++) {
		r = owners(
			ask(&c->nodes[i], i == 1 ? "GET" : "POST", "/web/hit"), &c->nodes[i], 201);
		CHECK_STR(r->body, "ok");
	}
	CHECK_STR(file_wait(hits, 0), "x\nx\nx\n");
	hordes(ask(&c->nodes[1], "GET", "/nobody/hit"), 404, "key-not-found");
	hordes(ask(&c->nodes[1], "POST", "/nobody/hit"), 404, "key-not-found");
	hordes(node_call(&c->nodes[1], "PUT", "some", DISPATCH "/nobody/hit"), 404,
		"key-not-found");
	hordes(node_call(&c->nodes[2], "GET", NULL, "/v1/registries/none/dispatch/web/hit"), 404,
		"registry-not-found");
	/* The owner may say the same words; they are not Horde's. */
	r = owners(ask(&c->nodes[1], "GET", "/web/status/404"), &c->nodes[1], 404);
	CHECK_STR(json_str(r->json, "code"), "key-not-found");
	CHECK_STR(file_wait(hits, 0), "x\nx\nx\n");
}

CLUSTER_TEST(dispatch, method_path_and_query_arrive_as_they_were_sent)
{
	static const struct {
		const char *method, *sent, *arrives;
	} rows[] = {
		{"GET", "/web", "GET / HTTP/1.1\r\n"},
		{"GET", "/web/", "GET / HTTP/1.1\r\n"},
		{"DELETE", "/web//a//b%2Fc/?x=1&y&z=a+b%20c",
			"DELETE //a//b%2Fc/?x=1&y&z=a+b%20c HTTP/1.1\r\n"},
		{"PATCH", "/web/../..", "PATCH /../.. HTTP/1.1\r\n"},
		{"PUT", "/web/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19?limit=x",
			"PUT /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19?limit=x "
			"HTTP/1.1\r\n"},
		{"POST", "/web/%FF", "POST /%FF HTTP/1.1\r\n"},
	};
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;
	char reply[4096];
	const char *head;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		r = owners(ask(&c->nodes[0], rows[i].method, rows[i].sent), &c->nodes[0], 200);
		CHECK(strncmp(r->body, rows[i].arrives, strlen(rows[i].arrives)) == 0,
			"%s arrived as %s", rows[i].sent, r->body);
	}
	r = owners(ask(&c->nodes[0], "HEAD", "/web/big/1000"), &c->nodes[0], 200);
	CHECK_STR(http_header(r, "Content-Length"), "1000");
	CHECK_INT(r->body_size, 0);
	owners(ask(&c->nodes[0], "GET", "/web/status/204"), &c->nodes[0], 204);
	owners(ask(&c->nodes[0], "GET", "/web/status/304"), &c->nodes[0], 304);
	head = head_of("GET", "/web/a b", "Connection: close\r\n");
	http_raw(c->nodes[0].port, head, strlen(head), reply, sizeof reply, check_ms(5000));
	CHECK(strstr(reply, "bad-escape"), "%s", reply);
	hordes(node_call(&c->nodes[0], "DELETE", "{}", DISPATCH "/web/a"), 400, "bad-request");
	expect_problem(ask(&c->nodes[0], "TRACE", "/web/a"), 405, "method-not-allowed");
}

CLUSTER_TEST(dispatch, what_is_of_one_connection_or_of_horde_is_passed_on_neither_way)
{
	static const char *const kept[] = {"\r\nCookie: c=1\r\n", "\r\nX-Kept: 1\r\n",
		"\r\nForwarded: for=1.2.3.4\r\n", "\r\nVia: 1.1 proxy\r\n"};
	static const char *const gone[] = {"\r\nAuthorization", "\r\nHorde-", "\r\nKeep-Alive",
		"\r\nConnection", "X-Hop", "\r\nTE:", "Upgrade", "Trailer", "Proxy-",
		"secret-word"};
	static const char *const not_back[] = {
		"X-Back", "Keep-Alive", "horde-secret", "Authorization", "Connection"};
	struct cluster *c = cluster_start(2, NULL);
	struct node *n = &c->nodes[1];
	const char *head, *arrived;
	char reply[8192];
	struct http_reply *r;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	head = head_of("GET", "/web/head",
		"Authorization: Bearer secret-word\r\nHorde-Min-Thing: 1\r\nKeep-Alive: 1\r\n"
		"Connection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nUpgrade: x\r\n"
		"Trailer: x\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\n"
		"Cookie: c=1\r\nX-Kept: 1\r\nForwarded: for=1.2.3.4\r\nVia: 1.1 proxy\r\n");
	http_raw(n->port, head, strlen(head), reply, sizeof reply, check_ms(5000));
	arrived = strstr(reply, "GET /head");
	CHECK(arrived, "%s", reply);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		CHECK(strstr(arrived, kept[i]), "%s in %s", kept[i], reply);
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		CHECK(!strcasestr(arrived, gone[i]), "%s in %s", gone[i], reply);
	CHECK(strstr(reply,
		      "\r\nForwarded: for=127.0.0.1;host=\"127.0.0.1\";proto=http;by=_n2\r\n"),
		"%s", reply);
	CHECK(strstr(arrived, "\r\nVia: 1.1 horde-n2\r\n"), "%s", reply);
	/* Back, and no redirect is followed. */
	r = owners(ask(n, "GET", "/web/hop"), n, 302);
	CHECK_STR(http_header(r, "Location"), "http://127.0.0.1:1/hit");
	CHECK_STR(http_header(r, "X-Kept"), "1");
	CHECK(strstr(r->head, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"), "both, in order");
	CHECK(strcmp(http_header(r, "Horde-Dispatched"), "nowhere") != 0, "nobody else's word");
	for (size_t i = 0; i < sizeof not_back / sizeof *not_back; i++)
		CHECK(!http_header(r, not_back[i]), "%s came back", not_back[i]);
}

CLUSTER_TEST(dispatch, an_owner_that_is_not_ready_or_has_no_place_is_a_409)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n = &c->nodes[1];
	int port = cluster_free_port();

	mkdir(text_of("%s/files", c->dir), 0700);
	child_start(&c->nodes[0], "late",
		helper_spec(text_of("await %s/go; notify READY=1; owner %d %s/files", c->dir, port,
				    c->dir),
			NOTIFY));
	expect_status(node_call(n, "PUT",
			      text_of("{\"owner\":{\"kind\":\"child\",\"id\":\"default/late\"},"
				      "\"value\":{\"port\":%d}}",
				      port),
			      ENTRIES "/late"),
		201);
	hordes(ask(n, "GET", "/late/hit"), 409, "no-endpoint");
	hordes(node_call(n, "POST", "some", DISPATCH "/late/hit"), 409, "no-endpoint");
	file_write(text_of("%s/go", c->dir), "", 0, 0600);
	http_until_status(node_url(n, DISPATCH "/late/hit"), 201, check_ms(5000));
	child_start(&c->nodes[0], "mute", SLEEPER);
	child_start(&c->nodes[0], "asleep", helper_spec("await /nowhere", NOTIFY));
	expect_status(
		node_call(n, "PUT",
			"{\"owner\":{\"kind\":\"child\",\"id\":\"default/mute\"},\"value\":1}",
			ENTRIES "/mute"),
		201);
	hordes(ask(n, "GET", "/mute"), 409, "no-endpoint");
	/* Whose value names a place that it may not. */
	expect_status(
		node_call(n, "PUT",
			text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"s\"},\"value\":{\"url\":"
				"\"http://127.0.0.1:%d/base\"}}",
				port),
			ENTRIES "/far"),
		201);
	hordes(ask(n, "GET", "/far"), 409, "no-endpoint");
	/* Of several owners, who is ready. */
	expect_status(node_call(n, "PUT", "{\"keys\":\"duplicate\"}", "/v1/registries/many"), 201);
	for (int i = 0; i < 2; i++)
		expect_status(node_call(n, "PUT",
				      text_of("{\"owner\":{\"kind\":\"child\",\"id\":"
					      "\"default/%s\"},\"value\":{\"port\":%d}}",
					      i ? "asleep" : "late", port),
				      "/v1/registries/many/entries/both"),
			201);
	owners(node_call(n, "GET", NULL, "/v1/registries/many/dispatch/both/hit"), n, 201);
	expect_success(node_call(
		n, "DELETE", NULL, "/v1/registries/many/entries/both?owner=child:default/late"));
	hordes(node_call(n, "GET", NULL, "/v1/registries/many/dispatch/both/hit"), 409,
		"no-endpoint");
	expect_success(node_call(
		n, "DELETE", NULL, "/v1/registries/many/entries/both?owner=child:default/asleep"));
	hordes(node_call(n, "GET", NULL, "/v1/registries/many/dispatch/both/hit"), 404,
		"key-not-found");
	/* A port where nobody listens. */
	expect_status(node_call(n, "PUT",
			      text_of("{\"owner\":{\"kind\":\"child\",\"id\":\"default/mute\"},"
				      "\"value\":{\"port\":%d}}",
				      cluster_free_port()),
			      ENTRIES "/mute"),
		200);
	hordes(ask(n, "GET", "/mute"), 502, "owner-unreachable");
}

static void put_static(const struct node *n, const char *key, const char *value)
{
	expect_success(node_call(n, "PUT",
		text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"s\"},\"value\":%s}", value),
		ENTRIES "/%s", key));
}

CLUSTER_TEST(dispatch, a_value_may_name_a_host_of_the_nodes_list)
{
	int port = cluster_free_port();
	const char *args[] = {"--dispatch-hosts", text_of("LOCALHOST:%d", port), NULL};
	struct cluster_options o = {.args = args};
	struct cluster *c = cluster_start(1, &o);
	struct node *n = &c->nodes[0];
	struct http_reply *r;

	begin_owner(c, "web", port, text_of("%s/files", c->dir));
	put_static(n, "url", text_of("{\"url\":\"http://localhost:%d/head/\"}", port));
	r = owners(ask(n, "GET", "/url/a?b"), n, 200);
	CHECK(strncmp(r->body, "GET /head/a?b HTTP/1.1\r\n", 24) == 0, "%s", r->body);
	put_static(n, "host", text_of("{\"host\":\"localhost\",\"port\":%d}", port));
	owners(ask(n, "GET", "/host/hit"), n, 201);
	put_static(n, "url", text_of("{\"url\":\"http://127.0.0.1:%d/\"}", port));
	hordes(ask(n, "GET", "/url/a"), 409, "no-endpoint");
	put_static(n, "url", text_of("{\"url\":\"http://localhost:%d/\"}", port + 1));
	hordes(ask(n, "GET", "/url/a"), 409, "no-endpoint");
	put_static(n, "url", text_of("{\"url\":\"http://localhost:%d@evil/\"}", port));
	hordes(ask(n, "GET", "/url/a"), 409, "no-endpoint");
	put_static(n, "url", text_of("{\"url\":\"https://localhost:%d/\"}", port));
	hordes(ask(n, "GET", "/url/a"), 409, "no-endpoint");
}

CLUSTER_TEST(dispatch, nothing_goes_round_in_circles)
{
	const char *args[] = {"--dispatch-hosts", "127.0.0.1", NULL};
	struct cluster_options o = {.args = args};
	struct cluster *c = cluster_start(1, &o);
	struct node *n = &c->nodes[0];
	struct http_request q = {.url = NULL};
	struct http_reply *r;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	q.url = node_url(n, DISPATCH "/web/hit");
	q.headers[0] = "Via: 1.1 horde-a, 1.0 horde-b (x), 1.1 proxy, 1.1 another";
	owners(http_send(&q), n, 201);
	q.headers[1] = "Via: HTTP/1.1 horde-c";
	hordes(http_send(&q), 508, "loop-detected");
	CHECK_STR(file_wait(text_of("%s/files/hits", c->dir), 0), "x\n");
	put_static(
		n, "loop", text_of("{\"url\":\"http://127.0.0.1:%d" DISPATCH "/loop\"}", n->port));
	r = owners(ask(n, "GET", "/loop"), n, 508);
	CHECK_STR(json_str(r->json, "code"), "loop-detected");
}

CLUSTER_TEST(dispatch, a_child_may_not_with_its_own_token)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct http_request q = {.url = NULL};

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	child_start(n, "spy",
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"printf %%s \\\"$HORDE_CHILD_TOKEN\\\" "
			">%s/t.new; mv %s/t.new %s/token; exec sleep 1000\"]}",
			c->dir, c->dir, c->dir));
	q.url = node_url(n, DISPATCH "/web/hit");
	q.headers[0] = text_of(
		"Authorization: Bearer %s", file_wait(text_of("%s/token", c->dir), check_ms(5000)));
	hordes(http_send(&q), 403, "forbidden");
	q.body = "some";
	hordes(http_send(&q), 403, "forbidden");
	CHECK(access(text_of("%s/files/hits", c->dir), F_OK) != 0, "nothing was delivered");
}

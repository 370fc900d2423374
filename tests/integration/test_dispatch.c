/* Requests to the owner of a name, through any node: once, whole, streamed, and nothing said that
 * is not the owner's or the next hop's business. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "tests/integration/ready.h"
#include "tests/lib/owner.h"

SUITE(dispatch);

#define DISPATCH "/v1/registries/default/dispatch"
#define MIB (1024 * 1024)

static bool entry_is_ready(const struct http_reply *r, const void *argument)
{
	(void)argument;
	return json_is_true(json_at(r->json, "ready"));
}

/* A child that owns the key of its name and answers at this port; its files are in `dir`. Every
 * node knows that it is ready. */
static struct http_reply *begin_owner(struct cluster *c, const char *id, int port, const char *dir)
{
	struct http_reply *r;

	mkdir(dir, 0700);
	r = child_start(&c->nodes[0], id,
		helper_spec(text_of("owner %d %s", port, dir),
			text_of("\"ready\":{\"kind\":\"tcp\",\"port\":%d,\"period_ms\":100},"
				"\"register\":[{\"key\":\"%s\",\"value\":{\"port\":%d}}]",
				port, id, port)));
	for (int i = 0; i < c->count; i++)
		http_until(node_url(&c->nodes[i], ENTRIES "/%s", id), entry_is_ready, NULL,
			check_ms(CLUSTER_SOON_MS), "an owner that is ready");
	return r;
}

static struct http_reply *ask(const struct node *at, const char *method, const char *path)
{
	return node_call(at, method, NULL, DISPATCH "%s", path);
}

/* It is the owner's own, and says through whom it came. */
static struct http_reply *owners(struct http_reply *r, const struct node *through, long status)
{
	CHECK_INT(r->status, status);
	CHECK(http_header(r, "Horde-Dispatched"), "%s is not the owner's: %s", r->url, r->body);
	CHECK(strstr(http_header(r, "Via"), text_of("1.1 horde-%s", through->name)), "through it");
	return r;
}

/* Horde's own, whatever an owner may write. */
static void hordes(struct http_reply *r, long status, const char *code)
{
	expect_problem(r, status, code);
	CHECK(!http_header(r, "Horde-Dispatched") && !http_header(r, "Via"), "nobody else's");
}

static char *pattern(size_t count)
{
	char *bytes = malloc(count + 1);

	CHECK(bytes, "out of memory");
	for (size_t i = 0; i < count; i++)
		bytes[i] = owner_byte(i);
	bytes[count] = '\0';
	return bytes;
}

static const char *counted(const char *bytes, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum = owner_sum(sum, (unsigned char)bytes[i]);
	return text_of("%zu %016llx", count, (unsigned long long)sum);
}

/* ---- connections that the test reads and writes as slowly as it likes ---- */

static int connect_to(const struct node *n, const char *request)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)n->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "a connection");
	CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request), "sent");
	return fd;
}

static const char *head_of(const char *method, const char *path, const char *headers)
{
	return text_of(
		"%s " DISPATCH "%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", method, path, headers);
}

/* Sends on from `at` until nothing is taken for a while, or all is. */
static size_t send_some(int fd, const char *bytes, size_t at, size_t count)
{
	int64_t moved_ms = check_now_ms();

	while (at < count && check_now_ms() < moved_ms + check_ms(300)) {
		ssize_t put = send(fd, bytes + at, count - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put > 0) {
			at += (size_t)put;
			moved_ms = check_now_ms();
		} else {
			check_pause_ms(5);
		}
	}
	return at;
}

/* Reads to the end of the connection, or of `size`. */
static size_t read_all(int fd, char *bytes, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = recv(fd, bytes + used, size - used, 0);

		if (got <= 0)
			break;
		used += (size_t)got;
	}
	return used;
}

/* Waits until what is out stays the same for a while; how much that is. */
static long long sent_until_still(const char *file)
{
	long long last = -1, now = atoll(file_wait(file, check_ms(CLUSTER_SOON_MS)));
	int64_t end_ms = check_now_ms() + check_ms(20000);

	while (now != last) {
		CHECK(check_now_ms() < end_ms, "it goes on and on");
		last = now;
		check_pause_ms(check_ms(300));
		now = atoll(file_wait(file, check_ms(CLUSTER_SOON_MS)));
	}
	return now;
}

/* ---- the tests ---- */

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
	hordes(ask(&c->nodes[0], "GET", "/web/a b"), 400, "bad-escape");
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

CLUSTER_TEST(dispatch, bodies_of_some_megabytes_go_up_and_down_whole)
{
	const size_t count = 9 * MIB + 17;
	struct cluster *c = cluster_start(3, NULL);
	char *bytes = pattern(count);
	struct http_reply *r;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	for (int i = 0; i < 3; i++) {
		struct node *n = &c->nodes[i];
		struct http_request up = {.method = "PUT",
			.url = node_url(n, DISPATCH "/web/count"),
			.body = bytes,
			.body_size = count,
			.headers = {"Content-Type: a/b"}};

		CHECK_STR(owners(http_send(&up), n, 200)->body, counted(bytes, count));
		up.headers[1] = "Transfer-Encoding: chunked";
		up.headers[2] = "Content-Length:";
		CHECK_STR(owners(http_send(&up), n, 200)->body, counted(bytes, count));
		up.url = node_url(n, DISPATCH "/web/echo");
		r = owners(http_send(&up), n, 200);
		CHECK(r->body_size == count && !memcmp(r->body, bytes, count), "what was sent");
		r = owners(ask(n, "GET", text_of("/web/big/%zu", count)), n, 200);
		CHECK(r->body_size == count && !memcmp(r->body, bytes, count), "what was given");
		r = owners(ask(n, "GET", text_of("/web/chunked/%zu", count)), n, 200);
		CHECK(r->body_size == count && !memcmp(r->body, bytes, count), "what was given");
		http_forget_all();
	}
	free(bytes);
}

CLUSTER_TEST(dispatch, a_slow_reader_slows_the_owner_and_takes_no_memory)
{
	const size_t count = 96 * MIB;
	struct cluster *c = cluster_start(2, NULL);
	const char *sent = text_of("%s/files/sent", c->dir);
	struct node *n = &c->nodes[1];
	char *reply = malloc(count + 4096), *body;
	long before_kb, most_kb;
	size_t used;
	int fd;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	before_kb = procs_status_kb(n->pid, "VmHWM");
	fd = connect_to(n, head_of("GET", text_of("/web/big/%zu", count), "Connection: close\r\n"));
	CHECK(sent_until_still(sent) < (long long)count / 2, "it was slowed down");
	expect_status(ask(n, "GET", "/web/hit"), 201);
	used = read_all(fd, reply, count + 4096);
	most_kb = procs_status_kb(n->pid, "VmHWM");
	reply[used < count + 4096 ? used : count] = '\0';
	body = memmem(reply, used, "\r\n\r\n", 4);
	CHECK(body && (size_t)(reply + used - body) == count + 4, "all of it came: %zu", used);
	for (size_t i = 0; i < count; i++)
		CHECK(body[4 + i] == owner_byte(i), "byte %zu", i);
	CHECK(most_kb - before_kb < 16 * 1024, "%ld kB more", most_kb - before_kb);
	close(fd);
	free(reply);
}

CLUSTER_TEST(dispatch, a_slow_owner_slows_the_sender_and_takes_no_memory)
{
	const size_t count = 96 * MIB;
	struct cluster *c = cluster_start(2, NULL);
	struct node *n = &c->nodes[1];
	char *bytes = pattern(count), reply[2048];
	long before_kb, most_kb;
	size_t at;
	int fd;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	before_kb = procs_status_kb(n->pid, "VmHWM");
	fd = connect_to(n, head_of("POST", "/web/take",
				   text_of("Connection: close\r\nContent-Length: %zu\r\n", count)));
	at = send_some(fd, bytes, 0, count);
	CHECK(at < count / 2, "it was slowed down at %zu", at);
	expect_status(ask(n, "GET", "/web/hit"), 201);
	file_write(text_of("%s/files/go", c->dir), "x", 1, 0600);
	CHECK_INT(send_some(fd, bytes, at, count), count);
	reply[read_all(fd, reply, sizeof reply - 1)] = '\0';
	most_kb = procs_status_kb(n->pid, "VmHWM");
	CHECK(strstr(reply, counted(bytes, count)), "%s", reply);
	CHECK(most_kb - before_kb < 16 * 1024, "%ld kB more", most_kb - before_kb);
	close(fd);
	free(bytes);
}

CLUSTER_TEST(dispatch, an_owner_that_dies_on_the_way_is_a_502_or_a_reply_that_is_cut)
{
	struct cluster *c = cluster_start(3, NULL);
	const char *files = text_of("%s/files", c->dir);
	struct http_request requests[3] = {{0}};
	struct http_reply *replies[3], *r;
	struct http_flight *flight;
	size_t at = 0;
	pid_t pid;

	r = begin_owner(c, "web", cluster_free_port(), files);
	pid = (pid_t)json_number_at(r->json, "status.pid");
	requests[0].url = node_url(&c->nodes[0], DISPATCH "/web/half/%d", 100000);
	requests[1].url = node_url(&c->nodes[1], DISPATCH "/web/stall");
	requests[2] = (struct http_request){
		.url = node_url(&c->nodes[2], DISPATCH "/web/stall"), .body = "some"};
	flight = http_begin(requests, 3);
	CHECK(http_comes(flight, 0, "abc", &at, check_ms(5000)) || at == 0, "it began");
	http_parked(flight, 1);
	while (strlen(file_wait(text_of("%s/stalled", files), check_ms(5000))) < 2)
		http_parked(flight, 20);
	CHECK(http_parked(flight, 50), "they wait");
	kill(pid, SIGKILL);
	http_finish(flight, replies);
	CHECK_INT(replies[0]->status, 0); /* libcurl says that it is not whole */
	CHECK(replies[0]->body_size > 0 && replies[0]->body_size <= 100000, "a part of it");
	hordes(replies[1], 502, "owner-unreachable");
	hordes(replies[2], 502, "owner-unreachable");
	/* The next one is as good as the first. */
	http_until(node_url(&c->nodes[1], ENTRIES "/web"), entry_is_ready, NULL, check_ms(10000),
		"its next life");
	child_until_new_pid(&c->nodes[1], "web", pid, check_ms(10000));
	http_until_status(node_url(&c->nodes[1], DISPATCH "/web/hit"), 201, check_ms(10000));
}

CLUSTER_TEST(dispatch, who_hangs_up_ends_it)
{
	static const char *const paths[] = {"/web/half/1000000", "/web/stall"};
	struct cluster *c = cluster_start(2, NULL);
	const char *left = text_of("%s/files/left", c->dir);
	char bytes[64];
	int fd;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	for (size_t i = 0; i < 2; i++) {
		fd = connect_to(&c->nodes[1], head_of("GET", paths[i], ""));
		if (i == 0)
			CHECK(recv(fd, bytes, sizeof bytes, 0) > 0, "it began");
		else
			file_wait(text_of("%s/files/stalled", c->dir), check_ms(5000));
		close(fd);
		file_wait(left, check_ms(5000));
		unlink(left);
	}
	/* In the midst of its own body. */
	fd = connect_to(&c->nodes[1], head_of("POST", "/web/stall", "Content-Length: 100000\r\n"));
	CHECK(send(fd, head_of("x", "x", "x"), 20, MSG_NOSIGNAL) == 20, "some of it");
	while (strlen(file_wait(text_of("%s/files/stalled", c->dir), check_ms(5000))) < 2)
		check_pause_ms(5);
	close(fd);
	file_wait(left, check_ms(5000));
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

CLUSTER_TEST(dispatch, its_limits_are_answers)
{
	static struct http_request requests[257];
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	const char *stalled = text_of("%s/files/stalled", c->dir);
	struct http_flight *flight;
	char reply[4096];
	const char *head;
	struct http_reply *r;
	char url[128];

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	/* Heads of replies. */
	r = owners(ask(n, "GET", "/web/heads/8192"), n, 200);
	CHECK(http_header(r, "X-Fill"), "with all of it");
	hordes(ask(n, "GET", "/web/heads/8193"), 502, "owner-unreachable");
	/* Bodies. */
	head = head_of(
		"POST", "/web/count", "Expect: 100-continue\r\nContent-Length: 68719476736\r\n");
	http_raw(n->port, head, strlen(head), reply, sizeof reply, check_ms(300));
	CHECK(strncmp(reply, "HTTP/1.1 100", 12) == 0, "%s", reply);
	head = head_of(
		"POST", "/web/count", "Expect: 100-continue\r\nContent-Length: 68719476737\r\n");
	http_raw(n->port, head, strlen(head), reply, sizeof reply, check_ms(5000));
	CHECK(strncmp(reply, "HTTP/1.1 413", 12) == 0, "%s", reply);
	/* What the owner does not want is not read to its end by it. */
	owners(node_call(n, "POST", "some", DISPATCH "/web/early"), n, 413);
	/* At a time. */
	snprintf(url, sizeof url, "%s", node_url(n, DISPATCH "/web/stall"));
	for (int i = 0; i < 256; i++)
		requests[i] = (struct http_request){.url = url};
	flight = http_begin(requests, 256);
	http_parked(flight, 1);
	while (strlen(file_wait(stalled, check_ms(20000))) < 256)
		http_parked(flight, 20);
	hordes(ask(n, "GET", "/web/hit"), 503, "overloaded");
	http_drop(flight);
	http_until_status(node_url(n, DISPATCH "/web/hit"), 201, check_ms(20000));
}

/* Bodies that go to the owner of a name and come from it: whole, as slowly as either end wants, and
 * what becomes of them when one end is gone. */
#include "tests/integration/dispatch.h"

#include <arpa/inet.h>
#include <sys/socket.h>

SUITE(dispatch_streams);

#define MIB (1024 * 1024)

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

/* Until so many of them have come to the owner. */
static void until_stalled(struct http_flight *flight, const char *file, off_t count)
{
	int64_t end_ms = check_now_ms() + check_ms(20000);
	struct stat there = {.st_size = 0};

	while (stat(file, &there) != 0 || there.st_size < count) {
		CHECK(check_now_ms() < end_ms, "%d have come", (int)there.st_size);
		http_parked(flight, 20);
	}
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

CLUSTER_TEST(dispatch_streams, bodies_of_some_megabytes_go_up_and_down_whole)
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

CLUSTER_TEST(dispatch_streams, a_slow_reader_slows_the_owner_and_takes_no_memory)
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
	CHECK(most_kb - before_kb < check_ms(16 * 1024), "%ld kB more", most_kb - before_kb);
	close(fd);
	free(reply);
}

CLUSTER_TEST(dispatch_streams, a_slow_owner_slows_the_sender_and_takes_no_memory)
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
	CHECK(most_kb - before_kb < check_ms(16 * 1024), "%ld kB more", most_kb - before_kb);
	close(fd);
	free(bytes);
}

CLUSTER_TEST(dispatch_streams, an_owner_that_dies_on_the_way_is_a_502_or_a_reply_that_is_cut)
{
	struct cluster *c = cluster_start(3, NULL);
	const char *files = text_of("%s/files", c->dir);
	struct http_request requests[4] = {{0}};
	struct http_reply *replies[4], *r;
	struct http_flight *flight;
	size_t at = 0;
	pid_t pid;

	r = begin_owner(c, "web", cluster_free_port(), files);
	pid = (pid_t)json_number_at(r->json, "status.pid");
	requests[0].url = node_url(&c->nodes[0], DISPATCH "/web/half/%d", 100000);
	requests[1].url = node_url(&c->nodes[1], DISPATCH "/web/stall");
	requests[2] = (struct http_request){
		.url = node_url(&c->nodes[2], DISPATCH "/web/stall"), .body = "some"};
	requests[3].url = node_url(&c->nodes[0], DISPATCH "/web/torn/%d", 100000);
	flight = http_begin(requests, 4);
	CHECK(http_comes(flight, 0, "ahov", &at, check_ms(5000)), "it began");
	at = 0;
	CHECK(http_comes(flight, 3, "ahov", &at, check_ms(5000)), "it began");
	until_stalled(flight, text_of("%s/stalled", files), 2);
	CHECK(http_parked(flight, 50), "they wait");
	kill(pid, SIGKILL);
	http_finish(flight, replies);
	for (int i = 0; i < 4; i += 3) {
		CHECK_INT(replies[i]->status, 0); /* libcurl says that it is not whole */
		CHECK(replies[i]->body_size > 0 && replies[i]->body_size <= 100000, "a part");
	}
	hordes(replies[1], 502, "owner-unreachable");
	hordes(replies[2], 502, "owner-unreachable");
	/* The next one is as good as the first. */
	http_until(node_url(&c->nodes[1], ENTRIES "/web"), entry_is_ready, NULL, check_ms(10000),
		"its next life");
	child_until_new_pid(&c->nodes[1], "web", pid, check_ms(10000));
	http_until_status(node_url(&c->nodes[1], DISPATCH "/web/hit"), 201, check_ms(10000));
}

CLUSTER_TEST(dispatch_streams, who_hangs_up_ends_it)
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

CLUSTER_TEST(dispatch_streams, a_node_that_ends_ends_what_is_under_way)
{
	const size_t count = 96 * MIB;
	struct cluster *c = cluster_start(2, NULL);
	struct node *n = &c->nodes[1];
	struct http_request requests[2] = {{0}};
	struct http_reply *replies[2];
	struct http_flight *flight;
	char *bytes = pattern(count);
	int fd;

	begin_owner(c, "web", cluster_free_port(), text_of("%s/files", c->dir));
	requests[0].url = node_url(n, DISPATCH "/web/stall");
	requests[1].url = node_url(n, DISPATCH "/web/torn/%d", 1000);
	flight = http_begin(requests, 2);
	until_stalled(flight, text_of("%s/files/stalled", c->dir), 1);
	fd = connect_to(n, head_of("POST", "/web/take",
				   text_of("Connection: close\r\nContent-Length: %zu\r\n", count)));
	CHECK(send_some(fd, bytes, 0, count) < count, "it is held");
	node_signal(n, SIGTERM);
	http_finish(flight, replies);
	CHECK_INT(node_wait_exit(n, check_ms(20000)), 0);
	CHECK(replies[0]->status == 503 || replies[0]->status == 502, "%ld", replies[0]->status);
	CHECK_INT(replies[1]->status, 0); /* it is not whole */
	close(fd);
	free(bytes);
}

/* A request with a head of this size, and its reply with the largest. */
static struct http_reply *with_heads(const struct node *n, int url_bytes, int cookie_bytes)
{
	char *url = NULL, *cookie = NULL, fill[16384];
	struct http_request q = {.url = NULL};
	struct http_reply *r;

	memset(fill, 'f', sizeof fill);
	CHECK(asprintf(&url, "%s?%.*s", node_url(n, DISPATCH "/web/heads/8192"), url_bytes, fill) >
				0 &&
			asprintf(&cookie, "Cookie: %.*s", cookie_bytes, fill) > 0,
		"out of memory");
	q.url = url;
	q.headers[0] = cookie;
	r = http_send(&q);
	free(url);
	free(cookie);
	return r;
}

/* What does not fit beside the request's head is a problem, and never a connection that ends. */
static void large_heads(const struct node *n)
{
	CHECK_INT(with_heads(n, 7900, 10)->status, 200);
	CHECK_INT(with_heads(n, 10, 4000)->status, 200);
	for (int url = 100; url < 8000; url += 1500)
		for (int cookie = 1; cookie < 15000; cookie += 1000) {
			struct http_reply *r = with_heads(n, url, cookie);

			CHECK(r->status == 200 || r->status == 431 || r->status == 502,
				"%d and %d gave %ld %s", url, cookie, r->status, r->error);
		}
	hordes(with_heads(n, 10, 14000), 502, "owner-unreachable");
}

CLUSTER_TEST(dispatch_streams, its_limits_are_answers)
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
	large_heads(n);
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
	until_stalled(flight, stalled, 256);
	hordes(ask(n, "GET", "/web/hit"), 503, "overloaded");
	http_drop(flight);
	http_until_status(node_url(n, DISPATCH "/web/hit"), 201, check_ms(20000));
}

/*
 * A server of a small document, on a thread of its own, and a blocking client for it. What has to
 * happen on the server's thread is asked for by requests: POST /wake/{key} wakes the watchers of a
 * key, POST /commit/{number} settles a batch.
 */
#ifndef HORDE_TESTS_API_SERVED_H
#define HORDE_TESTS_API_SERVED_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http.h"
#include "api/reads.h"
#include "api/wait.h"
#include "tests/unit/api/served_document.h"

struct served {
	struct loop *loop;
	struct http *http;
	pthread_t thread;
	int port;
	int runs;      /* of the waiting handler */
	int freed;     /* handler states */
	int value;     /* what /value answers */
	int encodings; /* and how often it was written */
	bool present;
	bool stop;
	char dots[64]; /* what is covered */
};

static struct served served;

/* ---- handlers ---- */

static void post_wake(struct exchange *x)
{
	const char *key = exchange_path(x, "key");

	served.value++;
	http_wake_key(exchange_http(x), key, strlen(key));
	exchange_reply_empty(x, 204);
}

static void post_commit(struct exchange *x)
{
	http_wake_commit(exchange_http(x), (uint64_t)atoll(exchange_path(x, "number")),
		exchange_query_bool(x, "full", false) ? ERR_STORAGE_FULL : ERR_OK);
	exchange_reply_empty(x, 204);
}

static void post_dots(struct exchange *x)
{
	snprintf(served.dots, sizeof(served.dots), "%s", exchange_path(x, "dots"));
	http_wake_key(exchange_http(x), "vector", 6);
	exchange_reply_empty(x, 204);
}

static void post_present(struct exchange *x)
{
	served.present = exchange_query_bool(x, "is", true);
	http_wake_key(exchange_http(x), "entry/a", 7);
	exchange_reply_empty(x, 204);
}

static void free_state(void *state)
{
	(void)state;
	served.freed++;
}

static int runs_state;

/* Watches ?key= or ?prefix=, and says how often it ran when it is woken or its time is over. */
static void get_wait(struct exchange *x)
{
	const char *key = exchange_query(x, "key"), *prefix = exchange_query(x, "prefix");
	int64_t until = exchange_started_ms(x) + exchange_query_ms(x, "wait", 1000);
	struct text body = TEXT_INIT;

	served.runs++;
	if (exchange_state(x) || exchange_expired(x)) {
		text_addf(&body, "%s", exchange_expired(x) ? "expired" : "woken");
		exchange_reply_text(x, 200, "text/plain", &body);
		return;
	}
	exchange_state_set(x, &runs_state, free_state);
	if (key)
		exchange_watch_key(x, key, strlen(key));
	if (prefix)
		exchange_watch_prefix(x, prefix, strlen(prefix));
	exchange_park(x, until);
}

static void put_durable(struct exchange *x)
{
	uint64_t number = (uint64_t)exchange_query_int(x, "batch", 0);
	enum err e;

	if (exchange_query_bool(x, "patient", false) && !exchange_has_room(x))
		return;
	if (exchange_query_bool(x, "applied", false))
		exchange_applied_set(x);
	if (!exchange_stored(x, number, &e)) {
		exchange_watch_commit(x, number);
		exchange_park(x, exchange_started_ms(x) + 5000);
	} else if (e != ERR_OK) {
		exchange_fail(x, e);
	} else {
		exchange_reply_empty(x, 204);
	}
}

static void get_value(struct exchange *x)
{
	struct etag etag = etag_of((uint64_t)served.value);
	struct text body = TEXT_INIT;

	exchange_watch_key(x, "value", 5);
	if (reads_settled(x, &etag))
		return;
	served.encodings++;
	json_object(&body);
	json_put_int(&body, "value", served.value);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* Waits for the value too, and changes it once more when it is woken by that. */
static void post_bump(struct exchange *x)
{
	if (!exchange_state(x)) {
		exchange_state_set(x, &runs_state, free_state);
		exchange_watch_key(x, "value", 5);
		exchange_park(x, exchange_started_ms(x) + 5000);
		return;
	}
	served.value++;
	http_wake_key(exchange_http(x), "value", 5);
	exchange_reply_empty(x, 204);
}

static void get_entry(struct exchange *x)
{
	struct etag etag = etag_pair(1, 2);
	struct text body = TEXT_INIT;

	exchange_watch_key(x, "entry/a", 7);
	if (!served.present) {
		reads_absent(x, PROBLEM_KEY_NOT_FOUND, "there is no key '%s'", "a");
		return;
	}
	if (reads_settled(x, &etag))
		return;
	json_object(&body);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

static void put_entry(struct exchange *x)
{
	struct etag etag = etag_pair(1, 2);
	struct text body = TEXT_INIT;
	const char *raw;
	size_t length;

	if (!writes_allowed(x, served.present ? &etag : NULL))
		return;
	raw = exchange_body_member_raw(x, "value", &length);
	json_object(&body);
	json_put_string(&body, "key", exchange_path(x, "key"));
	json_key(&body, "value");
	json_raw(&body, raw, length);
	json_end_object(&body);
	exchange_reply(x, 201, &body);
}

static void list_numbers(struct exchange *x)
{
	struct text body = TEXT_INIT;
	struct page page;
	char key[16] = "";
	int from = 0;
	size_t count = 0;

	if (!page_begin(x, &page))
		return;
	if (page.resumed) { /* it is not terminated */
		snprintf(key, sizeof(key), "%.*s", (int)page.after_length, page.after);
		from = atoi(key) + 1;
	}
	json_object(&body);
	json_key(&body, "items");
	json_array(&body);
	for (; from < 10 && count < page.limit; from++, count++) {
		snprintf(key, sizeof(key), "%d", from);
		json_string(&body, key);
	}
	json_end_array(&body);
	page_end(x, &page, &body, key, strlen(key), from < 10);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

static void post_bytes(struct exchange *x)
{
	struct text body = TEXT_INIT;
	size_t count;

	exchange_body_text(x, &count);
	text_addf(&body, "%zu", count);
	exchange_reply_text(x, 200, "text/plain", &body);
}

/* What its receiver saw: the sum of the bytes, which tells whether all came, and in one piece or
 * in many. */
static struct {
	unsigned long sum;
	int pieces;
} blob;

static void receive_blob(struct exchange *x, const char *bytes, size_t count)
{
	if (!exchange_state(x)) {
		exchange_state_set(x, &blob, free_state);
		blob.sum = 0;
		blob.pieces = 0;
	}
	for (size_t i = 0; i < count; i++)
		blob.sum += (unsigned char)bytes[i] * (exchange_body_passed(x) - count + i + 1);
	if (++blob.pieces == 2 && exchange_query_bool(x, "fails", false))
		exchange_problem(x, PROBLEM_STORAGE_FULL, NULL);
}

static void put_blob(struct exchange *x)
{
	struct text body = TEXT_INIT;

	text_addf(&body, "%llu bytes, sum %lu, %s", (unsigned long long)exchange_body_passed(x),
		blob.sum, blob.pieces > 1 ? "pieces" : "piece");
	exchange_reply_text(x, 200, "text/plain", &body);
}

/* Its path is the key. */
static void get_blob(struct exchange *x)
{
	int fd = open(exchange_path(x, "key"), O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);

	cr_assert_geq(lseek(fd, 0, SEEK_SET), 0);
	exchange_header_set(x, "ETag", "\"blob\"");
	exchange_reply_file(x, 200, "application/octet-stream", fd, (uint64_t)size);
}

static void get_nothing(struct exchange *x)
{
	(void)x;
}

static void get_owned(struct exchange *x)
{
	json_key(exchange_extra(x), "owner");
	json_string(exchange_extra(x), "n2");
	exchange_fault(x, "/a", "odd", "is %d", 3);
	exchange_problem(x, PROBLEM_ALREADY_REGISTERED, "by '%s'", "web");
}

static enum err is_covered(void *service, const char *dots, bool *ret_covered)
{
	(void)service;
	if (!strchr(dots, ':'))
		return ERR_MALFORMED;
	*ret_covered = strcmp(dots, served.dots) == 0;
	return ERR_OK;
}

static const struct binding served_bindings[] = {
	{"postWake", post_wake},
	{"postCommit", post_commit},
	{"postDots", post_dots},
	{"postPresent", post_present},
	{"getWait", get_wait},
	{"putDurable", put_durable},
	{"getValue", get_value},
	{"postBump", post_bump},
	{"getEntry", get_entry},
	{"putEntry", put_entry},
	{"listNumbers", list_numbers},
	{"postBytes", post_bytes},
	{"putBlob", put_blob},
	{"getBlob", get_blob},
	{"getNothing", get_nothing},
	{"getOwned", get_owned},
	{"getOpen", get_owned},
	{"postPeer", post_bytes},
	{NULL, NULL},
};

static const struct receiver served_receiver[] = {{"putBlob", receive_blob}, {NULL, NULL}};
static const struct receiver *const served_receivers[] = {served_receiver, NULL};

static int served_turn(void *data)
{
	int ms = http_turn(served.http);

	(void)data;
	if (__atomic_load_n(&served.stop, __ATOMIC_ACQUIRE))
		loop_stop(served.loop);
	return ms < 0 || ms > 20 ? 20 : ms;
}

static void *served_run(void *data)
{
	(void)data;
	loop_run(served.loop, served_turn, NULL);
	http_stop(served.http);
	return NULL;
}

static int served_listen(int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	cr_assert_eq(listen(fd, 128), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void served_start(const char *token, const char *secret)
{
	static const char *const hosts[] = {"127.0.0.1", "n1.example", "::1", NULL};
	static const struct binding *const tables[] = {served_bindings, NULL};
	static struct http_document documents[3];
	struct http_config c = {.node_name = "n1",
		.hosts = hosts,
		.token = token,
		.secret = secret,
		.tables = tables,
		.receivers = served_receivers,
		.documents = documents,
		.covered = is_covered};
	char why[HTTP_WHY_BYTES];

	memset(&served, 0, sizeof(served));
	documents[0] =
		(struct http_document){.yaml = served_users, .length = sizeof(served_users) - 1};
	documents[1] = (struct http_document){
		.yaml = served_peers, .length = sizeof(served_peers) - 1, .peers = true};
	cr_assert_eq(loop_new(&served.loop), ERR_OK);
	c.loop = served.loop;
	c.listen_fd = served_listen(&served.port);
	cr_assert_eq(http_start(&c, &served.http, why), ERR_OK, "%s", why);
	pthread_create(&served.thread, NULL, served_run, NULL);
}

static inline void served_setup(void)
{
	served_start(NULL, NULL);
}

static inline void served_stop(void)
{
	__atomic_store_n(&served.stop, true, __ATOMIC_RELEASE);
	pthread_join(served.thread, NULL);
	loop_free(served.loop);
}

/* ---- the client ---- */

struct answer {
	int status;
	char bytes[70000]; /* head and body */
	const char *body;
	bool closed;
};

static int served_connect(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)served.port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 10};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		count -= (size_t)n;
	}
}

/* Reads one answer; `head` is true for HEAD, whose answer has no body. */
static struct answer *receive(int fd, bool head)
{
	static struct answer a;
	size_t used = 0, want = sizeof(a.bytes) - 1;
	const char *length;

	memset(&a, 0, sizeof(a));
	while (used < want) {
		ssize_t n = recv(fd, a.bytes + used, want - used, 0);

		a.closed = n == 0;
		if (n <= 0)
			break;
		used += (size_t)n;
		a.bytes[used] = '\0';
		a.body = strstr(a.bytes, "\r\n\r\n");
		if (!a.body || want != sizeof(a.bytes) - 1)
			continue;
		a.body += 4;
		length = strcasestr(a.bytes, "\r\nContent-Length:");
		want = (size_t)(a.body - a.bytes);
		want += length && length < a.body && !head ? (size_t)atol(length + 17) : 0;
	}
	a.body = strstr(a.bytes, "\r\n\r\n");
	a.body = a.body ? a.body + 4 : "";
	if (strncmp(a.bytes, "HTTP/1.1 ", 9) == 0)
		a.status = atoi(a.bytes + 9);
	return &a;
}

/* One request on a connection: "GET /path", more headers (each with its CRLF), a body or NULL. */
static void send_request(int fd, const char *what, const char *headers, const char *body)
{
	static char head[20000];
	int n = snprintf(
		head, sizeof(head), "%s HTTP/1.1\r\nHost: 127.0.0.1:1\r\n%s", what, headers);

	if (body)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n",
			strlen(body));
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	send_all(fd, head, (size_t)n);
	if (body)
		send_all(fd, body, strlen(body));
}

static inline struct answer *ask(const char *what, const char *headers, const char *body)
{
	int fd = served_connect();
	struct answer *a;

	send_request(fd, what, headers, body);
	a = receive(fd, strncmp(what, "HEAD", 4) == 0);
	close(fd);
	return a;
}

static inline bool says(const struct answer *a, const char *text)
{
	return strcasestr(a->bytes, text) != NULL;
}

/* Until `http_parked` is so many: asked of the server, which is not told to hurry. */
static inline void wait_parked(size_t count)
{
	for (int i = 0; i < 5000; i++) {
		if (http_parked(served.http) == count)
			return;
		usleep(1000);
	}
	cr_assert_fail("never %zu parked requests", count);
}

/* Until no exchange is left, so that what they free is freed. */
static inline void wait_idle(void)
{
	for (int i = 0; i < 5000; i++) {
		if (http_busy(served.http) == 0)
			return;
		usleep(1000);
	}
	cr_assert_fail("requests are never over");
}

#endif

#include "tests/lib/owner.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES 65536
#define PIECE 16384
#define ECHO_BYTES_MAX (64u << 20)

static const char *dir;

struct request {
	int fd;
	char head[HEAD_BYTES]; /* with its empty line, and what came behind it */
	size_t used, body_at;
	char path[256];
	bool chunked;
	uint64_t length; /* of the body that is left, or of the chunk */
	char *kept;      /* NULL unless the body is kept */
	uint64_t count, sum;
};

static const char *at(const char *name)
{
	static __thread char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void add_to(const char *name, const char *text, int flags)
{
	int fd = open(at(name), O_CREAT | O_WRONLY | O_CLOEXEC | flags, 0600);

	if (write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* False: the other side has gone. */
static bool say(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t put = send(fd, bytes, count, MSG_NOSIGNAL);

		if (put <= 0)
			return false;
		bytes += put;
		count -= (size_t)put;
	}
	return true;
}

static void answer(int fd, const char *status, const char *headers, const char *body, size_t count)
{
	char head[HEAD_BYTES];
	int bytes = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n",
		status, count, headers);

	if (say(fd, head, (size_t)bytes))
		say(fd, body, count);
}

/* ---- the request ---- */

static bool more(struct request *r)
{
	ssize_t got = recv(r->fd, r->head + r->used, sizeof r->head - 1 - r->used, 0);

	if (got <= 0)
		return false;
	r->used += (size_t)got;
	r->head[r->used] = '\0';
	return true;
}

static bool read_head(struct request *r)
{
	char *end, *found;

	while (!(end = strstr(r->head, "\r\n\r\n")))
		if (!more(r))
			return false;
	r->body_at = (size_t)(end - r->head) + 4;
	if (sscanf(r->head, "%*s %255[^? ]", r->path) != 1)
		return false;
	found = strcasestr(r->head, "\r\nContent-Length:");
	r->length = found && found < end ? strtoull(found + 17, NULL, 10) : 0;
	found = strcasestr(r->head, "\r\nTransfer-Encoding: chunked");
	r->chunked = found && found < end;
	return true;
}

/* What is there of the body, at least one byte; 0: the other side has gone. */
static size_t take(struct request *r, char *bytes, size_t size)
{
	size_t there = r->used - r->body_at;
	ssize_t got;

	if (there > 0) {
		size = size < there ? size : there;
		memcpy(bytes, r->head + r->body_at, size);
		r->body_at += size;
		return size;
	}
	got = recv(r->fd, bytes, size, 0);
	return got > 0 ? (size_t)got : 0;
}

static bool take_bytes(struct request *r, uint64_t count)
{
	char bytes[PIECE];

	while (count > 0) {
		size_t got = take(r, bytes, count < sizeof bytes ? (size_t)count : sizeof bytes);

		if (got == 0)
			return false;
		if (r->kept && r->count + got <= ECHO_BYTES_MAX)
			memcpy(r->kept + r->count, bytes, got);
		for (size_t i = 0; i < got; i++)
			r->sum = owner_sum(r->sum, (unsigned char)bytes[i]);
		r->count += got;
		count -= got;
	}
	return true;
}

static bool take_line(struct request *r, char line[64])
{
	size_t used = 0;

	while (used < 63 && take(r, line + used, 1) == 1)
		if (line[used++] == '\n') {
			line[used] = '\0';
			return true;
		}
	return false;
}

static bool take_body(struct request *r)
{
	char line[64];

	if (!r->chunked)
		return take_bytes(r, r->length);
	while (take_line(r, line)) {
		uint64_t count = strtoull(line, NULL, 16);

		if (count == 0)
			return take_line(r, line);
		if (!take_bytes(r, count) || !take_line(r, line))
			return false;
	}
	return false;
}

/* ---- what it does ---- */

static void until_left(const struct request *r)
{
	char byte;

	while (recv(r->fd, &byte, 1, 0) > 0)
		;
	add_to("left", "x", 0);
}

static bool give(const struct request *r, uint64_t count, bool chunked)
{
	char bytes[PIECE], line[64];

	for (uint64_t out = 0; out < count;) {
		size_t n = count - out < PIECE ? (size_t)(count - out) : PIECE;

		for (size_t i = 0; i < n; i++)
			bytes[i] = owner_byte(out + i);
		snprintf(line, sizeof line, "%zx\r\n", n);
		if ((chunked && !say(r->fd, line, strlen(line))) || !say(r->fd, bytes, n) ||
			(chunked && !say(r->fd, "\r\n", 2)))
			return false;
		out += n;
		snprintf(line, sizeof line, "%020llu", (unsigned long long)out);
		add_to("sent", line, 0);
	}
	return true;
}

static void give_big(const struct request *r, uint64_t count, bool chunked, uint64_t says)
{
	char head[128];

	if (chunked)
		snprintf(
			head, sizeof head, "HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n");
	else
		snprintf(head, sizeof head, "HTTP/1.1 200 ok\r\nContent-Length: %llu\r\n\r\n",
			(unsigned long long)says);
	if (say(r->fd, head, strlen(head)) && give(r, count, chunked) && chunked && says == count)
		say(r->fd, "0\r\n\r\n", 5);
}

/* "Content-Length: 0" and an end, and X-Fill with the rest. */
static void give_heads(const struct request *r, size_t count)
{
	char headers[HEAD_BYTES / 2];
	size_t others = strlen("Content-Length: 0") + 1 + strlen("X-Fill: ") + 1;

	strcpy(headers, "X-Fill: ");
	memset(headers + 8, 'f', count - others);
	strcpy(headers + 8 + count - others, "\r\n");
	answer(r->fd, "200 ok", headers, "", 0);
}

static void give_count(const struct request *r)
{
	char text[64];

	snprintf(text, sizeof text, "%llu %016llx", (unsigned long long)r->count,
		(unsigned long long)r->sum);
	answer(r->fd, "200 ok", "", text, strlen(text));
}

static void give_status(const struct request *r, const char *number)
{
	char status[32];

	snprintf(status, sizeof status, "%s x", number);
	answer(r->fd, status, "Content-Type: application/problem+json\r\n",
		"{\"code\":\"key-not-found\"}", 24);
}

static bool is(const struct request *r, const char *name, unsigned long long *ret)
{
	size_t bytes = strlen(name);

	if (strncmp(r->path, name, bytes) != 0 || (r->path[bytes] && r->path[bytes] != '/'))
		return false;
	*ret = r->path[bytes] ? strtoull(r->path + bytes + 1, NULL, 10) : 0;
	return true;
}

static void act_before_body(struct request *r)
{
	unsigned long long n;

	if (is(r, "/echo", &n))
		r->kept = malloc(ECHO_BYTES_MAX);
	while (is(r, "/take", &n) && access(at("go"), F_OK) != 0)
		usleep(5000);
	if (is(r, "/stall", &n))
		add_to("stalled", "x", O_APPEND);
}

static void act(struct request *r)
{
	size_t head = (size_t)(strstr(r->head, "\r\n\r\n") - r->head) + 4;
	unsigned long long n;

	if (is(r, "/echo", &n))
		answer(r->fd, "200 ok", "", r->kept, r->count);
	else if (is(r, "/count", &n) || is(r, "/take", &n))
		give_count(r);
	else if (is(r, "/hit", &n))
		add_to("hits", "x\n", O_APPEND), answer(r->fd, "201 made", "", "ok", 2);
	else if (is(r, "/big", &n))
		give_big(r, n, false, n);
	else if (is(r, "/chunked", &n))
		give_big(r, n, true, n);
	else if (is(r, "/half", &n))
		give_big(r, n, false, 2 * n), until_left(r);
	else if (is(r, "/torn", &n))
		give_big(r, n, true, n + 1), until_left(r);
	else if (is(r, "/stall", &n))
		until_left(r);
	else if (is(r, "/heads", &n))
		give_heads(r, n);
	else if (is(r, "/hop", &n))
		answer(r->fd, "302 there",
			"Connection: X-Back, keep-alive\r\nX-Back: 1\r\nKeep-Alive: 5\r\n"
			"Horde-Dispatched: nowhere\r\nhorde-secret: 1\r\nAuthorization: a\r\n"
			"Location: http://127.0.0.1:1/hit\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
			"X-Kept: 1\r\n",
			"", 0);
	else if (is(r, "/status", &n))
		give_status(r, r->path + strlen("/status/"));
	else
		answer(r->fd, "200 ok", "", r->head, head);
}

static void *serve_one(void *data)
{
	struct request *r = calloc(1, sizeof *r);
	unsigned long long n;

	if (!r)
		abort();
	r->fd = (int)(intptr_t)data;
	if (read_head(r) && is(r, "/early", &n)) {
		answer(r->fd, "413 large", "Connection: close\r\n", "no", 2);
		until_left(r);
	} else if (r->body_at) {
		act_before_body(r);
		if (take_body(r))
			act(r);
		else
			add_to("left", "x", 0);
	}
	close(r->fd);
	free(r->kept);
	free(r);
	return NULL;
}

void owner_serve(int port, const char *files)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in here = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	pthread_attr_t small;

	dir = files;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || listen(fd, 512) < 0)
		_exit(70);
	pthread_attr_init(&small);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&small, 512 * 1024);
	for (;;) {
		int one = accept(fd, NULL, NULL);
		pthread_t thread;

		if (one >= 0 &&
			pthread_create(&thread, &small, serve_one, (void *)(intptr_t)one) != 0)
			close(one);
	}
}

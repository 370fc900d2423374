#include "tests/lib/crowd.h"

#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, PIECE_BYTES = 65536 };

struct one {
	int fd; /* -1: it has hung up */
	int status;
	char *answer;
	size_t used;
};

struct crowd {
	int epoll;
	int count;
	int64_t last_ns;
	struct one ones[];
};

static void raise_open_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int join(int port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0,
		"connect to %d: %s", port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

struct crowd *crowd_open(int port, int count)
{
	struct crowd *c = calloc(1, sizeof *c + (size_t)count * sizeof c->ones[0]);

	raise_open_files();
	CHECK(c && (c->epoll = epoll_create1(EPOLL_CLOEXEC)) >= 0, "out of memory");
	c->count = count;
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &c->ones[i]};

		c->ones[i].fd = join(port);
		CHECK(epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->ones[i].fd, &event) == 0, "epoll_ctl");
	}
	return c;
}

void crowd_hang_up(struct crowd *c, int index)
{
	struct one *one = &c->ones[index];

	if (one->fd >= 0)
		close(one->fd);
	one->fd = -1;
}

void crowd_close(struct crowd *c)
{
	for (int i = 0; c && i < c->count; i++) {
		crowd_hang_up(c, i);
		free(c->ones[i].answer);
	}
	if (c)
		close(c->epoll);
	free(c);
}

void crowd_get(struct crowd *c, int index, const char *path)
{
	struct one *one = &c->ones[index];
	char request[2048];
	int bytes = snprintf(
		request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);

	one->status = 0;
	one->used = 0;
	CHECK(send(one->fd, request, (size_t)bytes, MSG_NOSIGNAL) == bytes, "send: %s",
		strerror(errno));
}

/* Is all of it there? */
static bool is_whole(struct one *one)
{
	const char *body = strstr(one->answer, "\r\n\r\n"), *length;

	length = body ? strcasestr(one->answer, "\r\nContent-Length:") : NULL;
	if (!body || (length && length < body &&
			     (size_t)(body + 4 - one->answer) + strtoul(length + 17, NULL, 10) >
				     one->used))
		return false;
	one->status = atoi(one->answer + strlen("HTTP/1.1 "));
	return true;
}

static bool take(struct one *one)
{
	static char piece[PIECE_BYTES];
	ssize_t got = recv(one->fd, piece, sizeof piece, 0);
	char *grown;

	CHECK(got > 0, "a connection of the crowd has ended: %s", got ? strerror(errno) : "closed");
	grown = realloc(one->answer, one->used + (size_t)got + 1);
	CHECK(grown, "out of memory");
	memcpy(grown + one->used, piece, (size_t)got);
	one->answer = grown;
	one->used += (size_t)got;
	one->answer[one->used] = '\0';
	return is_whole(one);
}

int crowd_collect(struct crowd *c, int count, long ms)
{
	int64_t end_ms = check_now_ms() + ms;
	int answered = 0;

	while (answered < count) {
		struct epoll_event events[EVENTS];
		int64_t left = end_ms - check_now_ms();
		int ready = epoll_wait(c->epoll, events, EVENTS, left > 0 ? (int)left : 0);

		for (int i = 0; i < ready; i++)
			answered += take(events[i].data.ptr);
		if (ready > 0)
			c->last_ns = check_now_ns();
		else if (left <= 0)
			break;
	}
	return answered;
}

int64_t crowd_last_ns(const struct crowd *c)
{
	return c->last_ns;
}

int crowd_status(const struct crowd *c, int index)
{
	return c->ones[index].status;
}

const char *crowd_answer(const struct crowd *c, int index)
{
	return c->ones[index].answer;
}

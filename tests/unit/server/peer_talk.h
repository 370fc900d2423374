/*
 * Peers as a client, and the other side of the line: a scripted server on the same loop, so nothing
 * here waits in vain. Set `answer`, send a request, and look at `got`, the event it ended with.
 */
#ifndef HORDE_TESTS_PEER_TALK_H
#define HORDE_TESTS_PEER_TALK_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/wire.h"
#include "server/peers.h"

#define PATIENCE_MS 20000
#define REQUEST_BYTES_MAX 65536
#define CONNECTIONS_MAX 64

/* ---- the server: every connection gets the present answer once its request is complete ---- */

struct connection {
	struct loop_io io;
	char request[REQUEST_BYTES_MAX];
	size_t used;
};

static struct loop *loop;
static struct loop_io listener;
static struct connection *connections[CONNECTIONS_MAX];
static int connection_count;
static char url[64];
static struct text answer; /* empty: keep silent */
static bool hang_up;       /* close after the answer, or instead of it */
static char last[REQUEST_BYTES_MAX + 1];
static int requests;

static inline bool is_complete(const struct connection *c)
{
	const char *end = memmem(c->request, c->used, "\r\n\r\n", 4);
	const char *length = memmem(c->request, c->used, "Content-Length: ", 16);

	return end && length &&
	       c->used >= (size_t)(end + 4 - c->request) + strtoul(length + 16, NULL, 10);
}

static inline void on_request(void *data, uint32_t events)
{
	struct connection *c = data;
	ssize_t got = read(c->io.fd, c->request + c->used, REQUEST_BYTES_MAX - c->used);

	(void)events;
	if (got <= 0) {
		loop_unwatch(loop, &c->io);
		close(c->io.fd);
		return;
	}
	c->used += (size_t)got;
	if (!is_complete(c))
		return;
	requests++;
	memcpy(last, c->request, c->used);
	last[c->used] = '\0';
	c->used = 0;
	if (answer.used > 0)
		cr_assert_eq(write(c->io.fd, answer.bytes, answer.used), (ssize_t)answer.used);
	if (hang_up) {
		loop_unwatch(loop, &c->io);
		close(c->io.fd);
	}
	loop_stop(loop);
}

static inline void on_connection(void *data, uint32_t events)
{
	struct connection *c = calloc(1, sizeof *c);
	int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)data;
	(void)events;
	cr_assert(c && fd >= 0 && connection_count < CONNECTIONS_MAX);
	connections[connection_count++] = c;
	cr_assert_eq(loop_watch(loop, &c->io, fd, EPOLLIN, on_request, c), ERR_OK);
}

static inline int listen_somewhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (void *)&a, sizeof a) == 0 && listen(fd, 16) == 0);
	cr_assert_eq(getsockname(fd, (void *)&a, &bytes), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

/* ---- the client ---- */

static struct peers *peers;
static struct loop_timer guard;
static struct event got; /* the last event, its pointers are gone */
static struct hello got_hello;
static enum fragment_mode got_mode;
static int events_seen;
static uint64_t ended_ticket;
static struct hello self = {.cluster = "horde",
	.name = "me",
	.url = "http://127.0.0.1:1",
	.node_id = {1, 2},
	.incarnation = {3, 4},
	.protocol_min = PROTOCOL_VERSION,
	.protocol_max = PROTOCOL_VERSION,
	.started = 5,
	.clock = 6};
static struct vector nothing;

static inline void on_event(void *data, struct event *e)
{
	(void)data;
	got = *e;
	if (e->kind == EVENT_HELLO_ANSWERED)
		got_hello = *e->hello;
	if (e->kind == EVENT_FRAGMENT)
		got_mode = e->fragment->mode;
	events_seen++;
	loop_stop(loop);
}

static inline void on_call_ended(void *data, uint64_t ticket)
{
	(void)data;
	ended_ticket = ticket;
	loop_stop(loop);
}

static inline void on_guard(void *data)
{
	(void)data;
	cr_assert_fail("nothing happened in %d ms", PATIENCE_MS);
}

static inline int turn(void *data)
{
	(void)data;
	peers_turn(peers);
	return -1;
}

static inline void until_event(void)
{
	int before = events_seen;

	loop_timer_set(loop, &guard, loop_clock_ms() + PATIENCE_MS, on_guard, NULL);
	while (events_seen == before)
		loop_run(loop, turn, NULL);
}

static inline void until_request(int count)
{
	loop_timer_set(loop, &guard, loop_clock_ms() + PATIENCE_MS, on_guard, NULL);
	while (requests < count)
		loop_run(loop, turn, NULL);
}

static inline const struct vector *no_retired(void *data, uint64_t *ret_hash)
{
	(void)data;
	*ret_hash = 0;
	return &nothing;
}

static inline void make_peers(const char *secret)
{
	struct peers_config c = {.loop = loop,
		.secret = secret,
		.event = on_event,
		.call_ended = on_call_ended,
		.retired = no_retired};

	cr_assert_eq(peers_new(&c, &peers), ERR_OK);
}

static inline void setup(void)
{
	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(loop_watch(loop, &listener, listen_somewhere(), EPOLLIN, on_connection, NULL),
		ERR_OK);
	make_peers(NULL);
}

static inline void teardown(void)
{
	peers_free(peers);
	for (int i = 0; i < connection_count; i++) {
		if (connections[i]->io.watched)
			close(connections[i]->io.fd);
		loop_unwatch(loop, &connections[i]->io);
		free(connections[i]);
	}
	close(listener.fd);
	loop_unwatch(loop, &listener);
	loop_timer_cancel(loop, &guard);
	loop_free(loop);
	text_fini(&answer);
}

static inline void answers(const char *status, const char *body, size_t bytes)
{
	text_clear(&answer);
	text_addf(&answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, bytes);
	text_add(&answer, body, bytes);
}

static inline void answers_text(const char *status, const char *body)
{
	answers(status, body, strlen(body));
}

#define HELLO                                                                                      \
	"{\"cluster\":\"horde\",\"cluster_id\":\"none\","                                          \
	"\"node_id\":\"0000000000000007000000000000000a\",\"name\":\"n2\","                        \
	"\"incarnation\":\"0000000000000008000000000000000b\",\"url\":\"http://127.0.0.1:9\","     \
	"\"protocol_min\":2,\"protocol_max\":2,\"started\":114087288832000000,\"clk\":7,"          \
	"\"virgin\":true}"

static inline void answers_tick(void)
{
	struct fragment tick = {.mode = FRAGMENT_TICK, .from = {9, 9}};
	struct text body = TEXT_INIT;

	wire_write(&tick, &(struct wire_sender){.after = NULL}, &body);
	cr_assert(text_ok(&body));
	answers("200 OK", body.bytes, body.used);
	text_fini(&body);
}

static inline void hello_gives(enum event_kind kind, const char *what)
{
	peers_hello(peers, 7, url, &self);
	until_event();
	cr_assert_eq(got.kind, kind, "%s gave %d", what, got.kind);
	cr_assert_eq(got.link, 7);
}

static inline void poll_link(const struct vector *after, const struct vector *ack, int64_t wait_ms)
{
	struct poll p = {.all = true, .after = *after};

	peers_poll(peers, 7, url, &self,
		&(struct peers_ask){.poll = &p, .ack = ack, .wait_ms = wait_ms});
}

static inline void poll_gives(enum event_kind kind, const char *what)
{
	poll_link(&nothing, &nothing, 25000);
	until_event();
	cr_assert_eq(got.kind, kind, "%s gave %d", what, got.kind);
	cr_assert_eq(got.link, 7);
}

#endif

/*
 * Both sides of the line between two nodes, the real ones, on one loop: a server of peer.yaml over
 * a core, and the client, with a map of its own. Nothing happens between turns, so a test can
 * change the server's map in the middle of an answer.
 */
#ifndef HORDE_TESTS_PEER_PAIR_H
#define HORDE_TESTS_PEER_PAIR_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/document.h"
#include "api/peer.h"
#include "api/peer_poll.h"
#include "api/service.h"
#include "server/peers.h"

#define PATIENCE_MS 60000
#define KEY 42 /* of the digests; both maps have it */

static struct loop *loop;
static struct loop_timer guard;
static char url[64];
static int port;
static size_t turns;

/* ---- the server ---- */

static struct horde *server;
static struct map *there; /* its map */
static struct http *http;
static struct service service;
static struct actions actions;

static inline enum err command(void *node, struct event *e, struct command_result *ret)
{
	(void)node;
	(void)ret;
	e->now_ms = loop_now_ms(loop);
	e->wall_ms = loop_wall_ms();
	actions_clear(&actions);
	return horde_step(server, e, &actions);
}

static inline enum err open_stream(void *node, const struct vector *after,
	const struct block_sums *sums, struct stream **ret_stream)
{
	(void)node;
	return stream_new(there, after, sums, ret_stream);
}

static inline int listen_somewhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (void *)&a, sizeof a) == 0 && listen(fd, 64) == 0);
	cr_assert_eq(getsockname(fd, (void *)&a, &bytes), 0);
	port = ntohs(a.sin_port);
	snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
	return fd;
}

static inline void make_server(void)
{
	struct horde_config c = {.node_id = {1, 1},
		.incarnation = {1, 2},
		.new_cluster_id = {1, 3},
		.name = "n1",
		.url = "http://127.0.0.1:1",
		.cluster = "horde",
		.kill_log_max = 1000000,
		.kill_log_age_ms = 1000000};
	struct event start = {.kind = EVENT_START};

	cr_assert_eq(horde_new(&c, &server), ERR_OK);
	there = horde_map_mutable(server);
	service = (struct service){.horde = server, .command = command, .stream = open_stream};
	cr_assert_eq(command(NULL, &start, NULL), ERR_OK);
	map_rekey(there, KEY);
}

static inline void serve(void)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	static const struct binding *const tables[] = {peer_bindings, NULL};
	static struct http_document documents[2];
	struct http_config c = {.loop = loop,
		.listen_fd = listen_somewhere(),
		.node_name = "n1",
		.hosts = hosts,
		.service = &service,
		.tables = tables,
		.documents = documents};
	char why[HTTP_WHY_BYTES];

	documents[0] = (struct http_document){document_peer, document_peer_length(), true};
	cr_assert_eq(http_start(&c, &http, why), ERR_OK, "%s", why);
}

/* ---- the client ---- */

static struct peers *peers;
static struct map *here;       /* its map */
static struct event got;       /* the last event; its pointers are gone */
static struct fragment answer; /* the last fragment */
static int events_seen;
static struct vector no_table;
static struct hello self = {.cluster = "horde",
	.name = "n2",
	.url = "http://127.0.0.1:2",
	.node_id = {2, 1},
	.incarnation = {2, 2},
	.cluster_id = {1, 3},
	.protocol_min = PROTOCOL_VERSION,
	.protocol_max = PROTOCOL_VERSION};
#define SERVER_HEX "00000000000000010000000000000002"
#define LINK_NAME "00000000000000020000000000000002-7"

static inline void on_event(void *data, struct event *e)
{
	(void)data;
	got = *e;
	fragment_fini(&answer);
	if (e->kind == EVENT_FRAGMENT) {
		answer = *e->fragment;
		*e->fragment = (struct fragment){0};
	}
	events_seen++;
}

static inline const struct vector *no_retired(void *data, uint64_t *ret_hash)
{
	(void)data;
	*ret_hash = 0;
	return &no_table;
}

/* ---- turns ---- */

static bool (*stop_when)(void);

static inline int turn(void *data)
{
	int sleep_ms;

	(void)data;
	turns++;
	sleep_ms = http_turn(http);
	peers_turn(peers);
	if (!stop_when || stop_when()) {
		loop_stop(loop);
		return 0;
	}
	return sleep_ms;
}

static inline void on_guard(void *data)
{
	(void)data;
	cr_assert_fail("nothing happened in %d ms", PATIENCE_MS);
}

/* One turn, or turns until it is so. */
static inline void run_until(bool (*so)(void))
{
	stop_when = so;
	loop_timer_set(loop, &guard, loop_clock_ms() + PATIENCE_MS, on_guard, NULL);
	loop_run(loop, turn, NULL);
	loop_timer_cancel(loop, &guard);
}

static inline bool has_event(void)
{
	return events_seen > 0;
}

static inline bool is_parked(void)
{
	return http_parked(http) > 0;
}

static inline bool no_streams(void)
{
	return peer_streams() == 0;
}

static inline void until_event(enum event_kind kind)
{
	run_until(has_event);
	events_seen = 0;
	cr_assert_eq(got.kind, kind, "event %d, error %s", got.kind,
		got.kind == EVENT_LINK_REJECTED ? err_text(got.rejected.err) : "");
}

/* ---- what is asked ---- */

static struct vector no_ack;

static inline void send_poll(
	const struct poll *p, const struct block_sums *sums, bool repair, int64_t wait_ms)
{
	struct peers_ask ask = {.poll = p,
		.ack = &no_ack,
		.wait_ms = wait_ms,
		.digest = sums,
		.sums = sums,
		.repair = repair};

	peers_poll(peers, 7, url, &self, &ask);
}

/* All that the client lacks. */
static inline void send_whole(int64_t wait_ms)
{
	send_poll(&(struct poll){.all = true, .after = *map_vector(here)}, NULL, false, wait_ms);
}

static inline void send_sums(bool repair)
{
	struct block_sums sums;

	cr_assert_eq(map_block_sums(here, &sums), ERR_OK);
	send_poll(&(struct poll){.all = true, .after = *map_vector(here)}, &sums, repair, 0);
	block_sums_fini(&sums);
}

static inline void take(void)
{
	struct fragment *f = &answer;
	struct changes c = {0};
	struct origin_id forked;

	cr_assert_eq(map_apply(here, &f, 1, &c, &forked), ERR_OK);
	map_sweep(here);
	changes_fini(&c);
}

static inline void greet(void)
{
	peers_hello(peers, 7, url, &self);
	until_event(EVENT_HELLO_ANSWERED);
}

/* The client knows what the server does, which is some record of itself at least. */
static inline void catch_up(void)
{
	send_whole(0);
	until_event(EVENT_FRAGMENT);
	take();
}

/* ---- maps ---- */

static inline void put(struct map *m, const char *key, const char *value)
{
	struct changes c = {0};

	cr_assert_eq(map_put(m, key, strlen(key), value, strlen(value), NULL, 1, &c), ERR_OK);
	changes_fini(&c);
}

static inline void drop(struct map *m, const char *key)
{
	struct changes c = {0};

	cr_assert_eq(map_remove(m, key, strlen(key), 1, &c), ERR_OK);
	map_sweep(m);
	changes_fini(&c);
}

/* Entries meta/d/00000000 and so on, each with a value of so many bytes. */
static inline void fill(struct map *m, size_t count, size_t value_bytes)
{
	char key[32], *value = malloc(value_bytes + 1);
	uint64_t random = 1;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < value_bytes; k++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			value[k] = (char)('a' + (random >> 33) % 26);
		}
		value[0] = value[value_bytes - 1] = '"';
		value[value_bytes] = '\0';
		snprintf(key, sizeof key, "meta/d/%08zu", i);
		put(m, key, value);
	}
	free(value);
}

static inline void cr_same_maps(void)
{
	cr_assert(vector_equal(map_vector(here), map_vector(there)));
	cr_assert_eq(map_digest(here).sums[0], map_digest(there).sums[0]);
	cr_assert_eq(map_digest(here).sums[1], map_digest(there).sums[1]);
}

static inline void wake_server(void)
{
	http_wake_key(http, "vector", 6);
}

/* ---- a client by hand, for what the real one does not do ---- */

static struct text raw; /* what it has got */
static int raw_fd = -1;
static struct loop_io raw_io;
static bool raw_closed;

static inline void raw_ready(void *data, uint32_t events)
{
	char bytes[65536];
	ssize_t count = read(raw_fd, bytes, sizeof bytes);

	(void)data;
	(void)events;
	if (count > 0) {
		text_add(&raw, bytes, (size_t)count);
	} else if (count == 0 || errno != EAGAIN) {
		raw_closed = true;
		loop_unwatch(loop, &raw_io);
	}
}

/* Sends a request and reads nothing. */
static inline int raw_send(const char *path, const char *headers, const char *body)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
	struct text t = TEXT_INIT;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	cr_assert_eq(connect(fd, (void *)&a, sizeof a), 0);
	text_addf(&t,
		"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%s"
		"Connection: close\r\nContent-Length: %zu\r\n\r\n",
		path, headers, strlen(body));
	text_adds(&t, body);
	cr_assert_eq(write(fd, t.bytes, t.used), (ssize_t)t.used);
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	text_fini(&t);
	return fd;
}

static inline bool raw_done(void)
{
	return raw_closed;
}

/* Sends a request and reads all of the answer, head and body. */
static inline const char *raw_ask(const char *path, const char *headers, const char *body)
{
	text_clear(&raw);
	raw_closed = false;
	raw_fd = raw_send(path, headers, body);
	cr_assert_eq(loop_watch(loop, &raw_io, raw_fd, 1 /* EPOLLIN */, raw_ready, NULL), ERR_OK);
	run_until(raw_done);
	close(raw_fd);
	return text_cstr(&raw);
}

/* ---- life ---- */

static inline void setup(void)
{
	struct peers_config c;

	cr_assert_eq(loop_new(&loop), ERR_OK);
	c = (struct peers_config){.loop = loop, .event = on_event, .retired = no_retired};
	make_server();
	serve();
	cr_assert_eq(peers_new(&c, &peers), ERR_OK);
	cr_assert_eq(map_new((struct origin_id){2, 2}, KEY, &here), ERR_OK);
}

static inline void teardown(void)
{
	fragment_fini(&answer);
	peers_free(peers);
	http_stop(http);
	cr_assert_eq(peer_streams(), 0);
	actions_fini(&actions);
	horde_free(server);
	map_free(here);
	text_fini(&raw);
	loop_free(loop);
}

#endif

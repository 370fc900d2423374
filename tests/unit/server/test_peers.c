/*
 * Peers as a client: each way in which a request can end is one event. The other side is a scripted
 * server on the same loop, so nothing here waits in vain.
 */
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

static bool is_complete(const struct connection *c)
{
	const char *end = memmem(c->request, c->used, "\r\n\r\n", 4);
	const char *length = memmem(c->request, c->used, "Content-Length: ", 16);

	return end && length &&
	       c->used >= (size_t)(end + 4 - c->request) + strtoul(length + 16, NULL, 10);
}

static void on_request(void *data, uint32_t events)
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

static void on_connection(void *data, uint32_t events)
{
	struct connection *c = calloc(1, sizeof *c);
	int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)data;
	(void)events;
	cr_assert(c && fd >= 0 && connection_count < CONNECTIONS_MAX);
	connections[connection_count++] = c;
	cr_assert_eq(loop_watch(loop, &c->io, fd, EPOLLIN, on_request, c), ERR_OK);
}

static int listen_somewhere(void)
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
	.protocol_min = 1,
	.protocol_max = 1,
	.started = 5,
	.clock = 6};
static struct vector nothing;

static void on_event(void *data, struct event *e)
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

static void on_call_ended(void *data, uint64_t ticket)
{
	(void)data;
	ended_ticket = ticket;
	loop_stop(loop);
}

static void on_guard(void *data)
{
	(void)data;
	cr_assert_fail("nothing happened in %d ms", PATIENCE_MS);
}

static int turn(void *data)
{
	(void)data;
	peers_turn(peers);
	return -1;
}

static void until_event(void)
{
	int before = events_seen;

	loop_timer_set(loop, &guard, loop_clock_ms() + PATIENCE_MS, on_guard, NULL);
	while (events_seen == before)
		loop_run(loop, turn, NULL);
}

static void until_request(int count)
{
	loop_timer_set(loop, &guard, loop_clock_ms() + PATIENCE_MS, on_guard, NULL);
	while (requests < count)
		loop_run(loop, turn, NULL);
}

static void make_peers(const char *secret)
{
	struct peers_config c = {
		.loop = loop, .secret = secret, .event = on_event, .call_ended = on_call_ended};

	cr_assert_eq(peers_new(&c, &peers), ERR_OK);
}

static void setup(void)
{
	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(loop_watch(loop, &listener, listen_somewhere(), EPOLLIN, on_connection, NULL),
		ERR_OK);
	make_peers(NULL);
}

static void teardown(void)
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

TestSuite(peers, .init = setup, .fini = teardown, .timeout = 60);

static void answers(const char *status, const char *body, size_t bytes)
{
	text_clear(&answer);
	text_addf(&answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, bytes);
	text_add(&answer, body, bytes);
}

static void answers_text(const char *status, const char *body)
{
	answers(status, body, strlen(body));
}

#define HELLO                                                                                      \
	"{\"cluster\":\"horde\",\"cluster_id\":\"none\","                                          \
	"\"node_id\":\"0000000000000007000000000000000a\",\"name\":\"n2\","                        \
	"\"incarnation\":\"0000000000000008000000000000000b\",\"url\":\"http://127.0.0.1:9\","     \
	"\"protocol_min\":1,\"protocol_max\":1,\"started\":114087288832000000,\"clk\":7,"          \
	"\"virgin\":true}"

static void answers_tick(void)
{
	struct fragment tick = {.mode = FRAGMENT_TICK, .from = {9, 9}};
	struct text body = TEXT_INIT;

	wire_write(&tick, "n2", &body);
	cr_assert(text_ok(&body));
	answers("200 OK", body.bytes, body.used);
	text_fini(&body);
}

static void hello_gives(enum event_kind kind, const char *what)
{
	peers_hello(peers, 7, url, &self);
	until_event();
	cr_assert_eq(got.kind, kind, "%s gave %d", what, got.kind);
	cr_assert_eq(got.link, 7);
}

static void poll_gives(enum event_kind kind, const char *what)
{
	peers_poll(peers, 7, url, &self, &nothing, &nothing, 25000);
	until_event();
	cr_assert_eq(got.kind, kind, "%s gave %d", what, got.kind);
	cr_assert_eq(got.link, 7);
}

/* ---- what a hello can meet ---- */

Test(peers, hello_that_is_answered_tells_who_it_is)
{
	answers_text("200 OK", HELLO);
	hello_gives(EVENT_HELLO_ANSWERED, "hello");
	cr_assert_str_eq(got_hello.name, "n2");
	cr_assert_eq(got_hello.node_id.hi, 7);
	cr_assert_eq(got_hello.incarnation.lo, 11);
	cr_assert(origin_is_zero(got_hello.cluster_id));
	cr_assert(got_hello.virgin);
	cr_assert_eq(got_hello.started, 114087288832000000u);
	cr_assert(strstr(last, "POST /peer/v1/hello HTTP/1.1\r\n"));
	cr_assert(strstr(last, "\"node_id\":\"00000000000000010000000000000002\""));
	cr_assert(strstr(last, "\"cluster_id\":\"none\""));
	cr_assert_null(strstr(last, "Expect"));
	cr_assert_null(strstr(last, "Authorization"));
}

Test(peers, secret_is_shown_in_every_request)
{
	peers_free(peers);
	make_peers("s3cret-s3cret");
	answers_text("200 OK", HELLO);
	hello_gives(EVENT_HELLO_ANSWERED, "hello");
	cr_assert(strstr(last, "\r\nAuthorization: Bearer s3cret-s3cret\r\n"));
	answers_tick();
	poll_gives(EVENT_FRAGMENT, "poll");
	cr_assert(strstr(last, "\r\nAuthorization: Bearer s3cret-s3cret\r\n"));
}

Test(peers, closed_port_is_refused)
{
	loop_unwatch(loop, &listener);
	close(listener.fd);
	hello_gives(EVENT_LINK_REFUSED, "closed port");
	poll_gives(EVENT_LINK_REFUSED, "closed port");
	listener.fd = dup(0);
}

Test(peers, server_that_says_nothing_is_silent)
{
	int64_t begun_ms = loop_clock_ms();

	hello_gives(EVENT_LINK_SILENT, "no answer");
	cr_assert_geq(loop_clock_ms() - begun_ms, PEERS_HELLO_MS - 50);
}

Test(peers, nonsense_is_rejected_as_malformed)
{
	static const char *const bodies[] = {
		"", "{", "[]", "{}", "null", "\"x\"", "{\"cluster\":\"horde\"}"};

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		answers_text("200 OK", bodies[i]);
		hello_gives(EVENT_LINK_REJECTED, bodies[i]);
		cr_assert_eq(got.rejected.err, ERR_MALFORMED);
		poll_gives(EVENT_LINK_REJECTED, bodies[i]);
		cr_assert_eq(got.rejected.err, ERR_MALFORMED);
	}
}

Test(peers, server_that_is_no_web_server_is_rejected)
{
	hang_up = true;
	text_adds(&answer, "SSH-2.0-OpenSSH_9.2\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	hello_gives(EVENT_LINK_REJECTED, "ssh");
	cr_assert_eq(got.rejected.err, ERR_MALFORMED);
}

Test(peers, endless_hello_is_cut)
{
	char *body = malloc(PEERS_REPLY_BYTES_MAX + 100);

	memset(body, ' ', PEERS_REPLY_BYTES_MAX + 100);
	memcpy(body, HELLO, strlen(HELLO));
	answers("200 OK", body, PEERS_REPLY_BYTES_MAX + 100);
	free(body);
	hello_gives(EVENT_LINK_REJECTED, "endless");
}

Test(peers, other_protocol_version_is_rejected_as_such)
{
	char body[sizeof HELLO];

	memcpy(body, HELLO, sizeof HELLO);
	memcpy(strstr(body, "\"protocol_min\":1,\"protocol_max\":1"),
		"\"protocol_min\":2,\"protocol_max\":3", 33);
	answers_text("200 OK", body);
	hello_gives(EVENT_LINK_REJECTED, "version 2");
	cr_assert_eq(got.rejected.err, ERR_PROTOCOL);
}

Test(peers, problems_are_told_by_their_code)
{
	static const struct {
		const char *status, *code;
		enum event_kind kind;
		enum err err;
	} rows[] = {
		{"409 Conflict", "cluster-mismatch", EVENT_LINK_REJECTED, ERR_CLUSTER_MISMATCH},
		{"409 Conflict", "name-taken", EVENT_LINK_REJECTED, ERR_NAME_TAKEN},
		{"409 Conflict", "not-a-member", EVENT_LINK_REJECTED, ERR_FORBIDDEN},
		{"403 Forbidden", "forbidden", EVENT_LINK_REJECTED, ERR_FORBIDDEN},
		{"422 Unprocessable", "unsupported", EVENT_LINK_REJECTED, ERR_PROTOCOL},
		{"503 Unavailable", "not-ready", EVENT_LINK_REJECTED, ERR_NOT_READY},
		{"503 Unavailable", "overloaded", EVENT_LINK_REJECTED, ERR_LIMIT},
		{"503 Unavailable", "shutting-down", EVENT_LINK_LOST, ERR_OK},
		{"410 Gone", "unknown-link", EVENT_LINK_LOST, ERR_OK},
		{"418 Teapot", "no-such-code", EVENT_LINK_REJECTED, ERR_MALFORMED},
		{"302 Found\r\nLocation: http://127.0.0.1:1/", "x", EVENT_LINK_REJECTED,
			ERR_MALFORMED},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char body[128];
		snprintf(body, sizeof body, "{\"code\":\"%s\"}", rows[i].code);
		answers_text(rows[i].status, body);
		hello_gives(rows[i].kind, rows[i].code);
		if (got.kind == EVENT_LINK_REJECTED)
			cr_assert_eq(got.rejected.err, rows[i].err, "%s", rows[i].code);
		poll_gives(rows[i].kind, rows[i].code);
	}
}

/* ---- polls ---- */

Test(peers, polls_of_a_link_are_numbered_and_say_what_was_seen)
{
	answers_text("200 OK", HELLO);
	hello_gives(EVENT_HELLO_ANSWERED, "hello");
	answers_tick();
	poll_gives(EVENT_FRAGMENT, "tick");
	cr_assert_eq(got_mode, FRAGMENT_TICK);
	cr_assert(strstr(
		last, "\"link\":\"00000000000000030000000000000004-7\",\"n\":1,\"seen\":0,"));
	cr_assert(strstr(last, "\"wait_ms\":25000"));
	poll_gives(EVENT_FRAGMENT, "tick");
	cr_assert(strstr(last, "\"n\":2,\"seen\":1,"));
	answers_text("200 OK", HELLO);
	hello_gives(EVENT_HELLO_ANSWERED, "hello");
	answers_tick();
	peers_poll(peers, 7, url, &self, &nothing, &nothing, 0);
	until_event();
	cr_assert(strstr(last, "\"n\":3,\"seen\":0,"));
	cr_assert(strstr(last, "\"wait_ms\":0"));
}

Test(peers, poll_says_what_is_known_and_what_is_stored)
{
	struct vector after = VECTOR_INIT, ack = VECTOR_INIT;

	vector_raise(&after, (struct origin_id){0, 1}, 9);
	vector_raise(&ack, (struct origin_id){0, 1}, 8);
	answers_tick();
	peers_poll(peers, 7, url, &self, &after, &ack, 25000);
	until_event();
	cr_assert(strstr(last, "\"after\":[[\"00000000000000000000000000000001\",9]]"));
	cr_assert(strstr(last, "\"ack\":[[\"00000000000000000000000000000001\",8]]"));
	vector_fini(&after);
	vector_fini(&ack);
}

Test(peers, polls_of_a_link_share_one_connection)
{
	answers_tick();
	for (int i = 0; i < 20; i++)
		poll_gives(EVENT_FRAGMENT, "tick");
	cr_assert_eq(connection_count, 1);
	cr_assert_eq(requests, 20);
}

Test(peers, parked_poll_whose_server_goes_is_lost)
{
	peers_poll(peers, 7, url, &self, &nothing, &nothing, 25000);
	until_request(1);
	loop_unwatch(loop, &connections[0]->io);
	close(connections[0]->io.fd);
	until_event();
	cr_assert_eq(got.kind, EVENT_LINK_LOST);
}

Test(peers, body_that_ends_early_is_lost_and_gives_no_fragment)
{
	answers_tick();
	answer.used -= 5;
	hang_up = true;
	poll_gives(EVENT_LINK_LOST, "half a body");
}

Test(peers, altered_body_is_rejected)
{
	answers_tick();
	answer.bytes[answer.used - 20] ^= 1;
	poll_gives(EVENT_LINK_REJECTED, "altered");
}

/* ---- one request a link ---- */

/* The first request gets its answer after all, if somebody still listens for it. */
static void answer_the_first(void)
{
	answers_tick();
	send(connections[0]->io.fd, answer.bytes, answer.used, MSG_NOSIGNAL);
	answers_text("200 OK", HELLO);
}

Test(peers, unlinked_request_gives_no_event)
{
	peers_poll(peers, 7, url, &self, &nothing, &nothing, 25000);
	until_request(1);
	peers_unlink(peers, 7);
	answer_the_first();
	peers_hello(peers, 8, url, &self);
	until_event();
	cr_assert_eq(got.link, 8);
	cr_assert_eq(events_seen, 1);
}

Test(peers, newer_request_of_a_link_replaces_the_older)
{
	peers_poll(peers, 7, url, &self, &nothing, &nothing, 25000);
	until_request(1);
	answer_the_first();
	hello_gives(EVENT_HELLO_ANSWERED, "hello");
	cr_assert_eq(events_seen, 1);
}

Test(peers, too_many_links_are_answered_silent)
{
	for (uint32_t i = 1; i <= PEERS_LINKS_MAX; i++)
		peers_hello(peers, 1000 + i, "bad url", &self);
	for (int i = 0; i < PEERS_LINKS_MAX; i++)
		if (events_seen < PEERS_LINKS_MAX)
			until_event();
	answers_text("200 OK", HELLO);
	hello_gives(EVENT_LINK_SILENT, "one too many");
	peers_unlink(peers, 1001);
	hello_gives(EVENT_HELLO_ANSWERED, "room again");
}

Test(peers, address_that_is_no_url_is_rejected)
{
	snprintf(url, sizeof url, "file:///etc");
	hello_gives(EVENT_LINK_REJECTED, "file:");
}

/* ---- goodbye and calls ---- */

Test(peers, goodbye_is_sent_and_gives_no_event)
{
	text_adds(&answer, "HTTP/1.1 204 No Content\r\n\r\n");
	peers_goodbye(peers, url, &self, GOODBYE_RESTART, 1234);
	cr_assert_eq(peers_goodbyes(peers), 1);
	until_request(1);
	cr_assert(strstr(last, "POST /peer/v1/goodbye HTTP/1.1\r\n"));
	cr_assert(strstr(last, "\"reason\":\"restart\",\"back_within_ms\":1234}"));
	peers_goodbye(peers, url, &self, GOODBYE_LEAVE, 0);
	until_request(2);
	cr_assert(strstr(last, "\"reason\":\"leave\"}"));
	answers_text("200 OK", HELLO);
	while (peers_goodbyes(peers) > 0)
		hello_gives(EVENT_HELLO_ANSWERED, "hello");
}

static enum call_state call_result(uint64_t ticket, unsigned *status, const char **body)
{
	size_t bytes;

	return peers_call_result(peers, ticket, status, body, &bytes);
}

static uint64_t call_until_ended(void)
{
	uint64_t ticket;

	cr_assert_eq(
		peers_call(peers, url, "/peer/v1/call", "{\"a\":1}", 7, 5000, &ticket), ERR_OK);
	loop_timer_set(loop, &guard, loop_clock_ms() + PATIENCE_MS, on_guard, NULL);
	while (ended_ticket != ticket)
		loop_run(loop, turn, NULL);
	return ticket;
}

Test(peers, call_is_answered_whatever_the_status)
{
	const char *body;
	unsigned status;
	uint64_t ticket;

	answers_text("409 Conflict", "{\"code\":\"wrong-state\"}");
	ticket = call_until_ended();
	cr_assert_eq(call_result(ticket, &status, &body), CALL_ANSWERED);
	cr_assert_eq(status, 409);
	cr_assert_eq(strncmp(body, "{\"code\"", 7), 0);
	cr_assert(strstr(last, "\r\n\r\n{\"a\":1}"));
	peers_call_end(peers, ticket);
	cr_assert_eq(call_result(ticket, &status, &body), CALL_FAILED);
}

Test(peers, call_that_is_not_answered_fails)
{
	const char *body;
	unsigned status;
	uint64_t ticket;

	hang_up = true;
	ticket = call_until_ended();
	cr_assert_eq(call_result(ticket, &status, &body), CALL_FAILED);
	peers_call_end(peers, ticket);
}

Test(peers, calls_have_a_limit)
{
	uint64_t tickets[PEERS_CALLS_MAX], one;
	unsigned status;
	const char *body;

	for (int i = 0; i < PEERS_CALLS_MAX; i++)
		cr_assert_eq(peers_call(peers, url, "/x", "", 0, 5000, &tickets[i]), ERR_OK);
	cr_assert_eq(call_result(tickets[0], &status, &body), CALL_PENDING);
	cr_assert_eq(peers_call(peers, url, "/x", "", 0, 5000, &one), ERR_LIMIT);
	peers_call_end(peers, tickets[3]);
	cr_assert_eq(peers_call(peers, url, "/x", "", 0, 5000, &one), ERR_OK);
}

/* Peers as a client: each way in which a hello or a poll can end is one event. */
#include "tests/unit/server/peer_talk.h"

TestSuite(peers, .init = setup, .fini = teardown, .timeout = 60);

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
	memcpy(strstr(body, "\"protocol_min\":2,\"protocol_max\":2"),
		"\"protocol_min\":3,\"protocol_max\":4", 33);
	answers_text("200 OK", body);
	hello_gives(EVENT_LINK_REJECTED, "version 3");
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
	poll_link(&nothing, &nothing, 0);
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
	poll_link(&after, &ack, 25000);
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
	poll_link(&nothing, &nothing, 25000);
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
	poll_link(&nothing, &nothing, 25000);
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
	poll_link(&nothing, &nothing, 25000);
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

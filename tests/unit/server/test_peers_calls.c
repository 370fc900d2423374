/* Peers as a client: goodbyes, which nobody hears of, and calls, which end with their answer. */
#include "tests/unit/server/peer_talk.h"

TestSuite(peers_calls, .init = setup, .fini = teardown, .timeout = 60);

Test(peers_calls, goodbye_is_sent_and_gives_no_event)
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

Test(peers_calls, call_is_answered_whatever_the_status)
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

Test(peers_calls, call_that_is_not_answered_fails)
{
	const char *body;
	unsigned status;
	uint64_t ticket;

	hang_up = true;
	ticket = call_until_ended();
	cr_assert_eq(call_result(ticket, &status, &body), CALL_FAILED);
	peers_call_end(peers, ticket);
}

Test(peers_calls, calls_have_a_limit)
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

/* The long poll and posted block sums, from the client through to the server's core and back. */
#include "tests/unit/server/peer_pair.h"

TestSuite(peer_answers, .init = setup, .fini = teardown, .timeout = 120);

#define REQUEST_AFTER(n, after, more)                                                              \
	"{\"link\":\"" LINK_NAME "\",\"n\":" n ",\"seen\":0,\"after\":[" after                     \
	"],\"ack\":\"=\",\"want\":\"*\","                                                          \
	"\"wait_ms\":" more "}"
#define REQUEST(n, more) REQUEST_AFTER(n, "", more)
/* By a client that knows what the server has at first: the record of itself. */
#define REQUEST_KNOWING(n, more) REQUEST_AFTER(n, "[\"" SERVER_HEX "\",1]", more)

/* ---- parked until there is something ---- */

Test(peer_answers, a_poll_is_answered_at_once_when_there_is_news)
{
	put(there, "meta/d/a", "1");
	greet();
	send_whole(25000);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_FULL);
	take();
	cr_same_maps();
}

Test(peer_answers, a_parked_poll_is_answered_by_the_next_event)
{
	struct poll own = {.after = *map_vector(there)};

	greet();
	send_poll(&own, NULL, false, 25000);
	run_until(is_parked);
	cr_assert_eq(events_seen, 0);
	put(there, "meta/d/a", "1");
	wake_server();
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_SLICE);
	cr_assert_eq(answer.put_count, 1);
	cr_assert_str_eq(answer.puts[0].key, "meta/d/a");
}

Test(peer_answers, a_wait_that_is_over_is_a_tick)
{
	greet();
	catch_up();
	send_whole(1);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_TICK);
	cr_assert(vector_equal(&answer.vector, map_vector(there)));
	cr_assert_gt(answer.clock, 0);
}

Test(peer_answers, a_later_request_of_a_link_ends_the_earlier_one)
{
	int first;

	greet();
	first = raw_send("/peer/v1/deltas", "", REQUEST_KNOWING("5", "25000"));
	run_until(is_parked);
	/* An older one, that was overtaken on its way, is not parked. */
	cr_assert(
		strstr(raw_ask("/peer/v1/deltas", "", REQUEST_KNOWING("4", "25000")), "\"tick\""));
	cr_assert_eq(http_parked(http), 1);
	cr_assert(strstr(raw_ask("/peer/v1/digest", "",
				 "{\"link\":\"" LINK_NAME "\",\"n\":6,\"seen\":0,\"after\":[],"
				 "\"ack\":\"=\",\"want\":\"*\",\"wait_ms\":0,\"blocks\":[]}"),
		"\"full\""));
	cr_assert_eq(http_parked(http), 0);
	close(first);
}

Test(peer_answers, an_unknown_client_has_to_say_hello)
{
	send_whole(0);
	until_event(EVENT_LINK_LOST);
	send_sums(false);
	until_event(EVENT_LINK_LOST);
	cr_assert(strstr(raw_ask("/peer/v1/deltas", "", REQUEST("1", "0")), " 410 "));
}

/* ---- below a floor ---- */

Test(peer_answers, who_is_below_a_floor_posts_its_sums_and_is_told_what_died)
{
	struct changes c = {0};

	greet();
	put(there, "meta/d/a", "1");
	put(there, "meta/d/b", "2");
	catch_up();
	cr_same_maps();
	drop(there, "meta/d/a");
	put(there, "meta/d/c", "3");
	cr_assert_eq(map_truncate(there, map_vector(there), &c), ERR_OK);
	changes_fini(&c);
	send_whole(0);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_NEED);
	send_sums(false);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_FULL);
	cr_assert_eq(answer.check_count, 1);
	cr_assert_gt(answer.floors.used, 0);
	take();
	cr_same_maps();
	cr_assert_null(map_get(here, "meta/d/a", 8));
}

Test(peer_answers, a_repair_brings_what_lives_in_the_blocks_that_differ)
{
	greet();
	put(there, "meta/d/a", "1");
	catch_up();
	/* The same sums are another thing to a map with another key. */
	map_rekey(here, KEY + 1);
	send_sums(true);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.range_count, 0);
	cr_assert_eq(answer.check_count, 1);
	cr_assert_eq(answer.put_count, 2); /* the server's own record is in that block, too */
	send_sums(false);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.put_count, 0);
}

/* ---- the table of retired origins ---- */

Test(peer_answers, vectors_by_another_table_are_answered_with_redo)
{
	const char *a;

	greet();
	a = raw_ask("/peer/v1/deltas", "",
		REQUEST("1", "25000,\"rt\":\"00000000000000aa\",\"compact\":true"));
	cr_assert(strstr(a, " 200 ") && strstr(a, "\"redo\""), "%s", a);
	a = raw_ask("/peer/v1/digest", "",
		REQUEST("2", "0,\"rt\":\"00000000000000aa\",\"compact\":true,\"blocks\":[]"));
	cr_assert(strstr(a, " 200 ") && strstr(a, "\"redo\""), "%s", a);
	/* Without `compact` they are whole, whatever the table is. */
	a = raw_ask("/peer/v1/deltas", "",
		REQUEST_KNOWING("3", "0,\"rt\":\"00000000000000aa\",\"compact\":false"));
	cr_assert(strstr(a, "\"tick\""), "%s", a);
}

/* ---- requests that are none ---- */

Test(peer_answers, a_request_that_is_none_is_refused)
{
	static const struct {
		const char *path, *body, *status;
	} rows[] = {
		{"deltas", "{", " 400 "},
		{"deltas", "{}", " 422 "},
		{"deltas", REQUEST("0", "0"), " 422 "},
		{"deltas", REQUEST("1", "60001"), " 422 "},
		{"deltas", REQUEST("1", "0,\"blocks\":[]"), " 422 "},
		{"deltas", REQUEST("1", "0,\"rt\":\"x\""), " 422 "},
		{"deltas", REQUEST("1", "0,\"own\":[1,2,3]"), " 422 "},
		{"deltas", REQUEST("1", "0,\"own\":[\"1\",\"00000000000000aa\"]"), " 422 "},
		{"digest", REQUEST("1", "0"), " 422 "},
		{"digest", REQUEST("1", "0,\"blocks\":{}"), " 422 "},
		{"digest", REQUEST("1", "0,\"blocks\":[[1,2,3]]"), " 422 "},
		{"digest", REQUEST("1", "0,\"blocks\":[],\"repair\":1"), " 422 "},
	};

	greet();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char path[32];

		snprintf(path, sizeof path, "/peer/v1/%s", rows[i].path);
		cr_assert(strstr(raw_ask(path, "", rows[i].body), rows[i].status), "%s: %s",
			rows[i].body, text_cstr(&raw));
	}
	cr_assert_eq(http_parked(http), 0);
}

/* ---- compression ---- */

static const char *ask_coded(const char *accept)
{
	char header[100];
	const char *a;

	snprintf(header, sizeof header, "%s%s%s", accept ? "Accept-Encoding: " : "",
		accept ? accept : "", accept ? "\r\n" : "");
	a = raw_ask("/peer/v1/deltas", header, REQUEST("1", "0"));
	cr_assert(strstr(a, " 200 "));
	a = strstr(a, "Content-Encoding: ");
	return a ? a + strlen("Content-Encoding: ") : "none";
}

Test(peer_answers, long_answers_are_compressed_as_the_client_likes)
{
	greet();
	fill(there, 3, 50);
	cr_assert(strncmp(ask_coded("zstd"), "none", 4) == 0, "a short one");
	fill(there, 40, 50);
	cr_assert(strncmp(ask_coded("zstd, deflate"), "zstd\r", 5) == 0);
	cr_assert(strncmp(ask_coded("gzip, deflate"), "deflate\r", 8) == 0);
	cr_assert(strncmp(ask_coded("gzip"), "none", 4) == 0);
	cr_assert(strncmp(ask_coded(NULL), "none", 4) == 0);
}

Test(peer_answers, a_compressed_answer_is_counted_as_it_went_over_the_wire)
{
	greet();
	fill(there, 1000, 50);
	send_whole(0);
	until_event(EVENT_FRAGMENT);
	take();
	cr_same_maps();
	/* 1000 entries of random letters, at about 5 bits each, and what stands around them. */
	cr_assert_lt(got.bytes_received, 60000);
	cr_assert_gt(got.bytes_received, 30000);
	cr_assert_gt(got.bytes_sent, 200);
	cr_assert_lt(got.bytes_sent, 1000);
}

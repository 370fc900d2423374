/* Large differences, which are made while they are sent. */
#include "tests/unit/server/peer_pair.h"

TestSuite(peer_streams, .init = setup, .fini = teardown, .timeout = 120);

#define MANY (SERVE_PIECE_ITEMS + 5000)
#define REQUEST_AFTER(after)                                                                       \
	"{\"link\":\"00000000000000020000000000000002-1%zu\",\"n\":1,\"seen\":0,"                  \
	"\"after\":[" after "],\"ack\":\"=\",\"want\":\"*\",\"wait_ms\":0}"

static bool is_streaming(void)
{
	return peer_streams() > 0;
}

static size_t wanted_turns;

static bool turned(void)
{
	return turns >= wanted_turns || events_seen > 0;
}

static void run_turns(size_t count)
{
	wanted_turns = turns + count;
	run_until(turned);
}

Test(peer_streams, a_large_difference_arrives_whole_and_in_many_turns)
{
	size_t before = turns;

	fill(there, MANY, 100);
	drop(there, "meta/d/00000007");
	greet();
	send_whole(0);
	run_until(is_streaming);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_FULL);
	cr_assert_eq(answer.put_count, MANY); /* one is dropped, one is the server's own record */
	take();
	cr_same_maps();
	cr_assert(no_streams());
	/* 3.5 MB of lines, and no more than some pieces of them in any turn. */
	cr_assert_gt(turns - before, 10);
	/* zstd: the letters are random. */
	cr_assert_lt(got.bytes_received, MANY * 90);
}

Test(peer_streams, a_smaller_difference_is_no_stream)
{
	fill(there, 1000, 100);
	greet();
	send_whole(0);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(turns < 30, true, "%zu turns", turns);
	take();
	cr_same_maps();
}

Test(peer_streams, a_few_large_values_are_a_stream_too)
{
	struct poll own = {0};

	fill(there, 12, 1 << 20);
	greet();
	/* Slices are never cut, so one that large is not made. */
	send_poll(&own, NULL, false, 0);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_REDO);
	send_whole(0);
	run_until(is_streaming);
	until_event(EVENT_FRAGMENT);
	take();
	cr_same_maps();
}

Test(peer_streams, what_happens_meanwhile_is_in_it)
{
	fill(there, MANY, 100);
	greet();
	send_whole(0);
	run_until(is_streaming);
	for (int i = 0; events_seen == 0 && i < 1000; i++) {
		char key[32];

		snprintf(key, sizeof key, "meta/d/%08d", i * 25);
		if (i % 3 == 0)
			drop(there, key);
		else
			put(there, i % 3 == 1 ? key : "meta/x", "\"changed\"");
		run_turns(1);
	}
	cr_assert_gt(map_last_dot(there).seq, MANY + 5, "it was over before anything happened");
	until_event(EVENT_FRAGMENT);
	take();
	/* What came after its last piece is not. */
	send_whole(0);
	until_event(EVENT_FRAGMENT);
	if (answer.mode == FRAGMENT_FULL)
		take();
	cr_same_maps();
}

Test(peer_streams, posted_sums_can_be_answered_by_a_stream)
{
	struct changes c = {0};

	greet();
	put(there, "meta/a", "1");
	put(there, "meta/b", "1");
	catch_up();
	drop(there, "meta/a");
	fill(there, MANY, 20);
	cr_assert_eq(map_truncate(there, map_vector(there), &c), ERR_OK);
	changes_fini(&c);
	send_whole(0);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.mode, FRAGMENT_NEED);
	send_sums(false);
	run_until(is_streaming);
	until_event(EVENT_FRAGMENT);
	cr_assert_eq(answer.check_count, 1);
	take();
	cr_same_maps();
	cr_assert_null(map_get(here, "meta/a", 6));
}

Test(peer_streams, a_client_that_turns_away_ends_its_stream)
{
	fill(there, MANY, 1000);
	greet();
	send_whole(0);
	run_until(is_streaming);
	run_turns(2);
	cr_assert(is_streaming());
	peers_unlink(peers, 7);
	run_until(no_streams);
	cr_assert_eq(events_seen, 0);
}

/* A request of the link `i`, of a client that reads by itself, and takes nothing compressed. */
static const char *request_of(const char *form, size_t i)
{
	static char request[sizeof(REQUEST_AFTER("")) + 100];

	snprintf(request, sizeof request, form, i);
	return request;
}

Test(peer_streams, so_many_are_open_at_a_time_and_no_more)
{
	static const char *const path = "/peer/v1/deltas";
	int fds[STREAMS_MAX];

	fill(there, MANY, 1000);
	greet();
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		fds[i] = raw_send(path, "", request_of(REQUEST_AFTER(""), i));
		while (peer_streams() < i + 1)
			run_turns(1);
	}
	cr_assert(strstr(raw_ask(path, "", request_of(REQUEST_AFTER(""), STREAMS_MAX)), " 503 "));
	cr_assert(strstr(text_cstr(&raw), "Retry-After: 1"));
	cr_assert(strstr(text_cstr(&raw), "\"overloaded\""));
	/* A poll that needs no stream is answered all the same. */
	cr_assert(strstr(
		raw_ask(path, "", request_of(REQUEST_AFTER("[\"" SERVER_HEX "\",24000]"), 9)),
		"\"full\""));
	send_whole(0);
	until_event(EVENT_LINK_REJECTED);
	cr_assert_eq(got.rejected.err, ERR_LIMIT);
	for (size_t i = 0; i < STREAMS_MAX; i++)
		close(fds[i]);
	run_until(no_streams);
	catch_up();
	cr_same_maps();
}

/* A floor comes from a third node: kill records that the stream needs are gone. */
static void take_floor(void)
{
	struct fragment f;
	struct fragment *set = &f;
	struct changes c = {0};
	struct origin_id forked;
	struct block_sums sums;
	struct map *third;

	cr_assert_eq(map_new((struct origin_id){3, 3}, KEY, &third), ERR_OK);
	put(third, "meta/x", "1");
	drop(third, "meta/x");
	cr_assert_eq(map_truncate(third, map_vector(third), &c), ERR_OK);
	cr_assert_eq(map_block_sums(there, &sums), ERR_OK);
	cr_assert_eq(map_difference_checked(third, map_vector(there), &sums, false, &f), ERR_OK);
	cr_assert_eq(map_apply(there, &set, 1, &c, &forked), ERR_OK);
	fragment_fini(&f);
	block_sums_fini(&sums);
	changes_fini(&c);
	map_free(third);
}

Test(peer_streams, a_stream_that_cannot_go_on_breaks_off_and_gives_nothing)
{
	fill(there, MANY, 1000);
	greet();
	send_whole(0);
	run_until(is_streaming);
	run_turns(2);
	take_floor();
	until_event(EVENT_LINK_LOST);
	run_until(no_streams);
	/* Asked anew it is whole. */
	catch_up();
	cr_same_maps();
}

Test(peer_streams, a_server_that_stops_ends_its_streams)
{
	int fd;

	fill(there, MANY, 1000);
	greet();
	fd = raw_send("/peer/v1/deltas", "", request_of(REQUEST_AFTER(""), 0));
	run_until(is_streaming);
	http_stop(http);
	http = NULL;
	cr_assert_eq(peer_streams(), 0);
	close(fd);
}

/* When a parked poll is answered, and with what. */
#include "tests/unit/core/failing.h"

#include "tests/unit/core/maps.h"
#include "tests/unit/core/support.h"

#include "server/core/serve.h"

#define NEVER INT64_MAX

static struct node n;
static struct map *m;         /* the node's */
static struct map *elsewhere; /* another node's, of which it hears */
static struct poll poll;
static struct serving serving;

static void setup(void)
{
	n = node_make("n1", 0);
	m = horde_map_mutable(n.h);
	elsewhere = new_map(50);
	poll = (struct poll){0};
	serving = (struct serving){0};
	cr_assert_eq(vector_copy(map_vector(m), &poll.after), ERR_OK);
}

static void teardown(void)
{
	poll_fini(&poll);
	map_free(elsewhere);
	node_free(&n);
}

TestSuite(serve, .init = setup, .fini = teardown);

static void write_some(struct map *map, int count)
{
	for (int i = 0; i < count; i++) {
		char key[32];

		snprintf(key, sizeof(key), "meta/%d", i);
		must_put(map, key, "1", 1);
	}
	map_sweep(map);
}

/* The node hears of `count` events that it has not written itself. */
static void hear(int count)
{
	write_some(elsewhere, count);
	pull(m, elsewhere);
	map_sweep(m);
}

/* The client has asked for what is written elsewhere, too. */
static void want_elsewhere(void)
{
	poll.origins = calloc(1, sizeof(*poll.origins));
	poll.origins[poll.origin_count++] = origin(50);
}

static void knows(struct origin_id origin)
{
	cr_assert_eq(vector_raise(&poll.after, origin, vector_get(map_vector(m), origin)), ERR_OK);
}

static bool due(int64_t now_ms, int64_t *deadline_ms)
{
	*deadline_ms = NEVER;
	return horde_serve_due(n.h, &poll, &serving, now_ms, deadline_ms);
}

/* ---- when ---- */

Test(serve, who_asks_for_all_is_answered_by_the_first_event_of_anybody)
{
	int64_t at;

	poll.all = true;
	cr_assert_not(due(1000, &at));
	cr_assert_eq(at, NEVER);
	hear(1);
	cr_assert(due(1000, &at));
}

Test(serve, a_quiet_link_is_answered_at_once)
{
	int64_t at;

	cr_assert_not(due(1000, &at));
	cr_assert_eq(at, NEVER, "nothing is to come but an event");
	write_some(m, 1);
	cr_assert(due(1000 + SERVE_WINDOW_MIN_MS, &at));
}

Test(serve, a_busy_link_is_answered_once_a_window)
{
	int64_t at;

	write_some(m, 1);
	cr_assert_not(due(1000, &at));
	cr_assert_eq(at, 1000 + SERVE_WINDOW_MIN_MS);
	cr_assert_not(due(1000 + SERVE_WINDOW_MIN_MS - 1, &at));
	cr_assert_eq(at, 1000 + SERVE_WINDOW_MIN_MS, "it is counted from the first look");
	cr_assert(due(1000 + SERVE_WINDOW_MIN_MS, &at));
}

Test(serve, the_end_of_the_wait_is_lowered_and_never_raised)
{
	int64_t at = 1001;

	write_some(m, 1);
	cr_assert_not(horde_serve_due(n.h, &poll, &serving, 1000, &at));
	cr_assert_eq(at, 1001);
}

Test(serve, many_events_end_the_window_early)
{
	int64_t at;

	write_some(m, SERVE_FLUSH_EVENTS - 1);
	cr_assert_not(due(1000, &at));
	write_some(m, 1);
	cr_assert(due(1000, &at));
}

Test(serve, the_window_grows_with_the_cluster_up_to_a_limit)
{
	static const struct {
		int members;
		int64_t window_ms;
	} rows[] = {{1, SERVE_WINDOW_MIN_MS}, {12, 3}, {100, 25}, {256, SERVE_WINDOW_MAX_MS}};
	int members = 1;
	int64_t at;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (; members < rows[i].members; members++) {
			char key[64] = "member/";
			struct record r = member(1, 1000 + (uint64_t)members);

			origin_to_hex(id_of(1000 + (uint64_t)members), key + 7);
			r.member.name = key + 7;
			r.member.url = key;
			put_record(elsewhere, key, r, 1);
		}
		if (members > 1) {
			struct fragment f;
			struct event e = {.kind = EVENT_MERGE, .fragment = &f};

			cr_assert_eq(map_difference(elsewhere, map_vector(m), &f), ERR_OK);
			cr_assert_eq(node_does(&n, &e), ERR_OK);
			fragment_fini(&f);
		}
		cr_assert_eq(horde_member_count(n.h), (size_t)rows[i].members);
		serving = (struct serving){0};
		write_some(m, 1);
		cr_assert_not(due(1000, &at));
		cr_assert_eq(at, 1000 + rows[i].window_ms, "%d members: %" PRId64, members, at);
	}
}

Test(serve, an_origin_that_was_asked_for_counts_as_news)
{
	int64_t at;

	hear(1);
	want_elsewhere();
	cr_assert_not(due(1000, &at));
	cr_assert_eq(at, 1000 + SERVE_WINDOW_MIN_MS);
	cr_assert(due(1000 + SERVE_WINDOW_MIN_MS, &at));
}

Test(serve, what_others_write_is_told_of_in_a_while)
{
	int64_t at;

	hear(1);
	knows(origin(50));
	hear(1);
	cr_assert_not(due(1000, &at));
	cr_assert_eq(at, 1000 + SERVE_RELAY_MS);
	cr_assert_not(due(1000 + SERVE_RELAY_MS - 1, &at));
	cr_assert_eq(at, 1000 + SERVE_RELAY_MS);
	/* When it has come to the client by another way, the time begins anew. */
	knows(origin(50));
	cr_assert_not(due(1000 + SERVE_RELAY_MS, &at));
	cr_assert_eq(at, NEVER);
	hear(1);
	cr_assert_not(due(1000 + SERVE_RELAY_MS, &at));
	cr_assert(due(1000 + 2 * SERVE_RELAY_MS, &at));
}

Test(serve, an_origin_that_is_new_to_the_client_is_told_of_at_once)
{
	int64_t at;

	cr_assert_not(due(1000, &at));
	hear(1);
	cr_assert(due(1000, &at));
}

/* ---- with what ---- */

static struct fragment served(enum fragment_mode mode)
{
	struct fragment f;

	cr_assert_eq(horde_serve(n.h, &poll, &f), ERR_OK);
	cr_assert_eq(f.mode, mode);
	cr_assert_eq(f.clock, horde_clock(n.h));
	cr_assert(vector_equal(&f.vector, map_vector(m)));
	return f;
}

Test(serve, a_slice_has_its_own_events_and_those_that_were_asked_for)
{
	struct fragment f;

	write_some(m, 3);
	hear(5);
	f = served(FRAGMENT_SLICE);
	cr_assert_eq(f.range_count, 1);
	cr_assert_eq(f.put_count, 3);
	fragment_fini(&f);
	want_elsewhere();
	f = served(FRAGMENT_SLICE);
	cr_assert_eq(f.range_count, 2);
	fragment_fini(&f);
	/* Its own, asked for by name, is not there twice, nor counted twice. */
	write_some(m, SERVE_PIECE_ITEMS / 2 + 100);
	poll.origins[0] = horde_config(n.h)->incarnation;
	f = served(FRAGMENT_SLICE);
	cr_assert_eq(f.range_count, 1);
	fragment_fini(&f);
}

Test(serve, nothing_new_is_a_tick_and_all_is_a_full_difference)
{
	struct fragment f = served(FRAGMENT_TICK);

	fragment_fini(&f);
	hear(5);
	f = served(FRAGMENT_TICK);
	fragment_fini(&f);
	poll.all = true;
	f = served(FRAGMENT_FULL);
	cr_assert_eq(f.put_count, 5);
	fragment_fini(&f);
}

Test(serve, who_is_below_a_floor_is_asked_for_its_sums_or_for_all)
{
	struct changes c = {0};
	struct fragment f;

	write_some(m, 3);
	must_remove(m, "meta/1");
	map_sweep(m);
	cr_assert_eq(map_truncate(m, map_vector(m), &c), ERR_OK);
	changes_fini(&c);
	f = served(FRAGMENT_REDO);
	fragment_fini(&f);
	poll.all = true;
	f = served(FRAGMENT_NEED);
	fragment_fini(&f);
}

/* More than goes into one piece: entries, kill records, or bytes. */
static void write_much(int kind)
{
	char *big = calloc(1, (1u << 20) + 1);

	memset(big, '1', 1u << 20);
	if (kind == 0)
		write_some(m, SERVE_PIECE_ITEMS + 1);
	for (int i = 0; kind == 1 && i <= SERVE_PIECE_ITEMS; i++)
		must_put(m, "meta/a", "1", 1);
	for (int i = 0; kind == 2 && i < 5; i++)
		must_put(m, (char[]){'m', (char)('a' + i), '\0'}, big, 1);
	free(big);
	map_sweep(m);
}

Test(serve, what_is_too_much_for_a_slice_is_asked_for_as_a_whole)
{
	for (int kind = 0; kind < 3; kind++) {
		struct fragment f;

		if (kind > 0) {
			teardown();
			setup();
		}
		cr_assert_not(horde_serve_large(n.h, &poll.after));
		write_much(kind);
		cr_assert(horde_serve_large(n.h, &poll.after), "%d", kind);
		f = served(FRAGMENT_REDO);
		cr_assert_eq(f.put_count + f.kill_count + f.range_count, 0);
		fragment_fini(&f);
		/* Who knows most of it already gets the rest as ever. */
		knows(horde_config(n.h)->incarnation);
		must_put(m, "meta/last", "1", 1);
		cr_assert_not(horde_serve_large(n.h, &poll.after));
		f = served(FRAGMENT_SLICE);
		cr_assert_eq(f.put_count, 1);
		fragment_fini(&f);
	}
}

Test(serve, what_the_slices_of_all_origins_take_is_added_up)
{
	struct fragment f;

	want_elsewhere();
	write_some(m, SERVE_PIECE_ITEMS / 2);
	write_some(elsewhere, SERVE_PIECE_ITEMS / 2 - 100);
	pull(m, elsewhere);
	f = served(FRAGMENT_SLICE);
	fragment_fini(&f);
	hear(101); /* each is an entry and a kill record */
	cr_assert(horde_serve_large(n.h, &poll.after));
	f = served(FRAGMENT_REDO);
	fragment_fini(&f);
	poll.origin_count = 0;
	f = served(FRAGMENT_SLICE);
	fragment_fini(&f);
}

Test(serve, a_redo_says_what_a_tick_says)
{
	struct fragment f;

	write_some(m, 3);
	cr_assert_eq(horde_serve_redo(n.h, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_REDO);
	cr_assert_eq(f.range_count + f.put_count, 0);
	cr_assert(vector_equal(&f.vector, map_vector(m)));
	cr_assert_eq(f.clock, horde_clock(n.h));
	fragment_fini(&f);
}

/* ---- memory ---- */

static enum err serve_as(int kind, struct fragment *ret)
{
	poll.all = kind == 1;
	return kind == 2 ? horde_serve_redo(n.h, ret) : horde_serve(n.h, &poll, ret);
}

Test(serve, no_answer_is_half_made_when_memory_runs_out)
{
	write_some(m, 30);
	hear(30);
	want_elsewhere();
	for (int kind = 0; kind < 3; kind++) {
		bool failed = true;
		long nth = 0;

		for (; failed; nth++) {
			struct fragment f = {0};
			enum err e;

			failing_arm(nth);
			e = serve_as(kind, &f);
			failed = failing_disarm();
			cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%d %ld", kind, nth);
			cr_assert(!failed || (!f.puts && !f.vector.items));
			fragment_fini(&f);
		}
		cr_assert_geq(nth, kind == 2 ? 2 : 5);
	}
}

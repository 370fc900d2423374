/* Slices that wait for what they need. */
#include "tests/unit/core/failing.h"

#include "server/core/held.h"
#include "tests/unit/core/pieces.h"

#define LINK 7
#define NOW_MS 1000

/* Two that have heard of each other, so that each one's slice needs the other's; and a client. */
static struct map *a, *b, *m;
static struct held *held;

static void set_up(void)
{
	a = new_map(1);
	b = new_map(2);
	m = new_map(9);
	cr_assert_eq(held_new(&held), ERR_OK);
	must_put(m, "meta/own", "0", 1);
	must_put(a, "meta/x", "1", 2);
	pull(b, a);
	must_put(b, "meta/y", "2", 3);
	pull(a, b);
	must_remove(a, "meta/y");
	map_sweep(a);
}

static void tear_down(void)
{
	held_free(held);
	map_free(a);
	map_free(b);
	map_free(m);
}

TestSuite(held, .init = set_up, .fini = tear_down);

/* The events of its own origin that a client lacks who knows `after`. */
static struct fragment slice_of(const struct map *server, uint64_t number, uint64_t after)
{
	struct origin_id own = origin(number);
	struct vector v = VECTOR_INIT;
	struct fragment f = {0};

	if (after > 0)
		cr_assert_eq(vector_raise(&v, own, after), ERR_OK);
	cr_assert_eq(map_slice(server, &v, &own, 1, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_SLICE);
	vector_fini(&v);
	return f;
}

static void hold(const struct map *server, uint64_t number, uint64_t after)
{
	struct fragment f = slice_of(server, number, after);

	cr_assert_eq(held_add(held, LINK, &f, NOW_MS), ERR_OK);
	cr_assert_null(f.ranges, "it was taken");
}

static enum err settle(size_t *ret_applied, uint32_t *ret_link)
{
	struct changes c = {0};
	struct origin_id forked;
	enum err e = held_settle(held, m, &c, ret_applied, &forked, ret_link);

	cr_assert(c.used == 0 || *ret_applied > 0);
	changes_fini(&c);
	map_sweep(m);
	return e;
}

static size_t settled(void)
{
	size_t applied = 99;
	uint32_t link;

	cr_assert_eq(settle(&applied, &link), ERR_OK);
	return applied;
}

static struct vector cursor(void)
{
	struct vector v = VECTOR_INIT;

	cr_assert_eq(held_cursor(held, m, &v), ERR_OK);
	return v;
}

Test(held, a_slice_waits_for_its_deps_and_is_not_asked_for_again)
{
	struct vector v;
	struct dot lack;
	int64_t since_ms;

	hold(a, 1, 0);
	cr_assert_eq(settled(), 0);
	cr_value(m, "meta/x", NULL);
	v = cursor();
	cr_assert_eq(vector_get(&v, origin(1)), 2);
	cr_assert_eq(vector_get(&v, origin(2)), 0);
	vector_fini(&v);
	cr_assert_eq(held_of_link(held, LINK, &since_ms), 1);
	cr_assert_eq(since_ms, NOW_MS);
	cr_assert(held_lacks(held, m, LINK, &lack));
	cr_assert_eq(dot_compare(lack, (struct dot){origin(2), 1}), 0);
	cr_assert_not(held_lacks(held, m, LINK + 1, &lack));
}

Test(held, slices_that_need_each_other_are_applied_as_one)
{
	struct map *knows = new_map(9);

	hold(a, 1, 0);
	cr_assert_eq(settled(), 0);
	hold(b, 2, 0);
	cr_assert_eq(settled(), 2);
	cr_assert_eq(held_count(held), 0);
	must_put(knows, "meta/own", "0", 1);
	pull(knows, a);
	cr_same(m, knows);
	map_free(knows);
}

Test(held, slices_chain_in_whatever_order_they_came)
{
	hold(a, 1, 1);
	hold(b, 2, 0);
	/* The first event of `a`, as it was before `b` was heard of. */
	{
		struct map *early = new_map(1);
		struct fragment f;

		must_put(early, "meta/x", "1", 2);
		f = slice_of(early, 1, 0);
		cr_assert_eq(held_add(held, LINK, &f, NOW_MS), ERR_OK);
		cr_assert_eq(settled(), 3);
		map_free(early);
	}
	cr_assert_eq(vector_get(map_vector(m), origin(1)), 2);
	cr_value(m, "meta/x", "1");
	cr_value(m, "meta/y", NULL);
}

Test(held, what_begins_beyond_a_gap_or_is_known_is_dropped)
{
	struct vector v;

	hold(a, 1, 1);
	v = cursor();
	cr_assert_eq(vector_get(&v, origin(1)), 0, "the gap is asked for");
	vector_fini(&v);
	cr_assert_eq(settled(), 0);
	cr_assert_eq(held_count(held), 0);
	pull(m, a);
	hold(a, 1, 0);
	cr_assert_leq(settled(), 1);
	cr_assert_eq(held_count(held), 0);
	must_put(a, "meta/z", "3", 4);
	pull(b, a);
	hold(b, 2, 0); /* its server knows more by now, but it brings nothing new */
	cr_assert_eq(settled(), 0);
	cr_assert_eq(held_count(held), 0);
}

Test(held, a_set_that_is_none_is_dropped_and_a_single_one_names_its_link)
{
	struct digest before, after;
	struct fragment f = slice_of(b, 2, 0);
	size_t applied;
	uint32_t link = 0;

	pull(m, a);
	before = map_digest(m);
	f.puts = grown(f.puts, f.put_count, 1, sizeof(*f.puts));
	f.puts[f.put_count++] = (struct fragment_put){
		.dot = {origin(2), 9}, .key = "k", .key_bytes = 1, .value = "1", .value_bytes = 1};
	f.ranges[0].after = vector_get(map_vector(m), origin(2));
	f.ranges[0].upto = f.ranges[0].after + 1;
	cr_assert_eq(held_add(held, LINK, &f, NOW_MS), ERR_OK);
	cr_assert_eq(settle(&applied, &link), ERR_MALFORMED);
	cr_assert_eq(link, LINK);
	cr_assert_eq(held_count(held), 0);
	after = map_digest(m);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
}

Test(held, what_waits_for_too_long_or_whose_link_is_gone_is_dropped)
{
	hold(a, 1, 0);
	held_expire(held, NOW_MS + HELD_MS_MAX);
	cr_assert_eq(held_count(held), 1);
	held_expire(held, NOW_MS + HELD_MS_MAX + 1);
	cr_assert_eq(held_count(held), 0);
	hold(a, 1, 0);
	held_drop_link(held, LINK + 1);
	cr_assert_eq(held_count(held), 1);
	held_drop_link(held, LINK);
	cr_assert_eq(held_count(held), 0);
}

/* ---- limits ---- */

static size_t fill(uint32_t link, const struct map *server, size_t count)
{
	size_t before = held_count(held);

	for (size_t i = 0; i < count; i++) {
		struct fragment f = slice_of(server, 1, 0);

		cr_assert_eq(held_add(held, link, &f, NOW_MS), ERR_OK);
		cr_assert_null(f.ranges, "it was taken, or dropped");
	}
	return held_count(held) - before;
}

Test(held, past_a_limit_slices_are_dropped)
{
	size_t links = HELD_SLICES_MAX / HELD_LINK_SLICES_MAX;

	for (uint32_t link = 1; link <= links; link++)
		cr_assert_eq(fill(link, a, HELD_LINK_SLICES_MAX + 1), HELD_LINK_SLICES_MAX);
	cr_assert_eq(held_count(held), HELD_SLICES_MAX);
	cr_assert_eq(fill((uint32_t)links + 1, a, 1), 0);
}

Test(held, a_link_holds_so_many_bytes_but_one_slice_always)
{
	size_t bytes = VALUE_BYTES_MAX / 2;
	char *value = grown(NULL, bytes, 1, 1), key[32];

	memset(value, '1', bytes);
	value[bytes] = '\0';
	must_put(a, "meta/large", value, 4);
	cr_assert_eq(fill(1, a, 99), HELD_LINK_BYTES_MAX / bytes - 1, "with their frames");
	cr_assert_eq(fill(2, a, 1), 1, "each link has its own");
	for (size_t i = 0; i <= HELD_LINK_BYTES_MAX / bytes; i++) {
		snprintf(key, sizeof(key), "meta/large/%zu", i);
		must_put(a, key, value, 5);
	}
	cr_assert_eq(fill(3, a, 2), 1, "one alone may be larger");
	free(value);
}

/* ---- memory ---- */

Test(held, none_is_made_when_memory_runs_out)
{
	struct held *none = NULL;

	failing_arm(0);
	cr_assert_eq(held_new(&none), ERR_NO_MEMORY);
	cr_assert(failing_disarm());
	cr_assert_null(none);
}

Test(held, all_is_kept_when_memory_runs_out_and_applied_the_next_time)
{
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		struct digest before, after;
		size_t applied = 99;
		uint32_t link;
		enum err e;

		hold(a, 1, 0);
		hold(b, 2, 0);
		before = map_digest(m);
		failing_arm(n);
		e = settle(&applied, &link);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		if (failed) {
			after = map_digest(m);
			cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
			cr_assert_eq(vector_get(map_vector(m), origin(1)), 0);
			cr_assert_eq(applied, 0);
			cr_assert_eq(held_count(held), 2);
			applied = settled();
		}
		cr_assert_eq(applied, 2);
		cr_value(m, "meta/x", "1");
		tear_down();
		set_up();
	}
	cr_assert_gt(n, 10);
}

Test(held, a_cursor_is_given_whole_or_not_at_all)
{
	bool failed = true;
	long n = 0;

	hold(a, 1, 0);
	hold(b, 2, 0);
	for (; failed; n++) {
		struct vector v = VECTOR_INIT;
		struct dot lack;
		enum err e;

		failing_arm(n);
		e = held_cursor(held, m, &v);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK);
		cr_assert_eq(v.used, failed ? 0 : 3);
		vector_fini(&v);
		failing_arm(n);
		cr_assert_not(held_lacks(held, m, LINK, &lack), "nothing, or nobody can tell");
		failing_disarm();
	}
	cr_assert_gt(n, 1);
}

#include "tests/unit/core/maps.h"

/* Three maps put a record each under `key`; whatever the order of arrival, `winner` wins. */
static void cr_winner(const char *key, const struct record *r, const uint64_t *clocks, int winner)
{
	static const int orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct map *from[3];

	for (int i = 0; i < 3; i++) {
		from[i] = new_map((uint64_t)i + 1);
		if (r[i].family == FAMILY_OTHER)
			must_put(from[i], key, "{}", clocks[i]);
		else
			put_record(from[i], key, r[i], clocks[i]);
	}
	for (int o = 0; o < 6; o++) {
		struct map *m = new_map(9);

		for (int i = 0; i < 3; i++)
			pull(m, from[orders[o][i]]);
		cr_assert_eq(siblings(m, key), 3);
		cr_assert(origin_equal(*get(m, key)->origin, origin((uint64_t)winner + 1)),
			"%s, order %d", key, o);
		map_free(m);
	}
	for (int i = 0; i < 3; i++)
		map_free(from[i]);
}

#define CLOCKS(...) ((const uint64_t[]){__VA_ARGS__})
#define RECORDS(...) ((const struct record[]){__VA_ARGS__})

Test(siblings, an_assign_wins_by_epoch_then_clock_then_origin)
{
	cr_winner("assign/default/a", RECORDS(assign(3), assign(2), assign(1)), CLOCKS(1, 2, 3), 0);
	cr_winner("assign/default/a", RECORDS(assign(3), assign(3), assign(1)), CLOCKS(1, 2, 3), 1);
	cr_winner("assign/default/a", RECORDS(assign(3), assign(3), assign(3)), CLOCKS(2, 2, 2), 2);
}

Test(siblings, a_status_wins_by_epoch)
{
	struct record r[3] = {{.family = FAMILY_STATUS, .status = {.epoch = 1}},
		{.family = FAMILY_STATUS, .status = {.epoch = 9}},
		{.family = FAMILY_STATUS, .status = {.epoch = 4}}};

	cr_winner("status/default/a", r, CLOCKS(3, 1, 2), 1);
}

Test(siblings, what_a_later_assignment_left_wins_however_late_the_earlier_one_wrote)
{
	struct record r[3] = {{.family = FAMILY_STATE, .state = {.epoch = 1}},
		{.family = FAMILY_STATE, .state = {.epoch = 4}},
		{.family = FAMILY_STATE, .state = {.epoch = 4}}};

	cr_winner("state/default/a", r, CLOCKS(9, 1, 2), 2);
}

Test(siblings, a_member_wins_by_start_then_incarnation)
{
	cr_winner(
		"member/a", RECORDS(member(5, 1), member(9, 1), member(7, 1)), CLOCKS(9, 1, 8), 1);
	cr_winner(
		"member/a", RECORDS(member(5, 3), member(5, 2), member(5, 1)), CLOCKS(1, 2, 3), 0);
}

Test(siblings, an_entry_competes_by_its_owners_greatest_epoch_then_by_clock)
{
	/* Pairwise this is a circle: a2 beats a1, a1 beats b (clock), b beats a2 (clock). */
	cr_winner("entry/default/k", RECORDS(entry("a", 1), entry("a", 2), entry("b", 1)),
		CLOCKS(30, 10, 20), 2);
	cr_winner("entry/default/k", RECORDS(entry("a", 1), entry("a", 2), entry("a", 1)),
		CLOCKS(30, 10, 20), 1);
	cr_winner("entry/default/k", RECORDS(entry("a", 1), entry("b", 2), entry("c", 3)),
		CLOCKS(30, 10, 20), 0);
}

static struct record first_entry(char *id, uint64_t created, uint64_t epoch)
{
	struct record r = entry(id, epoch);

	r.entry.first = true;
	r.entry.created = created;
	return r;
}

Test(siblings, where_the_first_owner_wins_it_does_and_a_later_rule_beats_an_earlier)
{
	cr_winner("entry/default/k",
		RECORDS(first_entry("a", 20, 1), first_entry("b", 10, 1), first_entry("c", 30, 1)),
		CLOCKS(30, 10, 20), 1);
	/* Of one owner the greater epoch, also when its first registration was later. */
	cr_winner("entry/default/k",
		RECORDS(first_entry("a", 5, 1), first_entry("a", 20, 2), first_entry("b", 10, 1)),
		CLOCKS(1, 2, 3), 2);
	cr_winner("entry/default/k",
		RECORDS(entry("a", 1), first_entry("b", 10, 1), first_entry("c", 30, 1)),
		CLOCKS(90, 10, 20), 1);
	cr_winner("entry/default/k",
		RECORDS(first_entry("a", 7, 1), first_entry("b", 7, 1), entry("c", 1)),
		CLOCKS(10, 20, 90), 1);
}

Test(siblings, an_entry_competes_again_when_what_outranked_it_is_gone)
{
	struct map *a = new_map(1), *b = new_map(2), *c = new_map(3);

	put_record(a, "entry/default/k", entry("x", 1), 30);
	put_record(b, "entry/default/k", entry("x", 2), 10);
	put_record(c, "entry/default/k", entry("y", 1), 20);
	pull(a, c);
	pull(c, b);
	cr_assert(origin_equal(*get(c, "entry/default/k")->origin, origin(3)));
	must_remove(b, "entry/default/k");
	pull(a, b);
	cr_assert_eq(siblings(a, "entry/default/k"), 2);
	cr_assert(origin_equal(*get(a, "entry/default/k")->origin, origin(1)));
	map_free(a);
	map_free(b);
	map_free(c);
}

Test(siblings, what_could_not_be_decoded_loses)
{
	struct record r[3] = {assign(1), {.family = FAMILY_OTHER}, {.family = FAMILY_OTHER}};

	cr_winner("assign/default/a", r, CLOCKS(1, 2, 3), 0);
	r[0] = entry("x", 1);
	cr_winner("entry/default/a", r, CLOCKS(1, 2, 3), 0);
}

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/core/placement.h"

#define NODES_MAX 16

static size_t nodes(struct candidate c[NODES_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++)
		c[i] = (struct candidate){.node = {i + 1, 77 * i}};
	return count;
}

static struct placement put(struct candidate *c, size_t count, uint32_t cap, const char *name)
{
	struct placement p;

	cr_assert(place(c, count, cap, name, strlen(name), &p));
	return p;
}

Test(placement, the_cap_is_a_tenth_above_the_fair_share_rounded_up)
{
	static const struct {
		uint32_t total;
		size_t count;
		uint32_t cap;
	} rows[] = {{0, 3, 0}, {1, 3, 1}, {3, 3, 2}, {10, 1, 11}, {100, 3, 37}, {300, 3, 110},
		{10, 0, 11}, {UINT32_MAX, 2, 2362232013u}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(placement_cap(rows[i].total, rows[i].count), rows[i].cap,
			"row %zu: %u", i, placement_cap(rows[i].total, rows[i].count));
}

Test(placement, nobody_is_chosen_when_there_is_nobody)
{
	struct placement p;

	cr_assert_not(place(NULL, 0, 10, "a", 1, &p));
}

Test(placement, the_choice_does_not_depend_on_the_order_of_the_candidates)
{
	struct candidate c[NODES_MAX], reversed[NODES_MAX];
	size_t count = nodes(c, 7);

	for (int k = 0; k < 200; k++) {
		char name[32];
		struct origin_id a, b;

		snprintf(name, sizeof(name), "default/c%d", k);
		for (size_t i = 0; i < count; i++)
			reversed[i] = c[count - 1 - i];
		a = c[put(c, count, UINT32_MAX, name).index].node;
		b = reversed[put(reversed, count, UINT32_MAX, name).index].node;
		cr_assert(origin_equal(a, b), "%s", name);
	}
}

Test(placement, no_node_is_above_the_cap_and_all_are_used)
{
	struct candidate c[NODES_MAX];
	size_t count = nodes(c, 3);
	uint32_t cap = placement_cap(300, count);

	for (int k = 0; k < 300; k++) {
		char name[32];

		snprintf(name, sizeof(name), "default/c%d", k);
		cr_assert_not(put(c, count, cap, name).over_capacity);
	}
	for (size_t i = 0; i < count; i++) {
		cr_expect_leq(c[i].load, cap);
		cr_expect_geq(c[i].load, 70);
	}
}

Test(placement, the_next_in_rendezvous_order_takes_what_is_above_the_cap)
{
	struct candidate c[NODES_MAX];
	size_t count = nodes(c, 5);
	size_t first = put(c, count, UINT32_MAX, "x").index, second;

	c[first].load = 4;
	second = put(c, count, 4, "x").index;
	cr_expect_eq(rendezvous_rank(c, count, "x", 1, c[first].node), 0);
	cr_expect_eq(rendezvous_rank(c, count, "x", 1, c[second].node), 1);
}

Test(placement, when_all_are_at_the_cap_it_is_ignored_and_said)
{
	struct candidate c[NODES_MAX];
	size_t count = nodes(c, 3);
	size_t free_choice = put(c, count, UINT32_MAX, "x").index;
	struct placement p;

	for (size_t i = 0; i < count; i++)
		c[i].load = 2;
	p = put(c, count, 2, "x");
	cr_expect(p.over_capacity);
	cr_expect_eq(p.index, free_choice);
	cr_expect_eq(c[p.index].load, 3);
}

Test(placement, only_what_was_on_a_node_moves_when_it_goes)
{
	struct candidate c[NODES_MAX], fewer[NODES_MAX];
	size_t count = nodes(c, 4), moved = 0;

	memcpy(fewer, c, sizeof(c)); /* without the last */
	for (int k = 0; k < 1000; k++) {
		char name[32];
		size_t before, after;

		snprintf(name, sizeof(name), "default/c%d", k);
		before = put(c, count, UINT32_MAX, name).index;
		after = put(fewer, count - 1, UINT32_MAX, name).index;
		cr_assert(before == after || before == count - 1, "%s", name);
		moved += before != after;
	}
	cr_expect(moved > 180 && moved < 320, "%zu", moved);
}

Test(placement, the_ranks_of_all_nodes_are_a_permutation)
{
	struct candidate c[NODES_MAX];
	size_t count = nodes(c, 9);
	unsigned seen = 0;

	for (size_t i = 0; i < count; i++)
		seen |= 1u << rendezvous_rank(c, count, "abc", 3, c[i].node);
	cr_expect_eq(seen, (1u << count) - 1);
	cr_expect_leq(rendezvous_rank(c, count, "abc", 3, (struct origin_id){99, 99}), count);
}

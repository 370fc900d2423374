/* Block sums: what two replicas tell apart by them, and what they cost. */
#include "tests/unit/core/failing.h"

#include "tests/unit/core/pieces.h"

#define KEYS 1000

/* The difference of `server` against all that `client` knows, by the client's sums. */
static struct fragment checked(const struct map *server, const struct map *client, bool repair)
{
	struct block_sums sums;
	struct fragment f;

	cr_assert_eq(map_block_sums(client, &sums), ERR_OK);
	cr_assert_eq(map_difference_checked(server, map_vector(client), &sums, repair, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_FULL);
	block_sums_fini(&sums);
	return f;
}

static struct map *filled(uint64_t self, uint64_t keys)
{
	struct map *m = new_map(self);

	for (uint64_t i = 0; i < keys; i++)
		put_number(m, i, i);
	return m;
}

/* ---- sums ---- */

Test(blocks, each_origin_has_as_many_as_its_live_entries_ask_for)
{
	static const struct {
		uint64_t keys, rounds; /* each key is written so often */
		size_t blocks_max;
	} rows[] = {{1, 1, 1}, {63, 1, 2}, {KEYS, 1, 2 * KEYS / BLOCK_LIVE + 1},
		{KEYS, 9, 2 * KEYS / BLOCK_LIVE + 1}, {3, 300, 1}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct map *m = new_map(5);
		struct block_sums sums;
		uint64_t total = 0;

		for (uint64_t i = 0; i < rows[r].keys * rows[r].rounds; i++)
			put_number(m, i % rows[r].keys, i);
		map_sweep(m);
		cr_assert_eq(map_block_sums(m, &sums), ERR_OK);
		cr_assert_eq(sums.run_count, 1);
		cr_assert(origin_equal(sums.runs[0].origin, origin(5)));
		cr_assert_leq(sums.sum_count, rows[r].blocks_max, "row %zu: %zu blocks", r,
			sums.sum_count);
		for (size_t i = 0; i < sums.sum_count; i++) {
			cr_assert(i == 0 || sums.sums[i].index > sums.sums[i - 1].index);
			cr_assert_leq(sums.sums[i].index,
				(rows[r].keys * rows[r].rounds - 1) >> sums.runs[0].shift);
			total += sums.sums[i].sum;
		}
		/* They cover what the digest covers. */
		cr_assert_eq(total, map_digest(m).sums[0], "row %zu", r);
		block_sums_fini(&sums);
		map_free(m);
	}
}

Test(blocks, an_origin_of_which_nothing_lives_has_none)
{
	struct map *m = filled(5, 3), *o = filled(2, 3);
	struct block_sums sums;

	pull(m, o);
	for (uint64_t i = 0; i < 3; i++)
		put_number(m, i, 7);
	map_sweep(m);
	cr_assert_eq(map_block_sums(m, &sums), ERR_OK);
	cr_assert_eq(sums.run_count, 1, "origin 2 is dead");
	cr_assert(origin_equal(sums.runs[0].origin, origin(5)));
	block_sums_fini(&sums);
	map_free(o);
	map_free(m);
}

/* ---- what differs ---- */

Test(blocks, the_same_state_has_nothing_to_check)
{
	struct map *server = filled(5, KEYS), *client = new_map(1);

	pull(client, server);
	for (int repair = 0; repair < 2; repair++) {
		struct fragment f = checked(server, client, repair);

		cr_assert_eq(f.check_count + f.range_count + f.put_count, 0);
		fragment_fini(&f);
	}
	map_free(client);
	map_free(server);
}

Test(blocks, one_that_died_is_found_by_the_check_of_its_block)
{
	struct map *server = filled(5, KEYS), *client = new_map(1);
	struct fragment f;

	pull(client, server);
	remove_number(server, 500); /* seq 501, by the event 1001 */
	truncate_all(server);
	f = checked(server, client, false);
	cr_assert_eq(f.check_count, 1);
	cr_assert(f.checks[0].after < 501 && f.checks[0].upto >= 501);
	cr_assert_eq(f.checks[0].count, f.checks[0].upto - f.checks[0].after - 1);
	for (size_t i = 0; i < f.checks[0].count; i++)
		cr_assert_neq(f.alive[f.checks[0].first + i], 501);
	cr_assert_eq(f.put_count, 0);
	cr_assert_eq(vector_get(&f.floors, origin(5)), 1001);
	join(client, &f);
	cr_same(client, server);
	cr_value(client, "meta/500", NULL);
	map_free(client);
	map_free(server);
}

Test(blocks, a_block_of_which_nothing_lives_any_more_is_checked_too)
{
	struct map *server = filled(5, KEYS), *client = new_map(1);
	struct fragment f;

	pull(client, server);
	for (uint64_t i = 0; i < KEYS; i++)
		if (i < 300 || i >= 700)
			remove_number(server, i);
	truncate_all(server);
	f = checked(server, client, false);
	cr_assert_gt(f.check_count, 2);
	cr_assert_eq(f.checks[0].after, 0);
	cr_assert_eq(f.checks[0].count, 0);
	cr_assert_eq(f.checks[f.check_count - 1].upto, KEYS);
	cr_assert_eq(f.checks[f.check_count - 1].count, 0);
	join(client, &f);
	cr_same(client, server);
	map_free(client);
	map_free(server);
}

Test(blocks, only_what_both_know_is_compared)
{
	struct map *server = filled(5, KEYS), *client = new_map(1), *third = filled(8, 9);
	struct fragment f;

	pull(client, server);
	pull(client, third); /* of which the server knows nothing */
	for (uint64_t i = 0; i < KEYS; i++)
		put_number(server, KEYS + i, i);
	f = checked(server, client, true);
	cr_assert_eq(f.check_count, 0);
	cr_assert_eq(f.put_count, KEYS, "what is new comes as a difference");
	fragment_fini(&f);
	/* The other way round the last block that both know goes on at the client only. */
	f = checked(client, server, false);
	cr_assert_leq(f.check_count, 1);
	cr_assert_eq(f.put_count, 9);
	for (size_t i = 0; i < f.check_count; i++)
		cr_assert_eq(f.checks[i].upto, KEYS);
	join(server, &f);
	pull(client, server);
	cr_same(client, server);
	cr_assert_eq(map_count(server, FAMILY_META), 2 * KEYS);
	map_free(third);
	map_free(client);
	map_free(server);
}

/* ---- repair ---- */

Test(blocks, a_repair_brings_the_live_entries_of_what_differs)
{
	struct map *server = filled(5, KEYS), *client = new_map(1);
	struct fragment f;

	/* Same events, another content: to another key every term is another one. */
	pull(client, server);
	map_rekey(client, 43);
	f = checked(server, client, true);
	cr_assert_eq(f.put_count, KEYS);
	cr_assert_eq(f.alive_count, KEYS);
	cr_assert_eq(f.range_count, 0);
	fragment_fini(&f);
	f = checked(server, client, false);
	cr_assert_eq(f.put_count, 0);
	cr_assert_eq(f.alive_count, KEYS);
	fragment_fini(&f);
	map_free(client);
	map_free(server);
}

Test(blocks, who_has_nothing_of_a_block_hears_of_it_in_a_repair_only)
{
	struct map *server = filled(5, KEYS);
	struct vector known = VECTOR_INIT;
	struct block_sums none = {0};
	struct fragment f;

	cr_assert_eq(vector_raise(&known, origin(5), KEYS), ERR_OK);
	cr_assert_eq(map_difference_checked(server, &known, &none, false, &f), ERR_OK);
	cr_assert_eq(f.check_count, 0, "it cannot have what is dead");
	fragment_fini(&f);
	cr_assert_eq(map_difference_checked(server, &known, &none, true, &f), ERR_OK);
	cr_assert_eq(f.put_count, KEYS);
	cr_assert_eq(f.checks[f.check_count - 1].upto, KEYS);
	for (size_t i = 1; i < f.check_count; i++)
		cr_assert_geq(f.checks[i].after, f.checks[i - 1].upto);
	fragment_fini(&f);
	vector_fini(&known);
	map_free(server);
}

/* ---- sums that a client made up ---- */

Test(blocks, made_up_ones_are_answered_within_what_both_know)
{
	static const struct {
		unsigned shift;
		uint64_t index;
		size_t checks;
	} rows[] = {{0, 0, 1}, {0, 9, 1}, {0, 10, 0}, {3, 1, 1}, {3, 2, 0}, {BLOCK_SHIFT_MAX, 0, 1},
		{BLOCK_SHIFT_MAX, 1, 0}, {0, UINT64_MAX, 0}, {BLOCK_SHIFT_MAX, UINT64_MAX, 0}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct map *server = filled(5, 10);
		struct block_run run = {origin(5), rows[r].shift, 0, 1};
		struct block_sum sum = {rows[r].index, 12345};
		struct block_sums sums = {&run, 1, &sum, 1};
		struct vector known = VECTOR_INIT;
		struct fragment f;

		cr_assert_eq(vector_raise(&known, origin(5), UINT64_MAX), ERR_OK);
		for (int repair = 0; repair < 2; repair++) {
			cr_assert_eq(
				map_difference_checked(server, &known, &sums, repair, &f), ERR_OK);
			cr_assert(repair || f.check_count == rows[r].checks, "row %zu: %zu", r,
				f.check_count);
			cr_assert(!repair || f.alive_count == 10, "row %zu: %zu", r, f.alive_count);
			for (size_t i = 0; i < f.check_count; i++)
				cr_assert(f.checks[i].after < f.checks[i].upto &&
						  f.checks[i].upto <= 10,
					"row %zu", r);
			fragment_fini(&f);
		}
		vector_fini(&known);
		map_free(server);
	}
}

/* ---- any history ---- */

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % below;
}

/* Lemma 4: below floors, whatever both have done since they last met. */
Test(blocks, who_was_away_for_too_long_ends_where_the_others_are)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct map *server = new_map(5), *other = new_map(8), *client = new_map(1);
		struct fragment f;

		random_state = seed;
		for (int i = 0; i < 600; i++) {
			struct map *m = draw(3) == 0 ? other : draw(3) == 0 ? client : server;

			if (draw(3) == 0)
				remove_number(m, draw(100));
			else
				put_number(m, draw(100), draw(1000));
			if (draw(20) == 0) {
				pull(server, other);
				pull(other, server);
			}
			if (i < 300 && draw(20) == 0)
				pull(client, server);
			if (i == 300)
				pull(server, client);
			if (i > 300 && draw(50) == 0)
				truncate_all(server);
			map_sweep(server);
			map_sweep(other);
			map_sweep(client);
		}
		truncate_all(server);
		f = checked(server, client, false);
		join(client, &f);
		f = checked(client, server, false);
		join(server, &f);
		cr_same(client, server);
		map_free(client);
		map_free(other);
		map_free(server);
	}
}

/* ---- memory ---- */

Test(blocks, they_fail_cleanly_when_memory_runs_out)
{
	struct map *server = filled(5, KEYS), *client = filled(1, 10);
	bool failed = true;
	long n = 0;

	pull(client, server);
	for (uint64_t i = 0; i < KEYS; i += 3)
		remove_number(server, i);
	put_number(server, 5000, 1);
	truncate_all(server);
	for (; failed; n++) {
		struct block_sums sums = {0};
		struct fragment f = {0};
		enum err e;

		failing_arm(n);
		e = map_block_sums(client, &sums);
		if (e == ERR_OK)
			e = map_difference_checked(server, map_vector(client), &sums, true, &f);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		cr_assert(!failed || !f.checks, "%ld", n);
		fragment_fini(&f);
		block_sums_fini(&sums);
	}
	cr_assert_gt(n, 10);
	map_free(client);
	map_free(server);
}

/* A full difference in pieces, over a map that goes on changing. */
#include "tests/unit/core/failing.h"

#include "tests/unit/core/pieces.h"

#define KEYS 200
#define MOST 16

/* Three origins, with entries, kill records, and a key that has siblings. */
static struct map *server_map(void)
{
	struct map *m = new_map(5), *low = new_map(2), *high = new_map(9);

	for (uint64_t i = 0; i < KEYS; i++) {
		put_number(i % 3 == 0 ? low : i % 3 == 1 ? m : high, i, i);
		if (i % 7 == 0)
			put_number(m, i, 2 * i);
	}
	put_number(low, 1000, 1);
	put_number(high, 1000, 2);
	pull(m, low);
	pull(m, high);
	for (uint64_t i = 0; i < KEYS; i += 5)
		remove_number(m, i);
	map_free(low);
	map_free(high);
	return m;
}

static size_t weight(const struct fragment *f)
{
	return f->put_count + f->kill_count;
}

Test(stream, its_pieces_are_small_and_together_the_difference)
{
	struct map *m = server_map(), *client = new_map(1);
	struct fragment kept = {0}, piece, whole;
	struct stream *s = open_stream(m, client);
	bool last = false;
	int pieces = 0;

	cr_assert_eq(map_difference(m, map_vector(client), &whole), ERR_OK);
	for (; !last; pieces++) {
		cr_assert_eq(stream_next(s, MOST, &piece, &last), ERR_OK);
		cr_assert_eq(piece.mode, FRAGMENT_FULL);
		cr_assert(origin_equal(piece.from, origin(5)));
		/* An event has at most one entry and, here, one or two kill records. */
		cr_assert_leq(weight(&piece), 2 * MOST);
		cr_assert_eq(piece.range_count, last ? 3 : 0);
		cr_assert_eq(piece.vector.used, last ? 3 : 0);
		keep(&kept, &piece, last);
	}
	cr_assert_gt(pieces, KEYS / MOST);
	cr_assert_eq(kept.put_count, whole.put_count, "nothing twice, nothing left out");
	cr_assert_eq(kept.kill_count, whole.kill_count);
	cr_assert_eq(kept.range_count, whole.range_count);
	cr_assert(vector_equal(&kept.vector, &whole.vector));
	cr_assert_eq(kept.digest.sums[0], whole.digest.sums[0]);
	join(client, &kept);
	cr_same(client, m);
	stream_free(s);
	fragment_fini(&whole);
	map_free(client);
	map_free(m);
}

Test(stream, what_the_client_has_is_not_sent)
{
	struct map *m = server_map(), *client = new_map(1);
	struct fragment kept = {0};
	struct stream *s;

	pull(client, m);
	s = open_stream(m, client);
	cr_assert(next_piece(s, MOST, &kept), "nothing to say is one piece");
	cr_assert_eq(weight(&kept) + kept.range_count, 0);
	fragment_fini(&kept);
	stream_free(s);
	for (uint64_t i = 0; i < 3 * MOST; i++)
		put_number(m, 2000 + i, i);
	s = open_stream(m, client);
	while (!next_piece(s, MOST, &kept))
		;
	cr_assert_eq(kept.put_count, 3 * MOST);
	cr_assert_eq(kept.range_count, 1);
	join(client, &kept);
	cr_same(client, m);
	stream_free(s);
	map_free(client);
	map_free(m);
}

/* ---- a map that goes on changing ---- */

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % below;
}

/* Anything that can happen to the server's map; `others` are nodes that it hears of. */
static void happens(struct map *m, struct map *others[3])
{
	struct map *o = others[draw(3)];
	struct changes c = {0};

	switch (draw(7)) {
	case 0:
	case 1:
		put_number(m, draw(KEYS), draw(1000));
		break;
	case 2:
		remove_number(m, draw(KEYS));
		break;
	case 3:
		cr_assert_eq(map_resolve(m, "meta/1000", 9, 5, &c), ERR_OK);
		map_sweep(m);
		break;
	case 4:
		pull(o, m);
		map_sweep(o);
		remove_number(o, draw(KEYS));
		pull(m, o);
		map_sweep(m);
		break;
	case 5:
		put_number(o, draw(KEYS), draw(1000)); /* a sibling, as like as not */
		put_number(o, 1000, draw(1000));
		pull(m, o);
		map_sweep(m);
		break;
	default:
		truncate_all(m);
	}
	changes_fini(&c);
}

Test(stream, what_happens_meanwhile_is_in_it)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		/* Origins before, between and after those that the walk has passed. */
		struct map *others[] = {new_map(3), new_map(7), new_map(11)};
		struct map *m = server_map(), *client = new_map(1);
		struct fragment kept = {0};
		struct stream *s;

		random_state = seed;
		if (seed % 2) /* one that knows a part */
			pull(client, m);
		for (uint64_t i = 0; i < 4 * MOST; i++)
			put_number(m, draw(KEYS), i);
		s = open_stream(m, client);
		for (uint64_t i = 0; !next_piece(s, MOST, &kept); i++)
			for (uint64_t k = draw(MOST / 2); k > 0; k--)
				happens(m, others);
		join(client, &kept);
		cr_same(client, m);
		stream_free(s);
		for (int i = 0; i < 3; i++)
			map_free(others[i]);
		map_free(client);
		map_free(m);
	}
}

Test(stream, no_kill_record_is_forgotten_while_one_is_open)
{
	struct map *m = server_map(), *client = new_map(1);
	struct stream *first = open_stream(m, client), *second = open_stream(m, client);
	size_t kills = map_kills(m);

	cr_assert_gt(kills, 0);
	truncate_all(m);
	cr_assert_eq(map_kills(m), kills);
	stream_free(second);
	truncate_all(m);
	cr_assert_eq(map_kills(m), kills, "the other one is open still");
	stream_free(first);
	truncate_all(m);
	cr_assert_eq(map_kills(m), 0);
	stream_free(NULL);
	map_free(client);
	map_free(m);
}

/* ---- floors ---- */

Test(stream, a_client_that_is_new_gets_the_floors_with_the_last_piece)
{
	struct map *m = server_map(), *client = new_map(1);
	struct fragment kept = {0};
	struct stream *s;

	truncate_all(m);
	cr_assert_gt(map_floor(m, origin(5)), 0);
	s = open_stream(m, client);
	while (!next_piece(s, MOST, &kept))
		cr_assert_eq(kept.floors.used, 0);
	cr_assert_eq(vector_get(&kept.floors, origin(5)), map_floor(m, origin(5)));
	join(client, &kept);
	cr_same(client, m);
	cr_assert_eq(map_floor(client, origin(5)), map_floor(m, origin(5)));
	stream_free(s);
	map_free(client);
	map_free(m);
}

Test(stream, a_client_below_a_floor_gets_the_checks_of_its_sums)
{
	struct map *m = server_map(), *client = new_map(1);
	struct block_sums sums;
	struct fragment kept = {0};
	struct stream *s;

	pull(client, m);
	cr_assert_eq(map_block_sums(client, &sums), ERR_OK);
	remove_number(m, 2);
	for (uint64_t i = 0; i < 3 * MOST; i++)
		put_number(m, 2000 + i, i);
	truncate_all(m);
	cr_assert_eq(stream_new(m, map_vector(client), &sums, &s), ERR_OK);
	block_sums_fini(&sums); /* it has its own */
	while (!next_piece(s, MOST, &kept)) {
		cr_assert_eq(kept.check_count, 0);
		remove_number(m, 4); /* this one's record is kept, and sent */
	}
	cr_assert_eq(kept.check_count, 2, "of the blocks that lack what died");
	join(client, &kept);
	cr_same(client, m);
	stream_free(s);
	map_free(client);
	map_free(m);
}

/* A node that has forgotten its kill records tells `m` of it. */
static void take_floor(struct map *m)
{
	struct map *third = new_map(13);
	struct block_sums sums;
	struct fragment f;

	put_number(third, 3000, 1);
	remove_number(third, 3000);
	truncate_all(third);
	cr_assert_eq(map_block_sums(m, &sums), ERR_OK);
	cr_assert_eq(map_difference_checked(third, map_vector(m), &sums, false, &f), ERR_OK);
	join(m, &f);
	block_sums_fini(&sums);
	map_free(third);
}

Test(stream, it_ends_when_kill_records_were_lost_meanwhile)
{
	struct map *m = server_map(), *client = new_map(1);
	struct stream *s = open_stream(m, client);
	struct fragment kept = {0}, piece;
	bool last;

	cr_assert_not(next_piece(s, MOST, &kept));
	take_floor(m);
	cr_assert_eq(stream_next(s, MOST, &piece, &last), ERR_WRONG_STATE);
	cr_assert_eq(stream_next(s, MOST, &piece, &last), ERR_WRONG_STATE);
	stream_free(s);
	fragment_fini(&kept);
	/* A floor that was there before is none of its business. */
	s = open_stream(m, client);
	while (!next_piece(s, MOST, &kept))
		;
	join(client, &kept);
	cr_same(client, m);
	stream_free(s);
	map_free(client);
	map_free(m);
}

/* ---- memory ---- */

Test(stream, none_is_opened_when_memory_runs_out)
{
	struct map *m = server_map(), *client = new_map(1);
	struct block_sums sums;
	bool failed = true;
	long n = 0;

	pull(client, m);
	cr_assert_eq(map_block_sums(client, &sums), ERR_OK);
	for (; failed; n++) {
		struct stream *s = NULL;
		enum err e;

		failing_arm(n);
		e = stream_new(m, map_vector(client), &sums, &s);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		cr_assert_eq(s == NULL, failed);
		stream_free(s);
	}
	cr_assert_geq(n, 5);
	truncate_all(m);
	cr_assert_eq(map_kills(m), 0, "none is open");
	block_sums_fini(&sums);
	map_free(client);
	map_free(m);
}

Test(stream, a_piece_that_found_no_memory_is_asked_for_again)
{
	bool failed = true;
	long n = 0;

	/* One allocation fails, of the whole life of a stream. */
	for (; failed; n++) {
		struct map *m = server_map(), *client = new_map(1);
		struct stream *s = open_stream(m, client);
		struct fragment kept = {0};
		long left = n;
		bool last = false;

		failed = false;
		for (int pieces = 0; !last; pieces++) {
			struct fragment piece = {0};
			enum err e;

			if (!failed)
				failing_arm(left);
			e = stream_next(s, MOST, &piece, &last);
			left = failing_left;
			if (failing_disarm() && !failed) {
				cr_assert_eq(e, ERR_NO_MEMORY, "%ld: %d", n, e);
				cr_assert_null(piece.puts);
				failed = true;
				continue;
			}
			cr_assert_eq(e, ERR_OK, "%ld", n);
			keep(&kept, &piece, last);
			put_number(m, (uint64_t)pieces, 5);
		}
		join(client, &kept);
		pull(client, m);
		cr_same(client, m);
		stream_free(s);
		map_free(client);
		map_free(m);
	}
	cr_assert_gt(n, 3 * KEYS / MOST, "each piece allocates");
}

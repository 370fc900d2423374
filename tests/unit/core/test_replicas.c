#include "tests/unit/core/world.h"

Test(replicas, every_schedule_keeps_the_state_pure_and_converges)
{
	size_t applied = 0, refused = 0;

	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct world *w = begin(seed);

		for (int i = 0; i < 160; i++)
			step(w);
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < REPLICAS * REPLICAS; i++)
				pull(w->replicas[i / REPLICAS], w->replicas[i % REPLICAS]);
		}
		for (int i = 1; i < REPLICAS; i++)
			cr_assert(same(w->replicas[0], w->replicas[i]), "seed %d", (int)seed);
		cr_pure(w, w->replicas[0]);
		applied += w->applied;
		refused += w->refused;
		end(w);
	}
	/* Both were tried often. */
	cr_assert_gt(applied, 500);
	cr_assert_gt(refused, 100);
}

/* The join of two states, as a map of its own. */
static struct map *join(struct world *w, const struct map *a, const struct map *b)
{
	struct map *m = fresh_map(w);

	pull(m, a);
	pull(m, b);
	return m;
}

Test(replicas, s106_the_join_is_commutative_associative_and_idempotent)
{
	for (uint64_t seed = 1000; seed < 1100; seed++) {
		struct world *w = begin(seed);
		struct map *ab, *ba, *ab_c, *bc, *a_bc, *aa;

		for (int i = 0; i < 80; i++)
			step(w);
		ab = join(w, w->replicas[0], w->replicas[1]);
		ba = join(w, w->replicas[1], w->replicas[0]);
		bc = join(w, w->replicas[1], w->replicas[2]);
		ab_c = join(w, ab, w->replicas[2]);
		a_bc = join(w, w->replicas[0], bc);
		aa = join(w, w->replicas[0], w->replicas[0]);
		cr_assert(same(ab, ba));
		cr_assert(same(ab_c, a_bc));
		cr_assert(same(aa, w->replicas[0]));
		cr_pure(w, ab_c);
		map_free(ab);
		map_free(ba);
		map_free(bc);
		map_free(ab_c);
		map_free(a_bc);
		map_free(aa);
		end(w);
	}
}

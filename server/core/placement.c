#include "server/core/placement.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t rendezvous_score(const char *name, size_t name_bytes, struct origin_id node)
{
	return XXH3_64bits_withSeed(name, name_bytes, XXH3_64bits(&node, sizeof(node)));
}

uint32_t placement_cap(uint32_t total, size_t count)
{
	uint64_t share = (uint64_t)total * (100 + PLACEMENT_SLACK_PERCENT);
	uint64_t nodes = 100 * (uint64_t)(count ? count : 1);

	return (uint32_t)((share + nodes - 1) / nodes);
}

/* True when candidate `a` comes before `b`; equal hashes fall back to the id. */
static bool before(uint64_t a_score, struct origin_id a, uint64_t b_score, struct origin_id b)
{
	return a_score != b_score ? a_score > b_score : origin_compare(a, b) > 0;
}

/* The best of those below `cap`; `count` when there is none. */
static size_t best_below(
	const struct candidate *c, size_t count, uint32_t cap, const char *name, size_t bytes)
{
	size_t best = count;
	uint64_t best_score = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t score = rendezvous_score(name, bytes, c[i].node);

		if (c[i].barred || c[i].load >= cap)
			continue;
		if (best == count || before(score, c[i].node, best_score, c[best].node)) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

bool place(struct candidate *candidates, size_t count, uint32_t cap, const char *name,
	size_t name_bytes, struct placement *ret)
{
	size_t best = best_below(candidates, count, cap, name, name_bytes);
	bool over = best == count;

	if (over)
		best = best_below(candidates, count, UINT32_MAX, name, name_bytes);
	if (best == count)
		return false;
	candidates[best].load++;
	*ret = (struct placement){.index = best, .over_capacity = over};
	return true;
}

size_t rendezvous_rank(const struct candidate *candidates, size_t count, const char *name,
	size_t name_bytes, struct origin_id node)
{
	uint64_t mine = rendezvous_score(name, name_bytes, node);
	size_t rank = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t score = rendezvous_score(name, name_bytes, candidates[i].node);

		if (!origin_equal(candidates[i].node, node) &&
			before(score, candidates[i].node, mine, node))
			rank++;
	}
	return rank;
}

/*
 * The live-dot block digest (replication.md 1.7): sums over the live entries in blocks of seqs, so
 * that two replicas find where they differ without telling each other all that they have.
 */
#ifndef HORDE_CORE_BLOCKS_H
#define HORDE_CORE_BLOCKS_H

#include "server/core/fragment.h"

struct block_run { /* of one origin; block i holds seqs i * 2^shift + 1 to (i + 1) * 2^shift */
	struct origin_id origin;
	unsigned shift;
	size_t first; /* sums[first] to sums[first + count - 1], by growing index */
	size_t count;
};

struct block_sum { /* modulo 2^64, of the digest terms of its live dots */
	uint64_t index;
	uint64_t sum;
};

struct block_sums { /* blocks without a live dot are left out */
	struct block_run *runs; /* by origin */
	size_t run_count;
	struct block_sum *sums;
	size_t sum_count;
};

void block_sums_fini(struct block_sums *b);

/* Of all live dots. Errors: NO_MEMORY. */
enum err map_block_sums(const struct map *m, struct block_sums *ret);

/*
 * The answer to posted sums: a full fragment against `after`, also when it has no range, with
 * checks and floors. With `repair` the live entries of the differing blocks are among the puts,
 * though no range covers them. Errors: NO_MEMORY.
 */
enum err map_difference_checked(const struct map *m, const struct vector *after,
	const struct block_sums *theirs, bool repair, struct fragment *ret);

#endif

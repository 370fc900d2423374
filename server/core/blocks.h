/*
 * The live-dot block digest (replication.md 1.7, part 6 "Digest"): what a client whose vector is
 * below a floor posts, so that the server can tell it which of its live entries are dead without
 * kill records, and what two replicas compare that know the same and hold different things.
 *
 * The seqs of an origin are cut into blocks of 2^shift; block i holds i * 2^shift + 1 to
 * (i + 1) * 2^shift. A block's sum is that of the digest terms of its live entries, modulo 2^64, so
 * it covers their content. Blocks without a live entry are left out.
 */
#ifndef HORDE_CORE_BLOCKS_H
#define HORDE_CORE_BLOCKS_H

#include "server/core/fragment.h"

#define BLOCK_LIVE 64 /* about so many live entries fall in a block */
#define BLOCK_SHIFT_MAX 52

struct block_sum {
	uint64_t index;
	uint64_t sum;
};

struct block_run { /* the blocks of one origin: sums[first] to sums[first + count - 1] */
	struct origin_id origin;
	unsigned shift;
	size_t first;
	size_t count; /* never 0 */
};

struct block_sums {
	struct block_run *runs; /* by origin */
	size_t run_count;
	struct block_sum *sums; /* by index within a run */
	size_t sum_count;
};

void block_sums_fini(struct block_sums *b);
/* Of all live entries. Fills an empty `ret_sums`. Errors: NO_MEMORY. */
enum err map_block_sums(const struct map *m, struct block_sums *ret_sums);

/*
 * The answer to the sums that a client posts with its vector `after` (lemma 4): always FULL, with
 * the floors that the client's kill log has to rise to, and a check for each block that differs, of
 * the seqs that both know. With `repair` also blocks that the client has nothing of are checked,
 * and the live entries of all checks are among the puts.
 * Borrows from the map as map_difference does. Errors: NO_MEMORY.
 */
enum err map_difference_checked(const struct map *m, const struct vector *after,
	const struct block_sums *theirs, bool repair, struct fragment *ret);

#endif

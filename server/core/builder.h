/* Making a fragment item by item: for the server's side of the map. Only its files include this. */
#ifndef HORDE_CORE_BUILDER_H
#define HORDE_CORE_BUILDER_H

#include "server/core/blocks.h"
#include "server/core/replica.h"

struct builder {
	struct fragment f;
	size_t range_size;
	size_t put_size;
	size_t kill_size;
	size_t check_size;
	size_t alive_size;
	bool failed; /* no memory: the fragment must not be used */
};

/* An empty fragment of `m`, that borrows from it. */
void builder_init(struct builder *b, const struct map *m);
/* The vector and digest of now. */
void builder_sign(struct builder *b, const struct map *m);
void builder_range(struct builder *b, const struct history *h, uint64_t after, uint64_t upto);
void builder_put(struct builder *b, const struct entry *e);
/*
 * The live entries and kill records of events (after, upto] of `h`. With NAIVE(FILTER) only the
 * records that a client with the vector `known` needs.
 */
void builder_events(struct builder *b, const struct history *h, uint64_t after, uint64_t upto,
	const struct vector *known);
/* A check of (after, upto]; the seqs that are alive in it follow by builder_alive. */
void builder_check(struct builder *b, const struct history *h, uint64_t after, uint64_t upto);
void builder_alive(struct builder *b, uint64_t seq);
/* Raises the client's floor of `h` where `after` is below ours. */
void builder_floor(struct builder *b, const struct history *h, uint64_t after);
/* Everything that `after` lacks; the mode is FULL. */
void builder_difference(struct builder *b, const struct map *m, const struct vector *after);
/* The checks of map_difference_checked (blocks.h). */
void builder_checks(struct builder *b, const struct map *m, const struct vector *after,
	const struct block_sums *theirs, bool repair);
/* Gives the fragment away, or frees it. Errors: NO_MEMORY. */
enum err builder_end(struct builder *b, struct fragment *ret);

#endif

/*
 * A full difference in pieces, over a map that goes on changing: what a cold join of a large map
 * takes, in bounded memory (replication.md 1.6, "Bulk difference").
 *
 * It walks from origin to origin and from seq to seq, and again over what came meanwhile, until the
 * rest is one piece. That last piece is made at one instant, and carries the ranges, the vector,
 * the digest, the checks and the floors of it. What was sent before and has died since was killed
 * by events that are sent after it, with their kill records, none of which is dropped while a
 * stream is open. So what the client has at the end is the state of that last vector, as if all of
 * it had been read at that instant, and no snapshot has to be held.
 */
#ifndef HORDE_CORE_STREAM_H
#define HORDE_CORE_STREAM_H

#include "server/core/blocks.h"

struct stream;

/*
 * The difference of `m` against `after`; with `theirs`, which may be NULL, as of
 * map_difference_checked. Both are copied. Errors: NO_MEMORY.
 */
enum err stream_new(struct map *m, const struct vector *after, const struct block_sums *theirs,
	struct stream **ret_stream);
void stream_free(struct stream *s);

/*
 * The next piece, of about `most` entries and kill records; it borrows from the map, until its next
 * mutation. `ret_last` tells the last one, that has ranges, vector, digest, checks and floors; in
 * the others they are empty. Nothing may be asked for after the last.
 * Errors: NO_MEMORY (ask again), WRONG_STATE (this node has itself taken over a floor meanwhile,
 * and lacks kill records now: the client has to ask anew).
 */
enum err stream_next(struct stream *s, size_t most, struct fragment *ret_piece, bool *ret_last);

#endif

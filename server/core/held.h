/*
 * Slices that wait for their deps (replication.md 1.3, lemma 3b, and part 6, "Held slices").
 *
 * A slice may only be applied once all that its server knew of other origins is known here. Two
 * servers that talk to each other make slices that need each other, so what is held is searched for
 * the greatest set that is closed: each begins where what is known ends, or where another one of
 * the set ends, and each dep is known or brought by one of the set. That set is applied as one.
 *
 * Dropping a held slice is always safe: the cursor falls back, and it is asked for again.
 */
#ifndef HORDE_CORE_HELD_H
#define HORDE_CORE_HELD_H

#include "server/core/fragment.h"

#define HELD_SLICES_MAX 256     /* of all links */
#define HELD_LINK_SLICES_MAX 64 /* of one link */
#define HELD_LINK_BYTES_MAX (16u << 20)
#define HELD_MS_MAX 5000 /* longer is not waited */

struct held;

enum err held_new(struct held **ret_held);
void held_free(struct held *held);

/*
 * Takes a slice of a link; the fragment is empty afterwards. Past a limit it is dropped.
 * Errors: NO_MEMORY (dropped).
 */
enum err held_add(struct held *held, uint32_t link, struct fragment *f_take, int64_t now_ms);

/*
 * Applies the greatest closed set, and forgets what is known or begins beyond a gap. `ret_applied`
 * is how many slices went in; `ret_forked` as of map_apply.
 * Errors: NO_MEMORY (all is kept), MALFORMED (a slice of the set is none; the set is dropped and
 * `ret_link`, if there is but one slice in it, names its link, else 0).
 */
enum err held_settle(struct held *held, struct map *m, struct changes *changes, size_t *ret_applied,
	struct origin_id *ret_forked, uint32_t *ret_link);

/*
 * What need not be sent again: the map's vector, joined with the tops of the slices that chain from
 * it. Fills an empty vector. Errors: NO_MEMORY.
 */
enum err held_cursor(const struct held *held, const struct map *m, struct vector *ret_cursor);

size_t held_count(const struct held *held);
/* How many of this link, and since when the oldest waits (INT64_MAX: none does). */
size_t held_of_link(const struct held *held, uint32_t link, int64_t *ret_since_ms);
/* The first origin that a slice of this link lacks, and how far; false when none is held. */
bool held_lacks(const struct held *held, const struct map *m, uint32_t link, struct dot *ret_dot);
void held_drop_link(struct held *held, uint32_t link);
/* Forgets those older than HELD_MS_MAX. */
void held_expire(struct held *held, int64_t now_ms);

#endif

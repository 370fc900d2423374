/*
 * What must be refused, whatever the input is: bodies that were damaged under way, and whole ones
 * that speak of what their reader cannot have. Each is counted as its kind (tally.h), and the run
 * ends when one is taken.
 */
#ifndef HORDE_TESTS_FUZZ_REFUSE_H
#define HORDE_TESTS_FUZZ_REFUSE_H

#include "server/core/fragment.h"
#include "tests/fuzz/tally.h"

/*
 * A body that is right is damaged in one way: TALLY_TRUNCATED (a part of it), TALLY_ALTERED (a bit
 * is turned, or a byte stands behind it), TALLY_REORDERED (lines in another order, missing, or
 * twice). It is not read. Where nothing can be damaged in that way nothing is counted.
 */
void refuse_damaged(enum tally kind, const char *bytes, size_t count, uint64_t *random);

/* The body of `f` in another version, or for a request that had no vector, is not read. */
void refuse_alien_body(const struct fragment *f, uint64_t *random);

/*
 * `f` is made to say what cannot be: a gap before it, events of m's own life that did not happen,
 * an origin that nobody has, one thing twice. It is not joined, or no repair is made of it, and `m`
 * is as before. Takes `f`; for a repair its vector is that of `m`.
 */
void refuse_alien(struct fragment *f_take, struct map *m, uint64_t *random);
void refuse_alien_repair(struct fragment *f_take, struct map *m, uint64_t *random);

#endif

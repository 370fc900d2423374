/*
 * The state's digest: two sums modulo 2^64 of one keyed hash per live entry, over its origin, seq,
 * clock, key and value. Adding and subtracting makes it incremental and independent of order
 * (replication.md part 6, "Digest").
 */
#ifndef HORDE_CORE_DIGEST_H
#define HORDE_CORE_DIGEST_H

#include "server/core/map.h"

/* What `e` contributes under the cluster's key `seed`. */
struct digest digest_term(uint64_t seed, const struct entry *e);
/* An unkeyed hash of a text, the same on every node: ETags, the hash of a spec. */
uint64_t digest_content(const char *bytes, size_t count);

static inline void digest_add(struct digest *d, struct digest term)
{
	d->sums[0] += term.sums[0];
	d->sums[1] += term.sums[1];
}

static inline void digest_subtract(struct digest *d, struct digest term)
{
	d->sums[0] -= term.sums[0];
	d->sums[1] -= term.sums[1];
}

#endif

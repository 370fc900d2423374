/*
 * The state's digest: two sums modulo 2^64 of one keyed hash per live entry, over its origin, seq,
 * clock, key and value. Adding and subtracting makes it incremental and independent of order
 * (replication.md part 6, "Digest").
 */
#ifndef HORDE_CORE_DIGEST_H
#define HORDE_CORE_DIGEST_H

#include "server/core/map.h"

struct chain_event {
	uint64_t clock;
	const char *key;
	size_t key_bytes;
	const char *value; /* NULL: none */
	size_t value_bytes;
};

/* The key of a cluster's digests, for map_new and map_rekey. */
uint64_t digest_key(struct origin_id cluster_id);
/* What `e` contributes under the cluster's key `seed`. */
struct digest digest_term(uint64_t seed, const struct entry *e);
/* An unkeyed hash of a text, the same on every node: ETags, the hash of a spec. */
uint64_t digest_content(const char *bytes, size_t count);
/*
 * The chain hash of an origin after its event `seq`: a hash of the chain before it and of all that
 * the event says, never 0. A removal has no value (NULL). The origin alone computes it; others pass
 * it on, so that an origin that lives twice is noticed (part 6, "Forks").
 */
uint64_t digest_chain(uint64_t before, uint64_t seq, const struct chain_event *e);
uint64_t digest_chain_victim(uint64_t chain, struct dot victim);

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

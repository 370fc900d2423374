/*
 * What a store holds of a map, kept from the map's changes alone, and the map that it gives back.
 * With it a target sees that what is in memory and what would be on disk are the same at any time.
 */
#ifndef HORDE_TESTS_FUZZ_ROWS_H
#define HORDE_TESTS_FUZZ_ROWS_H

#include "server/core/fragment.h"

#define ROWS_DIGEST_KEY 42 /* of all maps here */

struct rows_entry {
	struct dot dot;
	uint64_t clock;
	char *key, *value;
	size_t key_bytes, value_bytes;
};

struct rows_origin {
	struct origin_id origin;
	uint64_t count, floor, chain;
};

struct rows { /* zero is an empty store */
	struct rows_entry *entries;
	size_t entry_count;
	struct fragment_kill *kills;
	size_t kill_count;
	struct rows_origin *origins;
	size_t origin_count;
};

void rows_fini(struct rows *r);
struct rows rows_copy(const struct rows *r);
/* Carries the changes of one call out, in order, and empties them. */
void rows_change(struct rows *r, struct changes *c);
/* A restart: the map of these rows under a fresh origin. */
struct map *rows_load(const struct rows *r, struct origin_id self);

/* A fresh map. */
struct map *rows_map(struct origin_id self);
/* Ends the run unless `m` is what the invariants say of every map (replication.md 1.3). */
void rows_check_map(const struct map *m);
/* Ends the run unless a restart would give `m`. */
void rows_check(const struct rows *r, const struct map *m);
/* All entries, siblings too, in order, and the digest; not what else a map remembers. */
bool rows_same_entries(const struct map *a, const struct map *b);

#endif

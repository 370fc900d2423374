/*
 * The names of each owner: of those that end (a child, a lease), not of static ones, for which
 * there is no end to look for. An owner's keys are found without a walk over the map, so the end of
 * one costs as much as it had. The map keeps this by itself; what may be a million names takes
 * OWNED_BYTES each.
 */
#ifndef HORDE_CORE_OWNED_H
#define HORDE_CORE_OWNED_H

#include "server/core/map.h"

#define OWNED_BYTES 32 /* of memory that a name takes for it */

/* How many keys this owner has, those too that another owner has won; O(log n). */
size_t map_owned(const struct map *m, enum owner_kind kind, const char *id);
/*
 * The owner's entry with the least key greater than `key` ("" for the first), or NULL; O(log n). It
 * may have lost (entry_winner), and be one of several of this owner: siblings of several epochs.
 */
const struct entry *map_owned_after(const struct map *m, enum owner_kind kind, const char *id,
	const char *key, size_t key_bytes);
/* The least id greater than `id` of an owner of this kind that has a name, or NULL. */
const char *map_owner_after(const struct map *m, enum owner_kind kind, const char *id);

#endif

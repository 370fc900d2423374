/* From a store to an empty map. */
#ifndef HORDE_LOAD_MAP_H
#define HORDE_LOAD_MAP_H

#include "server/core/map.h"
#include "storage/store.h"

/* The setting that holds the cluster's id, as 32 hexadecimal digits. */
#define CLUSTER_SETTING "cluster_id"

/*
 * Fills `m` with all of the store. With `decode` values get their records; without, it is pure and
 * may run on any thread. `ret_cluster_id` is left alone when the store knows none.
 * Errors: STORAGE_CORRUPT (also when the rows are no state of their vector), NO_MEMORY, IO. The map
 * may only be freed then.
 */
enum err load_map(struct store store, struct map *m, bool decode, struct origin_id *ret_cluster_id);

#endif

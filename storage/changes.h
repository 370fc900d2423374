/*
 * From the map to the store and back: what a step changed becomes operations of a batch, and what
 * a store holds is loaded into an empty map.
 */
#ifndef HORDE_STORAGE_CHANGES_H
#define HORDE_STORAGE_CHANGES_H

#include "server/core/map.h"
#include "storage/batch.h"

/* Adds all of `changes`; on failure the batch is as it was before. Errors: NO_MEMORY, LIMIT. */
enum err batch_changes(struct store_batch *b, const struct changes *changes);

#endif

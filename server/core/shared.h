/*
 * Keys of registries where a key may have many owners (`duplicate`, as of Elixir's Registry): each
 * owner's entry has a key of its own in the map,
 *
 *	dup/REG/KEY, the mark, KIND:ID
 *
 * so that no two owners ever compete. No key of the API has the mark, and it comes before all that
 * they have: what belongs to one KEY stands together, and the order of keys is kept.
 */
#ifndef HORDE_CORE_SHARED_H
#define HORDE_CORE_SHARED_H

#include "server/core/record.h"

#define SHARED_MARK "\x01"

/* Into `ret_key`, NUL-terminated; its length, or 0 when it would be too long. */
size_t shared_key(char ret_key[KEY_BYTES_MAX + 1], const char *registry, size_t registry_bytes,
	const char *key, enum owner_kind kind, const char *id);
/* Of "KEY", or "KEY" and what follows it there, how many bytes are the key. */
size_t shared_key_bytes(const char *rest);

#endif

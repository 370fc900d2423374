#include "server/core/shared.h"

#include <stdio.h>
#include <string.h>

size_t shared_key(char ret_key[KEY_BYTES_MAX + 1], const char *registry, size_t registry_bytes,
	const char *key, enum owner_kind kind, const char *id)
{
	int bytes = snprintf(ret_key, KEY_BYTES_MAX + 1, "dup/%.*s/%s" SHARED_MARK "%s:%s",
		(int)registry_bytes, registry, key, owner_kind_name(kind), id);

	return bytes > 0 && bytes <= KEY_BYTES_MAX ? (size_t)bytes : 0;
}

size_t shared_key_bytes(const char *rest)
{
	return strcspn(rest, SHARED_MARK);
}

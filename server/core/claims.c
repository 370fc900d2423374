#include "server/core/claims.h"

#include "server/core/expand.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void claims_fini(struct claims *c)
{
	for (uint32_t i = 0; c->items && i < c->count; i++) {
		free(c->items[i].key);
		free(c->items[i].value);
	}
	free(c->items);
	*c = (struct claims){0};
}

bool claims_dup(const struct claims *c, struct claims *ret_copy)
{
	bool ok = true;

	*ret_copy = (struct claims){0};
	if (c->count == 0)
		return true;
	ret_copy->items = calloc(c->count, sizeof(*c->items));
	if (!ret_copy->items)
		return false;
	ret_copy->count = c->count;
	ret_copy->expands = c->expands;
	for (uint32_t i = 0; i < c->count; i++) {
		struct claim *copy = &ret_copy->items[i];

		copy->key = strdup(c->items[i].key);
		copy->key_bytes = c->items[i].key_bytes;
		copy->value = strdup(c->items[i].value);
		copy->on_taken = c->items[i].on_taken;
		ok = ok && copy->key && copy->value;
	}
	return ok;
}

static bool expand_one(const struct claim *c, char *const *identity, struct claim *copy)
{
	struct text key = TEXT_INIT, value = TEXT_INIT;

	expand(c->key, identity, false, &key);
	expand(c->value, identity, true, &value);
	copy->key_bytes = key.used;
	copy->key = text_take(&key);
	copy->value = text_take(&value);
	copy->on_taken = c->on_taken;
	return copy->key && copy->value;
}

bool claims_expand(const struct claims *c, char *const *identity, struct claims *ret_copy)
{
	*ret_copy = (struct claims){.items = calloc(c->count + 1u, sizeof(*c->items))};
	while (ret_copy->items && ret_copy->count < c->count) {
		uint32_t i = ret_copy->count++;

		if (!expand_one(&c->items[i], identity, &ret_copy->items[i])) {
			claims_fini(ret_copy);
			return false;
		}
	}
	return ret_copy->items;
}

uint64_t claims_hash(const struct claims *c)
{
	uint64_t hash = c->count;

	for (uint32_t i = 0; i < c->count; i++) {
		const struct claim *one = &c->items[i];

		hash = XXH3_64bits_withSeed(one->key, one->key_bytes + 1, hash);
		hash = XXH3_64bits_withSeed(one->value, strlen(one->value) + 1, hash);
		hash = hash * 31 + one->on_taken;
	}
	return hash;
}

bool claims_have(const struct claims *c, const char *key)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (strcmp(c->items[i].key, key) == 0)
			return true;
	return false;
}

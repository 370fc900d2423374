/*
 * Registries: which there are, and their end. `default` always exists; any other while its record
 * does.
 *
 * The record goes after all that was in it, so one that is made anew is empty. A name that another
 * node put meanwhile, before it heard of the end, is stranded: it shows nowhere, and the member
 * that hashing puts first takes it away.
 */
#include "server/core/parts.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_REGISTRY "default"

static const char *const contents[] = {"entry", "dup", "meta"};
#define CONTENTS (sizeof(contents) / sizeof(contents[0]))

bool horde_registry(const struct horde *h, const char *name, const struct entry **ret_entry)
{
	*ret_entry = get(h, "registry", name);
	return *ret_entry || strcmp(name, DEFAULT_REGISTRY) == 0;
}

/* Of "entry/REG/KEY". False: it is none that the API could have made. */
static bool name_of(const char *key, char ret_name[NAME_BYTES_MAX + 1])
{
	const char *name = key_rest(key), *end = strchr(name, '/');
	size_t bytes = end ? (size_t)(end - name) : 0;

	if (bytes == 0 || bytes > NAME_BYTES_MAX)
		return false;
	memcpy(ret_name, name, bytes);
	ret_name[bytes] = '\0';
	return true;
}

bool registries_have(const struct horde *h, const char *key)
{
	char name[NAME_BYTES_MAX + 1];
	const struct entry *e;

	return name_of(key, name) && horde_registry(h, name, &e);
}

struct registry_record registries_rules(const struct horde *h, const char *key)
{
	char name[NAME_BYTES_MAX + 1];
	const struct entry *e = NULL;

	if (name_of(key, name))
		horde_registry(h, name, &e);
	return e && e->record ? e->record->registry : (struct registry_record){0};
}

enum err registries_put(struct horde *h, const struct event *e)
{
	const struct entry *present = map_get(h->map, e->put.key, e->put.key_bytes);

	if (present && present->record && e->put.record &&
		present->record->registry.keys != e->put.record->registry.keys)
		return ERR_WRONG_STATE;
	return put_as_it_is(h, e);
}

/* Removes what begins with `prefix`, at most `*most`, which becomes less by that. */
static enum err remove_some(struct horde *h, const char *prefix, size_t *most)
{
	size_t bytes = strlen(prefix);
	const struct entry *e = map_from(h->map, prefix, bytes);
	enum err err = ERR_OK;

	while (err == ERR_OK && *most > 0 && e && e->key_bytes >= bytes &&
		memcmp(e->key, prefix, bytes) == 0) {
		const char *key = e->key; /* readable until the sweep */
		size_t key_bytes = e->key_bytes;

		err = map_remove(h->map, key, key_bytes, stamp(h), &h->out->changes);
		e = map_after(h->map, key, key_bytes);
		--*most;
	}
	return err;
}

/* What is in the registry of this name. */
static enum err empty(struct horde *h, const char *name, size_t *most)
{
	char prefix[NAME_BYTES_MAX + 16];
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < CONTENTS; i++) {
		snprintf(prefix, sizeof(prefix), "%s/%s/", contents[i], name);
		err = remove_some(h, prefix, most);
	}
	return err;
}

enum err registries_remove(struct horde *h, const struct event *e)
{
	const char *name = key_rest(e->put.key);
	size_t most = REGISTRY_REMOVE_MAX;
	enum err err;

	if (!get(h, "registry", name))
		return ERR_NOT_FOUND;
	err = empty(h, name, &most);
	return err == ERR_OK && most > 0 ? remove_key(h, "registry", name) : err;
}

void registries_changed(struct horde *h, const char *name)
{
	const struct entry *e;

	children_mark_all(h); /* what their specs ask for may be there now */
	if (!horde_registry(h, name, &e))
		h->stranded_ms = h->now_ms;
}

void registries_named(struct horde *h, const struct change *change)
{
	if (change->kind == CHANGE_PUT && h->stranded_ms == INT64_MAX &&
		!registries_have(h, change->entry->key))
		h->stranded_ms = h->now_ms;
}

/* The first key of this family in the registry behind `after`'s. */
static const struct entry *next_registry(
	const struct horde *h, const char *family, const char *after)
{
	char bound[NAME_BYTES_MAX + 16];
	/* All keys of one end before those with the byte after '/' in its place. */
	int bytes = *after ? snprintf(bound, sizeof(bound), "%s/%s0", family, after)
			   : snprintf(bound, sizeof(bound), "%s/", family);
	const struct entry *e = map_from(h->map, bound, (size_t)bytes);
	size_t prefix = strlen(family) + 1;

	return e && e->key_bytes > prefix && memcmp(e->key, bound, prefix) == 0 ? e : NULL;
}

/* True: there is still something of this family in a registry that is not there. */
static bool sweep_family(struct horde *h, const char *family, size_t *most)
{
	char name[NAME_BYTES_MAX + 1] = "", prefix[NAME_BYTES_MAX + 16];
	bool left = false;

	for (const struct entry *e;
		(e = next_registry(h, family, name)) && name_of(e->key, name);) {
		if (registries_have(h, e->key))
			continue;
		snprintf(prefix, sizeof(prefix), "%s/%s/", family, name);
		if (member_first(h, prefix))
			remove_some(h, prefix, most);
		left = left || map_count_prefix(h->map, prefix, strlen(prefix)) > 0;
	}
	return left;
}

void registries_tick(struct horde *h)
{
	size_t most = REGISTRY_REMOVE_MAX;
	bool left = false;

	if (h->now_ms < h->stranded_ms || !h->synced)
		return;
	for (size_t i = 0; i < CONTENTS; i++)
		left = sweep_family(h, contents[i], &most) || left;
	h->stranded_ms = left ? h->now_ms + STRANDED_EVERY_MS : INT64_MAX;
}

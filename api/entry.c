#include "api/entry.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/child.h"
#include "api/endpoint.h"
#include "api/json_text.h"
#include "server/core/owned.h"
#include "server/core/shared.h"

enum err owner_parse(const char *text, struct owner *ret_owner)
{
	const char *colon = strchr(text, ':'), *slash;
	struct owner o;

	if (!colon || colon[1] == '\0')
		return ERR_MALFORMED;
	o.id = colon + 1;
	if ((size_t)(colon - text) == strlen("child") && memcmp(text, "child", 5) == 0) {
		o.kind = OWNER_CHILD;
		slash = strchr(o.id, '/');
		if (!slash || slash == o.id || slash[1] == '\0' || strchr(slash + 1, '/'))
			return ERR_MALFORMED;
	} else if ((size_t)(colon - text) == strlen("lease") && memcmp(text, "lease", 5) == 0) {
		o.kind = OWNER_LEASE;
	} else if ((size_t)(colon - text) == strlen("static") && memcmp(text, "static", 6) == 0) {
		o.kind = OWNER_STATIC;
	} else {
		return ERR_MALFORMED;
	}
	*ret_owner = o;
	return ERR_OK;
}

struct owner owner_of_json(const json_t *object)
{
	struct owner o;

	o.kind = owner_kind_from(json_string_value(json_object_get(object, "kind")));
	o.id = json_string_value(json_object_get(object, "id"));
	return o;
}

size_t entry_map_key(const struct exchange *x, const char *family, char ret_key[KEY_BYTES_MAX + 1])
{
	return resource_key(ret_key, family, exchange_path(x, "reg"), exchange_path(x, "key"));
}

const struct entry *meta_find(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	size_t length = entry_map_key(x, "meta", key);

	exchange_watch_key(x, key, length);
	return map_get(resource_map(x), key, length);
}

const struct entry *meta_present(const struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	size_t length = entry_map_key(x, "meta", key);

	return map_get(resource_map(x), key, length);
}

bool entry_shared(const struct exchange *x)
{
	const struct entry *e;

	return horde_registry(resource_horde(x), exchange_path(x, "reg"), &e) && e && e->record &&
	       e->record->registry.keys == KEYS_DUPLICATE;
}

const char *entry_family(const struct exchange *x)
{
	return entry_shared(x) ? "dup" : "entry";
}

size_t entry_key_of(
	const struct exchange *x, const struct owner *owner, char ret_key[KEY_BYTES_MAX + 1])
{
	const char *registry = exchange_path(x, "reg");
	size_t bytes;

	if (!entry_shared(x))
		return entry_map_key(x, "entry", ret_key);
	bytes = shared_key(ret_key, registry, strlen(registry), exchange_path(x, "key"),
		owner->kind, owner->id);
	assert(bytes > 0); /* all parts are within limits */
	return bytes;
}

const struct entry *entry_present(const struct exchange *x, const struct owner *owner)
{
	char key[KEY_BYTES_MAX + 1];
	size_t length = entry_key_of(x, owner, key);

	return map_get(resource_map(x), key, length);
}

const struct entry *entry_first_of(
	const struct exchange *x, const char *key, char ret_prefix[KEY_BYTES_MAX + 1])
{
	const struct entry *e;
	int bytes = snprintf(ret_prefix, KEY_BYTES_MAX + 1, "dup/%s/%s" SHARED_MARK,
		exchange_path(x, "reg"), key);

	assert(bytes > 0 && bytes <= KEY_BYTES_MAX);
	e = map_from(resource_map(x), ret_prefix, (size_t)bytes);
	return e && strncmp(e->key, ret_prefix, (size_t)bytes) == 0 ? e : NULL;
}

const struct entry *entry_next_of(
	const struct exchange *x, const char *prefix, const struct entry *e)
{
	e = map_after(resource_map(x), e->key, e->key_bytes);
	return e && strncmp(e->key, prefix, strlen(prefix)) == 0 ? e : NULL;
}

const struct entry *entry_after(
	const struct map *m, const struct owner *owner, const char *key, size_t key_bytes)
{
	const struct entry *e;

	if (!owner || owner->kind == OWNER_STATIC)
		return map_after(m, key, key_bytes);
	e = map_owned_after(m, owner->kind, owner->id, key, key_bytes);
	return e ? map_get(m, e->key, e->key_bytes) : NULL;
}

const struct entry *entry_from(
	const struct map *m, const struct owner *owner, const char *key, size_t key_bytes)
{
	const struct entry *e = map_get(m, key, key_bytes);

	return e ? e : entry_after(m, owner, key, key_bytes);
}

const char *entry_key(const struct entry *e, size_t *ret_bytes)
{
	const char *key = key_rest(key_rest(e->key));

	*ret_bytes = shared_key_bytes(key);
	return key;
}

void entry_put_key(struct text *out, const struct entry *e)
{
	size_t bytes;
	const char *key = entry_key(e, &bytes);

	json_key(out, "key");
	json_string_n(out, key, bytes);
}

static void put_place(struct text *out, const struct entry *e)
{
	const char *registry = key_rest(e->key);

	json_key(out, "registry");
	json_string_n(out, registry, strcspn(registry, "/"));
	entry_put_key(out, e);
}

struct etag entry_etag(const struct horde *h, const struct entry *e)
{
	uint64_t owner = endpoint_hash(h, e);

	return owner ? etag_pair(entry_content(e), owner) : etag_of(entry_content(e));
}

uint64_t entry_hash(const struct horde *h, const struct entry *e)
{
	return hash_pair(entry_content(e), endpoint_hash(h, e));
}

struct etag meta_etag(const struct entry *e)
{
	return etag_of(entry_content(e));
}

void entry_put_owner(struct text *out, const struct horde *h, const struct entry_record *r)
{
	json_key(out, "owner");
	json_object(out);
	json_put_string(out, "kind", owner_kind_name(r->owner_kind));
	json_put_string(out, "id", r->owner_id);
	if (!origin_is_zero(r->node))
		json_put_string(out, "node", horde_member_name(h, r->node));
	if (r->owner_kind == OWNER_CHILD)
		json_put_uint(out, "epoch", r->epoch);
	json_end_object(out);
}

/* Both parts have a fixed width, so that texts compare as they do. */
static void put_fence(struct text *out, const struct entry_record *r)
{
	char hex[ORIGIN_HEX_BYTES], fence[FENCE_BYTES];

	origin_to_hex((struct origin_id){r->created, r->epoch}, hex);
	memcpy(fence, hex, 16);
	fence[16] = '-';
	memcpy(fence + 17, hex + 16, 17);
	json_put_string(out, "fence", fence);
}

void entry_open(struct text *out, const struct horde *h, const struct entry *e)
{
	struct entry_record r;
	const char *raw;
	size_t bytes;

	json_object(out);
	put_place(out, e);
	if (!entry_name(e, &r))
		return;
	entry_put_owner(out, h, &r);
	raw = entry_raw(e, &bytes);
	json_key(out, "value");
	json_raw(out, raw, bytes);
	put_fence(out, &r);
	json_put_time(out, "created_at", clock_ms(r.created));
	json_put_time(out, "updated_at", clock_ms(e->clock));
	json_put_bool(out, "stale", horde_entry_stale(h, e));
	endpoint_put(out, h, e);
}

const struct entry *entry_owner_spec(const struct horde *h, const struct entry *e)
{
	struct child_view view;
	struct entry_record r;

	if (!entry_name(e, &r) || r.owner_kind != OWNER_CHILD)
		return NULL;
	horde_child(h, r.owner_id, &view);
	return view.spec;
}

/* The only member of the object that was begun in `room`. */
static const char *only_member(struct text *room, enum match_part part, size_t *ret_bytes)
{
	json_end_object(room);
	return text_ok(room)
		       ? json_member(room->bytes, room->used, match_part_name(part), ret_bytes)
		       : NULL;
}

static const char *time_of(
	struct text *room, enum match_part part, uint64_t clock, size_t *ret_bytes)
{
	json_object(room);
	json_put_time(room, match_part_name(part), clock_ms(clock));
	return only_member(room, part, ret_bytes);
}

static const char *all_of(struct text *room, size_t *ret_bytes)
{
	*ret_bytes = room->used;
	return text_ok(room) ? room->bytes : NULL;
}

const char *entry_part(struct text *room, const struct horde *h, const struct entry *e,
	enum match_part part, size_t *ret_bytes)
{
	struct entry_record r;
	const char *key;
	size_t key_bytes;

	text_clear(room);
	if (part == MATCH_KEY) {
		key = entry_key(e, &key_bytes);
		json_string_n(room, key, key_bytes);
		return all_of(room, ret_bytes);
	}
	if (!entry_name(e, &r))
		return NULL;
	switch (part) {
	case MATCH_VALUE:
		return entry_raw(e, ret_bytes);
	case MATCH_OWNER:
		json_object(room);
		entry_put_owner(room, h, &r);
		return only_member(room, part, ret_bytes);
	case MATCH_LABELS:
		return child_labels(entry_owner_spec(h, e), ret_bytes);
	case MATCH_FENCE:
		json_object(room);
		put_fence(room, &r);
		return only_member(room, part, ret_bytes);
	case MATCH_CREATED_AT:
		return time_of(room, part, r.created, ret_bytes);
	case MATCH_UPDATED_AT:
		return time_of(room, part, e->clock, ret_bytes);
	case MATCH_STALE:
		json_bool(room, horde_entry_stale(h, e));
		return all_of(room, ret_bytes);
	case MATCH_READY:
		json_bool(room, horde_entry_ready(h, e));
		return all_of(room, ret_bytes);
	case MATCH_KEY:
	case MATCH_PARTS:
		break;
	}
	return NULL;
}

void meta_open(struct text *out, const struct entry *e)
{
	json_object(out);
	put_place(out, e);
	json_key(out, "value");
	json_raw(out, entry_text(e, NULL), e->value_bytes);
	json_put_time(out, "updated_at", clock_ms(e->clock));
}

void entry_needs_owner(struct exchange *x)
{
	exchange_problem(x, PROBLEM_BAD_QUERY,
		"a key of registry '%s' may have many owners: name one with owner",
		exchange_path(x, "reg"));
}

void key_not_found(struct exchange *x)
{
	exchange_problem(x, PROBLEM_KEY_NOT_FOUND, "there is no key '%s' in registry '%s'",
		exchange_path(x, "key"), exchange_path(x, "reg"));
}

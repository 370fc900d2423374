/* Looking up names: lookupKey, getKeyValue. */
#include "api/registry.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/entry.h"
#include "server/core/digest.h"

static void not_there(struct exchange *x)
{
	reads_absent(x, PROBLEM_KEY_NOT_FOUND, "there is no key '%s' in registry '%s'",
		exchange_path(x, "key"), exchange_path(x, "reg"));
}

/* Whether it is stale is an opinion about the member that its owner lives on, if any. */
static void watch_owner(struct exchange *x, const struct entry *e)
{
	struct entry_record name;

	if (entry_name(e, &name) && !origin_is_zero(name.node))
		exchange_watch_prefix(x, "member/", strlen("member/"));
	endpoint_watch(x, e);
}

/* One entry: that of the owner that the query names, where there may be several. */
static void lookup_one(struct exchange *x, const struct owner *owner)
{
	char key[KEY_BYTES_MAX + 1];
	size_t bytes = entry_key_of(x, owner, key);
	const struct entry *e = map_get(resource_map(x), key, bytes);
	struct text body = TEXT_INIT;
	struct etag etag;

	exchange_watch_key(x, key, bytes);
	if (!e) {
		not_there(x);
		return;
	}
	watch_owner(x, e);
	etag = entry_etag(resource_horde(x), e);
	if (resource_settled(x, &etag, horde_entry_stale(resource_horde(x), e)))
		return;
	entry_open(&body, resource_horde(x), e);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* The entries of all owners of a key, in the order of their owners. */
static void lookup_all(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	char prefix[KEY_BYTES_MAX + 1];
	const struct entry *e = entry_first_of(x, exchange_path(x, "key"), prefix);
	uint64_t sum = 0, stale = 0;
	struct text body = TEXT_INIT;
	struct etag etag;

	exchange_watch_prefix(x, prefix, strlen(prefix));
	if (!e) {
		not_there(x);
		return;
	}
	json_object(&body);
	json_put_string(&body, "registry", exchange_path(x, "reg"));
	json_put_string(&body, "key", exchange_path(x, "key"));
	json_key(&body, "entries");
	json_array(&body);
	for (size_t n = 0; e && n < PAGE_LIMIT_MAX; n++, e = entry_next_of(x, prefix, e)) {
		watch_owner(x, e);
		etag = entry_etag(h, e);
		entry_open(&body, h, e);
		etag_put(&body, &etag);
		json_end_object(&body);
		sum = hash_pair(
			sum, hash_pair(digest_content(e->key, e->key_bytes), entry_hash(h, e)));
		stale = hash_pair(stale, horde_entry_stale(h, e));
	}
	json_end_array(&body);
	etag = etag_of(sum);
	if (resource_settled(x, &etag, stale)) {
		text_fini(&body);
		return;
	}
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* Of the query. False: 400 was answered. */
static bool owner_asked(struct exchange *x, struct owner *owner, bool *ret_given)
{
	const char *text = exchange_query(x, "owner");

	*ret_given = text && *text;
	if (!*ret_given || owner_parse(text, owner) == ERR_OK)
		return true;
	exchange_problem(x, PROBLEM_BAD_QUERY,
		"owner must be child:<supervisor>/<id>, lease:<id> or static:<name>");
	return false;
}

static void lookup_key(struct exchange *x)
{
	struct owner owner = {0};
	bool given;

	if (!resource_registry(x) || !owner_asked(x, &owner, &given))
		return;
	if (entry_shared(x) && !given)
		lookup_all(x);
	else
		lookup_one(x, &owner);
}

static void get_key_value(struct exchange *x)
{
	struct owner owner = {0};
	char key[KEY_BYTES_MAX + 1];
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;
	const char *raw;
	size_t bytes;
	bool given;

	if (!resource_registry(x) || !owner_asked(x, &owner, &given))
		return;
	if (entry_shared(x) && !given) {
		entry_needs_owner(x);
		return;
	}
	bytes = entry_key_of(x, &owner, key);
	exchange_watch_key(x, key, bytes);
	e = map_get(resource_map(x), key, bytes);
	if (!e || !entry_decoded(e)) {
		not_there(x);
		return;
	}
	etag = entry_etag(resource_horde(x), e);
	if (reads_settled(x, &etag))
		return;
	raw = entry_raw(e, &bytes);
	text_add(&body, raw, bytes);
	reads_reply_value(x, &body, &etag);
}

const struct binding registry_bindings[] = {
	{"lookupKey", lookup_key},
	{"getKeyValue", get_key_value},
	{NULL, NULL},
};

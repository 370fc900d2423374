/* Looking up names: lookupKey, getKeyValue. */
#include "api/registry.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/entry.h"

static void lookup_key(struct exchange *x)
{
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct entry_record name;
	struct etag etag;

	if (!resource_registry(x))
		return;
	e = entry_find(x, "entry");
	if (!e) {
		reads_absent(x, PROBLEM_KEY_NOT_FOUND, "there is no key '%s' in registry '%s'",
			exchange_path(x, "key"), exchange_path(x, "reg"));
		return;
	}
	/* Whether it is stale is an opinion about the member that its owner lives on, if any. */
	if (entry_name(e, &name) && !origin_is_zero(name.node))
		exchange_watch_prefix(x, "member/", strlen("member/"));
	endpoint_watch(x, e);
	etag = entry_etag(resource_horde(x), e);
	if (resource_settled(x, &etag, horde_entry_stale(resource_horde(x), e)))
		return;
	entry_open(&body, resource_horde(x), e);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

static void get_key_value(struct exchange *x)
{
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;
	const char *raw;
	size_t bytes;

	if (!resource_registry(x))
		return;
	e = entry_find(x, "entry");
	if (!e || !entry_decoded(e)) {
		reads_absent(x, PROBLEM_KEY_NOT_FOUND, "there is no key '%s' in registry '%s'",
			exchange_path(x, "key"), exchange_path(x, "reg"));
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

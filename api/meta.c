/* Values of a registry itself: getMeta, putMeta, deleteMeta. */
#include <string.h>

#include "api/entry.h"
#include "api/registry.h"

static void get_meta(struct exchange *x)
{
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;

	if (!resource_registry(x))
		return;
	e = meta_find(x);
	if (!e) {
		reads_absent(x, PROBLEM_KEY_NOT_FOUND, "there is no key '%s' in registry '%s'",
			exchange_path(x, "key"), exchange_path(x, "reg"));
		return;
	}
	etag = meta_etag(e);
	if (reads_settled(x, &etag))
		return;
	meta_open(&body, e);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

static struct write *begin_put(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_PUT_META};
	const struct entry *present = meta_present(x);
	struct etag etag;
	struct write *w;
	enum err e;

	if (present)
		etag = meta_etag(present);
	if (!writes_allowed(x, present ? &etag : NULL) || !(w = write_begin(x, WAIT_ACK_MS)))
		return NULL;
	event.put.key = key;
	event.put.key_bytes = entry_map_key(x, "meta", key);
	event.put.value = exchange_body_member_raw(x, "value", &event.put.value_bytes);
	if (!event.put.value) {
		event.put.value = "null";
		event.put.value_bytes = strlen("null");
	}
	e = write_command(x, &event, w);
	if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

static void put_meta(struct exchange *x)
{
	struct write *w = exchange_state(x);
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;

	if (!w && (!resource_registry(x) || !(w = begin_put(x))))
		return;
	if (!write_settled(x, w))
		return;
	e = meta_present(x);
	if (!e) {
		write_headers(x, w, NULL);
		exchange_problem(x, PROBLEM_CONFLICT_LOST, "the value was removed meanwhile");
		return;
	}
	etag = meta_etag(e);
	meta_open(&body, e);
	etag_put(&body, &etag);
	json_end_object(&body);
	write_headers(x, w, &etag);
	exchange_reply(x, w->result.created ? 201 : 200, &body);
}

static struct write *begin_delete(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_REMOVE_META};
	struct write *w = write_begin(x, WAIT_ACK_MS);
	enum err e;

	if (!w)
		return NULL;
	event.put.key = key;
	event.put.key_bytes = entry_map_key(x, "meta", key);
	e = meta_present(x) ? write_command(x, &event, w) : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND && exchange_query_bool(x, "missing_ok", false)) {
		write_missing(w);
		return w;
	}
	if (e == ERR_NOT_FOUND)
		key_not_found(x);
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

static void delete_meta(struct exchange *x)
{
	struct write *w = exchange_state(x);

	if (!w && (!resource_registry(x) || !(w = begin_delete(x))))
		return;
	if (!write_settled(x, w))
		return;
	write_headers(x, w, NULL);
	exchange_reply_empty(x, 204);
}

const struct binding meta_bindings[] = {
	{"getMeta", get_meta},
	{"putMeta", put_meta},
	{"deleteMeta", delete_meta},
	{NULL, NULL},
};

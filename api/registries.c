/*
 * Registries: listRegistries, getRegistry, putRegistry, deleteRegistry.
 *
 * The value of the map's key registry/REG is
 *	{"created_at":<wall ms>,"options":{"keys","conflict","lock_delay_ms"}}
 * `default` is there without.
 */
#include "api/registries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/named.h"
#include "api/spec.h"

#define REGISTRIES "registry/"
#define NAME_KEY_BYTES_MAX 512 /* as parameter Key of the contract has it */

static struct registry_record rules_of(const struct entry *e)
{
	return e && e->record ? e->record->registry : (struct registry_record){0};
}

static void put_options(struct text *out, const struct registry_record *r)
{
	json_put_string(out, "keys", key_rule_name(r->keys));
	json_put_string(out, "conflict", conflict_rule_name(r->conflict));
	json_put_int(out, "lock_delay_ms", r->lock_delay_ms);
}

static uint64_t hash_of(const struct exchange *x, const char *name, const struct entry *e)
{
	(void)x;
	(void)name;
	return e ? entry_content(e) : 0;
}

static void open_registry(
	struct exchange *x, struct text *out, const char *name, const struct entry *e)
{
	struct registry_record r = rules_of(e);

	(void)x;
	json_object(out);
	json_put_string(out, "name", name);
	put_options(out, &r);
	if (r.created_at_ms > 0)
		json_put_time(out, "created_at", r.created_at_ms);
}

static size_t key_of(const struct exchange *x, char ret_key[KEY_BYTES_MAX + 1])
{
	return (size_t)snprintf(
		ret_key, KEY_BYTES_MAX + 1, REGISTRIES "%s", exchange_path(x, "reg"));
}

/* ---- reading ---- */

static void get_registry(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;

	exchange_watch_key(x, key, key_of(x, key));
	if (!horde_registry(resource_horde(x), exchange_path(x, "reg"), &e)) {
		reads_absent(x, PROBLEM_REGISTRY_NOT_FOUND, "there is no registry '%s'",
			exchange_path(x, "reg"));
		return;
	}
	etag = etag_of(hash_of(x, NULL, e));
	if (reads_settled(x, &etag))
		return;
	open_registry(x, &body, exchange_path(x, "reg"), e);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

static void list_registries(struct exchange *x)
{
	static const struct named kind = {REGISTRIES, hash_of, open_registry};

	named_list(x, &kind);
}

/* ---- writing ---- */

static struct registry_record asked_for(const struct exchange *x, const struct registry_record *old)
{
	const json_t *body = exchange_body(x);
	const char *keys = json_string_value(json_object_get(body, "keys"));
	const char *conflict = json_string_value(json_object_get(body, "conflict"));

	return (struct registry_record){
		.created_at_ms = old->created_at_ms ? old->created_at_ms : wall_now_ms(),
		.keys = keys ? key_rule_from(keys) : KEYS_UNIQUE,
		.conflict = conflict ? conflict_rule_from(conflict) : WINS_LAST,
		.lock_delay_ms = json_integer_value(json_object_get(body, "lock_delay_ms")),
	};
}

static enum err put_record(struct exchange *x, struct write *w, const struct registry_record *rules)
{
	struct event event = {.kind = EVENT_PUT_REGISTRY};
	char key[KEY_BYTES_MAX + 1];
	struct record *record = record_new(FAMILY_REGISTRY);
	struct text value = TEXT_INIT;
	enum err e = ERR_NO_MEMORY;

	json_object(&value);
	json_put_int(&value, "created_at", rules->created_at_ms);
	json_key(&value, "options");
	json_object(&value);
	put_options(&value, rules);
	json_end_object(&value);
	json_end_object(&value);
	if (record && text_cstr(&value)) {
		record->registry = *rules;
		event.put.key = key;
		event.put.key_bytes = key_of(x, key);
		event.put.value = value.bytes;
		event.put.value_bytes = value.used;
		event.put.record = record;
		e = write_command(x, &event, w);
	}
	if (e != ERR_OK)
		record_free(record);
	text_fini(&value);
	return e;
}

static enum err put_meta(struct exchange *x, struct write *w, const char *name, const json_t *value)
{
	struct event event = {.kind = EVENT_PUT_META};
	char key[KEY_BYTES_MAX + 1];
	char *text = json_dumps(value, SPEC_DUMP_FLAGS | JSON_ENCODE_ANY);
	bool created = w->result.created;
	enum err e = ERR_NO_MEMORY;

	if (!text)
		return e;
	event.put.key = key;
	event.put.key_bytes = resource_key(key, "meta", exchange_path(x, "reg"), name);
	event.put.value = text;
	event.put.value_bytes = strlen(text);
	e = write_command(x, &event, w);
	w->result.created = created; /* of the registry */
	free(text);
	return e;
}

static enum err put_metas(struct exchange *x, struct write *w)
{
	json_t *metas = json_object_get(exchange_body(x), "meta"), *value;
	enum err e = ERR_OK;
	const char *name;

	json_object_foreach(metas, name, value)
	{
		if (e == ERR_OK)
			e = put_meta(x, w, name, value);
	}
	return e;
}

/* What a schema cannot say of keys; false: 422 was answered. */
static bool metas_sound(struct exchange *x)
{
	json_t *metas = json_object_get(exchange_body(x), "meta"), *value;
	bool sound = true;
	const char *name;

	json_object_foreach(metas, name, value)
	{
		if (strlen(name) <= NAME_KEY_BYTES_MAX)
			continue;
		exchange_fault(
			x, "/meta", "too-long", "a key has at most %d bytes", NAME_KEY_BYTES_MAX);
		sound = false;
	}
	if (!sound)
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the registry has a fault");
	return sound;
}

static struct write *begin_put(struct exchange *x)
{
	const struct entry *e;
	bool there = horde_registry(resource_horde(x), exchange_path(x, "reg"), &e);
	struct registry_record old = rules_of(e), rules = asked_for(x, &old);
	struct etag etag = etag_of(hash_of(x, NULL, e));
	struct write *w;
	enum err err;

	if (!metas_sound(x) || !writes_allowed(x, there ? &etag : NULL) ||
		!(w = write_begin(x, WAIT_ACK_MS)))
		return NULL;
	err = put_record(x, w, &rules);
	if (err == ERR_OK)
		err = put_metas(x, w);
	if (err == ERR_WRONG_STATE)
		exchange_problem(x, PROBLEM_WRONG_STATE,
			"registry '%s' has %s keys; delete it to make it another kind",
			exchange_path(x, "reg"), key_rule_name(old.keys));
	else if (err != ERR_OK)
		resource_fail(x, err);
	return err == ERR_OK ? w : NULL;
}

static void put_registry(struct exchange *x)
{
	const char *name = exchange_path(x, "reg");
	struct write *w = exchange_state(x);
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;
	char location[sizeof("/v1/registries/") + NAME_BYTES_MAX];

	if ((!w && !(w = begin_put(x))) || !write_settled(x, w))
		return;
	if (!horde_registry(resource_horde(x), name, &e)) {
		write_headers(x, w, NULL);
		exchange_problem(
			x, PROBLEM_CONFLICT_LOST, "registry '%s' was deleted meanwhile", name);
		return;
	}
	etag = etag_of(hash_of(x, name, e));
	open_registry(x, &body, name, e);
	etag_put(&body, &etag);
	json_end_object(&body);
	write_headers(x, w, &etag);
	if (w->result.created) {
		snprintf(location, sizeof(location), "/v1/registries/%s", name);
		exchange_header_set(x, "Location", location);
	}
	exchange_reply(x, w->result.created ? 201 : 200, &body);
}

/* ---- its end ---- */

/* One step of it; OK: it is gone, or there is more to be removed. */
static enum err remove_some(struct exchange *x, struct write *w)
{
	struct event event = {.kind = EVENT_REMOVE_REGISTRY};
	char key[KEY_BYTES_MAX + 1];

	event.put.key = key;
	event.put.key_bytes = key_of(x, key);
	return write_command(x, &event, w);
}

static bool is_there(const struct exchange *x)
{
	const struct entry *e;

	return horde_registry(resource_horde(x), exchange_path(x, "reg"), &e);
}

/* True when it is gone. A big one takes several turns of the loop, which others share. */
static bool removed(struct exchange *x, struct write *w)
{
	enum err e = remove_some(x, w);

	if (e == ERR_NOT_FOUND && (w->done || exchange_query_bool(x, "missing_ok", false))) {
		if (!w->done)
			write_missing(w);
		return true;
	}
	if (e == ERR_NOT_FOUND)
		exchange_problem(x, PROBLEM_REGISTRY_NOT_FOUND, "there is no registry '%s'",
			exchange_path(x, "reg"));
	else if (e != ERR_OK)
		resource_fail(x, e);
	else if (is_there(x)) { /* on with it once that much is on disk */
		exchange_watch_commit(x, w->result.batch);
		exchange_park(x, exchange_started_ms(x) + HTTP_WAIT_MS_MAX);
	}
	return e == ERR_OK && !is_there(x);
}

static void delete_registry(struct exchange *x)
{
	struct write *w = exchange_state(x);

	if (strcmp(exchange_path(x, "reg"), DEFAULT_NAME) == 0) {
		exchange_problem(
			x, PROBLEM_WRONG_STATE, "registry '%s' always exists", DEFAULT_NAME);
		return;
	}
	if (!w && !(w = write_begin(x, WAIT_ACK_MS)))
		return;
	if (!w->missing && (!w->done || is_there(x)) && !removed(x, w))
		return;
	if (!write_settled(x, w))
		return;
	write_headers(x, w, NULL);
	exchange_reply_empty(x, 204);
}

const struct binding registries_bindings[] = {
	{"listRegistries", list_registries},
	{"getRegistry", get_registry},
	{"putRegistry", put_registry},
	{"deleteRegistry", delete_registry},
	{NULL, NULL},
};

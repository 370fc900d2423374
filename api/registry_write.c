/* Registering names: registerKey, updateKeyValue, unregisterKey. The core judges who may. */
#include <stdio.h>
#include <string.h>

#include "api/entry.h"
#include "api/lease.h"
#include "api/registry.h"

/* The value as it was written; an absent one is null. */
static const char *raw_value(const struct exchange *x, size_t *ret_bytes)
{
	const char *raw = exchange_body_member_raw(x, "value", ret_bytes);

	if (!raw)
		*ret_bytes = strlen("null");
	return raw ? raw : "null";
}

/* Who has it, for a problem; "?" when another version wrote it. */
static struct entry_record put_holder(struct exchange *x, const struct entry *e)
{
	struct entry_record r = {.owner_id = "?"};

	if (e && entry_name(e, &r))
		entry_put_owner(exchange_extra(x), resource_horde(x), &r);
	else
		r.owner_kind = OWNER_KIND_COUNT;
	return r;
}

static const char *kind_text(enum owner_kind kind)
{
	return kind == OWNER_KIND_COUNT ? "?" : owner_kind_name(kind);
}

static void already_registered(struct exchange *x, const struct entry *e)
{
	struct entry_record r = put_holder(x, e);

	exchange_problem(x, PROBLEM_ALREADY_REGISTERED,
		"key '%s' in registry '%s' is owned by %s '%s' on %s", exchange_path(x, "key"),
		exchange_path(x, "reg"), kind_text(r.owner_kind), r.owner_id,
		origin_is_zero(r.node) ? "no node" : horde_member_name(resource_horde(x), r.node));
}

/* Not where a key may have many owners. */
static void held_back(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1], seconds[24];
	size_t bytes = entry_map_key(x, "entry", key);
	int64_t ms = horde_held_back_ms(resource_horde(x), key, bytes);

	snprintf(seconds, sizeof(seconds), "%lld", (long long)(ms + 999) / 1000);
	exchange_header_set(x, "Retry-After", seconds);
	exchange_problem(x, PROBLEM_ALREADY_REGISTERED,
		"the last owner of key '%s' ended without having freed it; it is free in %lld ms",
		exchange_path(x, "key"), (long long)ms);
}

static void not_owner(struct exchange *x, const struct entry *e)
{
	struct entry_record r = put_holder(x, e);

	exchange_problem(x, PROBLEM_NOT_OWNER, "key '%s' is owned by %s '%s'",
		exchange_path(x, "key"), kind_text(r.owner_kind), r.owner_id);
}

static void not_own(struct exchange *x)
{
	exchange_problem(
		x, PROBLEM_FORBIDDEN, "child '%s' speaks for itself alone", exchange_child(x)->ref);
}

static void refuse(
	struct exchange *x, enum err e, const struct entry *present, const struct owner *owner)
{
	if (e == ERR_ALREADY_REGISTERED && present) {
		already_registered(x, present);
	} else if (e == ERR_HELD_BACK) {
		held_back(x);
	} else if (e == ERR_NOT_OWNER) {
		not_owner(x, present);
	} else if (e == ERR_NOT_FOUND) {
		key_not_found(x);
	} else if (e == ERR_OWNER_UNKNOWN) {
		exchange_fault(x, "/owner/id", "unknown-owner", "there is no %s '%s'",
			owner_kind_name(owner->kind), owner->id);
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the owner does not exist");
	} else if (e == ERR_WRONG_STATE) {
		exchange_problem(x, PROBLEM_WRONG_STATE, "child '%s' has ended", owner->id);
	} else if (e == ERR_FORBIDDEN) {
		not_own(x);
	} else {
		resource_fail(x, e);
	}
}

/* ---- registerKey ---- */

/* By the body; a child that asks need not say that it is the one. False: 422 was answered. */
static bool owner_of_body(struct exchange *x, struct owner *ret)
{
	const json_t *given = json_object_get(exchange_body(x), "owner");

	if (given) {
		*ret = owner_of_json(given);
	} else if (exchange_child(x)) {
		*ret = (struct owner){.kind = OWNER_CHILD, .id = exchange_child(x)->ref};
	} else {
		exchange_fault(x, "/owner", "required", "is missing");
		exchange_problem(x, PROBLEM_INVALID_SPEC, "a name has an owner");
	}
	return given || exchange_child(x);
}

/* The command for the key of the path, as this owner. */
static struct event event_of(struct exchange *x, enum event_kind kind, const struct owner *owner,
	char key[KEY_BYTES_MAX + 1])
{
	struct event event = {.kind = kind};

	event.entry.key = key;
	event.entry.key_bytes = entry_key_of(x, owner, key);
	event.entry.owner_given = true;
	event.entry.owner_kind = owner->kind;
	event.entry.owner_id = owner->id;
	return event;
}

/* Does the contract promise that no other registration will turn out to have the key? */
static bool is_voted(const struct write *w)
{
	return w->ack == ACK_MAJORITY || w->ack == ACK_ALL;
}

static struct write *begin_register(struct exchange *x, const struct owner *owner)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = event_of(x, EVENT_REGISTER, owner, key);
	const struct entry *present = entry_present(x, owner);
	struct etag etag;
	struct write *w;
	enum err e;

	if (present)
		etag = entry_etag(resource_horde(x), present);
	if (!lease_owner_proved(x, owner) || !writes_allowed(x, present ? &etag : NULL) ||
		!(w = write_begin(x, WAIT_ACK_MS)))
		return NULL;
	event.entry.value = raw_value(x, &event.entry.value_bytes);
	event.entry.voted = is_voted(w);
	e = write_command(x, &event, w);
	if (e != ERR_OK)
		refuse(x, e, present, owner);
	return e == ERR_OK ? w : NULL;
}

/* Asks the core whether it is this owner's for certain; if not, it is withdrawn. */
static enum err confirm(struct exchange *x, struct write *w, const struct owner *owner)
{
	struct command_result registration = w->result;
	char key[KEY_BYTES_MAX + 1];
	struct event event = event_of(x, EVENT_CONFIRM, owner, key);
	enum err e;

	event.entry.dot = w->result.dot;
	e = write_command(x, &event, w);
	w->acknowledged = true;
	w->lost = e == ERR_OK && !w->result.created;
	if (e == ERR_OK && !w->lost) {
		w->result = registration;
		w->stored = true;
	}
	return e;
}

static bool is_owned(const struct entry *e, const struct owner *owner)
{
	struct entry_record r;

	return e && entry_name(e, &r) && r.owner_kind == owner->kind &&
	       strcmp(r.owner_id, owner->id) == 0;
}

static void conflict_lost(struct exchange *x, const struct write *w, const struct owner *owner)
{
	const struct entry *e = entry_present(x, owner);

	write_headers(x, w, NULL);
	if (e)
		put_holder(x, e);
	exchange_problem(x, PROBLEM_CONFLICT_LOST, "%s",
		e ? "another owner has the key" : "the key was freed meanwhile");
}

static void reply_registered(struct exchange *x, struct write *w, const struct owner *owner)
{
	const struct entry *e = entry_present(x, owner);
	struct text body = TEXT_INIT;
	struct etag etag = entry_etag(resource_horde(x), e);

	entry_open(&body, resource_horde(x), e);
	json_put_string(&body, "certainty", is_voted(w) ? "majority" : "local");
	etag_put(&body, &etag);
	json_end_object(&body);
	write_headers(x, w, &etag);
	exchange_reply(x, w->result.created ? 201 : 200, &body);
}

/*
 * A registration with a majority ends by its confirmation, or by being withdrawn; the withdrawal is
 * on disk before it is told, else a crash would bring the name back.
 */
static void register_key(struct exchange *x)
{
	struct write *w = exchange_state(x);
	struct owner owner = {0};
	enum err e = ERR_OK;

	if (!w && !resource_registry(x))
		return;
	if (!owner_of_body(x, &owner) || (!w && !(w = begin_register(x, &owner))))
		return;
	if (!write_settled(x, w) || (is_voted(w) && !w->lost && !write_known_with(x, w)))
		return;
	if (is_voted(w) && !w->lost)
		e = confirm(x, w, &owner);
	if (e == ERR_OK && !write_settled(x, w))
		return;
	if (w->lost || e == ERR_NOT_FOUND || !is_owned(entry_present(x, &owner), &owner))
		conflict_lost(x, w, &owner);
	else if (e != ERR_OK)
		refuse(x, e, NULL, &owner);
	else
		reply_registered(x, w, &owner);
}

/* ---- updateKeyValue, unregisterKey ---- */

bool registry_claim(struct exchange *x, struct event *event, struct owner *owner)
{
	const char *text = exchange_query(x, "owner");
	bool given = text && *text;

	event->entry.owner_given = given || exchange_child(x);
	if (!event->entry.owner_given)
		return true;
	if (!given) {
		*owner = (struct owner){.kind = OWNER_CHILD, .id = exchange_child(x)->ref};
	} else if (owner_parse(text, owner) != ERR_OK) {
		exchange_problem(x, PROBLEM_BAD_QUERY,
			"owner must be child:<supervisor>/<id>, lease:<id> or static:<name>");
		return false;
	}
	event->entry.owner_kind = owner->kind;
	event->entry.owner_id = owner->id;
	return lease_owner_proved(x, owner);
}

/* Whom the request is about, and that it says so where it must. False: 400 was answered. */
static bool target(struct exchange *x, struct event *event, struct owner *owner)
{
	if (!registry_claim(x, event, owner))
		return false;
	if (event->entry.owner_given || !entry_shared(x))
		return true;
	entry_needs_owner(x);
	return false;
}

static struct write *begin_update(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_UPDATE};
	struct owner owner = {.id = ""};
	const struct entry *present;
	struct etag etag;
	struct write *w;
	const char *raw;
	size_t bytes;
	enum err e;

	if (!target(x, &event, &owner))
		return NULL;
	present = entry_present(x, &owner);
	if (!present || !entry_decoded(present)) {
		key_not_found(x);
		return NULL;
	}
	etag = entry_etag(resource_horde(x), present);
	if (!writes_allowed(x, &etag) || !(w = write_begin(x, WAIT_ACK_MS)))
		return NULL;
	raw = entry_raw(present, &bytes);
	if (!write_keep(x, w, raw, bytes))
		return NULL;
	event.entry.key = key;
	event.entry.key_bytes = entry_key_of(x, &owner, key);
	event.entry.value = raw_value(x, &event.entry.value_bytes);
	e = write_command(x, &event, w);
	if (e != ERR_OK)
		refuse(x, e, present, &owner);
	return e == ERR_OK ? w : NULL;
}

static void update_key_value(struct exchange *x)
{
	struct write *w = exchange_state(x);
	struct event event = {0};
	struct owner owner = {0};
	const struct entry *e;
	struct text body = TEXT_INIT;
	const char *value;
	struct etag etag;
	size_t bytes;

	if (!w && (!resource_registry(x) || !(w = begin_update(x))))
		return;
	if (!write_settled(x, w) || (entry_shared(x) && !target(x, &event, &owner)))
		return;
	e = entry_present(x, &owner);
	if (!e) {
		write_headers(x, w, NULL);
		exchange_problem(x, PROBLEM_CONFLICT_LOST, "the key was freed meanwhile");
		return;
	}
	etag = entry_etag(resource_horde(x), e);
	value = raw_value(x, &bytes);
	json_object(&body);
	json_key(&body, "value");
	json_raw(&body, value, bytes);
	json_key(&body, "previous_value");
	json_raw(&body, w->kept, w->kept_bytes);
	etag_put(&body, &etag);
	json_end_object(&body);
	write_headers(x, w, &etag);
	exchange_reply(x, 200, &body);
}

static struct write *begin_unregister(struct exchange *x)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_UNREGISTER};
	struct owner owner = {.id = ""};
	const struct entry *present;
	struct write *w;
	enum err e;

	if (!target(x, &event, &owner) || !(w = write_begin(x, WAIT_ACK_MS)))
		return NULL;
	present = entry_present(x, &owner);
	event.entry.key = key;
	event.entry.key_bytes = entry_key_of(x, &owner, key);
	e = present ? write_command(x, &event, w) : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND && exchange_query_bool(x, "missing_ok", false)) {
		write_missing(w);
		return w;
	}
	if (e != ERR_OK)
		refuse(x, e, present, &owner);
	return e == ERR_OK ? w : NULL;
}

static void unregister_key(struct exchange *x)
{
	struct write *w = exchange_state(x);

	if (!w && (!resource_registry(x) || !(w = begin_unregister(x))))
		return;
	if (!write_settled(x, w))
		return;
	write_headers(x, w, NULL);
	exchange_reply_empty(x, 204);
}

const struct binding registry_write_bindings[] = {
	{"registerKey", register_key},
	{"updateKeyValue", update_key_value},
	{"unregisterKey", unregister_key},
	{NULL, NULL},
};

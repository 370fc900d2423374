#include "api/records_take.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_text.h"
#include "server/core/times.h"

void decode_member(struct decoding *d, const json_t *o, struct member_record *m)
{
	m->name = copy_string(d, take_string(d, o, "name"));
	m->url = copy_string(d, take_string(d, o, "url"));
	m->incarnation = take_origin(d, o, "incarnation");
	m->started = take_hex(d, o, "started");
	m->state = member_state_from(take_string(d, o, "state"));
	if (m->state == MEMBER_STATE_COUNT)
		d->wrong = true;
}

/* More than are ever written are a newer version's; the first ones do. */
static void take_avoid(struct decoding *d, const json_t *array, struct assign_record *a)
{
	size_t count = json_array_size(array);

	count = count < AVOID_MAX ? count : AVOID_MAX;
	if (count == 0)
		return;
	a->avoid = calloc(count, sizeof(*a->avoid));
	if (!a->avoid) {
		d->no_memory = true;
		return;
	}
	a->avoid_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);

		a->avoid[i].node = take_origin(d, item, "node");
		a->avoid[i].until_ms = take_int(d, item, "until", 0, INT64_MAX, 0);
	}
}

void decode_assign(struct decoding *d, const json_t *o, struct assign_record *a)
{
	a->node = take_origin(d, o, "node");
	a->incarnation = take_origin(d, o, "incarnation");
	a->epoch = take_epoch(d, o);
	a->at_ms = take_int(d, o, "at", 0, INT64_MAX, 0);
	take_avoid(d, json_object_get(o, "avoid"), a);
}

static void decode_exit(struct decoding *d, const json_t *o, struct exit_record *e)
{
	const char *error = json_string_value(json_object_get(o, "error"));

	if (!json_is_object(o))
		d->wrong = true;
	e->known = true;
	e->code = (int)take_int(d, o, "code", -1, 255, -1);
	e->signal = (int)take_int(d, o, "signal", 0, 128, 0);
	e->core_dumped = json_is_true(json_object_get(o, "core_dumped"));
	e->oom_killed = json_is_true(json_object_get(o, "oom_killed"));
	e->at_ms = take_int(d, o, "at", 0, INT64_MAX, 0);
	e->uptime_ms = take_int(d, o, "uptime_ms", 0, INT64_MAX, 0);
	if (error)
		strncpy(e->error, error, sizeof(e->error) - 1);
}

/* A newer version may know more states; what cannot be told here is left out. */
static void take_transition(struct decoding *d, const json_t *o, struct status_record *s)
{
	const char *error = json_string_value(json_object_get(o, "error"));
	struct transition x = {
		.at_ms = take_int(d, o, "at", 0, INT64_MAX, 0),
		.node = json_object_get(o, "node") ? take_origin(d, o, "node") : s->node,
		.epoch = take_epoch(d, o),
		.state = child_state_from(take_string(d, o, "state")),
		.reason = reason_from(take_name(d, o, "reason", "none")),
		.ended = json_object_get(o, "code"),
		.core_dumped = json_is_true(json_object_get(o, "core_dumped")),
		.oom_killed = json_is_true(json_object_get(o, "oom_killed")),
		.code = (int)take_int(d, o, "code", -1, 255, -1),
		.signal = (int)take_int(d, o, "signal", 0, 128, 0),
		.uptime_ms = take_int(d, o, "uptime_ms", 0, INT64_MAX, 0),
	};

	if (x.reason == REASON_COUNT)
		x.reason = REASON_NONE;
	if (error)
		strncpy(x.error, error, sizeof(x.error) - 1);
	if (x.state != CHILD_STATE_COUNT && !trail_add(&s->trail, &x))
		d->no_memory = true;
}

void decode_status(struct decoding *d, const json_t *o, struct status_record *s)
{
	const json_t *last_exit = json_object_get(o, "last_exit");
	const json_t *trail = json_object_get(o, "trail");

	s->state = child_state_from(take_string(d, o, "state"));
	if (s->state == CHILD_STATE_COUNT)
		d->wrong = true;
	/* A newer version knows more reasons; they are for people and decide nothing. */
	s->reason = reason_from(take_string(d, o, "reason"));
	if (s->reason == REASON_COUNT)
		s->reason = REASON_NONE;
	s->node = take_origin(d, o, "node");
	s->incarnation = take_origin(d, o, "incarnation");
	s->epoch = take_epoch(d, o);
	s->process_epoch = (uint64_t)take_int(d, o, "process_epoch", 0, INT64_MAX, 0);
	s->spec_hash = take_hex(d, o, "spec_hash");
	s->pid = (int32_t)take_int(d, o, "pid", 0, INT32_MAX, 0);
	s->restarts = (uint32_t)take_int(d, o, "restarts", 0, UINT32_MAX, 0);
	s->started_at_ms = take_int(d, o, "started_at", 0, INT64_MAX, 0);
	s->retry_at_ms = take_int(d, o, "retry_at", 0, INT64_MAX, 0);
	s->ready = s->state == CHILD_RUNNING && !json_is_false(json_object_get(o, "ready"));
	s->ready_at_ms = take_int(d, o, "ready_at", 0, INT64_MAX, 0);
	if (json_object_get(o, "status_text"))
		s->text = copy_string(d, take_string(d, o, "status_text"));
	decode_numbers(d, o, &s->ports);
	if (last_exit)
		decode_exit(d, last_exit, &s->last_exit);
	if (json_object_get(last_exit, "tail"))
		s->exit_tail = copy_string(d, take_string(d, last_exit, "tail"));
	for (size_t i = 0; i < json_array_size(trail); i++)
		take_transition(d, json_array_get(trail, i), s);
}

void decode_registry(struct decoding *d, const json_t *o, struct registry_record *r)
{
	const json_t *options = take_object(d, o, "options");

	r->created_at_ms = take_int(d, o, "created_at", 0, INT64_MAX, 0);
	r->keys = key_rule_from(take_name(d, options, "keys", "unique"));
	r->conflict = conflict_rule_from(take_name(d, options, "conflict", "last_write_wins"));
	r->lock_delay_ms = take_int(d, options, "lock_delay_ms", 0, INT64_MAX, 0);
	if (r->keys == KEY_RULE_COUNT || r->conflict == CONFLICT_RULE_COUNT)
		d->wrong = true;
}

/* Digits in pairs, as many as there is room for. */
static bool take_bytes(const char *hex, unsigned char *ret, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char pair[3] = {hex[2 * i], hex[2 * i] ? hex[2 * i + 1] : '\0', '\0'};

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return false;
		ret[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return hex[2 * count] == '\0';
}

void decode_lease(struct decoding *d, const json_t *o, struct lease_record *l)
{
	const char *secret = take_string(d, o, "secret");

	l->ttl_ms = take_int(d, o, "ttl_ms", 1, LEASE_TTL_MAX_MS, 0);
	l->node = take_origin(d, o, "node");
	l->epoch = take_epoch(d, o);
	l->created_at_ms = take_int(d, o, "created_at", 0, INT64_MAX, 0);
	if (l->ttl_ms == 0 || !take_bytes(secret, l->secret, sizeof(l->secret)))
		d->wrong = true;
}

struct record *decode_entry(struct decoding *d, const json_t *o, const char *json, size_t bytes)
{
	const json_t *owner = json_object_get(o, "owner");
	struct entry_record e = {0};
	size_t value_bytes = 0;
	const char *value = json_member(json, bytes, "value", &value_bytes);

	e.owner_kind = owner_kind_from(take_string(d, owner, "kind"));
	if (e.owner_kind == OWNER_KIND_COUNT || !value)
		d->wrong = true;
	e.owner_id = take_string(d, owner, "id");
	if (json_object_get(owner, "node"))
		e.node = take_origin(d, owner, "node");
	e.epoch = (uint64_t)take_int(d, owner, "epoch", 0, INT64_MAX, 0);
	e.created = take_hex(d, o, "created");
	e.voted = json_is_true(json_object_get(o, "voted"));
	e.first = json_is_true(json_object_get(o, "first"));
	e.value_at = value ? (uint32_t)(value - json) : 0;
	e.value_bytes = (uint32_t)value_bytes;
	return record_new_entry(&e, strlen(e.owner_id));
}

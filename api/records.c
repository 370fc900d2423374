#include "api/records.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/json_text.h"
#include "api/records_scan.h"
#include "api/signals.h"
#include "server/core/digest.h"

/* Reading one object: the first trouble is kept, and everything after it is harmless. */
struct decoding {
	bool wrong; /* a member is absent or has the wrong shape */
	bool no_memory;
};

static const char *take_string(struct decoding *d, const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s)
		return s;
	d->wrong = true;
	return "";
}

static char *copy_string(struct decoding *d, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		d->no_memory = true;
	return copy;
}

/* An integer from `least` to `most`; `absent` when it is not there. */
static int64_t take_int(struct decoding *d, const json_t *o, const char *name, int64_t least,
	int64_t most, int64_t absent)
{
	const json_t *v = json_object_get(o, name);
	int64_t value = json_integer_value(v);

	if (!v)
		return absent;
	if (json_is_integer(v) && value >= least && value <= most)
		return value;
	d->wrong = true;
	return absent;
}

static struct origin_id take_origin(struct decoding *d, const json_t *o, const char *name)
{
	struct origin_id id = {0, 0};

	if (!origin_from_hex(take_string(d, o, name), &id))
		d->wrong = true;
	return id;
}

/* A string of at most 16 hex digits. */
static uint64_t take_hex(struct decoding *d, const json_t *o, const char *name)
{
	const char *s = take_string(d, o, name);
	size_t digits = strlen(s);

	if (digits > 0 && digits <= 16 && strspn(s, "0123456789abcdefABCDEF") == digits)
		return strtoull(s, NULL, 16);
	d->wrong = true;
	return 0;
}

static uint64_t take_epoch(struct decoding *d, const json_t *o)
{
	int64_t epoch = take_int(d, o, "epoch", 0, INT64_MAX, -1);

	d->wrong = d->wrong || epoch < 0;
	return epoch < 0 ? 0 : (uint64_t)epoch;
}

static void decode_member(struct decoding *d, const json_t *o, struct member_record *m)
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

static void decode_assign(struct decoding *d, const json_t *o, struct assign_record *a)
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
	e->at_ms = take_int(d, o, "at", 0, INT64_MAX, 0);
	e->uptime_ms = take_int(d, o, "uptime_ms", 0, INT64_MAX, 0);
	if (error)
		strncpy(e->error, error, sizeof(e->error) - 1);
}

static void decode_status(struct decoding *d, const json_t *o, struct status_record *s)
{
	const json_t *last_exit = json_object_get(o, "last_exit");

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
	s->spec_hash = take_hex(d, o, "spec_hash");
	s->pid = (int32_t)take_int(d, o, "pid", 0, INT32_MAX, 0);
	s->restarts = (uint32_t)take_int(d, o, "restarts", 0, UINT32_MAX, 0);
	s->started_at_ms = take_int(d, o, "started_at", 0, INT64_MAX, 0);
	s->retry_at_ms = take_int(d, o, "retry_at", 0, INT64_MAX, 0);
	if (last_exit)
		decode_exit(d, last_exit, &s->last_exit);
}

/* Its owner's id stands in the record's own block, so it makes the record too. */
static struct record *decode_entry(
	struct decoding *d, const json_t *o, const char *json, size_t bytes)
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
	e.value_at = value ? (uint32_t)(value - json) : 0;
	e.value_bytes = (uint32_t)value_bytes;
	return record_new_entry(&e, strlen(e.owner_id));
}

/* ---- the child spec ---- */

/* Words; fewer than `least` are wrong. */
static char **take_words(struct decoding *d, const json_t *o, const char *name, size_t least)
{
	const json_t *array = json_object_get(o, name);
	size_t count = json_array_size(array);
	char **command = calloc(count + 1, sizeof(*command));

	if (count < least || (array && !json_is_array(array)))
		d->wrong = true;
	if (!command)
		d->no_memory = true;
	for (size_t i = 0; command && i < count; i++) {
		const char *word = json_string_value(json_array_get(array, i));

		d->wrong = d->wrong || !word;
		command[i] = copy_string(d, word ? word : "");
		if (!command[i])
			break;
	}
	return command;
}

static char *join_variable(struct decoding *d, const char *name, const char *value)
{
	size_t name_bytes = strlen(name), value_bytes = strlen(value);
	char *s = malloc(name_bytes + value_bytes + 2);

	if (!s) {
		d->no_memory = true;
		return NULL;
	}
	memcpy(s, name, name_bytes);
	s[name_bytes] = '=';
	memcpy(s + name_bytes + 1, value, value_bytes + 1);
	return s;
}

static char **take_env(struct decoding *d, json_t *o)
{
	json_t *object = json_object_get(o, "env"), *value;
	char **env = calloc(json_object_size(object) + 1, sizeof(*env));
	const char *name;
	size_t used = 0;

	if (object && !json_is_object(object))
		d->wrong = true;
	if (!env)
		d->no_memory = true;
	if (!env || !json_is_object(object))
		return env;
	json_object_foreach(object, name, value)
	{
		const char *text = json_string_value(value);

		d->wrong = d->wrong || !text;
		env[used] = join_variable(d, name, text ? text : "");
		if (!env[used++])
			break;
	}
	return env;
}

/* A member that is an object or absent; what is read from an absent one is its default. */
static const json_t *take_object(struct decoding *d, const json_t *o, const char *name)
{
	const json_t *inner = json_object_get(o, name);

	if (inner && !json_is_object(inner))
		d->wrong = true;
	return inner;
}

/* A name as an optional member, else `absent`. */
static const char *take_name(
	struct decoding *d, const json_t *o, const char *name, const char *absent)
{
	return json_object_get(o, name) ? take_string(d, o, name) : absent;
}

static void take_restart(struct decoding *d, const json_t *o, struct restart_rule *r)
{
	const json_t *backoff = take_object(d, o, "backoff");
	const json_t *factor = json_object_get(backoff, "factor");

	r->type = restart_type_from(take_name(d, o, "restart", "permanent"));
	r->policy = max_restarts_policy_from(take_name(d, o, "on_max_restarts", "backoff"));
	if (r->type == RESTART_TYPE_COUNT || r->policy == POLICY_COUNT)
		d->wrong = true;
	r->max_restarts = (uint32_t)take_int(d, o, "max_restarts", 0, UINT32_MAX, 3);
	r->max_seconds = (uint32_t)take_int(d, o, "max_seconds", 0, UINT32_MAX, 5);
	r->initial_ms = take_int(d, backoff, "initial_ms", 0, INT64_MAX, 200);
	r->max_ms = take_int(d, backoff, "max_ms", 0, INT64_MAX, 30000);
	r->reset_after_ms = take_int(d, backoff, "reset_after_ms", 0, INT64_MAX, 60000);
	r->factor = factor ? json_number_value(factor) : 2;
	/* Also false for what is not a number. */
	if (!(r->factor >= 1))
		d->wrong = true;
}

static void take_shutdown(struct decoding *d, const json_t *o, struct spec_record *s)
{
	const json_t *shutdown = take_object(d, o, "shutdown");

	s->shutdown_signal = signal_from_name(take_name(d, shutdown, "signal", "TERM"));
	if (s->shutdown_signal == 0)
		d->wrong = true;
	s->shutdown_timeout_ms = take_int(d, shutdown, "timeout_ms", 0, INT64_MAX, 5000);
}

static void take_success(struct decoding *d, const json_t *o, uint8_t ret_bits[32])
{
	const json_t *codes = json_object_get(o, "success_exit_codes");

	if (!codes)
		ret_bits[0] = 1;
	if (codes && !json_is_array(codes))
		d->wrong = true;
	for (size_t i = 0; i < json_array_size(codes); i++) {
		const json_t *item = json_array_get(codes, i);
		int64_t code = json_integer_value(item);

		if (json_is_integer(item) && code >= 0 && code <= 255)
			ret_bits[code / 8] = (uint8_t)(ret_bits[code / 8] | 1u << code % 8);
		else
			d->wrong = true;
	}
}

/* Which of the members that can be inherited are there. */
static uint32_t take_given(const json_t *spec)
{
	static const struct {
		uint32_t bit;
		const char *outer; /* NULL: the spec itself */
		const char *name;
	} members[] = {
		{GIVEN_RESTART, NULL, "restart"},
		{GIVEN_POLICY, NULL, "on_max_restarts"},
		{GIVEN_MAX_RESTARTS, NULL, "max_restarts"},
		{GIVEN_MAX_SECONDS, NULL, "max_seconds"},
		{GIVEN_INITIAL, "backoff", "initial_ms"},
		{GIVEN_MAX_WAIT, "backoff", "max_ms"},
		{GIVEN_FACTOR, "backoff", "factor"},
		{GIVEN_RESET_AFTER, "backoff", "reset_after_ms"},
		{GIVEN_SHUTDOWN_SIGNAL, "shutdown", "signal"},
		{GIVEN_SHUTDOWN_TIMEOUT, "shutdown", "timeout_ms"},
		{GIVEN_SUCCESS, NULL, "success_exit_codes"},
		{GIVEN_CWD, NULL, "cwd"},
		{GIVEN_LOG_BYTES, "logs", "max_bytes"},
		{GIVEN_LOG_FILES, "logs", "max_files"},
	};
	uint32_t given = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *from =
			members[i].outer ? json_object_get(spec, members[i].outer) : spec;

		if (json_object_get(from, members[i].name))
			given |= members[i].bit;
	}
	return given;
}

/* What a spec and the defaults of a supervisor have in common. */
static void take_members(struct decoding *d, json_t *spec, struct spec_record *s)
{
	const json_t *logs = take_object(d, spec, "logs");

	s->env = take_env(d, spec);
	s->cwd = copy_string(d, take_name(d, spec, "cwd", "/"));
	take_restart(d, spec, &s->restart);
	take_shutdown(d, spec, s);
	take_success(d, spec, s->success_exit);
	s->log_bytes_max = (uint64_t)take_int(d, logs, "max_bytes", 0, INT64_MAX, 10485760);
	s->log_files_max = (uint32_t)take_int(d, logs, "max_files", 1, UINT32_MAX, 3);
	s->given = take_given(spec);
}

static void decode_spec(
	struct decoding *d, const json_t *o, const char *json, size_t bytes, struct spec_record *s)
{
	json_t *spec = json_object_get(o, "spec");
	const char *desired = take_string(d, o, "desired");
	size_t raw_bytes = 0;
	const char *raw = json_member(json, bytes, "spec", &raw_bytes);

	if (!json_is_object(spec) || !raw)
		d->wrong = true;
	s->command = take_words(d, spec, "command", 1);
	take_members(d, spec, s);
	s->desired_running = strcmp(desired, "running") == 0;
	if (!s->desired_running && strcmp(desired, "stopped") != 0)
		d->wrong = true;
	s->hash = raw ? digest_content(raw, raw_bytes) : 0;
	if (!d->no_memory)
		s->process_hash = spec_process_hash(s);
}

/* ---- the options of a supervisor ---- */

/* Its budget stands beside the other defaults: together they read like a spec. NULL: no memory. */
static json_t *defaults_of(const json_t *options)
{
	static const char *const budget[] = {"max_restarts", "max_seconds", "on_max_restarts"};
	json_t *given = json_object_get(options, "child_defaults");
	json_t *defaults = json_is_object(given) ? json_copy(given) : json_loads("{}", 0, NULL);

	for (size_t i = 0; defaults && i < sizeof(budget) / sizeof(budget[0]); i++) {
		json_t *value = json_object_get(options, budget[i]);

		if (value && json_object_set(defaults, budget[i], value) != 0) {
			json_decref(defaults);
			return NULL;
		}
	}
	return defaults;
}

static void decode_supervisor(struct decoding *d, const json_t *o, struct supervisor_record *s)
{
	const json_t *options = take_object(d, o, "options");
	json_t *defaults = defaults_of(options);

	if (!defaults) {
		d->no_memory = true;
		return;
	}
	s->max_children = (uint32_t)take_int(d, options, "max_children", 1, UINT32_MAX, 0);
	s->max_children_per_node =
		(uint32_t)take_int(d, options, "max_children_per_node", 1, UINT32_MAX, 0);
	s->created_at_ms = take_int(d, o, "created_at", 0, INT64_MAX, 0);
	s->defaults.command = take_words(d, defaults, "arguments", 0);
	take_members(d, defaults, &s->defaults);
	json_decref(defaults);
}

/* ---- the whole ---- */

/* NULL: there is no memory. */
static struct record *decode(
	struct decoding *d, enum family family, const json_t *o, const char *json, size_t bytes)
{
	struct record *r;

	if (family == FAMILY_ENTRY)
		return decode_entry(d, o, json, bytes);
	r = record_new(family);
	if (r && family == FAMILY_MEMBER)
		decode_member(d, o, &r->member);
	else if (r && family == FAMILY_SPEC)
		decode_spec(d, o, json, bytes, &r->spec);
	else if (r && family == FAMILY_SUPERVISOR)
		decode_supervisor(d, o, &r->supervisor);
	else if (r && family == FAMILY_ASSIGN)
		decode_assign(d, o, &r->assign);
	else if (r && family == FAMILY_STATUS)
		decode_status(d, o, &r->status);
	return r;
}

static enum err decode_tree(enum family family, const json_t *o, const char *json, size_t bytes,
	struct record **ret_record)
{
	struct decoding d = {0};
	struct record *r = decode(&d, family, o, json, bytes);

	if (!r)
		return ERR_NO_MEMORY;
	if (d.wrong || d.no_memory) {
		record_free(r);
		r = NULL;
	}
	if (d.no_memory)
		return ERR_NO_MEMORY;
	*ret_record = r;
	return ERR_OK;
}

enum err record_decode_checked(const char *key, size_t key_bytes, const char *json,
	size_t json_bytes, struct record **ret_record)
{
	enum family family = family_of(key, key_bytes);
	struct record *r = NULL;
	json_t *o = NULL;
	enum err e = record_scan(family, json, json_bytes, ret_record);

	if (e != ERR_NOT_FOUND)
		return e;
	e = json_read(json, json_bytes, JSON_DECODE_ANY, &o);
	if (e != ERR_OK)
		return e;
	if (json_is_object(o) && family != FAMILY_META && family != FAMILY_OTHER)
		e = decode_tree(family, o, json, json_bytes, &r);
	json_decref(o);
	if (e == ERR_OK)
		*ret_record = r;
	return e;
}

enum err record_decode(const char *key, size_t key_bytes, const char *json, size_t json_bytes,
	struct record **ret_record)
{
	enum family family = family_of(key, key_bytes);
	struct record *r = NULL;
	enum err e = ERR_OK;

	if (family != FAMILY_META && family != FAMILY_OTHER)
		e = record_decode_checked(key, key_bytes, json, json_bytes, &r);
	if (e == ERR_NO_MEMORY)
		return e;
	*ret_record = r;
	return ERR_OK;
}

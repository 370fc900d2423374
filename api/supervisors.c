/*
 * Supervisors: listSupervisors, getSupervisor, putSupervisor, patchSupervisor, startSupervisor.
 *
 * The value of the map's key supervisor/SUP is
 *	{"created_at":<wall ms>,"options":{...}}
 * with the options as they were asked for, in canonical form (spec.h). `default` is there without.
 */
#include "api/supervisors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/checks.h"
#include "api/expansions.h"
#include "api/json_text.h"
#include "api/named.h"
#include "api/records.h"
#include "api/resource.h"
#include "api/spec.h"
#include "api/variables.h"

#define HALTS "halt/"

struct options {               /* of one supervisor; borrowed from its value */
	int64_t created_at_ms; /* 0: nobody has described it */
	const char *text;
	size_t bytes;
};

static struct options options_of(const struct entry *e)
{
	struct options o = {.text = "{}", .bytes = 2};
	const char *value = e ? entry_text(e, NULL) : NULL, *options;
	size_t bytes;

	options = value ? json_member(value, e->value_bytes, "options", &bytes) : NULL;
	if (!options || bytes < 2 || options[0] != '{')
		return o;
	o.text = options;
	o.bytes = bytes;
	if (e->record)
		o.created_at_ms = e->record->supervisor.created_at_ms;
	return o;
}

/* The record that says that it was stopped, or NULL. */
static const struct entry *halt_of(const struct exchange *x, const char *name)
{
	char key[KEY_BYTES_MAX + 1];

	return map_get(resource_map(x), key, (size_t)snprintf(key, sizeof(key), HALTS "%s", name));
}

static uint64_t hash_of(const struct exchange *x, const char *name, const struct entry *e)
{
	const struct entry *halt = halt_of(x, name);

	return hash_pair(e ? entry_content(e) : 0, halt ? entry_content(halt) : 0);
}

/* Running, or stopped, and by which child: its halt says it in the very words. */
static void put_state(struct text *out, const struct entry *halt)
{
	const char *value = halt ? entry_text(halt, NULL) : NULL, *child;
	size_t bytes;

	json_put_string(out, "state", halt ? "stopped" : "running");
	child = value ? json_member(value, halt->value_bytes, "child", &bytes) : NULL;
	if (!child)
		return;
	json_key(out, "stopped_by");
	json_raw(out, child, bytes);
}

static void open_supervisor(
	struct text *out, const char *name, const struct entry *e, const struct entry *halt)
{
	struct options o = options_of(e);

	json_object(out);
	if (o.text[1 + strspn(o.text + 1, " \t\r\n")] != '}')
		json_raw(out, o.text + 1, o.bytes - 2);
	json_put_string(out, "name", name);
	if (o.created_at_ms > 0)
		json_put_time(out, "created_at", o.created_at_ms);
	put_state(out, halt);
}

/* ---- reading ---- */

static void get_supervisor(struct exchange *x)
{
	const char *name = exchange_path(x, "sup");
	char key[KEY_BYTES_MAX + 1];
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;

	exchange_watch_key(x, key, (size_t)snprintf(key, sizeof(key), SUPERVISORS "%s", name));
	exchange_watch_key(x, key, (size_t)snprintf(key, sizeof(key), HALTS "%s", name));
	if (!horde_supervisor(resource_horde(x), name, &e)) {
		reads_absent(x, PROBLEM_SUPERVISOR_NOT_FOUND, "there is no supervisor '%s'", name);
		return;
	}
	etag = etag_of(hash_of(x, name, e));
	if (reads_settled(x, &etag))
		return;
	open_supervisor(&body, name, e, halt_of(x, name));
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

static void open_row(struct exchange *x, struct text *out, const char *name, const struct entry *e)
{
	open_supervisor(out, name, e, halt_of(x, name));
}

static void list_supervisors(struct exchange *x)
{
	static const struct named kind = {SUPERVISORS, hash_of, open_row};

	exchange_watch_prefix(x, HALTS, strlen(HALTS));
	named_list(x, &kind);
}

/* ---- writing ---- */

void supervisor_not_found(struct exchange *x)
{
	exchange_problem(x, PROBLEM_SUPERVISOR_NOT_FOUND, "there is no supervisor '%s'",
		exchange_path(x, "sup"));
}

static bool put_value(struct exchange *x, struct write *w, const char *value, size_t bytes)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_PUT_SUPERVISOR};
	struct record *record = NULL;
	enum err e;

	event.put.key = key;
	event.put.key_bytes =
		(size_t)snprintf(key, sizeof(key), SUPERVISORS "%s", exchange_path(x, "sup"));
	event.put.value = value;
	event.put.value_bytes = bytes;
	e = record_decode(key, event.put.key_bytes, value, bytes, &record);
	if (e == ERR_OK && !record) {
		exchange_fault(x, "", "invalid", "they cannot be understood as a whole");
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the options have a fault");
		return false;
	}
	event.put.record = record;
	e = e == ERR_OK ? write_command(x, &event, w) : e;
	if (e != ERR_OK) {
		record_free(record);
		resource_fail(x, e);
	}
	return e == ERR_OK;
}

static bool put_options(
	struct exchange *x, struct write *w, const json_t *options, int64_t created_at_ms)
{
	const json_t *defaults = json_object_get(options, "child_defaults");
	struct text canonical = TEXT_INIT, value = TEXT_INIT;
	bool ok = false, sound;

	sound = checks_sound(exchange_faults(x), "/child_defaults", defaults);
	sound = variables_sound(exchange_faults(x), "/child_defaults", defaults) && sound;
	sound = expansions_sound(exchange_faults(x), "/child_defaults", defaults, true) && sound;
	if (!sound) {
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the options have a fault");
		return false;
	}
	json_object(&value);
	json_put_int(&value, "created_at", created_at_ms);
	json_key(&value, "options");
	if (options_canonical(options, &canonical) == ERR_OK)
		json_raw(&value, canonical.bytes, canonical.used);
	json_end_object(&value);
	if (text_cstr(&canonical) && text_cstr(&value))
		ok = put_value(x, w, value.bytes, value.used);
	else
		exchange_fail(x, ERR_NO_MEMORY);
	text_fini(&canonical);
	text_fini(&value);
	return ok;
}

/* `patch`: the body is merged into the options that are there. */
static struct write *begin_put(struct exchange *x, bool patch)
{
	const char *name = exchange_path(x, "sup");
	const struct entry *e;
	bool there = horde_supervisor(resource_horde(x), name, &e), ok;
	struct options o = options_of(e);
	struct etag etag = etag_of(hash_of(x, name, e));
	json_t *present = NULL, *merged = NULL;
	struct write *w;

	if (patch && !there) {
		supervisor_not_found(x);
		return NULL;
	}
	if (!writes_allowed(x, there ? &etag : NULL) || !(w = write_begin(x, WAIT_ACK_MS)))
		return NULL;
	present = json_loadb(o.text, o.bytes, 0, NULL);
	ok = !patch || (present && spec_merge(present, exchange_body(x), &merged) == ERR_OK);
	if (ok)
		ok = (!patch || exchange_check_merged(x, merged)) &&
		     put_options(x, w, patch ? merged : exchange_body(x),
			     o.created_at_ms ? o.created_at_ms : wall_now_ms());
	else
		exchange_fail(x, ERR_NO_MEMORY);
	json_decref(merged);
	json_decref(present);
	return ok ? w : NULL;
}

static void reply_written(struct exchange *x, const struct write *w)
{
	const char *name = exchange_path(x, "sup");
	const struct entry *e;
	struct text body = TEXT_INIT;
	struct etag etag;
	char location[sizeof("/v1/supervisors/") + REF_BYTES_MAX];

	if (!horde_supervisor(resource_horde(x), name, &e)) {
		write_headers(x, w, NULL);
		exchange_problem(
			x, PROBLEM_CONFLICT_LOST, "supervisor '%s' was deleted meanwhile", name);
		return;
	}
	etag = etag_of(hash_of(x, name, e));
	open_supervisor(&body, name, e, halt_of(x, name));
	etag_put(&body, &etag);
	json_end_object(&body);
	write_headers(x, w, &etag);
	if (w->result.created) {
		snprintf(location, sizeof(location), "/v1/supervisors/%s", name);
		exchange_header_set(x, "Location", location);
	}
	exchange_reply(x, w->result.created ? 201 : 200, &body);
}

static void write_supervisor(struct exchange *x, bool patch)
{
	struct write *w = exchange_state(x);

	if (!w && !(w = begin_put(x, patch)))
		return;
	if (write_settled(x, w))
		reply_written(x, w);
}

static void put_supervisor(struct exchange *x)
{
	write_supervisor(x, false);
}

static void patch_supervisor(struct exchange *x)
{
	write_supervisor(x, true);
}

/* ---- starting one that was stopped ---- */

static struct write *begin_start(struct exchange *x)
{
	const char *name = exchange_path(x, "sup");
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_START_SUPERVISOR};
	struct write *w = write_begin(x, WAIT_ACK_MS);
	enum err e;

	if (!w)
		return NULL;
	event.put.key = key;
	event.put.key_bytes = (size_t)snprintf(key, sizeof(key), HALTS "%s", name);
	e = write_command(x, &event, w);
	if (e == ERR_NOT_FOUND)
		supervisor_not_found(x);
	else if (e == ERR_WRONG_STATE)
		exchange_problem(x, PROBLEM_WRONG_STATE, "supervisor '%s' is not stopped", name);
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

static void start_supervisor(struct exchange *x)
{
	struct write *w = exchange_state(x);

	if (!w && !(w = begin_start(x)))
		return;
	if (write_settled(x, w))
		reply_written(x, w);
}

const struct binding supervisors_bindings[] = {
	{"listSupervisors", list_supervisors},
	{"getSupervisor", get_supervisor},
	{"putSupervisor", put_supervisor},
	{"patchSupervisor", patch_supervisor},
	{"startSupervisor", start_supervisor},
	{NULL, NULL},
};

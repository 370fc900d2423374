#include "api/child_put.h"

#include <stdio.h>

#include "api/checks.h"
#include "api/claims.h"
#include "api/json_read.h"
#include "api/records.h"
#include "api/variables.h"

/* Any key of the family: the record does not depend on the rest. */
#define SOME_KEY "spec/a/b"

static void fault(struct exchange *x, const char *pointer, const char *member, const char *code,
	const char *why)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s%s", pointer, member);
	exchange_fault(x, whole, code, "%s", why);
}

static enum err make_record(struct exchange *x, const char *pointer, struct prepared *p)
{
	enum err e;

	if (!text_cstr(&p->value))
		return ERR_NO_MEMORY;
	e = record_decode(
		SOME_KEY, sizeof(SOME_KEY) - 1, p->value.bytes, p->value.used, &p->record);
	if (e == ERR_OK && !p->record) {
		fault(x, pointer, "", "invalid", "it cannot be understood as a whole");
		e = ERR_MALFORMED;
	}
	return e;
}

static enum err prepare(struct exchange *x, const char *pointer, const struct spec_parts *parts,
	struct prepared *ret_prepared)
{
	struct prepared p = {.value = TEXT_INIT};
	enum err e;

	spec_value(parts, &p.value);
	e = make_record(x, pointer, &p);
	if (e == ERR_OK)
		*ret_prepared = p;
	else
		prepared_fini(&p);
	return e;
}

enum err child_prepare_parts(
	struct exchange *x, const struct spec_parts *parts, struct prepared *ret_prepared)
{
	return prepare(x, "", parts, ret_prepared);
}

enum err child_prepare(struct exchange *x, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared)
{
	const char *over = spec_over_limit(spec);
	struct text canonical = TEXT_INIT;
	struct spec_parts own = *parts;
	bool sound;
	enum err e;

	if (over) {
		fault(x, pointer, over, "too-large", "it is too large as a whole");
		return ERR_MALFORMED;
	}
	/* All of them, so that all faults are named. */
	sound = checks_sound(x, pointer, spec);
	sound = claims_sound(x, pointer, spec) && sound;
	sound = variables_sound(x, pointer, spec) && sound;
	if (!sound)
		return ERR_MALFORMED;
	e = spec_canonical(spec, &canonical);
	if (e == ERR_OK) {
		own.spec = canonical.bytes;
		own.spec_bytes = canonical.used;
		e = prepare(x, pointer, &own, ret_prepared);
	}
	text_fini(&canonical);
	return e;
}

/* Does it, or its supervisor, say how long it is kept? */
static bool says_retain(const struct exchange *x, const json_t *spec)
{
	const struct entry *e;

	if (json_object_get(spec, "retain_ms"))
		return true;
	return horde_supervisor(resource_horde(x), exchange_path(x, "sup"), &e) && e && e->record &&
	       e->record->supervisor.defaults.given & GIVEN_RETAIN;
}

enum err child_prepare_unnamed(struct exchange *x, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared)
{
	json_t *copy;
	enum err e = ERR_NO_MEMORY;

	if (says_retain(x, spec))
		return child_prepare(x, pointer, spec, parts, ret_prepared);
	copy = json_whole(json_copy((json_t *)(uintptr_t)spec), spec);
	if (copy && json_object_set_new(copy, "retain_ms", json_integer(RETAIN_UNNAMED_MS)) == 0)
		e = child_prepare(x, pointer, copy, parts, ret_prepared);
	json_decref(copy);
	return e;
}

void prepared_fini(struct prepared *p)
{
	text_fini(&p->value);
	record_free(p->record);
	p->record = NULL;
}

enum err child_commit(
	struct exchange *x, struct write *w, const char *id, struct prepared *prepared)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_PUT_SPEC};
	enum err e;

	event.put.key = key;
	event.put.key_bytes = resource_key(key, "spec", exchange_path(x, "sup"), id);
	event.put.value = prepared->value.bytes;
	event.put.value_bytes = prepared->value.used;
	event.put.record = prepared->record;
	e = write_command(x, &event, w);
	if (e == ERR_OK)
		prepared->record = NULL; /* it is the map's */
	return e;
}

enum err child_remove(struct exchange *x, struct write *w, const char *id)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_REMOVE_SPEC};

	event.put.key = key;
	event.put.key_bytes = resource_key(key, "spec", exchange_path(x, "sup"), id);
	return write_command(x, &event, w);
}

void child_put_failed(struct exchange *x, enum err e)
{
	if (e == ERR_MALFORMED)
		exchange_problem(x, PROBLEM_INVALID_SPEC, "the spec has a fault");
	else
		resource_fail(x, e);
}

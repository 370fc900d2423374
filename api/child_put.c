#include "api/child_put.h"

#include "api/claims.h"
#include "api/json_read.h"
#include <stdio.h>
#include <string.h>

enum err child_prepare_parts(
	struct exchange *x, const struct spec_parts *parts, struct prepared *ret_prepared)
{
	return spec_prepare_parts(exchange_faults(x), "", parts, ret_prepared);
}

enum err child_prepare(struct exchange *x, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared)
{
	bool known;
	struct spec_parts own = *parts;
	struct prepared p;
	enum err e;

	own.from_file = false; /* who asks for it here takes it over */
	e = spec_prepare(exchange_faults(x), pointer, spec, &own, &p);
	known = claims_known(exchange_faults(x), pointer, spec, resource_horde(x));
	if (e != ERR_OK)
		return e;
	if (!known) {
		prepared_fini(&p);
		return ERR_MALFORMED;
	}
	*ret_prepared = p;
	return ERR_OK;
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

/* Which of the names other owners have. Those that are made of who the child is are not looked at.
 */
static void note_taken(struct exchange *x, const char *id, const struct claims *claims)
{
	char ref[REF_BYTES_MAX], pointer[64];
	struct entry_record owner;

	snprintf(ref, sizeof(ref), "%s/%s", exchange_path(x, "sup"), id);
	for (uint32_t i = 0; i < claims->count; i++) {
		const struct claim *one = &claims->items[i];
		const struct entry *e = map_get(resource_map(x), one->key, one->key_bytes);

		if (!e || one->on_taken != TAKEN_FAIL || !entry_name(e, &owner) ||
			(owner.owner_kind == OWNER_CHILD && strcmp(owner.owner_id, ref) == 0))
			continue;
		snprintf(pointer, sizeof(pointer), "/register/%u/key", i);
		exchange_fault(x, pointer, "name-taken", "it is owned by %s '%s'",
			owner_kind_name(owner.owner_kind), owner.owner_id);
	}
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
	else if (e == ERR_NAME_TAKEN)
		note_taken(x, id, &prepared->record->spec.claims);
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
	else if (e == ERR_NAME_TAKEN)
		exchange_problem(
			x, PROBLEM_NAME_TAKEN, "another owner has a name that the child asks for");
	else
		resource_fail(x, e);
}

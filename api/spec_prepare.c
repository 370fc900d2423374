#include "api/spec_prepare.h"

#include <stdio.h>

#include "api/checks.h"
#include "api/claims.h"
#include "api/expansions.h"
#include "api/ports.h"
#include "api/records.h"
#include "api/variables.h"

/* Any key of the family: the record does not depend on the rest. */
#define SOME_KEY "spec/a/b"

static enum err make_record(struct faults *f, const char *pointer, struct prepared *p)
{
	enum err e;

	if (!text_cstr(&p->value))
		return ERR_NO_MEMORY;
	e = record_decode(
		SOME_KEY, sizeof(SOME_KEY) - 1, p->value.bytes, p->value.used, &p->record);
	if (e == ERR_OK && !p->record) {
		faults_add(f, pointer, "invalid", "it cannot be understood as a whole");
		e = ERR_MALFORMED;
	}
	return e;
}

enum err spec_prepare_parts(struct faults *faults, const char *pointer,
	const struct spec_parts *parts, struct prepared *ret_prepared)
{
	struct prepared p = {.value = TEXT_INIT};
	enum err e;

	spec_value(parts, &p.value);
	e = make_record(faults, pointer, &p);
	if (e == ERR_OK)
		*ret_prepared = p;
	else
		prepared_fini(&p);
	return e;
}

/* What no schema can say; all of it is looked at, so that all faults are named. */
static bool is_sound(struct faults *f, const char *pointer, const json_t *spec)
{
	const char *over = spec_over_limit(spec);
	char whole[256];
	bool sound;

	if (over) {
		snprintf(whole, sizeof(whole), "%s%s", pointer, over);
		faults_add(f, whole, "too-large", "it is too large as a whole");
		return false;
	}
	sound = checks_sound(f, pointer, spec);
	sound = claims_sound(f, pointer, spec) && sound;
	sound = ports_sound(f, pointer, spec) && sound;
	sound = expansions_sound(f, pointer, spec, false) && sound;
	return variables_sound(f, pointer, spec) && sound;
}

enum err spec_prepare(struct faults *faults, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared)
{
	struct text canonical = TEXT_INIT;
	struct spec_parts own = *parts;
	enum err e;

	if (!is_sound(faults, pointer, spec))
		return ERR_MALFORMED;
	e = spec_canonical(spec, &canonical);
	if (e == ERR_OK) {
		own.spec = canonical.bytes;
		own.spec_bytes = canonical.used;
		e = spec_prepare_parts(faults, pointer, &own, ret_prepared);
	}
	text_fini(&canonical);
	return e;
}

void prepared_fini(struct prepared *p)
{
	text_fini(&p->value);
	record_free(p->record);
	p->record = NULL;
}

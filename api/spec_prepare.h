/*
 * From a spec as JSON to what the map is given: all that can be wrong with it is found, whoever
 * asks for it, and its value and its record are made.
 */
#ifndef HORDE_API_SPEC_PREPARE_H
#define HORDE_API_SPEC_PREPARE_H

#include "api/json.h"
#include "api/schema.h"
#include "api/spec.h"
#include "server/core/record.h"

struct prepared {          /* zero: nothing */
	struct text value; /* of the map's key spec/SUP/CHILD */
	struct record *record;
};

/*
 * `spec` has passed its schema; the rest is that of `parts`. Every fault is
 * noted below `pointer`, where the spec stands. Errors: MALFORMED (faults were noted), NO_MEMORY.
 */
enum err spec_prepare(struct faults *faults, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared);
/* The same for a spec that is there already, and taken as it is. */
enum err spec_prepare_parts(struct faults *faults, const char *pointer,
	const struct spec_parts *parts, struct prepared *ret_prepared);
void prepared_fini(struct prepared *p);

#endif

/*
 * Readiness and health of a spec, beyond what a schema can say: what a kind needs, and what is of
 * no use to it. All that does not fit is named.
 */
#ifndef HORDE_API_CHECKS_H
#define HORDE_API_CHECKS_H

#include "api/schema.h"

/* The longest pointer to a member of a check, without what stands before the spec's own. */
#define CHECKS_POINTER_BYTES 48

/* False: faults were noted, each with `pointer` (where the spec stands) before its own. */
bool checks_sound(struct faults *f, const char *pointer, const json_t *spec);

#endif

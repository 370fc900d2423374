/* The ports of a spec, beyond what a schema can say: each has a name and a number of its own. */
#ifndef HORDE_API_PORTS_H
#define HORDE_API_PORTS_H

#include "api/schema.h"

/*
 * False: faults were noted, each with `pointer` (where the spec stands) before its own: a name or a
 * number that stands there twice, a check of a port that is none of them.
 */
bool ports_sound(struct faults *f, const char *pointer, const json_t *spec);
/* The spec has a port of that name. */
bool ports_named(const json_t *spec, const char *name, size_t bytes);

#endif

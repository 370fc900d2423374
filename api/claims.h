/* The names that a spec asks for, beyond what a schema can say. */
#ifndef HORDE_API_CLAIMS_H
#define HORDE_API_CLAIMS_H

#include "api/schema.h"
#include "server/core/horde.h"

/* False: faults were noted, each with `pointer` (where the spec stands) before its own. */
bool claims_sound(struct faults *f, const char *pointer, const json_t *spec);
/* The same of registries that are not there. A file may name such: its names come with them. */
bool claims_known(struct faults *f, const char *pointer, const json_t *spec, const struct horde *h);

#endif

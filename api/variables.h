/* The environment of a spec, beyond what a schema can say: no variable is given twice. */
#ifndef HORDE_API_VARIABLES_H
#define HORDE_API_VARIABLES_H

#include "api/schema.h"

/* False: faults were noted, each with `pointer` (where the spec stands) before its own. */
bool variables_sound(struct faults *f, const char *pointer, const json_t *spec);

#endif

/* `${HORDE_NAME}` in specs (server/core/expand.h): only what a process is told can be named. */
#ifndef HORDE_API_EXPANSIONS_H
#define HORDE_API_EXPANSIONS_H

#include "api/schema.h"

/*
 * False: faults were noted, each with `pointer` (where the spec stands) before its own. Of the
 * `defaults` of a supervisor it is not known what ports its children have.
 */
bool expansions_sound(struct faults *f, const char *pointer, const json_t *spec, bool defaults);

#endif

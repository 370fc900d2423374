/* The operations on supervisors. */
#ifndef HORDE_API_SUPERVISORS_H
#define HORDE_API_SUPERVISORS_H

#include "api/http.h"

#define SUPERVISORS "supervisor/" /* how the map's keys of their records begin */

extern const struct binding supervisors_bindings[];
extern const struct binding supervisors_delete_bindings[];

/* 404, naming the one of the path. */
void supervisor_not_found(struct exchange *x);

#endif

/* The operations on children, in three tables: reading, writing, and calls to their owners. */
#ifndef HORDE_API_CHILDREN_H
#define HORDE_API_CHILDREN_H

#include "api/http.h"

extern const struct binding children_bindings[];       /* get, history, list, count, wait */
extern const struct binding children_write_bindings[]; /* start, put, patch, terminate, stop */
extern const struct binding children_many_bindings[];  /* batch, apply */
extern const struct binding children_call_bindings[];  /* restart, signal */

#endif

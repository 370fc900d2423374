/* Snapshots of this node's store, and what they bring back. */
#ifndef HORDE_API_SNAPSHOTS_H
#define HORDE_API_SNAPSHOTS_H

#include "api/http.h"

extern const struct binding snapshots_bindings[];
extern const struct binding restore_bindings[];
extern const struct receiver snapshots_receivers[];

#endif

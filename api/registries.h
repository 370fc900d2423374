/* The operations on registries themselves. */
#ifndef HORDE_API_REGISTRIES_H
#define HORDE_API_REGISTRIES_H

#include "api/http.h"

extern const struct binding registries_bindings[];

#endif

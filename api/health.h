/* The operations that say how the node is: getReadyz, getVersion. (getLivez is in about.h.) */
#ifndef HORDE_API_HEALTH_H
#define HORDE_API_HEALTH_H

#include "api/http.h"

extern const struct binding health_bindings[];

#endif

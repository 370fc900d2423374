/* The operations on supervisors. */
#ifndef HORDE_API_SUPERVISORS_H
#define HORDE_API_SUPERVISORS_H

#include "api/http.h"

extern const struct binding supervisors_bindings[];

#endif

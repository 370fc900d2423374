/* What a child leaves for its next life: getChildState, putChildState, deleteChildState. */
#ifndef HORDE_API_STATE_H
#define HORDE_API_STATE_H

#include "api/http.h"

extern const struct binding state_bindings[];

#endif

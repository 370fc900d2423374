/* The operations that need nothing but the process: getLivez, getOpenapiYaml, getOpenapiJson. */
#ifndef HORDE_API_ABOUT_H
#define HORDE_API_ABOUT_H

#include "api/http.h"

extern const struct binding about_bindings[];

#endif

/*
 * jansson, for reading. Include this and never <jansson.h>: four of its constructors have the names
 * of our own JSON writer (server/core/text.h), which does all the writing here, so they are put out
 * of the way.
 */
#ifndef HORDE_API_JSON_H
#define HORDE_API_JSON_H

#define json_object jansson_object
#define json_array jansson_array
#define json_string jansson_string
#define json_null jansson_null
#include <jansson.h>
#undef json_object
#undef json_array
#undef json_string
#undef json_null

#endif

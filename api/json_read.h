/*
 * Parsing JSON with jansson, telling "no memory" from "not JSON" and from a string that was
 * silently cut short, which jansson itself does not. Nobody should call json_loadb directly, nor
 * use a copy that json_whole has not seen.
 */
#ifndef HORDE_API_JSON_READ_H
#define HORDE_API_JSON_READ_H

#include <stddef.h>

#include "api/json.h"
#include "server/core/err.h"

/* `flags` are jansson's. The tree is the caller's to json_decref. Errors: NO_MEMORY, MALFORMED. */
enum err json_read(const char *bytes, size_t count, size_t flags, json_t **ret_json);

/*
 * `copy`, which json_copy or json_deep_copy made of `of`; NULL, and `copy` is freed, when it is not
 * whole: without memory jansson leaves members out and says nothing.
 */
json_t *json_whole(json_t *copy, const json_t *of);

#endif

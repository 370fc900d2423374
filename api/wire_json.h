/* Small values of the wire's JSON objects. Only the wire includes this. */
#ifndef HORDE_API_WIRE_JSON_H
#define HORDE_API_WIRE_JSON_H

#include <string.h>

#include "api/json.h"
#include "server/core/dot.h"

/* A string of 32 hex digits. */
static inline bool wire_json_sums(const json_t *v, struct origin_id *ret)
{
	const char *hex = json_string_value(v);

	return hex && json_string_length(v) == ORIGIN_HEX_BYTES - 1 && origin_from_hex(hex, ret);
}

/* The same, but not all zero. */
static inline bool wire_json_origin(const json_t *v, struct origin_id *ret)
{
	return wire_json_sums(v, ret) && !origin_is_zero(*ret);
}

/* A string of 16 hex digits; 0 when it is absent and may be. */
static inline bool wire_json_half(const json_t *v, bool optional, uint64_t *ret)
{
	char hex[ORIGIN_HEX_BYTES] = "0000000000000000";
	struct origin_id id = {0, 0};

	*ret = 0;
	if (!v)
		return optional;
	if (json_string_length(v) != 16)
		return false;
	memcpy(hex + 16, json_string_value(v), 16);
	if (!origin_from_hex(hex, &id))
		return false;
	*ret = id.lo;
	return true;
}

/* true, false, or absent, which is false. */
static inline bool wire_json_flag(const json_t *v, bool *ret)
{
	*ret = json_is_true(v);
	return !v || json_is_boolean(v);
}

#endif

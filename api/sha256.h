/* SHA-256 (FIPS 180-4) of many parts, as text. */
#ifndef HORDE_API_SHA256_H
#define HORDE_API_SHA256_H

#include <stddef.h>

#include "server/core/err.h"

#define SHA256_HEX_BYTES 65 /* 64 digits and a NUL */

struct sha256_part {
	const void *bytes;
	size_t count;
};

/* Of all parts, one behind the other: the caller sees to it that their borders are told. Errors:
 * NO_MEMORY. */
enum err sha256_hex(const struct sha256_part *parts, size_t count, char ret_hex[SHA256_HEX_BYTES]);

#endif

/*
 * Durations as people write them in queries, flags and files: a whole number and its unit,
 * `250ms`, `30s`, `5m`, `1h`. Without a unit it is milliseconds.
 */
#ifndef HORDE_API_DURATION_H
#define HORDE_API_DURATION_H

#include <stdint.h>

#include "server/core/err.h"

/* Errors: MALFORMED (another unit, a sign, a fraction, nothing), LIMIT (2^53 ms and more). */
enum err duration_parse(const char *string, int64_t *ret_ms);

#endif

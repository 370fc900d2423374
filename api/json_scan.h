/*
 * JSON in a hurry. What peers send is nearly always short and plain, and jansson takes 8 us for
 * what can be seen at a glance. These say yes only where jansson would say yes; a no means "ask
 * json_read", not "wrong". So the language that is accepted is jansson's, to the last byte.
 */
#ifndef HORDE_API_JSON_SCAN_H
#define HORDE_API_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_SCAN_DEPTH_MAX 64

/* Is this one JSON value, without space around, that json_read takes with JSON_DECODE_ANY? */
bool json_scan_value(const char *bytes, size_t count);

/*
 * A string at the begin of `bytes`, its quote included, which means what stands between its quotes:
 * UTF-8 without escapes. Gives its length with both quotes; 0 is a no.
 */
size_t json_scan_plain(const char *bytes, size_t count);

#endif

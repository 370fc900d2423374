/*
 * Looking at JSON as it was written. jansson gives no positions and prints 0.1 with 17 digits, so
 * what must be kept byte for byte is cut out of the text here. All but json_depth expect text that
 * jansson has accepted; on other text they answer something, and stay inside of it.
 */
#ifndef HORDE_API_JSON_TEXT_H
#define HORDE_API_JSON_TEXT_H

#include <stddef.h>

#include "server/core/text.h"

/* The deepest nesting of brackets outside of strings; 0 for a plain value. */
size_t json_depth(const char *bytes, size_t count);
/* The value of one member of the top-level object, without space around; NULL when it is absent.
 * A key written with escapes is recognised. */
const char *json_member(const char *bytes, size_t count, const char *name, size_t *ret_length);
/*
 * The values of the top-level array, one after another: `*at` is 0 for the first, and is moved
 * behind each. NULL when there is none left, or it is no array.
 */
const char *json_item(const char *bytes, size_t count, size_t *at, size_t *ret_length);
/* The same text with two spaces of indent for each level and a newline at the end. */
void json_indent(struct text *out, const char *bytes, size_t count);

#endif

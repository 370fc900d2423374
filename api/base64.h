/* Base64 as in RFC 4648, 4, with padding. */
#ifndef HORDE_API_BASE64_H
#define HORDE_API_BASE64_H

#include <stdbool.h>

#include "server/core/text.h"

/* Appends the bytes as a JSON string. */
void base64_string(struct text *out, const char *bytes, size_t count);
/* Appends the bytes that `text` stands for; false: it is no base64, or there was no memory. */
bool base64_decode(struct text *out, const char *text, size_t count);

#endif

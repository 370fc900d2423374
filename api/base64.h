/* Base64 as in RFC 4648, 4, with padding. */
#ifndef HORDE_API_BASE64_H
#define HORDE_API_BASE64_H

#include "server/core/text.h"

/* Appends the bytes as a JSON string. */
void base64_string(struct text *out, const char *bytes, size_t count);

#endif

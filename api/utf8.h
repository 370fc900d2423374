/* UTF-8 and percent-encoding of what stands in URLs. */
#ifndef HORDE_API_UTF8_H
#define HORDE_API_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/text.h"

/* Bytes of the sequence at `p`, of which `left` > 0 are there; 0 when it is malformed. */
size_t utf8_sequence(const unsigned char *p, size_t left);
/* The sequence of a code point below 0x110000; returns its bytes. */
size_t utf8_put(char ret[4], unsigned code);
/* Valid UTF-8 (no overlong forms, no surrogates) without control characters (C0 and DEL)? */
bool utf8_is_text(const char *bytes, size_t count);
/* Its code points; `string` is valid UTF-8. */
size_t utf8_length(const char *string);
/* Cuts off a last sequence that a full buffer has cut short. */
void utf8_trim(char *string);
/* Each byte that is no text becomes a '?': controls but tab and newline, what is no UTF-8. */
void utf8_mend(char *bytes, size_t count);
/* Decodes %XX into `out`, which has room for `count` + 1 bytes; puts a NUL behind. False for a
 * broken escape. The decoded bytes may be anything but NUL. */
bool percent_decode(const char *bytes, size_t count, char *out, size_t *ret_count);
/* Appends with everything but unreserved characters (RFC 3986, 2.3) escaped. */
void percent_encode(struct text *out, const char *bytes, size_t count);

#endif

/*
 * HORDE_CHILD_TOKEN: which process of which child somebody is, proved by a MAC under what the nodes
 * share. It is text that may stand in a header (RFC 6750, b64token):
 *
 *	hct1~default/web~1740830400000~<64 hex digits>
 *
 * a version, the child, the epoch that its process was started with, and HMAC-SHA256 (RFC 2104) of
 * all that is before the last `~`. It says nothing of whether that epoch is still the present one.
 */
#ifndef HORDE_API_CHILD_TOKEN_H
#define HORDE_API_CHILD_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/core/event.h"

#define CHILD_TOKEN_BYTES_MAX (REF_BYTES_MAX + 96) /* with its NUL */

struct child_credential {
	char ref[REF_BYTES_MAX];
	uint64_t epoch;
};

/* It claims to be one; other bearer tokens never do. */
bool child_token_is(const char *text);
/* `key` is a secret of any length. Errors: MALFORMED (a `ref` that is too long), SYSTEM. */
enum err child_token_make(
	const char *key, const char *ref, uint64_t epoch, char ret_token[CHILD_TOKEN_BYTES_MAX]);
/* Errors: MALFORMED (not made with this key), SYSTEM. */
enum err child_token_read(const char *key, const char *token, struct child_credential *ret);

#endif

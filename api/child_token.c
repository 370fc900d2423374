#include "api/child_token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define VERSION "hct1~"
#define MAC_BYTES 32
#define MAC_TEXT_BYTES (2 * MAC_BYTES + 1)

static enum err mac_of(
	const char *key, const char *text, size_t bytes, char ret_hex[MAC_TEXT_BYTES])
{
	unsigned char mac[MAC_BYTES];

	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, strlen(key), text, bytes, mac) < 0)
		return ERR_SYSTEM;
	for (size_t i = 0; i < MAC_BYTES; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", mac[i]);
	return ERR_OK;
}

bool child_token_is(const char *text)
{
	return strncmp(text, VERSION, strlen(VERSION)) == 0;
}

enum err child_token_make(
	const char *key, const char *ref, uint64_t epoch, char ret_token[CHILD_TOKEN_BYTES_MAX])
{
	char mac[MAC_TEXT_BYTES];
	int used = snprintf(ret_token, CHILD_TOKEN_BYTES_MAX, VERSION "%s~%" PRIu64, ref, epoch);
	enum err e;

	if (strlen(ref) >= REF_BYTES_MAX)
		return ERR_MALFORMED;
	e = mac_of(key, ret_token, (size_t)used, mac);
	if (e == ERR_OK)
		snprintf(ret_token + used, CHILD_TOKEN_BYTES_MAX - (size_t)used, "~%s", mac);
	return e;
}

/* Takes as long for a wrong one as for the right one. */
static enum err check(const char *key, const char *token, const char *mac)
{
	char right[MAC_TEXT_BYTES];
	enum err e = mac_of(key, token, (size_t)(mac - token), right);

	if (e != ERR_OK)
		return e;
	return strlen(mac + 1) == 2 * MAC_BYTES && gnutls_memcmp(mac + 1, right, 2 * MAC_BYTES) == 0
		       ? ERR_OK
		       : ERR_MALFORMED;
}

/* It is ours, so it has this form; a secret that others know too is no reason to trust that. */
static enum err take(const char *token, const char *mac, struct child_credential *ret)
{
	const char *ref = token + strlen(VERSION), *end = strchr(ref, '~');
	size_t bytes = (size_t)(end - ref);
	char *rest;

	if (end == mac || bytes >= sizeof(ret->ref) || end[1] < '0' || end[1] > '9')
		return ERR_MALFORMED;
	memcpy(ret->ref, ref, bytes);
	ret->ref[bytes] = '\0';
	errno = 0;
	ret->epoch = strtoull(end + 1, &rest, 10);
	return rest == mac && errno == 0 ? ERR_OK : ERR_MALFORMED;
}

enum err child_token_read(const char *key, const char *token, struct child_credential *ret)
{
	const char *mac = strrchr(token, '~');
	enum err e;

	if (!child_token_is(token) || mac < token + strlen(VERSION))
		return ERR_MALFORMED;
	e = check(key, token, mac);
	return e == ERR_OK ? take(token, mac, ret) : e;
}

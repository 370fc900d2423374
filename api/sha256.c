#include "api/sha256.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

enum err sha256_hex(const struct sha256_part *parts, size_t count, char ret_hex[SHA256_HEX_BYTES])
{
	unsigned char sum[(SHA256_HEX_BYTES - 1) / 2];
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		if (parts[i].count > 0)
			gnutls_hash(hash, parts[i].bytes, parts[i].count);
	gnutls_hash_deinit(hash, sum);
	for (size_t i = 0; i < sizeof(sum); i++) {
		ret_hex[2 * i] = "0123456789abcdef"[sum[i] >> 4];
		ret_hex[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
	}
	ret_hex[SHA256_HEX_BYTES - 1] = '\0';
	return ERR_OK;
}

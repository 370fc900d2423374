#include "api/lease.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api/sha256.h"

const struct entry *lease_find(const struct exchange *x, const char *id)
{
	char key[KEY_BYTES_MAX + 1];
	int bytes = snprintf(key, sizeof(key), "lease/%s", id);
	const struct entry *e =
		bytes > KEY_BYTES_MAX ? NULL : map_get(resource_map(x), key, (size_t)bytes);

	return e && e->record ? e : NULL;
}

/* ---- its secret ---- */

static enum err hash_of(const char *secret, unsigned char ret_hash[LEASE_SECRET_BYTES])
{
	const struct sha256_part part = {secret, strlen(secret)};
	char hex[SHA256_HEX_BYTES];
	enum err e = sha256_hex(&part, 1, hex);

	for (size_t i = 0; e == ERR_OK && i < LEASE_SECRET_BYTES; i++)
		sscanf(hex + 2 * i, "%2hhx", &ret_hash[i]);
	return e;
}

enum err lease_secret_make(
	char ret_secret[LEASE_SECRET_HEX], unsigned char ret_hash[LEASE_SECRET_BYTES])
{
	unsigned char bytes[(LEASE_SECRET_HEX - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != (ssize_t)sizeof(bytes))
		return ERR_SYSTEM;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret_secret + 2 * i, 3, "%02x", bytes[i]);
	return hash_of(ret_secret, ret_hash);
}

bool lease_proved(struct exchange *x, const struct entry *lease)
{
	const char *secret = exchange_header(x, LEASE_SECRET);
	unsigned char hash[LEASE_SECRET_BYTES];
	enum err e = secret ? hash_of(secret, hash) : ERR_FORBIDDEN;

	if (e == ERR_OK && gnutls_memcmp(hash, lease->record->lease.secret, sizeof(hash)) == 0)
		return true;
	if (e == ERR_NO_MEMORY)
		exchange_fail(x, e);
	else
		exchange_problem(x, PROBLEM_FORBIDDEN,
			secret ? "this is not the secret of lease '%s'"
			       : "the secret of lease '%s' is missing (" LEASE_SECRET ")",
			key_rest(lease->key));
	return false;
}

bool lease_owner_proved(struct exchange *x, const struct owner *owner)
{
	const struct entry *lease = owner->kind == OWNER_LEASE ? lease_find(x, owner->id) : NULL;

	return !lease || lease_proved(x, lease);
}

void lease_open(
	struct text *out, const struct exchange *x, const struct entry *lease, const char *secret)
{
	const struct lease_record *r = &lease->record->lease;

	json_object(out);
	json_put_string(out, "id", key_rest(lease->key));
	if (secret)
		json_put_string(out, "secret", secret);
	json_put_int(out, "ttl_ms", r->ttl_ms);
	json_put_string(out, "node", horde_member_name(resource_horde(x), r->node));
	json_put_uint(out, "epoch", r->epoch);
	json_put_time(out, "created_at", r->created_at_ms);
}

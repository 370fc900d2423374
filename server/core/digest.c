#include "server/core/digest.h"

#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t digest_key(struct origin_id cluster_id)
{
	return XXH3_64bits(&cluster_id, sizeof(cluster_id));
}

struct digest digest_term(uint64_t seed, const struct entry *e)
{
	char room[ENTRY_ROOM];
	/* The texts are hashed first, so that no byte can wander from the key to the value. */
	XXH128_hash_t key = XXH3_128bits_withSeed(e->key, e->key_bytes, seed);
	XXH128_hash_t value = XXH3_128bits_withSeed(entry_text(e, room), e->value_bytes, seed);
	/* Little-endian, for the sums must agree between machines of either order. */
	uint64_t all[8] = {htole64(e->origin->hi), htole64(e->origin->lo), htole64(e->seq),
		htole64(e->clock), htole64(key.low64), htole64(key.high64), htole64(value.low64),
		htole64(value.high64)};
	XXH128_hash_t hash = XXH3_128bits_withSeed(all, sizeof(all), seed);

	return (struct digest){{hash.low64, hash.high64}};
}

uint64_t digest_content(const char *bytes, size_t count)
{
	return XXH3_64bits(bytes, count);
}

static uint64_t never_zero(uint64_t hash)
{
	return hash ? hash : 1;
}

uint64_t digest_chain(uint64_t before, uint64_t seq, const struct chain_event *e)
{
	uint64_t key = XXH3_64bits(e->key, e->key_bytes);
	uint64_t value = e->value ? XXH3_64bits(e->value, e->value_bytes) : 0;
	uint64_t all[5] = {
		htole64(before), htole64(seq), htole64(e->clock), htole64(key), htole64(value)};

	return never_zero(XXH3_64bits(all, sizeof(all)));
}

uint64_t digest_chain_victim(uint64_t chain, struct dot victim)
{
	uint64_t all[4] = {htole64(chain), htole64(victim.origin.hi), htole64(victim.origin.lo),
		htole64(victim.seq)};

	return never_zero(XXH3_64bits(all, sizeof(all)));
}

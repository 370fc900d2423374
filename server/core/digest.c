#include "server/core/digest.h"

#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct digest digest_term(uint64_t seed, const struct entry *e)
{
	/* The texts are hashed first, so that no byte can wander from the key to the value. */
	XXH128_hash_t key = XXH3_128bits_withSeed(e->key, e->key_bytes, seed);
	XXH128_hash_t value = XXH3_128bits_withSeed(e->value, e->value_bytes, seed);
	/* Little-endian, for the sums must agree between machines of either order. */
	uint64_t all[8] = {htole64(e->dot.origin.hi), htole64(e->dot.origin.lo),
		htole64(e->dot.seq), htole64(e->clock), htole64(key.low64), htole64(key.high64),
		htole64(value.low64), htole64(value.high64)};
	XXH128_hash_t hash = XXH3_128bits_withSeed(all, sizeof(all), seed);

	return (struct digest){{hash.low64, hash.high64}};
}

uint64_t digest_content(const char *bytes, size_t count)
{
	return XXH3_64bits(bytes, count);
}

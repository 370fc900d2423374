#include "server/core/setup.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

const char *setup_limit_name(enum setup_limit limit)
{
	static const char *const names[] = {
#define X(code, name) name,
		SETUP_LIMITS(X)
#undef X
	};

	return names[limit];
}

struct setup setup_left(const struct setup *own, const struct setup *defaults)
{
	struct setup left = {0};

	if (!defaults)
		return left;
	left = *defaults;
	if (own->user)
		left.user = NULL;
	if (own->group)
		left.group = NULL;
	if (own->umask_given)
		left.umask_given = false;
	left.limits_given &= ~own->limits_given;
	return left;
}

struct setup setup_with(const struct setup *own, const struct setup *left)
{
	struct setup s = *own;

	if (left->user)
		s.user = left->user;
	if (left->group)
		s.group = left->group;
	if (left->umask_given) {
		s.umask_given = true;
		s.umask = left->umask;
	}
	for (int i = 0; i < SETUP_LIMIT_COUNT; i++)
		if (left->limits_given >> i & 1)
			s.limits[i] = left->limits[i];
	s.limits_given |= left->limits_given;
	return s;
}

/* One member: which it is, and what it says. */
static uint64_t mix(uint64_t hash, char member, const void *bytes, size_t count)
{
	hash = XXH3_64bits_withSeed(&member, 1, hash);
	return XXH3_64bits_withSeed(bytes, count, hash);
}

uint64_t setup_mix(uint64_t hash, const struct setup *s)
{
	if (s->user)
		hash = mix(hash, 'u', s->user, strlen(s->user));
	if (s->group)
		hash = mix(hash, 'g', s->group, strlen(s->group));
	if (s->umask_given)
		hash = mix(hash, 'm', &s->umask, sizeof(s->umask));
	for (int i = 0; i < SETUP_LIMIT_COUNT; i++)
		if (s->limits_given >> i & 1)
			hash = mix(hash, (char)i, &s->limits[i], sizeof(s->limits[i]));
	return hash;
}

bool setup_dup(const struct setup *s, struct setup *copy)
{
	copy->user = s->user ? strdup(s->user) : NULL;
	copy->group = s->group ? strdup(s->group) : NULL;
	return !s->user == !copy->user && !s->group == !copy->group;
}

void setup_fini(struct setup *s)
{
	free(s->user);
	free(s->group);
}

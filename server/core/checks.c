#include "server/core/checks.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static void check_fini(struct check *c)
{
	free(c->host);
	free(c->port_name);
	free(c->path);
	for (char **word = c->command; word && *word; word++)
		free(*word);
	free(c->command);
}

void checks_fini(struct checks *c)
{
	if (c->ready)
		check_fini(c->ready);
	free(c->ready);
	for (uint32_t i = 0; c->health && i < c->health_count; i++)
		check_fini(&c->health[i]);
	free(c->health);
	*c = (struct checks){0};
}

/* A copy of `s` into `*ret`; NULL stays NULL. False when there is no memory. */
static bool dup_text(const char *s, char **ret)
{
	*ret = s ? strdup(s) : NULL;
	return !s || *ret;
}

static bool dup_words(char *const *words, char ***ret)
{
	size_t count = 0;
	bool ok = true;

	*ret = NULL;
	while (words && words[count])
		count++;
	if (!words)
		return true;
	*ret = calloc(count + 1, sizeof(**ret));
	for (size_t i = 0; *ret && ok && i < count; i++)
		ok = dup_text(words[i], &(*ret)[i]);
	return *ret && ok;
}

static bool dup_check(const struct check *c, struct check *copy)
{
	bool ok;

	*copy = *c;
	ok = dup_text(c->host, &copy->host);
	ok = dup_text(c->port_name, &copy->port_name) && ok;
	ok = dup_text(c->path, &copy->path) && ok;
	return dup_words(c->command, &copy->command) && ok;
}

bool checks_dup(const struct checks *c, struct checks *ret_copy)
{
	bool ok = true;

	*ret_copy = (struct checks){.watchdog_ms = c->watchdog_ms};
	if (c->ready) {
		ret_copy->ready = calloc(1, sizeof(*c->ready));
		ok = ret_copy->ready && dup_check(c->ready, ret_copy->ready);
	}
	if (c->health_count == 0)
		return ok;
	ret_copy->health = calloc(c->health_count, sizeof(*c->health));
	ok = ok && ret_copy->health;
	ret_copy->health_count = ret_copy->health ? c->health_count : 0;
	for (uint32_t i = 0; i < ret_copy->health_count; i++)
		ok = dup_check(&c->health[i], &ret_copy->health[i]) && ok;
	return ok;
}

bool checks_notify(const struct checks *c)
{
	return (c->ready && c->ready->kind == CHECK_NOTIFY) || c->watchdog_ms > 0;
}

/* With its NUL, so that two texts are never one. */
static uint64_t mix(uint64_t hash, const char *text)
{
	return text ? XXH3_64bits_withSeed(text, strlen(text) + 1, hash)
		    : XXH3_64bits_withSeed(NULL, 0, hash);
}

uint64_t check_hash(const struct check *c)
{
	uint64_t hash;

	if (!c)
		return 0;
	hash = XXH3_64bits_withSeed((const int64_t[]){(int64_t)c->kind, c->port, c->period_ms,
					    c->timeout_ms, c->limit_ms, c->grace_ms, c->threshold},
		7 * sizeof(int64_t), 0);
	hash = mix(mix(mix(hash, c->host), c->path), c->port_name);
	for (char *const *word = c->command; word && *word; word++)
		hash = mix(hash, *word);
	return hash;
}

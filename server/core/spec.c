#include "server/core/spec.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t mix(uint64_t hash, const char *text)
{
	return XXH3_64bits_withSeed(text, strlen(text) + 1, hash);
}

/* An order of words, and where it ends. */
static uint64_t mix_all(uint64_t hash, char *const *words)
{
	for (; words && *words; words++)
		hash = mix(hash, *words);
	return mix(hash, "");
}

/* What the process is told in its environment. */
static uint64_t mix_notify(uint64_t hash, const struct checks *c)
{
	if (!checks_notify(c))
		return hash;
	return XXH3_64bits_withSeed(&c->watchdog_ms, sizeof(c->watchdog_ms), hash + 1);
}

/* The variables of `s` that `over`, unless it is NULL, does not set; they have no order. */
static uint64_t sum_variables(const struct spec_record *s, const struct spec_record *over)
{
	uint64_t variables = 0;

	for (char *const *v = s->env; v && *v; v++)
		variables += over && spec_sets(over, *v) ? 0 : mix(1, *v);
	for (char *const *v = s->env_from; v && *v; v++)
		variables += over && spec_sets(over, *v) ? 0 : mix(2, *v);
	return variables;
}

static uint64_t mix_files(uint64_t hash, char *const *files)
{
	return files && *files ? mix_all(hash + 1, files) : hash;
}

uint64_t spec_process_hash(const struct spec_record *s)
{
	uint64_t hash = mix_all(0, s->command), variables = sum_variables(s, NULL);

	hash = XXH3_64bits_withSeed(&variables, sizeof(variables), hash);
	hash = mix_files(hash, s->env_files);
	hash = mix_notify(hash, &s->checks);
	hash = setup_mix(hash, &s->setup);
	hash = ports_mix(hash, &s->ports);
	return s->given & GIVEN_CWD ? mix(hash, s->cwd) : hash;
}

bool spec_sets(const struct spec_record *own, const char *variable)
{
	size_t name = strcspn(variable, "=") + 1;

	for (char *const *v = own->env; v && *v; v++)
		if (strncmp(*v, variable, name) == 0)
			return true;
	for (char *const *v = own->env_from; v && *v; v++)
		if (strncmp(*v, variable, name) == 0)
			return true;
	return false;
}

/* What of the defaults makes another process of this child; none of it leaves its hash alone. */
static uint64_t inherited_hash(const struct spec_record *own, const struct spec_record *defaults)
{
	uint64_t hash = own->process_hash, variables = sum_variables(defaults, own);
	bool words = defaults->command && defaults->command[0];
	struct setup left = setup_left(&own->setup, &defaults->setup);

	if (words)
		hash = mix_all(hash, defaults->command);
	if (variables)
		hash = XXH3_64bits_withSeed(&variables, sizeof(variables), hash);
	hash = mix_files(hash, defaults->env_files);
	if (!(own->given & GIVEN_CWD) && defaults->given & GIVEN_CWD)
		hash = mix(hash, defaults->cwd);
	return setup_mix(hash, &left);
}

struct spec_record spec_inherit(const struct spec_record *own, const struct spec_record *defaults)
{
	struct spec_record s = *own;
	uint32_t left = defaults ? defaults->given & ~own->given : 0;
	struct setup setup;

	if (!defaults)
		return s;
#define INHERIT(bit, member)                                                                       \
	if (left & GIVEN_##bit)                                                                    \
	s.member = defaults->member
	INHERIT(RESTART, restart.type);
	INHERIT(POLICY, restart.policy);
	INHERIT(MAX_RESTARTS, restart.max_restarts);
	INHERIT(MAX_SECONDS, restart.max_seconds);
	INHERIT(INITIAL, restart.initial_ms);
	INHERIT(MAX_WAIT, restart.max_ms);
	INHERIT(FACTOR, restart.factor);
	INHERIT(RESET_AFTER, restart.reset_after_ms);
	INHERIT(SHUTDOWN_SIGNAL, shutdown_signal);
	INHERIT(SHUTDOWN_TIMEOUT, shutdown_timeout_ms);
	INHERIT(SHUTDOWN_DELAY, shutdown_delay_ms);
	INHERIT(CWD, cwd);
	INHERIT(LOG_BYTES, log_bytes_max);
	INHERIT(LOG_FILES, log_files_max);
	INHERIT(RETAIN, retain_ms);
	if (left & GIVEN_SUCCESS)
		memcpy(s.success_exit, defaults->success_exit, sizeof(s.success_exit));
	INHERIT(READY, checks.ready);
	INHERIT(WATCHDOG, checks.watchdog_ms);
#undef INHERIT
	if (left & GIVEN_HEALTH) {
		s.checks.health = defaults->checks.health;
		s.checks.health_count = defaults->checks.health_count;
	}
	setup = setup_left(&own->setup, &defaults->setup);
	s.setup = setup_with(&own->setup, &setup);
	s.process_hash = inherited_hash(own, defaults);
	if (mix_notify(0, &s.checks) != mix_notify(0, &own->checks))
		s.process_hash = mix_notify(s.process_hash + 1, &s.checks);
	return s;
}

enum applied spec_applied(const struct spec_record *present, const struct spec_record *next)
{
	if (!present || !next || present->desired_running != next->desired_running)
		return APPLIED_UNSAID;
	if (present->process_hash != next->process_hash)
		return APPLIED_REPLACED;
	if (present->hash != next->hash || present->retain_ms != next->retain_ms)
		return APPLIED_LIVE;
	return APPLIED_NONE;
}

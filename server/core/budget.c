#include "server/core/budget.h"

#include <math.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void budget_fini(struct budget *b)
{
	free(b->restarts);
	*b = (struct budget){0};
}

void budget_reset(struct budget *b)
{
	b->failures = 0;
	b->looping = false;
	b->used = 0;
	b->next = 0;
}

/* The ring holds one restart more than is allowed. Without memory it keeps its old size. */
static void ring_fit(struct budget *b, uint32_t size)
{
	int64_t *restarts;

	if (b->size == size)
		return;
	restarts = calloc(size, sizeof(*restarts));
	if (!restarts)
		return;
	free(b->restarts);
	b->restarts = restarts;
	b->size = size;
	b->used = 0;
	b->next = 0;
}

/* Counts a restart; true when the last max_restarts + 1 of them lie within max_seconds. */
static bool over_budget(struct budget *b, const struct restart_rule *rule, int64_t now_ms)
{
	uint32_t allowed = rule->max_restarts;

	ring_fit(b, 1 + (allowed < BUDGET_RESTARTS_MAX ? allowed : BUDGET_RESTARTS_MAX));
	if (b->size == 0)
		return false; /* no memory to count: the waits grow all the same */
	b->restarts[b->next] = now_ms;
	b->next = (b->next + 1) % b->size;
	if (b->used < b->size)
		b->used++;
	if (b->used < b->size)
		return false;
	return now_ms - b->restarts[b->next] <= (int64_t)rule->max_seconds * 1000;
}

/* A little more or less, but never more than `max_ms`. */
static int64_t jittered(int64_t wait_ms, int64_t max_ms, uint64_t salt, uint32_t failures)
{
	uint64_t seed[2] = {salt, failures};
	int64_t span = wait_ms * BUDGET_JITTER_PERCENT / 100;

	if (span == 0)
		return wait_ms;
	wait_ms += (int64_t)(XXH3_64bits(seed, sizeof(seed)) % (uint64_t)(2 * span)) - span;
	return wait_ms < max_ms ? wait_ms : max_ms;
}

/* The wait before the restart that follows the n-th failure. */
static int64_t wait_ms(const struct budget *b, const struct restart_rule *rule, uint64_t salt)
{
	int64_t max_ms = rule->max_ms < BUDGET_WAIT_MAX_MS ? rule->max_ms : BUDGET_WAIT_MAX_MS;
	double wait;

	if (b->looping)
		return jittered(max_ms, max_ms, salt, b->failures);
	if (b->failures <= 1)
		return 0;
	wait = (double)rule->initial_ms * pow(rule->factor, (double)(b->failures - 2));
	if (wait >= (double)max_ms)
		return jittered(max_ms, max_ms, salt, b->failures);
	return jittered((int64_t)wait, max_ms, salt, b->failures);
}

static bool wants_restart(enum restart_type type, bool success)
{
	return type == RESTART_PERMANENT || (type == RESTART_TRANSIENT && !success);
}

static enum verdict verdict_over(enum max_restarts_policy policy)
{
	switch (policy) {
	case POLICY_FAIL_CHILD:
		return VERDICT_FAIL;
	case POLICY_RESCHEDULE:
		return VERDICT_MOVE;
	case POLICY_STOP_SUPERVISOR:
		return VERDICT_STOP;
	case POLICY_BACKOFF:
	case POLICY_COUNT:
		break;
	}
	return VERDICT_RESTART;
}

struct restart_decision budget_ended(struct budget *b, const struct restart_rule *rule,
	bool success, int64_t uptime_ms, int64_t now_ms, uint64_t salt)
{
	struct restart_decision d = {.verdict = VERDICT_DONE, .at_ms = now_ms};
	bool over;

	if (!wants_restart(rule->type, success))
		return d;
	if (uptime_ms >= rule->reset_after_ms)
		budget_reset(b);
	b->failures++;
	over = over_budget(b, rule, now_ms);
	d.crash_loop = over && !b->looping;
	b->looping = b->looping || over;
	d.verdict = over ? verdict_over(rule->policy) : VERDICT_RESTART;
	if (d.verdict == VERDICT_RESTART || d.verdict == VERDICT_MOVE)
		d.at_ms = now_ms + wait_ms(b, rule, salt);
	return d;
}

#include "server/core/health.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

const struct check *health_check(const struct checks *c, uint32_t check)
{
	if (check == CHECK_READY)
		return c->ready;
	return check <= c->health_count ? &c->health[check - 1] : NULL;
}

static uint64_t hash_of(const struct checks *c)
{
	uint64_t hash = c->health_count;

	for (uint32_t i = 0; i < c->health_count; i++)
		hash = hash * 0x9e3779b97f4a7c15u + check_hash(&c->health[i]);
	return hash;
}

/* ---- arming ---- */

static int64_t spread(const struct health *s, const struct check *c)
{
	int64_t most_ms = c->period_ms * HEALTH_SPREAD_PERCENT / 100;

	return most_ms > 0 ? (int64_t)(s->salt % (uint64_t)most_ms) : 0;
}

static void arm_health(struct health *s, const struct checks *c, int64_t now_ms)
{
	s->trial_count = c->health_count < CHECKS_MAX ? c->health_count : CHECKS_MAX;
	for (uint32_t i = 1; i <= CHECKS_MAX; i++)
		s->trials[i] = (struct trial){.due_ms = INT64_MAX};
	for (uint32_t i = 1; s->ready && i <= s->trial_count; i++)
		s->trials[i].due_ms =
			now_ms + c->health[i - 1].grace_ms + spread(s, &c->health[i - 1]);
}

static void get_ready(struct health *s, const struct checks *c, int64_t now_ms, int64_t wall_ms)
{
	s->ready = true;
	s->ready_wall_ms = wall_ms;
	s->ready_by_ms = INT64_MAX;
	s->trials[CHECK_READY] = (struct trial){.due_ms = INT64_MAX};
	s->alive_by_ms = c->watchdog_ms > 0 ? now_ms + c->watchdog_ms : INT64_MAX;
	arm_health(s, c, now_ms);
}

static void arm_ready(struct health *s, const struct checks *c, int64_t now_ms, int64_t wall_ms)
{
	if (!c->ready) {
		get_ready(s, c, now_ms, wall_ms);
		return;
	}
	s->ready = false;
	s->ready_wall_ms = 0;
	s->ready_by_ms = now_ms + c->ready->limit_ms;
	s->alive_by_ms = INT64_MAX;
	s->trials[CHECK_READY] =
		(struct trial){.due_ms = c->ready->kind == CHECK_NOTIFY ? INT64_MAX : now_ms};
	arm_health(s, c, now_ms);
}

void health_arm(struct health *s, const struct checks *c, int64_t now_ms, int64_t wall_ms)
{
	bool fresh = s->ready_by_ms == 0; /* never so once it is armed */
	uint64_t ready = check_hash(c->ready), health = hash_of(c);

	if (fresh)
		s->gone_by_ms = INT64_MAX;
	if (fresh || ready != s->ready_hash)
		arm_ready(s, c, now_ms, wall_ms);
	else if (health != s->health_hash)
		arm_health(s, c, now_ms);
	s->ready_hash = ready;
	s->health_hash = health;
}

/* ---- what is next ---- */

static bool is_overdue(const struct trial *t, const struct check *check, int64_t now_ms)
{
	return t->number != 0 && now_ms >= t->began_ms + check->timeout_ms + HEALTH_SLACK_MS;
}

/* Its result is lost. */
static void give_up(struct health *s, const struct checks *c, int64_t now_ms)
{
	for (uint32_t i = 0; i <= s->trial_count; i++) {
		const struct check *check = health_check(c, i);

		if (check && is_overdue(&s->trials[i], check, now_ms))
			health_tried(s, c, i, s->trials[i].number, false, now_ms, 0);
	}
}

/* A limit that is looked at long after it has passed: the machine slept, or this node was stopped.
 */
static int64_t again(int64_t limit_ms, int64_t span_ms, int64_t now_ms)
{
	bool late = limit_ms != INT64_MAX && now_ms > limit_ms + HEALTH_SLACK_MS;

	return late ? now_ms + span_ms : limit_ms;
}

static struct health_next try_one(struct health *s, int64_t now_ms)
{
	for (uint32_t i = 0; i <= s->trial_count; i++) {
		struct trial *t = &s->trials[i];

		if (t->number != 0 || now_ms < t->due_ms)
			continue;
		if (++s->number == 0)
			s->number = 1;
		t->number = s->number;
		t->began_ms = now_ms;
		return (struct health_next){HEALTH_TRY, i, t->number};
	}
	return (struct health_next){.want = HEALTH_NOTHING};
}

struct health_next health_next(struct health *s, const struct checks *c, int64_t now_ms)
{
	struct health_next n = {.want = HEALTH_NOTHING};

	if (s->stopping) {
		n.want = now_ms >= s->gone_by_ms ? HEALTH_STUCK : HEALTH_NOTHING;
		return n;
	}
	s->ready_by_ms = again(s->ready_by_ms, c->ready ? c->ready->limit_ms : 0, now_ms);
	s->alive_by_ms = again(s->alive_by_ms, c->watchdog_ms, now_ms);
	if (now_ms >= s->ready_by_ms)
		n.want = HEALTH_LATE;
	else if (now_ms >= s->alive_by_ms)
		n.want = HEALTH_SILENT;
	give_up(s, c, now_ms);
	for (uint32_t i = 1; n.want == HEALTH_NOTHING && i <= s->trial_count; i++)
		if (s->trials[i].failures >= c->health[i - 1].threshold)
			n = (struct health_next){HEALTH_SICK, i, 0};
	return n.want == HEALTH_NOTHING ? try_one(s, now_ms) : n;
}

int64_t health_deadline_ms(const struct health *s, const struct checks *c)
{
	int64_t at = s->text_untold ? s->text_told_ms + STATUS_TEXT_MS : INT64_MAX;

	if (s->stopping)
		return least(at, s->gone_by_ms);
	at = least(at, least(s->ready_by_ms, s->alive_by_ms));
	for (uint32_t i = 0; i <= s->trial_count; i++) {
		const struct trial *t = &s->trials[i];
		const struct check *check = health_check(c, i);

		if (check && t->number != 0)
			at = least(at, t->began_ms + check->timeout_ms + HEALTH_SLACK_MS);
		else if (check)
			at = least(at, t->due_ms);
	}
	return at;
}

/* ---- what comes in ---- */

bool health_tried(struct health *s, const struct checks *c, uint32_t check, uint32_t number,
	bool ok, int64_t now_ms, int64_t wall_ms)
{
	const struct check *of = check <= s->trial_count ? health_check(c, check) : NULL;
	struct trial *t = &s->trials[check <= CHECKS_MAX ? check : 0];

	if (!of || number == 0 || t->number != number || s->stopping)
		return false;
	t->number = 0;
	t->failures = ok ? 0 : t->failures + 1;
	t->due_ms = t->began_ms + of->period_ms;
	if (t->due_ms < now_ms)
		t->due_ms = now_ms;
	if (ok && check == CHECK_READY)
		get_ready(s, c, now_ms, wall_ms);
	return true;
}

void health_notified(struct health *s, const struct checks *c, unsigned what, int64_t stop_ms,
	int64_t now_ms, int64_t wall_ms)
{
	if (s->stopping)
		return;
	if (what & NOTIFIED_READY && !s->ready && c->ready && c->ready->kind == CHECK_NOTIFY)
		get_ready(s, c, now_ms, wall_ms);
	if (s->ready && c->watchdog_ms > 0 && what & NOTIFIED_WATCHDOG)
		s->alive_by_ms = now_ms + c->watchdog_ms;
	if (s->ready && c->watchdog_ms > 0 && what & NOTIFIED_TRIGGER)
		s->alive_by_ms = now_ms;
	if (!(what & NOTIFIED_STOPPING))
		return;
	s->stopping = true;
	s->gone_by_ms = now_ms + stop_ms;
	for (uint32_t i = 0; i <= CHECKS_MAX; i++)
		s->trials[i] = (struct trial){.due_ms = INT64_MAX};
}

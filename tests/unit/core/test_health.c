/* Readiness and health of one process, as a state machine. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/health.h"

#define NOW 1000000
#define WALL 1700000000000

struct scene {
	struct check ready;
	struct check health[CHECKS_MAX];
	struct checks checks;
	struct health s;
	int64_t now_ms;
};

static struct check check_of(enum check_kind kind)
{
	return (struct check){.kind = kind,
		.port = 80,
		.period_ms = 1000,
		.timeout_ms = 400,
		.limit_ms = 5000,
		.grace_ms = 300,
		.threshold = 3};
}

/* `ready` CHECK_NONE: there is no such check. */
static void arm(struct scene *x, enum check_kind ready, uint32_t health, int64_t watchdog_ms)
{
	*x = (struct scene){.now_ms = NOW, .ready = check_of(ready)};
	for (uint32_t i = 0; i < health; i++)
		x->health[i] = check_of(CHECK_HTTP);
	x->checks = (struct checks){.ready = ready == CHECK_NONE ? NULL : &x->ready,
		.health = x->health,
		.health_count = health,
		.watchdog_ms = watchdog_ms};
	health_arm(&x->s, &x->checks, x->now_ms, WALL);
}

static struct health_next next(struct scene *x)
{
	return health_next(&x->s, &x->checks, x->now_ms);
}

/* Lets time pass up to the deadline, which must be this. */
static struct health_next wait(struct scene *x, int64_t ms)
{
	cr_assert_eq(next(x).want, HEALTH_NOTHING);
	cr_assert_eq(health_deadline_ms(&x->s, &x->checks), x->now_ms + ms, "not %lld but %lld",
		(long long)ms, (long long)(health_deadline_ms(&x->s, &x->checks) - x->now_ms));
	x->now_ms += ms - 1;
	cr_assert_eq(next(x).want, HEALTH_NOTHING, "too early");
	x->now_ms += 1;
	return next(x);
}

static bool tried(struct scene *x, struct health_next n, bool ok)
{
	return health_tried(&x->s, &x->checks, n.check, n.number, ok, x->now_ms, WALL);
}

static void notified(struct scene *x, unsigned what)
{
	health_notified(&x->s, &x->checks, what, 700, x->now_ms, WALL);
}

Test(health, without_checks_it_is_ready_at_once_and_nothing_is_due)
{
	struct scene x;

	arm(&x, CHECK_NONE, 0, 0);
	cr_assert(x.s.ready);
	cr_assert_eq(x.s.ready_wall_ms, WALL);
	cr_assert_eq(next(&x).want, HEALTH_NOTHING);
	cr_assert_eq(health_deadline_ms(&x.s, &x.checks), INT64_MAX);
}

Test(health, readiness_is_tried_at_once_and_again_until_it_succeeds)
{
	struct scene x;
	struct health_next n;

	arm(&x, CHECK_TCP, 0, 0);
	for (int i = 0; i < 4; i++) {
		n = i == 0 ? next(&x) : wait(&x, 1000);
		cr_assert_eq(n.want, HEALTH_TRY);
		cr_assert_eq(n.check, CHECK_READY);
		cr_assert_not(x.s.ready);
		cr_assert(tried(&x, n, i == 3));
	}
	cr_assert(x.s.ready);
	cr_assert_eq(health_deadline_ms(&x.s, &x.checks), INT64_MAX);
}

Test(health, a_try_that_took_longer_than_the_period_is_followed_at_once)
{
	struct scene x;
	struct health_next n;

	arm(&x, CHECK_TCP, 0, 0);
	n = next(&x);
	x.now_ms += 1700;
	cr_assert(tried(&x, n, false));
	cr_assert_eq(next(&x).want, HEALTH_TRY);
}

Test(health, one_that_is_not_ready_in_time_is_late)
{
	static const enum check_kind kinds[] = {CHECK_NOTIFY, CHECK_TCP, CHECK_HTTP, CHECK_EXEC};

	for (size_t i = 0; i < 4; i++) {
		struct scene x;

		arm(&x, kinds[i], 1, 0);
		x.now_ms += 4999;
		cr_assert_neq(next(&x).want, HEALTH_LATE);
		x.now_ms++;
		cr_assert_eq(next(&x).want, HEALTH_LATE);
		cr_assert_eq(next(&x).want, HEALTH_LATE, "until something is done about it");
	}
}

Test(health, only_its_own_word_makes_a_notifying_process_ready)
{
	struct scene x;

	arm(&x, CHECK_NOTIFY, 0, 0);
	cr_assert_eq(wait(&x, 5000).want, HEALTH_LATE);
	arm(&x, CHECK_NOTIFY, 0, 0);
	notified(&x, NOTIFIED_WATCHDOG);
	cr_assert_not(x.s.ready);
	notified(&x, NOTIFIED_READY);
	cr_assert(x.s.ready);
	arm(&x, CHECK_TCP, 0, 0);
	notified(&x, NOTIFIED_READY);
	cr_assert_not(x.s.ready, "its port says so, not itself");
}

Test(health, checks_begin_after_grace_and_go_on_in_their_period)
{
	struct scene x;
	struct health_next n;

	arm(&x, CHECK_NONE, 2, 0);
	x.health[1].grace_ms = 500;
	x.s = (struct health){0};
	health_arm(&x.s, &x.checks, x.now_ms, WALL);
	n = wait(&x, 300);
	cr_assert_eq(n.check, 1);
	cr_assert(tried(&x, n, true));
	n = wait(&x, 200);
	cr_assert_eq(n.check, 2);
	cr_assert(tried(&x, n, true));
	cr_assert_eq(wait(&x, 800).check, 1);
}

Test(health, the_first_tries_of_many_children_are_spread_over_a_tenth_of_their_period)
{
	bool seen[100] = {false};
	int distinct = 0;

	for (uint64_t salt = 0; salt < 1000; salt += 7) {
		struct scene x;
		int64_t at_ms;

		arm(&x, CHECK_NONE, 1, 0);
		x.s = (struct health){.salt = salt};
		health_arm(&x.s, &x.checks, x.now_ms, WALL);
		at_ms = x.s.trials[1].due_ms - x.now_ms - 300;
		cr_assert(at_ms >= 0 && at_ms < 100, "%lld", (long long)at_ms);
		distinct += !seen[at_ms];
		seen[at_ms] = true;
	}
	cr_assert_gt(distinct, 50);
}

Test(health, none_begins_before_readiness)
{
	struct scene x;

	arm(&x, CHECK_NOTIFY, 1, 2000);
	x.now_ms += 4000;
	cr_assert_eq(next(&x).want, HEALTH_NOTHING);
	notified(&x, NOTIFIED_READY);
	cr_assert_eq(wait(&x, 300).want, HEALTH_TRY);
}

Test(health, so_many_failures_in_a_row_and_no_fewer_are_the_end)
{
	/* What each try came to, and whether that is enough. */
	static const struct {
		const char *tries;
		bool sick;
	} rows[] = {{"", false}, {"+", false}, {"-", false}, {"--", false}, {"---", true},
		{"--+--", false}, {"--+---", true}, {"+---", true}, {"-+-+-+", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene x;

		arm(&x, CHECK_NONE, 1, 0);
		for (const char *t = rows[i].tries; *t; t++) {
			struct health_next n = wait(&x, t == rows[i].tries ? 300 : 1000);

			cr_assert_eq(n.want, HEALTH_TRY);
			cr_assert(tried(&x, n, *t == '+'));
		}
		cr_assert_eq(next(&x).want == HEALTH_SICK, rows[i].sick, "'%s'", rows[i].tries);
	}
}

Test(health, a_result_that_never_comes_is_a_failure)
{
	struct scene x;
	struct health_next n;

	arm(&x, CHECK_NONE, 1, 0);
	n = wait(&x, 300);
	for (int i = 0; i < 2; i++)
		n = wait(&x, 400 + HEALTH_SLACK_MS);
	cr_assert_eq(n.want, HEALTH_TRY);
	cr_assert_eq(wait(&x, 400 + HEALTH_SLACK_MS).want, HEALTH_SICK);
}

Test(health, a_late_result_of_an_earlier_try_says_nothing)
{
	struct scene x;
	struct health_next first, second;

	arm(&x, CHECK_NONE, 1, 0);
	first = wait(&x, 300);
	second = wait(&x, 400 + HEALTH_SLACK_MS);
	cr_assert_not(tried(&x, first, true));
	cr_assert_eq(x.s.trials[1].failures, 1);
	cr_assert(tried(&x, second, false));
	cr_assert_not(tried(&x, second, true), "twice");
	cr_assert_not(tried(&x, (struct health_next){HEALTH_TRY, 7, second.number}, true));
	cr_assert_not(tried(&x, (struct health_next){HEALTH_TRY, UINT32_MAX, 0}, true));
	cr_assert_eq(x.s.trials[1].failures, 2);
}

Test(health, the_watchdog_is_fed_or_it_bites)
{
	struct scene x;

	arm(&x, CHECK_NONE, 0, 2000);
	for (int i = 0; i < 3; i++) {
		x.now_ms += 1999;
		cr_assert_eq(next(&x).want, HEALTH_NOTHING);
		notified(&x, NOTIFIED_WATCHDOG);
	}
	cr_assert_eq(wait(&x, 2000).want, HEALTH_SILENT);
	arm(&x, CHECK_NONE, 0, 2000);
	notified(&x, NOTIFIED_TRIGGER);
	cr_assert_eq(next(&x).want, HEALTH_SILENT, "it asks for it");
	arm(&x, CHECK_NONE, 0, 0);
	notified(&x, NOTIFIED_TRIGGER | NOTIFIED_WATCHDOG);
	cr_assert_eq(next(&x).want, HEALTH_NOTHING, "without a watchdog");
}

Test(health, a_node_that_slept_lets_the_time_run_again)
{
	struct scene x;

	arm(&x, CHECK_NONE, 0, 1000);
	x.now_ms += 1000 + HEALTH_SLACK_MS;
	cr_assert_eq(next(&x).want, HEALTH_SILENT, "a little late is none");
	arm(&x, CHECK_NONE, 0, 1000);
	x.now_ms += 1001 + HEALTH_SLACK_MS;
	cr_assert_eq(wait(&x, 1000).want, HEALTH_SILENT);
	arm(&x, CHECK_NOTIFY, 0, 0);
	x.now_ms += 5001 + HEALTH_SLACK_MS;
	cr_assert_eq(wait(&x, 5000).want, HEALTH_LATE);
}

Test(health, one_that_stops_is_asked_nothing_more_but_has_to_be_gone_in_time)
{
	struct scene x;
	struct health_next n;

	arm(&x, CHECK_NONE, 1, 2000);
	n = wait(&x, 300);
	notified(&x, NOTIFIED_STOPPING);
	cr_assert(x.s.stopping);
	cr_assert_not(tried(&x, n, true));
	notified(&x, NOTIFIED_WATCHDOG | NOTIFIED_STOPPING);
	cr_assert_eq(wait(&x, 700).want, HEALTH_STUCK);
}

Test(health, another_spec_arms_what_it_changed)
{
	struct scene x;
	struct health_next n;

	arm(&x, CHECK_TCP, 1, 0);
	cr_assert(tried(&x, next(&x), true));
	n = wait(&x, 300);
	cr_assert(tried(&x, n, false));
	health_arm(&x.s, &x.checks, x.now_ms, WALL);
	cr_assert_eq(x.s.trials[1].failures, 1, "nothing has changed");
	x.health[0].threshold = 2;
	health_arm(&x.s, &x.checks, x.now_ms, WALL);
	cr_assert_eq(x.s.trials[1].failures, 0);
	cr_assert(x.s.ready, "that is not asked again");
	cr_assert_eq(wait(&x, 300).want, HEALTH_TRY);
	x.ready.port = 81;
	health_arm(&x.s, &x.checks, x.now_ms, WALL);
	cr_assert_not(x.s.ready);
	n = next(&x);
	cr_assert_eq(n.check, CHECK_READY);
	cr_assert(tried(&x, n, true));
	x.checks = (struct checks){0};
	health_arm(&x.s, &x.checks, x.now_ms, WALL);
	cr_assert(x.s.ready);
	cr_assert_eq(health_deadline_ms(&x.s, &x.checks), INT64_MAX);
}

/* Each member tells two checks apart. */
Test(health, the_hash_of_a_check_sees_all_of_it)
{
	char *words[] = {"a", "b", NULL}, *other[] = {"ab", NULL};
	struct check base = check_of(CHECK_HTTP), c[11];

	for (int i = 0; i < 11; i++)
		c[i] = base;
	c[1].kind = CHECK_TCP;
	c[2].port = 81;
	c[3].host = "a";
	c[4].path = "a";
	c[5].period_ms++;
	c[6].timeout_ms++;
	c[7].limit_ms++;
	c[8].grace_ms++;
	c[9].threshold++;
	c[10].command = words;
	for (int i = 0; i < 11; i++)
		for (int k = 0; k < i; k++)
			cr_assert_neq(check_hash(&c[i]), check_hash(&c[k]), "%d and %d", i, k);
	base.command = other;
	cr_assert_neq(check_hash(&base), check_hash(&c[10]));
	cr_assert_eq(check_hash(NULL), 0);
}

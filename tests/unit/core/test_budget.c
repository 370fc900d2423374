#include <criterion/criterion.h>
#include <math.h>

#include "server/core/budget.h"
#include "tests/unit/core/failing.h"

static struct restart_rule rule_of(enum restart_type type)
{
	return (struct restart_rule){.type = type,
		.max_restarts = 3,
		.max_seconds = 5,
		.initial_ms = 200,
		.max_ms = 30000,
		.factor = 2,
		.reset_after_ms = 60000};
}

Test(budget, each_restart_type_restarts_what_otp_restarts)
{
	static const struct {
		enum restart_type type;
		bool success;
		enum verdict verdict;
	} rows[] = {
		{RESTART_PERMANENT, true, VERDICT_RESTART},
		{RESTART_PERMANENT, false, VERDICT_RESTART},
		{RESTART_TRANSIENT, true, VERDICT_DONE},
		{RESTART_TRANSIENT, false, VERDICT_RESTART},
		{RESTART_TEMPORARY, true, VERDICT_DONE},
		{RESTART_TEMPORARY, false, VERDICT_DONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct restart_rule rule = rule_of(rows[i].type);
		struct budget b = {0};
		struct restart_decision d = budget_ended(&b, &rule, rows[i].success, 10, 1000, 7);

		cr_expect_eq(d.verdict, rows[i].verdict, "row %zu", i);
		cr_expect_eq(d.at_ms, 1000, "row %zu: the first one waits for nothing", i);
		budget_fini(&b);
	}
}

Test(budget, waits_grow_by_the_factor_up_to_the_cap)
{
	static const int64_t waits[] = {0, 200, 400, 800, 1600, 3200, 5000, 5000};
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	struct budget b = {0};
	int64_t now = 0;

	rule.max_ms = 5000;
	rule.max_restarts = 1000;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		struct restart_decision d = budget_ended(&b, &rule, false, 10, now, 7);
		int64_t wait = d.at_ms - now;

		cr_expect(wait * 10 >= waits[i] * 9 && wait * 10 <= waits[i] * 11, "%zu: %ld", i,
			(long)wait);
		cr_expect_leq(wait, rule.max_ms, "the cap is one, jitter or not");
		now = d.at_ms + 10;
	}
	budget_fini(&b);
}

Test(budget, the_jitter_differs_from_child_to_child_and_is_no_randomness)
{
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	int64_t waits[2][8];
	int distinct = 0;

	for (int run = 0; run < 2; run++)
		for (int i = 0; i < 8; i++) {
			struct budget b = {.failures = 3};

			waits[run][i] = budget_ended(&b, &rule, false, 0, 0, (uint64_t)i).at_ms;
			budget_fini(&b);
		}
	for (int i = 0; i < 8; i++) {
		cr_expect_eq(waits[0][i], waits[1][i]);
		distinct += waits[0][i] != waits[0][0];
	}
	cr_expect_gt(distinct, 4);
}

Test(budget, long_enough_up_resets_and_a_little_less_does_not)
{
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	struct budget b = {0};

	for (int i = 0; i < 3; i++)
		budget_ended(&b, &rule, false, 0, i, 7);
	cr_expect_gt(budget_ended(&b, &rule, false, 59999, 100000, 7).at_ms, 100000);
	cr_expect_eq(budget_ended(&b, &rule, false, 60000, 200000, 7).at_ms, 200000);
	budget_reset(&b);
	cr_expect_eq(budget_ended(&b, &rule, false, 0, 200001, 7).at_ms, 200001);
	budget_fini(&b);
}

Test(budget, the_fourth_failure_within_the_window_is_over_and_said_once)
{
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	struct budget b = {0};

	for (int i = 0; i < 3; i++)
		cr_expect_not(budget_ended(&b, &rule, false, 0, 1000 * i, 7).crash_loop);
	cr_expect(budget_ended(&b, &rule, false, 0, 5000, 7).crash_loop);
	for (int i = 0; i < 5; i++) {
		struct restart_decision d = budget_ended(&b, &rule, false, 0, 5001 + i, 7);

		cr_expect_not(d.crash_loop);
		cr_expect_eq(d.verdict, VERDICT_RESTART, "permanent means permanent");
		cr_expect_geq(d.at_ms - 5001, 27000, "it waits at the cap");
	}
	budget_fini(&b);
}

Test(budget, failures_further_apart_than_the_window_are_never_over)
{
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	struct budget b = {0};

	rule.policy = POLICY_FAIL_CHILD;
	for (int i = 0; i < 50; i++)
		cr_expect_eq(budget_ended(&b, &rule, false, 0, 1667 * (int64_t)i, 7).verdict,
			VERDICT_RESTART);
	budget_fini(&b);
}

Test(budget, fail_child_fails_the_child_on_the_fourth)
{
	struct restart_rule rule = rule_of(RESTART_TRANSIENT);
	struct budget b = {0};

	rule.policy = POLICY_FAIL_CHILD;
	for (int i = 0; i < 3; i++)
		cr_expect_eq(budget_ended(&b, &rule, false, 0, i, 7).verdict, VERDICT_RESTART);
	cr_expect_eq(budget_ended(&b, &rule, false, 0, 3, 7).verdict, VERDICT_FAIL);
	budget_reset(&b);
	cr_expect_eq(budget_ended(&b, &rule, false, 0, 4, 7).verdict, VERDICT_RESTART);
	budget_fini(&b);
}

Test(budget, beyond_it_each_policy_has_its_verdict)
{
	static const enum verdict verdicts[POLICY_COUNT] = {
		[POLICY_BACKOFF] = VERDICT_RESTART,
		[POLICY_FAIL_CHILD] = VERDICT_FAIL,
		[POLICY_RESCHEDULE] = VERDICT_MOVE,
		[POLICY_STOP_SUPERVISOR] = VERDICT_STOP,
	};

	for (int p = 0; p < POLICY_COUNT; p++) {
		struct restart_rule rule = rule_of(RESTART_PERMANENT);
		struct budget b = {0};
		struct restart_decision d;

		rule.policy = (enum max_restarts_policy)p;
		for (int i = 0; i < 3; i++)
			cr_expect_eq(budget_ended(&b, &rule, false, 0, i, 7).verdict,
				VERDICT_RESTART, "%d", p);
		d = budget_ended(&b, &rule, false, 0, 3, 7);
		cr_expect_eq(d.verdict, verdicts[p], "%d", p);
		cr_expect(d.crash_loop);
		if (d.verdict == VERDICT_MOVE)
			cr_expect_geq(d.at_ms - 3, 27000, "here it would wait at the cap");
		budget_fini(&b);
	}
}

Test(budget, none_allowed_means_the_first_failure_is_over)
{
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	struct budget b = {0};

	rule.policy = POLICY_FAIL_CHILD;
	rule.max_restarts = 0;
	cr_expect_eq(budget_ended(&b, &rule, false, 0, 3, 7).verdict, VERDICT_FAIL);
	budget_fini(&b);
}

Test(budget, no_number_of_a_peer_s_spec_overflows)
{
	static const double factors[] = {1, 2, 1e300, INFINITY};
	struct restart_rule rule = rule_of(RESTART_PERMANENT);

	rule.max_restarts = UINT32_MAX;
	rule.max_seconds = UINT32_MAX;
	rule.initial_ms = rule.max_ms = INT64_MAX;
	rule.policy = POLICY_FAIL_CHILD;
	for (size_t f = 0; f < sizeof(factors) / sizeof(factors[0]); f++) {
		struct budget b = {0};

		rule.factor = factors[f];
		for (int i = 0; i < BUDGET_RESTARTS_MAX + 2; i++) {
			struct restart_decision d = budget_ended(&b, &rule, false, 0, i, 7);

			cr_assert_leq(d.at_ms, i + (int64_t)BUDGET_WAIT_MAX_MS);
			cr_assert_eq(d.verdict,
				i < BUDGET_RESTARTS_MAX ? VERDICT_RESTART : VERDICT_FAIL);
		}
		budget_fini(&b);
	}
}

Test(budget, a_lack_of_memory_to_count_fails_no_child)
{
	struct restart_rule rule = rule_of(RESTART_PERMANENT);
	struct budget b = {0};
	struct restart_decision d;

	rule.policy = POLICY_FAIL_CHILD;
	for (int i = 0; i < 10; i++) {
		failing_arm(0);
		d = budget_ended(&b, &rule, false, 0, 100, 7);
		cr_assert(failing_disarm());
		cr_expect_eq(d.verdict, VERDICT_RESTART);
		cr_expect_eq(d.at_ms > 100, i > 0, "the waits grow all the same");
	}
	budget_fini(&b);
}

/* The process of one child: every event in every state. */
#include "server/core/parts.h"
#include "tests/unit/core/support.h"

struct bench {
	struct horde h;
	struct actions actions;
	struct child *c;
	struct record *spec;
};

static void bench_fill(struct bench *b, enum process_state state)
{
	struct horde_config config = config_of("n1", 0);

	*b = (struct bench){.spec = plain_spec(1)};
	config.url = "http://n1";
	b->h.config = config;
	b->h.children = TREE_INIT(struct child, node, ref);
	b->h.out = &b->actions;
	b->h.now_ms = 5000;
	b->h.retry_ms = INT64_MAX;
	child_mark(&b->h, "default/a");
	b->c = child_find(&b->h, "default/a");
	b->c->process = state;
	b->c->dirty = false;
	b->h.dirty = NULL;
	b->c->started_ms = 1000;
	b->c->epoch = b->c->process_epoch = 7;
}

static void bench_empty(struct bench *b)
{
	b->c->dirty = false;
	child_bury(&b->h, b->c);
	children_sweep(&b->h);
	actions_fini(&b->actions);
	record_free(b->spec);
}

Test(child, started_means_running_only_for_one_that_starts)
{
	static const enum process_state after[PROCESS_STATES] = {
		PROCESS_NONE, PROCESS_RUNNING, PROCESS_RUNNING, PROCESS_STOPPING};

	for (unsigned state = 0; state < PROCESS_STATES; state++) {
		struct bench b;

		bench_fill(&b, state);
		child_started(&b.h, b.c, 42);
		cr_expect_eq(b.c->process, after[state], "state %u", state);
		cr_expect_eq(
			b.c->pid == 42, state == PROCESS_STARTING || state == PROCESS_STOPPING);
		bench_empty(&b);
	}
}

Test(child, a_stop_is_sent_to_the_epoch_that_was_started)
{
	for (unsigned state = PROCESS_STARTING; state <= PROCESS_RUNNING; state++) {
		struct bench b;

		bench_fill(&b, state);
		b.c->epoch = 9; /* relabelled since */
		b.c->stop_signal = 2;
		b.c->stop_timeout_ms = 9000;
		child_stop(&b.h, b.c, 2000, STOP_CONFLICT);
		cr_expect_eq(b.c->process, PROCESS_STOPPING);
		cr_assert_eq(b.actions.items[0].kind, ACTION_STOP);
		cr_expect_eq(b.actions.items[0].epoch, 7);
		cr_expect_eq(b.actions.items[0].signal, 2);
		cr_expect_eq(b.actions.items[0].timeout_ms, 2000);
		bench_empty(&b);
	}
}

Test(child, an_end_counts_only_when_it_was_the_child_s_own)
{
	static const struct {
		enum process_state state;
		bool changes, counted;
	} rows[PROCESS_STATES] = {
		{PROCESS_NONE, false, false},
		{PROCESS_STARTING, true, true},
		{PROCESS_RUNNING, true, true},
		{PROCESS_STOPPING, true, false},
	};

	for (unsigned i = 0; i < PROCESS_STATES; i++) {
		struct process_end end = {.code = 1};
		struct bench b;

		bench_fill(&b, rows[i].state);
		child_ended(&b.h, b.c, &end, NULL, &b.spec->spec);
		cr_expect_eq(b.c->process, PROCESS_NONE);
		cr_expect_eq(b.c->last_exit.known, rows[i].changes, "state %u", i);
		cr_expect_eq(b.c->restarts, rows[i].counted ? 1 : 0, "state %u", i);
		cr_expect_eq(b.c->budget.failures, rows[i].counted ? 1 : 0, "state %u", i);
		cr_expect_eq(b.c->dirty, rows[i].changes);
		b.h.dirty = NULL;
		bench_empty(&b);
	}
}

Test(child, every_end_is_told_counted_or_not)
{
	for (unsigned state = PROCESS_STARTING; state < PROCESS_STATES; state++) {
		struct process_end end = {.code = 3};
		struct bench b;
		bool told = false;

		bench_fill(&b, state);
		child_ended(&b.h, b.c, &end, NULL, &b.spec->spec);
		for (size_t i = 0; i < b.actions.used; i++)
			told = told || strcmp(b.actions.items[i].event, "child.ended") == 0;
		cr_expect(told, "state %u", state);
		b.h.dirty = NULL;
		bench_empty(&b);
	}
}

Test(child, a_lost_guardian_is_no_failure_of_the_child)
{
	struct process_end end = {.code = -1, .signal = 9, .guardian_lost = true};
	struct bench b;

	bench_fill(&b, PROCESS_RUNNING);
	child_ended(&b.h, b.c, &end, NULL, &b.spec->spec);
	cr_expect_eq(b.c->process, PROCESS_NONE);
	cr_expect_eq(b.c->state, CHILD_PENDING);
	cr_expect_eq(b.c->restarts, 0);
	b.h.dirty = NULL;
	bench_empty(&b);
}

Test(child, a_temporary_one_is_not_started_again_when_the_guardian_was_lost)
{
	struct process_end end = {.code = -1, .signal = 9, .guardian_lost = true};

	for (unsigned state = PROCESS_RUNNING; state <= PROCESS_STOPPING; state++) {
		struct bench b;

		bench_fill(&b, state);
		b.spec->spec.restart.type = RESTART_TEMPORARY;
		child_ended(&b.h, b.c, &end, NULL, &b.spec->spec);
		/* What was being stopped on purpose goes on as asked: replaced, restarted or
		 * deleted. */
		cr_expect_eq(b.c->state, state == PROCESS_RUNNING ? CHILD_EXITED : CHILD_PENDING);
		cr_expect_eq(
			b.c->reason, state == PROCESS_RUNNING ? REASON_NODE_DEAD : REASON_NONE);
		b.h.dirty = NULL;
		bench_empty(&b);
	}
}

Test(child, an_end_without_a_spec_or_an_error_that_is_too_long_does_no_harm)
{
	struct process_end end = {.code = 1};
	char error[200];
	struct bench b;

	memset(error, 'x', sizeof(error) - 1);
	error[sizeof(error) - 1] = '\0';
	bench_fill(&b, PROCESS_STARTING);
	child_ended(&b.h, b.c, &end, error, NULL);
	cr_expect_eq(b.c->state, CHILD_PENDING);
	cr_expect_eq(strlen(b.c->last_exit.error), sizeof(b.c->last_exit.error) - 1);
	b.h.dirty = NULL;
	bench_empty(&b);
}

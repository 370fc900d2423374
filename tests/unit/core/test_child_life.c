/* One child on one node, from its spec to its end, event by event. */
#include "server/core/parts.h"
#include "tests/unit/core/support.h"

Test(child_life, create_spawn_started_status)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(node_put(&n, "default/a", plain_spec(1)), ERR_OK);
	cr_expect(n.actions.created == false, "the last step was the stored one");
	cr_trace(&n, "spec a|assign a n1 placed|SPAWN a|");
	node_started(&n, "default/a", 42);
	cr_trace(&n, "status a running none|");
	cr_expect_eq(node_child(&n, "default/a").status->record->status.pid, 42);
	node_free(&n);
}

Test(child_life, nothing_is_spawned_before_its_assign_is_on_disk)
{
	struct node n = node_make("n1", 0);

	n.writes_kept = true;
	node_put(&n, "default/a", plain_spec(1));
	node_tick(&n);
	cr_trace(&n, "spec a|assign a n1 placed|");
	n.writes_kept = false;
	node_stored(&n);
	cr_trace(&n, "SPAWN a|");
	node_free(&n);
}

Test(child_life, exits_are_restarted_at_once_then_after_200_ms)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	node_exited(&n, "default/a", 1, 0);
	cr_trace(&n, "SPAWN a|");
	node_started(&n, "default/a", 43);
	cr_trace(&n, "status a running none|");
	cr_expect_eq(node_child(&n, "default/a").status->record->status.restarts, 1);
	node_exited(&n, "default/a", -1, 9);
	cr_trace(&n, "status a backoff signal|");
	cr_expect_eq(node_child(&n, "default/a").status->record->status.last_exit.signal, 9);
	node_wait(&n, 170);
	cr_trace(&n, "");
	node_wait(&n, 60);
	cr_trace(&n, "SPAWN a|");
	node_free(&n);
}

Test(child_life, the_restart_type_decides_what_an_end_means)
{
	static const struct {
		enum restart_type type;
		int code, number;
		const char *trace;
	} rows[] = {
		{RESTART_PERMANENT, 0, 0, "SPAWN a|"},
		{RESTART_PERMANENT, 1, 0, "SPAWN a|"},
		{RESTART_PERMANENT, 0, 9, "SPAWN a|"},
		{RESTART_TRANSIENT, 0, 0, "status a exited exit|"},
		{RESTART_TRANSIENT, 1, 0, "SPAWN a|"},
		{RESTART_TRANSIENT, 0, 9, "SPAWN a|"},
		{RESTART_TEMPORARY, 0, 0, "status a exited exit|"},
		{RESTART_TEMPORARY, 1, 0, "status a exited exit|"},
		{RESTART_TEMPORARY, 0, 9, "status a exited signal|"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node n = node_make("n1", 0);

		node_runs(&n, "default/a", typed_spec(1, rows[i].type));
		node_exited(&n, "default/a", rows[i].code, rows[i].number);
		cr_expect_str_eq(n.trace, rows[i].trace, "row %zu: %s", i, n.trace);
		node_wait(&n, 100000);
		cr_expect_str_eq(n.trace, rows[i].trace, "row %zu, later: %s", i, n.trace);
		node_free(&n);
	}
}

Test(child_life, a_program_that_is_missing_is_retried_for_ever_and_says_why)
{
	struct node n = node_make("n1", 0);
	struct event e = {.kind = EVENT_START_FAILED};

	node_put(&n, "default/a", plain_spec(1));
	for (int i = 0; i < 20; i++) {
		e.process.ref = "default/a";
		e.process.epoch = n.epoch;
		e.process.error = "exec: ENOENT";
		node_does(&n, &e);
		node_wait(&n, 34000);
		cr_assert(strstr(n.trace, "SPAWN a|"), "%d", i);
		n.trace[0] = '\0';
	}
	node_does(&n, &e);
	cr_expect_eq(node_child(&n, "default/a").state, CHILD_BACKOFF);
	cr_expect_eq(node_child(&n, "default/a").reason, REASON_SPAWN_ERROR);
	cr_expect_str_eq(
		node_child(&n, "default/a").status->record->status.last_exit.error, "exec: ENOENT");
	node_free(&n);
}

Test(child_life, fail_child_ends_on_the_fourth_failure_and_restart_revives_it)
{
	struct node n = node_make("n1", 0);
	struct record *spec = plain_spec(1);

	spec->spec.restart.policy = POLICY_FAIL_CHILD;
	node_runs(&n, "default/a", spec);
	for (int i = 0; i < 3; i++) {
		node_exited(&n, "default/a", 1, 0);
		node_wait(&n, 1000);
		node_started(&n, "default/a", 100 + i);
	}
	n.trace[0] = '\0';
	node_exited(&n, "default/a", 1, 0);
	node_wait(&n, 100000);
	cr_trace(&n, "status a failed max_restarts|");
	cr_expect_eq(node_restart(&n, "default/a"), ERR_OK);
	cr_trace(&n, "SPAWN a|");
	node_started(&n, "default/a", 99);
	n.trace[0] = '\0';
	node_exited(&n, "default/a", 1, 0);
	cr_trace(&n, "SPAWN a|");
	node_free(&n);
}

Test(child_life, a_new_spec_replaces_the_process_once_and_the_same_spec_never)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	node_put(&n, "default/a", plain_spec(1));
	cr_trace(&n, "spec a|");
	node_put(&n, "default/a", plain_spec(2));
	cr_trace(&n, "spec a|STOP a 15 5000|");
	node_put(&n, "default/a", plain_spec(3));
	cr_trace(&n, "spec a|");
	node_exited(&n, "default/a", -1, 15);
	cr_trace(&n, "SPAWN a|");
	node_started(&n, "default/a", 43);
	cr_trace(&n, "status a running none|");
	cr_expect_eq(node_child(&n, "default/a").status->record->status.spec_hash, 3);
	cr_expect_eq(node_child(&n, "default/a").status->record->status.restarts, 0);
	node_free(&n);
}

Test(child_life, a_deleted_child_ends_and_its_records_go)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	cr_trace(&n, "-spec a|STOP a 15 5000|");
	cr_expect(horde_child_process(n.h, "default/a"));
	node_exited(&n, "default/a", -1, 15);
	cr_trace(&n, "-status a|-assign a|");
	cr_expect_not(horde_child_process(n.h, "default/a"));
	cr_expect_eq(node_remove(&n, "default/a"), ERR_NOT_FOUND);
	node_wait(&n, 100000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(child_life, what_a_step_says_of_a_deleted_child_can_still_be_read_after_it)
{
	struct node n = node_make("n1", 0);
	struct event e = {.kind = EVENT_EXITED};

	node_runs(&n, "default/a", plain_spec(1));
	node_remove(&n, "default/a");
	e.process.ref = "default/a";
	e.process.epoch = n.epoch;
	node_step(&n, &e);
	cr_assert_gt(n.actions.used, 0);
	for (size_t i = 0; i < n.actions.used; i++)
		cr_expect_str_eq(n.actions.items[i].subject, "default/a");
	node_free(&n);
}

Test(child_life, a_child_deleted_in_back_off_never_comes_back)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	node_exited(&n, "default/a", 1, 0);
	node_exited(&n, "default/a", 1, 0);
	n.trace[0] = '\0';
	node_remove(&n, "default/a");
	cr_trace(&n, "-spec a|-status a|-assign a|");
	node_wait(&n, 100000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(child_life, put_again_while_the_deleted_one_still_stops_runs_once_more)
{
	struct node n = node_make("n1", 0);
	uint64_t first;

	node_runs(&n, "default/a", plain_spec(1));
	first = n.epoch;
	node_remove(&n, "default/a");
	node_put(&n, "default/a", plain_spec(1));
	cr_trace(&n, "-spec a|STOP a 15 5000|spec a|assign a n1 placed|");
	node_exited(&n, "default/a", -1, 15);
	cr_trace(&n, "SPAWN a|");
	cr_expect_gt(n.epoch, first, "the fencing token grows");
	node_free(&n);
}

Test(child_life, epochs_grow_even_when_the_clock_falls_back)
{
	struct node n = node_make("n1", 0);
	uint64_t first;

	node_runs(&n, "default/a", plain_spec(1));
	first = n.epoch;
	n.now_ms -= 900000;
	node_remove(&n, "default/a");
	node_put(&n, "default/a", plain_spec(1));
	node_exited(&n, "default/a", -1, 15);
	cr_expect_gt(n.epoch, first);
	node_free(&n);
}

Test(child_life, epochs_grow_within_one_millisecond)
{
	struct node n = node_make("n1", 0);
	uint64_t first;

	node_put(&n, "default/a", plain_spec(1));
	first = n.epoch;
	node_remove(&n, "default/a");
	node_put(&n, "default/a", plain_spec(1));
	node_exited(&n, "default/a", -1, 15);
	cr_expect_gt(n.epoch, first);
	node_free(&n);
}

Test(child_life, stop_and_start_whatever_it_was)
{
	static const enum restart_type types[] = {RESTART_PERMANENT, RESTART_TRANSIENT};
	struct record *stopped;

	for (int ended = 0; ended < 2; ended++) {
		struct node n = node_make("n1", 0);

		node_runs(&n, "default/a", typed_spec(1, types[ended]));
		if (ended)
			node_exited(&n, "default/a", 0, 0);
		stopped = typed_spec(1, types[ended]);
		stopped->spec.desired_running = false;
		node_put(&n, "default/a", stopped);
		if (!ended)
			node_exited(&n, "default/a", -1, 15);
		cr_expect_eq(node_child(&n, "default/a").state, CHILD_STOPPED);
		cr_expect(node_child(&n, "default/a").current);
		node_wait(&n, 100000);
		n.trace[0] = '\0';
		cr_expect_eq(node_restart(&n, "default/a"), ERR_WRONG_STATE);
		node_put(&n, "default/a", typed_spec(1, types[ended]));
		cr_trace(&n, "spec a|SPAWN a|");
		node_free(&n);
	}
}

Test(child_life, a_spec_that_cannot_be_decoded_fails_and_a_good_one_heals_it)
{
	struct node n = node_make("n1", 0);

	node_put(&n, "default/a", NULL);
	node_wait(&n, 10000);
	cr_trace(&n, "spec a|assign a n1 placed|status a failed invalid_spec|");
	node_put(&n, "default/a", plain_spec(1));
	cr_trace(&n, "spec a|SPAWN a|");
	node_free(&n);
}

Test(child_life, a_restart_stops_and_starts_and_counts_as_none)
{
	struct node n = node_make("n1", 0);

	cr_expect_eq(node_restart(&n, "default/a"), ERR_NOT_FOUND);
	node_runs(&n, "default/a", plain_spec(1));
	cr_expect_eq(node_restart(&n, "default/a"), ERR_OK);
	cr_trace(&n, "STOP a 15 5000|");
	node_exited(&n, "default/a", -1, 15);
	cr_trace(&n, "SPAWN a|");
	node_started(&n, "default/a", 2);
	cr_expect_eq(node_child(&n, "default/a").status->record->status.restarts, 0);
	node_free(&n);
}

Test(child_life, reports_of_another_epoch_or_of_nobody_are_ignored)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	n.epoch--;
	node_exited(&n, "default/a", 1, 0);
	node_started(&n, "default/a", 1);
	node_exited(&n, "default/nobody", 1, 0);
	cr_trace(&n, "");
	node_free(&n);
}

static void ends_saying(struct node *n, int code, const char *tail)
{
	struct event e = {.kind = EVENT_EXITED};

	e.process.ref = "default/a";
	e.process.epoch = n->epoch;
	e.process.end = (struct process_end){.code = code, .tail = tail};
	node_does(n, &e);
}

Test(child_life, what_it_said_last_is_kept_of_a_failure_and_of_nothing_else)
{
	struct node n = node_make("n1", 0);
	const struct status_record *s;

	node_runs(&n, "default/a", plain_spec(1));
	ends_saying(&n, 1, "no such file");
	node_started(&n, "default/a", 43);
	s = &node_child(&n, "default/a").status->record->status;
	cr_expect_str_eq(s->exit_tail, "no such file");
	ends_saying(&n, 0, "all is well");
	node_wait(&n, 500);
	node_started(&n, "default/a", 44);
	s = &node_child(&n, "default/a").status->record->status;
	cr_expect_null(s->exit_tail);
	node_put(&n, "default/a", plain_spec(2));
	ends_saying(&n, 3, "was told to stop");
	node_started(&n, "default/a", 45);
	s = &node_child(&n, "default/a").status->record->status;
	cr_expect_null(s->exit_tail);
	node_free(&n);
}

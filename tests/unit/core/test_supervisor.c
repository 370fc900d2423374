/* Supervisors: their limits, what a change of them does, and their end. */
#include "tests/unit/core/team.h"

TestSuite(supervisor, .timeout = 30);

static struct cluster c;

/* ---- limits ---- */

Test(supervisor, max_children_counts_those_that_run_or_are_to)
{
	struct node n = node_make("n1", 0);
	struct record *stopped = plain_spec(1);

	stopped->spec.desired_running = false;
	describe(&n, "team", options(2, 0));
	node_runs(&n, "team/a", plain_spec(1));
	node_runs(&n, "team/b", typed_spec(1, RESTART_TEMPORARY));
	cr_expect_eq(node_put(&n, "team/c", plain_spec(1)), ERR_FULL);
	cr_expect_null(node_child(&n, "team/c").spec, "nothing was written");
	cr_expect_eq(node_put(&n, "team/a", plain_spec(2)), ERR_OK, "it is there already");
	cr_expect_eq(node_put(&n, "default/c", plain_spec(1)), ERR_OK, "that is another one's");
	cr_expect_eq(node_put(&n, "team/c", stopped), ERR_OK, "it is not to run");
	cr_expect_eq(node_put(&n, "team/c", plain_spec(1)), ERR_FULL, "and may not yet");
	node_exited(&n, "team/b", 0, 0);
	cr_expect_eq(node_put(&n, "team/c", plain_spec(1)), ERR_OK, "b has ended");
	describe(&n, "team", options(0, 0));
	cr_expect_eq(node_put(&n, "team/d", plain_spec(1)), ERR_OK);
	node_free(&n);
}

Test(supervisor, s023_fifteen_of_five_a_node_and_the_sixteenth_when_one_has_gone)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 5));
	settle_all(&c);
	for (int i = 0; i < 15; i++)
		cr_assert_eq(put_team(&c, (size_t)i % 3, i, plain_spec(1)), ERR_OK, "%d", i);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(of_team(&c.peers[i]), 5);
	cr_expect_eq(put_team(&c, 1, 15, plain_spec(1)), ERR_FULL);
	cr_expect_eq(node_put(&c.peers[1].n, "default/x", plain_spec(1)), ERR_OK);
	cr_expect_eq(node_remove(&c.peers[2].n, "team/c3"), ERR_OK);
	settle_all(&c);
	cr_expect_eq(put_team(&c, 1, 15, plain_spec(1)), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(of_team(&c.peers[i]), 5);
	cluster_free(&c);
}

Test(supervisor, whom_no_node_may_take_waits_until_one_may)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 2));
	settle_all(&c);
	for (int i = 0; i < 6; i++)
		cr_assert_eq(put_team(&c, 0, i, plain_spec(1)), ERR_OK);
	peer_kill(&c, 2);
	cluster_wait(&c, 20000);
	cr_expect_eq(of_team(&c.peers[0]), 2, "%u", of_team(&c.peers[0]));
	cr_expect_eq(of_team(&c.peers[1]), 2, "%u", of_team(&c.peers[1]));
	describe(&c.peers[1].n, "team", options(0, 3));
	settle_all(&c);
	cluster_wait(&c, 20000);
	cr_expect_eq(of_team(&c.peers[0]), 3);
	cr_expect_eq(of_team(&c.peers[1]), 3);
	cr_expect_eq(c.greatest, 1);
	cluster_free(&c);
}

/* ---- what is inherited ---- */

static struct record *with_arguments(const char *word)
{
	struct record *r = options(0, 0);

	r->supervisor.defaults.command = calloc(2, sizeof(char *));
	r->supervisor.defaults.command[0] = strdup(word);
	return r;
}

Test(supervisor, other_arguments_replace_the_process_once_but_not_a_temporary_one)
{
	struct node n = node_make("n1", 0);

	describe(&n, "team", options(0, 0));
	node_runs(&n, "team/a", plain_spec(1));
	node_runs(&n, "team/b", typed_spec(1, RESTART_TEMPORARY));
	n.trace[0] = '\0';
	describe(&n, "team", with_arguments("-v"));
	cr_trace(&n, "STOP team/a 15 5000|");
	node_exited(&n, "team/a", -1, 15);
	cr_trace(&n, "SPAWN team/a|");
	node_started(&n, "team/a", 7);
	n.trace[0] = '\0';
	describe(&n, "team", with_arguments("-v"));
	cr_trace(&n, "");
	node_free(&n);
}

Test(supervisor, another_budget_and_shutdown_hold_for_the_process_that_runs)
{
	struct node n = node_make("n1", 0);
	struct record *r = options(0, 0);

	describe(&n, "team", options(0, 0));
	node_runs(&n, "team/a", plain_spec(1));
	n.trace[0] = '\0';
	r->supervisor.defaults.given =
		GIVEN_POLICY | GIVEN_MAX_RESTARTS | GIVEN_SHUTDOWN_SIGNAL | GIVEN_SHUTDOWN_TIMEOUT;
	r->supervisor.defaults.restart.policy = POLICY_FAIL_CHILD;
	r->supervisor.defaults.restart.max_restarts = 0;
	r->supervisor.defaults.shutdown_signal = 2;
	r->supervisor.defaults.shutdown_timeout_ms = 70;
	describe(&n, "team", r);
	cr_trace(&n, "");
	node_remove(&n, "team/a");
	cr_trace(&n, "-spec team/a|STOP team/a 2 70|");
	node_exited(&n, "team/a", -1, 2);
	node_runs(&n, "team/b", plain_spec(1));
	node_exited(&n, "team/b", 1, 0);
	cr_expect_eq(node_child(&n, "team/b").state, CHILD_FAILED);
	node_free(&n);
}

Test(supervisor, a_spec_that_differs_only_in_what_holds_at_once_touches_no_process)
{
	struct node n = node_make("n1", 0);
	struct record *live = plain_spec(2), *replaced = plain_spec(3);

	live->spec.process_hash = 1;
	live->spec.shutdown_timeout_ms = 9;
	node_runs(&n, "default/a", plain_spec(1));
	n.trace[0] = '\0';
	node_put(&n, "default/a", live);
	cr_trace(&n, "spec a|status a running none|");
	cr_expect(node_child(&n, "default/a").current);
	node_put(&n, "default/a", replaced);
	cr_trace(&n, "spec a|STOP a 15 9|");
	node_free(&n);
}

Test(supervisor, the_step_says_what_another_spec_means)
{
	struct node n = node_make("n1", 0);
	struct record *live = plain_spec(2), *stopped = plain_spec(2);

	live->spec.process_hash = 1;
	stopped->spec.desired_running = false;
	n.writes_kept = true;
	node_put(&n, "default/a", plain_spec(1));
	cr_expect_eq(n.actions.applied, APPLIED_UNSAID);
	node_put(&n, "default/a", plain_spec(1));
	cr_expect_eq(n.actions.applied, APPLIED_NONE);
	node_put(&n, "default/a", live);
	cr_expect_eq(n.actions.applied, APPLIED_LIVE);
	node_put(&n, "default/a", plain_spec(2));
	cr_expect_eq(n.actions.applied, APPLIED_REPLACED);
	node_put(&n, "default/a", stopped);
	cr_expect_eq(n.actions.applied, APPLIED_UNSAID, "it is to stop");
	node_free(&n);
}

Test(supervisor, a_child_in_back_off_is_tried_at_once_when_what_it_inherits_changes)
{
	struct node n = node_make("n1", 0);

	describe(&n, "team", options(0, 0));
	node_runs(&n, "team/a", plain_spec(1));
	for (int i = 0; i < 2; i++) {
		node_exited(&n, "team/a", 1, 0);
		node_started(&n, "team/a", 7);
	}
	cr_expect_eq(node_child(&n, "team/a").state, CHILD_BACKOFF);
	n.trace[0] = '\0';
	describe(&n, "team", with_arguments("-v"));
	cr_trace(&n, "SPAWN team/a|");
	node_free(&n);
}

/* ---- the end of one ---- */

Test(supervisor, its_deletion_ends_its_children_everywhere_and_nobody_else_s)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	settle_all(&c);
	for (int i = 0; i < 6; i++)
		put_team(&c, (size_t)i % 3, i, plain_spec(1));
	node_put(&c.peers[0].n, "default/c0", plain_spec(1));
	node_put(&c.peers[0].n, "teamster/c0", plain_spec(1));
	settle_all(&c);
	cr_expect_eq(does(&c.peers[1].n, EVENT_REMOVE_SUPERVISOR, "supervisor/team", NULL), ERR_OK);
	settle_all(&c);
	cluster_wait(&c, 100);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(of_team(&c.peers[i]), 0);
		cr_expect_not(exists(&c.peers[i].n, "team"));
	}
	cr_expect_eq(map_count(horde_map(c.peers[0].n.h), FAMILY_ASSIGN), 2);
	cr_expect_eq(cluster_processes(&c, "default/c0"), 1);
	cr_expect_eq(cluster_processes(&c, "teamster/c0"), 1);
	cr_expect_eq(does(&c.peers[1].n, EVENT_REMOVE_SUPERVISOR, "supervisor/team", NULL),
		ERR_NOT_FOUND);
	cluster_free(&c);
}

Test(supervisor, a_child_that_its_deletion_did_not_know_of_lives_on_and_it_with_it)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(1, 0));
	settle_all(&c);
	put_team(&c, 0, 0, plain_spec(1));
	c.peers[2].cut = true;
	cr_expect_eq(does(&c.peers[1].n, EVENT_REMOVE_SUPERVISOR, "supervisor/team", NULL), ERR_OK);
	describe(&c.peers[2].n, "team", options(0, 0));
	node_put(&c.peers[2].n, "team/c1", plain_spec(1));
	settle_all(&c);
	cr_expect_not(exists(&c.peers[0].n, "team"));
	c.peers[2].cut = false;
	cluster_wait(&c, 8000);
	for (size_t i = 0; i < 3; i++) {
		cr_expect(exists(&c.peers[i].n, "team"));
		cr_expect_eq(node_child(&c.peers[i].n, "team/c1").state, CHILD_RUNNING);
		cr_expect_null(node_child(&c.peers[i].n, "team/c0").spec);
	}
	cr_expect_eq(cluster_processes(&c, "team/c0"), 0);
	cr_expect_eq(cluster_processes(&c, "team/c1"), 1);
	cluster_free(&c);
}

Test(supervisor,
	one_that_is_missing_is_made_by_who_runs_its_child_and_loses_to_any_that_is_described)
{
	struct node n = node_make("n1", 0);
	const struct entry *e;

	cr_expect(exists(&n, "default"), "always");
	cr_expect_not(exists(&n, "team"));
	node_runs(&n, "team/a", plain_spec(1));
	cr_assert(horde_supervisor(n.h, "team", &e) && e);
	cr_expect_eq(e->record->supervisor.created_at_ms, 0);
	node_runs(&n, "default/a", plain_spec(1));
	cr_expect(horde_supervisor(n.h, "default", &e) && !e);
	node_free(&n);
}

Test(supervisor, children_of_names_of_any_length_go_with_it)
{
	struct node n = node_make("n1", 0);
	static const char *const refs[] = {
		"team/a", "team/a1", "team/a10", "team/a100", "team/a11", "team/b"};

	describe(&n, "team", options(0, 0));
	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++)
		cr_assert_eq(node_put(&n, refs[i], plain_spec(1)), ERR_OK);
	cr_assert_eq(does(&n, EVENT_REMOVE_SUPERVISOR, "supervisor/team", NULL), ERR_OK);
	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++)
		cr_expect_null(node_child(&n, refs[i]).spec, "%s", refs[i]);
	cr_expect_not(exists(&n, "team"));
	node_free(&n);
}

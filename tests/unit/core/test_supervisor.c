/* Supervisors: their limits, what a change of them does, and their end. */
#include "tests/unit/core/cluster.h"

TestSuite(supervisor, .timeout = 30);

static struct cluster c;

static struct record *options(uint32_t most, uint32_t most_per_node)
{
	struct record *r = record_new(FAMILY_SUPERVISOR);

	r->supervisor = (struct supervisor_record){
		.max_children = most, .max_children_per_node = most_per_node, .created_at_ms = 1};
	return r;
}

static enum err does(struct node *n, enum event_kind kind, const char *key, struct record *r)
{
	struct event e = {.kind = kind};
	enum err err;

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "{}";
	e.put.value_bytes = 2;
	e.put.record = r;
	err = node_does(n, &e);
	if (err != ERR_OK)
		record_free(r);
	return err;
}

static void describe(struct node *n, const char *name, struct record *r)
{
	char key[64];

	snprintf(key, sizeof(key), "supervisor/%s", name);
	cr_assert_eq(does(n, EVENT_PUT_SUPERVISOR, key, r), ERR_OK);
}

static bool exists(const struct node *n, const char *name)
{
	const struct entry *e;

	return horde_supervisor(n->h, name, &e);
}

static unsigned of_team(const struct peer *p)
{
	unsigned count = 0;

	for (size_t i = 0; i < p->proc_count; i++)
		count += strncmp(p->procs[i].ref, "team/", 5) == 0;
	return count;
}

static enum err put_team(size_t at, int i, struct record *spec)
{
	char ref[32];
	enum err err;

	snprintf(ref, sizeof(ref), "team/c%d", i);
	err = node_put(&c.peers[at].n, ref, spec);
	settle_all(&c);
	return err;
}

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
		cr_assert_eq(put_team((size_t)i % 3, i, plain_spec(1)), ERR_OK, "%d", i);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(of_team(&c.peers[i]), 5);
	cr_expect_eq(put_team(1, 15, plain_spec(1)), ERR_FULL);
	cr_expect_eq(node_put(&c.peers[1].n, "default/x", plain_spec(1)), ERR_OK);
	cr_expect_eq(node_remove(&c.peers[2].n, "team/c3"), ERR_OK);
	settle_all(&c);
	cr_expect_eq(put_team(1, 15, plain_spec(1)), ERR_OK);
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
		cr_assert_eq(put_team(0, i, plain_spec(1)), ERR_OK);
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
		put_team((size_t)i % 3, i, plain_spec(1));
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
	put_team(0, 0, plain_spec(1));
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

/* ---- beyond the budget ---- */

static struct record *policy(enum max_restarts_policy p)
{
	struct record *r = plain_spec(1);

	r->spec.restart.policy = p;
	r->spec.restart.max_restarts = 0;
	return r;
}

static size_t runs_at(const char *ref)
{
	for (size_t i = 0; i < c.count; i++)
		for (size_t k = 0; k < c.peers[i].proc_count; k++)
			if (strcmp(c.peers[i].procs[k].ref, ref) == 0)
				return i;
	return c.count;
}

/* The process of `ref` fails, wherever it is. */
static void fails(const char *ref)
{
	size_t at = runs_at(ref);
	struct peer *p = &c.peers[at];
	struct event e = {.kind = EVENT_EXITED};

	cr_assert_lt(at, c.count, "%s runs nowhere", ref);
	for (size_t k = 0; k < p->proc_count; k++)
		if (strcmp(p->procs[k].ref, ref) == 0) {
			e.process.epoch = p->procs[k].epoch;
			p->procs[k] = p->procs[--p->proc_count];
			break;
		}
	e.process.ref = ref;
	e.process.end.code = 1;
	peer_does(p, &e);
	settle_all(&c);
}

Test(supervisor, s033_reschedule_goes_round_all_nodes_and_not_back_before_a_minute)
{
	size_t first, second, third;

	cluster_make(&c, 3);
	node_put(&c.peers[0].n, "default/a", policy(POLICY_RESCHEDULE));
	settle_all(&c);
	first = runs_at("default/a");
	fails("default/a");
	second = runs_at("default/a");
	fails("default/a");
	third = runs_at("default/a");
	cr_assert(first < 3 && second < 3 && third < 3);
	cr_expect(first != second && second != third && first != third);
	fails("default/a");
	cr_expect_eq(runs_at("default/a"), 3, "nobody is left: it waits");
	cr_expect_eq(node_child(&c.peers[0].n, "default/a").state, CHILD_BACKOFF);
	cluster_wait(&c, 31000);
	cr_expect_eq(runs_at("default/a"), third);
	cluster_wait(&c, 60000);
	fails("default/a");
	cr_expect(runs_at("default/a") < 3 && runs_at("default/a") != third);
	cr_expect_eq(c.greatest, 1);
	cluster_free(&c);
}

Test(supervisor, what_ended_on_one_node_is_known_where_it_goes_on)
{
	const struct status_record *s;
	struct origin_id first;

	cluster_make(&c, 3);
	node_put(&c.peers[0].n, "default/a", policy(POLICY_RESCHEDULE));
	settle_all(&c);
	first = map_get(horde_map(c.peers[0].n.h), "assign/default/a", 16)->record->assign.node;
	fails("default/a");
	s = &map_get(horde_map(c.peers[0].n.h), "status/default/a", 16)->record->status;
	cr_expect_eq(s->state, CHILD_RUNNING);
	cr_expect_eq(s->last_exit.code, 1);
	cr_expect_eq(s->restarts, 1);
	cr_assert_eq(s->trail.count, 3, "%u", s->trail.count);
	cr_expect(s->trail.items[1].ended && s->trail.items[1].code == 1);
	cr_expect(origin_equal(s->trail.items[1].node, first));
	cluster_free(&c);
}

Test(supervisor, a_takeover_spares_the_node_where_it_failed)
{
	size_t first, second;

	for (int i = 0; i < 6; i++) {
		char ref[32];

		snprintf(ref, sizeof(ref), "default/c%d", i);
		cluster_make(&c, 3);
		node_put(&c.peers[0].n, ref, policy(POLICY_RESCHEDULE));
		settle_all(&c);
		first = runs_at(ref);
		fails(ref);
		second = runs_at(ref);
		peer_kill(&c, second);
		cluster_wait(&c, 10000);
		cr_expect(runs_at(ref) != first && runs_at(ref) < 3, "%d", i);
		cluster_free(&c);
	}
}

Test(supervisor, alone_reschedule_waits_like_back_off)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", policy(POLICY_RESCHEDULE));
	node_exited(&n, "default/a", 1, 0);
	cr_expect_eq(node_child(&n, "default/a").state, CHILD_BACKOFF);
	n.trace[0] = '\0';
	node_wait(&n, 40000);
	cr_trace(&n, "SPAWN a|");
	node_free(&n);
}

Test(supervisor, stop_supervisor_stops_its_children_on_all_nodes_until_it_is_started)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	settle_all(&c);
	for (int i = 0; i < 6; i++)
		put_team((size_t)i % 3, i, i == 0 ? policy(POLICY_STOP_SUPERVISOR) : plain_spec(1));
	put_team(0, 6, typed_spec(1, RESTART_TEMPORARY));
	node_put(&c.peers[0].n, "default/a", plain_spec(1));
	settle_all(&c);
	cr_expect_eq(
		does(&c.peers[0].n, EVENT_START_SUPERVISOR, "halt/team", NULL), ERR_WRONG_STATE);
	fails("team/c0");
	cluster_wait(&c, 100);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(of_team(&c.peers[i]), 0);
		for (int k = 0; k < 7; k++) {
			char ref[32];

			snprintf(ref, sizeof(ref), "team/c%d", k);
			cr_expect_eq(
				node_child(&c.peers[i].n, ref).state, CHILD_STOPPED, "%s", ref);
			cr_expect_not(node_child(&c.peers[i].n, ref).wanted);
		}
	}
	cr_expect_eq(cluster_processes(&c, "default/a"), 1);
	cr_expect_eq(put_team(1, 7, plain_spec(1)), ERR_OK, "it may be put, and waits");
	cr_expect_eq(cluster_processes(&c, "team/c7"), 0);
	cr_expect_eq(does(&c.peers[2].n, EVENT_START_SUPERVISOR, "halt/team", NULL), ERR_OK);
	settle_all(&c);
	cluster_wait(&c, 100);
	for (int k = 0; k < 8; k++) {
		char ref[32];

		snprintf(ref, sizeof(ref), "team/c%d", k);
		cr_expect_eq(cluster_processes(&c, ref), k == 6 ? 0 : 1, "%s", ref);
	}
	cr_expect_eq(node_child(&c.peers[1].n, "team/c6").state, CHILD_EXITED, "it had its life");
	cr_expect_eq(
		does(&c.peers[2].n, EVENT_START_SUPERVISOR, "halt/nobody", NULL), ERR_NOT_FOUND);
	cluster_free(&c);
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

/* ---- away from one node ---- */

static enum err vacates(size_t at)
{
	enum err err = does(&c.peers[at].n, EVENT_VACATE_SUPERVISOR, "supervisor/team", NULL);

	settle_all(&c);
	return err;
}

Test(supervisor, its_children_leave_a_node_one_life_at_a_time)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	settle_all(&c);
	for (int i = 0; i < 9; i++)
		put_team(0, i, plain_spec(1));
	put_team(0, 9, typed_spec(1, RESTART_TEMPORARY));
	node_put(&c.peers[0].n, "default/stays", plain_spec(1));
	settle_all(&c);
	for (size_t at = 0; at < 3; at++) {
		unsigned kept = runs_at("team/c9") == at;
		size_t others = runs_at("default/stays");

		cr_assert_gt(of_team(&c.peers[at]), 0);
		cr_expect_eq(vacates(at), ERR_OK);
		cr_expect_eq(of_team(&c.peers[at]), kept, "node %zu", at);
		cr_expect_eq(
			of_team(&c.peers[0]) + of_team(&c.peers[1]) + of_team(&c.peers[2]), 10);
		cr_expect_eq(runs_at("default/stays"), others);
		cluster_wait(&c, 61000);
	}
	cr_expect_eq(c.greatest, 1);
	cr_expect_eq(
		map_get(horde_map(c.peers[0].n.h), "status/team/c0", 14)->record->status.restarts,
		0, "no restart of its own");
	cluster_free(&c);
}

Test(supervisor, a_child_that_is_deleted_or_stopped_on_its_way_goes_nowhere)
{
	struct record *stopped = plain_spec(1);
	size_t at;

	stopped->spec.desired_running = false;
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	for (int i = 0; i < 2; i++)
		put_team(0, i, plain_spec(1));
	c.obstinate = true;
	for (at = 0; at < 3; at++)
		vacates(at);
	cr_expect_neq(runs_at("team/c0"), 3, "it has not ended yet");
	does(&c.peers[1].n, EVENT_REMOVE_SPEC, "spec/team/c0", NULL);
	node_put(&c.peers[1].n, "team/c1", stopped);
	c.obstinate = false;
	settle_all(&c);
	cluster_wait(&c, 10000);
	cr_expect_eq(runs_at("team/c0"), 3);
	cr_expect_eq(runs_at("team/c1"), 3);
	cr_expect_null(map_get(horde_map(c.peers[2].n.h), "assign/team/c0", 14));
	cr_expect_eq(node_child(&c.peers[2].n, "team/c1").state, CHILD_STOPPED);
	cluster_free(&c);
}

Test(supervisor, whom_nobody_else_may_have_stays)
{
	cluster_make(&c, 2);
	describe(&c.peers[0].n, "team", options(0, 2));
	for (int i = 0; i < 4; i++)
		put_team(0, i, plain_spec(1));
	cr_assert_eq(of_team(&c.peers[0]), 2);
	cr_expect_eq(vacates(0), ERR_OK);
	cr_expect_eq(of_team(&c.peers[0]), 2, "the other is full");
	cr_expect_eq(c.greatest, 1);
	peer_kill(&c, 1);
	cluster_wait(&c, 10000);
	cr_expect_eq(vacates(0), ERR_NO_MEMBER);
	cr_expect_eq(does(&c.peers[0].n, EVENT_VACATE_SUPERVISOR, "supervisor/nobody", NULL),
		ERR_NOT_FOUND);
	cluster_free(&c);
}

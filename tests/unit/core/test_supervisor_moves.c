/* What sends the children of a supervisor elsewhere, or ends them: their failures, and a call. */
#include "tests/unit/core/team.h"

TestSuite(supervisor_moves, .timeout = 30);

static struct cluster c;

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

Test(supervisor_moves, s033_reschedule_goes_round_all_nodes_and_not_back_before_a_minute)
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

Test(supervisor_moves, what_ended_on_one_node_is_known_where_it_goes_on)
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

Test(supervisor_moves, a_takeover_spares_the_node_where_it_failed)
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

Test(supervisor_moves, alone_reschedule_waits_like_back_off)
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

Test(supervisor_moves, stop_supervisor_stops_its_children_on_all_nodes_until_it_is_started)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	settle_all(&c);
	for (int i = 0; i < 6; i++)
		put_team(&c, (size_t)i % 3, i,
			i == 0 ? policy(POLICY_STOP_SUPERVISOR) : plain_spec(1));
	put_team(&c, 0, 6, typed_spec(1, RESTART_TEMPORARY));
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
	cr_expect_eq(put_team(&c, 1, 7, plain_spec(1)), ERR_OK, "it may be put, and waits");
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

/* ---- away from one node ---- */

static enum err vacates(size_t at)
{
	enum err err = does(&c.peers[at].n, EVENT_VACATE_SUPERVISOR, "supervisor/team", NULL);

	settle_all(&c);
	return err;
}

Test(supervisor_moves, its_children_leave_a_node_one_life_at_a_time)
{
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	settle_all(&c);
	for (int i = 0; i < 9; i++)
		put_team(&c, 0, i, plain_spec(1));
	put_team(&c, 0, 9, typed_spec(1, RESTART_TEMPORARY));
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

Test(supervisor_moves, a_child_that_is_deleted_or_stopped_on_its_way_goes_nowhere)
{
	struct record *stopped = plain_spec(1);
	size_t at;

	stopped->spec.desired_running = false;
	cluster_make(&c, 3);
	describe(&c.peers[0].n, "team", options(0, 0));
	for (int i = 0; i < 2; i++)
		put_team(&c, 0, i, plain_spec(1));
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

Test(supervisor_moves, whom_nobody_else_may_have_stays)
{
	cluster_make(&c, 2);
	describe(&c.peers[0].n, "team", options(0, 2));
	for (int i = 0; i < 4; i++)
		put_team(&c, 0, i, plain_spec(1));
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

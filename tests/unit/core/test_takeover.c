/* Stories of two and three nodes. */
#include "tests/unit/core/cluster.h"

static struct cluster c;

static void name_of(char name[32], int i)
{
	snprintf(name, 32, "default/c%d", i);
}

static void put_many(int count, enum restart_type type)
{
	for (int i = 0; i < count; i++) {
		char name[32];

		name_of(name, i);
		cr_assert_eq(
			node_put(&c.peers[i % (int)c.count].n, name, typed_spec(1, type)), ERR_OK);
		settle_all(&c);
	}
}

static void each_runs_once(int count)
{
	for (int i = 0; i < count; i++) {
		char name[32];

		name_of(name, i);
		cr_expect_eq(cluster_processes(&c, name), 1, "%s: %u", name,
			cluster_processes(&c, name));
	}
	cr_expect_eq(c.greatest, 1, "never twice at a time");
}

static enum err put_at(size_t i, const char *ref, struct record *spec)
{
	return node_put(&c.peers[i].n, ref, spec);
}

/* Where `ref` runs. */
static size_t runs_at(const char *ref)
{
	for (size_t i = 0; i < c.count; i++)
		for (size_t k = 0; k < c.peers[i].proc_count; k++)
			if (strcmp(c.peers[i].procs[k].ref, ref) == 0)
				return i;
	cr_assert_fail("%s runs nowhere", ref);
	return 0;
}

Test(takeover, twelve_children_are_shared_and_a_killed_node_s_come_back_at_once)
{
	cluster_make(&c, 3);
	put_many(12, RESTART_PERMANENT);
	each_runs_once(12);
	for (size_t i = 0; i < 3; i++)
		cr_expect(
			c.peers[i].spawns >= 2 && c.peers[i].spawns <= 6, "%u", c.peers[i].spawns);
	peer_kill(&c, 2);
	cluster_wait(&c, 0);
	each_runs_once(12);
	cr_expect_eq(c.peers[0].spawns + c.peers[1].spawns, 12, "nobody restarts its own");
	for (size_t i = 0; i < 2; i++)
		cr_expect_leq(c.peers[i].proc_count, 7, "each takes its own share only");
	cr_expect_eq(horde_member_by_name(c.peers[0].n.h, "n3")->opinion, OPINION_DEAD);
	cluster_free(&c);
}

Test(takeover, a_dead_node_s_temporary_children_end_and_are_never_started)
{
	unsigned spawns;

	cluster_make(&c, 2);
	put_many(8, RESTART_TEMPORARY);
	spawns = c.peers[0].spawns;
	cr_assert_gt(c.peers[1].proc_count, 0);
	peer_kill(&c, 1);
	cluster_wait(&c, 8000);
	cr_expect_eq(c.peers[0].spawns, spawns);
	for (int i = 0; i < 8; i++) {
		struct child_view v;
		char name[32];

		name_of(name, i);
		v = node_child(&c.peers[0].n, name);
		cr_expect(v.state == CHILD_RUNNING ||
			  (v.state == CHILD_EXITED && v.reason == REASON_NODE_DEAD));
		cr_expect_eq(v.state == CHILD_RUNNING, cluster_processes(&c, name) == 1);
	}
	cluster_free(&c);
}

/* Its data is lost: another node, with the same name, at the same address. */
static void begin_anew(size_t i, const char *name)
{
	struct horde_config config = config_of(name, 0);
	struct event e = {.kind = EVENT_JOIN};
	struct peer *p = &c.peers[i];
	int64_t now_ms = c.peers[0].n.now_ms;

	config.node_id = id_of(9);
	config.incarnation = id_of(109);
	config.joins = true;
	*p = (struct peer){.n = node_bare(config), .up = true};
	p->n.now_ms = now_ms;
	p->n.sees = note_actions;
	p->n.context = &c;
	e.join.url = "http://n1";
	e.join.keep = true;
	peer_does(p, &e);
	peer_does(p, &(struct event){.kind = EVENT_START});
}

Test(takeover, a_node_that_began_anew_knows_that_the_one_before_it_is_gone)
{
	cluster_make(&c, 3);
	put_many(12, RESTART_PERMANENT);
	peer_kill(&c, 1);
	cluster_wait(&c, 0);
	node_free(&c.peers[1].n);
	begin_anew(1, "n2");
	cluster_wait(&c, 7000);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(horde_member_by_id(c.peers[i].n.h, id_of(2))->opinion, OPINION_DEAD);
		cr_expect(
			origin_equal(horde_member_by_name(c.peers[i].n.h, "n2")->node_id, id_of(9)),
			"the name means the one that lives");
	}
	each_runs_once(12);
	cluster_free(&c);
}

Test(takeover, a_silent_node_keeps_its_children)
{
	unsigned spawns;

	cluster_make(&c, 2);
	put_many(8, RESTART_PERMANENT);
	spawns = c.peers[0].spawns;
	c.peers[1].cut = true;
	for (size_t k = 0; k < c.peers[0].call_count; k++)
		if (c.peers[0].calls[k].kind == ACTION_POLL) {
			uint32_t link = c.peers[0].calls[k].link;

			drop_call(&c.peers[0], link);
			peer_does(&c.peers[0],
				&(struct event){.kind = EVENT_LINK_SILENT, .link = link});
		}
	cluster_wait(&c, 20000);
	cr_expect_eq(c.peers[0].spawns, spawns);
	cr_expect_eq(horde_member_by_name(c.peers[0].n.h, "n2")->opinion, OPINION_SUSPECT);
	c.peers[1].cut = false;
	cluster_wait(&c, 3000);
	cr_expect_eq(horde_member_by_name(c.peers[0].n.h, "n2")->opinion, OPINION_ALIVE);
	each_runs_once(8);
	cluster_free(&c);
}

Test(takeover, a_restarted_node_adopts_its_own_children)
{
	cluster_make(&c, 1);
	put_many(5, RESTART_PERMANENT);
	peer_kill(&c, 0);
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 6000);
	each_runs_once(5);
	cr_expect_eq(c.peers[0].spawns, 5);
	cr_expect(strstr(c.peers[0].n.trace, "n1 adopted|"));
	cluster_free(&c);
}

Test(takeover, a_whole_cluster_that_boots_runs_each_child_where_it_was)
{
	size_t before[3];

	cluster_make(&c, 3);
	put_many(12, RESTART_PERMANENT);
	for (size_t i = 0; i < 3; i++)
		before[i] = c.peers[i].proc_count;
	for (size_t i = 0; i < 3; i++)
		peer_kill(&c, i);
	for (size_t i = 0; i < 3; i++) {
		peer_restart(&c, i, 1);
		cluster_wait(&c, 700);
	}
	cluster_wait(&c, 8000);
	each_runs_once(12);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(c.peers[i].proc_count, before[i], "node %zu", i);
	cluster_free(&c);
}

Test(takeover, a_node_that_comes_back_takes_nothing_from_those_who_took_over)
{
	size_t taken;

	cluster_make(&c, 2);
	put_many(8, RESTART_PERMANENT);
	peer_kill(&c, 1);
	cluster_wait(&c, 500);
	taken = c.peers[0].proc_count;
	cr_assert_eq(taken, 8);
	peer_restart(&c, 1, 1);
	cluster_wait(&c, 10000);
	each_runs_once(8);
	cr_expect_eq(c.peers[0].proc_count, 8);
	cluster_free(&c);
}

Test(takeover, concurrent_puts_of_one_id_end_with_one_process)
{
	cluster_make(&c, 3);
	for (int i = 0; i < 20; i++) {
		char name[32];

		name_of(name, i);
		put_at(0, name, plain_spec(1));
		put_at(1, name, plain_spec(2));
		settle_all(&c);
		cluster_wait(&c, 2000);
		cr_expect_eq(cluster_processes(&c, name), 1, "%s", name);
		for (size_t k = 0; k < 3; k++) {
			char key[40];

			snprintf(key, sizeof(key), "assign/%s", name);
			cr_expect_null(node_get(&c.peers[k].n, key)->sibling, "resolved");
			cr_expect_eq(node_child(&c.peers[k].n, name).state, CHILD_RUNNING);
			cr_expect_eq(
				node_child(&c.peers[k].n, name).status->record->status.restarts, 0);
		}
	}
	cluster_free(&c);
}

Test(takeover, deleted_on_one_side_and_put_on_the_other_it_runs_once)
{
	for (int side = 0; side < 2; side++) {
		cluster_make(&c, 2);
		put_at(0, "default/a", plain_spec(1));
		settle_all(&c);
		c.peers[0].cut = true;
		node_remove(&c.peers[side].n, "default/a");
		put_at(1 - (size_t)side, "default/a", plain_spec(1));
		cluster_wait(&c, 1000);
		c.peers[0].cut = false;
		cluster_wait(&c, 12000);
		cr_expect_eq(cluster_processes(&c, "default/a"), 1, "side %d", side);
		cluster_free(&c);
	}
}

Test(takeover, deleted_on_one_side_and_status_changed_on_the_other_it_is_gone)
{
	size_t at;
	struct event e = {.kind = EVENT_EXITED};

	cluster_make(&c, 2);
	put_at(0, "default/a", plain_spec(1));
	settle_all(&c);
	at = runs_at("default/a");
	c.peers[0].cut = true;
	node_remove(&c.peers[1 - at].n, "default/a");
	e.process.ref = "default/a";
	e.process.epoch = c.peers[at].procs[0].epoch;
	e.process.end.code = 1;
	c.peers[at].proc_count = 0;
	peer_does(&c.peers[at], &e);
	cluster_wait(&c, 1000);
	c.peers[0].cut = false;
	cluster_wait(&c, 5000);
	cr_expect_eq(cluster_processes(&c, "default/a"), 0);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_null(node_get(&c.peers[i].n, "assign/default/a"));
		cr_expect_null(node_get(&c.peers[i].n, "status/default/a"));
	}
	cluster_free(&c);
}

Test(takeover, a_dead_node_s_deleted_child_is_cleared_by_another)
{
	cluster_make(&c, 2);
	put_many(6, RESTART_TRANSIENT);
	c.peers[0].cut = true; /* so that nobody takes over first */
	peer_kill(&c, 1);
	for (int i = 0; i < 6; i++) {
		char name[32];

		name_of(name, i);
		node_remove(&c.peers[0].n, name);
	}
	c.peers[0].cut = false;
	cluster_wait(&c, 3000);
	cr_expect_eq(map_count(horde_map(c.peers[0].n.h), FAMILY_ASSIGN), 0);
	cr_expect_eq(map_count(horde_map(c.peers[0].n.h), FAMILY_STATUS), 0);
	cr_expect_eq(c.peers[0].proc_count, 0);
	cluster_free(&c);
}

Test(takeover, a_goodbye_for_a_while_keeps_the_children_and_one_for_good_gives_them)
{
	for (int leave = 0; leave < 2; leave++) {
		struct event e = {.kind = EVENT_STOP};
		size_t own;

		cluster_make(&c, 2);
		put_many(8, RESTART_PERMANENT);
		own = c.peers[0].proc_count;
		e.stop.reason = leave ? GOODBYE_LEAVE : GOODBYE_RESTART;
		e.stop.back_within_ms = 10000;
		peer_does(&c.peers[1], &e);
		e = (struct event){.kind = EVENT_GOODBYE};
		e.goodbye.node_id = id_of(2);
		e.goodbye.incarnation = id_of(102);
		e.goodbye.reason = leave ? GOODBYE_LEAVE : GOODBYE_RESTART;
		e.goodbye.back_within_ms = 10000;
		cr_assert_eq(peer_does(&c.peers[0], &e), ERR_OK);
		settle_all(&c);
		cr_expect_eq(c.peers[1].proc_count, 0);
		cr_expect(strstr(c.peers[1].n.trace, "EXIT|"));
		peer_kill(&c, 1);
		cluster_wait(&c, 5000);
		cr_expect_eq(c.peers[0].proc_count, leave ? 8 : own);
		cluster_wait(&c, 10000);
		cr_expect_eq(c.peers[0].proc_count, 8, "it did not come back in time");
		cr_expect_eq(c.greatest, 1);
		cluster_free(&c);
	}
}

/* Of seed 3066 of the simulator: in its store the other one had left, long before it came back. */
Test(takeover, a_node_that_was_away_when_a_leaver_came_back_asks_it_before_it_runs_anything)
{
	struct event e = {.kind = EVENT_STOP, .stop = {GOODBYE_LEAVE, 0}};

	cluster_make(&c, 2);
	put_many(4, RESTART_PERMANENT);
	peer_does(&c.peers[1], &e);
	settle_all(&c);
	peer_kill(&c, 1);
	cluster_wait(&c, 5000);
	cr_assert_eq(c.peers[0].proc_count, 4);
	peer_kill(&c, 0);
	peer_restart(&c, 1, 1);
	cluster_wait(&c, 8000);
	cr_assert_eq(c.peers[1].proc_count, 4);
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 8000);
	each_runs_once(4);
	cr_expect_eq(c.peers[1].proc_count, 4);
	cluster_free(&c);
}

Test(takeover, children_that_do_not_end_hold_up_nobody_but_are_waited_for)
{
	cluster_make(&c, 2);
	put_at(0, "default/a", plain_spec(1));
	settle_all(&c);
	c.obstinate = true;
	put_at(0, "default/a", plain_spec(2));
	cluster_wait(&c, 3000);
	cr_expect_eq(cluster_processes(&c, "default/a"), 1);
	c.obstinate = false;
	cluster_wait(&c, 100);
	cr_expect_eq(cluster_processes(&c, "default/a"), 1);
	cr_expect_eq(c.greatest, 1);
	cr_expect_eq(node_child(&c.peers[0].n, "default/a").status->record->status.spec_hash, 2);
	cluster_free(&c);
}

Test(takeover, put_again_while_it_stops_it_stays_where_it_was)
{
	cluster_make(&c, 3);
	put_many(12, RESTART_PERMANENT);
	c.obstinate = true;
	for (int i = 0; i < 12; i++) {
		char name[32];

		name_of(name, i);
		node_remove(&c.peers[0].n, name);
		settle_all(&c);
		put_at(1, name, plain_spec(2));
		settle_all(&c);
	}
	cr_expect_eq(c.greatest, 1);
	c.obstinate = false;
	cluster_wait(&c, 1000);
	each_runs_once(12);
	cluster_free(&c);
}

Test(takeover, a_stopped_child_of_a_dead_node_stays_stopped_and_can_be_started)
{
	struct record *stopped = plain_spec(1);
	char name[32];

	stopped->spec.desired_running = false;
	cluster_make(&c, 2);
	put_many(8, RESTART_PERMANENT);
	for (int i = 0; i == 0 || runs_at(name) != 1; i++)
		name_of(name, i);
	put_at(0, name, stopped);
	settle_all(&c);
	peer_kill(&c, 1);
	cluster_wait(&c, 5000);
	cr_expect_eq(cluster_processes(&c, name), 0);
	cr_expect_eq(node_child(&c.peers[0].n, name).state, CHILD_STOPPED);
	put_at(0, name, plain_spec(1));
	cluster_wait(&c, 1000);
	cr_expect_eq(cluster_processes(&c, name), 1);
	cluster_free(&c);
}

Test(takeover, a_child_told_to_stop_after_its_node_died_reads_stopped)
{
	struct record *stopped = plain_spec(1);
	char name[32];

	stopped->spec.desired_running = false;
	cluster_make(&c, 2);
	put_many(8, RESTART_PERMANENT);
	for (int i = 0; i == 0 || runs_at(name) != 1; i++)
		name_of(name, i);
	put_at(0, name, stopped); /* n2 never hears of it */
	peer_kill(&c, 1);
	cluster_wait(&c, 5000);
	cr_expect_eq(cluster_processes(&c, name), 0);
	cr_expect_eq(node_child(&c.peers[0].n, name).state, CHILD_STOPPED);
	cluster_free(&c);
}

/* The assign of a child to n2's last life but one, written by hand. */
static void assign_to_former_life(struct peer *p, const char *ref)
{
	struct changes changes = {0};
	struct record r = {.family = FAMILY_ASSIGN};
	char key[64];

	r.assign = (struct assign_record){
		.node = id_of(2), .incarnation = id_of(999), .epoch = UINT64_MAX / 2};
	snprintf(key, sizeof(key), "assign/%s", ref);
	cr_assert_eq(map_put(horde_map_mutable(p->n.h), key, strlen(key), "{}", 2, record_dup(&r),
			     1, &changes),
		ERR_OK);
	changes_fini(&changes);
}

Test(takeover, an_older_life_s_child_is_left_to_its_node_for_two_seconds)
{
	cluster_make(&c, 2);
	c.peers[1].cut = true;
	put_at(0, "default/a", plain_spec(1));
	settle_all(&c);
	c.peers[0].proc_count = 0;
	assign_to_former_life(&c.peers[0], "default/a");
	peer_kill(&c, 0);
	c.peers[1].cut = false;
	peer_restart(&c, 0, 1);
	c.peers[1].up = false; /* refused, but within n1's start-up grace */
	cluster_wait(&c, 4500);
	cr_expect_eq(c.peers[0].proc_count, 0, "nobody is judged before n1 has been up 5 s");
	cluster_wait(&c, 1500);
	cr_expect_eq(c.peers[0].proc_count, 1);
	cluster_free(&c);
}

Test(takeover, a_node_that_is_there_again_but_adopts_nothing_loses_its_children)
{
	cluster_make(&c, 2);
	assign_to_former_life(&c.peers[0], "default/a");
	put_at(0, "default/b", plain_spec(1));
	c.peers[1].cut = true; /* else it would adopt */
	node_put(&c.peers[0].n, "default/a", plain_spec(1));
	cluster_wait(&c, 1900);
	c.peers[1].cut = false;
	cluster_wait(&c, 3000);
	cr_expect_eq(cluster_processes(&c, "default/a"), 1);
	cluster_free(&c);
}

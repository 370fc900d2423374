/* Daemons that die, stop, and come back. */
#include "tests/integration/suite.h"

SUITE(failover);

enum { MANY = 200, SOME = 24, DESCENDANTS_MAX = 64 };

/* All items of the children list in one page; MANY fits. */
static struct http_reply *list_children(const struct node *at)
{
	return expect_status(node_call(at, "GET", NULL, CHILDREN "?limit=1000"), 200);
}

static json_t *item_of(const struct http_reply *list, const char *id)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_at(list->json, "items"), i,
		item) if (strcmp(json_str(item, "id"), id) == 0) return item;
	CHECK(false, "%s is not in the list", id);
	return NULL;
}

CLUSTER_TEST(failover, s035_a_killed_daemon_leaves_nobody_behind)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *victim = &c->nodes[1];
	pid_t below[DESCENDANTS_MAX];
	char *spec = trace_script(c,
		"sleep 1003 & (sleep 1003 & exec sleep 1003) & "
		"setsid sleep 1003 & wait",
		NULL);
	char id[64];
	int64_t end;
	int count;

	child_start_on(c, victim, "tree", spec, id, sizeof id);
	free(spec);
	end = check_now_ms() + check_ms(CLUSTER_SOON_MS);
	while ((count = procs_descendants(victim->pid, below, DESCENDANTS_MAX)) < 6) {
		CHECK(check_now_ms() < end, "only %d processes below the daemon", count);
		check_pause_ms(5);
	}
	node_kill(victim);
	end = check_now_ms() + check_ms(1000);
	for (int i = 0; i < count; i++)
		while (procs_alive(below[i])) {
			CHECK(check_now_ms() < end, "still alive after 1 s: %s",
				procs_command(below[i]));
			check_pause_ms(5);
		}
	child_until_on(&c->nodes[0], id, &c->nodes[0], CLUSTER_FAIL_MS);
	node_start(victim);
	cluster_settle(c);
	for (int i = 0; i < 2; i++)
		child_until(&c->nodes[i], id, "running", CLUSTER_SOON_MS);
	children_until_active(c, 1, CLUSTER_SOON_MS);
	trace_no_overlap(c);
	trace_stays(c, 500);
}

CLUSTER_TEST(failover, s050_s051_200_children_survive_the_kill_of_a_daemon)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_spec(c, NULL);
	struct http_reply *before, *after, *count;
	json_t *item;
	size_t i;

	children_start(c, "web", MANY, spec);
	free(spec);
	children_until_active(c, MANY, 20000);
	before = list_children(&c->nodes[0]);
	CHECK_INT(json_array_size(json_at(before->json, "items")), MANY);
	node_kill(&c->nodes[2]);
	count = expect_status(
		node_call(&c->nodes[0], "GET", NULL, "/v1/supervisors/default/count"), 200);
	CHECK(json_number_at(count->json, "active") <= MANY, "more than there are: %s",
		count->body);
	/* Until a survivor knows of the death, it counts the children of n3 as active. */
	for (int n = 0; n < 2; n++)
		http_until_str(node_url(&c->nodes[n], "/v1/cluster/members/n3"), "status", "dead",
			check_ms(CLUSTER_SOON_MS));
	children_until_active(c, MANY, 15000);
	for (int n = 0; n < 2; n++) {
		after = list_children(&c->nodes[n]);
		CHECK_INT(json_array_size(json_at(after->json, "items")), MANY);
		json_array_foreach(json_at(before->json, "items"), i, item)
		{
			json_t *now = item_of(after, json_str(item, "id"));

			CHECK_STR(json_str(now, "status.state"), "running");
			CHECK(strcmp(json_str(now, "status.node"), "n3") != 0, "%s is on n3",
				json_str(now, "id"));
			if (strcmp(json_str(item, "status.node"), "n3") == 0)
				continue;
			CHECK_INT(json_number_at(now, "status.pid"),
				json_number_at(item, "status.pid"));
		}
	}
	children_until_processes("sleep 1000", MANY, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

static void remember(const struct cluster *c)
{
	for (int i = 0; i < SOME; i++) {
		expect_status(node_call(&c->nodes[i % 3], "PUT",
				      text_of("{\"value\":%d,\"owner\":{\"kind\":\"child\","
					      "\"id\":\"default/web-%d\"}}",
					      i, i),
				      ENTRIES "/name-%d", i),
			201);
		expect_success(node_call(&c->nodes[i % 3], "PUT",
			text_of("{\"value\":{\"n\":%d}}", i), META "/note-%d", i));
	}
}

static void all_remember(const struct cluster *c)
{
	for (int i = 0; i < SOME; i++)
		for (int n = 0; n < 3; n++) {
			http_until_int(node_url(&c->nodes[n], ENTRIES "/name-%d", i), "value", i,
				check_ms(CLUSTER_SOON_MS));
			http_until_int(node_url(&c->nodes[n], META "/note-%d", i), "value.n", i,
				check_ms(CLUSTER_SOON_MS));
		}
}

CLUSTER_TEST(failover, s068_the_whole_cluster_stops_and_starts)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_spec(c, NULL);
	struct http_reply *before, *after;
	json_t *item;
	size_t i;

	children_start(c, "web", SOME, spec);
	free(spec);
	children_until_active(c, SOME, 5000);
	trace_until_starts(c, NULL, NULL, SOME, CLUSTER_SOON_MS);
	remember(c);
	all_remember(c);
	before = list_children(&c->nodes[0]);
	for (int n = 0; n < 3; n++)
		node_signal(&c->nodes[n], SIGTERM);
	for (int n = 0; n < 3; n++)
		CHECK_INT(node_wait_exit(&c->nodes[n], CLUSTER_START_MS), 0);
	CHECK_INT(trace_starts(c, NULL, NULL), SOME);
	CHECK_INT(children_processes("sleep 1000"), 0);
	for (int n = 0; n < 3; n++)
		node_start(&c->nodes[n]);
	cluster_settle(c);
	children_until_active(c, SOME, 10000);
	all_remember(c);
	after = list_children(&c->nodes[1]);
	json_array_foreach(json_at(before->json, "items"), i, item)
	{
		const char *id = json_str(item, "id");

		CHECK_STR(
			json_str(item_of(after, id), "status.node"), json_str(item, "status.node"));
		trace_until_starts(c, id, NULL, 2, CLUSTER_SOON_MS);
	}
	children_until_processes("sleep 1000", SOME, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

CLUSTER_TEST(failover, term_restart_keeps_the_children_for_the_same_node)
{
	static const char *const args[] = {"--on-terminate", "restart", NULL};
	struct cluster *c = cluster_start(3, &(struct cluster_options){.args = args});
	struct node *n2 = &c->nodes[1];
	char *spec = trace_spec(c, NULL);
	int here;

	children_start(c, "web", SOME, spec);
	free(spec);
	children_until_active(c, SOME, 5000);
	trace_until_starts(c, NULL, NULL, SOME, CLUSTER_SOON_MS);
	here = trace_starts(c, NULL, "n2");
	CHECK(here > 0, "no child is on n2");
	CHECK_INT(node_term(n2, CLUSTER_START_MS), 0);
	children_until_processes("sleep 1000", SOME - here, CLUSTER_SOON_MS);
	/* Longer than the detection of a killed daemon takes. */
	trace_stays(c, 1500);
	node_start(n2);
	cluster_settle(c);
	children_until_active(c, SOME, CLUSTER_FAIL_MS);
	trace_until_starts(c, NULL, "n2", 2 * here, CLUSTER_SOON_MS);
	trace_until_starts(c, NULL, NULL, SOME + here, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

CLUSTER_TEST(failover, term_leave_hands_the_children_to_the_others)
{
	static const char *const args[] = {"--on-terminate", "leave", NULL};
	struct cluster *c = cluster_start(3, &(struct cluster_options){.args = args});
	char *spec = trace_spec(c, NULL);
	struct http_reply *list;
	json_t *item;
	size_t i;

	children_start(c, "web", SOME, spec);
	free(spec);
	children_until_active(c, SOME, 5000);
	trace_until_starts(c, NULL, NULL, SOME, CLUSTER_SOON_MS);
	CHECK(trace_starts(c, NULL, "n3") > 0, "no child is on n3");
	CHECK_INT(node_term(&c->nodes[2], CLUSTER_START_MS), 0);
	children_until_active(c, SOME, CLUSTER_FAIL_MS);
	list = list_children(&c->nodes[0]);
	json_array_foreach(json_at(list->json, "items"), i, item)
		CHECK(strcmp(json_str(item, "status.node"), "n3") != 0, "%s is still on n3",
			json_str(item, "id"));
	for (int n = 0; n < 2; n++)
		http_until_str(node_url(&c->nodes[n], "/v1/cluster/members/n3"), "status", "left",
			check_ms(CLUSTER_SOON_MS));
	children_until_processes("sleep 1000", SOME, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

CLUSTER_TEST(failover, a_daemon_killed_and_started_at_once_runs_nothing_twice)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_spec(c, NULL);

	children_start(c, "web", SOME, spec);
	free(spec);
	children_until_active(c, SOME, 5000);
	for (int round = 0; round < 2; round++) {
		node_kill(&c->nodes[round]);
		node_start(&c->nodes[round]);
		cluster_settle(c);
		children_until_active(c, SOME, CLUSTER_FAIL_MS);
	}
	children_until_processes("sleep 1000", SOME, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

CLUSTER_TEST(failover, a_single_node_restarts_its_children_after_a_kill)
{
	struct cluster *c = cluster_start(1, NULL);
	char *spec = trace_spec(c, NULL);

	children_start(c, "web", SOME, spec);
	free(spec);
	children_until_active(c, SOME, 5000);
	trace_until_starts(c, NULL, NULL, SOME, CLUSTER_SOON_MS);
	node_kill(&c->nodes[0]);
	node_start(&c->nodes[0]);
	cluster_settle(c);
	children_until_active(c, SOME, CLUSTER_FAIL_MS);
	children_until_processes("sleep 1000", SOME, CLUSTER_SOON_MS);
	trace_until_starts(c, NULL, NULL, 2 * SOME, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

/* The options of a supervisor, changed while its children run, on three nodes. */
#include "tests/integration/suite.h"

SUITE(supervisors);

#define TEAM "/v1/supervisors/team"

static struct http_reply *put_team(const struct node *at, const char *options)
{
	return expect_success(node_call(at, "PUT", options, TEAM));
}

/* Every node knows it when this returns. */
static void patch_team(struct cluster *c, const struct node *at, const char *options)
{
	struct http_reply *r = expect_status(node_call(at, "PATCH", options, TEAM), 200);
	const char *etag = text_of("%s", json_str(r->json, "etag"));

	for (int i = 0; i < c->count; i++)
		if (c->nodes[i].pid)
			http_until_str(node_url(&c->nodes[i], TEAM), "etag", etag,
				check_ms(CLUSTER_SOON_MS));
}

static struct http_reply *put(const struct node *at, const char *id, const char *spec)
{
	return node_call(at, "PUT", spec, TEAM "/children/%s", id);
}

static struct http_reply *until(const struct node *at, const char *id, const char *state)
{
	return http_until_str(node_url(at, TEAM "/children/%s", id), "status.state", state,
		check_ms(CLUSTER_START_MS));
}

static pid_t pid_of(const struct node *at, const char *id)
{
	return (pid_t)json_number_at(until(at, id, "running")->json, "status.pid");
}

CLUSTER_TEST(supervisors, max_children_holds_at_once_and_ends_nobody)
{
	struct cluster *c = cluster_start(3, NULL);
	pid_t first, second;

	put_team(&c->nodes[0], "{\"max_children\":2}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "a", SLEEPER), 201);
	expect_status(put(&c->nodes[1], "b", SLEEPER), 201);
	first = pid_of(&c->nodes[2], "a");
	second = pid_of(&c->nodes[2], "b");
	expect_problem(put(&c->nodes[2], "c", SLEEPER), 409, "max-children");
	patch_team(c, &c->nodes[1], "{\"max_children\":3}");
	expect_status(put(&c->nodes[2], "c", SLEEPER), 201);
	patch_team(c, &c->nodes[2], "{\"max_children\":1}");
	for (int i = 0; i < 3; i++)
		expect_problem(put(&c->nodes[i], "d", SLEEPER), 409, "max-children");
	/* Who is there stays, and may be written; room comes as they go. */
	CHECK_INT(pid_of(&c->nodes[0], "a"), first);
	CHECK_INT(pid_of(&c->nodes[0], "b"), second);
	expect_status(put(&c->nodes[0], "a", "{\"command\":[\"/bin/sleep\",\"1001\"]}"), 200);
	patch_team(c, &c->nodes[0], "{\"max_children\":null}");
	expect_status(put(&c->nodes[1], "d", SLEEPER), 201);
}

CLUSTER_TEST(supervisors, max_children_per_node_spreads_them_and_who_finds_no_room_waits)
{
	struct cluster *c = cluster_start(3, NULL);
	char on[3][16];
	long long lost;

	put_team(&c->nodes[0], "{\"max_children_per_node\":1}");
	patch_team(c, &c->nodes[0], "{}");
	for (int i = 0; i < 3; i++) {
		expect_status(put(&c->nodes[0], text_of("w%d", i), SLEEPER), 201);
		snprintf(on[i], sizeof on[i], "%s",
			json_str(until(&c->nodes[0], text_of("w%d", i), "running")->json,
				"status.node"));
		for (int k = 0; k < i; k++)
			CHECK(strcmp(on[i], on[k]) != 0, "two run on %s", on[i]);
	}
	expect_problem(put(&c->nodes[1], "w3", SLEEPER), 409, "max-children");
	patch_team(c, &c->nodes[2], "{\"max_children_per_node\":2}");
	expect_status(put(&c->nodes[1], "w3", SLEEPER), 201);
	/* What its node had finds no room elsewhere, and waits for some. */
	patch_team(c, &c->nodes[2], "{\"max_children_per_node\":1}");
	lost = json_number_at(
		node_call(&c->nodes[0], "GET", NULL, TEAM "/count")->json, "by_node.n2");
	node_kill(&c->nodes[1]);
	http_until_int(node_url(&c->nodes[0], TEAM "/count"), "by_state.lost", lost,
		check_ms(CLUSTER_START_MS));
	patch_team(c, &c->nodes[2], "{\"max_children_per_node\":4}");
	for (int i = 0; i < 4; i++)
		until(&c->nodes[0], text_of("w%d", i), "running");
}

/* It failed within the old budget; the new one is that of its next failure. */
CLUSTER_TEST(supervisors, a_budget_and_what_is_beyond_it_apply_to_children_that_run)
{
	static const char failing[] = "{\"command\":[\"/bin/sh\",\"-c\",\"sleep 0.05; exit 3\"],"
				      "\"backoff\":{\"initial_ms\":0,\"max_ms\":100}}";
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;

	put_team(&c->nodes[0], "{\"max_restarts\":100000,\"max_seconds\":60}");
	patch_team(c, &c->nodes[0], "{}");
	expect_success(put(&c->nodes[1], "web", failing));
	http_until_int(node_url(&c->nodes[2], TEAM "/children/web"), "status.last_exit.code", 3,
		check_ms(CLUSTER_START_MS));
	patch_team(c, &c->nodes[2], "{\"max_restarts\":1,\"on_max_restarts\":\"fail_child\"}");
	r = until(&c->nodes[0], "web", "failed");
	CHECK_STR(json_str(r->json, "status.reason"), "max_restarts");
	/* Given up means for good, whatever comes, until somebody restarts it. */
	patch_team(c, &c->nodes[1], "{\"on_max_restarts\":\"backoff\",\"max_restarts\":100000}");
	until(&c->nodes[0], "web", "failed");
	expect_success(node_call(&c->nodes[0], "POST", NULL, TEAM "/children/web/restart?wait=0"));
	until(&c->nodes[0], "web", "running");
	patch_team(c, &c->nodes[1], "{\"on_max_restarts\":\"stop_supervisor\",\"max_restarts\":1}");
	http_until_str(
		node_url(&c->nodes[2], TEAM), "state", "stopped", check_ms(CLUSTER_START_MS));
	CHECK_STR(json_str(node_call(&c->nodes[2], "GET", NULL, TEAM)->json, "stopped_by"),
		"team/web");
}

CLUSTER_TEST(supervisors, what_children_inherit_replaces_only_whom_it_changes)
{
	struct cluster *c = cluster_start(3, NULL);
	pid_t heir, own, other;

	put_team(&c->nodes[0], "{\"child_defaults\":{\"env\":{\"A\":\"1\"}}}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "heir", SLEEPER), 201);
	expect_status(put(&c->nodes[0], "own",
			      "{\"command\":[\"/bin/sleep\",\"1001\"],\"env\":{\"A\":\"2\"}}"),
		201);
	heir = pid_of(&c->nodes[1], "heir");
	own = pid_of(&c->nodes[1], "own");
	/* Nothing that a process is made of. */
	patch_team(c, &c->nodes[1], "{\"child_defaults\":{\"restart\":\"transient\"}}");
	CHECK_INT(pid_of(&c->nodes[2], "heir"), heir);
	patch_team(c, &c->nodes[1], "{\"child_defaults\":{\"env\":{\"A\":\"3\"}}}");
	while ((other = pid_of(&c->nodes[2], "heir")) == heir)
		check_pause_ms(5);
	CHECK_INT(pid_of(&c->nodes[2], "own"), own);
	/* Arguments come between the program and its own. */
	patch_team(c, &c->nodes[2], "{\"child_defaults\":{\"arguments\":[\"0.001\"]}}");
	children_until_processes("sleep 0.001 1000", 1, CLUSTER_START_MS);
	children_until_processes("sleep 0.001 1001", 1, CLUSTER_START_MS);
	children_until_processes("sleep 1000", 0, CLUSTER_START_MS);
	patch_team(c, &c->nodes[0], "{\"child_defaults\":null}");
	children_until_processes("sleep 1000", 1, CLUSTER_START_MS);
	children_until_processes("sleep 0.001", 0, CLUSTER_START_MS);
}

CLUSTER_TEST(supervisors, its_delete_ends_all_its_children_everywhere)
{
	struct cluster *c = cluster_start(3, NULL);

	put_team(&c->nodes[0], "{\"max_children\":10}");
	patch_team(c, &c->nodes[0], "{}");
	for (int i = 0; i < 9; i++)
		expect_success(put(&c->nodes[i % 3], text_of("w%d", i), SLEEPER));
	child_start(&c->nodes[1], "bystander", "{\"command\":[\"/bin/sleep\",\"1001\"]}");
	children_until_processes("sleep 1000", 9, CLUSTER_START_MS);
	expect_status(node_call(&c->nodes[2], "DELETE", NULL, TEAM), 204);
	for (int i = 0; i < 3; i++)
		http_until_status(node_url(&c->nodes[i], TEAM), 404, check_ms(CLUSTER_SOON_MS));
	children_until_processes("sleep 1000", 0, CLUSTER_START_MS);
	children_until_processes("sleep 1001", 1, CLUSTER_START_MS);
	expect_problem(put(&c->nodes[0], "w0", SLEEPER), 404, "supervisor-not-found");
}

/* ---- who counts ---- */

CLUSTER_TEST(supervisors, who_does_not_run_takes_no_room_and_finds_none_when_it_is_full)
{
	struct cluster *c = cluster_start(3, NULL);

	put_team(&c->nodes[0], "{\"max_children\":1}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "a", SLEEPER), 201);
	expect_status(node_call(&c->nodes[0], "POST", NULL, TEAM "/children/a/stop"), 200);
	expect_status(put(&c->nodes[0], "b", SLEEPER), 201);
	expect_problem(node_call(&c->nodes[0], "POST", NULL, TEAM "/children/a/start"), 409,
		"max-children");
	CHECK_STR(json_str(until(&c->nodes[0], "a", "stopped")->json, "desired"), "stopped");
	expect_status(node_call(&c->nodes[0], "DELETE", NULL, TEAM "/children/b"), 204);
	expect_status(put(&c->nodes[0], "done",
			      "{\"command\":[\"/bin/true\"],\"restart\":\"transient\"}"),
		201);
	until(&c->nodes[0], "done", "exited");
	expect_status(node_call(&c->nodes[0], "POST", NULL, TEAM "/children/a/start"), 200);
	expect_problem(put(&c->nodes[0], "b", SLEEPER), 409, "max-children");
	pid_of(&c->nodes[2], "a");
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
}

CLUSTER_TEST(supervisors, a_node_that_joins_takes_nobody_over_and_gets_new_ones)
{
	enum { OLD = 8, NEW = 24 };
	struct cluster *c = cluster_start(2, NULL);
	struct node *third;
	pid_t pids[OLD];

	put_team(&c->nodes[0], "{\"distribution\":\"uniform\",\"redistribution\":\"passive\"}");
	patch_team(c, &c->nodes[0], "{}");
	for (int i = 0; i < OLD; i++) {
		expect_status(put(&c->nodes[i % 2], text_of("old-%d", i), SLEEPER), 201);
		pids[i] = pid_of(&c->nodes[0], text_of("old-%d", i));
	}
	third = cluster_add(c, &c->nodes[0], NULL);
	cluster_settle(c);
	for (int i = 0; i < NEW; i++)
		expect_status(put(&c->nodes[i % 3], text_of("new-%d", i), SLEEPER), 201);
	CHECK(json_number_at(expect_status(node_call(third, "GET", NULL, TEAM "/count"), 200)->json,
		      text_of("by_node.%s", third->name)) > 0,
		"the new node has nobody");
	for (int i = 0; i < OLD; i++)
		CHECK_INT(pid_of(third, text_of("old-%d", i)), pids[i]);
}

/* ---- budgets ---- */

static bool runs_elsewhere(const struct http_reply *child, const void *node)
{
	return strcmp(json_str(child->json, "status.state"), "running") == 0 &&
	       strcmp(json_str(child->json, "status.node"), node) != 0;
}

/* Ends its process hard, and waits until that has been restarted so often. */
static void kill_it(const struct node *at, const char *id, int restarts)
{
	pid_t pid = pid_of(at, id);

	CHECK(kill(pid, SIGKILL) == 0, "there is no process %d of %s", (int)pid, id);
	http_until_int(node_url(at, TEAM "/children/%s", id), "status.restarts", restarts,
		check_ms(CLUSTER_SOON_MS));
	pid_of(at, id);
}

static void kill_for_good(const struct node *at, const char *id)
{
	pid_t pid = pid_of(at, id);

	CHECK(kill(pid, SIGKILL) == 0, "there is no process %d of %s", (int)pid, id);
	CHECK_STR(json_str(until(at, id, "failed")->json, "status.reason"), "max_restarts");
}

/* One restart is in order; the time over which they count is the supervisor's. */
CLUSTER_TEST(supervisors, the_time_over_which_restarts_count_is_what_it_is_at_the_next_end)
{
	static const char spec[] = "{\"command\":[\"/bin/sleep\",\"1000\"],\"backoff\":"
				   "{\"initial_ms\":1,\"max_ms\":1}}";
	struct cluster *c = cluster_start(3, NULL);
	int64_t killed_ms;

	put_team(&c->nodes[0],
		"{\"max_restarts\":1,\"max_seconds\":86400,\"on_max_restarts\":\"fail_child\"}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[1], "web", spec), 201);
	kill_it(&c->nodes[0], "web", 1);
	killed_ms = check_now_ms();
	patch_team(c, &c->nodes[1], "{\"max_seconds\":1}");
	while (check_now_ms() < killed_ms + 1050)
		check_pause_ms(10);
	kill_it(&c->nodes[2], "web", 2);
	patch_team(c, &c->nodes[2], "{\"max_seconds\":86400}");
	kill_for_good(&c->nodes[0], "web");
}

CLUSTER_TEST(supervisors, who_is_beyond_its_budget_goes_elsewhere_when_the_supervisor_says_so)
{
	struct cluster *c = cluster_start(3, NULL);
	char first[16];

	put_team(&c->nodes[0], "{\"on_max_restarts\":\"fail_child\"}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "web", SLEEPER), 201);
	expect_status(put(&c->nodes[0], "own",
			      "{\"command\":[\"/bin/sleep\",\"1000\"],\"on_max_restarts\":"
			      "\"fail_child\"}"),
		201);
	snprintf(first, sizeof first, "%s",
		json_str(until(&c->nodes[0], "web", "running")->json, "status.node"));
	patch_team(c, &c->nodes[1], "{\"max_restarts\":0,\"on_max_restarts\":\"reschedule\"}");
	CHECK(kill(pid_of(&c->nodes[2], "web"), SIGKILL) == 0, "there is no such process");
	http_until(node_url(&c->nodes[2], TEAM "/children/web"), runs_elsewhere, first,
		check_ms(CLUSTER_FAIL_MS), "it to go elsewhere");
	/* What a child says itself counts. */
	kill_for_good(&c->nodes[2], "own");
}

/* ---- what is inherited ---- */

CLUSTER_TEST(supervisors, what_is_no_part_of_a_process_changes_without_a_new_one)
{
	static const char *const live[] = {"\"restart\":\"transient\"",
		"\"backoff\":{\"initial_ms\":600000,\"max_ms\":600000}",
		"\"shutdown\":{\"signal\":\"USR1\"}", "\"success_exit_codes\":[7]",
		"\"logs\":{\"max_files\":1}", "\"retain_ms\":600000",
		"\"ready\":{\"kind\":\"exec\",\"command\":[\"/bin/true\"]}",
		"\"health\":[{\"kind\":\"exec\",\"command\":[\"/bin/true\"]}]"};
	static const char *const replaced[] = {"\"env\":{\"A\":\"1\"}", "\"cwd\":\"/tmp\"",
		"\"umask\":\"077\"", "\"limits\":{\"core_bytes\":0}", "\"arguments\":[\"-e\"]",
		"\"watchdog_ms\":600000", "\"env\":null", "\"arguments\":[]"};
	enum {
		LIVE = sizeof live / sizeof live[0],
		REPLACED = sizeof replaced / sizeof replaced[0]
	};
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_spec(c, NULL), *once = trace_spec(c, "\"restart\":\"temporary\"");

	put_team(&c->nodes[0], "{}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "web", spec), 201);
	expect_status(put(&c->nodes[0], "once", once), 201);
	expect_status(put(&c->nodes[0], "off", spec), 201);
	trace_until_starts(c, NULL, NULL, 3, CLUSTER_SOON_MS);
	expect_status(node_call(&c->nodes[0], "POST", NULL, TEAM "/children/off/stop"), 200);
	for (int i = 0; i < LIVE; i++)
		patch_team(c, &c->nodes[i % 3], text_of("{\"child_defaults\":{%s}}", live[i]));
	for (int i = 0; i < REPLACED; i++) {
		/* One start for all that came before, were there any, would be one too many. */
		patch_team(c, &c->nodes[i % 3], text_of("{\"child_defaults\":{%s}}", replaced[i]));
		trace_until_starts(c, "web", NULL, 2 + i, CLUSTER_SOON_MS);
	}
	trace_stays(c, 200);
	CHECK_INT(trace_starts(c, "once", NULL), 1);
	CHECK_INT(trace_starts(c, "off", NULL), 1);
	trace_no_overlap(c);
	free(spec);
	free(once);
}

/* Says what it is told on its way out, and ends with 7 once there is such a file. */
static char *teller(const struct cluster *c, const char *members)
{
	return trace_script(c,
		"for s in USR1 USR2; do trap \"echo $s >\\\"$1.$HORDE_CHILD.told\\\"; exit 0\" $s; "
		"done; "
		"while :; do [ -e \"$1.$HORDE_CHILD.end\" ] && exit 7; sleep 0.02; done",
		members);
}

CLUSTER_TEST(supervisors, what_is_inherited_later_is_how_a_running_process_ends)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = teller(c, NULL), *own = teller(c, "\"shutdown\":{\"signal\":\"USR2\"}");

	put_team(&c->nodes[0], "{}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "web", spec), 201);
	expect_status(put(&c->nodes[0], "own", own), 201);
	expect_status(put(&c->nodes[0], "job", spec), 201);
	trace_until_starts(c, NULL, NULL, 3, CLUSTER_SOON_MS);
	patch_team(c, &c->nodes[1],
		"{\"child_defaults\":{\"restart\":\"transient\",\"success_exit_codes\":[7],"
		"\"shutdown\":{\"signal\":\"USR1\"}}}");
	file_write(text_of("%s/trace.job.end", c->dir), "", 0, 0600);
	CHECK_INT(
		json_number_at(until(&c->nodes[2], "job", "exited")->json, "status.last_exit.code"),
		7);
	expect_status(node_call(&c->nodes[2], "POST", NULL, TEAM "/children/web/stop"), 200);
	expect_status(node_call(&c->nodes[1], "POST", NULL, TEAM "/children/own/stop"), 200);
	file_until(text_of("%s/trace.web.told", c->dir), "USR1\n", CLUSTER_SOON_MS);
	file_until(text_of("%s/trace.own.told", c->dir), "USR2\n", CLUSTER_SOON_MS);
	CHECK_INT(trace_starts(c, NULL, NULL), 3);
	free(spec);
	free(own);
}

CLUSTER_TEST(supervisors, a_health_check_and_a_delay_that_are_inherited_later_act)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;

	put_team(&c->nodes[0], "{}");
	patch_team(c, &c->nodes[0], "{}");
	expect_status(put(&c->nodes[0], "web", SLEEPER), 201);
	expect_status(
		put(&c->nodes[0], "well", "{\"command\":[\"/bin/sleep\",\"1000\"],\"health\":[]}"),
		201);
	kill_it(&c->nodes[1], "web", 1);
	patch_team(c, &c->nodes[1],
		"{\"child_defaults\":{\"backoff\":{\"initial_ms\":600000,\"max_ms\":600000},"
		"\"health\":[{\"kind\":\"exec\",\"command\":[\"/bin/false\"],\"period_ms\":1000,"
		"\"threshold\":1,\"grace_ms\":0}]}}");
	r = until(&c->nodes[2], "web", "backoff");
	CHECK_STR(json_str(r->json, "status.reason"), "health");
	/* Its own delay would be a fifth of a second. */
	for (int64_t end = check_now_ms() + 500; check_now_ms() < end; check_pause_ms(10))
		CHECK_STR(json_str(node_call(&c->nodes[2], "GET", NULL, TEAM "/children/web")->json,
				  "status.state"),
			"backoff");
	CHECK_INT(
		json_number_at(until(&c->nodes[2], "well", "running")->json, "status.restarts"), 0);
}

/* What happens to a child that ends, cannot start, or loses its guardian. */
#include "tests/integration/suite.h"

SUITE(restart);

enum { HEALTHY = 30, LOOP_MS = 8000 };

static void note_pids(const struct cluster *c, const char *prefix, int count, long long *out)
{
	for (int i = 0; i < count; i++) {
		struct http_reply *get =
			child_until(&c->nodes[0], text_of("%s-%d", prefix, i), "running", 5000);

		out[i] = json_number_at(get->json, "status.pid");
	}
}

CLUSTER_TEST(restart, s030_a_crash_loop_touches_nobody_else)
{
	struct cluster *c = cluster_start(3, NULL);
	char *loop = trace_script(c, "exit 1", "\"backoff\":{\"initial_ms\":10,\"max_ms\":100}");
	long long before[HEALTHY], after[HEALTHY];
	int64_t end;

	children_start(c, "healthy", HEALTHY, SLEEPER);
	note_pids(c, "healthy", HEALTHY, before);
	CHECK_INT(child_put(&c->nodes[0], "loop", loop)->status, 201);
	free(loop);
	end = check_now_ms() + LOOP_MS;
	while (check_now_ms() < end) {
		for (int i = 0; i < 3; i++)
			expect_status(node_call(&c->nodes[i], "GET", NULL, "/livez"), 200);
		check_pause_ms(200);
	}
	CHECK(trace_starts(c, "loop", NULL) > 10, "only %d starts in %d ms",
		trace_starts(c, "loop", NULL), LOOP_MS);
	note_pids(c, "healthy", HEALTHY, after);
	for (int i = 0; i < HEALTHY; i++) {
		CHECK_INT(after[i], before[i]);
		CHECK(procs_alive((pid_t)before[i]), "healthy-%d does not live", i);
	}
}

CLUSTER_TEST(restart, s032_fail_child_ends_at_the_fourth_failure)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_script(c, "[ -e \"$1.good\" ] || exit 1; exec sleep 1000",
		"\"max_restarts\":3,\"max_seconds\":5,"
		"\"on_max_restarts\":\"fail_child\","
		"\"backoff\":{\"initial_ms\":10,\"max_ms\":50}");
	struct http_reply *get;

	CHECK_INT(child_put(&c->nodes[0], "job", spec)->status, 201);
	free(spec);
	get = child_until(&c->nodes[1], "job", "failed", 4000);
	CHECK_STR(json_str(get->json, "status.reason"), "max_restarts");
	CHECK_INT(json_number_at(get->json, "status.last_exit.code"), 1);
	CHECK_INT(trace_starts(c, "job", NULL), 4);
	trace_stays(c, 500);
	file_write(text_of("%s/trace.good", c->dir), "", 0, 0600);
	trace_stays(c, 300);
	expect_success(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/job/restart"));
	get = child_until(&c->nodes[2], "job", "running", CLUSTER_SOON_MS);
	/* A whole budget again: one more failure is just a restart. */
	CHECK(kill((pid_t)json_number_at(get->json, "status.pid"), SIGKILL) == 0,
		"no such process");
	child_until_new_pid(&c->nodes[2], "job", (pid_t)json_number_at(get->json, "status.pid"),
		CLUSTER_SOON_MS);
}

CLUSTER_TEST(restart, s032_a_failed_child_that_is_restarted_has_a_whole_budget_again)
{
	struct cluster *c = cluster_start(1, NULL);
	char *spec = trace_script(c, "exit 1",
		"\"max_restarts\":3,\"max_seconds\":60,\"on_max_restarts\":\"fail_child\","
		"\"backoff\":{\"initial_ms\":10,\"max_ms\":50}");

	CHECK_INT(child_put(&c->nodes[0], "job", spec)->status, 201);
	free(spec);
	for (int times = 1; times <= 3; times++) {
		child_until(&c->nodes[0], "job", "failed", 4000);
		trace_until_starts(c, "job", NULL, 4 * times, CLUSTER_SOON_MS);
		trace_stays(c, 200);
		expect_success(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/job/restart"));
	}
}

CLUSTER_TEST(restart, s032_backoff_goes_on_at_the_cap)
{
	struct cluster *c = cluster_start(1, NULL);
	char *spec = trace_script(c, "exit 3",
		"\"max_restarts\":3,\"max_seconds\":5,"
		"\"backoff\":{\"initial_ms\":20,\"max_ms\":100}");
	int64_t end;

	CHECK_INT(child_put(&c->nodes[0], "job", spec)->status, 201);
	free(spec);
	end = check_now_ms() + check_ms(5000);
	while (trace_starts(c, "job", NULL) < 12) {
		struct http_reply *get = child_get(&c->nodes[0], "job");

		CHECK(strcmp(json_str(get->json, "status.state"), "failed") != 0, "it gave up: %s",
			get->body);
		CHECK(check_now_ms() < end, "only %d starts", trace_starts(c, "job", NULL));
		check_pause_ms(20);
	}
}

CLUSTER_TEST(restart, s130_a_missing_program_that_appears_is_started)
{
	static const char script[] = "#!/bin/sh\nexec sleep 1000\n";
	struct cluster *c = cluster_start(3, NULL);
	const char *path = text_of("%s/late program", c->dir), *spec;
	struct http_reply *put, *get;

	spec = text_of(
		"{\"command\":[\"%s\"],\"backoff\":{\"initial_ms\":100,\"max_ms\":1000}}", path);
	put = expect_status(child_put(&c->nodes[0], "late", spec), 201);
	CHECK_STR(json_str(put->json, "status.state"), "backoff");
	CHECK_STR(json_str(put->json, "status.reason"), "spawn_error");
	CHECK_STR(json_str(put->json, "warnings.0.code"), "spawn-error");
	/* Long enough for the delays to have grown to their cap. */
	get = http_until_str(node_url(&c->nodes[1], CHILDREN "/late"), "status.state", "backoff",
		check_ms(CLUSTER_SOON_MS));
	CHECK_STR(json_str(get->json, "status.reason"), "spawn_error");
	check_pause_ms(2500);
	file_write(path, script, sizeof script - 1, 0700);
	get = child_until(&c->nodes[1], "late", "running", 1500);
	CHECK(procs_alive((pid_t)json_number_at(get->json, "status.pid")), "no such process");
}

CLUSTER_TEST(restart, a_command_that_does_not_exist_is_enoent_and_harms_nobody)
{
	struct cluster *c = cluster_start(1, NULL);
	long long pid =
		json_number_at(child_start(&c->nodes[0], "ok", SLEEPER)->json, "status.pid");
	struct http_reply *put;

	put = expect_status(
		child_put(&c->nodes[0], "bad", "{\"command\":[\"/does/not/exist\"]}"), 201);
	CHECK_STR(json_str(put->json, "status.state"), "backoff");
	CHECK_STR(json_str(put->json, "status.reason"), "spawn_error");
	CHECK_STR(json_str(put->json, "status.error"), "exec: ENOENT");
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "ok")->json, "status.pid"), pid);
	expect_problem(node_call(&c->nodes[0], "PUT", "{\"command\":[\"/does/not/exist\"]}",
			       CHILDREN "/bad2?until=running&wait=1s"),
		409, "not-reached");
}

static void names_gone(const struct cluster *c, const char *key)
{
	for (int i = 0; i < c->count; i++)
		if (c->nodes[i].pid)
			http_until_status(node_url(&c->nodes[i], ENTRIES "/%s", key), 404,
				check_ms(CLUSTER_SOON_MS));
}

static void stays_stopped(struct cluster *c, pid_t pid)
{
	for (int i = 0; i < c->count; i++)
		if (c->nodes[i].pid)
			child_until(&c->nodes[i], "web", "stopped", CLUSTER_FAIL_MS);
	CHECK(!procs_alive(pid), "the process lives");
	trace_stays(c, 400);
}

CLUSTER_TEST(restart, s131_stopped_stays_stopped_until_started)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_spec(c, NULL);
	struct http_reply *put = child_start(&c->nodes[0], "web", spec), *get;
	pid_t pid = (pid_t)json_number_at(put->json, "status.pid");
	struct node *owner = child_owner(c, put);

	free(spec);
	trace_until_starts(c, "web", NULL, 1, CLUSTER_SOON_MS);
	expect_status(node_call(&c->nodes[0], "PUT",
			      "{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}",
			      ENTRIES "/its-name"),
		201);
	expect_success(node_call(&c->nodes[1], "POST", NULL, CHILDREN "/web/stop"));
	stays_stopped(c, pid);
	names_gone(c, "its-name");
	get = child_get(&c->nodes[2], "web");
	CHECK_STR(json_str(get->json, "command.0"), "/bin/sh");

	node_kill(owner);
	stays_stopped(c, pid);
	node_start(owner);
	cluster_settle(c);
	stays_stopped(c, pid);

	for (int i = 0; i < 3; i++)
		node_signal(&c->nodes[i], SIGTERM);
	for (int i = 0; i < 3; i++)
		CHECK_INT(node_wait_exit(&c->nodes[i], CLUSTER_START_MS), 0);
	for (int i = 0; i < 3; i++)
		node_start(&c->nodes[i]);
	cluster_settle(c);
	stays_stopped(c, pid);
	CHECK_INT(trace_starts(c, "web", NULL), 1);

	expect_success(node_call(&c->nodes[1], "POST", NULL, CHILDREN "/web/start"));
	child_until(&c->nodes[2], "web", "running", CLUSTER_SOON_MS);
	trace_until_starts(c, "web", NULL, 2, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

CLUSTER_TEST(restart, s132_the_guardian_is_killed)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *node = &c->nodes[0];
	char *spec = trace_spec(c, NULL);
	pid_t children[4], guardian[8];
	int64_t end;

	for (int i = 0; i < 4; i++) {
		struct http_reply *put = child_start(node, text_of("web-%d", i), spec);

		children[i] = (pid_t)json_number_at(put->json, "status.pid");
	}
	free(spec);
	trace_until_starts(c, NULL, NULL, 4, CLUSTER_SOON_MS);
	CHECK_INT(procs_children(node->pid, guardian, 8), 1);
	kill(guardian[0], SIGKILL);
	end = check_now_ms() + check_ms(1000);
	for (int i = 0; i < 4; i++)
		while (procs_alive(children[i])) {
			CHECK(check_now_ms() < end, "child %d lives 1 s after its guardian", i);
			check_pause_ms(5);
		}
	for (int i = 0; i < 4; i++) {
		const char *id = text_of("web-%d", i);

		child_until_new_pid(node, id, children[i], CLUSTER_FAIL_MS);
		CHECK_INT(json_number_at(child_get(node, id)->json, "status.restarts"), 0);
	}
	node_wait_log(node, "guardian.lost", CLUSTER_SOON_MS);
	trace_until_starts(c, NULL, NULL, 8, CLUSTER_SOON_MS);
	trace_no_overlap(c);
}

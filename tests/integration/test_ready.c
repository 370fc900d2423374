/* Who is ready, and well: by a port, HTTP or a command; names that come with it; ends. */
#include "tests/integration/ready.h"

SUITE(ready);

CLUSTER_TEST(ready, running_comes_before_ready_and_any_node_tells)
{
	struct cluster *c = cluster_start(3, NULL);
	int port = cluster_free_port();
	struct http_reply *r;

	r = child_start(&c->nodes[0], "web",
		helper_spec(text_of("await %s; tcp %d", in(c, "go"), port),
			ready_by("tcp", port, ",\"timeout_ms\":60000")));
	CHECK(!is_ready(r), "it does not listen yet");
	CHECK(!json_at(r->json, "status.ready_at"), "nor since when");
	file_write(in(c, "go"), "", 0, 0600);
	for (int i = 0; i < 3; i++) {
		r = wait_ready(&c->nodes[i], "web");
		CHECK_STR(json_str(r->json, "reached"), "ready");
		CHECK(is_ready(r) && json_at(r->json, "status.ready_at"), "and since when");
	}
}

CLUSTER_TEST(ready, a_put_waits_for_readiness_and_says_when_it_failed)
{
	struct cluster *c = cluster_start(1, NULL);
	int port = cluster_free_port();
	struct http_reply *r;

	r = expect_status(put_until(&c->nodes[0], "good", "ready",
				  helper_spec(text_of("tcp %d", port), ready_by("tcp", port, ""))),
		201);
	CHECK(is_ready(r), "it waited");
	r = expect_problem(
		put_until(&c->nodes[0], "late", "ready",
			helper_spec("await /nowhere",
				"\"max_restarts\":0,\"on_max_restarts\":\"fail_child\","
				"\"ready\":{\"kind\":\"tcp\",\"port\":1,\"timeout_ms\":300}")),
		409, "not-reached");
	CHECK_STR(json_str(r->json, "child.status.state"), "failed");
	CHECK_STR(json_str(r->json, "child.status.error"), "not ready: connection refused");
	CHECK_STR(json_str(r->json, "child.warnings.0.code"), "unhealthy");
	r = expect_problem(put_until(&c->nodes[0], "ignores", "ready",
				   helper_spec("exit 0", ready_by("tcp", 1, ""))),
		409, "not-reached");
	CHECK_STR(json_str(r->json, "child.status.state"), "exited");
	CHECK_STR(json_str(r->json, "child.status.reason"), "declined");
}

CLUSTER_TEST(ready, http_is_ready_at_a_good_status_only)
{
	static const struct {
		const char *status;
		bool ready;
	} rows[] = {{"200", true}, {"204", true}, {"302", true}, {"399", true}, {"400", false},
		{"404", false}, {"503", false}, {"199", false}};
	struct cluster *c = cluster_start(1, NULL);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *id = text_of("c%s", rows[i].status), *file = in(c, id);
		int port = cluster_free_port();
		struct http_reply *r;

		file_write(file, rows[i].status, 3, 0600);
		r = put_until(&c->nodes[0], id, "ready",
			helper_spec(text_of("http %d %s", port, file),
				text_of("%s,\"max_restarts\":0,\"on_max_restarts\":\"fail_child\"",
					ready_by("http", port, ",\"timeout_ms\":700"))));
		expect_status(r, rows[i].ready ? 201 : 409);
	}
}

/* Scenario 26; the calls are made while the child is known not to be ready. */
CLUSTER_TEST(ready, s026_a_child_that_is_slow_to_start_slows_nobody)
{
	struct cluster *c = cluster_start(1, NULL);
	int port = cluster_free_port();
	int64_t worst_ms = 0;
	struct http_reply *r;

	child_start(&c->nodes[0], "slow",
		helper_spec(text_of("await %s; tcp %d", in(c, "go"), port),
			ready_by("tcp", port, ",\"timeout_ms\":60000")));
	for (int i = 0; i < 200; i++) {
		int64_t begin_ms = check_now_ms(), took_ms;

		r = i % 2 ? child_get(&c->nodes[0], "slow")
			  : expect_status(node_call(&c->nodes[0], "PUT",
						  "{\"value\":1,\"owner\":{\"kind\":\"static\","
						  "\"id\":\"t\"}}",
						  ENTRIES "/k%d", i),
				    201);
		took_ms = check_now_ms() - begin_ms;
		worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
		CHECK(i % 2 == 0 || !is_ready(r), "it is not ready meanwhile");
	}
	CHECK(worst_ms < check_ms(100), "the slowest call took %ld ms", (long)worst_ms);
	file_write(in(c, "go"), "", 0, 0600);
	wait_ready(&c->nodes[0], "slow");
}

CLUSTER_TEST(ready, one_that_gets_ill_is_restarted_and_says_why)
{
	struct cluster *c = cluster_start(1, NULL);
	int port = cluster_free_port();
	const char *file = in(c, "status");
	struct http_reply *r;
	pid_t pid;

	r = expect_status(
		put_until(&c->nodes[0], "web", "ready",
			helper_spec(text_of("http %d %s", port, file),
				text_of("%s,\"health\":[{\"kind\":\"http\",\"port\":%d,"
					"\"period_ms\":1000,\"threshold\":2,\"grace_ms\":0}]",
					ready_by("http", port, ""), port))),
		201);
	pid = (pid_t)json_number_at(r->json, "status.pid");
	file_write(file, "500", 3, 0600);
	child_until_new_pid(&c->nodes[0], "web", pid, 20000);
	r = node_call(&c->nodes[0], "GET", NULL, CHILDREN "/web/history");
	CHECK_STR(json_str(r->json, "items.1.reason"), "health");
	CHECK_STR(json_str(r->json, "items.1.error"), "http: status 500");
	file_write(file, "200", 3, 0600);
	r = wait_ready(&c->nodes[0], "web");
	CHECK_INT(json_number_at(r->json, "status.restarts"), 1);
}

CLUSTER_TEST(ready, checks_change_without_another_process)
{
	struct cluster *c = cluster_start(1, NULL);
	int port = cluster_free_port();
	struct http_reply *r;
	pid_t pid;

	r = child_start(&c->nodes[0], "web", helper_spec(text_of("tcp %d", port), NULL));
	CHECK(is_ready(r), "it has no check");
	pid = (pid_t)json_number_at(r->json, "status.pid");
	r = expect_status(node_call(&c->nodes[0], "PATCH",
				  text_of("{%s}", ready_by("tcp", port, "")), CHILDREN "/web"),
		200);
	CHECK_STR(json_str(r->json, "applied"), "live");
	CHECK_INT(json_number_at(wait_ready(&c->nodes[0], "web")->json, "status.pid"), pid);
	r = expect_status(node_call(&c->nodes[0], "PATCH",
				  "{\"ready\":null,\"health\":[{\"kind\":\"tcp\",\"port\":1}]}",
				  CHILDREN "/web"),
		200);
	CHECK_STR(json_str(r->json, "applied"), "live");
	CHECK_INT(json_number_at(r->json, "status.pid"), pid);
}

/* ---- commands ---- */

CLUSTER_TEST(ready, a_command_is_run_as_the_child_is_and_its_code_decides)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	mkdir(in(c, "cwd"), 0700);
	r = child_start(&c->nodes[0], "web",
		text_of("{\"command\":[\"/bin/sleep\",\"1000\"],\"cwd\":\"%s\","
			"\"env\":{\"MARK\":\"mark\"},\"ready\":{\"kind\":\"exec\",\"timeout_ms\":"
			"60000,"
			"\"period_ms\":100,\"command\":[\"/bin/sh\",\"-c\","
			"\"echo noise; echo $HORDE_CHILD_REF $HORDE_RUN_DIR >part; mv part ref; "
			"test -e "
			"$MARK\"]}}",
			in(c, "cwd")));
	CHECK(!is_ready(r), "there is no mark");
	CHECK(strncmp(file_wait(in(c, "cwd/ref"), 5000), "default/web /", 13) == 0,
		"whose it is, and where");
	file_write(in(c, "cwd/mark"), "", 0, 0600);
	r = wait_ready(&c->nodes[0], "web");
	CHECK_INT(json_number_at(r->json, "status.restarts"), 0);
	r = expect_status(
		node_call(&c->nodes[0], "GET", NULL, "/v1/supervisors/default/children"), 200);
	CHECK_INT(json_array_size(json_at(r->json, "items")), 1);
}

CLUSTER_TEST(ready, a_command_that_fails_or_hangs_ends_the_child_and_leaves_nothing)
{
	struct cluster *c = cluster_start(1, NULL);
	static const char *const scripts[] = {"exit 3", "kill -9 $$$$", "exec sleep 54321"};
	static const char *const errors[] = {
		"exec: exit code 3", "exec: signal 9", "exec: timeout"};

	for (int i = 0; i < 3; i++) {
		const char *id = text_of("c%d", i);
		struct http_reply *r = child_start(&c->nodes[0], id,
			text_of("{\"command\":[\"/bin/"
				"sleep\",\"1000\"],\"health\":[{\"kind\":\"exec\","
				"\"command\":[\"/bin/sh\",\"-c\",\"%s\"],\"period_ms\":1000,"
				"\"timeout_ms\":200,\"threshold\":1,\"grace_ms\":0}]}",
				scripts[i]));

		child_until_new_pid(
			&c->nodes[0], id, (pid_t)json_number_at(r->json, "status.pid"), 20000);
		r = node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/history", id);
		CHECK_STR(json_str(r->json, "items.1.reason"), "health");
		CHECK_STR(json_str(r->json, "items.1.error"), errors[i]);
		child_delete(c, &c->nodes[0], id);
	}
	children_until_processes("54321", 0, 5000);
}

CLUSTER_TEST(ready, a_program_that_is_not_there_is_a_failed_check)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	r = expect_problem(
		put_until(&c->nodes[0], "web", "ready",
			"{\"command\":[\"/bin/sleep\",\"1000\"],\"max_restarts\":0,"
			"\"on_max_restarts\":\"fail_child\",\"ready\":{\"kind\":\"exec\","
			"\"command\":[\"/no/such\"],\"timeout_ms\":500,\"period_ms\":100}}"),
		409, "not-reached");
	CHECK_STR(json_str(r->json, "child.status.error"), "not ready: exec: ENOENT");
}

/* ---- names ---- */

static void cr_held(const struct cluster *c, const char *key, const char *owner)
{
	for (int i = 0; i < c->count; i++) {
		const char *url = node_url(&c->nodes[i], ENTRIES "/%s", key);

		if (owner)
			http_until_str(url, "owner.id", owner, check_ms(CLUSTER_SOON_MS));
		else
			http_until_status(url, 404, check_ms(CLUSTER_SOON_MS));
	}
}

CLUSTER_TEST(ready, names_come_with_readiness_and_go_with_the_child)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;
	pid_t pid;

	child_start(&c->nodes[0], "web",
		helper_spec(text_of("await %s; notify READY=1", in(c, "go")),
			NOTIFY ",\"register\":[{\"key\":\"web/1\",\"value\":{\"port\":8080}},"
			       "{\"key\":\"old\"}]"));
	cr_held(c, "web%2F1", NULL);
	file_write(in(c, "go"), "", 0, 0600);
	r = wait_ready(&c->nodes[2], "web");
	pid = (pid_t)json_number_at(r->json, "status.pid");
	cr_held(c, "web%2F1", "default/web");
	cr_held(c, "old", "default/web");
	r = node_call(&c->nodes[1], "GET", NULL, ENTRIES "/web%%2F1");
	CHECK_INT(json_number_at(r->json, "value.port"), 8080);
	r = expect_status(
		node_call(&c->nodes[1], "PATCH", "{\"register\":[{\"key\":\"web/1\",\"value\":7}]}",
			CHILDREN "/web"),
		200);
	CHECK_STR(json_str(r->json, "applied"), "live");
	cr_held(c, "old", NULL);
	http_until_int(
		node_url(&c->nodes[0], ENTRIES "/web%%2F1"), "value", 7, check_ms(CLUSTER_SOON_MS));
	CHECK_INT(kill(pid, SIGKILL), 0);
	child_until_new_pid(&c->nodes[0], "web", pid, 20000);
	cr_held(c, "web%2F1", "default/web");
	child_delete(c, &c->nodes[1], "web");
	cr_held(c, "web%2F1", NULL);
}

CLUSTER_TEST(ready, a_taken_name_stops_the_child_until_it_is_restarted)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	/* The name is taken while it is not ready yet. */
	child_start(&c->nodes[0], "second",
		helper_spec(text_of("await %s; notify READY=1", in(c, "go")),
			NOTIFY ",\"register\":[{\"key\":\"k\"},{\"key\":\"l\"}]"));
	child_start(&c->nodes[0], "first",
		helper_spec("await /nowhere", "\"register\":[{\"key\":\"k\"}]"));
	file_write(in(c, "go"), "", 0, 0600);
	r = child_until(&c->nodes[0], "second", "stopped", 20000);
	CHECK_STR(json_str(r->json, "status.reason"), "name_conflict");
	cr_held(c, "k", "default/first");
	cr_held(c, "l", NULL);
	child_delete(c, &c->nodes[0], "first");
	expect_status(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/second/restart"), 200);
	cr_held(c, "k", "default/second");
	cr_held(c, "l", "default/second");
}

/* ---- all of it, and the edges ---- */

CLUSTER_TEST(ready, a_daemon_that_comes_back_asks_anew)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;
	long long epoch;

	child_start(&c->nodes[0], "web",
		helper_spec(text_of("await %s; notify READY=1", in(c, "go")),
			NOTIFY ",\"register\":[{\"key\":\"k\"}],\"watchdog_ms\":86400000,"
			       "\"health\":[{\"kind\":\"exec\",\"command\":[\"/bin/"
			       "true\"],\"period_ms\":1000}]"));
	file_write(in(c, "go"), "", 0, 0600);
	r = wait_ready(&c->nodes[0], "web");
	epoch = json_number_at(r->json, "status.epoch");
	CHECK_INT(unlink(in(c, "go")), 0);
	node_kill(&c->nodes[0]);
	node_start(&c->nodes[0]);
	node_wait_ready(&c->nodes[0]);
	r = child_until(&c->nodes[0], "web", "running", 20000);
	CHECK(!is_ready(r), "not this process");
	CHECK(json_number_at(r->json, "status.epoch") > epoch, "another life");
	file_write(in(c, "go"), "", 0, 0600);
	r = wait_ready(&c->nodes[0], "web");
	epoch = json_number_at(r->json, "status.epoch");
	r = http_until_int(node_url(&c->nodes[0], ENTRIES "/k"), "owner.epoch", epoch,
		check_ms(CLUSTER_SOON_MS));
	CHECK(!json_is_true(json_at(r->json, "stale")), "it is vouched for");
}

CLUSTER_TEST(ready, a_child_that_is_tried_can_be_deleted_and_takes_its_command_along)
{
	struct cluster *c = cluster_start(1, NULL);

	child_start(&c->nodes[0], "web",
		text_of("{\"command\":[\"/bin/sleep\",\"1000\"],\"ready\":{\"kind\":\"exec\","
			"\"timeout_ms\":600000,\"try_timeout_ms\":60000,\"command\":"
			"[\"/bin/sh\",\"-c\",\"touch %s; sleep 54322; true\"]}}",
			in(c, "tried")));
	file_wait(in(c, "tried"), 5000);
	child_delete(c, &c->nodes[0], "web");
	children_until_processes("54322", 0, 5000);
}

CLUSTER_TEST(ready, checks_come_from_the_supervisor_too)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;
	int port = cluster_free_port();

	expect_status(node_call(&c->nodes[0], "PUT",
			      text_of("{\"child_defaults\":{%s}}",
				      ready_by("tcp", port, ",\"timeout_ms\":60000")),
			      "/v1/supervisors/team"),
		201);
	r = expect_status(node_call(&c->nodes[0], "PUT",
				  helper_spec(text_of("await %s; tcp %d", in(c, "go"), port), NULL),
				  "/v1/supervisors/team/children/web"),
		201);
	CHECK(!is_ready(r), "it inherits how");
	r = expect_status(node_call(&c->nodes[0], "PUT",
				  helper_spec("await /nowhere", "\"ready\":{\"kind\":\"none\"}"),
				  "/v1/supervisors/team/children/other?until=ready"),
		201);
	CHECK(is_ready(r), "it says itself that it needs none");
	file_write(in(c, "go"), "", 0, 0600);
	expect_status(node_call(&c->nodes[0], "GET", NULL,
			      "/v1/supervisors/team/children/web/wait?until=ready&wait=30s"),
		200);
}

CLUSTER_TEST(ready, as_many_checks_and_names_as_there_may_be)
{
	struct cluster *c = cluster_start(1, NULL);
	char members[4096] = "\"health\":[";

	for (int i = 0; i < 8; i++)
		snprintf(members + strlen(members), 200,
			"%s{\"kind\":\"exec\",\"command\":[\"/bin/true\"],\"grace_ms\":0}",
			i ? "," : "");
	strcat(members, "],\"register\":[");
	for (int i = 0; i < 16; i++)
		snprintf(members + strlen(members), 200, "%s{\"key\":\"k%d\"}", i ? "," : "", i);
	strcat(members, "]");
	child_start(&c->nodes[0], "web", helper_spec("await /nowhere", members));
	http_until_int(node_url(&c->nodes[0], "/v1/registries/default/count"), "count", 16,
		check_ms(CLUSTER_SOON_MS));
	members[strlen(members) - 1] = '\0';
	strcat(members, ",{\"key\":\"k16\"}]");
	expect_problem(child_put(&c->nodes[0], "more", helper_spec("await /nowhere", members)), 422,
		"invalid-spec");
}

static void expect_faults(const struct node *at, const char *members, const char *const *pointers)
{
	struct http_reply *r = expect_problem(
		child_put(at, "bad", helper_spec("exit 0", members)), 422, "invalid-spec");
	size_t i = 0;

	for (; pointers[i]; i++)
		CHECK_STR(json_str(r->json, text_of("errors.%zu.pointer", i)), pointers[i]);
	CHECK_INT(json_array_size(json_at(r->json, "errors")), (long long)i);
}

#define FAULTS(at, members, ...)                                                                   \
	expect_faults(at, members, (const char *const[]){__VA_ARGS__, NULL})

CLUSTER_TEST(ready, what_contradicts_itself_is_refused_with_all_places)
{
	struct cluster *c = cluster_start(1, NULL);
	const struct node *n = &c->nodes[0];
	char many[1024] = "\"health\":[";

	FAULTS(n, "\"ready\":{\"kind\":\"tcp\",\"path\":\"/\"}", "/ready/port", "/ready/path");
	FAULTS(n,
		"\"register\":[{\"key\":\"a\"},{\"key\":\"a\",\"registry\":\"default\"},"
		"{\"key\":\"b\",\"registry\":\"other\"}],\"health\":[{\"kind\":\"tcp\"}]",
		"/health/0/port", "/register/1/key", "/register/2/registry");
	FAULTS(n, "\"register\":[{\"value\":1},{\"key\":\"\"},{\"key\":\"a\\u0001\"}]",
		"/register/0/key", "/register/1/key", "/register/2/key");
	FAULTS(n,
		"\"ready\":{\"kind\":\"exec\"},\"health\":[{\"kind\":\"exec\",\"port\":1,"
		"\"command\":[\"a\"]},{\"kind\":\"tcp\",\"port\":1,\"command\":[\"a\"]}]",
		"/ready/command", "/health/0/port", "/health/1/command");
	FAULTS(n, "\"watchdog_ms\":999", "/watchdog_ms");
	FAULTS(n, "\"ready\":{\"kind\":\"notify\",\"port\":1,\"try_timeout_ms\":100}",
		"/ready/port", "/ready/try_timeout_ms");
	FAULTS(n, "\"ready\":{\"kind\":\"none\",\"port\":1,\"host\":\"a\",\"period_ms\":100}",
		"/ready/port", "/ready/host", "/ready/period_ms");
	FAULTS(n, "\"health\":[{\"kind\":\"http\"},{\"kind\":\"tcp\",\"port\":1,\"path\":\"/\"}]",
		"/health/0/port", "/health/1/path");
	FAULTS(n, "\"ready\":{\"kind\":\"http\",\"port\":0,\"path\":\"x\"}", "/ready/port",
		"/ready/path");
	FAULTS(n, "\"health\":[{\"kind\":\"tcp\",\"port\":1,\"period_ms\":999}]",
		"/health/0/period_ms");
	for (int i = 0; i < 9; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many),
			"%s{\"kind\":\"tcp\",\"port\":1}", i ? "," : "");
	strcat(many, "]");
	FAULTS(n, many, "/health");
	expect_problem(node_call(n, "GET", NULL, CHILDREN "/bad"), 404, "child-not-found");
	expect_problem(node_call(n, "PUT", "{\"child_defaults\":{\"ready\":{\"kind\":\"tcp\"}}}",
			       "/v1/supervisors/s"),
		422, "invalid-spec");
}

/*
 * Who a child's process is, its mask and its limits, and what is said when it cannot be so. Another
 * user takes root; the tests that need one are skipped for others, and say so.
 */
#include "tests/integration/suite.h"

SUITE(setup);

static const char *const allowed[] = {"--exec-user", "nobody", NULL};

static bool as_root(void)
{
	if (geteuid() == 0)
		return true;
	cr_log_warn("skipped: only root may do this");
	return false;
}

/* What a child that runs `script` writes into a file of its own; `members` go into its spec. */
static const char *output(
	struct cluster *c, const char *id, const char *members, const char *script)
{
	const char *path = text_of("%s/%s.out", c->dir, id), *spec;

	chmod(c->dir, 0777);
	spec = text_of("{\"command\":[\"/bin/sh\",\"-c\",\"(%s) >%s.new && mv %s.new %s; "
		       "exec sleep 1000\"]%s%s}",
		script, path, path, path, *members ? "," : "", members);
	child_start(&c->nodes[0], id, spec);
	return file_wait(path, CLUSTER_SOON_MS);
}

CLUSTER_TEST(setup, the_process_has_the_user_mask_and_limits_of_its_spec)
{
	struct cluster *c = cluster_start(3, &(struct cluster_options){.args = allowed});

	CHECK_STR(output(c, "mask", "\"umask\":\"027\"", "umask"), "0027\n");
	CHECK_STR(output(c, "plain", "", "umask"), "0022\n");
	CHECK_STR(output(c, "files", "\"limits\":{\"nofile\":99,\"core_bytes\":0}",
			  "ulimit -n; ulimit -Hn; ulimit -c"),
		"99\n99\n0\n");
	if (!as_root())
		return;
	CHECK_STR(output(c, "user", "\"user\":\"nobody\"", "id -un; id -Gn; cd / && pwd"),
		"nobody\nnogroup\n/\n");
}

/* It is told why it ends like any other, and nothing else of the daemon's is open to it. */
CLUSTER_TEST(setup, another_user_has_its_run_directory_and_reads_why_it_ends)
{
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = allowed});
	const char *ready = text_of("%s/ready", c->dir), *told = text_of("%s/told", c->dir);
	const char *spec;

	if (!as_root())
		return;
	CHECK_INT(chmod(c->dir, 0777), 0);
	spec = text_of("{\"command\":[\"/bin/sh\",\"-c\",\"trap 'cp $HORDE_RUN_DIR/stop_reason "
		       "%s.new; mv %s.new %s; exit' TERM; touch $HORDE_RUN_DIR/mine && cat "
		       "$HORDE_RUN_DIR/../../../horde.db || touch %s; while :; do sleep 0.1; "
		       "done\"],\"user\":\"nobody\"}",
		told, told, told, ready);
	child_start(&c->nodes[0], "web", spec);
	file_wait(ready, CLUSTER_SOON_MS);
	child_delete(c, &c->nodes[0], "web");
	CHECK_STR(file_wait(told, CLUSTER_SOON_MS), "deleted\n");
}

static const char *error_of(struct http_reply *r)
{
	return json_str(r->json, "status.error");
}

CLUSTER_TEST(setup, each_step_that_fails_says_so_and_the_others_go_on)
{
	static const struct {
		const char *members, *error;
		bool root;
	} rows[] = {
		{"\"user\":\"daemon\"", "user: EPERM", true}, /* not on the list */
		{"\"user\":\"nobody\",\"group\":\"root\"", "group: EPERM", true},
		{"\"group\":\"no-such\"", "group: ENOENT", false},
		{"\"cwd\":\"/no/such\"", "chdir: ENOENT", false},
		{"\"cwd\":\"/etc/passwd\"", "chdir: ENOTDIR", false},
		{"\"command\":[\"/no/such\"]", "exec: ENOENT", false},
		{"\"command\":[\"no-such\"]", "exec: ENOENT", false},
		{"\"command\":[\"/etc/passwd\"]", "exec: EACCES", false},
		{"\"command\":[\"/etc\"]", "exec: EACCES", false},
	};
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = allowed});
	pid_t pid = (pid_t)json_number_at(
		child_start(&c->nodes[0], "well", SLEEPER)->json, "status.pid");

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool command = strstr(rows[i].members, "command") != NULL;
		struct http_reply *r;

		if (rows[i].root && !as_root())
			continue;
		r = child_put(&c->nodes[0], text_of("c%zu", i),
			text_of("{%s%s,\"restart\":\"temporary\"}",
				command ? "" : "\"command\":[\"/bin/true\"],", rows[i].members));
		CHECK_STR(error_of(expect_success(r)), rows[i].error);
		CHECK_STR(json_str(r->json, "status.reason"), "spawn_error");
		CHECK_STR(json_str(r->json, "warnings.0.code"), "spawn-error");
	}
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "well")->json, "status.pid"), pid);
}

/* A script that is executable, and whose interpreter is not there, or that has none. */
CLUSTER_TEST(setup, a_script_needs_its_interpreter)
{
	static const struct {
		const char *text, *error;
	} rows[] = {{"#!/no/such/shell\n", "exec: ENOENT"}, {"echo hello\n", "exec: ENOEXEC"}};
	struct cluster *c = cluster_start(1, NULL);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *path = text_of("%s/script%zu", c->dir, i);

		file_write(path, rows[i].text, strlen(rows[i].text), 0755);
		CHECK_STR(error_of(expect_success(child_put(&c->nodes[0], text_of("s%zu", i),
				  text_of("{\"command\":[\"%s\"]}", path)))),
			rows[i].error);
	}
}

CLUSTER_TEST(setup, a_change_replaces_the_process_once_and_its_absence_too)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;
	pid_t pid;

	child_start(&c->nodes[0], "web", SLEEPER);
	r = child_put(&c->nodes[0], "web",
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"limits\":{\"nofile\":50}}");
	CHECK_STR(json_str(expect_status(r, 200)->json, "applied"), "replaced");
	pid = (pid_t)json_number_at(r->json, "status.pid");
	r = child_put(&c->nodes[0], "web",
		"{\"limits\":{\"nofile\":50},\"command\":[\"/bin/sleep\",\"1000\"]}");
	CHECK_STR(json_str(expect_status(r, 200)->json, "applied"), "none");
	CHECK_INT(json_number_at(r->json, "status.pid"), pid);
	r = node_call(&c->nodes[0], "PATCH", "{\"umask\":\"077\"}", CHILDREN "/web");
	CHECK_STR(json_str(expect_status(r, 200)->json, "applied"), "replaced");
	r = node_call(&c->nodes[0], "PATCH", "{\"limits\":null,\"umask\":null}", CHILDREN "/web");
	CHECK_STR(json_str(expect_status(r, 200)->json, "applied"), "replaced");
	CHECK(!json_at(r->json, "limits"), "it is there still");
}

CLUSTER_TEST(setup, a_supervisors_default_is_inherited_unless_the_child_says_it_itself)
{
	struct cluster *c = cluster_start(1, NULL);

	expect_status(node_call(&c->nodes[0], "PUT",
			      "{\"child_defaults\":{\"umask\":\"011\",\"limits\":"
			      "{\"nofile\":66,\"core_bytes\":0}}}",
			      "/v1/supervisors/default"),
		201);
	CHECK_STR(output(c, "open", "", "umask; ulimit -n; ulimit -c"), "0011\n66\n0\n");
	CHECK_STR(output(c, "own", "\"limits\":{\"nofile\":67}", "umask; ulimit -n; ulimit -c"),
		"0011\n67\n0\n");
}

CLUSTER_TEST(setup, every_fault_has_its_pointer_and_nothing_is_written)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r = child_put(&c->nodes[0], "bad",
		"{\"command\":[\"x\"],\"user\":\"a b\",\"group\":7,\"umask\":\"9\",\"limits\":"
		"{\"nofile\":-2,\"cpu_seconds\":\"1\",\"nofiles\":3,\"pids\":7}}");
	static const char *const faults[][2] = {{"/user", "pattern"}, {"/group", "type"},
		{"/umask", "too-short"}, {"/limits/nofile", "out-of-range"},
		{"/limits/cpu_seconds", "type"}, {"/limits/nofiles", "unknown-member"},
		{"/limits/pids", "unsupported"}};

	expect_problem(r, 422, "invalid-spec");
	CHECK_INT(json_array_size(json_at(r->json, "errors")), 7);
	for (size_t i = 0; i < 7; i++) {
		CHECK_STR(json_str(r->json, text_of("errors.%zu.pointer", i)), faults[i][0]);
		CHECK_STR(json_str(r->json, text_of("errors.%zu.code", i)), faults[i][1]);
	}
	expect_problem(child_put(&c->nodes[0], "bad",
			       "{\"command\":[\"x\"],\"limits\":{\"memory_bytes\":1048576,"
			       "\"cpu_millis\":100}}"),
		422, "unsupported");
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/bad"), 404, "child-not-found");
}

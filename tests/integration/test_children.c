/* Starting, reading and ending children, on three daemons. */
#include "tests/integration/suite.h"

#include <errno.h>

SUITE(children);

static struct cluster *three(void)
{
	return cluster_start(3, NULL);
}

CLUSTER_TEST(children, s001_put_at_n1_seen_at_all)
{
	struct cluster *c = three();
	struct http_reply *put = child_start(&c->nodes[0], "web", SLEEPER);
	long long pid = json_number_at(put->json, "status.pid");
	const char *node = json_str(put->json, "status.node");

	CHECK(*node, "no status.node in %s", put->body);
	CHECK_STR(json_str(put->json, "id"), "web");
	CHECK_STR(json_str(put->json, "supervisor"), "default");
	expect_etag(put);
	CHECK(procs_alive((pid_t)pid), "there is no process %lld", pid);
	for (int i = 0; i < 3; i++) {
		struct http_reply *get = http_until_int(node_url(&c->nodes[i], CHILDREN "/web"),
			"status.pid", pid, check_ms(CLUSTER_SOON_MS));

		CHECK_STR(json_str(get->json, "status.node"), node);
		CHECK_STR(json_str(get->json, "status.state"), "running");
		CHECK_STR(expect_etag(get), expect_etag(child_get(&c->nodes[0], "web")));
	}
}

CLUSTER_TEST(children, s002_post_twice_makes_two)
{
	struct cluster *c = three();
	struct http_reply *one, *two;

	one = expect_status(node_call(&c->nodes[0], "POST", SLEEPER, CHILDREN), 201);
	two = expect_status(node_call(&c->nodes[0], "POST", SLEEPER, CHILDREN), 201);
	CHECK(strcmp(json_str(one->json, "id"), json_str(two->json, "id")) != 0, "both are %s",
		json_str(one->json, "id"));
	CHECK_INT(strlen(json_str(one->json, "id")), 36);
	CHECK(http_header(one, "Location") &&
			strstr(http_header(one, "Location"), json_str(one->json, "id")),
		"Location '%s'", http_header(one, "Location"));
	children_until_active(c, 2, CLUSTER_SOON_MS);
	children_until_processes("sleep 1000", 2, CLUSTER_SOON_MS);
}

CLUSTER_TEST(children, s003_put_the_same_twice_touches_nothing)
{
	struct cluster *c = three();
	struct http_reply *first = child_start(&c->nodes[0], "web", SLEEPER);
	struct http_reply *again = expect_status(child_put(&c->nodes[0], "web", SLEEPER), 200);

	CHECK_INT(json_number_at(again->json, "status.pid"),
		json_number_at(first->json, "status.pid"));
	CHECK_INT(json_number_at(again->json, "status.restarts"), 0);
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
}

CLUSTER_TEST(children, s004_put_another_spec_replaces_the_process_once)
{
	struct cluster *c = three();
	struct http_reply *first = child_start(&c->nodes[0], "web", SLEEPER), *next;
	const char *other = "{\"command\":[\"/bin/sleep\",\"2000\"]}";
	long long pid = json_number_at(first->json, "status.pid");
	struct http_request create = {.method = "PUT",
		.url = node_url(&c->nodes[1], CHILDREN "/web"),
		.body = other,
		.headers = {"If-None-Match: *"}};

	http_until_int(create.url, "status.pid", pid, check_ms(CLUSTER_SOON_MS));
	expect_problem(http_send(&create), 412, "etag-mismatch");
	CHECK(procs_alive((pid_t)pid), "a refused PUT ended the process");
	next = expect_status(child_put(&c->nodes[1], "web", other), 200);
	CHECK(json_number_at(next->json, "status.pid") != pid, "the old process goes on: %s",
		next->body);
	CHECK(!procs_alive((pid_t)pid), "the old process still lives");
	children_until_processes("sleep 2000", 1, CLUSTER_SOON_MS);
	CHECK_INT(json_number_at(next->json, "status.restarts"), 0);
}

struct agreed {
	char node[32];
	long long pid;
};

static bool names(const struct http_reply *reply, const void *argument)
{
	const struct agreed *agreed = argument;

	return json_number_at(reply->json, "status.pid") == agreed->pid &&
	       strcmp(json_str(reply->json, "status.node"), agreed->node) == 0;
}

CLUSTER_TEST(children, s005_two_puts_of_one_id_at_the_same_moment)
{
	struct cluster *c = three();
	struct http_request requests[2] = {
		{.method = "PUT", .body = SLEEPER}, {.method = "PUT", .body = SLEEPER}};
	struct http_reply *replies[2];
	struct agreed agreed;

	for (int i = 0; i < 2; i++)
		requests[i].url = node_url(&c->nodes[i], CHILDREN "/web");
	http_send_all(requests, replies, 2);
	for (int i = 0; i < 2; i++)
		expect_success(replies[i]);
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++) {
		struct http_reply *get = child_until(&c->nodes[i], "web", "running", 2000);

		agreed.pid = json_number_at(get->json, "status.pid");
		snprintf(agreed.node, sizeof agreed.node, "%s", json_str(get->json, "status.node"));
		for (int k = 0; k < 3; k++)
			http_until(node_url(&c->nodes[k], CHILDREN "/web"), names, &agreed,
				check_ms(CLUSTER_SOON_MS), "the same process at every node");
	}
	CHECK(procs_alive((pid_t)agreed.pid), "the named process does not live");
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
}

CLUSTER_TEST(children, s009_exit_0_is_recorded_and_not_restarted)
{
	static const char *const types[] = {"temporary", "transient"};
	struct cluster *c = three();

	for (int i = 0; i < 2; i++) {
		char *spec = trace_script(c, "exit 0", text_of("\"restart\":\"%s\"", types[i]));
		struct http_reply *get, *list;

		CHECK_INT(child_put(&c->nodes[0], types[i], spec)->status, 201);
		free(spec);
		get = child_until(&c->nodes[1], types[i], "exited", CLUSTER_SOON_MS);
		CHECK_INT(json_number_at(get->json, "status.last_exit.code"), 0);
		list = expect_status(
			node_call(&c->nodes[1], "GET", NULL, CHILDREN "?state=running"), 200);
		CHECK_INT(json_array_size(json_at(list->json, "items")), 0);
	}
	trace_stays(c, 1000);
	CHECK_INT(trace_starts(c, NULL, NULL), 2);
}

CLUSTER_TEST(children, s010_transient_restarts_after_1_but_not_after_0)
{
	struct cluster *c = three();
	char *spec = trace_script(c, "[ -e \"$1.once\" ] && exit 0; : >\"$1.once\"; exit 1",
		"\"restart\":\"transient\"");
	struct http_reply *get;

	CHECK_INT(child_put(&c->nodes[0], "job", spec)->status, 201);
	free(spec);
	get = child_until(&c->nodes[2], "job", "exited", CLUSTER_SOON_MS);
	CHECK_INT(json_number_at(get->json, "status.last_exit.code"), 0);
	CHECK_INT(json_number_at(get->json, "status.restarts"), 1);
	trace_stays(c, 700);
	CHECK_INT(trace_starts(c, "job", NULL), 2);
}

CLUSTER_TEST(children, s011_temporary_killed_is_not_restarted)
{
	struct cluster *c = three();
	char *spec = trace_spec(c, "\"restart\":\"temporary\"");
	struct http_reply *put = child_start(&c->nodes[0], "job", spec), *get;

	free(spec);
	kill((pid_t)json_number_at(put->json, "status.pid"), SIGKILL);
	get = child_until(&c->nodes[1], "job", "exited", CLUSTER_SOON_MS);
	CHECK_INT(json_number_at(get->json, "status.last_exit.signal"), SIGKILL);
	trace_stays(c, 700);
}

CLUSTER_TEST(children, s012_permanent_killed_is_restarted)
{
	struct cluster *c = three();
	struct http_reply *put = child_start(&c->nodes[0], "web", SLEEPER);
	pid_t pid = (pid_t)json_number_at(put->json, "status.pid"), fresh;

	kill(pid, SIGKILL);
	fresh = child_until_new_pid(&c->nodes[0], "web", pid, CLUSTER_SOON_MS);
	CHECK(procs_alive(fresh), "the new process %d does not live", (int)fresh);
	for (int i = 0; i < 3; i++) {
		struct http_reply *get = http_until_int(node_url(&c->nodes[i], CHILDREN "/web"),
			"status.pid", fresh, check_ms(CLUSTER_SOON_MS));

		CHECK_INT(json_number_at(get->json, "status.restarts"), 1);
		CHECK_INT(json_number_at(get->json, "status.last_exit.signal"), SIGKILL);
	}
}

CLUSTER_TEST(children, s017_an_empty_cluster_lists_nothing)
{
	struct cluster *c = three();

	for (int i = 0; i < 3; i++) {
		struct http_reply *list, *count;

		list = expect_status(node_call(&c->nodes[i], "GET", NULL, CHILDREN), 200);
		CHECK(json_is_array(json_at(list->json, "items")), "no items in %s", list->body);
		CHECK_INT(json_array_size(json_at(list->json, "items")), 0);
		count = expect_status(
			node_call(&c->nodes[i], "GET", NULL, "/v1/supervisors/default/count"), 200);
		CHECK_INT(json_number_at(count->json, "specs"), 0);
		CHECK_INT(json_number_at(count->json, "active"), 0);
		CHECK_INT(json_number_at(count->json, "workers"), 0);
	}
}

CLUSTER_TEST(children, s018_delete_from_a_node_that_does_not_own_it)
{
	struct cluster *c = three();
	const char *spec = "{\"command\":[\"/bin/sh\",\"-c\",\"sleep 1001 & sleep 1001 & wait\"]}";
	struct http_reply *put = child_start(&c->nodes[0], "web", spec);
	const struct node *owner = child_owner(c, put);
	const struct node *other = owner == &c->nodes[0] ? &c->nodes[1] : &c->nodes[0];
	pid_t pid = (pid_t)json_number_at(put->json, "status.pid");

	http_until_int(node_url(other, CHILDREN "/web"), "status.pid", pid, check_ms(2000));
	child_delete(c, other, "web");
	CHECK(!procs_alive(pid), "the process still lives");
	CHECK_INT(children_processes("sleep 1001"), 0);
	expect_problem(node_call(other, "DELETE", NULL, CHILDREN "/web"), 404, "child-not-found");
	expect_status(node_call(other, "DELETE", NULL, CHILDREN "/web?missing_ok=true"), 204);
}

CLUSTER_TEST(children, s019_unknown_ids_are_404)
{
	struct cluster *c = three();

	for (int i = 0; i < 3; i++) {
		expect_problem(node_call(&c->nodes[i], "GET", NULL, CHILDREN "/none"), 404,
			"child-not-found");
		expect_problem(node_call(&c->nodes[i], "DELETE", NULL, CHILDREN "/none"), 404,
			"child-not-found");
		expect_problem(node_call(&c->nodes[i], "GET", NULL, ENTRIES "/none"), 404,
			"key-not-found");
	}
}

CLUSTER_TEST(children, s020_delete_in_backoff_is_final)
{
	struct cluster *c = three();
	char *spec = trace_script(c, "exit 1", "\"backoff\":{\"initial_ms\":300,\"max_ms\":300}");

	CHECK_INT(child_put(&c->nodes[0], "web", spec)->status, 201);
	free(spec);
	child_until(&c->nodes[0], "web", "backoff", CLUSTER_SOON_MS);
	child_delete(c, &c->nodes[1], "web");
	trace_stays(c, 1200);
	for (int i = 0; i < 3; i++)
		expect_problem(node_call(&c->nodes[i], "GET", NULL, CHILDREN "/web"), 404, NULL);
}

CLUSTER_TEST(children, s024_term_ignored_ends_in_kill)
{
	struct cluster *c = three();
	char *spec = trace_script(c, "trap '' TERM; : >\"$1.ready\"; while :; do sleep 1000; done",
		"\"shutdown\":{\"timeout_ms\":500}");
	struct http_reply *put = child_start(&c->nodes[0], "deaf", spec), *gone;
	pid_t pid = (pid_t)json_number_at(put->json, "status.pid");

	free(spec);
	file_wait(text_of("%s/trace.ready", c->dir), CLUSTER_SOON_MS);
	gone = node_call(&c->nodes[0], "DELETE", NULL, CHILDREN "/deaf");
	expect_status(gone, 204);
	CHECK(gone->ms >= 490, "killed after %.0f ms, its timeout is 500", gone->ms);
	CHECK(gone->ms < (double)check_ms(1500), "gone after %.0f ms only", gone->ms);
	CHECK(!procs_alive(pid), "the process still lives");
}

CLUSTER_TEST(children, s025_delete_ends_the_whole_process_group)
{
	struct cluster *c = three();
	const char *spec = "{\"command\":[\"/bin/sh\",\"-c\",\"(sleep 1002 & sleep 1002) & "
			   "sh -c 'trap \\\"\\\" TERM; sleep 1002; sleep 1002' & wait\"],"
			   "\"shutdown\":{\"timeout_ms\":300}}";
	struct http_reply *put = child_start(&c->nodes[0], "tree", spec);
	pid_t pid = (pid_t)json_number_at(put->json, "status.pid");
	int64_t end = check_now_ms() + check_ms(CLUSTER_SOON_MS);

	while (children_processes("sleep 1002") < 5 && check_now_ms() < end)
		check_pause_ms(10);
	CHECK(procs_in_group(pid) >= 4, "only %d in group %d", procs_in_group(pid), (int)pid);
	child_delete(c, &c->nodes[0], "tree");
	CHECK_INT(procs_in_group(pid), 0);
	CHECK_INT(children_processes("sleep 1002"), 0);
}

CLUSTER_TEST(children, s018_delete_ends_descendants_that_left_the_group)
{
	struct cluster *c = three();
	const char *spec = "{\"command\":[\"/bin/sh\",\"-c\",\"setsid sleep 1003 & "
			   "setsid sh -c 'setsid sleep 1003 & sleep 1003' & wait\"],"
			   "\"shutdown\":{\"timeout_ms\":300}}";
	int64_t end = check_now_ms() + check_ms(CLUSTER_SOON_MS);

	child_start(&c->nodes[0], "strays", spec);
	while (children_processes("sleep 1003") < 3 && check_now_ms() < end)
		check_pause_ms(10);
	CHECK(children_processes("sleep 1003") >= 3, "they did not start");
	child_delete(c, &c->nodes[1], "strays");
	CHECK_INT(children_processes("sleep 1003"), 0);
}

CLUSTER_TEST(children, s028_env_cwd_and_command_arrive_unchanged)
{
	static const char script[] = "printf '%s\\n' \"$1\" \"$2\" \"$GREETING\" \"$(pwd)\" "
				     "\"$HORDE_CHILD\" \"$HORDE_CHILD_REF\" \"$HORDE_SUPERVISOR\" "
				     "\"$HORDE_NODE\" \"$HORDE_URL\" \"$HORDE_EPOCH\" >\"$0.new\"; "
				     "mv \"$0.new\" \"$0\"; exec sleep 1000";
	struct cluster *c = three();
	const char *dir = text_of("%s/with space \xc3\xbc", c->dir), *out, *should;
	json_t *spec;
	char *body;
	struct http_reply *put;

	CHECK(mkdir(dir, 0700) == 0, "mkdir %s", dir);
	out = text_of("%s/out", dir);
	spec = json_pack("{s:[s,s,s,s,s,s], s:{s:s}, s:s}", "command", "/bin/sh", "-c", script, out,
		"a  b",
		"gr\xc3\xbc\xc3\x9f"
		"e \xe2\x82\xac $HOME *",
		"env", "GREETING", "hi 'there' = \xe4\xb8\x96\xe7\x95\x8c", "cwd", dir);
	body = json_dumps(spec, 0);
	put = child_start(&c->nodes[0], "env", body);
	should = text_of("a  b\ngr\xc3\xbc\xc3\x9f"
			 "e \xe2\x82\xac $HOME *\n"
			 "hi 'there' = \xe4\xb8\x96\xe7\x95\x8c\n%s\nenv\ndefault/env\ndefault\n"
			 "%s\n%s\n%lld\n",
		dir, json_str(put->json, "status.node"), child_owner(c, put)->url,
		json_number_at(put->json, "status.epoch"));
	CHECK_STR(file_wait(out, CLUSTER_SOON_MS), should);
	free(body);
	json_decref(spec);
}

static bool is_expected(const char *item)
{
	static const char *const names[] = {"HORDE_CHILD=", "HORDE_CHILD_REF=", "HORDE_SUPERVISOR=",
		"HORDE_NODE=", "HORDE_URL=", "HORDE_EPOCH=", "HORDE_RUN_DIR=", "HORDE_CHILD_TOKEN=",
		"PATH=", "LANG=", "TZ=", "GREETING="};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncmp(item, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The daemon's environment holds its secrets, and its descriptors are the store and the guardian.
 */
CLUSTER_TEST(children, s028_nothing_of_the_daemon_reaches_a_child)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"env\":{\"GREETING\":\"hi\"}}";
	char environment[4096];
	struct cluster *c = cluster_new(NULL);
	struct stat info;
	struct node *n1;
	pid_t pid;
	FILE *file;
	size_t size;
	int expected = 0;

	setenv("HORDE_SECRET", "a-secret-of-the-cluster-0123456789", 1);
	setenv("ONLY_FOR_THE_DAEMON", "yes", 1);
	setenv("TZ", "UTC", 1);
	n1 = cluster_add(c, NULL, NULL);
	cluster_settle(c);
	pid = (pid_t)json_number_at(child_start(n1, "web", spec)->json, "status.pid");
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
	file = fopen(text_of("/proc/%d/environ", (int)pid), "re");
	CHECK(file, "no such process: %d", (int)pid);
	size = fread(environment, 1, sizeof environment - 1, file);
	fclose(file);
	environment[size] = '\0';
	for (const char *item = environment; item < environment + size; item += strlen(item) + 1) {
		CHECK(is_expected(item), "the child sees %s", item);
		expected++;
	}
	CHECK_INT(expected, 12);
	for (int fd = 3; fd < 256; fd++)
		CHECK(lstat(text_of("/proc/%d/fd/%d", (int)pid, fd), &info) != 0 && errno == ENOENT,
			"descriptor %d is open in the child", fd);
}

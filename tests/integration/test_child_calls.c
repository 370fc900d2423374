/* What is asked of one child: another spec, a signal, a restart, a wait for its state. */
#include "tests/integration/suite.h"

SUITE(child_calls);

static struct cluster *three(void)
{
	return cluster_start(3, NULL);
}

CLUSTER_TEST(child_calls, patch_merges_into_the_spec)
{
	struct cluster *c = three();
	struct http_reply *put, *patched, *get;

	put = child_start(&c->nodes[0], "web",
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"labels\":{\"a\":\"1\",\"b\":\"2\"}}");
	patched = expect_status(node_call(&c->nodes[0], "PATCH",
					"{\"labels\":{\"a\":null,\"c\":\"3\"}}", CHILDREN "/web"),
		200);
	CHECK(!json_at(patched->json, "labels.a"), "a is still there: %s", patched->body);
	CHECK_STR(json_str(patched->json, "labels.b"), "2");
	CHECK_STR(json_str(patched->json, "labels.c"), "3");
	get = http_until_str(node_url(&c->nodes[2], CHILDREN "/web"), "labels.c", "3",
		check_ms(CLUSTER_SOON_MS));
	CHECK(json_number_at(get->json, "status.pid") > 0 &&
			json_number_at(put->json, "status.pid") > 0,
		"no pid: %s", get->body);
	expect_problem(node_call(&c->nodes[0], "PATCH", "{\"labels\":{}}", CHILDREN "/none"), 404,
		"child-not-found");
}

CLUSTER_TEST(child_calls, signal_reaches_the_process_from_any_node)
{
	struct cluster *c = three();
	char *spec = trace_script(c,
		"trap ': >\"$1.hup\"' HUP; : >\"$1.ready\"; "
		"while :; do sleep 0.05; done",
		NULL);

	child_start(&c->nodes[0], "web", spec);
	free(spec);
	file_wait(text_of("%s/trace.ready", c->dir), CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++) {
		child_until(&c->nodes[i], "web", "running", CLUSTER_SOON_MS);
		expect_status(node_call(&c->nodes[i], "POST", "{\"signal\":\"HUP\"}",
				      CHILDREN "/web/signal"),
			204);
		file_wait(text_of("%s/trace.hup", c->dir), CLUSTER_SOON_MS);
		unlink(text_of("%s/trace.hup", c->dir));
	}
	expect_problem(node_call(&c->nodes[0], "POST", "{\"signal\":\"NONSENSE\"}",
			       CHILDREN "/web/signal"),
		422, "invalid-spec");
}

/* Waits until both have written. */
static bool both(const char *told)
{
	int64_t end = check_now_ms() + check_ms(CLUSTER_FAIL_MS);
	const char *text = "";

	while (check_now_ms() < end && !(strstr(text, "first") && strstr(text, "second"))) {
		check_pause_ms(10);
		text = file_wait(told, CLUSTER_FAIL_MS);
	}
	return strstr(text, "first") && strstr(text, "second");
}

/* The leader starts a second process of its group; both write who they are when they are told. */
CLUSTER_TEST(child_calls, a_signal_is_for_the_process_alone_or_for_its_group)
{
	struct cluster *c = three();
	const char *told = text_of("%s/told", c->dir);
	const char *spec =
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"(trap 'echo second >>%s' USR1; "
			"echo ready >>%s; while :; do sleep 0.05; done) & "
			"trap 'echo first >>%s' USR1; while :; do sleep 0.05; done\"]}",
			told, told, told);

	child_start(&c->nodes[0], "web", spec);
	file_until(told, "ready\n", CLUSTER_FAIL_MS);
	child_until(&c->nodes[1], "web", "running", CLUSTER_SOON_MS);
	expect_status(
		node_call(&c->nodes[1], "POST", "{\"signal\":\"USR1\"}", CHILDREN "/web/signal"),
		204);
	file_until(told, "ready\nfirst\n", CLUSTER_FAIL_MS);
	unlink(told);
	expect_status(node_call(&c->nodes[1], "POST", "{\"signal\":\"USR1\",\"group\":true}",
			      CHILDREN "/web/signal"),
		204);
	CHECK(both(told), "told only: %s", file_wait(told, CLUSTER_SOON_MS));
}

CLUSTER_TEST(child_calls, restart_from_any_node_gives_a_new_process)
{
	struct cluster *c = three();
	pid_t pid = (pid_t)json_number_at(
		child_start(&c->nodes[0], "web", SLEEPER)->json, "status.pid");

	for (int i = 0; i < 3; i++) {
		child_until(&c->nodes[i], "web", "running", CLUSTER_SOON_MS);
		expect_success(node_call(&c->nodes[i], "POST", NULL, CHILDREN "/web/restart"));
		pid = child_until_new_pid(&c->nodes[i], "web", pid, CLUSTER_SOON_MS);
		CHECK(procs_alive(pid), "the new process %d does not live", (int)pid);
	}
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
}

static const char *reached(const struct node *at, const char *id, const char *until)
{
	struct http_reply *r =
		node_call(at, "GET", NULL, CHILDREN "/%s/wait?until=%s&wait=10s", id, until);

	return json_str(expect_status(r, 200)->json, "reached");
}

CLUSTER_TEST(child_calls, wait_is_for_any_of_its_states)
{
	struct cluster *c = three();
	struct http_request requests[3];
	struct http_reply *replies[3];
	static const char *const until[] = {"exited,deleted", "deleted,exited", "deleted"};

	child_start(&c->nodes[0], "web", SLEEPER);
	child_until(&c->nodes[1], "web", "running", CLUSTER_SOON_MS);
	CHECK_STR(reached(&c->nodes[1], "web", "exited,running"), "running");
	CHECK_STR(reached(&c->nodes[1], "web", "running"), "running");
	expect_status(
		child_put(&c->nodes[0], "job",
			"{\"command\":[\"/bin/sh\",\"-c\",\"exit 3\"],\"restart\":\"temporary\"}"),
		201);
	child_until(&c->nodes[0], "job", "exited", CLUSTER_SOON_MS);
	CHECK_STR(reached(&c->nodes[0], "job", "deleted,running,exited"), "exited");
	for (int i = 0; i < 3; i++)
		requests[i] = (struct http_request){
			.url = node_url(
				&c->nodes[1], CHILDREN "/web/wait?until=%s&wait=10s", until[i])};
	struct http_flight *flight = http_begin(requests, 3);
	CHECK(http_parked(flight, 200), "it runs, and they have answered");
	child_delete(c, &c->nodes[2], "web");
	http_finish(flight, replies);
	for (int i = 0; i < 3; i++)
		CHECK_STR(json_str(expect_status(replies[i], 200)->json, "reached"), "deleted");
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/web/wait?until=exited&wait=1s"),
		404, "child-not-found");
	CHECK_STR(reached(&c->nodes[0], "web", "running,deleted"), "deleted");
	expect_problem(node_call(&c->nodes[0], "GET", NULL,
			       CHILDREN "/job/wait?until=running,deleted&wait=100ms"),
		504, "wait-timeout");
}

/* What ended was of the spec before: the new one is about to be started. */
CLUSTER_TEST(child_calls, wait_takes_no_earlier_end_for_that_of_a_new_spec)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];

	for (int i = 0; i < 20; i++) {
		const char *spec =
			text_of("{\"command\":[\"/bin/sh\",\"-c\",\"sleep 0.01; exit %d\"],"
				"\"restart\":\"temporary\"}",
				i);
		struct http_reply *r;

		r = node_call(n, "PUT", spec, CHILDREN "/job?wait=0&ack=memory");
		CHECK(r->status / 100 == 2, "gave %ld: %s", r->status, r->body);
		r = expect_status(
			node_call(n, "GET", NULL, CHILDREN "/job/wait?until=exited&wait=10s"), 200);
		CHECK_INT(json_number_at(r->json, "status.last_exit.code"), i);
	}
}

CLUSTER_TEST(child_calls, wait_answers_when_the_child_exits)
{
	struct cluster *c = three();
	struct http_reply *waited;
	char *spec = trace_script(c, "while [ ! -e \"$1.go\" ]; do sleep 0.05; done; exit 7",
		"\"restart\":\"temporary\"");
	struct http_request requests[2];
	struct http_reply *replies[2];

	child_start(&c->nodes[0], "job", spec);
	free(spec);
	child_until(&c->nodes[1], "job", "running", CLUSTER_SOON_MS);
	file_write(text_of("%s/trace.go", c->dir), "", 0, 0600);
	for (int i = 0; i < 2; i++)
		requests[i] = (struct http_request){
			.url = node_url(&c->nodes[i], CHILDREN "/job/wait?until=exited&wait=10s")};
	http_send_all(requests, replies, 2);
	for (int i = 0; i < 2; i++) {
		waited = expect_status(replies[i], 200);
		CHECK_STR(json_str(waited->json, "reached"), "exited");
		CHECK_INT(json_number_at(waited->json, "status.last_exit.code"), 7);
	}
}

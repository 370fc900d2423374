/* Who is ready, and well: readiness by a port and by HTTP, health, their ends. */
#include "tests/integration/suite.h"
#include "tests/lib/helper.h"

SUITE(ready);

static const char *in(const struct cluster *c, const char *name)
{
	return text_of("%s/%s", c->dir, name);
}

static bool is_ready(const struct http_reply *r)
{
	return json_is_true(json_at(r->json, "status.ready"));
}

static const char *ready_by(const char *kind, int port, const char *more)
{
	return text_of(
		"\"ready\":{\"kind\":\"%s\",\"port\":%d,\"period_ms\":100%s}", kind, port, more);
}

static struct http_reply *put_until(
	const struct node *at, const char *id, const char *until, const char *spec)
{
	return node_call(at, "PUT", spec, CHILDREN "/%s?until=%s&wait=30s", id, until);
}

static struct http_reply *wait_ready(const struct node *at, const char *id)
{
	return expect_status(
		node_call(at, "GET", NULL, CHILDREN "/%s/wait?until=ready&wait=30s", id), 200);
}

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
	CHECK_STR(json_str(r->json, "child.status.error"), "not ready in time");
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

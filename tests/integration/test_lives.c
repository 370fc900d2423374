/* What a child went through, told by any node. */
#include "tests/integration/suite.h"

SUITE(lives);

static const char *history_url(const struct node *at, const char *id)
{
	return node_url(at, CHILDREN "/%s/history", id);
}

static struct http_reply *history(const struct node *at, const char *id)
{
	return expect_status(node_call(at, "GET", NULL, CHILDREN "/%s/history", id), 200);
}

/* "running/none backoff/exit ...", and the exit codes where there are any: "backoff/exit=1". */
static const char *told(const struct http_reply *reply)
{
	static char text[2048];
	size_t used = 0, i;
	json_t *item;

	text[0] = '\0';
	json_array_foreach(json_at(reply->json, "items"), i, item)
	{
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s/%s", i ? " " : "",
			json_str(item, "state"), json_str(item, "reason"));
		if (json_at(item, "code"))
			used += (size_t)snprintf(text + used, sizeof text - used, "=%lld",
				json_number_at(item, "code"));
		if (json_at(item, "signal"))
			used += (size_t)snprintf(text + used, sizeof text - used, "=SIG%lld",
				json_number_at(item, "signal"));
	}
	return text;
}

static bool tells(const struct http_reply *reply, const void *argument)
{
	return reply->status == 200 && strcmp(told(reply), argument) == 0;
}

static void until_told(const struct node *at, const char *id, const char *what)
{
	struct http_reply *r =
		http_until(history_url(at, id), tells, what, check_ms(CLUSTER_SOON_MS), what);

	CHECK_STR(told(r), what);
}

CLUSTER_TEST(lives, each_end_is_told_with_how_it_came_at_every_node)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *child;
	pid_t pid;

	child = child_start(&c->nodes[0], "web", SLEEPER);
	pid = (pid_t)json_number_at(child->json, "status.pid");
	CHECK_INT(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 3; i++)
		until_told(&c->nodes[i], "web", "running/none pending/signal=SIG9 running/none");
	expect_status(node_call(&c->nodes[1], "POST", NULL, CHILDREN "/web/stop"), 200);
	for (int i = 0; i < 3; i++)
		until_told(&c->nodes[i], "web",
			"running/none pending/signal=SIG9 running/none stopped/terminated=SIG15");
	expect_status(node_call(&c->nodes[2], "POST", NULL, CHILDREN "/web/start"), 200);
	until_told(&c->nodes[0], "web",
		"running/none pending/signal=SIG9 running/none stopped/terminated=SIG15 "
		"running/none");
	child_delete(c, &c->nodes[0], "web");
	expect_problem(node_call(&c->nodes[1], "GET", NULL, CHILDREN "/web/history"), 404,
		"child-not-found");
}

CLUSTER_TEST(lives, what_ended_for_good_says_with_which_code)
{
	struct cluster *c = cluster_start(1, NULL);

	child_put(&c->nodes[0], "once",
		"{\"command\":[\"/bin/sh\",\"-c\",\"exit 3\"],\"restart\":\"temporary\"}");
	until_told(&c->nodes[0], "once", "running/none exited/exit=3");
}

CLUSTER_TEST(lives, a_start_that_failed_says_why)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	child_put(
		&c->nodes[0], "none", "{\"command\":[\"/nonexistent\"],\"restart\":\"temporary\"}");
	child_until(&c->nodes[0], "none", "exited", CLUSTER_SOON_MS);
	r = history(&c->nodes[0], "none");
	CHECK_STR(told(r), "exited/spawn_error");
	CHECK_STR(json_str(r->json, "items.0.error"), "exec: ENOENT");
}

CLUSTER_TEST(lives, only_the_last_twenty_are_kept)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	child_put(&c->nodes[0], "loop",
		"{\"command\":[\"/bin/false\"],\"max_restarts\":1000,"
		"\"backoff\":{\"initial_ms\":10,\"max_ms\":10}}");
	http_until_int(history_url(&c->nodes[0], "loop"), "items.19.code", 1, 20000);
	expect_success(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/loop/stop"));
	r = history(&c->nodes[0], "loop");
	CHECK_INT(json_array_size(json_at(r->json, "items")), 20);
	CHECK_STR(json_str(r->json, "items.19.state"), "stopped");
}

CLUSTER_TEST(lives, a_takeover_goes_on_with_it)
{
	struct cluster *c = cluster_start(2, NULL);
	char id[64];
	struct http_reply *r;

	child_start_on(c, &c->nodes[1], "web", SLEEPER, id, sizeof id);
	until_told(&c->nodes[0], id, "running/none");
	node_kill(&c->nodes[1]);
	child_until_on(&c->nodes[0], id, &c->nodes[0], CLUSTER_FAIL_MS);
	until_told(&c->nodes[0], id, "running/none running/none");
	r = history(&c->nodes[0], id);
	CHECK_STR(json_str(r->json, "items.0.node"), c->nodes[1].name);
	CHECK_STR(json_str(r->json, "items.1.node"), c->nodes[0].name);
	CHECK(json_number_at(r->json, "items.1.epoch") > json_number_at(r->json, "items.0.epoch"),
		"%s", r->body);
}

CLUSTER_TEST(lives, it_can_be_waited_for)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *child = child_start(&c->nodes[0], "web", SLEEPER), *replies[1];
	struct http_request wait = {0};
	struct http_flight *flight;

	wait.url = text_of("%s?wait=10s&since=%s", history_url(&c->nodes[0], "web"),
		json_str(history(&c->nodes[0], "web")->json, "etag"));
	flight = http_begin(&wait, 1);
	CHECK(http_parked(flight, 100), "answered before anything had changed");
	CHECK_INT(kill((pid_t)json_number_at(child->json, "status.pid"), SIGKILL), 0);
	http_finish(flight, replies);
	expect_status(replies[0], 200);
	CHECK_STR(http_header(replies[0], "Horde-Changed"), "true");
}

/* Children that are sent away from a node: stopped there, then started elsewhere. */
#include "tests/integration/suite.h"

SUITE(moves);

enum { COUNT = 9 };

static struct http_reply *send_away(const struct node *from, const char *query)
{
	return node_call(from, "DELETE", NULL, "/v1/supervisors/default?scope=local%s", query);
}

static const char *node_of(const struct node *at, const char *id)
{
	return json_str(child_get(at, id)->json, "status.node");
}

static int on_node(const struct node *node)
{
	int on = 0;

	for (int i = 0; i < COUNT; i++)
		on += strcmp(node_of(node, text_of("web-%d", i)), node->name) == 0;
	return on;
}

CLUSTER_TEST(moves, children_leave_the_node_that_is_asked_and_each_lives_once)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_spec(c, NULL);
	int away;

	children_start(c, "web", COUNT, spec);
	children_until_active(c, COUNT, CLUSTER_SOON_MS);
	trace_until_starts(c, NULL, NULL, COUNT, CLUSTER_SOON_MS);
	away = on_node(&c->nodes[1]);
	CHECK(away > 0, "nobody was there");
	expect_status(send_away(&c->nodes[1], "&wait=30s"), 204);
	CHECK_INT(on_node(&c->nodes[1]), 0);
	children_until_active(c, COUNT, CLUSTER_SOON_MS);
	trace_until_starts(c, NULL, NULL, COUNT + away, CLUSTER_SOON_MS);
	trace_no_overlap(c);
	for (int i = 0; i < COUNT; i++)
		CHECK_INT(json_number_at(child_get(&c->nodes[1], text_of("web-%d", i))->json,
				  "status.restarts"),
			0);
	free(spec);
}

CLUSTER_TEST(moves, its_history_says_that_it_was_moved)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;
	char id[64];

	child_start_on(c, &c->nodes[0], "web", SLEEPER, id, sizeof id);
	expect_status(send_away(&c->nodes[0], ""), 204);
	child_until_on(&c->nodes[0], id, &c->nodes[1], CLUSTER_SOON_MS);
	child_until(&c->nodes[0], id, "running", CLUSTER_SOON_MS);
	r = expect_status(node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/history", id), 200);
	CHECK_INT(json_array_size(json_at(r->json, "items")), 3);
	CHECK_STR(json_str(r->json, "items.1.reason"), "move");
	CHECK_STR(json_str(r->json, "items.1.node"), c->nodes[0].name);
	CHECK_STR(json_str(r->json, "items.2.node"), c->nodes[1].name);
}

CLUSTER_TEST(moves, one_that_takes_its_time_is_told_as_stopping_and_one_deleted_goes_nowhere)
{
	static const char slow[] = "{\"command\":[\"/bin/sh\",\"-c\",\"trap '' TERM; while :; do "
				   "sleep 1004; done\"],\"shutdown\":{\"timeout_ms\":2000}}";
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;
	char id[64];

	child_start_on(c, &c->nodes[0], "slow", slow, id, sizeof id);
	r = expect_status(send_away(&c->nodes[0], "&wait=100ms"), 202);
	CHECK_INT(json_number_at(r->json, "stopping"), 1);
	child_delete(c, &c->nodes[1], id);
	children_until_processes("sleep 1004", 0, CLUSTER_SOON_MS);
	expect_status(send_away(&c->nodes[0], ""), 204);
}

CLUSTER_TEST(moves, a_temporary_child_stays_and_nobody_leaves_when_there_is_nobody_else)
{
	struct cluster *c = cluster_start(2, NULL);
	char id[64];

	child_start_on(c, &c->nodes[0], "once",
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"restart\":\"temporary\"}", id, sizeof id);
	expect_status(send_away(&c->nodes[0], ""), 204);
	CHECK_STR(json_str(child_get(&c->nodes[0], id)->json, "status.state"), "running");
	CHECK_STR(node_of(&c->nodes[1], id), c->nodes[0].name);
	expect_problem(node_call(&c->nodes[0], "DELETE", NULL, "/v1/supervisors/none?scope=global"),
		400, "bad-query");
	expect_problem(node_call(&c->nodes[0], "DELETE", NULL, "/v1/supervisors/none?scope=local"),
		404, "supervisor-not-found");
	node_kill(&c->nodes[1]);
	child_put(&c->nodes[0], "here", SLEEPER);
	child_until_on(&c->nodes[0], "here", &c->nodes[0], CLUSTER_FAIL_MS);
	expect_problem(send_away(&c->nodes[0], ""), 503, "no-eligible-member");
	CHECK_STR(json_str(child_get(&c->nodes[0], "here")->json, "status.state"), "running");
}

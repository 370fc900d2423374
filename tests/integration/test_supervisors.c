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

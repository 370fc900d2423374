/* Many children in one request: batch and apply. */
#include "tests/integration/suite.h"

SUITE(many);

#define BATCH CHILDREN "/batch"
#define APPLY "/v1/supervisors/default/apply"

enum { MANY = 1000 };

static struct http_reply *post(const struct node *at, const char *path, const char *body)
{
	return node_call(at, "POST", body, "%s", path);
}

static const char *outcome(const struct http_reply *r, size_t i)
{
	return json_str(r->json, text_of("items.%zu.outcome", i));
}

static size_t outcomes(const struct http_reply *r, const char *which)
{
	size_t count = json_array_size(json_at(r->json, "items")), is = 0;

	for (size_t i = 0; i < count; i++)
		is += strcmp(outcome(r, i), which) == 0;
	return is;
}

static pid_t pid_of(const struct node *at, const char *id)
{
	return (pid_t)json_number_at(child_get(at, id)->json, "status.pid");
}

CLUSTER_TEST(many, a_thousand_are_started_by_one_request_over_three_nodes)
{
	struct cluster *c = cluster_start(3, NULL);
	char *list = children_items("web", MANY, SLEEPER), *body = NULL;
	struct http_reply *r;

	CHECK(asprintf(&body, "{\"items\":%s}", list) > 0, "no memory");
	r = expect_status(post(&c->nodes[1], BATCH "?wait=60s", body), 200);
	CHECK_INT(outcomes(r, "created"), MANY);
	CHECK_STR(json_str(r->json, "items.999.id"), "web-999");
	CHECK_STR(json_str(r->json, "items.999.state"), "running");
	children_until_active(c, MANY, 20000);
	/* The same once more touches nothing. */
	r = expect_status(post(&c->nodes[0], BATCH, body), 200);
	CHECK_INT(outcomes(r, "unchanged"), MANY);
	free(body);
	free(list);
	r = expect_status(
		post(&c->nodes[2], APPLY "?wait=60s", "{\"items\":[],\"prune\":true}"), 200);
	CHECK_INT(outcomes(r, "deleted"), MANY);
	children_until_active(c, 0, 20000);
}

CLUSTER_TEST(many, one_without_an_id_is_given_one)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r = expect_status(
		post(&c->nodes[0], BATCH,
			"{\"items\":[{\"spec\":" SLEEPER "},{\"spec\":" SLEEPER "}]}"),
		200);
	const char *first = json_str(r->json, "items.0.id");

	CHECK_INT(strlen(first), 36);
	CHECK(strcmp(first, json_str(r->json, "items.1.id")) != 0, "both are %s", first);
	child_until(&c->nodes[0], first, "running", CLUSTER_SOON_MS);
}

CLUSTER_TEST(many, every_fault_is_listed_and_nothing_is_started)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r = post(&c->nodes[0], BATCH,
		"{\"items\":[{\"id\":\"a\",\"spec\":" SLEEPER "},{\"id\":\"b\",\"spec\":{}},"
		"{\"id\":\"-c\",\"spec\":" SLEEPER "},{\"id\":\"d\",\"spec\":{\"command\":[\"x\"],"
		"\"restart\":\"sometimes\"}},{\"id\":\"e\"}]}");

	expect_problem(r, 422, NULL);
	expect_fault(r, "/items/1/spec/command");
	expect_fault(r, "/items/2/id");
	expect_fault(r, "/items/3/spec/restart");
	expect_fault(r, "/items/4/spec");
	expect_problem(post(&c->nodes[0], BATCH, "{\"items\":[]}"), 422, NULL);
	expect_problem(
		post(&c->nodes[0], APPLY, "{\"items\":[{\"spec\":" SLEEPER "}]}"), 422, NULL);
	r = expect_status(node_call(&c->nodes[0], "GET", NULL, CHILDREN), 200);
	CHECK_INT(json_array_size(json_at(r->json, "items")), 0);
}

CLUSTER_TEST(many, an_id_that_stands_there_twice_is_a_fault)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r = post(&c->nodes[0], BATCH,
		"{\"items\":[{\"id\":\"a\",\"spec\":" SLEEPER "},{\"id\":\"b\",\"spec\":" SLEEPER
		"},{\"id\":\"a\",\"spec\":" SLEEPER "}]}");

	expect_fault(expect_problem(r, 422, "invalid-spec"), "/items/2/id");
	expect_problem(node_call(&c->nodes[0], "GET", NULL, CHILDREN "/b"), 404, "child-not-found");
}

CLUSTER_TEST(many, more_than_a_thousand_are_refused)
{
	struct cluster *c = cluster_start(1, NULL);
	char *list = children_items("a", MANY + 1, "{\"command\":[\"/bin/true\"]}"), *body = NULL;

	CHECK(asprintf(&body, "{\"items\":%s}", list) > 0, "no memory");
	expect_fault(expect_problem(post(&c->nodes[0], BATCH, body), 422, NULL), "/items");
	free(list);
	free(body);
}

CLUSTER_TEST(many, what_finds_no_room_is_refused_alone)
{
	struct cluster *c = cluster_start(2, NULL);
	char *list = children_items("w", 5, SLEEPER), *body = NULL;
	struct http_reply *r;

	expect_status(
		node_call(&c->nodes[0], "PUT", "{\"max_children\":3}", "/v1/supervisors/team"),
		201);
	CHECK(asprintf(&body, "{\"items\":%s}", list) > 0, "no memory");
	r = expect_status(post(&c->nodes[0], "/v1/supervisors/team/children/batch", body), 200);
	CHECK_INT(outcomes(r, "created"), 3);
	CHECK_INT(outcomes(r, "refused"), 2);
	CHECK_STR(json_str(r->json, "items.4.code"), "max-children");
	r = expect_status(post(&c->nodes[0], "/v1/supervisors/team/children/batch",
				  "{\"items\":[{\"id\":\"w-4\",\"spec\":" SLEEPER "}]}"),
		200);
	CHECK_STR(outcome(r, 0), "refused");
	free(list);
	free(body);
	expect_problem(post(&c->nodes[0], "/v1/supervisors/none/apply", "{\"items\":[]}"), 404,
		"supervisor-not-found");
}

CLUSTER_TEST(many, apply_makes_the_difference_and_touches_nothing_else)
{
	static const char wanted[] =
		"{\"items\":[{\"id\":\"keep\",\"spec\":" SLEEPER "},"
		"{\"id\":\"change\",\"spec\":{\"command\":[\"/bin/sleep\",\"1001\"]}},"
		"{\"id\":\"live\",\"spec\":{\"command\":[\"/bin/sleep\",\"1000\"],"
		"\"shutdown\":{\"timeout_ms\":77}}},{\"id\":\"new\",\"spec\":" SLEEPER "}]%s}";
	static const char *const ids[] = {"keep", "change", "live", "gone"};
	static const char *const outcomes_of[] = {
		"unchanged", "updated", "updated", "created", "deleted"};
	struct cluster *c = cluster_start(2, NULL);
	pid_t before[4];
	struct http_reply *r;

	for (int i = 0; i < 4; i++)
		before[i] = (pid_t)json_number_at(
			child_start(&c->nodes[i % 2], ids[i], SLEEPER)->json, "status.pid");
	for (int i = 0; i < 4; i++)
		child_until(&c->nodes[0], ids[i], "running", CLUSTER_SOON_MS);
	r = expect_status(
		post(&c->nodes[0], APPLY, text_of(wanted, ",\"prune\":true,\"dry_run\":true")),
		200);
	for (size_t i = 0; i < 5; i++)
		CHECK_STR(outcome(r, i), outcomes_of[i]);
	CHECK(json_is_true(json_at(r->json, "dry_run")), "%s", r->body);
	for (int i = 0; i < 4; i++)
		CHECK_INT(pid_of(&c->nodes[0], ids[i]), before[i]);
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/new"), 404, "child-not-found");

	r = expect_status(post(&c->nodes[0], APPLY, text_of(wanted, "")), 200);
	CHECK_INT(json_array_size(json_at(r->json, "items")), 4);
	CHECK_STR(json_str(r->json, "items.1.applied"), "replaced");
	CHECK_STR(json_str(r->json, "items.2.applied"), "live");
	CHECK_INT(pid_of(&c->nodes[0], "keep"), before[0]);
	child_until_new_pid(&c->nodes[0], "change", before[1], CLUSTER_SOON_MS);
	CHECK_INT(pid_of(&c->nodes[0], "live"), before[2]);
	CHECK_INT(pid_of(&c->nodes[0], "gone"), before[3]);
	child_until(&c->nodes[1], "new", "running", CLUSTER_SOON_MS);

	r = expect_status(post(&c->nodes[1], APPLY, text_of(wanted, ",\"prune\":true")), 200);
	CHECK_INT(outcomes(r, "unchanged"), 4);
	CHECK_STR(outcome(r, 4), "deleted");
	CHECK_INT(kill(before[3], 0), -1);
	expect_problem(
		node_call(&c->nodes[1], "GET", NULL, CHILDREN "/gone"), 404, "child-not-found");
}

CLUSTER_TEST(many, apply_leaves_a_stopped_child_stopped)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	child_start(&c->nodes[0], "a", SLEEPER);
	expect_status(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/a/stop"), 200);
	r = expect_status(post(&c->nodes[0], APPLY,
				  "{\"items\":[{\"id\":\"a\",\"spec\":{\"command\":[\"/bin/"
				  "sleep\",\"9\"]}}]}"),
		200);
	CHECK_STR(outcome(r, 0), "updated");
	CHECK_STR(json_str(r->json, "items.0.state"), "stopped");
}

CLUSTER_TEST(many, a_child_may_be_called_batch)
{
	struct cluster *c = cluster_start(1, NULL);

	child_start(&c->nodes[0], "batch", SLEEPER);
	child_get(&c->nodes[0], "batch");
	child_delete(c, &c->nodes[0], "batch");
}

/* How long the record of a child that has finished is kept, and that it then goes everywhere. */
#include "tests/integration/suite.h"

SUITE(retain);

#define HOUR_MS 3600000
#define ONE_SHOT(members) "{\"command\":[\"/bin/true\"],\"restart\":\"transient\"" members "}"
#define KEPT(ms) ONE_SHOT(",\"retain_ms\":" #ms)

static struct http_reply *post(const struct node *at, const char *spec)
{
	return expect_status(node_call(at, "POST", spec, CHILDREN), 201);
}

/* How often the daemons have said so. */
static int told(const struct cluster *c, const char *event)
{
	int count = 0;

	for (int i = 0; i < c->count; i++)
		for (const char *p = node_log(&c->nodes[i]); (p = strstr(p, event)); p++)
			count++;
	return count;
}

static void until_gone(const struct cluster *c, const char *id, long ms)
{
	for (int i = 0; i < c->count; i++)
		http_until_status(node_url(&c->nodes[i], CHILDREN "/%s", id), 404, check_ms(ms));
}

CLUSTER_TEST(retain, one_that_the_server_named_is_kept_for_an_hour_and_another_for_ever)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct http_reply *r = post(n, SLEEPER);

	CHECK_INT(json_number_at(r->json, "retain_ms"), HOUR_MS);
	r = child_get(n, json_str(r->json, "id"));
	CHECK_INT(json_number_at(r->json, "retain_ms"), HOUR_MS);
	r = post(n, KEPT(5000));
	CHECK_INT(json_number_at(r->json, "retain_ms"), 5000);
	r = child_start(n, "web", SLEEPER);
	CHECK(!json_at(r->json, "retain_ms"), "%s", r->body);
	r = expect_status(
		node_call(n, "POST",
			"{\"items\":[{\"id\":\"a\",\"spec\":" SLEEPER "},{\"spec\":" SLEEPER "}]}",
			CHILDREN "/batch"),
		200);
	CHECK(!json_at(child_get(n, "a")->json, "retain_ms"), "it has an id");
	r = child_get(n, json_str(r->json, "items.1.id"));
	CHECK_INT(json_number_at(r->json, "retain_ms"), HOUR_MS);
	expect_status(node_call(n, "PUT", "{\"child_defaults\":{\"retain_ms\":2000}}",
			      "/v1/supervisors/team"),
		201);
	r = expect_status(node_call(n, "POST", SLEEPER, "/v1/supervisors/team/children"), 201);
	CHECK(!json_at(r->json, "retain_ms"), "its supervisor says it: %s", r->body);
}

CLUSTER_TEST(retain, what_has_exited_goes_once_and_at_every_node)
{
	struct cluster *c = cluster_start(3, NULL);

	for (int i = 0; i < 6; i++)
		expect_status(child_put(&c->nodes[i % 3], text_of("job-%d", i), KEPT(1000)), 201);
	child_start(
		&c->nodes[0], "web", "{\"command\":[\"/bin/sleep\",\"1000\"],\"retain_ms\":1000}");
	expect_status(child_put(&c->nodes[0], "kept", ONE_SHOT("")), 201);
	for (int i = 0; i < 6; i++)
		until_gone(c, text_of("job-%d", i), 4000);
	CHECK_INT(told(c, "child.expired"), 6);
	CHECK_STR(json_str(child_get(&c->nodes[2], "web")->json, "status.state"), "running");
	CHECK_STR(json_str(child_get(&c->nodes[2], "kept")->json, "status.state"), "exited");
}

CLUSTER_TEST(retain, a_supervisor_s_default_holds_for_its_children)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];

	expect_status(node_call(n, "PUT", "{\"child_defaults\":{\"retain_ms\":1000}}",
			      "/v1/supervisors/team"),
		201);
	expect_status(node_call(n, "PUT", ONE_SHOT(""), "/v1/supervisors/team/children/a"), 201);
	http_until_status(node_url(n, "/v1/supervisors/team/children/a"), 404, check_ms(4000));
}

CLUSTER_TEST(retain, it_holds_over_the_end_of_all_daemons)
{
	struct cluster *c = cluster_start(2, NULL);
	char *spec = trace_script(c, "exit 0", "\"restart\":\"transient\",\"retain_ms\":4000");

	expect_status(child_put(&c->nodes[0], "job", spec), 201);
	child_until(&c->nodes[1], "job", "exited", CLUSTER_SOON_MS);
	/* Whose reply is sent when it, and all before it, is on disk: with that end untold, the
	 * child would rightly run again. */
	for (int i = 0; i < 2; i++)
		expect_status(node_call(&c->nodes[i], "PUT",
				      "{\"value\":1,\"owner\":{\"kind\":\"static\",\"id\":\"t\"}}",
				      ENTRIES "/k%d", i),
			201);
	for (int i = 0; i < 2; i++)
		node_kill(&c->nodes[i]);
	for (int i = 0; i < 2; i++)
		node_start(&c->nodes[i]);
	cluster_settle(c);
	CHECK_STR(json_str(child_get(&c->nodes[0], "job")->json, "status.state"), "exited");
	until_gone(c, "job", 8000);
	trace_until_starts(c, "job", NULL, 1, CLUSTER_SOON_MS);
	free(spec);
}

CLUSTER_TEST(retain, a_change_of_it_starts_nothing)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	char *spec = trace_script(c, "exit 0", "\"restart\":\"transient\",\"retain_ms\":3600000");
	char before[80];
	struct http_reply *r;

	expect_status(child_put(n, "job", spec), 201);
	snprintf(before, sizeof before, "%s",
		expect_etag(child_until(n, "job", "exited", CLUSTER_SOON_MS)));
	r = expect_status(node_call(n, "PATCH", "{\"retain_ms\":null}", CHILDREN "/job"), 200);
	CHECK_STR(json_str(r->json, "applied"), "live");
	CHECK_STR(json_str(r->json, "status.state"), "exited");
	CHECK(!json_at(r->json, "retain_ms"), "%s", r->body);
	CHECK(strcmp(before, expect_etag(r)) != 0, "the content is another");
	expect_status(node_call(n, "PATCH", "{\"retain_ms\":1000}", CHILDREN "/job"), 200);
	until_gone(c, "job", 4000);
	trace_until_starts(c, "job", NULL, 1, CLUSTER_SOON_MS);
	free(spec);
}

CLUSTER_TEST(retain, what_is_out_of_range_is_refused)
{
	static const char *const bad[] = {KEPT(999), KEPT(0), KEPT(-1), KEPT(315360000001),
		ONE_SHOT(",\"retain_ms\":\"1h\""), ONE_SHOT(",\"retain_ms\":null")};
	struct cluster *c = cluster_start(1, NULL);

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		expect_fault(
			expect_problem(child_put(&c->nodes[0], "job", bad[i]), 422, "invalid-spec"),
			"/retain_ms");
	expect_status(child_put(&c->nodes[0], "job", KEPT(315360000000)), 201);
	expect_status(child_put(&c->nodes[0], "job", KEPT(1000)), 200);
	until_gone(c, "job", 4000);
}

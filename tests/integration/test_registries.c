/* Registries as resources: made, listed, emptied with their end; which of two owners keeps a key.
 */
#include "tests/integration/suite.h"

#include "tests/lib/proxy.h"

SUITE(registries);

enum { MANY = 2500, HEAL_MS = 15000 };

#define REG "/v1/registries/sessions"
#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"
#define BY_BOB "\"owner\":{\"kind\":\"static\",\"id\":\"bob\"}"

static struct http_reply *ask(const struct node *at, const char *method, const char *path)
{
	return node_call(at, method, NULL, "%s", path);
}

static void make(const struct node *at, const char *rules, long status)
{
	expect_status(node_call(at, "PUT", rules, REG "?ack=all"), status);
}

static struct http_reply *claim(const struct node *at, const char *key, const char *owner)
{
	return node_call(at, "PUT", text_of("{\"value\":1,%s}", owner), REG "/entries/%s", key);
}

static long long pid_of(const struct node *at, const char *id)
{
	return json_number_at(child_get(at, id)->json, "status.pid");
}

static long count(const struct node *at)
{
	return (long)json_number_at(
		expect_status(ask(at, "GET", REG "/count"), 200)->json, "count");
}

CLUSTER_TEST(registries, are_made_listed_and_deleted_at_any_node)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;

	expect_problem(ask(&c->nodes[0], "GET", REG), 404, "registry-not-found");
	r = expect_status(node_call(&c->nodes[0], "PUT", "{\"meta\":{\"team\":\"red\",\"n\":null}}",
				  REG "?ack=all"),
		201);
	CHECK_STR(http_header(r, "location"), REG);
	for (int i = 0; i < 3; i++) {
		r = expect_status(ask(&c->nodes[i], "GET", REG), 200);
		CHECK_STR(json_str(r->json, "name"), "sessions");
		CHECK_STR(json_str(r->json, "keys"), "unique");
		CHECK_STR(json_str(r->json, "conflict"), "last_write_wins");
		CHECK_STR(json_str(expect_status(ask(&c->nodes[i], "GET", REG "/meta/team"), 200)
					   ->json,
				  "value"),
			"red");
		r = expect_status(ask(&c->nodes[i], "GET", "/v1/registries?limit=1"), 200);
		CHECK_STR(json_str(json_at(r->json, "items.0"), "name"), "default");
		r = expect_status(ask(&c->nodes[i], "GET",
					  text_of("/v1/registries?limit=1&cursor=%s",
						  json_str(r->json, "next_cursor"))),
			200);
		CHECK_STR(json_str(json_at(r->json, "items.0"), "name"), "sessions");
	}
	/* What GET returns can be put again. */
	r = expect_status(ask(&c->nodes[1], "GET", REG), 200);
	make(&c->nodes[1], r->body, 200);
	expect_status(node_call(&c->nodes[1], "PUT", "{\"conflict\":\"first_write_wins\"}",
			      REG "?ack=all"),
		200);
	CHECK_STR(json_str(ask(&c->nodes[2], "GET", REG)->json, "conflict"), "first_write_wins");
	expect_status(ask(&c->nodes[2], "DELETE", REG "?ack=all"), 204);
	for (int i = 0; i < 3; i++)
		expect_problem(ask(&c->nodes[i], "GET", REG), 404, "registry-not-found");
	expect_problem(ask(&c->nodes[0], "DELETE", REG), 404, "registry-not-found");
	expect_status(ask(&c->nodes[0], "DELETE", REG "?missing_ok"), 204);
	expect_problem(ask(&c->nodes[0], "DELETE", "/v1/registries/default"), 409, "wrong-state");
}

/* Each operation on what is in one that is not there. */
CLUSTER_TEST(registries, unknown_ones_are_told_by_every_operation)
{
	static const char *const calls[][3] = {
		{"GET", REG "/entries", NULL},
		{"GET", REG "/count", NULL},
		{"GET", REG "/entries/k", NULL},
		{"GET", REG "/entries/k/value", NULL},
		{"PUT", REG "/entries/k", "{\"value\":1," BY_ALICE "}"},
		{"PATCH", REG "/entries/k", "{\"value\":1}"},
		{"DELETE", REG "/entries/k", NULL},
		{"GET", REG "/meta", NULL},
		{"GET", REG "/meta/k", NULL},
		{"PUT", REG "/meta/k", "{\"value\":1}"},
		{"DELETE", REG "/meta/k", NULL},
	};
	struct cluster *c = cluster_start(1, NULL);

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		expect_problem(node_call(&c->nodes[0], calls[i][0], calls[i][2], "%s", calls[i][1]),
			404, "registry-not-found");
	expect_fault(child_put(&c->nodes[0], "a",
			     "{\"command\":[\"/bin/sleep\",\"600\"],\"register\":[{\"key\":\"k\"},{"
			     "\"registry\":\"sessions\",\"key\":\"k\"}]}"),
		"/register/1/registry");
}

CLUSTER_TEST(registries, bad_rules_are_refused_and_change_nothing)
{
	static const char *const bad[][2] = {
		{"{\"keys\":\"many\"}", "/keys"},
		{"{\"conflict\":\"mine\"}", "/conflict"},
		{"{\"lock_delay_ms\":-1}", "/lock_delay_ms"},
		{"{\"lock_delay_ms\":86400001}", "/lock_delay_ms"},
		{"{\"meta\":[]}", "/meta"},
		{"{\"colour\":1}", "/colour"},
	};
	struct cluster *c = cluster_start(1, NULL);
	char key[514];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_fault(node_call(&c->nodes[0], "PUT", bad[i][0], REG), bad[i][1]);
	memset(key, 'k', 513);
	key[513] = '\0';
	expect_fault(node_call(&c->nodes[0], "PUT", text_of("{\"meta\":{\"%s\":1}}", key), REG),
		"/meta");
	expect_problem(ask(&c->nodes[0], "GET", REG), 404, "registry-not-found");
	key[512] = '\0';
	make(&c->nodes[0], text_of("{\"meta\":{\"%s\":1}}", key), 201);
	expect_status(ask(&c->nodes[0], "GET", text_of(REG "/meta/%s", key)), 200);
}

/* More than one step of the core removes. */
CLUSTER_TEST(registries, one_that_is_deleted_takes_its_names_with_it)
{
	struct cluster *c = cluster_start(2, NULL);

	make(&c->nodes[0], "{\"meta\":{\"team\":\"red\"}}", 201);
	for (int i = 0; i < MANY; i++)
		expect_status(node_call(&c->nodes[0], "PUT", "{\"value\":1," BY_ALICE "}",
				      REG "/entries/k%d?ack=memory", i),
			201);
	CHECK_INT(count(&c->nodes[0]), MANY);
	expect_status(node_call(&c->nodes[0], "PUT", "{\"value\":1," BY_ALICE "}",
			      ENTRIES "/kept?ack=all"),
		201);
	expect_status(ask(&c->nodes[1], "DELETE", REG "?ack=all"), 204);
	make(&c->nodes[0], "{}", 201);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(count(&c->nodes[i]), 0);
		expect_problem(ask(&c->nodes[i], "GET", REG "/meta/team"), 404, "key-not-found");
		expect_status(ask(&c->nodes[i], "GET", ENTRIES "/kept"), 200);
	}
}

CLUSTER_TEST(registries, names_of_a_spec_come_and_go_with_their_registry)
{
	struct cluster *c = cluster_start(2, NULL);
	long long pid;

	make(&c->nodes[0], "{}", 201);
	expect_status(child_put(&c->nodes[1], "web",
			      "{\"command\":[\"/bin/sleep\",\"600\"],\"register\":[{"
			      "\"registry\":\"sessions\",\"key\":\"web/1\",\"value\":7}]}"),
		201);
	http_until_str(node_url(&c->nodes[0], REG "/entries/web%%2F1"), "owner.id", "default/web",
		check_ms(CLUSTER_SOON_MS));
	pid = pid_of(&c->nodes[0], "web");
	expect_status(ask(&c->nodes[0], "DELETE", REG "?ack=all"), 204);
	make(&c->nodes[1], "{}", 201);
	http_until_str(node_url(&c->nodes[0], REG "/entries/web%%2F1"), "owner.id", "default/web",
		check_ms(CLUSTER_SOON_MS));
	CHECK_INT(pid_of(&c->nodes[0], "web"), pid);
}

/* ---- two nodes that do not hear of each other ---- */

static const struct cluster_options proxied = {.proxied = true};

static void cut(struct cluster *c, enum proxy_mode mode)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, 0);
}

static void owned_everywhere(struct cluster *c, const char *key, const char *owner)
{
	for (int i = 0; i < c->count; i++)
		http_until_str(node_url(&c->nodes[i], REG "/entries/%s", key), "owner.id", owner,
			check_ms(HEAL_MS));
}

/* Alice, then Bob, each at a node of their own. */
static void both_claim(struct cluster *c, const char *key)
{
	cut(c, PROXY_SILENT);
	expect_status(claim(&c->nodes[0], key, BY_ALICE), 201);
	expect_status(claim(&c->nodes[1], key, BY_BOB), 201);
	cut(c, PROXY_FORWARD);
}

CLUSTER_TEST(registries, the_last_write_wins_or_the_first_as_the_registry_says)
{
	struct cluster *c = cluster_start(2, &proxied);

	make(&c->nodes[0], "{}", 201);
	both_claim(c, "last");
	owned_everywhere(c, "last", "bob");
	make(&c->nodes[0], "{\"conflict\":\"first_write_wins\"}", 200);
	both_claim(c, "first");
	owned_everywhere(c, "first", "alice");
	owned_everywhere(c, "last", "bob");
}

/* A name that was put while the registry ended elsewhere does not come back with the next one. */
CLUSTER_TEST(registries, a_stranded_name_is_taken_away)
{
	struct cluster *c = cluster_start(2, &proxied);

	make(&c->nodes[0], "{}", 201);
	cut(c, PROXY_SILENT);
	expect_status(claim(&c->nodes[1], "k", BY_BOB), 201);
	expect_status(ask(&c->nodes[0], "DELETE", REG), 204);
	cut(c, PROXY_FORWARD);
	http_until_status(node_url(&c->nodes[1], REG), 404, check_ms(HEAL_MS));
	/* Each has what the other one wrote, and what it wrote because of that. */
	for (int i = 0; i < 4; i++)
		expect_status(node_call(&c->nodes[(i + 1) % 2], "PUT", "{\"value\":1}",
				      META "/k%d?ack=all", i),
			201);
	make(&c->nodes[0], "{}", 201);
	for (int i = 0; i < 2; i++)
		CHECK_INT(count(&c->nodes[i]), 0);
}

/* ---- keys of owners that ended ---- */

static void start_holder(struct cluster *c)
{
	expect_status(child_put(&c->nodes[0], "holder",
			      "{\"command\":[\"/bin/sleep\",\"600\"],\"restart\":\"temporary\"}"),
		201);
	expect_status(claim(&c->nodes[0], "lead",
			      "\"owner\":{\"kind\":\"child\",\"id\":\"default/holder\"}"),
		201);
	owned_everywhere(c, "lead", "default/holder");
}

CLUSTER_TEST(registries, a_key_of_an_owner_that_died_is_held_back_for_a_while)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;

	make(&c->nodes[0], "{\"lock_delay_ms\":60000}", 201);
	start_holder(c);
	kill((pid_t)pid_of(&c->nodes[0], "holder"), SIGKILL);
	for (int i = 0; i < 2; i++) {
		http_until_status(node_url(&c->nodes[i], REG "/entries/lead"), 404,
			check_ms(CLUSTER_SOON_MS));
		r = expect_problem(claim(&c->nodes[i], "lead", BY_BOB), 409, "already-registered");
		CHECK(atoi(http_header(r, "retry-after")) > 0 &&
				atoi(http_header(r, "retry-after")) <= 60,
			"Retry-After: %s", http_header(r, "retry-after"));
	}
	/* One that was freed is free. */
	expect_status(claim(&c->nodes[0], "other", BY_ALICE), 201);
	expect_status(ask(&c->nodes[0], "DELETE", REG "/entries/other"), 204);
	expect_status(claim(&c->nodes[0], "other", BY_BOB), 201);
}

CLUSTER_TEST(registries, the_delay_has_an_end)
{
	struct cluster *c = cluster_start(1, NULL);

	make(&c->nodes[0], "{\"lock_delay_ms\":300}", 201);
	start_holder(c);
	kill((pid_t)pid_of(&c->nodes[0], "holder"), SIGKILL);
	http_until_status(
		node_url(&c->nodes[0], REG "/entries/lead"), 404, check_ms(CLUSTER_SOON_MS));
	for (int64_t end = check_now_ms() + check_ms(CLUSTER_SOON_MS);;) {
		struct http_reply *r = claim(&c->nodes[0], "lead", BY_BOB);

		if (r->status == 201)
			break;
		expect_problem(r, 409, "already-registered");
		CHECK(check_now_ms() < end, "the key is held back for ever");
	}
}

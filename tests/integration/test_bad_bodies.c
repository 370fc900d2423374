/*
 * Bodies with several faults, members that contradict each other, and patches that would be wrong
 * only together with what is there: all of it is named, and nothing is changed. One daemon.
 */
#include "tests/integration/field_values.h"

SUITE(bad_bodies);

#define TEAM "/v1/supervisors/team"
#define BATCH CHILDREN "/batch"

/* What is in a list of faults at most, and in where one is. */
enum { LISTED = 256, POINTER_CHARACTERS = 1024 };

/* ---- all at once ---- */

/* Of every object one place, where most of its fields can stand together. */
static bool is_alone(const struct field *f)
{
	return f->kind == OBJECT || f->kind == FREE || f->place == READY_NAMED ||
	       f->place == READY_EXEC || f->place == HEALTH_NAMED || f->place == HEALTH_EXEC ||
	       (f->place == SPEC && f->item &&
		       (strcmp(f->name, "health") == 0 || strcmp(f->name, "ports") == 0 ||
			       strcmp(f->name, "register") == 0 ||
			       strcmp(f->name, "env_from") == 0));
}

/* A body in which every field is wrong that can stand beside the others. */
static json_t *all_wrong(enum whose whose, const char *prefix, struct pointers *p)
{
	static const char inner[] = "{\"env_from\":{\"A\":{}},\"health\":[{}],\"ready\":{},"
				    "\"limits\":{},\"backoff\":{},\"shutdown\":{},\"logs\":{}}";
	json_t *body = value_of(inner), *whole = body;

	if (whose == CHILD)
		json_object_update_new(body, value_of("{\"ports\":[{}],\"register\":[{}]}"));
	else
		whole = json_pack("{s:o}", "child_defaults", body);
	pointers_clear(p);
	for (int i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];
		json_t *at = f->place == OPTIONS ? whole : body;

		if (!has(whose, f) || is_alone(f))
			continue;
		json_object_set_new(in_place(at, f), f->name, json_true());
		pointers_add(p, text_of("%s%s", prefix, pointer_of(whose, f)));
	}
	return whole;
}

CLUSTER_TEST(bad_bodies, every_field_wrong_at_once_is_named)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	struct pointers p = {0};
	json_t *body;

	child_start(n, "web", SLEEPER);
	body = all_wrong(CHILD, "", &p);
	CHECK(p.count >= 55, "only %d", p.count);
	is_refused(send_json(n, "PUT", CHILDREN "/new", json_incref(body)), "invalid-spec", &p, "");
	is_refused(send_json(n, "POST", CHILDREN, json_incref(body)), "invalid-spec", &p, "");
	is_refused(send_json(n, "PATCH", CHILDREN "/web", body), "invalid-spec", &p, "");
	body = json_pack("{s:[{s:o}]}", "items", "spec", all_wrong(CHILD, "/items/0/spec", &p));
	is_refused(send_json(n, "POST", BATCH, body), "invalid-spec", &p, "");
	body = all_wrong(SUPERVISOR, "", &p);
	is_refused(send_json(n, "PUT", TEAM, json_incref(body)), "invalid-spec", &p, "");
	is_refused(send_json(n, "PATCH", "/v1/supervisors/default", body), "invalid-spec", &p, "");
	pointers_clear(&p);
}

/* ---- what cannot be meant so ---- */

#define BY_NAME(name) "\"kind\":\"tcp\",\"port_name\":\"" name "\""
#define PORT_A "\"ports\":[{\"name\":\"a\"}]"

enum { FAULTS_MAX = 12 };

/* Members of a spec, and where its faults are. */
static const struct row {
	const char *members, *at[FAULTS_MAX];
} rows[] = {
	{"\"ready\":{" BY_NAME("a") "}", {"/ready/port_name"}},
	{"\"ready\":{" BY_NAME("b") "}," PORT_A, {"/ready/port_name"}},
	{"\"ready\":{" BY_NAME("a") ",\"port\":1}," PORT_A, {"/ready/port_name"}},
	{"\"health\":[{" BY_NAME("a") "},{" BY_NAME("b") "}]," PORT_A, {"/health/1/port_name"}},
	{"\"health\":[{" BY_NAME("a") ",\"port\":1}]," PORT_A, {"/health/0/port_name"}},
	{"\"ready\":{\"kind\":\"none\",\"port\":1,\"host\":\"a\",\"path\":\"/"
	 "\",\"command\":[\"a\"],"
	 "\"period_ms\":100,\"try_timeout_ms\":100}",
		{"/ready/port", "/ready/host", "/ready/path", "/ready/command", "/ready/period_ms",
			"/ready/try_timeout_ms"}},
	{"\"ready\":{\"kind\":\"notify\",\"port_name\":\"a\"}," PORT_A, {"/ready/port_name"}},
	{"\"env\":{\"A\":\"1\",\"B\":\"2\"},\"env_from\":{\"A\":{\"file\":\"/a\"},"
	 "\"C\":{\"file\":\"/a\"},\"B\":{\"file\":\"/a\"}}",
		{"/env_from/A", "/env_from/B"}},
	{"\"ports\":[{\"name\":\"a\",\"port\":1},{\"name\":\"b\"},{\"name\":\"a\",\"port\":1}]",
		{"/ports/2/name", "/ports/2/port"}},
	{"\"register\":[{\"key\":\"a\"},{\"key\":\"b\"},{\"key\":\"a\",\"registry\":\"default\"}]",
		{"/register/2/key"}},
	{"\"env\":{\"A\":\"${HORDE_PORT_A}${HORDE_PORT_B}\"}," PORT_A, {"/env/A"}},
	/* All of that at once. */
	{"\"ready\":{\"kind\":\"exec\"},\"health\":[{\"kind\":\"tcp\"},{" BY_NAME(
		 "b") "}],"
		      "\"ports\":[{\"name\":\"a\"},{\"name\":\"a\"}],\"cwd\":\"/"
		      "${HORDE_NONE}\",\"env\":{\"A\":"
		      "\"${HORDE_NONE}\"},\"env_from\":{\"A\":{\"file\":\"/"
		      "a\"},\"HORDE_A\":{\"file\":\"/a\"}},"
		      "\"register\":[{\"key\":\"${HORDE_NODE}\",\"registry\":\"b\",\"value\":[\"${"
		      "HORDE_NONE}\"]}]",
		{"/ready/command", "/health/0/port", "/health/1/port_name", "/ports/1/name", "/cwd",
			"/env/A", "/env_from/A", "/env_from/HORDE_A", "/register/0/key",
			"/register/0/registry", "/register/0/value/0"}},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void expect_at(struct pointers *p, const char *prefix, const char *const *at)
{
	for (int i = 0; i < FAULTS_MAX && at[i]; i++)
		pointers_add(p, text_of("%s%s", prefix, at[i]));
}

static json_t *spec_of(const char *members)
{
	return value_of(text_of("{\"command\":[\"/bin/sleep\",\"1000\"],%s}", members));
}

CLUSTER_TEST(bad_bodies, members_that_contradict_each_other_are_named)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	pid_t pid = (pid_t)json_number_at(child_start(n, "web", SLEEPER)->json, "status.pid");
	json_t *items = json_array(), *body;
	struct pointers p = {0};

	for (int i = 0; i < ROWS; i++) {
		pointers_clear(&p);
		expect_at(&p, "", rows[i].at);
		body = spec_of(rows[i].members);
		json_array_append_new(items, json_pack("{s:O}", "spec", body));
		is_refused(send_json(n, "PUT", CHILDREN "/new", json_incref(body)), "invalid-spec",
			&p, rows[i].members);
		is_refused(send_json(n, "POST", CHILDREN, json_incref(body)), "invalid-spec", &p,
			rows[i].members);
		is_refused(send_json(n, "PATCH", CHILDREN "/web", body), "invalid-spec", &p,
			rows[i].members);
	}
	pointers_clear(&p);
	for (int i = 0; i < ROWS; i++)
		expect_at(&p, text_of("/items/%d/spec", i), rows[i].at);
	is_refused(send_json(n, "POST", BATCH, json_pack("{s:o}", "items", items)), "invalid-spec",
		&p, "all of them");
	pointers_clear(&p);
	CHECK_INT(json_number_at(child_get(n, "web")->json, "status.pid"), pid);
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
}

/* ---- wrong together with what is there ---- */

/* Each patch has the shape of one. */
static const struct merge {
	const char *members, *patch, *at[FAULTS_MAX];
} merges[] = {
	{"\"cwd\":\"/\"", "{\"ready\":{\"timeout_ms\":100}}", {"/ready/kind"}},
	{"\"ready\":{\"kind\":\"tcp\",\"port\":1}", "{\"ready\":{\"kind\":\"exec\"}}",
		{"/ready/port", "/ready/command"}},
	{"\"ready\":{\"kind\":\"tcp\",\"port\":1}", "{\"ready\":{\"port\":null}}", {"/ready/port"}},
	{"\"ready\":{" BY_NAME("a") "}," PORT_A, "{\"ports\":null}", {"/ready/port_name"}},
	{"\"ready\":{" BY_NAME("a") "}," PORT_A, "{\"ready\":{\"port\":1}}", {"/ready/port_name"}},
	{"\"env\":{\"A\":\"${HORDE_PORT_A}\"}," PORT_A, "{\"ports\":[]}", {"/env/A"}},
	{"\"env\":{\"A\":\"1\"}", "{\"env_from\":{\"A\":{\"file\":\"/a\"}}}", {"/env_from/A"}},
	{"\"env\":{\"A\":\"1\"}", "{\"env_from\":{\"B\":{}}}", {"/env_from/B/file"}},
	{"\"env\":{\"A\":\"@70000\"}", "{\"env\":{\"B\":\"@70000\"}}", {"/env"}},
};

CLUSTER_TEST(bad_bodies, a_patch_is_judged_with_what_is_there)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	struct http_reply *before;
	struct pointers p = {0};

	child_start(n, "web", SLEEPER);
	expect_status(node_call(n, "POST", NULL, CHILDREN "/web/stop"), 200);
	for (size_t i = 0; i < sizeof merges / sizeof merges[0]; i++) {
		before = expect_status(
			send_json(n, "PUT", CHILDREN "/web", spec_of(merges[i].members)), 200);
		pointers_clear(&p);
		expect_at(&p, "", merges[i].at);
		is_refused(send_json(n, "PATCH", CHILDREN "/web", value_of(merges[i].patch)),
			"invalid-spec", &p, merges[i].patch);
		CHECK_STR(json_str(child_get(n, "web")->json, "etag"),
			json_str(before->json, "etag"));
	}
	pointers_clear(&p);
}

/* As many as there may be, and one more by a patch. */
static void one_more(
	const struct node *n, const char *name, int most, const char *value, enum whose whose)
{
	json_t *map = json_object(), *body, *patch;
	const char *path = whose == CHILD ? CHILDREN "/web" : TEAM;
	struct pointers p = {0};

	for (int i = 0; i < most; i++)
		json_object_set_new(map, text_of("A%d", i), value_of(value));
	body = json_pack("{s:o}", name, map);
	patch = json_pack("{s:{s:o}}", name, "more", value_of(value));
	pointers_add(&p, text_of("%s/%s", whose == CHILD ? "" : "/child_defaults", name));
	if (whose == CHILD) {
		json_object_set_new(body, "command", value_of("[\"/bin/sleep\",\"1000\"]"));
	} else {
		body = json_pack("{s:o}", "child_defaults", body);
		patch = json_pack("{s:o}", "child_defaults", patch);
	}
	expect_status(send_json(n, "PUT", path, body), 200);
	is_refused(send_json(n, "PATCH", path, patch), "invalid-spec", &p, "one more");
	pointers_clear(&p);
}

CLUSTER_TEST(bad_bodies, patches_do_not_creep_past_a_limit)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];

	child_start(n, "web", SLEEPER);
	expect_status(node_call(n, "POST", NULL, CHILDREN "/web/stop"), 200);
	expect_status(node_call(n, "PUT", "{}", TEAM), 201);
	one_more(n, "labels", 64, "\"b\"", CHILD);
	one_more(n, "env", 1024, "\"b\"", CHILD);
	one_more(n, "env_from", 256, "{\"file\":\"/a\"}", CHILD);
	one_more(n, "env", 1024, "\"b\"", SUPERVISOR);
	one_more(n, "env_from", 256, "{\"file\":\"/a\"}", SUPERVISOR);
}

/* ---- what is only told ---- */

/* What GET says can be put back; and whatever else stands there is nobody's concern. */
static void ignores(const struct node *n, const char *path, const char *const *told)
{
	struct http_reply *before = expect_status(node_call(n, "GET", NULL, "%s", path), 200), *r;
	json_t *body = json_deep_copy(before->json);

	expect_status(send_json(n, "PUT", path, json_incref(body)), 200);
	for (; *told; told++)
		json_object_set_new(body, *told, value_of("[{\"a\":null},7]"));
	expect_status(send_json(n, "PATCH", path, json_incref(body)), 200);
	r = expect_status(send_json(n, "PUT", path, body), 200);
	CHECK_STR(json_str(r->json, "etag"), json_str(before->json, "etag"));
}

CLUSTER_TEST(bad_bodies, what_is_only_told_is_ignored)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];

	child_start(n, "web", SLEEPER);
	ignores(n, CHILDREN "/web", told_of_children);
	expect_status(node_call(n, "PUT", "{\"max_children\":9}", TEAM), 201);
	ignores(n, TEAM, told_of_supervisors);
}

/* ---- the list itself ---- */

CLUSTER_TEST(bad_bodies, so_many_faults_are_listed_and_the_others_counted)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	json_t *body = value_of(SLEEPER);
	struct http_reply *r;

	for (int i = 0; i < LISTED; i++)
		json_object_set_new(body, text_of("a-%d", i), json_true());
	r = expect_problem(
		send_json(n, "PUT", CHILDREN "/new", json_incref(body)), 422, "invalid-spec");
	CHECK_INT(json_array_size(json_at(r->json, "errors")), LISTED);
	json_object_set_new(body, "one-more", json_true());
	r = expect_problem(send_json(n, "PUT", CHILDREN "/new", body), 422, "invalid-spec");
	CHECK_INT(json_array_size(json_at(r->json, "errors")), LISTED);
}

/* The reply is JSON also where a character would be cut. */
CLUSTER_TEST(bad_bodies, the_longest_names_are_cut_between_characters)
{
	static const char *const starts[] = {"", "a"}, *const values[] = {
							       "true", "\"${HORDE_NONE}\""};
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	char name[2 * POINTER_CHARACTERS + 2];

	for (int i = 0; i < 4; i++) {
		const char *where;
		json_t *body;

		strcpy(name, starts[i / 2]);
		for (int k = 0; k < POINTER_CHARACTERS; k++)
			strcat(name, "\xc3\xbc");
		body = json_pack("{s:[s],s:{s:o}}", "command", "/bin/true", "env", name,
			value_of(values[i % 2]));
		where = json_str(expect_problem(send_json(n, "PUT", CHILDREN "/new", body), 422,
					 "invalid-spec")
					 ->json,
			"errors.0.pointer");
		CHECK(strncmp(where, "/env/", 5) == 0, "at %s", where);
		CHECK(strlen(where) <= POINTER_CHARACTERS, "too long: %s", where);
	}
}

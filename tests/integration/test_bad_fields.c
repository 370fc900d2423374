/*
 * Every field of a spec and of a supervisor's options: what is wrong with it is refused and named,
 * and changes nothing; what is just right is taken. One daemon; the fields are in fields.h.
 */
#include "tests/integration/field_values.h"

SUITE(bad_fields);

#define TEAM "/v1/supervisors/team"
#define BATCH CHILDREN "/batch"
#define APPLY "/v1/supervisors/default/apply"

/* ---- what is said of them ---- */

static const char *shown(const json_t *value)
{
	char *dump = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	const char *text = text_of("%.100s", dump ? dump : "nothing");

	free(dump);
	return text;
}

/* `one` alone is wrong in the body, which stands at `prefix`. */
static void add_pointers(struct pointers *p, enum whose whose, const struct field *f,
	const struct one *one, const char *prefix)
{
	for (int i = 0; i < 2 && one->at[i]; i++)
		pointers_add(p, text_of("%s%s%s", prefix, pointer_of(whose, f), one->at[i]));
}

/* A null takes a member away, but not out of an array. */
static bool is_patchable(const struct field *f, const struct one *one)
{
	if (!one->value)
		return f->place != SPEC;
	return !json_is_null(one->value) || f->needed || strchr(places[f->place].path, '.');
}

static void refuses(const struct node *n, enum whose whose, const struct field *f,
	const struct one *one, const char *fresh, const char *there)
{
	const char *what = text_of("%s being %s", pointer_of(whose, f), shown(one->value));
	struct pointers p = {0};

	add_pointers(&p, whose, f, one, "");
	is_refused(send_json(n, "PUT", fresh, body_of(whose, f, one->value, false)), "invalid-spec",
		&p, what);
	is_refused(send_json(n, "PUT", there, body_of(whose, f, one->value, false)), "invalid-spec",
		&p, what);
	if (is_patchable(f, one))
		is_refused(send_json(n, "PATCH", there, body_of(whose, f, one->value, true)),
			"invalid-spec", &p, what);
	pointers_clear(&p);
}

/* All of them in one request, behind one that is right. */
static void refuses_items(
	const struct node *n, const struct field *f, const struct one *all, int count)
{
	json_t *items = value_of("[{\"id\":\"right\",\"spec\":" SLEEPER "}]");
	struct pointers p = {0};

	for (int i = 0; i < count; i++) {
		json_array_append_new(
			items, json_pack("{s:s,s:o}", "id", text_of("wrong-%d", i), "spec",
				       body_of(CHILD, f, all[i].value, false)));
		add_pointers(&p, CHILD, f, &all[i], text_of("/items/%d/spec", i + 1));
	}
	is_refused(send_json(n, "POST", BATCH, json_pack("{s:O}", "items", items)), "invalid-spec",
		&p, f->name);
	is_refused(send_json(n, "POST", APPLY, json_pack("{s:o}", "items", items)), "invalid-spec",
		&p, f->name);
	pointers_clear(&p);
}

static struct http_reply *state_of(const struct node *n, const char *path)
{
	return expect_status(node_call(n, "GET", NULL, "%s", path), 200);
}

static void is_untouched(const struct node *n, const char *path, const struct http_reply *before)
{
	struct http_reply *now = state_of(n, path);

	CHECK_STR(now->body, before->body);
	CHECK_STR(http_header(now, "ETag"), text_of("\"%s\"", json_str(before->json, "etag")));
	http_reply_free(now);
}

/* Each of them by itself, and then all of them in one request. */
static void refuses_all(const struct node *n, enum whose whose, const struct field *f,
	const struct one *all, int count)
{
	for (int i = 0; i < count && whose == CHILD; i++)
		refuses(n, CHILD, f, &all[i], CHILDREN "/new", CHILDREN "/web");
	for (int i = 0; i < count && whose == SUPERVISOR; i++)
		refuses(n, SUPERVISOR, f, &all[i], "/v1/supervisors/new", TEAM);
	if (count && whose == CHILD)
		refuses_items(n, f, all, count);
}

static void refuses_fields(const struct node *n, enum whose whose)
{
	struct one bad[ONES_MAX], odd[ONES_MAX];

	for (int i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];
		int bads = bad_of(f, bad), odds = odd_of(f, odd);

		if (has(whose, f)) {
			refuses_all(n, whose, f, bad, bads);
			/* Which ports there are is said by children alone. */
			if (whose == CHILD || (f->place != READY_NAMED && f->place != HEALTH_NAMED))
				refuses_all(n, whose, f, odd, odds);
		}
		drop(bad, bads);
		drop(odd, odds);
	}
}

CLUSTER_TEST(bad_fields, of_a_child_are_named_and_nothing_changes)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	struct http_reply *before;

	child_start(n, "web", SLEEPER);
	before = state_of(n, CHILDREN "/web");
	refuses_fields(n, CHILD);
	is_untouched(n, CHILDREN "/web", before);
	CHECK_INT(json_number_at(state_of(n, "/v1/supervisors/default/count")->json, "specs"), 1);
	CHECK(procs_alive((pid_t)json_number_at(before->json, "status.pid")), "it was ended");
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
}

CLUSTER_TEST(bad_fields, of_a_supervisor_are_named_and_nothing_changes)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	struct http_reply *before;

	expect_status(node_call(n, "PUT", "{\"max_children\":9}", TEAM), 201);
	before = state_of(n, TEAM);
	refuses_fields(n, SUPERVISOR);
	is_untouched(n, TEAM, before);
	expect_problem(node_call(n, "GET", NULL, "/v1/supervisors/new"), 404, NULL);
}

/* ---- what is right ---- */

static bool is_in(
	enum whose whose, const struct field *f, const struct http_reply *r, const json_t *value)
{
	json_t *at = in_defaults(whose, f) ? json_at(r->json, "child_defaults") : r->json;
	json_t *is = json_object_get(in_place(at, f), f->name);

	return json_equal(is, value) ||
	       (json_is_number(is) && json_number_value(is) == json_number_value(value));
}

/* It is put, and said again by a patch, which therefore changes nothing. */
static void takes(const struct node *n, enum whose whose, const struct field *f,
	const struct one *one, const char *path)
{
	struct http_reply *put = send_json(n, "PUT", path, body_of(whose, f, one->value, false));
	struct http_reply *patch = send_json(n, "PATCH", path, body_of(whose, f, one->value, true));
	struct pointers p = {0};

	pointers_add(&p, pointer_of(whose, f));
	if (f->cgroup) {
		is_refused(put, "unsupported", &p, shown(one->value));
		is_refused(patch, "unsupported", &p, shown(one->value));
		pointers_clear(&p);
		return;
	}
	CHECK(put->status == 200 && patch->status == 200,
		"%s being %s gave %ld and %ld: %.300s %.300s", p.all[0], shown(one->value),
		put->status, patch->status, put->body, patch->body);
	CHECK(is_in(whose, f, put, one->value), "%s of %s is not in %.300s", p.all[0],
		shown(one->value), put->body);
	CHECK_STR(http_header(patch, "ETag"), text_of("\"%s\"", json_str(put->json, "etag")));
	http_reply_free(put);
	http_reply_free(patch);
	pointers_clear(&p);
}

static void takes_all(const struct node *n, enum whose whose, const char *path)
{
	struct one all[ONES_MAX];

	for (int i = 0; i < FIELDS; i++) {
		int count = has(whose, &fields[i]) ? good_of(&fields[i], all) : 0;

		for (int k = 0; k < count; k++)
			takes(n, whose, &fields[i], &all[k], path);
		drop(all, count);
	}
}

/* One that is stopped, so that nobody has to start what is asked for. */
CLUSTER_TEST(bad_fields, at_their_limits_are_taken)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];

	child_start(n, "idle", SLEEPER);
	expect_status(node_call(n, "POST", NULL, CHILDREN "/idle/stop"), 200);
	takes_all(n, CHILD, CHILDREN "/idle");
	expect_status(node_call(n, "PUT", "{}", TEAM), 201);
	takes_all(n, SUPERVISOR, TEAM);
}

/* ---- none forgotten ---- */

static bool is_told(const char *const *told, const char *name)
{
	for (; *told; told++)
		if (strcmp(*told, name) == 0)
			return true;
	return false;
}

static const json_t *followed(const json_t *document, const json_t *schema)
{
	const char *ref = json_str(schema, "$ref");

	return *ref ? json_at(document, text_of("components.schemas.%s", strrchr(ref, '/') + 1))
		    : schema;
}

static const struct field *field_of(const char *schema, const char *name, enum whose whose)
{
	for (int i = 0; i < FIELDS; i++)
		if (strcmp(places[fields[i].place].schema, schema) == 0 &&
			strcmp(fields[i].name, name) == 0 && has(whose, &fields[i]))
			return &fields[i];
	return NULL;
}

/*
 * `path` is where it is in the schema. Of a supervisor's own and of what its children inherit,
 * `child_defaults` is left out of that.
 */
static void look_for(
	const json_t *document, const json_t *schema, const char *path, enum whose whose)
{
	static const char *const below[] = {"items", "additionalProperties"};
	json_t *properties = json_at(schema, "properties"), *one;
	const char *name;

	json_object_foreach(properties, name, one)
	{
		const json_t *real = followed(document, one);
		const char *inner = text_of("%s%s%s", path, *path ? "." : "", name);

		if (json_is_true(json_at(real, "readOnly")) || strcmp(name, "status") == 0) {
			CHECK(is_told(whose == CHILD ? told_of_children : told_of_supervisors,
				      name),
				"%s is nowhere in fields.h", inner);
			continue;
		}
		CHECK(field_of(path, name, whose) || field_of("child_defaults", name, whose),
			"%s is nowhere in fields.h", inner);
		look_for(document, real, strcmp(name, "child_defaults") == 0 ? "" : inner, whose);
		for (int i = 0; i < 2; i++)
			if (json_is_object(json_at(real, below[i])))
				look_for(document, followed(document, json_at(real, below[i])),
					inner, whose);
	}
}

CLUSTER_TEST(bad_fields, no_field_is_forgotten)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	struct http_reply *r = expect_status(node_call(n, "GET", NULL, "/openapi.json"), 200);

	look_for(r->json, json_at(r->json, "components.schemas.Child"), "", CHILD);
	look_for(r->json, json_at(r->json, "components.schemas.Supervisor"), "", SUPERVISOR);
}

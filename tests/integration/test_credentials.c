/* HORDE_CHILD_TOKEN on real daemons: what its process may do with it, where, and how long. */
#include "tests/integration/suite.h"

SUITE(credentials);

#define SECRET "what-only-the-nodes-share\n"
#define SELECTED "/v1/registries/default/unregister_select"
#define USERS "a-long-enough-token-0123456789"

/* Keeps what it was given in a file of the cluster's, for the test to use. */
static const char *told_spec(const struct cluster *c)
{
	return text_of("{\"command\":[\"/bin/sh\",\"-c\",\"f=%s/token.$HORDE_CHILD.$HORDE_NODE; "
		       "printf %%s \\\"$HORDE_CHILD_TOKEN\\\" >$f.new; mv $f.new $f; "
		       "exec sleep 1000\"]}",
		c->dir);
}

/* Text that is kept as long as the test runs. */
static const char *kept(const char *text)
{
	static char all[16][512];
	static int next;

	CHECK(next < 16 && strlen(text) < sizeof all[0], "too much to be kept");
	return strcpy(all[next++], text);
}

static const char *token_of(const struct cluster *c, const char *id, const struct node *on)
{
	return kept(file_wait(
		text_of("%s/token.%s.%s", c->dir, id, on->name), check_ms(CLUSTER_SOON_MS)));
}

/* `count` nodes that share a secret. */
static struct cluster *begin(int count)
{
	struct cluster *c = cluster_new(NULL);
	const char *path = text_of("%s/secret", c->dir);
	const char *args[] = {"--secret-file", path, NULL};

	file_write(path, SECRET, strlen(SECRET), 0600);
	for (int i = 0; i < count; i++) {
		cluster_add(c, i ? &c->nodes[0] : NULL, args);
		node_wait_ready(&c->nodes[i]);
	}
	cluster_settle(c);
	return c;
}

static struct http_reply *as(const char *token, const struct node *at, const char *method,
	const char *path, const char *body)
{
	struct http_request request = {.method = method,
		.url = node_url(at, "%s", path),
		.body = body,
		.headers = {text_of("Authorization: Bearer %s", token)}};

	if (strstr(path, "/state"))
		request.headers[1] = "Content-Type: application/octet-stream";
	return http_send(&request);
}

/* A child that runs and its token. */
static const char *starts(struct cluster *c, const char *id, struct node **ret_on)
{
	*ret_on = child_owner(c, child_start(&c->nodes[0], id, told_spec(c)));
	return token_of(c, id, *ret_on);
}

/* All that a process may ask for, each once. */
static const struct {
	const char *method, *path, *body;
	long status;
} own[] = {
	{"PUT", ENTRIES "/k", "{\"value\":1}", 201},
	{"PUT", ENTRIES "/k", "{\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}", 200},
	{"PATCH", ENTRIES "/k", "{\"value\":2}", 200},
	{"DELETE", ENTRIES "/k", NULL, 204},
	{"POST", SELECTED, "{\"match\":{}}", 200},
	{"PUT", CHILDREN "/web/state", "left", 204},
	{"GET", CHILDREN "/web/state", NULL, 200},
	{"DELETE", CHILDREN "/web/state", NULL, 204},
};
enum { OWN = sizeof own / sizeof own[0] };

static void all_own(const char *token, const struct node *at)
{
	for (int i = 0; i < OWN; i++)
		expect_status(
			as(token, at, own[i].method, own[i].path, own[i].body), own[i].status);
}

static void all_stale(const char *token, const struct node *at)
{
	for (int i = 0; i < OWN; i++)
		expect_problem(
			as(token, at, own[i].method, own[i].path, own[i].body), 409, "stale-epoch");
}

CLUSTER_TEST(credentials, a_process_writes_its_names_and_its_state_at_any_node)
{
	struct cluster *c = begin(3);
	struct node *on;
	const char *token = starts(c, "web", &on);

	for (int i = 0; i < 3; i++)
		all_own(token, &c->nodes[i]);
	expect_status(as(token, on, "PUT", ENTRIES "/k", "{\"value\":1}"), 201);
	CHECK_STR(json_str(node_call(on, "GET", NULL, ENTRIES "/k")->json, "owner.id"),
		"default/web");
	/* A restart on the same node is the same assignment. */
	expect_status(node_call(on, "POST", NULL, CHILDREN "/web/restart"), 200);
	expect_status(as(token, on, "PATCH", ENTRIES "/k", "{\"value\":3}"), 200);
	expect_status(node_call(on, "POST", NULL, CHILDREN "/web/stop"), 200);
	http_until_status(node_url(on, ENTRIES "/k"), 404, check_ms(CLUSTER_SOON_MS));
	expect_problem(as(token, on, "PUT", ENTRIES "/k", "{\"value\":1}"), 409, "wrong-state");
}

CLUSTER_TEST(credentials, a_process_registers_itself_with_curl)
{
	struct cluster *c = begin(1);
	struct http_reply *r;

	child_start(&c->nodes[0], "web",
		"{\"command\":[\"/bin/sh\",\"-c\",\"echo \\\"Authorization: Bearer "
		"$HORDE_CHILD_TOKEN\\\" | curl -s -H @- -X PUT -d '{\\\"value\\\":7}' "
		"$HORDE_URL" ENTRIES "/me; exec sleep 1000\"]}");
	r = http_until_int(
		node_url(&c->nodes[0], ENTRIES "/me"), "value", 7, check_ms(CLUSTER_SOON_MS));
	CHECK_STR(json_str(r->json, "owner.id"), "default/web");
}

CLUSTER_TEST(credentials, it_never_speaks_for_another)
{
	struct cluster *c = begin(2);
	struct node *on, *other;
	const char *token = starts(c, "web", &on), *theirs = starts(c, "db", &other);

	expect_status(as(theirs, other, "PUT", ENTRIES "/db", "{\"value\":1}"), 201);
	expect_status(as(theirs, other, "PUT", CHILDREN "/db/state", "left"), 204);
	http_until_status(node_url(on, ENTRIES "/db"), 200, check_ms(CLUSTER_SOON_MS));
	expect_problem(as(token, on, "PUT", ENTRIES "/x",
			       "{\"owner\":{\"kind\":\"child\",\"id\":\"default/db\"}}"),
		403, "forbidden");
	expect_problem(as(token, on, "PUT", ENTRIES "/x",
			       "{\"owner\":{\"kind\":\"static\",\"id\":\"tool\"}}"),
		403, "forbidden");
	expect_problem(as(token, on, "PUT", ENTRIES "/db", "{}"), 409, "already-registered");
	expect_problem(as(token, on, "PATCH", ENTRIES "/db", "{\"value\":2}"), 409, "not-owner");
	expect_problem(as(token, on, "DELETE", ENTRIES "/db", NULL), 409, "not-owner");
	expect_problem(
		as(token, on, "PATCH", ENTRIES "/db?owner=child:default/db", "{\"value\":2}"), 403,
		"forbidden");
	expect_problem(
		as(token, on, "DELETE", ENTRIES "/db?owner=static:tool", NULL), 403, "forbidden");
	CHECK_INT(
		json_number_at(
			expect_status(as(token, on, "POST", SELECTED, "{\"match\":{}}"), 200)->json,
			"unregistered"),
		0);
	expect_problem(as(token, on, "POST", SELECTED "?owner=child:default/db", "{\"match\":{}}"),
		403, "forbidden");
	/* Also where there is nothing to free. */
	expect_problem(as(token, on, "POST", SELECTED "?owner=static:tool", "{\"match\":{}}"), 403,
		"forbidden");
	expect_problem(as(token, on, "PUT", CHILDREN "/db/state", "mine"), 403, "forbidden");
	expect_problem(as(token, on, "GET", CHILDREN "/db/state", NULL), 403, "forbidden");
	expect_problem(as(token, on, "DELETE", CHILDREN "/db/state", NULL), 403, "forbidden");
	expect_problem(as(token, on, "GET", ENTRIES "/x", NULL), 403, "forbidden");
	CHECK_INT(json_number_at(node_call(on, "GET", NULL, ENTRIES "/db")->json, "value"), 1);
	CHECK_STR(node_call(other, "GET", NULL, CHILDREN "/db/state")->body, "left");
	/* Who shows no token has to say whose the name is. */
	expect_fault(expect_problem(node_call(on, "PUT", "{\"value\":1}", ENTRIES "/x"), 422,
			     "invalid-spec"),
		"/owner");
}

/* One that this document lists for children, or for everybody. */
static bool is_for_children(const json_t *operation)
{
	const json_t *security = json_object_get(operation, "security"), *one;
	size_t i;

	json_array_foreach(security, i, one)
	{
		if (json_object_get(one, "child"))
			return true;
	}
	return security && json_array_size(security) == 0;
}

/* "/v1/x/{sup}" with something in the place of each parameter. */
static const char *filled(const char *path)
{
	char out[256];
	size_t used = 0;

	for (; *path; path++) {
		out[used++] = *path == '{' ? '1' : *path;
		if (*path == '{')
			path += strcspn(path, "}");
	}
	out[used] = '\0';
	return text_of("%s", out);
}

CLUSTER_TEST(credentials, every_other_operation_is_forbidden)
{
	struct cluster *c = begin(1);
	struct node *on;
	const char *token = starts(c, "web", &on), *path, *method;
	json_t *document = node_call(on, "GET", NULL, "/openapi.json")->json, *item, *operation;
	int refused = 0, allowed = 0;

	json_object_foreach(json_object_get(document, "paths"), path, item)
	{
		json_object_foreach(item, method, operation)
		{
			char upper[8] = "";

			if (!json_object_get(operation, "operationId"))
				continue;
			for (size_t i = 0; method[i]; i++)
				upper[i] = (char)(method[i] - 'a' + 'A');
			if (is_for_children(operation)) {
				allowed++;
				continue;
			}
			expect_problem(as(token, on, upper, filled(path), NULL), 403, "forbidden");
			refused++;
		}
	}
	CHECK_INT(allowed, 7 + 5); /* and those that need no token at all */
	CHECK(refused > 40, "only %d", refused);
	expect_status(as(token, on, "GET", "/livez", NULL), 200);
	child_until(on, "web", "running", CLUSTER_SOON_MS);
}

CLUSTER_TEST(credentials, what_the_nodes_did_not_make_is_not_known)
{
	struct cluster *c = begin(1);
	struct node *on;
	const char *token = starts(c, "web", &on), *mac = strrchr(token, '~');
	const char *forged[] = {text_of("%.*s%c%s", (int)(mac - token) + 1, token,
					mac[1] == '0' ? '1' : '0', mac + 2),
		text_of("hct1~default/other~%s", strchr(strchr(token, '~') + 1, '~') + 1),
		text_of("hct1~default/web~9%s", strchr(strchr(token, '~') + 1, '~') + 1),
		"hct1~default/web~1~", "hct1~", NULL};

	for (int f = 0; forged[f]; f++)
		for (int i = 0; i < OWN; i++)
			expect_problem(as(forged[f], on, own[i].method, own[i].path, own[i].body),
				401, "unauthorized");
	expect_status(as(token, on, "PUT", ENTRIES "/k", "{}"), 201);
}

CLUSTER_TEST(credentials, where_users_show_a_token_a_process_shows_its_own)
{
	struct cluster *c = cluster_new(NULL);
	const char *path = text_of("%s/tokens", c->dir), *token;
	const char *args[] = {"--token-file", path, NULL};
	struct node *n;

	file_write(path, USERS "\n", strlen(USERS) + 1, 0600);
	n = cluster_add(c, NULL, args);
	node_wait_ready(n);
	expect_status(as(USERS, n, "PUT", CHILDREN "/web", told_spec(c)), 201);
	token = token_of(c, "web", n);
	expect_problem(node_call(n, "PUT", "{}", ENTRIES "/k"), 401, "unauthorized");
	all_own(token, n);
	expect_problem(as(token, n, "DELETE", CHILDREN "/web", NULL), 403, "forbidden");
	/* It is in its process's environment and nowhere else. */
	CHECK(!strstr(node_log(n), strrchr(token, '~')), "the log has it");
	CHECK(!strstr(as(USERS, n, "GET", CHILDREN "/web", NULL)->body, strrchr(token, '~')),
		"the API shows it");
}

static bool runs_elsewhere(const struct http_reply *r, const void *name)
{
	return strcmp(json_str(r->json, "status.state"), "running") == 0 &&
	       strcmp(json_str(r->json, "status.node"), name) != 0;
}

static bool is_body(const struct http_reply *r, const void *text)
{
	return strcmp(r->body, text) == 0;
}

static void shown(const struct node *at, const char *value)
{
	http_until_str(node_url(at, ENTRIES "/name"), "value", value, check_ms(CLUSTER_SOON_MS));
	http_until(node_url(at, CHILDREN "/web/state"), is_body, value, check_ms(CLUSTER_SOON_MS),
		value);
}

/* On another disk too, since the node may be killed next. */
static void writes(const char *token, const struct node *at, const char *value, long status)
{
	expect_status(
		as(token, at, "PUT", ENTRIES "/name?ack=one", text_of("{\"value\":\"%s\"}", value)),
		status);
	expect_status(as(token, at, "PUT", CHILDREN "/web/state?ack=one", value), 204);
}

/* Where it runs now, and not on `lost`. */
static struct node *taken_over(struct cluster *c, const struct node *lost)
{
	struct node *at = &c->nodes[lost == &c->nodes[0]];

	http_until(node_url(at, CHILDREN "/web"), runs_elsewhere, lost->name,
		check_ms(CLUSTER_FAIL_MS), "a takeover");
	return child_owner(c, child_get(at, "web"));
}

/* Whoever still has the token of the life that was taken over: a process that slept through it. */
CLUSTER_TEST(credentials, after_a_takeover_the_earlier_token_writes_nothing_anywhere)
{
	struct cluster *c = begin(3);
	struct node *on, *now;
	const char *old = starts(c, "web", &on);

	writes(old, on, "old", 201);
	node_kill(on);
	now = taken_over(c, on);
	writes(token_of(c, "web", now), now, "new", 200);
	for (int i = 0; i < 3; i++)
		if (&c->nodes[i] != on)
			all_stale(old, &c->nodes[i]);
	node_start(on);
	node_wait_ready(on);
	all_stale(old, on);
	for (int i = 0; i < 3; i++)
		shown(&c->nodes[i], "new");
}

CLUSTER_TEST(credentials, it_ends_with_its_child_and_a_new_one_has_another)
{
	struct cluster *c = begin(2);
	struct node *on;
	const char *old = starts(c, "web", &on), *token;

	child_delete(c, on, "web");
	for (int i = 0; i < 2; i++)
		all_stale(old, &c->nodes[i]);
	for (int i = 0; i < 2; i++)
		unlink(text_of("%s/token.web.%s", c->dir, c->nodes[i].name));
	token = starts(c, "web", &on);
	CHECK(strcmp(old, token) != 0, "it is the same");
	all_stale(old, on);
	all_own(token, on);
}

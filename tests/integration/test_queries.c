/* Questions about many names: match specs, many keys at once, the keys of an owner. */
#include "tests/integration/suite.h"

SUITE(queries);

#define R "/v1/registries/default"

enum { LOOKUP_MAX = 1000, VALUE_BYTES = 60000, LARGE = 40, MANY = 3000 };

static char dots[200]; /* Horde-Min-Dot of the last write */

static void put(const struct node *at, const char *key, const char *owner, const char *value)
{
	const char *colon = strchr(owner, ':');
	struct http_reply *reply = node_call(at, "PUT",
		text_of("{\"value\":%s,\"owner\":{\"kind\":\"%.*s\",\"id\":\"%s\"}}", value,
			(int)(colon - owner), owner, colon + 1),
		ENTRIES "/%s", http_escape(key));

	expect_success(reply);
	snprintf(dots, sizeof dots, "Horde-Min-Dot: %s", http_header(reply, "Horde-Dot"));
}

/* As soon as the node knows what was put last. */
static struct http_reply *ask(const struct node *at, const char *path, const char *body)
{
	return http_send(&(struct http_request){
		.url = node_url(at, R "%s", path), .body = body, .headers = {dots}});
}

/* The keys of its items, with spaces between. */
static const char *keys_of(const struct http_reply *reply)
{
	const char *all = "";
	const json_t *items = json_at(reply->json, "items");

	for (size_t i = 0; i < json_array_size(items); i++)
		all = text_of(
			"%s%s%s", all, i ? " " : "", json_str(json_array_get(items, i), "key"));
	return all;
}

static long long count_of(const struct node *at)
{
	return json_number_at(
		expect_status(node_call(at, "GET", NULL, R "/count"), 200)->json, "count");
}

/* ---- select ---- */

static void put_users(struct cluster *c)
{
	child_start(&c->nodes[0], "web",
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"labels\":{\"app\":\"web\",\"tier\":"
		"\"front\"}}");
	put(&c->nodes[0], "other", "static:bob", "null");
	put(&c->nodes[0], "user/1", "static:alice",
		"{\"shard\":1,\"at\":{\"zone\":[\"a\",\"b\"]}}");
	put(&c->nodes[0], "user/2", "static:alice", "{\"shard\":2.50,\"at\":{\"zone\":[\"b\"]}}");
	put(&c->nodes[0], "user/3", "static:bob", "{\"shard\":3,\"tags\":null}");
	put(&c->nodes[0], "user/4", "child:default/web", "{\"shard\":\"4\"}");
	put(&c->nodes[0], "user/5", "child:default/web", "[5,{\"a\":\"b\"}]");
}

static const struct {
	const char *match, *keys;
	int count;
} asked[] = {
	{"{}", "other user/1 user/2 user/3 user/4 user/5", 6},
	{"{\"key\":\"user/3\"}", "user/3", 1},
	{"{\"key\":{\"prefix\":\"user/\"}}", "user/1 user/2 user/3 user/4 user/5", 5},
	{"{\"key\":{\"$gte\":\"user/2\",\"$lt\":\"user/4\"}}", "user/2 user/3", 2},
	{"{\"key\":{\"$prefix\":\"user/\"},\"value\":{\"shard\":{\"$gt\":1}}}", "user/2 user/3", 2},
	{"{\"value\":{\"shard\":{\"$gte\":1,\"$lte\":2.5}}}", "user/1 user/2", 2},
	{"{\"value\":{\"at\":{\"zone\":{\"0\":\"b\"}}}}", "user/2", 1},
	{"{\"value.at.zone\":[\"a\",\"b\"]}", "user/1", 1},
	{"{\"value.1.a\":\"b\"}", "user/5", 1},
	{"{\"value\":null}", "other", 1},
	{"{\"value\":{\"tags\":null}}", "user/3", 1},
	{"{\"value\":{\"tags\":{\"$exists\":true}}}", "user/3", 1},
	{"{\"value\":{\"shard\":{\"$exists\":false}}}", "other user/5", 2},
	{"{\"value\":{\"shard\":{\"$in\":[1,\"4\",7]}}}", "user/1 user/4", 2},
	{"{\"value\":{\"shard\":{\"$nin\":[1,\"4\",2.5]}}}", "other user/3 user/5", 3},
	{"{\"value\":{\"shard\":{\"$ne\":1}}}", "other user/2 user/3 user/4 user/5", 5},
	{"{\"$or\":[{\"key\":\"other\"},{\"value.shard\":{\"$lt\":2}}]}", "other user/1", 2},
	{"{\"$and\":[{\"owner.id\":\"bob\"},{\"$not\":{\"value\":null}}]}", "user/3", 1},
	{"{\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}", "user/4 user/5", 2},
	{"{\"owner.node\":{\"$exists\":true}}", "user/4 user/5", 2},
	{"{\"owner.node\":\"nobody\"}", "", 0},
	{"{\"labels\":{\"app\":\"web\",\"tier\":{\"$ne\":\"db\"}}}", "user/4 user/5", 2},
	{"{\"labels.app\":\"db\"}", "", 0},
	{"{\"stale\":true}", "", 0},
	{"{\"fence\":{\"$gt\":\"0\",\"$lt\":\"g\"},\"key\":\"other\"}", "other", 1},
	{"{\"created_at\":{\"$gt\":\"2020\"},\"updated_at\":{\"$lt\":\"2020\"}}", "", 0},
};
enum { ASKED = sizeof asked / sizeof asked[0] };

CLUSTER_TEST(queries, select_and_count_find_the_same_at_every_node)
{
	struct cluster *c = cluster_start(3, NULL);

	put_users(c);
	for (int n = 0; n < 3; n++) {
		for (int i = 0; i < ASKED; i++) {
			const char *body = text_of("{\"match\":%s}", asked[i].match);
			struct http_reply *reply;

			reply = expect_status(ask(&c->nodes[n], "/select", body), 200);
			CHECK(strcmp(keys_of(reply), asked[i].keys) == 0, "%s finds %s",
				asked[i].match, reply->body);
			reply = expect_status(ask(&c->nodes[n], "/count_select", body), 200);
			CHECK(json_number_at(reply->json, "count") == asked[i].count, "%s: %s",
				asked[i].match, reply->body);
		}
		CHECK_INT(count_of(&c->nodes[n]), 6);
	}
}

CLUSTER_TEST(queries, select_answers_what_is_asked_for)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *reply;

	put_users(c);
	reply = ask(&c->nodes[0], "/select",
		"{\"match\":{\"key\":{\"$gte\":\"user/2\"}},\"select\":[\"key\",\"value.shard\","
		"\"value.at.zone.0\",\"value.1\",\"value.1.x\",\"owner.id\",\"labels.app\","
		"\"stale\"]}");
	/* Byte for byte, 2.50 too; what is not there is left out. */
	CHECK_STR(expect_status(reply, 200)->body,
		"{\"items\":[{\"key\":\"user/2\",\"value.shard\":2.50,\"value.at.zone.0\":\"b\","
		"\"owner.id\":\"alice\",\"stale\":false},"
		"{\"key\":\"user/3\",\"value.shard\":3,\"owner.id\":\"bob\",\"stale\":false},"
		"{\"key\":\"user/4\",\"value.shard\":\"4\",\"owner.id\":\"default/web\","
		"\"labels.app\":\"web\",\"stale\":false},"
		"{\"key\":\"user/5\",\"value.1\":{\"a\":\"b\"},\"owner.id\":\"default/web\","
		"\"labels.app\":\"web\",\"stale\":false}]}");
	reply = ask(&c->nodes[0], "/select",
		"{\"match\":{\"key\":\"other\"},\"select\":[\"fence\",\"created_at\",\"updated_"
		"at\"]}");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"fence", "created_at", "updated_at"};

		CHECK_STR(json_str(json_at(expect_status(reply, 200)->json, "items.0"), names[i]),
			json_str(node_call(&c->nodes[0], "GET", NULL, ENTRIES "/other")->json,
				names[i]));
	}
	reply = ask(&c->nodes[0], "/select", "{\"match\":{\"key\":\"user/1\"}}");
	CHECK(json_equal(json_at(expect_status(reply, 200)->json, "items.0"),
		      node_call(&c->nodes[0], "GET", NULL, ENTRIES "/user%%2F1")->json),
		"not as it is looked up: %s", reply->body);
}

CLUSTER_TEST(queries, pages_hold_each_key_once)
{
	struct cluster *c = cluster_start(1, NULL);
	char path[600] = "/select?limit=4", *huge = malloc(VALUE_BYTES + 3);
	const char *body = "{\"match\":{\"key\":{\"$prefix\":\"p\"}},\"select\":[\"key\"]}";
	const char *whole = "{\"match\":{\"key\":{\"$prefix\":\"p\"}}}";
	struct http_reply *reply;
	int seen = 0, pages = 0;

	memset(huge, 'x', VALUE_BYTES + 2);
	huge[0] = huge[VALUE_BYTES + 1] = '"';
	huge[VALUE_BYTES + 2] = '\0';
	for (int i = 0; i < LARGE; i++) {
		char *entry = malloc(VALUE_BYTES + 200);

		sprintf(entry, "{\"value\":%s,\"owner\":{\"kind\":\"static\",\"id\":\"a\"}}", huge);
		expect_status(node_call(&c->nodes[0], "PUT", entry, ENTRIES "/p%02d", i), 201);
		free(entry);
	}
	for (;; pages++) {
		const json_t *items, *cursor;

		reply = expect_status(ask(&c->nodes[0], path, body), 200);
		items = json_at(reply->json, "items");
		for (size_t i = 0; i < json_array_size(items); i++, seen++)
			CHECK_STR(
				json_str(json_array_get(items, i), "key"), text_of("p%02d", seen));
		cursor = json_object_get(reply->json, "next_cursor");
		if (!cursor)
			break;
		CHECK_INT(json_array_size(items), 4);
		snprintf(path, sizeof path, "/select?limit=4&cursor=%s", json_string_value(cursor));
	}
	CHECK_INT(seen, LARGE);
	CHECK_INT(pages, LARGE / 4 - 1);
	/* Of another question the cursor is none. */
	expect_problem(ask(&c->nodes[0], path, whole), 400, "bad-cursor");
	/* Values that are large fill a page before its limit does. */
	strcpy(path, "/select?limit=1000");
	for (seen = pages = 0;; pages++) {
		reply = expect_status(ask(&c->nodes[0], path, whole), 200);
		CHECK(reply->body_size < (1 << 20) + 2 * VALUE_BYTES, "%zu bytes",
			reply->body_size);
		seen += (int)json_array_size(json_at(reply->json, "items"));
		if (!json_object_get(reply->json, "next_cursor"))
			break;
		snprintf(path, sizeof path, "/select?limit=1000&cursor=%s",
			json_str(reply->json, "next_cursor"));
	}
	CHECK_INT(seen, LARGE);
	CHECK_INT(pages, 2);
	free(huge);
}

/* ---- bad input ---- */

/* Each is refused by all three operations that take a match spec. */
static void refused(
	struct node *n, const char *body, long status, const char *code, const char *pointer)
{
	static const char *const paths[] = {"/select", "/count_select", "/unregister_select"};

	for (int i = 0; i < 3; i++) {
		struct http_reply *reply = expect_problem(ask(n, paths[i], body), status, code);

		if (pointer)
			expect_fault(reply, pointer);
	}
	CHECK_INT(count_of(n), 1);
}

CLUSTER_TEST(queries, bad_specs_are_named_with_their_place_and_change_nothing)
{
	static const struct {
		const char *match, *pointer;
	} rows[] = {
		{"1", "/match"},
		{"null", "/match"},
		{"[]", "/match"},
		{"{\"value\":{\"a\":{\"b\":{\"$gtt\":1}}}}", "/match/value/a/b/$gtt"},
		{"{\"value\":{\"a\":{\"$regex\":\"x\"}}}", "/match/value/a/$regex"},
		{"{\"keys\":1}", "/match/keys"},
		{"{\"$gt\":1}", "/match/$gt"},
		{"{\"key\":{\"a\":1}}", "/match/key/a"},
		{"{\"owner\":{\"name\":\"a\"}}", "/match/owner/name"},
		{"{\"value\":{\"a\":{\"$in\":1}}}", "/match/value/a/$in"},
		{"{\"value\":{\"a\":{\"$gt\":null}}}", "/match/value/a/$gt"},
		{"{\"value\":{\"a\":{\"$exists\":\"yes\"}}}", "/match/value/a/$exists"},
		{"{\"$or\":[{\"key\":\"a\"},{\"$and\":[]}]}", "/match/$or/1/$and"},
		{"{\"$not\":[]}", "/match/$not"},
		{"{\"value\":{}}", "/match/value"},
	};
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	struct http_reply *reply;

	put(n, "a", "static:alice", "{\"a\":1}");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		refused(n, text_of("{\"match\":%s}", rows[i].match), 422, "invalid-spec",
			rows[i].pointer);
	refused(n, "{}", 422, "invalid-spec", "/match");
	refused(n, "{\"match\":{},\"mtach\":{}}", 422, "invalid-spec", "/mtach");
	/* All faults are there, of `match` and of `select`. */
	reply = ask(n, "/select",
		"{\"match\":{\"x\":1,\"key\":{\"$y\":1}},\"select\":[\"key\",\"valu.a\",\"key\","
		"\"key.a\"]}");
	expect_problem(reply, 422, "invalid-spec");
	CHECK_INT(json_array_size(json_at(reply->json, "errors")), 5);
	expect_fault(reply, "/match/x");
	expect_fault(reply, "/match/key/$y");
	expect_fault(reply, "/select/1");
	expect_fault(reply, "/select/2");
	expect_fault(reply, "/select/3");
	expect_fault(ask(n, "/select", "{\"match\":{},\"select\":[\"kay\"]}"), "/select/0");
	expect_fault(ask(n, "/select", "{\"match\":{},\"select\":[]}"), "/select");
	expect_fault(ask(n, "/select", "{\"match\":{},\"select\":[1]}"), "/select/0");
}

/* `levels` of what begins and ends so, around `inner`; to be freed. */
static char *nested(const char *before, const char *inner, const char *after, int levels)
{
	size_t room = (strlen(before) + strlen(after)) * (size_t)levels + strlen(inner) + 1;
	char *text = malloc(room), *at = text;

	for (int i = 0; i < levels; i++)
		at += sprintf(at, "%s", before);
	at += sprintf(at, "%s", inner);
	for (int i = 0; i < levels; i++)
		at += sprintf(at, "%s", after);
	return text;
}

/* How deep, and with what: a body that is refused before anybody looks at the spec. */
CLUSTER_TEST(queries, bodies_that_are_no_clean_json_are_refused)
{
	struct node *n = &cluster_start(1, NULL)->nodes[0];
	char *deep;

	put(n, "a", "static:alice", "{\"a\":1}");
	deep = nested("[", "", "]", 60);
	expect_status(ask(n, "/select", text_of("{\"match\":{\"value\":%s}}", deep)), 200);
	free(deep);
	deep = nested("[", "", "]", 63);
	refused(n, text_of("{\"match\":{\"value\":%s}}", deep), 400, "bad-json", NULL);
	free(deep);
	deep = nested("{\"$not\":", "{\"$or\":[{\"key\":\"a\"}]}", "}", 31);
	refused(n, text_of("{\"match\":%s}", deep), 422, "invalid-spec", NULL);
	free(deep);
	deep = nested("{\"a\":", "1", "}", 65);
	expect_problem(
		node_call(n, "PUT",
			text_of("{\"value\":%s,\"owner\":{\"kind\":\"static\",\"id\":\"a\"}}",
				deep),
			ENTRIES "/b"),
		400, "bad-json");
	free(deep);
	refused(n, "{\"match\":{\"key\":\"a\",\"key\":\"b\"}}", 400, "bad-json", NULL);
	refused(n, "{\"match\":{\"value\":{\"a\":1,\"a\":1}}}", 400, "bad-json", NULL);
	refused(n, "{\"match\":{\"value\":\"\xff\"}}", 400, "bad-json", NULL);
	refused(n, "{\"match\":{\"value\":\"\xc3\"}}", 400, "bad-json", NULL);
	refused(n, "{\"match\":{\"value\":\"\\u0000\"}}", 422, "invalid-spec", NULL);
	refused(n, "{\"match\":{\"value\":1e999}}", 422, "invalid-spec", NULL);
	refused(n, "{\"match\":{\"value\":1}", 400, "bad-json", NULL);
	expect_problem(node_call(n, "PUT",
			       "{\"value\":{\"a\":1,\"a\":2},\"owner\":{\"kind\":\"static\",\"id\":"
			       "\"a\"}}",
			       ENTRIES "/b"),
		400, "bad-json");
	expect_problem(node_call(n, "PUT",
			       "{\"value\":\"\xff\",\"owner\":{\"kind\":\"static\",\"id\":\"a\"}}",
			       ENTRIES "/b"),
		400, "bad-json");
	CHECK_INT(count_of(n), 1);
}

/* ---- many keys ---- */

/* {"keys":["k0","k1",...]}; to be freed. */
static char *lookup_of(int count)
{
	char *text = malloc((size_t)count * 10 + 20), *at = text + sprintf(text, "{\"keys\":[");

	for (int i = 0; i < count; i++)
		at += sprintf(at, "%s\"k%d\"", i ? "," : "", i);
	strcpy(at, "]}");
	return text;
}

CLUSTER_TEST(queries, many_keys_are_looked_up_at_once)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n = &c->nodes[1];
	struct http_reply *reply;
	char *body;

	put(&c->nodes[0], "lookup", "static:alice", "0");
	put(&c->nodes[0], "k1", "static:alice", "1");
	put(&c->nodes[0], "k0", "static:bob", "{\"a\":0.10}");
	reply = ask(n, "/entries/lookup", "{\"keys\":[\"k1\",\"x\",\"k0\",\"lookup\",\"k\"]}");
	CHECK_STR(keys_of(expect_status(reply, 200)), "k1 k0 lookup");
	CHECK_INT(json_array_size(json_at(reply->json, "missing")), 2);
	CHECK_STR(json_str(reply->json, "missing.0"), "x");
	CHECK_STR(json_str(reply->json, "missing.1"), "k");
	for (int i = 0; i < 3; i++) {
		const json_t *item = json_at(reply->json, text_of("items.%d", i));

		CHECK(json_equal(
			      item, node_call(n, "GET", NULL, ENTRIES "/%s", json_str(item, "key"))
					    ->json),
			"not as it is looked up alone: %s", reply->body);
	}
	body = lookup_of(LOOKUP_MAX);
	reply = expect_status(ask(n, "/entries/lookup", body), 200);
	CHECK_INT(json_array_size(json_at(reply->json, "items")), 2);
	CHECK_INT(json_array_size(json_at(reply->json, "missing")), LOOKUP_MAX - 2);
	free(body);
	body = lookup_of(LOOKUP_MAX + 1);
	expect_fault(expect_problem(ask(n, "/entries/lookup", body), 422, NULL), "/keys");
	free(body);
	expect_fault(ask(n, "/entries/lookup", "{\"keys\":[]}"), "/keys");
	expect_fault(ask(n, "/entries/lookup", "{\"keys\":[\"a\",\"\"]}"), "/keys/1");
	expect_fault(ask(n, "/entries/lookup", "{\"keys\":[\"a\\n\"]}"), "/keys/0");
	body = nested("", text_of("{\"keys\":[\"%0513d\"]}", 0), "", 0);
	expect_fault(ask(n, "/entries/lookup", body), "/keys/0");
	free(body);
}

/* ---- owners ---- */

static void owns(struct cluster *c, const char *owner, const char *keys)
{
	for (int i = 0; i < c->count; i++) {
		struct http_reply *reply =
			ask(&c->nodes[i], text_of("/owners/%s/keys", owner), NULL);

		CHECK_STR(keys_of(expect_status(reply, 200)), keys);
		expect_etag(reply);
	}
}

CLUSTER_TEST(queries, keys_of_an_owner_are_not_doubled_and_go_with_it)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *reply;

	child_start(&c->nodes[0], "web", SLEEPER);
	owns(c, "child:default%2Fweb", "");
	put(&c->nodes[0], "b", "child:default/web", "1");
	put(&c->nodes[1], "a", "child:default/web", "1");
	put(&c->nodes[2], "c", "static:web", "1");
	put(&c->nodes[0], "b", "child:default/web", "2");
	owns(c, "child:default%2Fweb", "a b");
	owns(c, "static:web", "c");
	owns(c, "static:nobody", "");
	reply = ask(&c->nodes[0], "/owners/child:default%2Fweb/keys?limit=1", NULL);
	CHECK_STR(keys_of(expect_status(reply, 200)), "a");
	reply = ask(&c->nodes[0],
		text_of("/owners/child:default%%2Fweb/keys?limit=1&cursor=%s",
			json_str(reply->json, "next_cursor")),
		NULL);
	CHECK_STR(keys_of(expect_status(reply, 200)), "b");
	CHECK(!json_object_get(reply->json, "next_cursor"), "there is more: %s", reply->body);
	expect_problem(ask(&c->nodes[0], "/owners/web/keys", NULL), 422, NULL);
	expect_status(node_call(&c->nodes[1], "POST", NULL, CHILDREN "/web/stop"), 200);
	for (int i = 0; i < 3; i++)
		http_until_status(
			node_url(&c->nodes[i], ENTRIES "/b"), 404, check_ms(CLUSTER_SOON_MS));
	owns(c, "child:default%2Fweb", "");
	owns(c, "static:web", "c");
}

CLUSTER_TEST(queries, who_waits_for_the_keys_of_an_owner_is_woken)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *reply = ask(&c->nodes[1], "/owners/static:alice/keys", NULL);
	struct http_request request = {
		.url = node_url(&c->nodes[1], R "/owners/static:alice/keys?since=%s&wait=20s",
			json_str(reply->json, "etag"))};
	struct http_flight *flight = http_begin(&request, 1);

	CHECK(http_parked(flight, 200), "it does not wait");
	put(&c->nodes[0], "a", "static:alice", "1");
	http_finish(flight, &reply);
	CHECK_STR(keys_of(expect_status(reply, 200)), "a");
	CHECK_STR(http_header(reply, "Horde-Changed"), "true");
}

/* ---- filters ---- */

CLUSTER_TEST(queries, lists_and_counts_filter_by_labels_of_the_owner)
{
	static const struct {
		const char *query, *keys;
	} rows[] = {
		{"?label_selector=app%3Dweb", "user/4 user/5"},
		{"?label_selector=app%3Dweb,tier%3Dfront", "user/4 user/5"},
		{"?label_selector=app%3Dweb,tier%21%3Dfront", ""},
		/* Who has no labels is not a child. */
		{"?label_selector=app%21%3Ddb", "user/4 user/5"},
		{"?label_selector=app%3Dweb&prefix=user/5", "user/5"},
		{"?label_selector=app%3Dweb&owner=static:alice", ""},
	};
	struct cluster *c = cluster_start(2, NULL);

	put_users(c);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *reply =
			ask(&c->nodes[1], text_of("/entries%s", rows[i].query), NULL);
		const char *keys = keys_of(expect_status(reply, 200));
		int spaces = 0;

		CHECK(strcmp(keys, rows[i].keys) == 0, "%s: %s", rows[i].query, reply->body);
		for (const char *at = keys; *at; at++)
			spaces += *at == ' ';
		reply = ask(&c->nodes[1], text_of("/count%s", rows[i].query), NULL);
		CHECK_INT(json_number_at(expect_status(reply, 200)->json, "count"),
			*keys ? spaces + 1 : 0);
	}
	expect_problem(ask(&c->nodes[1], "/entries?label_selector=a", NULL), 400, "bad-query");
}

/* ---- unregister_select ---- */

CLUSTER_TEST(queries, unregister_select_frees_what_matches_everywhere)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *reply;

	put_users(c);
	/* Only its own. */
	reply = ask(&c->nodes[1], "/unregister_select?owner=static:bob",
		"{\"match\":{\"key\":{\"$prefix\":\"user/\"}}}");
	CHECK_INT(json_number_at(expect_status(reply, 200)->json, "unregistered"), 1);
	snprintf(dots, sizeof dots, "Horde-Min-Dot: %s", http_header(reply, "Horde-Dot"));
	for (int i = 0; i < 3; i++)
		CHECK_STR(keys_of(ask(&c->nodes[i], "/entries", NULL)),
			"other user/1 user/2 user/4 user/5");
	reply = ask(
		&c->nodes[2], "/unregister_select", "{\"match\":{\"value.shard\":{\"$gt\":2}}}");
	CHECK_INT(json_number_at(expect_status(reply, 200)->json, "unregistered"), 1);
	snprintf(dots, sizeof dots, "Horde-Min-Dot: %s", http_header(reply, "Horde-Dot"));
	for (int i = 0; i < 3; i++)
		CHECK_STR(
			keys_of(ask(&c->nodes[i], "/entries", NULL)), "other user/1 user/4 user/5");
	reply = ask(&c->nodes[2], "/unregister_select?ack=all",
		"{\"match\":{\"value.shard\":{\"$gt\":2}}}");
	CHECK_INT(json_number_at(expect_status(reply, 200)->json, "unregistered"), 0);
	CHECK(!http_header(reply, "Horde-Dot"), "nothing was written: %s", reply->head);
	reply = ask(&c->nodes[0], "/unregister_select?owner=child:default/web&ack=all",
		"{\"match\":{}}");
	CHECK_INT(json_number_at(expect_status(reply, 200)->json, "unregistered"), 2);
	CHECK_STR(http_header(reply, "Horde-Replicated"), "3/3");
	for (int i = 0; i < 3; i++)
		CHECK_STR(keys_of(node_call(&c->nodes[i], "GET", NULL, R "/entries")),
			"other user/1");
	expect_problem(ask(&c->nodes[0], "/unregister_select?owner=web", "{\"match\":{}}"), 400,
		"bad-query");
}

CLUSTER_TEST(queries, thousands_are_freed_by_one_request_and_stay_so)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_request requests[100];
	struct http_reply *replies[100], *reply;

	for (int i = 0; i < MANY / 100; i++) {
		for (int j = 0; j < 100; j++)
			requests[j] = (struct http_request){.method = "PUT",
				.url = node_url(&c->nodes[j % 2], "%s", ""),
				.body = "{\"value\":1,\"owner\":{\"kind\":\"static\",\"id\":\"a\"}"
					"}"};
		for (int j = 0; j < 100; j++) {
			requests[j].url = text_of(
				"%s" ENTRIES "/m%d-%d?ack=memory", c->nodes[j % 2].url, i, j);
			if (j % 25 == 24) {
				http_send_all(requests + j - 24, replies, 25);
				for (int k = 0; k < 25; k++)
					expect_status(replies[k], 201);
			}
		}
		http_forget_all();
	}
	put(&c->nodes[0], "stays", "static:b", "1");
	for (int i = 0; i < 2; i++)
		http_until_int(node_url(&c->nodes[i], R "/count"), "count", MANY + 1,
			check_ms(CLUSTER_SOON_MS));
	reply = ask(&c->nodes[0], "/unregister_select?ack=all", "{\"match\":{\"owner.id\":\"a\"}}");
	CHECK_INT(json_number_at(expect_status(reply, 200)->json, "unregistered"), MANY);
	for (int i = 0; i < 2; i++)
		CHECK_INT(count_of(&c->nodes[i]), 1);
	node_kill(&c->nodes[0]);
	node_start(&c->nodes[0]);
	node_wait_ready(&c->nodes[0]);
	CHECK_STR(keys_of(node_call(&c->nodes[0], "GET", NULL, R "/entries")), "stays");
}

/* ---- what Horde's own tests ask for ---- */

CLUSTER_TEST(queries, meta_is_read_where_it_was_written_at_once)
{
	struct cluster *c = cluster_start(2, NULL);

	for (int i = 0; i < 50; i++) {
		const struct node *at = &c->nodes[i % 2];

		expect_success(node_call(at, "PUT", text_of("{\"value\":%d}", i),
			META "/custom-%d?ack=memory", i % 2));
		CHECK_INT(json_number_at(node_call(at, "GET", NULL, META "/custom-%d", i % 2)->json,
				  "value"),
			i);
	}
}

CLUSTER_TEST(queries, a_stranger_does_not_update_what_it_does_not_own)
{
	struct cluster *c = cluster_start(2, NULL);

	put(&c->nodes[0], "a", "static:alice", "1");
	ask(&c->nodes[1], "/entries/a", NULL);
	expect_problem(node_call(&c->nodes[1], "PATCH", "{\"value\":2}",
			       ENTRIES "/a?owner=static:mallory"),
		409, "not-owner");
	CHECK_INT(json_number_at(ask(&c->nodes[1], "/select",
					 "{\"match\":{\"key\":\"a\"},\"select\":[\"value\"]}")
					 ->json,
			  "items.0.value"),
		1);
}

CLUSTER_TEST(queries, a_dead_nodes_entries_are_shown_stale_in_every_view)
{
	struct cluster *c = cluster_start(3, NULL);
	char id[64];
	struct node *lost = &c->nodes[2], *n = &c->nodes[0];
	struct http_reply *reply;

	child_start_on(c, lost, "pinned", SLEEPER, id, sizeof id);
	put(lost, "theirs", text_of("child:default/%s", id), "1");
	put(n, "ours", "static:a", "1");
	http_until_status(node_url(n, R "/entries/theirs"), 200, check_ms(CLUSTER_SOON_MS));
	node_kill(lost);
	http_until_str(node_url(n, "/v1/registries/default/count?owner=child:default/%s", id),
		"unreachable_nodes.0", lost->name, check_ms(CLUSTER_FAIL_MS));
	reply = node_call(n, "POST", "{\"match\":{\"stale\":true}}", R "/select");
	CHECK_STR(keys_of(expect_status(reply, 200)), "theirs");
	CHECK_STR(json_str(reply->json, "unreachable_nodes.0"), lost->name);
	reply = node_call(n, "POST", "{\"match\":{}}", R "/count_select");
	CHECK_INT(json_number_at(reply->json, "count"), 2);
	CHECK_STR(json_str(reply->json, "unreachable_nodes.0"), lost->name);
	reply = node_call(n, "POST", "{\"keys\":[\"theirs\"]}", R "/entries/lookup");
	CHECK(json_is_true(json_at(reply->json, "items.0.stale")), "%s", reply->body);
	CHECK_STR(json_str(reply->json, "unreachable_nodes.0"), lost->name);
}

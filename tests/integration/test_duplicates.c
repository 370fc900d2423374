/* Registries where a key may have many owners, on three daemons. */
#include "tests/integration/suite.h"

SUITE(duplicates);

#define REG "/v1/registries/topics"
#define SLEEP "\"command\":[\"/bin/sleep\",\"600\"]"

static struct cluster *with_topics(void)
{
	struct cluster *c = cluster_start(3, NULL);

	expect_status(
		node_call(&c->nodes[0], "PUT", "{\"keys\":\"duplicate\"}", REG "?ack=all"), 201);
	return c;
}

static struct http_reply *claim(const struct node *at, const char *key, const char *who, int value)
{
	return node_call(at, "PUT",
		text_of("{\"value\":%d,\"owner\":{\"kind\":\"static\",\"id\":\"%s\"}}", value, who),
		REG "/entries/%s?ack=all", http_escape(key));
}

static struct http_reply *get(const struct node *at, const char *path)
{
	return node_call(at, "GET", NULL, REG "%s", path);
}

/* "alice=1 bob=2 ", of the key in the answer of a lookup. */
static const char *owners(const struct node *at, const char *path, const char *array)
{
	const struct http_reply *r = expect_status(get(at, path), 200);
	const json_t *entries = json_at(r->json, array);
	const char *text = "";

	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *e = json_array_get(entries, i);

		text = text_of("%s%s/%s=%lld ", text, json_str(e, "key"), json_str(e, "owner.id"),
			json_number_at(e, "value"));
	}
	return text;
}

CLUSTER_TEST(duplicates, a_key_has_many_owners_each_with_a_value)
{
	struct cluster *c = with_topics();

	expect_status(claim(&c->nodes[0], "news", "bob", 2), 201);
	expect_status(claim(&c->nodes[1], "news", "alice", 1), 201);
	expect_status(claim(&c->nodes[2], "newspaper", "carol", 3), 201);
	expect_status(claim(&c->nodes[2], "news", "bob", 4), 200);
	for (int i = 0; i < 3; i++) {
		CHECK_STR(owners(&c->nodes[i], "/entries/news", "entries"),
			"news/alice=1 news/bob=4 ");
		CHECK_STR(owners(&c->nodes[i], "/entries", "items"),
			"news/alice=1 news/bob=4 newspaper/carol=3 ");
		CHECK_STR(owners(&c->nodes[i], "/entries?prefix=newsp", "items"),
			"newspaper/carol=3 ");
		CHECK_STR(
			owners(&c->nodes[i], "/entries?owner=static:bob", "items"), "news/bob=4 ");
		CHECK_INT(json_number_at(
				  expect_status(get(&c->nodes[i], "/count"), 200)->json, "count"),
			3);
		CHECK_INT(json_number_at(expect_status(get(&c->nodes[i],
							       "/entries/news?owner=static:alice"),
						 200)
						 ->json,
				  "value"),
			1);
		CHECK_STR(expect_status(
				  get(&c->nodes[i], "/entries/news/value?owner=static:bob"), 200)
				  ->body,
			"4");
	}
	expect_problem(get(&c->nodes[0], "/entries/new"), 404, "key-not-found");
	expect_problem(get(&c->nodes[0], "/entries/news?owner=static:dave"), 404, "key-not-found");
	expect_problem(get(&c->nodes[0], "/entries/news/value"), 400, "bad-query");
}

CLUSTER_TEST(duplicates, one_owner_is_changed_and_freed_and_the_others_stay)
{
	struct cluster *c = with_topics();

	expect_status(claim(&c->nodes[0], "a/b", "alice", 1), 201);
	expect_status(claim(&c->nodes[0], "a/b", "bob", 2), 201);
	expect_problem(node_call(&c->nodes[1], "PATCH", "{\"value\":9}", REG "/entries/a%%2Fb"),
		400, "bad-query");
	expect_problem(
		node_call(&c->nodes[1], "DELETE", NULL, REG "/entries/a%%2Fb"), 400, "bad-query");
	expect_status(node_call(&c->nodes[1], "PATCH", "{\"value\":9}",
			      REG "/entries/a%%2Fb?owner=static:bob&ack=all"),
		200);
	expect_status(node_call(&c->nodes[2], "DELETE", NULL,
			      REG "/entries/a%%2Fb?owner=static:alice&ack=all"),
		204);
	expect_problem(
		node_call(&c->nodes[2], "DELETE", NULL, REG "/entries/a%%2Fb?owner=static:alice"),
		404, "key-not-found");
	for (int i = 0; i < 3; i++)
		CHECK_STR(owners(&c->nodes[i], "/entries/a%2Fb", "entries"), "a/b/bob=9 ");
	/* What kind of keys it has is fixed. */
	expect_problem(
		node_call(&c->nodes[0], "PUT", "{\"keys\":\"unique\"}", REG), 409, "wrong-state");
	expect_status(node_call(&c->nodes[0], "DELETE", NULL, REG "?ack=all"), 204);
	expect_status(node_call(&c->nodes[0], "PUT", "{\"keys\":\"duplicate\"}", REG "?ack=all"),
		201);
	CHECK_INT(
		json_number_at(expect_status(get(&c->nodes[1], "/count"), 200)->json, "count"), 0);
}

CLUSTER_TEST(duplicates, entries_of_children_come_and_go_with_them)
{
	struct cluster *c = with_topics();

	for (int i = 0; i < 3; i++)
		expect_status(
			child_put(&c->nodes[i], text_of("w%d", i),
				text_of("{" SLEEP ",\"register\":[{\"registry\":\"topics\",\"key\":"
					"\"news\",\"value\":%d}]}",
					i)),
			201);
	for (int i = 0; i < 3; i++)
		http_until_int(node_url(&c->nodes[i], REG "/count"), "count", 3,
			check_ms(CLUSTER_SOON_MS));
	CHECK_STR(owners(&c->nodes[1], "/entries/news", "entries"),
		"news/default/w0=0 news/default/w1=1 news/default/w2=2 ");
	child_delete(c, &c->nodes[0], "w1");
	for (int i = 0; i < 3; i++) {
		http_until_int(node_url(&c->nodes[i], REG "/count"), "count", 2,
			check_ms(CLUSTER_SOON_MS));
		CHECK_STR(owners(&c->nodes[i], "/entries/news", "entries"),
			"news/default/w0=0 news/default/w2=2 ");
	}
	CHECK_STR(json_str(expect_status(get(&c->nodes[0], "/owners/child:default%2Fw2/keys"), 200)
				   ->json,
			  "items.0.key"),
		"news");
}

/* Who waits for a key learns of each new owner of it, and of no other key's. */
CLUSTER_TEST(duplicates, a_parked_lookup_ends_with_the_next_owner)
{
	struct cluster *c = with_topics();
	struct http_flight *flight;
	struct http_reply *reply;
	struct http_request wait;
	char url[400];

	expect_status(claim(&c->nodes[0], "news", "alice", 1), 201);
	snprintf(url, sizeof(url), "%s",
		node_url(&c->nodes[1], REG "/entries/news?wait=15s&since=%s",
			json_str(get(&c->nodes[1], "/entries/news")->json, "etag")));
	wait = (struct http_request){.method = "GET", .url = url};
	flight = http_begin(&wait, 1);
	expect_status(claim(&c->nodes[0], "newspaper", "alice", 1), 201);
	CHECK(http_parked(flight, check_ms(300)), "that is another key");
	expect_status(claim(&c->nodes[2], "news", "bob", 2), 201);
	http_finish(flight, &reply);
	CHECK_INT(
		(long long)json_array_size(json_at(expect_status(reply, 200)->json, "entries")), 2);
}

CLUSTER_TEST(duplicates, queries_know_every_owner)
{
	struct cluster *c = with_topics();
	struct http_reply *r;

	expect_status(claim(&c->nodes[0], "news", "alice", 1), 201);
	expect_status(claim(&c->nodes[0], "news", "bob", 2), 201);
	expect_status(claim(&c->nodes[0], "other", "bob", 3), 201);
	r = expect_status(
		node_call(&c->nodes[1], "POST", "{\"keys\":[\"news\",\"none\",\"other\"]}",
			REG "/entries/lookup"),
		200);
	CHECK_INT((long long)json_array_size(json_at(r->json, "items")), 3);
	CHECK_STR(json_str(r->json, "missing.0"), "none");
	r = expect_status(
		node_call(&c->nodes[2], "POST",
			"{\"match\":{\"key\":\"news\",\"value\":{\"$gt\":1}}}", REG "/select"),
		200);
	CHECK_INT((long long)json_array_size(json_at(r->json, "items")), 1);
	CHECK_STR(json_str(r->json, "items.0.owner.id"), "bob");
	r = expect_status(node_call(&c->nodes[2], "POST", "{\"match\":{\"key\":\"news\"}}",
				  REG "/unregister_select?ack=all"),
		200);
	CHECK_INT(json_number_at(r->json, "unregistered"), 2);
	CHECK_STR(owners(&c->nodes[0], "/entries", "items"), "other/bob=3 ");
}

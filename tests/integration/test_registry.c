/* Names, their owners and values, and meta, on three daemons. */
#include "tests/integration/suite.h"

SUITE(registry);

enum { RIVALS = 50, VALUE_BYTES_MAX = 65536, KEY_BYTES_MAX = 512 };

#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"
#define BY_BOB "\"owner\":{\"kind\":\"static\",\"id\":\"bob\"}"

static struct http_reply *put_entry(const struct node *at, const char *key, const char *body)
{
	return node_call(at, "PUT", body, ENTRIES "/%s", http_escape(key));
}

static struct http_reply *get_entry(const struct node *at, const char *key)
{
	return node_call(at, "GET", NULL, ENTRIES "/%s", http_escape(key));
}

CLUSTER_TEST(registry, s006_keys_are_returned_byte_identical)
{
	static const char *const keys[] = {"a b", "web/1",
		"gr\xc3\xbc\xc3\x9f"
		"e/\xe4\xb8\x96",
		"100%", "?q=1&x#y", "+", "..", "a//b", "\"quoted\\\"", NULL};
	struct cluster *c = cluster_start(2, NULL);
	char longest[KEY_BYTES_MAX + 2];

	memset(longest, 'k', KEY_BYTES_MAX + 1);
	longest[KEY_BYTES_MAX + 1] = '\0';
	expect_problem(
		put_entry(&c->nodes[0], longest, "{\"value\":1," BY_ALICE "}"), 400, "bad-key");
	longest[KEY_BYTES_MAX] = '\0';
	expect_status(put_entry(&c->nodes[0], longest, "{\"value\":1," BY_ALICE "}"), 201);
	CHECK_STR(json_str(expect_status(get_entry(&c->nodes[0], longest), 200)->json, "key"),
		longest);
	for (int i = 0; keys[i]; i++) {
		expect_status(put_entry(&c->nodes[0], keys[i], "{\"value\":1," BY_ALICE "}"), 201);
		http_until_str(node_url(&c->nodes[1], ENTRIES "/%s", http_escape(keys[i])), "key",
			keys[i], check_ms(CLUSTER_SOON_MS));
	}
	for (int i = 0; keys[i]; i++) {
		expect_success(node_call(
			&c->nodes[0], "PUT", "{\"value\":2}", META "/%s", http_escape(keys[i])));
		CHECK_STR(json_str(expect_status(node_call(&c->nodes[0], "GET", NULL, META "/%s",
							 http_escape(keys[i])),
					   200)
					   ->json,
				  "key"),
			keys[i]);
	}
}

CLUSTER_TEST(registry, s006_bad_keys_are_refused)
{
	static const char *const paths[] = {
		"a%0Ab", "a%00b", "a%7Fb", "%1F", "%FF%FE", "%C3", NULL};
	struct cluster *c = cluster_start(1, NULL);

	for (int i = 0; paths[i]; i++) {
		struct http_reply *reply;

		reply = node_call(
			&c->nodes[0], "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/%s", paths[i]);
		expect_problem(reply, 400, "bad-key|bad-escape");
		reply = node_call(&c->nodes[0], "PUT", "{\"value\":1}", META "/%s", paths[i]);
		expect_problem(reply, 400, "bad-key|bad-escape");
	}
	CHECK_INT(
		json_number_at(
			node_call(&c->nodes[0], "GET", NULL, "/v1/registries/default/count")->json,
			"count"),
		0);
}

CLUSTER_TEST(registry, s085_a_registered_name_is_readable_everywhere)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *put, *get;
	char dot[200];

	put = expect_status(
		put_entry(&c->nodes[0], "web/1", "{\"value\":{\"port\":8080}," BY_ALICE "}"), 201);
	CHECK(http_header(put, "Horde-Dot"), "no Horde-Dot in %s", put->head);
	snprintf(dot, sizeof dot, "Horde-Min-Dot: %s", http_header(put, "Horde-Dot"));
	get = expect_status(get_entry(&c->nodes[0], "web/1"), 200);
	CHECK_INT(json_number_at(get->json, "value.port"), 8080);
	for (int i = 1; i < 3; i++) {
		get = expect_status(http_send(&(struct http_request){
					    .url = node_url(&c->nodes[i], ENTRIES "/web%%2F1"),
					    .headers = {dot}}),
			200);
		CHECK_INT(json_number_at(get->json, "value.port"), 8080);
		CHECK_STR(json_str(get->json, "owner.kind"), "static");
		CHECK_STR(json_str(get->json, "owner.id"), "alice");
		CHECK_STR(expect_etag(get), expect_etag(put));
		get = node_call(&c->nodes[i], "GET", NULL, ENTRIES "/web%%2F1/value");
		CHECK_INT(json_number_at(expect_status(get, 200)->json, "port"), 8080);
	}
}

CLUSTER_TEST(registry, min_dot_of_a_write_that_never_was_is_504)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *put, *reply;
	char header[200], *digits;

	put = expect_status(put_entry(&c->nodes[0], "a", "{\"value\":1," BY_ALICE "}"), 201);
	snprintf(header, sizeof header, "Horde-Min-Dot: %s", http_header(put, "Horde-Dot"));
	digits = strrchr(header, ':');
	snprintf(digits, sizeof header - (size_t)(digits - header), ":%d", 1000000);
	reply = http_send(&(struct http_request){
		.url = node_url(&c->nodes[0], ENTRIES "/a?wait=300ms"), .headers = {header}});
	expect_problem(reply, 504, "not-yet-replicated");
	reply = http_send(&(struct http_request){.url = node_url(&c->nodes[0], ENTRIES "/a"),
		.headers = {"Horde-Min-Dot: nonsense"}});
	expect_problem(reply, 400, NULL);
}

CLUSTER_TEST(registry, s086_a_taken_name_names_its_owner)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *reply;

	expect_status(put_entry(&c->nodes[0], "job", "{\"value\":1," BY_ALICE "}"), 201);
	for (int i = 0; i < 3; i++) {
		http_until_int(node_url(&c->nodes[i], ENTRIES "/job"), "value", 1,
			check_ms(CLUSTER_SOON_MS));
		reply = put_entry(&c->nodes[i], "job", "{\"value\":2," BY_BOB "}");
		expect_problem(reply, 409, "already-registered");
		CHECK_STR(json_str(reply->json, "owner.kind"), "static");
		CHECK_STR(json_str(reply->json, "owner.id"), "alice");
		expect_status(put_entry(&c->nodes[i], "job", "{\"value\":1," BY_ALICE "}"), 200);
	}
	expect_status(put_entry(&c->nodes[0], "job", "{\"value\":5," BY_ALICE "}"), 200);
	http_until_int(
		node_url(&c->nodes[2], ENTRIES "/job"), "value", 5, check_ms(CLUSTER_SOON_MS));
}

CLUSTER_TEST(registry, s087_fifty_rivals_one_winner)
{
	static struct http_request requests[RIVALS];
	static struct http_reply *replies[RIVALS];
	static char bodies[RIVALS][128];
	struct cluster *c = cluster_start(1, NULL);
	int winners = 0, winner = -1;

	for (int i = 0; i < RIVALS; i++) {
		snprintf(bodies[i], sizeof bodies[i],
			"{\"value\":%d,\"owner\":{\"kind\":\"static\",\"id\":\"rival-%d\"}}", i, i);
		requests[i] = (struct http_request){.method = "PUT",
			.url = node_url(&c->nodes[0], ENTRIES "/one"),
			.body = bodies[i]};
	}
	http_send_all(requests, replies, RIVALS);
	for (int i = 0; i < RIVALS; i++) {
		if (replies[i]->status == 201) {
			winners++;
			winner = i;
		}
	}
	CHECK_INT(winners, 1);
	for (int i = 0; i < RIVALS; i++) {
		if (i == winner)
			continue;
		expect_problem(replies[i], 409, "already-registered");
		CHECK_STR(json_str(replies[i]->json, "owner.id"), text_of("rival-%d", winner));
	}
	CHECK_INT(json_number_at(get_entry(&c->nodes[0], "one")->json, "value"), winner);
}

CLUSTER_TEST(registry, s090_only_the_owner_may_change_or_free_a_name)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *reply;

	expect_status(put_entry(&c->nodes[0], "job", "{\"value\":1," BY_ALICE "}"), 201);
	for (int i = 0; i < 3; i++) {
		http_until_int(node_url(&c->nodes[i], ENTRIES "/job"), "value", 1,
			check_ms(CLUSTER_SOON_MS));
		expect_problem(
			node_call(&c->nodes[i], "DELETE", NULL, ENTRIES "/job?owner=static:bob"),
			409, "not-owner");
		expect_problem(node_call(&c->nodes[i], "PATCH", "{\"value\":2}",
				       ENTRIES "/job?owner=static:bob"),
			409, "not-owner");
	}
	for (int i = 0; i < 3; i++)
		CHECK_INT(json_number_at(get_entry(&c->nodes[i], "job")->json, "value"), 1);
	reply = expect_status(node_call(&c->nodes[1], "PATCH", "{\"value\":2}",
				      ENTRIES "/job?owner=static:alice"),
		200);
	CHECK_INT(json_number_at(reply->json, "value"), 2);
	CHECK_INT(json_number_at(reply->json, "previous_value"), 1);
	http_until_int(
		node_url(&c->nodes[0], ENTRIES "/job"), "value", 2, check_ms(CLUSTER_SOON_MS));
	expect_status(
		node_call(&c->nodes[0], "DELETE", NULL, ENTRIES "/job?owner=static:alice"), 204);
	for (int i = 0; i < 3; i++)
		http_until_status(
			node_url(&c->nodes[i], ENTRIES "/job"), 404, check_ms(CLUSTER_SOON_MS));
	expect_problem(
		node_call(&c->nodes[0], "DELETE", NULL, ENTRIES "/job"), 404, "key-not-found");
	expect_status(node_call(&c->nodes[0], "DELETE", NULL, ENTRIES "/job?missing_ok"), 204);
}

static void agree(const struct node *at, int names)
{
	struct http_reply *list;

	http_until_int(node_url(at, "/v1/registries/default/count?prefix=svc/"), "count", names,
		check_ms(CLUSTER_SOON_MS));
	list = expect_status(node_call(at, "GET", NULL, ENTRIES "?prefix=svc/"), 200);
	CHECK_INT(json_array_size(json_at(list->json, "items")), names);
	list = expect_status(node_call(at, "GET", NULL, ENTRIES "?owner=child:default/web"), 200);
	CHECK_INT(json_array_size(json_at(list->json, "items")), names);
	CHECK_INT(get_entry(at, "svc/a")->status, names ? 200 : 404);
}

CLUSTER_TEST(registry, s091_names_go_with_the_child_that_owns_them)
{
	static const char owned[] =
		"{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}";
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *put;
	pid_t pid;

	expect_problem(put_entry(&c->nodes[0], "svc/a", owned), 422, NULL);
	put = child_start(&c->nodes[0], "web",
		"{\"command\":[\"/bin/sleep\",\"1000\"],\"restart\":\"transient\"}");
	pid = (pid_t)json_number_at(put->json, "status.pid");
	expect_status(put_entry(&c->nodes[0], "svc/a", owned), 201);
	expect_status(put_entry(&c->nodes[0], "svc/b", owned), 201);
	expect_status(put_entry(&c->nodes[0], "svd/c", "{\"value\":1," BY_ALICE "}"), 201);
	for (int i = 0; i < 3; i++)
		agree(&c->nodes[i], 2);

	/* A restart of the owner ends no name. */
	kill(pid, SIGKILL);
	pid = child_until_new_pid(&c->nodes[0], "web", pid, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++)
		agree(&c->nodes[i], 2);

	expect_success(node_call(&c->nodes[1], "POST", NULL, CHILDREN "/web/stop"));
	for (int i = 0; i < 3; i++)
		agree(&c->nodes[i], 0);
	expect_problem(put_entry(&c->nodes[1], "svc/a", owned), 409, "wrong-state");
	CHECK_INT(get_entry(&c->nodes[2], "svd/c")->status, 200);
}

CLUSTER_TEST(registry, s091_names_go_when_the_owner_exits)
{
	static const char owned[] =
		"{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}";
	struct cluster *c = cluster_start(2, NULL);
	char *spec = trace_script(c, "while [ ! -e \"$1.go\" ]; do sleep 0.05; done; exit 0",
		"\"restart\":\"temporary\"");

	child_start(&c->nodes[0], "web", spec);
	free(spec);
	expect_status(put_entry(&c->nodes[0], "svc/a", owned), 201);
	agree(&c->nodes[1], 1);
	file_write(text_of("%s/trace.go", c->dir), "", 0, 0600);
	child_until(&c->nodes[1], "web", "exited", CLUSTER_SOON_MS);
	for (int i = 0; i < 2; i++)
		agree(&c->nodes[i], 0);
}

CLUSTER_TEST(registry, names_of_a_child_stay_through_a_takeover)
{
	static const char owned[] =
		"{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}";
	struct cluster *c = cluster_start(3, NULL);
	struct node *owner = child_owner(c, child_start(&c->nodes[0], "web", SLEEPER));
	struct node *other = owner == &c->nodes[0] ? &c->nodes[1] : &c->nodes[0];

	expect_status(put_entry(&c->nodes[0], "svc/a", owned), 201);
	for (int i = 0; i < 3; i++)
		agree(&c->nodes[i], 1);
	node_kill(owner);
	for (int64_t end = check_now_ms() + check_ms(CLUSTER_FAIL_MS);;) {
		struct http_reply *get = get_entry(other, "svc/a");
		struct http_reply *child = child_get(other, "web");

		CHECK_INT(get->status, 200);
		if (strcmp(json_str(child->json, "status.node"), owner->name) != 0 &&
			strcmp(json_str(child->json, "status.state"), "running") == 0)
			break;
		CHECK(check_now_ms() < end, "web is not taken over: %s", child->body);
		check_pause_ms(10);
	}
	agree(other, 1);
}

CLUSTER_TEST(registry, s095_values_of_every_type_come_back)
{
	static const char *const values[] = {"null", "true", "false", "0", "-1", "9007199254740991",
		"0.5", "\"\"", "\"gr\\u00fc\\u00dfe \\\"x\\\"\"", "[]", "{}",
		"[1,[2,[3,{\"a\":null}]]]", "{\"a\":{\"b\":[null,1,\"x\"]}}", NULL};
	struct cluster *c = cluster_start(2, NULL);
	char *huge = malloc(VALUE_BYTES_MAX + 256);

	for (int i = 0; values[i]; i++) {
		const char *body = text_of("{\"value\":%s," BY_ALICE "}", values[i]);
		json_t *should = json_loads(values[i], JSON_DECODE_ANY, NULL);
		struct http_reply *put, *get;
		char dot[200];

		put = expect_status(put_entry(&c->nodes[0], text_of("v%d", i), body), 201);
		snprintf(dot, sizeof dot, "Horde-Min-Dot: %s", http_header(put, "Horde-Dot"));
		get = http_send(&(struct http_request){
			.url = node_url(&c->nodes[1], ENTRIES "/v%d", i), .headers = {dot}});
		CHECK(json_equal(json_at(expect_status(get, 200)->json, "value"), should),
			"%s came back as %s", values[i], get->body);
		get = node_call(&c->nodes[1], "GET", NULL, ENTRIES "/v%d/value", i);
		CHECK(json_equal(expect_status(get, 200)->json, should), "%s came back as %s",
			values[i], get->body);
		json_decref(should);
	}
	/* The limit is on the JSON text of the value, quotes included. */
	for (int over = 0; over < 2; over++) {
		int used = sprintf(huge, "{\"value\":\"");

		memset(huge + used, 'x', (size_t)(VALUE_BYTES_MAX - 2 + over));
		sprintf(huge + used + VALUE_BYTES_MAX - 2 + over, "\"," BY_ALICE "}");
		if (over)
			expect_problem(put_entry(&c->nodes[0], "huge1", huge), 413, NULL);
		else
			expect_status(put_entry(&c->nodes[0], "huge0", huge), 201);
	}
	CHECK_INT(get_entry(&c->nodes[0], "huge1")->status, 404);
	free(huge);
}

CLUSTER_TEST(registry, s098_meta_is_shared_and_deleted_everywhere)
{
	struct cluster *c = cluster_start(3, NULL);

	expect_success(node_call(&c->nodes[0], "PUT", "{\"value\":{\"limit\":5}}", META "/config"));
	for (int i = 0; i < 3; i++)
		http_until_int(node_url(&c->nodes[i], META "/config"), "value.limit", 5,
			check_ms(CLUSTER_SOON_MS));
	CHECK_INT(json_array_size(json_at(
			  expect_status(node_call(&c->nodes[2], "GET", NULL, META), 200)->json,
			  "items")),
		1);
	expect_status(node_call(&c->nodes[1], "DELETE", NULL, META "/config"), 204);
	for (int i = 0; i < 3; i++)
		http_until_status(
			node_url(&c->nodes[i], META "/config"), 404, check_ms(CLUSTER_SOON_MS));
	expect_problem(
		node_call(&c->nodes[0], "DELETE", NULL, META "/config"), 404, "key-not-found");
}

CLUSTER_TEST(registry, cas_with_an_old_etag_is_412)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *put, *reply;
	char match[300];

	put = expect_status(put_entry(n1, "n", "{\"value\":0," BY_ALICE "}"), 201);
	snprintf(match, sizeof match, "If-Match: %s", expect_etag(put));
	reply = http_send(&(struct http_request){.method = "PATCH",
		.url = node_url(n1, ENTRIES "/n"),
		.body = "{\"value\":1}",
		.headers = {match}});
	expect_status(reply, 200);
	reply = http_send(&(struct http_request){.method = "PATCH",
		.url = node_url(n1, ENTRIES "/n"),
		.body = "{\"value\":9}",
		.headers = {match}});
	expect_problem(reply, 412, "etag-mismatch");
	CHECK_STR(expect_etag(reply), expect_etag(get_entry(n1, "n")));
	CHECK_INT(json_number_at(get_entry(n1, "n")->json, "value"), 1);
	reply = http_send(&(struct http_request){.method = "PUT",
		.url = node_url(n1, ENTRIES "/n"),
		.body = "{\"value\":9," BY_ALICE "}",
		.headers = {"If-None-Match: *"}});
	expect_problem(reply, 412, "etag-mismatch");
}

CLUSTER_TEST(registry, s113_the_same_put_again_wakes_nobody)
{
	struct cluster *c = cluster_start(2, NULL);
	const char *body = "{\"value\":{\"a\":1}," BY_ALICE "}";
	struct http_reply *put, *child, *replies[4];
	struct http_request requests[4];
	char entry[256], web[256];
	long long pid;

	put = expect_status(put_entry(&c->nodes[0], "job", body), 201);
	snprintf(entry, sizeof entry, "%s", json_str(put->json, "etag"));
	child = child_start(&c->nodes[0], "web", SLEEPER);
	pid = json_number_at(child->json, "status.pid");
	snprintf(web, sizeof web, "%s", json_str(child_get(&c->nodes[0], "web")->json, "etag"));
	requests[0] = (struct http_request){
		.url = node_url(&c->nodes[0], ENTRIES "/job?since=%s&wait=1s", entry)};
	requests[1] = (struct http_request){
		.url = node_url(&c->nodes[0], CHILDREN "/web?since=%s&wait=1s", web)};
	requests[2] = (struct http_request){
		.method = "PUT", .url = node_url(&c->nodes[0], ENTRIES "/job"), .body = body};
	requests[3] = (struct http_request){
		.method = "PUT", .url = node_url(&c->nodes[0], CHILDREN "/web"), .body = SLEEPER};
	http_send_all(requests, replies, 4);
	for (int i = 0; i < 4; i++)
		expect_status(replies[i], 200);
	for (int i = 0; i < 2; i++) {
		CHECK_STR(http_header(replies[i], "Horde-Changed"), "false");
		CHECK(replies[i]->ms > 900, "%s was woken after %.0f ms", replies[i]->url,
			replies[i]->ms);
	}
	CHECK_STR(json_str(replies[2]->json, "etag"), entry);
	CHECK_STR(json_str(replies[3]->json, "etag"), web);
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "web")->json, "status.pid"), pid);
}

/* Names and the processes behind them: where they are, whether they are ready, who waits for one.
 */
#include "tests/integration/suite.h"

SUITE(endpoints);

#define SLEEP "\"command\":[\"/bin/sleep\",\"600\"]"
#define NOTE_TERM(path)                                                                            \
	"\"command\":[\"/bin/sh\",\"-c\",\"trap 'echo told >> " path                               \
	"; exit 0' TERM; echo up >> " path "; while :; do sleep 0.02; done\"]"

static struct http_reply *look_up(const struct node *at, const char *key)
{
	return expect_status(node_call(at, "GET", NULL, ENTRIES "/%s", key), 200);
}

static bool is_ready(const struct node *at, const char *key)
{
	return json_is_true(json_at(look_up(at, key)->json, "ready"));
}

static long long listed(const struct node *at, const char *query)
{
	struct http_reply *list =
		expect_status(node_call(at, "GET", NULL, ENTRIES "?%s", query), 200);
	struct http_reply *count = expect_status(
		node_call(at, "GET", NULL, "/v1/registries/default/count?%s", query), 200);
	long long items = (long long)json_array_size(json_at(list->json, "items"));

	CHECK_INT(json_number_at(count->json, "count"), items);
	return items;
}

CLUSTER_TEST(endpoints, a_name_says_where_its_child_is)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *child;

	child = expect_status(
		child_put(&c->nodes[0], "web",
			"{" SLEEP ",\"ports\":[{\"name\":\"admin\"},{\"name\":\"http\"}],"
			"\"register\":[{\"key\":\"a\"},{\"key\":\"b\",\"value\":{\"port\":"
			"8080}},{\"key\":\"c\",\"value\":{\"port\":\"8080\"}}]}"),
		201);
	for (int i = 0; i < 3; i++) {
		struct http_reply *r = http_until_str(node_url(&c->nodes[i], ENTRIES "/c"),
			"owner.id", "default/web", check_ms(CLUSTER_SOON_MS));

		CHECK_STR(json_str(r->json, "endpoint.node"), json_str(child->json, "status.node"));
		CHECK_STR(json_str(r->json, "endpoint.host"), "127.0.0.1");
		http_until_int(node_url(&c->nodes[i], ENTRIES "/c"), "endpoint.port",
			json_number_at(child_get(&c->nodes[i], "web")->json, "status.ports.http"),
			check_ms(CLUSTER_SOON_MS));
		CHECK_INT(json_number_at(look_up(&c->nodes[i], "b")->json, "endpoint.port"), 8080);
		CHECK(is_ready(&c->nodes[i], "a"), "it runs");
	}
	expect_status(
		node_call(&c->nodes[0], "PUT",
			"{\"value\":{\"port\":1},\"owner\":{\"kind\":\"static\",\"id\":\"x\"}}",
			ENTRIES "/d"),
		201);
	CHECK(!json_at(look_up(&c->nodes[0], "d")->json, "endpoint"), "nobody knows where it is");
	CHECK(is_ready(&c->nodes[0], "d"), "nothing is known against it");
}

CLUSTER_TEST(endpoints, who_is_not_ready_is_told_from_who_is)
{
	struct cluster *c = cluster_start(2, NULL);
	const char *go = text_of("%s/go", c->dir);
	struct http_flight *flight;
	struct http_reply *reply;
	struct http_request wait;
	char url[400];

	expect_status(
		child_put(&c->nodes[0], "web",
			text_of("{" SLEEP ",\"ready\":{\"kind\":\"exec\",\"command\":[\"/usr/bin/"
				"test\",\"-e\",\"%s\"],\"period_ms\":100,\"timeout_ms\":60000}}",
				go)),
		201);
	expect_status(node_call(&c->nodes[0], "PUT",
			      "{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}",
			      ENTRIES "/k?ack=all"),
		201);
	for (int i = 0; i < 2; i++) {
		CHECK(!is_ready(&c->nodes[i], "k"), "it is not ready");
		CHECK_INT(listed(&c->nodes[i], "ready=true"), 0);
		CHECK_INT(listed(&c->nodes[i], "ready=false"), 1);
		CHECK_INT(listed(&c->nodes[i], "prefix=k"), 1);
	}
	/* A parked lookup learns of it. */
	snprintf(url, sizeof(url), "%s",
		node_url(&c->nodes[1], ENTRIES "/k?wait=15s&since=%s",
			json_str(look_up(&c->nodes[1], "k")->json, "etag")));
	wait = (struct http_request){.method = "GET", .url = url};
	flight = http_begin(&wait, 1);
	CHECK(http_parked(flight, check_ms(300)), "nothing has changed");
	file_write(go, "", 0, 0600);
	http_finish(flight, &reply);
	CHECK(json_is_true(json_at(expect_status(reply, 200)->json, "ready")), "%s", reply->body);
	CHECK_INT(listed(&c->nodes[1], "ready"), 1);
}

CLUSTER_TEST(endpoints, before_its_signal_a_child_is_not_ready_for_a_while)
{
	struct cluster *c = cluster_start(2, NULL);
	const char *notes = text_of("%s/notes", c->dir);
	struct http_flight *flight;
	struct http_reply *reply;
	struct http_request delete;
	char url[400];

	expect_status(child_put(&c->nodes[0], "web",
			      text_of("{" NOTE_TERM("%s") ",\"shutdown\":{\"delay_ms\":3000},"
							  "\"register\":[{\"key\":\"k\"}]}",
				      notes, notes)),
		201);
	file_until(notes, "up\n", check_ms(CLUSTER_SOON_MS));
	for (int i = 0; i < 2; i++)
		http_until_str(node_url(&c->nodes[i], ENTRIES "/k"), "owner.id", "default/web",
			check_ms(CLUSTER_SOON_MS));
	snprintf(url, sizeof(url), "%s",
		node_url(&c->nodes[0], "/v1/supervisors/default/children/web"));
	delete = (struct http_request){.method = "DELETE", .url = url};
	flight = http_begin(&delete, 1);
	CHECK(http_parked(flight, 200), "the process is not gone");
	for (int64_t end = check_now_ms() + 1000;
		is_ready(&c->nodes[0], "k") || is_ready(&c->nodes[1], "k");)
		CHECK(check_now_ms() < end, "it is never withdrawn");
	CHECK_STR(file_wait(notes, 0), "up\n");
	http_finish(flight, &reply);
	expect_status(reply, 204);
	CHECK_STR(file_wait(notes, 0), "up\ntold\n");
	http_until_status(node_url(&c->nodes[1], ENTRIES "/k"), 404, check_ms(CLUSTER_SOON_MS));
}

/* ---- on_taken ---- */

static const char *wants(const char *on_taken)
{
	return text_of("{" SLEEP
		       ",\"restart\":\"temporary\",\"register\":[{\"key\":\"leader\",\"on_"
		       "taken\":\"%s\"}]}",
		on_taken);
}

CLUSTER_TEST(endpoints, a_child_that_needs_a_taken_name_is_not_created)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;

	expect_status(child_put(&c->nodes[0], "first", wants("fail")), 201);
	http_until_str(node_url(&c->nodes[1], ENTRIES "/leader"), "owner.id", "default/first",
		check_ms(CLUSTER_SOON_MS));
	r = expect_problem(child_put(&c->nodes[1], "second", wants("fail")), 409, "name-taken");
	CHECK_STR(json_str(json_at(r->json, "errors.0"), "pointer"), "/register/0/key");
	expect_problem(
		node_call(&c->nodes[1], "GET", NULL, "/v1/supervisors/default/children/second"),
		404, "child-not-found");
	r = expect_status(
		node_call(&c->nodes[1], "POST",
			text_of("{\"items\":[{\"id\":\"third\",\"spec\":%s}]}", wants("fail")),
			"/v1/supervisors/default/children/batch"),
		200);
	CHECK_STR(json_str(json_at(r->json, "items.0"), "code"), "name-taken");
	expect_status(child_put(&c->nodes[0], "first", wants("fail")), 200);
	expect_status(child_put(&c->nodes[1], "fourth", wants("run")), 201);
	CHECK_STR(json_str(look_up(&c->nodes[1], "leader")->json, "owner.id"), "default/first");
}

/* The leader's process is killed, and then the next one's: each standby is the leader once. */
CLUSTER_TEST(endpoints, standbys_take_over_one_after_another)
{
	static const char *const names[] = {"a", "b", "c"};
	struct cluster *c = cluster_start(3, NULL);
	bool led[3] = {false};

	for (int i = 0; i < 3; i++)
		expect_status(child_put(&c->nodes[i], names[i], wants("wait")), 201);
	for (int round = 0; round < 3; round++) {
		struct http_reply *r = http_until_status(
			node_url(&c->nodes[0], ENTRIES "/leader"), 200, check_ms(CLUSTER_SOON_MS));
		const char *id = json_str(r->json, "owner.id") + strlen("default/");
		int who = id[0] - 'a';
		long long epoch;

		CHECK(who >= 0 && who < 3 && !led[who], "%s leads again", id);
		led[who] = true;
		epoch = json_number_at(r->json, "owner.epoch");
		CHECK(epoch > 0, "%s", r->body);
		kill((pid_t)json_number_at(child_get(&c->nodes[0], names[who])->json, "status.pid"),
			SIGKILL);
		for (int64_t end = check_now_ms() + check_ms(CLUSTER_SOON_MS);;) {
			r = node_call(&c->nodes[0], "GET", NULL, ENTRIES "/leader");
			if (r->status == 404 ||
				strcmp(json_str(r->json, "owner.id") + strlen("default/"),
					names[who]) != 0)
				break;
			CHECK(check_now_ms() < end, "%s stays the leader", names[who]);
		}
	}
	http_until_status(
		node_url(&c->nodes[2], ENTRIES "/leader"), 404, check_ms(CLUSTER_SOON_MS));
}

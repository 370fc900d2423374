/* POSTs that are sent again: to the same node, to another one, after a crash, at the same moment.
 */
#include "tests/integration/suite.h"

SUITE(idempotency);

#define SNAPSHOTS "/v1/storage/snapshots"

/* POST with a key; `body` may be NULL. */
static struct http_reply *post(
	const struct node *at, const char *path, const char *key, const char *body)
{
	const struct http_request request = {.method = "POST",
		.url = node_url(at, "%s", path),
		.body = body,
		.headers = {text_of("Idempotency-Key: %s", key)}};

	return http_send(&request);
}

static bool is_replay(const struct http_reply *reply)
{
	return http_header(reply, "Idempotent-Replayed") != NULL;
}

static const char *location(const struct http_reply *reply)
{
	const char *text = http_header(reply, "Location");

	CHECK(text, "no Location in %s", reply->head);
	return text_of("%s", text);
}

static void expect_replay(const struct http_reply *reply, const struct http_reply *first)
{
	CHECK_INT(reply->status, first->status);
	CHECK_STR(reply->body, first->body);
	CHECK(is_replay(reply), "not said to be one: %s", reply->head);
}

static void expect_children(const struct node *at, int count)
{
	CHECK_INT(json_number_at(node_call(at, "GET", NULL, "/v1/supervisors/default/count")->json,
			  "specs"),
		count);
}

/* What one node has answered the others have soon; a read of the child waits for that. */
static void reaches(const struct node *at, const struct http_reply *reply)
{
	const struct http_request request = {.url = node_url(at, "/v1/cluster/members"),
		.headers = {text_of("Horde-Min-Dot: %s", http_header(reply, "Horde-Dot"))}};

	expect_status(http_send(&request), 200);
}

CLUSTER_TEST(idempotency, any_node_answers_as_the_first_one_did)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *first =
		expect_status(post(&c->nodes[0], CHILDREN, "a-key", SLEEPER), 201);
	const char *path = location(first);

	for (int i = 0; i < 3; i++) {
		/* The reply is written behind the child, so another name tells that it is there. */
		struct http_reply *mark = expect_status(
			node_call(&c->nodes[0], "PUT", "{\"value\":1}", META "/mark-%d", i), 201);
		struct http_reply *again;

		reaches(&c->nodes[i], mark);
		again = post(&c->nodes[i], CHILDREN, "a-key", SLEEPER);
		expect_replay(again, first);
		CHECK_STR(location(again), path);
		expect_problem(post(&c->nodes[i], CHILDREN, "a-key",
				       "{\"command\":[\"/bin/sleep\",\"1001\"]}"),
			422, "idempotency-key-reused");
		expect_children(&c->nodes[i], 1);
	}
	child_until(&c->nodes[1], strrchr(path, '/') + 1, "running", check_ms(CLUSTER_SOON_MS));
}

CLUSTER_TEST(idempotency, it_outlives_the_node_and_its_restart)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct http_reply *child = expect_status(post(n, CHILDREN, "c", SLEEPER), 201);
	struct http_reply *snapshot = expect_status(post(n, SNAPSHOTS, "s", NULL), 201);
	const char *id = text_of("%s", strrchr(location(child), '/') + 1);
	struct http_reply *restart =
		expect_status(post(n, text_of(CHILDREN "/%s/restart", id), "r", NULL), 200);
	pid_t pid;

	node_kill(n);
	node_start(n);
	node_wait_ready(n);
	pid = (pid_t)json_number_at(
		child_until(n, id, "running", check_ms(CLUSTER_START_MS))->json, "status.pid");
	expect_replay(post(n, CHILDREN, "c", SLEEPER), child);
	expect_replay(post(n, SNAPSHOTS, "s", NULL), snapshot);
	expect_replay(post(n, text_of(CHILDREN "/%s/restart", id), "r", NULL), restart);
	CHECK_INT(json_number_at(child_get(n, id)->json, "status.pid"), pid);
	expect_children(n, 1);
	CHECK_INT(json_array_size(json_at(node_call(n, "GET", NULL, SNAPSHOTS)->json, "items")), 1);
}

/* Killed at any moment of a request: sent again it starts no second child. */
CLUSTER_TEST(idempotency, who_hears_nothing_of_a_killed_node_may_ask_again)
{
	enum { ROUNDS = 12 };
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];

	for (int i = 0; i < ROUNDS; i++) {
		const char *key = text_of("key-%d", i);
		struct http_reply *first, *again;

		node_kill_later(n, 500 * i);
		first = post(n, CHILDREN, key, SLEEPER);
		node_wait_killed(n);
		node_start(n);
		node_wait_ready(n);
		again = expect_status(post(n, CHILDREN, key, SLEEPER), 201);
		if (first->status == 201)
			expect_replay(again, first);
		expect_children(n, i + 1);
	}
}

static void send_twins(const struct node *one, const struct node *other, const char *key,
	struct http_reply *ret[2])
{
	const struct http_request requests[] = {
		{.method = "POST",
			.url = node_url(one, CHILDREN),
			.body = SLEEPER,
			.headers = {text_of("Idempotency-Key: %s", key)}},
		{.method = "POST",
			.url = node_url(other, CHILDREN),
			.body = SLEEPER,
			.headers = {text_of("Idempotency-Key: %s", key)}}};

	http_send_all(requests, ret, 2);
	expect_status(ret[0], 201);
	expect_status(ret[1], 201);
	CHECK_STR(location(ret[0]), location(ret[1]));
}

CLUSTER_TEST(idempotency, two_at_the_same_moment_start_one_child)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *twins[2];

	for (int i = 0; i < 10; i++) {
		send_twins(&c->nodes[0], &c->nodes[0], text_of("one-%d", i), twins);
		CHECK(is_replay(twins[0]) != is_replay(twins[1]), "one of them waits: %s %s",
			twins[0]->head, twins[1]->head);
		send_twins(&c->nodes[0], &c->nodes[1], text_of("two-%d", i), twins);
	}
	children_until_active(c, 20, check_ms(CLUSTER_START_MS));
	expect_children(&c->nodes[0], 20);
	expect_children(&c->nodes[1], 20);
	children_until_processes("/bin/sleep", 20, check_ms(CLUSTER_START_MS));
}

/* The first one waits for a process that is slow to be ready. */
CLUSTER_TEST(idempotency, a_client_that_hangs_up_finds_its_reply)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sleep\",\"1000\"],"
		"\"ready\":{\"kind\":\"exec\",\"command\":[\"/usr/bin/test\",\"-e\",\"%s/go\"],"
		"\"period_ms\":100}}";
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	const char *body = text_of(spec, c->dir), *path = CHILDREN "?until=ready&wait=20s";
	const struct http_request request = {.method = "POST",
		.url = node_url(n, "%s", path),
		.body = body,
		.headers = {"Idempotency-Key: k"}};
	struct http_flight *flight = http_begin(&request, 1);
	struct http_reply *again;

	CHECK(http_parked(flight, 300), "it was ready at once");
	http_drop(flight);
	flight = http_begin(&request, 1);
	CHECK(http_parked(flight, 300), "the second one did not wait");
	file_write(text_of("%s/go", c->dir), "", 0, 0600);
	http_finish(flight, &again);
	expect_status(again, 201);
	CHECK(is_replay(again), "it was carried out anew: %s", again->head);
	expect_children(n, 1);
}

CLUSTER_TEST(idempotency, a_thousand_unnamed_children_are_those_of_the_first_time)
{
	enum { MANY = 1000 };
	struct cluster *c = cluster_start(2, NULL);
	static char body[MANY * 80];
	size_t used = (size_t)sprintf(body, "{\"items\":[");
	struct http_reply *first, *mark;

	for (int i = 0; i < MANY; i++)
		used += (size_t)sprintf(body + used,
			"%s{\"spec\":{\"command\":[\"/bin/true\"],\"restart\":\"temporary\"}}",
			i ? "," : "");
	sprintf(body + used, "]}");
	first = expect_success(
		post(&c->nodes[0], CHILDREN "/batch?wait=60s&ack=all", "many", body));
	mark = expect_status(node_call(&c->nodes[0], "PUT", "{\"value\":1}", META "/mark"), 201);
	reaches(&c->nodes[1], mark);
	expect_replay(post(&c->nodes[1], CHILDREN "/batch?wait=60s&ack=all", "many", body), first);
	expect_children(&c->nodes[1], MANY);
}

/* What a child leaves for its next life, on real daemons. */
#include "tests/integration/suite.h"

SUITE(state);

enum { BLOB_BYTES = 1024 * 1024 };

static struct http_reply *put(const struct node *at, const char *id, const char *bytes, size_t size)
{
	struct http_request request = {.method = "PUT",
		.url = node_url(at, CHILDREN "/%s/state", id),
		.body = bytes,
		.body_size = size,
		.headers = {"Content-Type: application/octet-stream"}};

	return http_send(&request);
}

static struct http_reply *get(const struct node *at, const char *id)
{
	return node_call(at, "GET", NULL, CHILDREN "/%s/state", id);
}

static void expect_bytes(const struct http_reply *r, const char *bytes, size_t size)
{
	CHECK_INT(r->status, 200);
	CHECK_INT(r->body_size, size);
	CHECK(memcmp(r->body, bytes, size) == 0, "other bytes");
	CHECK_STR(http_header(r, "Content-Type"), "application/octet-stream");
}

CLUSTER_TEST(state, bytes_of_any_kind_are_read_at_every_node_and_after_a_takeover)
{
	static char blob[BLOB_BYTES];
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;
	char id[64];

	for (size_t i = 0; i < sizeof blob; i++)
		blob[i] = (char)(i * 7 + i / 256);
	child_start_on(c, &c->nodes[1], "web", SLEEPER, id, sizeof id);
	expect_problem(get(&c->nodes[0], id), 404, "key-not-found");
	r = expect_status(put(&c->nodes[0], id, blob, sizeof blob), 204);
	for (int i = 0; i < 3; i++) {
		struct http_request request = {
			.url = node_url(&c->nodes[i], CHILDREN "/%s/state", id),
			.headers = {text_of("Horde-Min-Dot: %s", http_header(r, "Horde-Dot"))}};

		expect_bytes(http_send(&request), blob, sizeof blob);
	}
	node_kill(&c->nodes[1]);
	child_until(&c->nodes[0], id, "running", CLUSTER_FAIL_MS);
	expect_bytes(get(&c->nodes[2], id), blob, sizeof blob);
	expect_status(put(&c->nodes[2], id, "\0", 1), 204);
	expect_bytes(get(&c->nodes[2], id), "\0", 1);
	expect_problem(put(&c->nodes[2], id, blob, sizeof blob + 1), 413, "body-too-large");
	expect_problem(put(&c->nodes[2], "nobody", "x", 1), 404, "child-not-found");
}

CLUSTER_TEST(state, it_survives_all_daemons_and_goes_with_its_child)
{
	struct cluster *c = cluster_start(2, NULL);

	child_start(&c->nodes[0], "web", SLEEPER);
	expect_status(put(&c->nodes[0], "web", "cursor=4711", 11), 204);
	for (int i = 0; i < 2; i++)
		node_kill(&c->nodes[i]);
	for (int i = 0; i < 2; i++)
		node_start(&c->nodes[i]);
	cluster_settle(c);
	expect_bytes(get(&c->nodes[0], "web"), "cursor=4711", 11);
	child_delete(c, &c->nodes[1], "web");
	expect_problem(get(&c->nodes[0], "web"), 404, "child-not-found");
	child_start(&c->nodes[0], "web", SLEEPER);
	expect_problem(get(&c->nodes[0], "web"), 404, "key-not-found");
	expect_problem(node_call(&c->nodes[0], "DELETE", NULL, CHILDREN "/web/state"), 404,
		"key-not-found");
	expect_status(
		node_call(&c->nodes[0], "DELETE", NULL, CHILDREN "/web/state?missing_ok=true"),
		204);
	expect_status(put(&c->nodes[0], "web", "x", 1), 204);
	expect_status(node_call(&c->nodes[0], "DELETE", NULL, CHILDREN "/web/state"), 204);
	expect_problem(get(&c->nodes[0], "web"), 404, "key-not-found");
	expect_problem(node_call(&c->nodes[0], "PUT", "{}", CHILDREN "/web/state"), 415,
		"unsupported-media-type");
}

/* The process itself does it: it counts its lives. */
CLUSTER_TEST(state, a_process_goes_on_where_its_last_life_left_off)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"s=$HORDE_URL/v1/supervisors/$HORDE_SUPERVISOR/"
		"children/$HORDE_CHILD/state; n=$(curl -sf $s || echo 0); n=$((n+1)); curl -sf -X "
		"PUT "
		"-H 'Content-Type: application/octet-stream' --data-binary $n $s; echo life $n; "
		"exec "
		"sleep 1000\"]}";
	struct cluster *c = cluster_start(2, NULL);
	char id[64];

	child_start_on(c, &c->nodes[1], "web", spec, id, sizeof id);
	http_until_str(node_url(&c->nodes[0], CHILDREN "/%s/logs?tail=1", id), "items.0.data",
		"life 1", check_ms(CLUSTER_FAIL_MS));
	expect_status(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/%s/restart", id), 200);
	http_until_str(node_url(&c->nodes[0], CHILDREN "/%s/logs?tail=1", id), "items.0.data",
		"life 2", check_ms(CLUSTER_FAIL_MS));
	node_kill(&c->nodes[1]);
	http_until_str(node_url(&c->nodes[0], CHILDREN "/%s/logs?tail=1", id), "items.0.data",
		"life 3", check_ms(CLUSTER_FAIL_MS));
}

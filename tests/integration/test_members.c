/* Who belongs to the cluster: joining, joining twice, and who is not let in. */
#include "tests/integration/suite.h"

#include <arpa/inet.h>
#include <sys/socket.h>

SUITE(members);

enum { CALL_MS = 1000 /* the scenario's 100 ms, with room for a busy machine */ };

static int listed(const struct node *at, const char *name)
{
	struct http_reply *list =
		expect_status(node_call(at, "GET", NULL, "/v1/cluster/members"), 200);
	json_t *item;
	int count = 0;
	size_t i;

	json_array_foreach(json_at(list->json, "items"), i, item) count +=
		strcmp(json_str(item, "name"), name) == 0;
	return count;
}

CLUSTER_TEST(members, s036_joining_by_any_member_is_enough)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n1 = cluster_add(c, NULL, NULL);
	struct node *n2 = cluster_add(c, n1, NULL);

	cluster_add(c, n2, NULL);
	cluster_settle(c);
	for (int i = 0; i < 3; i++) {
		struct http_reply *list = expect_status(
			node_call(&c->nodes[i], "GET", NULL, "/v1/cluster/members"), 200);

		CHECK_INT(json_array_size(json_at(list->json, "items")), 3);
		for (int k = 0; k < 3; k++) {
			struct http_reply *one =
				expect_status(node_call(&c->nodes[i], "GET", NULL,
						      "/v1/cluster/members/%s", c->nodes[k].name),
					200);

			CHECK_STR(json_str(one->json, "status"), "alive");
			CHECK_STR(json_str(one->json, "url"), c->nodes[k].url);
		}
	}
	expect_problem(
		node_call(n1, "GET", NULL, "/v1/cluster/members/n9"), 404, "member-not-found");
}

CLUSTER_TEST(members, a_node_tells_about_itself)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *self =
		expect_status(node_call(&c->nodes[0], "GET", NULL, "/v1/node"), 200);

	CHECK_STR(json_str(self->json, "name"), "n1");
	CHECK_STR(json_str(self->json, "url"), c->nodes[0].url);
	CHECK(*json_str(self->json, "incarnation"), "no incarnation: %s", self->body);
	expect_etag(self);
	CHECK_STR(http_header(self, "Horde-Node"), "n1");
}

CLUSTER_TEST(members, s038_joining_twice_changes_nothing)
{
	struct cluster *c = cluster_start(3, NULL);
	long long pid =
		json_number_at(child_start(&c->nodes[0], "web", SLEEPER)->json, "status.pid");

	for (int i = 0; i < 2; i++) {
		struct http_reply *joined =
			expect_status(node_call(&c->nodes[2], "POST",
					      text_of("{\"addresses\":[\"%s\",\"%s\"]}",
						      c->nodes[0].url, c->nodes[1].url),
					      "/v1/cluster/join"),
				200);

		CHECK_INT(json_array_size(json_at(joined->json, "failed")), 0);
	}
	cluster_settle(c);
	for (int i = 0; i < 3; i++) {
		struct http_reply *list = expect_status(
			node_call(&c->nodes[i], "GET", NULL, "/v1/cluster/members"), 200);

		CHECK_INT(json_array_size(json_at(list->json, "items")), 3);
	}
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "web")->json, "status.pid"), pid);
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "web")->json, "status.restarts"), 0);
}

/* A machine that takes connections and never says a word. */
static int silent_listener(int *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
			listen(fd, 16) == 0 &&
			getsockname(fd, (struct sockaddr *)&address, &size) == 0,
		"cannot listen");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

CLUSTER_TEST(members, s039_joining_a_peer_that_does_not_exist)
{
	struct cluster *c = cluster_start(2, NULL);
	const char *dead = text_of("http://127.0.0.1:%d", cluster_free_port());
	struct http_reply *reply;

	expect_problem(node_call(&c->nodes[0], "POST", text_of("{\"addresses\":[\"%s\"]}", dead),
			       "/v1/cluster/join"),
		502, "peer-unreachable");
	reply = expect_status(
		node_call(&c->nodes[0], "POST",
			text_of("{\"addresses\":[\"%s\",\"%s\"]}", dead, c->nodes[1].url),
			"/v1/cluster/join"),
		200);
	CHECK_INT(json_array_size(json_at(reply->json, "failed")), 1);
	CHECK_STR(json_str(reply->json, "failed.0.address"), dead);
	CHECK_INT(json_array_size(json_at(reply->json, "joined")), 1);
	cluster_settle(c);
}

CLUSTER_TEST(members, s039_a_silent_peer_blocks_nobody)
{
	struct cluster *c = cluster_start(2, NULL);
	const char *url = node_url(&c->nodes[0], "/v1/cluster/members");
	struct http_request requests[9];
	struct http_reply *replies[9];
	int port, fd = silent_listener(&port);
	char body[128];

	snprintf(body, sizeof body, "{\"addresses\":[\"http://127.0.0.1:%d\"]}", port);
	requests[0] = (struct http_request){.method = "POST",
		.url = node_url(&c->nodes[0], "/v1/cluster/join"),
		.body = body,
		.timeout_ms = check_ms(60000)};
	for (int i = 1; i < 9; i++)
		requests[i] = (struct http_request){.url = url};
	http_send_all(requests, replies, 9);
	expect_problem(replies[0], 502, "peer-unreachable");
	for (int i = 1; i < 9; i++)
		CHECK(expect_status(replies[i], 200)->ms < (double)check_ms(CALL_MS),
			"a GET took %.0f ms while a join was waiting", replies[i]->ms);
	close(fd);
}

CLUSTER_TEST(members, a_bad_join_is_refused_whole)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n1 = &c->nodes[0];

	expect_fault(expect_problem(
			     node_call(n1, "POST", "{}", "/v1/cluster/join"), 422, "invalid-spec"),
		"/addresses");
	expect_problem(node_call(n1, "POST", "{\"addresses\":[5]}", "/v1/cluster/join"), 422,
		"invalid-spec");
	expect_problem(node_call(n1, "POST", "{\"addresses\":[\"not a url\"]}", "/v1/cluster/join"),
		422, "invalid-spec");
}

CLUSTER_TEST(members, another_cluster_is_409_and_never_a_member)
{
	static const char *const other[] = {"--cluster", "other", NULL};
	struct cluster *c = cluster_new(NULL);
	struct node *n1 = cluster_add(c, NULL, NULL), *n2 = cluster_add(c, NULL, other);
	struct http_reply *reply;

	node_wait_ready(n1);
	node_wait_ready(n2);
	reply = node_call(
		n2, "POST", text_of("{\"addresses\":[\"%s\"]}", n1->url), "/v1/cluster/join");
	expect_problem(reply, 409, "cluster-mismatch");
	CHECK_INT(listed(n1, "n2"), 0);
	CHECK_INT(listed(n2, "n1"), 0);
}

CLUSTER_TEST(members, a_wrong_secret_never_makes_a_member)
{
	struct cluster *c = cluster_new(NULL);
	const char *args1[] = {"--secret-file", NULL, NULL},
		   *args2[] = {"--secret-file", NULL, NULL};
	char first[300], second[300];
	struct node *n1, *n2, *n3;
	struct http_reply *ready;

	snprintf(first, sizeof first, "%s/secret1", c->dir);
	snprintf(second, sizeof second, "%s/secret2", c->dir);
	file_write(first, "one-long-enough-secret-0123456789\n", 34, 0600);
	file_write(second, "two-long-enough-secret-0123456789\n", 34, 0600);
	args1[1] = first;
	args2[1] = second;
	n1 = cluster_add(c, NULL, args1);
	n2 = cluster_add(c, n1, args2);
	/* A third with the right secret shows that the first has had its time to let the second in.
	 */
	n3 = cluster_add(c, n1, args1);
	node_wait_ready(n1);
	node_wait_ready(n3);
	http_until_str(node_url(n1, "/v1/cluster/members/n3"), "status", "alive",
		check_ms(CLUSTER_SOON_MS));
	CHECK_INT(listed(n1, "n2"), 0);
	ready = node_call(n2, "GET", NULL, "/readyz");
	CHECK_INT(ready->status, 503);
	expect_problem(child_put(n2, "web", SLEEPER), 503, "not-ready");
	expect_problem(node_call(n1, "POST", "{}", "/peer/v1/hello"), 401, "unauthorized");
	expect_problem(
		http_send(&(struct http_request){.method = "POST",
			.url = node_url(n1, "/peer/v1/hello"),
			.body = "{}",
			.headers = {"Authorization: Bearer two-long-enough-secret-0123456789"}}),
		403, "forbidden");
}

CLUSTER_TEST(members, a_node_that_cannot_join_is_not_ready_and_says_who_is_silent)
{
	struct cluster *c = cluster_new(NULL);
	char dead[64];
	const char *args[] = {"--join", dead, NULL};
	struct node *n1;
	struct http_reply *reply;

	snprintf(dead, sizeof dead, "http://127.0.0.1:%d", cluster_free_port());
	n1 = cluster_add(c, NULL, args);
	reply = expect_problem(child_put(n1, "web", SLEEPER), 503, "not-ready");
	CHECK_STR(json_str(reply->json, "silent.0"), dead);
	CHECK(http_header(reply, "Retry-After"), "no Retry-After in %s", reply->head);
	reply = node_call(n1, "GET", NULL, "/readyz");
	CHECK_INT(reply->status, 503);
	CHECK_STR(json_str(reply->json, "silent.0"), dead);
	expect_status(node_call(n1, "GET", NULL, "/livez"), 200);
	CHECK_INT(children_processes("sleep 1000"), 0);
}

CLUSTER_TEST(members, nodes_that_only_name_each_other_become_one_cluster)
{
	struct cluster *c = cluster_new(NULL);
	struct node *nodes[3];
	char urls[3][64];
	const char *args[3][5];

	for (int i = 0; i < 3; i++) {
		int port = cluster_free_port();

		snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%d", port);
	}
	for (int i = 0; i < 3; i++) {
		args[i][0] = args[i][2] = "--join";
		args[i][1] = urls[(i + 1) % 3];
		args[i][3] = urls[(i + 2) % 3];
		args[i][4] = NULL;
		nodes[i] = cluster_declare(c, NULL, args[i]);
		nodes[i]->port = (int)strtol(strrchr(urls[i], ':') + 1, NULL, 10);
	}
	for (int i = 0; i < 3; i++)
		node_start(nodes[i]);
	cluster_settle(c);
}

/* The grace is for members that do not answer; with it this long, a poll waited for in vain shows.
 */
CLUSTER_TEST(members, nobody_waits_for_the_startup_grace_when_all_answer)
{
	static const char *const args[] = {"--startup-grace-ms", "60000", NULL};

	for (int round = 0; round < 4; round++) {
		cluster_stop(cluster_present());
		cluster_start(3, &(struct cluster_options){.args = args});
	}
}

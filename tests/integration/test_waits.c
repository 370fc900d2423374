/* Reads that are parked at one node while something is written at another. */
#include "tests/integration/suite.h"

#include "tests/lib/values.h"

SUITE(waits);

enum { SOON_MS = 2000, PARKED_MS = 250 };

/* A read of what is not there yet, parked at every node; `path` is the same at each. */
static struct http_flight *park_for(struct cluster *c, const char *path)
{
	static struct http_request requests[CLUSTER_NODES_MAX];
	static char headers[CLUSTER_NODES_MAX][300];
	struct http_flight *flight;

	for (int i = 0; i < c->count; i++) {
		struct http_reply *missing = expect_problem(
			node_call(&c->nodes[i], "GET", NULL, "%s", path), 404, "key-not-found");

		snprintf(headers[i], sizeof headers[i], "If-None-Match: %s", expect_etag(missing));
		requests[i] =
			(struct http_request){.url = node_url(&c->nodes[i], "%s?wait=30s", path),
				.headers = {headers[i]}};
	}
	flight = http_begin(requests, c->count);
	CHECK(http_parked(flight, PARKED_MS), "a read of what is missing does not wait");
	return flight;
}

/* All come soon after `begun`, with the same value and version. */
static void all_answer(struct cluster *c, struct http_flight *flight, int64_t begun, int value)
{
	struct http_reply *replies[CLUSTER_NODES_MAX];

	http_finish(flight, replies);
	CHECK(check_now_ms() - begun < check_ms(SOON_MS), "answered %lld ms after the write",
		(long long)(check_now_ms() - begun));
	for (int i = 0; i < c->count; i++) {
		CHECK_INT(json_number_at(expect_status(replies[i], 200)->json, "value"), value);
		CHECK_STR(expect_etag(replies[i]), expect_etag(replies[0]));
	}
}

CLUSTER_TEST(waits, s102_a_parked_lookup_returns_when_the_name_is_registered_elsewhere)
{
	struct cluster *c = cluster_start(3, NULL);

	for (int i = 0; i < 3; i++) {
		const char *path = text_of("%s/later-%d", ENTRIES, i);
		struct http_flight *flight = park_for(c, path);
		int64_t begun = check_now_ms();

		/* Another name of the same list wakes nobody. */
		name_put(&c->nodes[i], text_of("other-%d", i), "x");
		CHECK(http_parked(flight, PARKED_MS), "another name ended the wait");
		begun = check_now_ms();
		expect_status(node_call(&c->nodes[i], "PUT",
				      text_of("{\"value\":%d," BY_ALICE "}", i), "%s", path),
			201);
		all_answer(c, flight, begun, i);
	}
}

CLUSTER_TEST(waits, s102_a_parked_lookup_ends_with_its_time)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *missing = node_call(&c->nodes[1], "GET", NULL, ENTRIES "/never");
	struct http_reply *reply = http_send(
		&(struct http_request){.url = node_url(&c->nodes[1], ENTRIES "/never?wait=300ms"),
			.headers = {text_of("If-None-Match: %s", expect_etag(missing))}});

	CHECK(reply->status == 304 || reply->status == 404, "gave %ld: %s", reply->status,
		reply->body);
	CHECK(reply->ms >= 290 && reply->ms < 4000, "answered after %.0f ms", reply->ms);
}

CLUSTER_TEST(waits, s098_meta_is_seen_changed_and_deleted_by_parked_reads_everywhere)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_flight *flight = park_for(c, META "/config");
	int64_t begun = check_now_ms();
	struct http_reply *replies[CLUSTER_NODES_MAX];
	struct http_request requests[CLUSTER_NODES_MAX];
	char headers[CLUSTER_NODES_MAX][300];

	expect_status(node_call(&c->nodes[0], "PUT", "{\"value\":5}", META "/config"), 201);
	all_answer(c, flight, begun, 5);
	for (int i = 0; i < 3; i++) {
		snprintf(headers[i], sizeof headers[i], "If-None-Match: %s",
			expect_etag(node_call(&c->nodes[i], "GET", NULL, META "/config")));
		requests[i] = (struct http_request){
			.url = node_url(&c->nodes[i], META "/config?wait=30s"),
			.headers = {headers[i]}};
	}
	flight = http_begin(requests, 3);
	CHECK(http_parked(flight, PARKED_MS), "an unchanged value does not wait");
	begun = check_now_ms();
	expect_status(node_call(&c->nodes[2], "DELETE", NULL, META "/config"), 204);
	http_finish(flight, replies);
	CHECK(check_now_ms() - begun < check_ms(SOON_MS), "answered %lld ms after the delete",
		(long long)(check_now_ms() - begun));
	for (int i = 0; i < 3; i++)
		expect_problem(replies[i], 404, "key-not-found");
}

/* Watchers at all nodes; the same puts again, at all nodes, which mint dots that nobody must see.
 */
CLUSTER_TEST(waits, s113_the_same_put_again_at_any_node_wakes_nobody_anywhere)
{
	static const char entry[] = "{\"value\":{\"a\":1}," BY_ALICE "}";
	struct cluster *c = cluster_start(3, NULL);
	struct http_request requests[9];
	struct http_reply *replies[9];
	struct http_flight *flight;
	char etags[3][256];
	pid_t pid;

	expect_status(node_call(&c->nodes[0], "PUT", entry, ENTRIES "/job"), 201);
	pid = (pid_t)json_number_at(child_start(&c->nodes[0], "web", SLEEPER)->json, "status.pid");
	values_settle(c, CLUSTER_SOON_MS);
	child_until(&c->nodes[1], "web", "running", CLUSTER_SOON_MS);
	child_until(&c->nodes[2], "web", "running", CLUSTER_SOON_MS);
	for (int i = 0; i < 9; i++) {
		static const char *const paths[] = {ENTRIES "/job", CHILDREN "/web", ENTRIES};
		const struct node *at = &c->nodes[i / 3];
		struct http_reply *get = node_call(at, "GET", NULL, "%s", paths[i % 3]);
		const char *etag = json_str(expect_status(get, 200)->json, "etag");

		if (i < 3)
			snprintf(etags[i], sizeof etags[i], "%s", etag);
		CHECK_STR(etag, etags[i % 3]);
		requests[i].url = text_of("%s%s?since=%s&wait=1500ms", at->url, paths[i % 3], etag);
		requests[i] = (struct http_request){.url = requests[i].url};
	}
	flight = http_begin(requests, 9);
	for (int i = 0; i < 3; i++) {
		struct http_reply *put = node_call(&c->nodes[i], "PUT", entry, ENTRIES "/job");

		CHECK(http_header(expect_status(put, 200), "Horde-Dot"), "no dot in %s", put->head);
		CHECK_STR(json_str(put->json, "etag"), etags[0]);
		put = expect_status(child_put(&c->nodes[i], "web", SLEEPER), 200);
		CHECK_STR(json_str(put->json, "etag"), etags[1]);
		CHECK_INT(json_number_at(put->json, "status.pid"), pid);
	}
	http_finish(flight, replies);
	for (int i = 0; i < 9; i++) {
		CHECK_STR(http_header(expect_status(replies[i], 200), "Horde-Changed"), "false");
		CHECK(replies[i]->ms > 1400, "%s was woken after %.0f ms", replies[i]->url,
			replies[i]->ms);
	}
	CHECK(procs_alive(pid), "the process was touched");
	CHECK_INT(children_processes("sleep 1000"), 1);
}

/* What a writer may ask to wait for, what a reader may, and what is said about how far peers are.
 */
#include "tests/integration/suite.h"

#include "tests/lib/values.h"

#include <errno.h>
#include <sys/resource.h>

SUITE(acks);

enum { HEAL_MS = 15000 };

static const struct cluster_options proxied = {.proxied = true};

static void all_lines(struct cluster *c, enum proxy_mode mode)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, 0);
}

/* PUT of a name; `query` such as "?ack=all&wait=1s". */
static struct http_reply *put_asking(const struct node *at, const char *key, const char *query)
{
	return node_call(at, "PUT", "{\"value\":\"v\"," BY_ALICE "}", ENTRIES "/%s%s", key, query);
}

/* Horde-Replicated as its two numbers. */
static void replicated(const struct http_reply *reply, int *ret_have, int *ret_all)
{
	const char *text = http_header(reply, "Horde-Replicated");

	CHECK(text, "no Horde-Replicated in %s", reply->head);
	CHECK(sscanf(text, "%d/%d", ret_have, ret_all) == 2, "Horde-Replicated: %s", text);
}

static void expect_replicated(const struct http_reply *reply, int least, int all)
{
	int have, of;

	replicated(reply, &have, &of);
	CHECK_INT(of, all);
	CHECK(have >= least && have <= all, "%s: %d of %d, at least %d was asked for", reply->url,
		have, of, least);
}

/* ---- writers ---- */

CLUSTER_TEST(acks, every_level_answers_with_as_many_as_were_asked_for)
{
	static const struct {
		const char *query;
		int least;
	} rows[] = {{"", 1}, {"?ack=disk", 1}, {"?ack=memory", 0}, {"?ack=one", 2},
		{"?ack=majority", 2}, {"?ack=all", 3}};
	struct cluster *c = cluster_start(3, NULL);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_reply *put = expect_status(
			put_asking(&c->nodes[i % 3], text_of("k-%zu", i), rows[i].query), 201);

		CHECK(http_header(put, "Horde-Dot"), "no Horde-Dot in %s", put->head);
		if (*rows[i].query)
			expect_replicated(put, rows[i].least, 3);
	}
	values_settle(c, CLUSTER_SOON_MS);
}

/* Each kind of write takes it, and says how far it came. */
CLUSTER_TEST(acks, every_kind_of_write_takes_ack)
{
	static const struct {
		const char *method, *path, *body;
		long status;
	} rows[] = {{"PUT", META "/m?ack=all", "{\"value\":1}", 201},
		{"PUT", META "/m?ack=all", "{\"value\":2}", 200},
		{"DELETE", META "/m?ack=all", NULL, 204},
		{"PUT", ENTRIES "/e?ack=all", "{\"value\":1," BY_ALICE "}", 201},
		{"PATCH", ENTRIES "/e?ack=all", "{\"value\":2}", 200},
		{"DELETE", ENTRIES "/e?ack=all", NULL, 204},
		{"PUT", CHILDREN "/c?ack=all", SLEEPER, 201},
		{"PATCH", CHILDREN "/c?ack=all", "{\"labels\":{\"a\":\"b\"}}", 200},
		{"POST", CHILDREN "?ack=all", SLEEPER, 201},
		{"DELETE", CHILDREN "/c?ack=all", NULL, 204}};
	struct cluster *c = cluster_start(3, NULL);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_replicated(expect_status(node_call(&c->nodes[i % 3], rows[i].method,
							rows[i].body, "%s", rows[i].path),
					  rows[i].status),
			3, 3);
}

CLUSTER_TEST(acks, an_unknown_level_is_refused_and_nothing_written)
{
	struct cluster *c = cluster_start(1, NULL);

	expect_problem(put_asking(&c->nodes[0], "k", "?ack=most"), 400, "bad-query");
	expect_problem(put_asking(&c->nodes[0], "k", "?ack="), 400, "bad-query");
	CHECK_INT(names_count(&c->nodes[0], ""), 0);
	expect_status(put_asking(&c->nodes[0], "k", "?ack=memory"), 201);
}

CLUSTER_TEST(acks, alone_a_majority_and_all_are_oneself)
{
	struct cluster *c = cluster_start(1, NULL);

	expect_replicated(expect_status(put_asking(&c->nodes[0], "a", "?ack=majority"), 201), 1, 1);
	expect_replicated(expect_status(put_asking(&c->nodes[0], "b", "?ack=all"), 201), 1, 1);
}

/* Everybody is killed at once, and each one in turn is all that is left. */
CLUSTER_TEST(acks, s118_what_all_have_acknowledged_is_on_every_disk)
{
	enum { WRITES = 20 };
	struct cluster *c = cluster_start(3, NULL);

	for (int i = 0; i < WRITES; i++)
		expect_replicated(
			expect_status(
				put_asking(&c->nodes[i % 3], text_of("k-%d", i), "?ack=all"), 201),
			3, 3);
	for (int i = 0; i < 3; i++)
		node_signal(&c->nodes[i], SIGKILL);
	for (int i = 0; i < 3; i++)
		CHECK_INT(node_wait_exit(&c->nodes[i], CLUSTER_SOON_MS), 128 + SIGKILL);
	for (int i = 0; i < 3; i++) {
		node_start(&c->nodes[i]);
		node_wait_listening(&c->nodes[i]);
		CHECK_INT(names_count(&c->nodes[i], "k-"), WRITES);
		node_kill(&c->nodes[i]);
	}
}

/* The answer when the members did not acknowledge in time: it is written all the same. */
static void expect_not_yet(const struct http_reply *reply, const char *key, const struct node *at)
{
	CHECK(http_header(reply, "Horde-Dot"), "no Horde-Dot in %s", reply->head);
	CHECK(json_is_true(json_at(reply->json, "applied")), "not said to be applied: %s",
		reply->body);
	CHECK_STR(name_value(at, key), "v");
}

CLUSTER_TEST(acks, a_frozen_member_leaves_a_majority_but_not_all)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0], *n3 = &c->nodes[2];
	struct http_reply *late;
	char dot[200];

	node_signal(n3, SIGSTOP);
	expect_replicated(expect_status(put_asking(n1, "a", "?ack=majority"), 201), 2, 3);
	expect_replicated(expect_status(put_asking(n1, "b", "?ack=one"), 201), 2, 3);
	late = expect_problem(
		put_asking(n1, "c", "?ack=all&wait=500ms"), 504, "not-yet-replicated");
	CHECK(late->ms >= 490 && late->ms < 4000, "answered after %.0f ms", late->ms);
	expect_not_yet(late, "c", n1);
	expect_replicated(late, 2, 3);
	snprintf(dot, sizeof dot, "%s", http_header(late, "Horde-Dot"));
	node_signal(n3, SIGCONT);
	expect_status(name_after(n3, "c", dot), 200);
	expect_replicated(expect_status(put_asking(n1, "d", "?ack=all"), 201), 3, 3);
}

/* Without `wait` it waits 5 s. A member that is gone counts, as long as it is one. */
CLUSTER_TEST(acks, a_dead_member_still_counts_among_all)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *n1 = &c->nodes[0];
	struct http_reply *late;

	node_kill(&c->nodes[2]);
	expect_replicated(expect_status(put_asking(n1, "a", "?ack=majority"), 201), 2, 3);
	node_kill(&c->nodes[1]);
	late = expect_problem(
		put_asking(n1, "b", "?ack=majority&wait=300ms"), 504, "not-yet-replicated");
	expect_not_yet(late, "b", n1);
	late = expect_problem(put_asking(n1, "c", "?ack=one"), 504, "not-yet-replicated");
	CHECK(late->ms > 4900 && late->ms < 10000, "answered after %.0f ms", late->ms);
	expect_not_yet(late, "c", n1);
	expect_status(put_asking(n1, "d", ""), 201);
}

/* An answer is parked until the slowest of those that count has it on its disk. */
CLUSTER_TEST(acks, a_parked_writer_is_answered_when_the_member_comes_back)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_request request = {.method = "PUT",
		.url = node_url(&c->nodes[0], ENTRIES "/k?ack=all&wait=20s"),
		.body = "{\"value\":\"v\"," BY_ALICE "}"};
	struct http_flight *flight;
	struct http_reply *reply;

	node_signal(&c->nodes[2], SIGSTOP);
	flight = http_begin(&request, 1);
	CHECK(http_parked(flight, 300), "it did not wait");
	node_signal(&c->nodes[2], SIGCONT);
	http_finish(flight, &reply);
	expect_replicated(expect_status(reply, 201), 3, 3);
}

/* Known is not stored: a member whose disk takes nothing has acknowledged nothing. */
CLUSTER_TEST(acks, s119_a_member_with_a_full_disk_acknowledges_nothing)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
	struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	struct cluster *c;
	struct node *n1, *n2;

	/* The daemons inherit this: the kernel would end them otherwise, as no real disk does. */
	signal(SIGXFSZ, SIG_IGN);
	c = cluster_start(2, NULL);
	n1 = &c->nodes[0];
	n2 = &c->nodes[1];
	CHECK(prlimit(n2->pid, RLIMIT_FSIZE, &none, NULL) == 0, "prlimit: %s", strerror(errno));
	expect_status(put_asking(n1, "a", ""), 201);
	http_until_str(node_url(n2, ENTRIES "/a"), "value", "v", check_ms(CLUSTER_SOON_MS));
	expect_problem(put_asking(n1, "b", "?ack=all&wait=700ms"), 504, "not-yet-replicated");
	CHECK(prlimit(n2->pid, RLIMIT_FSIZE, &all, NULL) == 0, "prlimit: %s", strerror(errno));
	expect_replicated(expect_status(put_asking(n1, "c", "?ack=all&wait=15s"), 201), 2, 2);
}

/* ---- readers ---- */

CLUSTER_TEST(acks, min_dot_waits_for_the_write_and_then_gives_up)
{
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	struct http_request request;
	struct http_flight *flight;
	struct http_reply *reply;
	const char *dot;

	values_settle(c, CLUSTER_SOON_MS);
	all_lines(c, PROXY_SILENT);
	dot = name_put(n1, "k", "v");
	request = (struct http_request){.url = node_url(n2, ENTRIES "/k?wait=300ms"),
		.headers = {text_of("Horde-Min-Dot: %s", dot)}};
	reply = expect_problem(http_send(&request), 504, "not-yet-replicated");
	CHECK(reply->ms >= 290 && reply->ms < 4000, "answered after %.0f ms", reply->ms);
	request.url = node_url(n2, ENTRIES "/k?wait=20s");
	flight = http_begin(&request, 1);
	CHECK(http_parked(flight, 300), "it did not wait");
	all_lines(c, PROXY_FORWARD);
	http_finish(flight, &reply);
	CHECK_STR(json_str(expect_status(reply, 200)->json, "value"), "v");
}

/* ---- how far the peers are ---- */

static json_t *peer_of(const struct http_reply *reply, const char *name)
{
	json_t *peers = json_at(reply->json, "peers"), *peer;
	size_t i;

	if (!peers)
		peers = json_at(reply->json, "items");
	json_array_foreach(
		peers, i, peer) if (strcmp(json_str(peer, "name"), name) == 0) return peer;
	return NULL;
}

struct far {
	const char *name;
	bool equal;
};

static bool is_so_far(const struct http_reply *reply, const void *argument)
{
	const struct far *far = argument;
	json_t *peer = peer_of(reply, far->name);

	return reply->status == 200 && peer &&
	       json_is_true(json_at(peer, "vectors_equal")) == far->equal &&
	       (!far->equal || json_is_true(json_at(peer, "digests_equal")));
}

static struct http_reply *until_far(const struct node *at, const char *name, bool equal)
{
	struct far far = {.name = name, .equal = equal};

	expect_status(node_call(at, "GET", NULL, "/v1/cluster/convergence"), 200);
	return http_until(node_url(at, "/v1/cluster/convergence"), is_so_far, &far,
		check_ms(HEAL_MS), equal ? "equal vectors and digests" : "unequal vectors");
}

CLUSTER_TEST(acks, convergence_says_of_each_peer_how_far_it_is)
{
	static const char *const numbers[] = {"lag_events", "bytes_received", "bytes_sent", "held"};
	struct cluster *c = cluster_start(3, &proxied);
	struct node *n1 = &c->nodes[0];
	struct http_reply *reply;

	values_settle(c, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++)
		for (int other = 0; other < 3; other++)
			if (other != i)
				until_far(&c->nodes[i], c->nodes[other].name, true);
	reply = until_far(n1, "n2", true);
	CHECK(!peer_of(reply, "n1"), "a node is its own peer: %s", reply->body);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		CHECK(json_number_at(peer_of(reply, "n2"), numbers[i]) >= 0, "no %s in %s",
			numbers[i], reply->body);
	CHECK_INT(json_number_at(peer_of(reply, "n2"), "lag_events"), 0);
	CHECK(json_number_at(peer_of(reply, "n2"), "bytes_received") > 0, "no bytes: %s",
		reply->body);
	CHECK(json_is_false(json_at(peer_of(reply, "n2"), "diverged")), "diverged: %s",
		reply->body);
	CHECK(*json_str(peer_of(reply, "n2"), "last_sync_at"), "no last_sync_at: %s", reply->body);

	node_signal(&c->nodes[1], SIGSTOP);
	name_put(n1, "k", "v");
	until_far(n1, "n2", false);
	until_far(n1, "n3", true);
	node_signal(&c->nodes[1], SIGCONT);
	until_far(n1, "n2", true);
}

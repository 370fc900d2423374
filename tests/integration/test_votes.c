/* Names asked for with a majority: a 201 is never false, and never taken back. */
#include "tests/integration/suite.h"

SUITE(votes);

enum { KEYS = 40, HEAL_MS = 15000 };

static const char *body_of(int owner)
{
	return text_of(
		"{\"value\":%d,\"owner\":{\"kind\":\"static\",\"id\":\"n%d\"}}", owner, owner);
}

static const char *owner_at(const struct node *at, int key)
{
	struct http_reply *r = node_call(at, "GET", NULL, ENTRIES "/k%d", key);

	return r->status == 200 ? json_str(r->json, "owner.id") : "";
}

/* All three nodes ask for each key at once. */
static void race(struct cluster *c, struct http_reply *(*replies)[3])
{
	static struct http_request requests[3 * KEYS];
	static struct http_reply *all[3 * KEYS];
	static char urls[3 * KEYS][256], bodies[3][128];

	for (int n = 0; n < 3; n++)
		snprintf(bodies[n], sizeof(bodies[n]), "%s", body_of(n + 1));
	for (int i = 0; i < 3 * KEYS; i++) {
		snprintf(urls[i], sizeof(urls[i]), "%s",
			node_url(&c->nodes[i % 3], ENTRIES "/k%d?ack=majority", i / 3));
		requests[i] = (struct http_request){
			.method = "PUT", .url = urls[i], .body = bodies[i % 3]};
	}
	http_send_all(requests, all, 3 * KEYS);
	for (int i = 0; i < 3 * KEYS; i++)
		replies[i / 3][i % 3] = all[i];
}

/* Which of the three was told that it has the key, or -1. */
static int winner_of(struct http_reply **replies, int key)
{
	int winner = -1;

	for (int n = 0; n < 3; n++) {
		if (replies[n]->status != 201) {
			expect_problem(replies[n], 409, "conflict-lost|already-registered");
			continue;
		}
		CHECK(winner < 0, "n%d and n%d were both told that they have k%d", winner + 1,
			n + 1, key);
		CHECK_STR(json_str(replies[n]->json, "certainty"), "majority");
		winner = n;
	}
	return winner;
}

CLUSTER_TEST(votes, s088_of_three_nodes_at_most_one_is_told_that_it_has_a_key)
{
	static struct http_reply *replies[KEYS][3];
	struct cluster *c = cluster_start(3, NULL);
	int won = 0;

	race(c, replies);
	/* Withdrawals are writes too: what is written after them comes after them. */
	for (int n = 0; n < 3; n++)
		expect_status(
			node_call(&c->nodes[n], "PUT", "{\"value\":1}", META "/m%d?ack=all", n),
			201);
	for (int key = 0; key < KEYS; key++) {
		int winner = winner_of(replies[key], key);

		won += winner >= 0;
		for (int n = 0; n < 3; n++)
			CHECK_STR(owner_at(&c->nodes[n], key),
				winner < 0 ? "" : text_of("n%d", winner + 1));
		/* Who lost may ask again, and is told the truth. */
		if (winner < 0)
			expect_status(node_call(&c->nodes[0], "PUT", body_of(1),
					      ENTRIES "/k%d?ack=majority", key),
				201);
	}
	printf("%d of %d keys had a winner at once\n", won, KEYS);
}

/* The third node is down meanwhile, and then alone: it writes last, and would win by its clock. */
CLUSTER_TEST(votes, a_registration_without_the_majority_never_takes_a_key_from_one_with_it)
{
	struct cluster *c = cluster_start(3, NULL);

	node_kill(&c->nodes[2]);
	expect_status(node_call(&c->nodes[0], "PUT", body_of(1), ENTRIES "/k0?ack=majority"), 201);
	node_kill(&c->nodes[0]);
	node_kill(&c->nodes[1]);
	node_start(&c->nodes[2]);
	http_until_status(node_url(&c->nodes[2], "/readyz"), 200, check_ms(HEAL_MS));
	expect_status(node_call(&c->nodes[2], "PUT", body_of(3), ENTRIES "/k0"), 201);
	node_start(&c->nodes[0]);
	node_start(&c->nodes[1]);
	for (int i = 0; i < 3; i++)
		http_until_str(
			node_url(&c->nodes[i], ENTRIES "/k0"), "owner.id", "n1", check_ms(HEAL_MS));
}

CLUSTER_TEST(votes, without_a_majority_nobody_is_told_that_it_has_the_key)
{
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;

	node_kill(&c->nodes[1]);
	node_kill(&c->nodes[2]);
	r = node_call(&c->nodes[0], "PUT", body_of(1), ENTRIES "/k0?ack=majority&wait=200ms");
	expect_problem(r, 504, "not-yet-replicated");
	r = expect_status(node_call(&c->nodes[0], "PUT", body_of(1), ENTRIES "/k1"), 201);
	CHECK_STR(json_str(r->json, "certainty"), "local");
}

static const char *fence_of(const struct node *at, const char *key)
{
	return json_str(
		expect_status(node_call(at, "GET", NULL, ENTRIES "/%s", key), 200)->json, "fence");
}

CLUSTER_TEST(votes, a_fence_grows_with_each_owner_and_with_each_takeover)
{
	struct cluster *c = cluster_start(2, NULL);
	char first[64], second[64], third[64];
	struct node *owner;

	expect_status(node_call(&c->nodes[0], "PUT", body_of(1), ENTRIES "/k0?ack=all"), 201);
	snprintf(first, sizeof(first), "%s", fence_of(&c->nodes[0], "k0"));
	expect_status(
		node_call(&c->nodes[1], "PATCH", "{\"value\":5}", ENTRIES "/k0?ack=all"), 200);
	CHECK_STR(fence_of(&c->nodes[0], "k0"), first);
	expect_status(node_call(&c->nodes[0], "DELETE", NULL, ENTRIES "/k0?ack=all"), 204);
	expect_status(
		child_put(&c->nodes[1], "web",
			"{\"command\":[\"/bin/sleep\",\"600\"],\"register\":[{\"key\":\"k0\"}]}"),
		201);
	http_until_str(node_url(&c->nodes[0], ENTRIES "/k0"), "owner.id", "default/web",
		check_ms(CLUSTER_SOON_MS));
	snprintf(second, sizeof(second), "%s", fence_of(&c->nodes[0], "k0"));
	CHECK(strcmp(second, first) > 0, "%s is not after %s", second, first);
	owner = child_owner(c, child_get(&c->nodes[0], "web"));
	node_kill(owner);
	owner = owner == &c->nodes[0] ? &c->nodes[1] : &c->nodes[0];
	http_until_str(
		node_url(owner, ENTRIES "/k0"), "owner.node", owner->name, check_ms(HEAL_MS));
	snprintf(third, sizeof(third), "%s", fence_of(owner, "k0"));
	CHECK(strcmp(third, second) > 0, "%s is not after %s", third, second);
}

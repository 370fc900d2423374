/* Leases: who may use one, who holds it, what keeps it alive, and what goes with it. */
#include "tests/integration/suite.h"

#include "tests/lib/proxy.h"

SUITE(leases);

enum { HEAL_MS = 15000, END_MS = 15000, CALLS = 8 };

#define LONG_MS 60000 /* longer than any test */
#define ENTRY "/v1/registries/default/entries/"

struct lease {
	char id[64];
	char secret[64];
};

/* With the secret, unless that is NULL. */
static struct http_reply *call(const struct node *at, const char *method, const char *secret,
	const char *body, const char *path)
{
	struct http_request request = {
		.method = method, .url = node_url(at, "%s", path), .body = body};

	if (secret)
		request.headers[0] = text_of("Horde-Lease-Secret: %s", secret);
	return http_send(&request);
}

static struct lease lease_of(const struct http_reply *r)
{
	struct lease l;

	snprintf(l.id, sizeof(l.id), "%s", json_str(r->json, "id"));
	snprintf(l.secret, sizeof(l.secret), "%s", json_str(r->json, "secret"));
	return l;
}

static struct lease make(const struct node *at, long ttl_ms)
{
	return lease_of(expect_status(
		node_call(at, "POST", text_of("{\"ttl_ms\":%ld}", ttl_ms), "/v1/leases?ack=all"),
		201));
}

static const char *path_of(const struct lease *l)
{
	return text_of("/v1/leases/%s", l->id);
}

static struct http_reply *show(const struct node *at, const struct lease *l)
{
	return call(at, "GET", NULL, NULL, path_of(l));
}

static struct http_reply *renew(const struct node *at, const struct lease *l)
{
	return call(at, "PUT", l->secret, NULL, text_of("/v1/leases/%s/renew", l->id));
}

static struct http_reply *claim_as(
	const struct node *at, const struct lease *l, const char *secret, const char *key)
{
	return call(at, "PUT", secret,
		text_of("{\"owner\":{\"kind\":\"lease\",\"id\":\"%s\"},\"value\":1}", l->id),
		text_of(ENTRY "%s", key));
}

static void claim(const struct node *at, const struct lease *l, const char *key)
{
	expect_status(claim_as(at, l, l->secret, text_of("%s?ack=one", key)), 201);
}

static void until_gone(struct cluster *c, const char *path)
{
	for (int i = 0; i < c->count; i++)
		if (c->nodes[i].pid)
			http_until_status(
				node_url(&c->nodes[i], "%s", path), 404, check_ms(END_MS));
}

/* Reads that are no renewals, and take so long. */
static void pass(const struct node *at, const struct lease *l, const char *wait)
{
	const char *etag = json_str(show(at, l)->json, "etag");

	expect_status(call(at, "GET", NULL, NULL,
			      text_of("/v1/leases/%s?since=%s&wait=%s", l->id, etag, wait)),
		200);
}

CLUSTER_TEST(leases, are_shown_alike_and_ended_at_any_node)
{
	struct cluster *c = cluster_start(3, NULL);
	struct lease l = make(&c->nodes[0], LONG_MS);
	struct http_reply *r;

	CHECK_INT((int)strlen(l.secret), 32);
	claim(&c->nodes[1], &l, "k");
	for (int i = 0; i < 3; i++) {
		r = expect_status(show(&c->nodes[i], &l), 200);
		CHECK_STR(json_str(r->json, "node"), "n1");
		CHECK_INT(json_number_at(r->json, "ttl_ms"), LONG_MS);
		CHECK(!strstr(r->body, l.secret), "it is shown once");
		CHECK_STR(expect_etag(r), expect_etag(show(&c->nodes[0], &l)));
	}
	r = http_until_status(node_url(&c->nodes[2], ENTRY "k"), 200, check_ms(END_MS));
	CHECK_STR(json_str(r->json, "owner.id"), l.id);
	CHECK_STR(json_str(r->json, "owner.kind"), "lease");
	expect_status(call(&c->nodes[2], "DELETE", l.secret, NULL, path_of(&l)), 204);
	until_gone(c, ENTRY "k");
	until_gone(c, path_of(&l));
	expect_problem(show(&c->nodes[1], &l), 404, "lease-not-found");
	expect_problem(renew(&c->nodes[1], &l), 410, "lease-expired");
	expect_problem(
		call(&c->nodes[1], "DELETE", NULL, NULL, path_of(&l)), 404, "lease-not-found");
	expect_status(
		call(&c->nodes[1], "DELETE", NULL, NULL, text_of("/v1/leases/%s?missing_ok", l.id)),
		204);
}

/* Whatever acts for a lease needs its secret, at every node. */
CLUSTER_TEST(leases, nobody_acts_for_one_without_its_secret)
{
	struct cluster *c = cluster_start(2, NULL);
	struct lease l = make(&c->nodes[0], LONG_MS), other = make(&c->nodes[0], LONG_MS);
	const char *wrong[] = {NULL, "x", other.secret, l.id};
	char owner[80];

	snprintf(owner, sizeof(owner), "?owner=lease:%s", l.id);
	claim(&c->nodes[0], &l, "k");
	http_until_status(node_url(&c->nodes[1], ENTRY "k"), 200, check_ms(END_MS));
	for (int i = 0; i < 2; i++) {
		const struct node *at = &c->nodes[i];

		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
			expect_problem(claim_as(at, &l, wrong[k], "new"), 403, "forbidden");
			expect_problem(claim_as(at, &l, wrong[k], "k"), 403, "forbidden");
			expect_problem(call(at, "PATCH", wrong[k], "{\"value\":2}",
					       text_of(ENTRY "k%s", owner)),
				403, "forbidden");
			expect_problem(
				call(at, "DELETE", wrong[k], NULL, text_of(ENTRY "k%s", owner)),
				403, "forbidden");
			expect_problem(call(at, "POST", wrong[k], "{\"match\":{}}",
					       text_of("/v1/registries/default/unregister_select%s",
						       owner)),
				403, "forbidden");
			expect_problem(call(at, "PUT", wrong[k], NULL,
					       text_of("/v1/leases/%s/renew", l.id)),
				403, "forbidden");
			if (!wrong[k])
				continue;
			expect_problem(
				call(at, "GET", wrong[k], NULL, path_of(&l)), 403, "forbidden");
			expect_problem(
				call(at, "DELETE", wrong[k], NULL, path_of(&l)), 403, "forbidden");
		}
		CHECK_INT(json_number_at(
				  expect_status(call(at, "GET", NULL, NULL, ENTRY "k"), 200)->json,
				  "value"),
			1);
	}
	expect_problem(call(&c->nodes[0], "GET", NULL, NULL, ENTRY "new"), 404, "key-not-found");
	/* With the other's own secret it is the other that asks. */
	expect_problem(
		claim_as(&c->nodes[0], &other, other.secret, "k"), 409, "already-registered");
	expect_problem(call(&c->nodes[0], "DELETE", other.secret, NULL,
			       text_of(ENTRY "k?owner=lease:%s", other.id)),
		409, "not-owner");
	expect_status(
		call(&c->nodes[1], "PATCH", l.secret, "{\"value\":2}", text_of(ENTRY "k%s", owner)),
		200);
	expect_status(
		call(&c->nodes[1], "DELETE", l.secret, NULL, text_of(ENTRY "k%s", owner)), 204);
	/* An administrator needs none. */
	expect_status(call(&c->nodes[1], "DELETE", NULL, NULL, path_of(&l)), 204);
}

CLUSTER_TEST(leases, one_that_nobody_renews_frees_its_names_on_every_node)
{
	struct cluster *c = cluster_start(3, NULL);
	struct lease l = make(&c->nodes[1], 3000);

	for (int i = 0; i < 3; i++)
		claim(&c->nodes[i], &l, text_of("k%d", i));
	expect_status(node_call(&c->nodes[0], "PUT",
			      "{\"owner\":{\"kind\":\"static\",\"id\":\"me\"},\"value\":1}",
			      ENTRY "mine?ack=all"),
		201);
	for (int i = 0; i < 3; i++)
		until_gone(c, text_of(ENTRY "k%d", i));
	for (int i = 0; i < 3; i++) {
		expect_problem(renew(&c->nodes[i], &l), 410, "lease-expired");
		expect_problem(show(&c->nodes[i], &l), 404, "lease-not-found");
		expect_fault(claim_as(&c->nodes[i], &l, l.secret, "k"), "/owner/id");
		expect_status(call(&c->nodes[i], "GET", NULL, NULL, ENTRY "mine"), 200);
	}
	expect_status(
		node_call(&c->nodes[2], "PUT",
			"{\"owner\":{\"kind\":\"static\",\"id\":\"me\"},\"value\":1}", ENTRY "k0"),
		201);
}

CLUSTER_TEST(leases, any_node_renews_one_and_its_holder_stays)
{
	struct cluster *c = cluster_start(3, NULL);
	struct lease l = make(&c->nodes[0], 5000);
	struct http_reply *r;

	claim(&c->nodes[0], &l, "k");
	for (int i = 1; i < 8; i++) {
		r = expect_status(renew(&c->nodes[i % 3], &l), 200);
		CHECK_STR(json_str(r->json, "node"), "n1");
		CHECK_INT(json_number_at(r->json, "epoch"), 1);
		pass(&c->nodes[i % 3], &l, "2s");
	}
	expect_status(call(&c->nodes[1], "GET", NULL, NULL, ENTRY "k"), 200);
	until_gone(c, ENTRY "k");
}

static bool is_held_by_another(const struct http_reply *r, const void *argument)
{
	return r->status == 200 && strcmp(json_str(r->json, "node"), argument) != 0;
}

CLUSTER_TEST(leases, of_a_killed_node_are_taken_over_with_their_names)
{
	struct cluster *c = cluster_start(3, NULL);
	struct lease leases[CALLS];
	char holder[16];
	struct http_reply *r;

	for (int i = 0; i < CALLS; i++) {
		leases[i] = make(&c->nodes[0], LONG_MS);
		claim(&c->nodes[0], &leases[i], text_of("k%d", i));
	}
	node_kill(&c->nodes[0]);
	for (int i = 0; i < CALLS; i++) {
		r = http_until(node_url(&c->nodes[1], "%s", path_of(&leases[i])),
			is_held_by_another, "n1", check_ms(CLUSTER_FAIL_MS), "it is taken over");
		CHECK_INT(json_number_at(r->json, "epoch"), 2);
		snprintf(holder, sizeof(holder), "%s", json_str(r->json, "node"));
		http_until_str(node_url(&c->nodes[2], "%s", path_of(&leases[i])), "node", holder,
			check_ms(CLUSTER_FAIL_MS));
		r = http_until_str(node_url(&c->nodes[2], ENTRY "k%d", i), "owner.node", holder,
			check_ms(CLUSTER_FAIL_MS));
		CHECK(json_is_false(json_at(r->json, "stale")), "somebody vouches for it");
		expect_status(renew(&c->nodes[1 + i % 2], &leases[i]), 200);
	}
	node_start(&c->nodes[0]);
	node_wait_ready(&c->nodes[0]);
	for (int i = 0; i < CALLS; i++) {
		expect_status(renew(&c->nodes[0], &leases[i]), 200);
		CHECK_INT(json_number_at(show(&c->nodes[0], &leases[i])->json, "epoch"), 2);
	}
	expect_status(
		call(&c->nodes[0], "DELETE", leases[0].secret, NULL, path_of(&leases[0])), 204);
	until_gone(c, ENTRY "k0");
	expect_status(call(&c->nodes[0], "GET", NULL, NULL, ENTRY "k1"), 200);
}

CLUSTER_TEST(leases, who_asks_another_node_right_after_the_kill_has_renewed)
{
	struct cluster *c = cluster_start(3, NULL);
	struct lease l = make(&c->nodes[0], LONG_MS);

	claim(&c->nodes[0], &l, "k");
	http_until_status(node_url(&c->nodes[1], ENTRY "k"), 200, check_ms(END_MS));
	node_kill(&c->nodes[0]);
	expect_status(renew(&c->nodes[1], &l), 200);
	expect_status(call(&c->nodes[1], "GET", NULL, NULL, ENTRY "k"), 200);
}

CLUSTER_TEST(leases, of_a_frozen_node_goes_on_where_it_is_renewed)
{
	struct cluster *c = cluster_start(2, NULL);
	struct lease l = make(&c->nodes[0], 6000);
	struct http_reply *r;

	claim(&c->nodes[0], &l, "k");
	node_signal(&c->nodes[0], SIGSTOP);
	for (int i = 0; i < 5; i++) {
		r = expect_status(renew(&c->nodes[1], &l), 200);
		CHECK_STR(json_str(r->json, "node"), "n2");
		pass(&c->nodes[1], &l, "2s");
	}
	node_signal(&c->nodes[0], SIGCONT);
	/* Its own time has long been over: it ends what it held, and takes nothing of the other's.
	 */
	expect_status(renew(&c->nodes[1], &l), 200);
	http_until_str(node_url(&c->nodes[0], "%s", path_of(&l)), "node", "n2", check_ms(HEAL_MS));
	expect_status(renew(&c->nodes[0], &l), 200);
	for (int i = 0; i < 2; i++)
		http_until_str(
			node_url(&c->nodes[i], ENTRY "k"), "owner.node", "n2", check_ms(HEAL_MS));
	CHECK_INT(json_number_at(renew(&c->nodes[0], &l)->json, "epoch"), 2);
}

CLUSTER_TEST(leases, survive_the_restart_of_their_node)
{
	struct cluster *c = cluster_start(1, NULL);
	struct lease l = make(&c->nodes[0], 6000);

	expect_status(claim_as(&c->nodes[0], &l, l.secret, "k"), 201);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			node_kill(&c->nodes[0]);
		else
			CHECK_INT(node_term(&c->nodes[0], check_ms(CLUSTER_START_MS)), 0);
		node_start(&c->nodes[0]);
		node_wait_ready(&c->nodes[0]);
		expect_status(call(&c->nodes[0], "GET", NULL, NULL, ENTRY "k"), 200);
		expect_status(renew(&c->nodes[0], &l), 200);
	}
	until_gone(c, ENTRY "k");
	expect_problem(renew(&c->nodes[0], &l), 410, "lease-expired");
}

/* At the node that holds it, and at one that does not. */
CLUSTER_TEST(leases, a_parked_read_with_the_secret_keeps_one_alive)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_flight *flights[2];
	struct http_request requests[2];
	struct http_reply *r;
	struct lease leases[2];

	for (int i = 0; i < 2; i++) {
		leases[i] = make(&c->nodes[0], 5000);
		claim(&c->nodes[0], &leases[i], text_of("k%d", i));
		requests[i] = (struct http_request){.method = "GET",
			.url = node_url(&c->nodes[i], "/v1/leases/%s?wait=60s&since=%s",
				leases[i].id,
				json_str(show(&c->nodes[i], &leases[i])->json, "etag")),
			.headers = {text_of("Horde-Lease-Secret: %s", leases[i].secret)},
			.timeout_ms = 90000};
		flights[i] = http_begin(&requests[i], 1);
	}
	/* Each is driven only while it is looked at. */
	for (int i = 0; i < 60; i++)
		CHECK(http_parked(flights[0], 100) && http_parked(flights[1], 100), "they wait");
	for (int i = 0; i < 2; i++)
		expect_status(call(&c->nodes[1], "GET", NULL, NULL, text_of(ENTRY "k%d", i)), 200);
	/* It is told of the end; and a client that hangs up renews no more. */
	expect_status(call(&c->nodes[1], "DELETE", NULL, NULL, path_of(&leases[0])), 204);
	http_finish(flights[0], &r);
	expect_problem(r, 404, "lease-not-found");
	http_drop(flights[1]);
	until_gone(c, ENTRY "k1");
	until_gone(c, path_of(&leases[1]));
}

static const struct cluster_options proxied = {.proxied = true};

static void cut(struct cluster *c, enum proxy_mode mode)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, 0);
}

/* Two that could not know of each other have one key: the later one keeps it. */
CLUSTER_TEST(leases, a_name_that_was_lost_is_told_once_and_the_others_stay)
{
	struct cluster *c = cluster_start(2, &proxied);
	struct lease l = make(&c->nodes[0], LONG_MS), winner = make(&c->nodes[1], LONG_MS);
	struct http_reply *r;

	claim(&c->nodes[0], &l, "mine");
	cut(c, PROXY_SILENT);
	expect_status(claim_as(&c->nodes[0], &l, l.secret, "both"), 201);
	expect_status(claim_as(&c->nodes[1], &winner, winner.secret, "both"), 201);
	cut(c, PROXY_FORWARD);
	http_until_str(
		node_url(&c->nodes[0], ENTRY "both"), "owner.id", winner.id, check_ms(HEAL_MS));
	r = expect_problem(renew(&c->nodes[1], &l), 409, "conflict-lost");
	CHECK_STR(json_str(r->json, "lost.0"), "default/both");
	CHECK_INT((int)json_array_size(json_at(r->json, "lost")), 1);
	expect_status(renew(&c->nodes[1], &l), 200);
	expect_status(renew(&c->nodes[0], &l), 200);
	expect_status(renew(&c->nodes[0], &winner), 200);
	for (int i = 0; i < 2; i++)
		CHECK_STR(json_str(http_until_status(node_url(&c->nodes[i], ENTRY "mine"), 200,
					   check_ms(HEAL_MS))
					   ->json,
				  "owner.id"),
			l.id);
	/* The loser's end takes nothing of the winner's. */
	expect_status(call(&c->nodes[0], "DELETE", l.secret, NULL, path_of(&l)), 204);
	until_gone(c, ENTRY "mine");
	expect_status(call(&c->nodes[0], "GET", NULL, NULL, ENTRY "both"), 200);
}

/* Neither in the store of any node nor in its log. */
static bool is_written_down(const struct cluster *c, const char *secret)
{
	return system(text_of("grep -rqs %s %s", secret, c->dir)) == 0;
}

CLUSTER_TEST(leases, a_secret_is_kept_nowhere_with_an_idempotency_key_neither)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_request request = {.method = "POST",
		.body = "{\"ttl_ms\":60000}",
		.headers = {"Idempotency-Key: once"}};
	struct lease first, again, l = make(&c->nodes[0], LONG_MS);

	request.url = node_url(&c->nodes[0], "/v1/leases?ack=all");
	first = lease_of(expect_status(http_send(&request), 201));
	request.url = node_url(&c->nodes[1], "/v1/leases?ack=all");
	again = lease_of(expect_status(http_send(&request), 201));
	CHECK_STR(first.id, again.id);
	CHECK(strcmp(first.secret, again.secret) != 0, "another secret in place of the first");
	expect_problem(renew(&c->nodes[0], &first), 403, "forbidden");
	expect_status(renew(&c->nodes[0], &again), 200);
	claim(&c->nodes[1], &l, "k");
	expect_status(renew(&c->nodes[1], &l), 200);
	for (int i = 0; i < 2; i++)
		CHECK_INT(node_term(&c->nodes[i], check_ms(CLUSTER_START_MS)), 0);
	CHECK(is_written_down(c, l.id), "its id is");
	CHECK(!is_written_down(c, l.secret) && !is_written_down(c, first.secret) &&
			!is_written_down(c, again.secret),
		"a secret was found");
}

CLUSTER_TEST(leases, bad_times_are_refused_and_make_none)
{
	static const char *const bad[][2] = {
		{"{}", "/ttl_ms"},
		{"{\"ttl_ms\":999}", "/ttl_ms"},
		{"{\"ttl_ms\":86400001}", "/ttl_ms"},
		{"{\"ttl_ms\":1000.5}", "/ttl_ms"},
		{"{\"ttl_ms\":\"1000\"}", "/ttl_ms"},
		{"{\"ttl_ms\":null}", "/ttl_ms"},
		{"{\"ttl_ms\":1000,\"secret\":\"mine\"}", "/secret"},
	};
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_fault(node_call(n, "POST", bad[i][0], "/v1/leases"), bad[i][1]);
	expect_problem(node_call(n, "POST", "{\"ttl_ms\":1", "/v1/leases"), 400, "bad-json");
	expect_problem(node_call(n, "GET", NULL, "/v1/leases/mine"), 422, "invalid-spec");
	expect_fault(
		node_call(n, "PUT", "{\"owner\":{\"kind\":\"lease\",\"id\":\"mine\"},\"value\":1}",
			ENTRY "k"),
		"/owner/id");
	expect_problem(node_call(n, "DELETE", NULL, ENTRY "k?owner=lease:MINE"), 400, "bad-query");
	make(n, 1000);
	make(n, 86400000);
}

/* Thousands of reads that are parked at one node. */
#include "tests/integration/suite.h"

#include "tests/lib/crowd.h"
#include "tests/lib/values.h"

SUITE(watches);

enum {
	WATCHERS = 5000,
	SLOTS = 6144, /* as the contract says */
	STILL_MS = 500,
	ALL_MS = 20000
};

static void write_key(const struct node *at, int key, int value)
{
	expect_success(node_call(at, "PUT", text_of("{\"value\":\"%d\"," BY_ALICE "}", value),
		ENTRIES "/watch-%d?ack=memory", key));
	http_forget_all();
}

static char *etag_of(const struct node *at, int key)
{
	struct http_reply *r =
		expect_status(node_call(at, "GET", NULL, ENTRIES "/watch-%d", key), 200);
	char *etag = strdup(json_str(r->json, "etag"));

	CHECK(etag && *etag, "no etag in %s", r->body);
	http_forget_all();
	return etag;
}

static void wait_for(struct crowd *crowd, int index, int key, const char *etag)
{
	crowd_get(crowd, index, text_of(ENTRIES "/watch-%d?since=%s&wait=5m", key, etag));
}

/* Each waits for its own key; the written ones are answered, and nobody else is. */
CLUSTER_TEST(watches, of_5000_those_are_woken_whose_key_was_written)
{
	enum { WRITTEN = 40, STEP = WATCHERS / WRITTEN };
	struct cluster *c = cluster_start(2, NULL);
	struct crowd *crowd = crowd_open(c->nodes[0].port, WATCHERS);

	/* A key that is not there yet: its version is that of absence. */
	for (int i = 0; i < WATCHERS; i++)
		crowd_get(crowd, i, text_of(ENTRIES "/watch-%d?wait=5m", i));
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	write_key(&c->nodes[0], 7, 1);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(ALL_MS)), 1);
	CHECK_INT(crowd_status(crowd, 7), 200);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	for (int i = 0; i < WRITTEN; i++)
		write_key(&c->nodes[i % 2], i * STEP, i);
	CHECK_INT(crowd_collect(crowd, WRITTEN, check_ms(ALL_MS)), WRITTEN);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	for (int i = 0; i < WATCHERS; i++)
		CHECK_INT(crowd_status(crowd, i), i == 7 || i % STEP == 0 ? 200 : 0);
	crowd_close(crowd);
}

CLUSTER_TEST(watches, all_5000_of_one_key_are_told_its_new_version)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	struct crowd *crowd = crowd_open(n1->port, WATCHERS);
	char *old, *new;

	write_key(n1, 0, 1);
	old = etag_of(n1, 0);
	for (int i = 0; i < WATCHERS; i++)
		wait_for(crowd, i, 0, old);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	write_key(n2, 0, 2);
	CHECK_INT(crowd_collect(crowd, WATCHERS, check_ms(ALL_MS)), WATCHERS);
	new = etag_of(n1, 0);
	for (int i = 0; i < WATCHERS; i++) {
		const char *answer = crowd_answer(crowd, i);

		CHECK_INT(crowd_status(crowd, i), 200);
		CHECK(strstr(answer, "\"value\":\"2\"") && strstr(answer, new) &&
				strcasestr(answer, "\r\nHorde-Changed: true"),
			"%s", answer);
	}
	/* Half of them have the new version, half the old one. */
	for (int i = 0; i < WATCHERS; i++)
		wait_for(crowd, i, 0, i % 2 ? new : old);
	CHECK_INT(crowd_collect(crowd, WATCHERS / 2, check_ms(ALL_MS)), WATCHERS / 2);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	for (int i = 0; i < WATCHERS; i++)
		CHECK_INT(crowd_status(crowd, i), i % 2 ? 0 : 200);
	crowd_close(crowd);
	free(old);
	free(new);
}

/* What hangs up is free again within a second, and not a slot more. */
CLUSTER_TEST(watches, slots_are_limited_and_free_once_their_clients_have_gone)
{
	enum { GONE = 1500 };
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	struct crowd *crowd = crowd_open(n->port, SLOTS), *next = crowd_open(n->port, GONE + 1);
	int last = -1;

	for (int i = 0; i < SLOTS; i++)
		crowd_get(crowd, i, text_of(ENTRIES "/watch-%d?wait=5m", i % 3));
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	crowd_get(next, 0, ENTRIES "/watch-0?wait=5m");
	CHECK_INT(crowd_collect(next, 1, check_ms(ALL_MS)), 1);
	CHECK_INT(crowd_status(next, 0), 503);
	CHECK(strstr(crowd_answer(next, 0), "watch-slots-exhausted") &&
			strcasestr(crowd_answer(next, 0), "\r\nRetry-After: "),
		"%s", crowd_answer(next, 0));
	expect_status(node_call(n, "GET", NULL, "/v1/node"), 200);
	for (int i = 0; i < GONE; i++)
		crowd_hang_up(crowd, i);
	check_pause_ms(check_ms(1000));
	for (int i = 0; i <= GONE; i++)
		crowd_get(next, i, ENTRIES "/watch-0?wait=5m");
	CHECK_INT(crowd_collect(next, 1, check_ms(ALL_MS)), 1);
	CHECK_INT(crowd_collect(next, 1, check_ms(STILL_MS)), 0);
	for (int i = 0; i <= GONE; i++)
		last = crowd_status(next, i) ? i : last;
	CHECK_INT(crowd_status(next, last), 503);
	write_key(n, 0, 1);
	CHECK_INT(crowd_collect(next, GONE, check_ms(ALL_MS)), GONE);
	crowd_close(crowd);
	crowd_close(next);
}

/* Opinions about members are news for names that live on one, and for no others. */
CLUSTER_TEST(watches, the_end_of_a_node_wakes_those_whose_owner_it_had)
{
	struct cluster *c = cluster_start(3, NULL);
	struct crowd *crowd;
	char id[64], *etags[2];

	child_start_on(c, &c->nodes[2], "owner", SLEEPER, id, sizeof id);
	expect_status(node_call(&c->nodes[0], "PUT",
			      text_of("{\"value\":\"1\",\"owner\":{\"kind\":\"child\",\"id\":"
				      "\"default/%s\"}}",
				      id),
			      ENTRIES "/watch-0"),
		201);
	write_key(&c->nodes[0], 1, 1);
	/* That the owner is ready is part of what is waited for. */
	http_until_int(node_url(&c->nodes[0], "/v1/registries/default/count?ready=true"), "count",
		2, check_ms(CLUSTER_SOON_MS));
	etags[0] = etag_of(&c->nodes[0], 0);
	etags[1] = etag_of(&c->nodes[0], 1);
	crowd = crowd_open(c->nodes[0].port, 2);
	for (int i = 0; i < 2; i++)
		wait_for(crowd, i, i, etags[i]);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	node_kill(&c->nodes[2]);
	CHECK_INT(crowd_collect(crowd, 1, check_ms(ALL_MS)), 1);
	CHECK_INT(crowd_status(crowd, 0), 200);
	CHECK(strstr(crowd_answer(crowd, 0), "\"stale\":true"), "%s", crowd_answer(crowd, 0));
	CHECK_INT(crowd_collect(crowd, 1, check_ms(STILL_MS)), 0);
	crowd_close(crowd);
	free(etags[0]);
	free(etags[1]);
}

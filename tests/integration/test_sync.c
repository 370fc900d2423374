/* What goes over the lines, and how much of it. Bytes are counted by a relay before each node. */
#include "tests/integration/suite.h"

#include "tests/lib/store.h"
#include "tests/lib/values.h"

SUITE(sync);

enum {
	STILL_MS = 120,
	TRIES = 3,
	SHORT = 40,        /* digits of a value */
	SLACK_BYTES = 120, /* numbers with more digits, a header more */
	RESTARTS = 50,
	SYNC_MS = 15000
};

static const struct cluster_options proxied = {.proxied = true};

/* One change at n1 over still lines, until it is known at n2 and the lines are still again. */
static long change_once(struct cluster *c, const char *value)
{
	long before = cluster_quiet(c, STILL_MS);
	const char *dot = name_put(&c->nodes[0], "changed", value);

	CHECK_STR(json_str(expect_status(name_after(&c->nodes[1], "changed", dot), 200)->json,
			  "value"),
		value);
	return cluster_quiet(c, STILL_MS) - before;
}

/* The least of some tries: a beat or a look at somebody's health may come in between. */
static long bytes_of_change(struct cluster *c, int digits)
{
	long least = 0;

	for (int i = 0; i < TRIES; i++) {
		char *value = value_random(digits);
		long bytes;

		value[digits + 1] = '\0';
		bytes = change_once(c, value + 1);
		least = i == 0 || bytes < least ? bytes : least;
		free(value);
	}
	return least;
}

CLUSTER_TEST(sync, s115_one_changed_key_among_10000_costs_as_much_as_among_10)
{
	enum { MANY = 10000, LONG_VALUE = 8000 };
	struct cluster *c = cluster_start(2, &proxied);
	long few, many, longer;

	names_put(&c->nodes[0], "k", 0, 10, SHORT);
	few = bytes_of_change(c, SHORT);
	names_put(&c->nodes[0], "k", 10, MANY, SHORT);
	many = bytes_of_change(c, SHORT);
	CHECK(many < few + SLACK_BYTES, "%ld bytes among 10, %ld among %d", few, many, MANY);
	longer = bytes_of_change(c, LONG_VALUE);
	CHECK(longer > LONG_VALUE / 3 && longer < many + LONG_VALUE + SLACK_BYTES,
		"%ld bytes for a value of %d, %ld for one of %d", longer, LONG_VALUE, many, SHORT);
	values_settle(c, CLUSTER_SOON_MS);
}

/* Starts it and waits until it has everything; returns the bytes of all lines meanwhile. */
static long bytes_of_start(struct cluster *c, struct node *node, long long names)
{
	long before = cluster_quiet(c, STILL_MS);

	if (!node->pid)
		node_start(node);
	node_wait_ready(node);
	names_until_count(node, "", names, SYNC_MS);
	return cluster_quiet(c, STILL_MS) - before;
}

CLUSTER_TEST(sync, s115_a_node_that_was_away_fetches_what_changed)
{
	enum { MANY = 5000, CHANGED = 50 };
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n3;
	long cold, again;

	names_put(&c->nodes[0], "k", 0, MANY, 100);
	n3 = cluster_declare(c, &c->nodes[0], NULL);
	cold = bytes_of_start(c, n3, MANY);
	cluster_settle(c);
	node_kill(n3);
	names_put(&c->nodes[0], "k", MANY / 2, CHANGED, 100);
	names_delete(&c->nodes[1], "k", 0, CHANGED);
	again = bytes_of_start(c, n3, MANY - CHANGED);
	CHECK(again * 10 < cold, "%ld bytes for the %d changes, %ld for all %d", again, 2 * CHANGED,
		cold, MANY);
	values_settle(c, SYNC_MS);
}

CLUSTER_TEST(sync, s046_fifty_restarts_leave_no_weight_on_the_line)
{
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	long before, after = 0;
	long long entries, origins, lives;
	int64_t end;

	names_put(n1, "k", 0, 10, SHORT);
	before = bytes_of_change(c, SHORT);
	entries = store_number(n1, "SELECT count(*) FROM entry");
	origins = store_number(n1, "SELECT count(*) FROM vec");
	for (int i = 0; i < RESTARTS; i++) {
		node_kill(n2);
		node_start(n2);
		node_wait_ready(n2);
	}
	cluster_settle(c);
	values_settle(c, SYNC_MS);
	/* All must have agreed on what is retired before it is left out. */
	for (end = check_now_ms() + check_ms(CLUSTER_FAIL_MS); check_now_ms() < end;) {
		after = bytes_of_change(c, SHORT);
		if (after < before + SLACK_BYTES)
			break;
	}
	CHECK(after < before + SLACK_BYTES, "a change took %ld bytes, and %ld after %d restarts",
		before, after, RESTARTS);
	CHECK_INT(store_number(n1, "SELECT count(*) FROM entry"), entries + 2);
	/* A life that ended before its first commit has left nothing, and needs no origin. */
	lives = store_number(n1, "SELECT count(*) FROM vec") - origins;
	CHECK(lives > RESTARTS / 2 && lives <= RESTARTS, "%lld of %d lives are known", lives,
		RESTARTS);
	CHECK(store_number(n1, "SELECT count(*) FROM kill") < RESTARTS,
		"the kill log has %lld records although all know them",
		store_number(n1, "SELECT count(*) FROM kill"));
	CHECK_INT(json_array_size(json_at(
			  node_call(n1, "GET", NULL, "/v1/cluster/members")->json, "items")),
		2);
}

/* ---- a big difference ---- */

static void all_on(struct cluster *c, const struct node *node, const char *prefix, int count)
{
	for (int i = 0; i < count; i++) {
		struct http_reply *put =
			child_start(&c->nodes[0], text_of("%s-%d", prefix, i), SLEEPER);

		CHECK_STR(json_str(put->json, "status.node"), node->name);
	}
}

CLUSTER_TEST(sync, s048_a_node_that_loads_10000_keys_is_neither_ready_nor_chosen)
{
	enum { MANY = 10000, TORN = 6 };
	struct cluster *c = cluster_new(&proxied);
	struct node *n1 = cluster_add(c, NULL, NULL), *n2;
	int64_t end;
	char id[64];

	node_wait_ready(n1);
	names_put(n1, "k", 0, MANY, SHORT);
	/* The load ends in the middle each time, until the line is mended. */
	proxy_mode(n1->proxy, PROXY_TEAR, 3000);
	n2 = cluster_add(c, n1, NULL);
	end = check_now_ms() + check_ms(SYNC_MS);
	while (proxy_torn(n1->proxy) < TORN) {
		expect_problem(node_call(n2, "GET", NULL, "/readyz"), 503, NULL);
		CHECK_INT(names_count(n2, ""), 0);
		CHECK(check_now_ms() < end, "only %d answers were torn", proxy_torn(n1->proxy));
		check_pause_ms(10);
	}
	all_on(c, n1, "early", 16);
	proxy_mode(n1->proxy, PROXY_FORWARD, 0);
	node_wait_ready(n2);
	CHECK_INT(names_count(n2, ""), MANY);
	cluster_settle(c);
	child_start_on(c, n2, "late", SLEEPER, id, sizeof id);
	values_settle(c, CLUSTER_SOON_MS);
}

/* ---- the kill log ---- */

CLUSTER_TEST(sync, s112_a_node_that_missed_truncated_deletes_compares_digests)
{
	enum { MANY = 4000, DELETED = 1000, CAP = 100 };
	static const char *const capped[] = {"--kill-log-max", "100", NULL};
	struct cluster_options options = {.proxied = true, .args = capped};
	struct cluster *c = cluster_start(2, &options);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1], *n3;
	long cold, again;

	names_put(n1, "k", 0, MANY, 200);
	n3 = cluster_declare(c, n1, capped);
	cold = bytes_of_start(c, n3, MANY);
	cluster_settle(c);
	/* What only n3 knows must survive its absence too. */
	for (int i = 0; i < 3; i++)
		proxy_mode(c->nodes[i].proxy, PROXY_SILENT, 0);
	name_put(n3, "of-n3", "kept");
	names_delete(n3, "k", MANY - 1, 1);
	node_kill(n3);
	for (int i = 0; i < 3; i++)
		proxy_mode(c->nodes[i].proxy, PROXY_FORWARD, 0);
	names_delete(n1, "k", 0, DELETED);
	names_delete(n2, "k", DELETED, DELETED);
	name_put(n2, "of-n2", "new");
	values_settle(c, SYNC_MS);
	for (int i = 0; i < 2; i++)
		CHECK(store_number(&c->nodes[i], "SELECT count(*) FROM kill") <= 2 * CAP,
			"%lld kill records at %s in spite of --kill-log-max %d",
			store_number(&c->nodes[i], "SELECT count(*) FROM kill"), c->nodes[i].name,
			CAP);
	again = bytes_of_start(c, n3, MANY - 2 * DELETED - 1 + 2);
	values_settle(c, SYNC_MS);
	for (int i = 0; i < 3; i++) {
		names_until_count(&c->nodes[i], "k-", MANY - 2 * DELETED - 1, CLUSTER_SOON_MS);
		CHECK_STR(name_value(&c->nodes[i], "of-n3"), "kept");
		CHECK_STR(name_value(&c->nodes[i], "of-n2"), "new");
	}
	CHECK(again * 5 < cold, "%ld bytes to compare, %ld for everything", again, cold);
	/* And none comes back with later news. */
	values_settle(c, SYNC_MS);
	CHECK_INT(names_count(n1, "k-"), MANY - 2 * DELETED - 1);
}

/* ---- a peer that cannot keep up ---- */

CLUSTER_TEST(sync, s116_a_slow_peer_costs_no_memory)
{
	enum { KEYS = 16, ROUNDS = 60, DIGITS = 60000, GROWTH_KB = 12 * 1024 };
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	long before, after, most;

	names_put(n1, "big", 0, KEYS, DIGITS);
	names_until_count(n2, "big", KEYS, SYNC_MS);
	before = procs_status_kb(n1->pid, "VmHWM");
	/* About one value a second, while some hundred are written. */
	proxy_mode(n1->proxy, PROXY_SLOW, DIGITS);
	for (int round = 0; round < ROUNDS; round++)
		names_put(n1, "big", 0, KEYS, DIGITS);
	after = procs_status_kb(n1->pid, "VmHWM");
	most = (long)KEYS * ROUNDS * DIGITS / 1024;
	CHECK(after - before < GROWTH_KB, "%ld kB more after %ld kB of values, %d of them live",
		after - before, most, KEYS);
	proxy_mode(n1->proxy, PROXY_FORWARD, 0);
	values_settle(c, SYNC_MS);
}

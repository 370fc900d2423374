/* Lines that tear, alter, lose and crawl, and nodes that end or freeze in the middle of a sentence.
 */
#include "tests/integration/suite.h"

#include "tests/lib/values.h"

SUITE(lines);

enum { HEAL_MS = 15000, LOOK_MS = 5 };

static const struct cluster_options proxied = {.proxied = true};

static void all_lines(struct cluster *c, enum proxy_mode mode, long bytes)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, bytes);
}

/* ---- any order, twice, in pieces ---- */

static void some_weather(struct cluster *c)
{
	for (int i = 0; i < c->count; i++) {
		long dice = random() % 10;

		if (dice < 3)
			proxy_mode(c->nodes[i].proxy, PROXY_TEAR, 200 + random() % 4000);
		else
			proxy_mode(c->nodes[i].proxy, dice < 5 ? PROXY_SILENT : PROXY_FORWARD, 0);
	}
}

/* Puts and deletes of a few names at random nodes, all at once. */
static void some_writes(struct cluster *c, int count, int keys)
{
	struct http_request requests[32];
	struct http_reply *replies[32];

	for (int i = 0; i < count; i++) {
		const struct node *at = &c->nodes[random() % c->count];
		bool put = random() % 3 > 0;

		requests[i] = (struct http_request){.method = put ? "PUT" : "DELETE",
			.url = text_of("%s" ENTRIES "/k-%ld", at->url, random() % keys),
			.body = put ? text_of("{\"value\":%ld," BY_ALICE "}", random()) : NULL};
	}
	http_send_all(requests, replies, count);
	for (int i = 0; i < count; i++) {
		/* A delete may find nothing, or a put be overtaken by one. */
		CHECK(replies[i]->status / 100 == 2 || replies[i]->status == 404 ||
				strcmp(json_str(replies[i]->json, "code"), "conflict-lost") == 0,
			"%s %s gave %ld: %s", replies[i]->method, replies[i]->url,
			replies[i]->status, replies[i]->body);
		http_reply_free(replies[i]);
	}
}

CLUSTER_TEST(lines, s106_random_writes_over_bad_lines_end_the_same_everywhere)
{
	enum { SEEDS = 3, ROUNDS = 25, AT_ONCE = 12, KEYS = 12 };
	struct cluster *c = cluster_start(3, &proxied);

	for (int seed = 1; seed <= SEEDS; seed++) {
		srandom((unsigned)seed);
		for (int round = 0; round < ROUNDS; round++) {
			some_weather(c);
			some_writes(c, AT_ONCE, KEYS);
			check_pause_ms(random() % 20);
		}
		all_lines(c, PROXY_FORWARD, 0);
		values_settle(c, HEAL_MS);
	}
}

/* ---- ended in the middle ---- */

/* Until so many bytes of a difference have gone over the line to `server`. */
static void until_passed(const struct node *server, long before, long bytes)
{
	int64_t end = check_now_ms() + check_ms(HEAL_MS);

	while (proxy_bytes(server->proxy) - before < bytes) {
		CHECK(check_now_ms() < end, "only %ld bytes of the difference came",
			proxy_bytes(server->proxy) - before);
		check_pause_ms(LOOK_MS);
	}
}

enum { BIG = 120, BIG_DIGITS = 60000, SLOW_BYTES = 4000000, HALF_BYTES = 1000000 };

CLUSTER_TEST(lines, s111_the_sender_is_killed_in_the_middle_of_a_stream)
{
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	long before;

	all_lines(c, PROXY_SILENT, 0);
	names_put(n1, "big", 0, BIG, BIG_DIGITS);
	names_put(n2, "own", 0, 20, 100);
	before = proxy_bytes(n1->proxy);
	all_lines(c, PROXY_SLOW, SLOW_BYTES);
	until_passed(n1, before, HALF_BYTES);
	node_kill(n1);
	CHECK_INT(names_count(n2, "big"), 0);
	CHECK_INT(names_count(n2, "own"), 20);
	all_lines(c, PROXY_FORWARD, 0);
	CHECK_INT(names_count(n2, "big"), 0);
	node_start(n1);
	cluster_settle(c);
	for (int i = 0; i < 2; i++)
		names_until_count(&c->nodes[i], "", BIG + 20, HEAL_MS);
	values_settle(c, HEAL_MS);
}

CLUSTER_TEST(lines, s111_the_receiver_is_killed_in_the_middle_of_a_stream)
{
	struct cluster *c = cluster_new(&proxied);
	struct node *n1 = cluster_add(c, NULL, NULL), *n2;
	long before;

	node_wait_ready(n1);
	names_put(n1, "big", 0, BIG, BIG_DIGITS);
	proxy_mode(n1->proxy, PROXY_SLOW, SLOW_BYTES);
	before = proxy_bytes(n1->proxy);
	n2 = cluster_add(c, n1, NULL);
	until_passed(n1, before, HALF_BYTES);
	CHECK_INT(names_count(n2, "big"), 0);
	node_kill(n2);
	proxy_mode(n1->proxy, PROXY_SILENT, 0);
	node_start(n2);
	node_wait_listening(n2);
	CHECK_INT(names_count(n2, "big"), 0);
	proxy_mode(n1->proxy, PROXY_FORWARD, 0);
	cluster_settle(c);
	names_until_count(n2, "big", BIG, HEAL_MS);
	values_settle(c, HEAL_MS);
}

/* ---- altered ---- */

/* How often a node has said that it refused what a peer sent. */
static int refusals(const struct node *node)
{
	int count = 0;

	for (const char *at = node_log(node); (at = strstr(at, "event=peer.rejected")); at++)
		count++;
	return count;
}

/* The head of an answer and its first lines pass, so the fault is in what is to be applied. */
CLUSTER_TEST(lines, s117_an_altered_difference_changes_nothing_and_is_told_once)
{
	enum { KEYS = 300, ALTERED = 2, BEHIND = 6000 };
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	int64_t end;
	int before;

	name_put(n1, "before", "here");
	values_settle(c, CLUSTER_SOON_MS);
	all_lines(c, PROXY_SILENT, 0);
	names_put(n1, "k", 0, KEYS, 200);
	before = refusals(n2);
	proxy_mode(n2->proxy, PROXY_FORWARD, 0);
	proxy_mode(n1->proxy, PROXY_ALTER, BEHIND);
	end = check_now_ms() + check_ms(HEAL_MS);
	while (proxy_torn(n1->proxy) < ALTERED) {
		CHECK_INT(names_count(n2, "k-"), 0);
		CHECK(check_now_ms() < end, "only %d answers were altered", proxy_torn(n1->proxy));
		check_pause_ms(LOOK_MS);
	}
	CHECK_INT(names_count(n2, "k-"), 0);
	CHECK_STR(name_value(n2, "before"), "here");
	CHECK_INT(refusals(n2), before + 1);
	proxy_mode(n1->proxy, PROXY_FORWARD, 0);
	names_until_count(n2, "k-", KEYS, HEAL_MS);
	values_settle(c, HEAL_MS);
}

/* ---- frozen ---- */

/*
 * n1 has written what nobody knows yet, and is frozen over it; the others write later, replace and
 * delete. When it goes on, it may tell what it wrote, and what is newer must win.
 */
CLUSTER_TEST(lines, s083_a_frozen_node_that_goes_on_writes_nothing_old_over_new)
{
	enum { KEYS = 30 };
	struct cluster *c = cluster_start(3, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1], *n3 = &c->nodes[2];
	const char *dot = NULL;
	char id[64];

	child_start_on(c, n1, "web", SLEEPER, id, sizeof id);
	for (int i = 0; i < KEYS; i++)
		name_put(n1, text_of("k-%d", i), "first");
	values_settle(c, CLUSTER_SOON_MS);
	all_lines(c, PROXY_SILENT, 0);
	for (int i = 0; i < KEYS; i += 3)
		name_put(n1, text_of("k-%d", i), "unheard");
	name_put(n1, "only-here", "kept");
	node_signal(n1, SIGSTOP);
	check_pause_ms(2); /* clocks count in ms: the others are later for sure */
	all_lines(c, PROXY_FORWARD, 0);
	for (int i = 0; i < KEYS; i++)
		if (i % 3 == 2)
			names_delete(i % 2 ? n2 : n3, "k", i, 1);
		else
			dot = name_put(i % 2 ? n2 : n3, text_of("k-%d", i), "new");
	expect_success(node_call(
		n2, "PUT", "{\"command\":[\"/bin/sleep\",\"2000\"]}", CHILDREN "/%s?wait=0s", id));
	expect_status(name_after(n2, text_of("k-%d", KEYS - 2), dot), 200);
	node_signal(n1, SIGCONT);
	cluster_settle(c);
	values_settle(c, HEAL_MS);
	for (int n = 0; n < 3; n++) {
		for (int i = 0; i < KEYS; i++)
			if (i % 3 == 2)
				expect_problem(
					node_call(&c->nodes[n], "GET", NULL, ENTRIES "/k-%d", i),
					404, "key-not-found");
			else
				CHECK_STR(name_value(&c->nodes[n], text_of("k-%d", i)), "new");
		CHECK_STR(name_value(&c->nodes[n], "only-here"), "kept");
		CHECK_STR(json_str(child_get(&c->nodes[n], id)->json, "command.1"), "2000");
	}
	children_until_processes("sleep 2000", 1, CLUSTER_FAIL_MS);
	children_until_processes("sleep 1000", 0, CLUSTER_FAIL_MS);
}

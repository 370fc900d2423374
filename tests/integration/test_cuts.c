/* Lines between nodes that are cut and heal, and what was done on both sides meanwhile. */
#include "tests/integration/suite.h"

#include "tests/lib/proxy.h"

#include <time.h>

SUITE(cuts);

enum { COPIES = 16, KEYS = 9, HEAL_MS = 15000 };

#define BY_ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"

static void cut(struct cluster *c, enum proxy_mode mode)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, 0);
}

static struct cluster *three_nodes(void)
{
	static const struct cluster_options proxied = {.proxied = true};

	/* All lines are cut at once, so that three nodes are three sides. */
	return cluster_start(3, &proxied);
}

/* ---- values on both sides ---- */

/* Meta and names in turn. */
static const char *path_of(int key)
{
	return text_of("%s/k-%d", key % 2 == 0 ? META : ENTRIES, key);
}

static void put_value(const struct node *at, int key, const char *value, long status)
{
	const char *body = key % 2 == 0 ? text_of("{\"value\":\"%s\"}", value)
					: text_of("{\"value\":\"%s\"," BY_ALICE "}", value);

	expect_status(node_call(at, "PUT", body, "%s", path_of(key)), status);
}

static void shown_everywhere(struct cluster *c, const char *value)
{
	for (int i = 0; i < c->count; i++)
		for (int key = 0; key < KEYS; key++)
			http_until_str(node_url(&c->nodes[i], "%s", path_of(key)), "value", value,
				check_ms(CLUSTER_SOON_MS));
}

/* At once: whoever calls has made sure that every node knows. */
static void gone_everywhere(struct cluster *c)
{
	for (int i = 0; i < c->count; i++)
		for (int key = 0; key < KEYS; key++)
			expect_problem(node_call(&c->nodes[i], "GET", NULL, "%s", path_of(key)),
				404, "key-not-found");
}

/* Every node writes a key of its own, behind all that it has written before. */
static void mark(struct cluster *c, const char *round)
{
	for (int i = 0; i < c->count; i++)
		expect_status(node_call(&c->nodes[i], "PUT", "{\"value\":1}", META "/mark-%s-%d",
				      round, i),
			201);
}

/* Who knows the mark of a node knows all that this node did before it. */
static void marks_arrive(struct cluster *c, const char *round)
{
	for (int i = 0; i < c->count; i++)
		for (int from = 0; from < c->count; from++)
			http_until_status(node_url(&c->nodes[i], META "/mark-%s-%d", round, from),
				200, check_ms(HEAL_MS));
}

/* Returns once every node knows what the others did before they wrote their mark "cut". */
static void heal(struct cluster *c)
{
	cut(c, PROXY_FORWARD);
	marks_arrive(c, "cut");
}

/* What comes back would come with the next news of some node. */
static void stays_gone(struct cluster *c)
{
	gone_everywhere(c);
	cluster_settle(c);
	mark(c, "later");
	marks_arrive(c, "later");
	gone_everywhere(c);
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Hybrid clocks count in ms: within one, the later of two writes on two nodes is not known. */
static void until_next_ms(void)
{
	int64_t begun = wall_ms();

	while (wall_ms() == begun)
		check_pause_ms(1);
}

/* Each node in turn is the last to write; odd keys were known everywhere before the cut. */
CLUSTER_TEST(cuts, s107_the_value_written_last_is_shown_by_every_node)
{
	struct cluster *c = three_nodes();

	for (int key = 1; key < KEYS; key += 2)
		expect_status(node_call(&c->nodes[key % 3], "PUT", "{\"value\":\"old\"}",
				      META "/m-%d", key),
			201);
	mark(c, "before");
	marks_arrive(c, "before");
	cut(c, PROXY_SILENT);
	for (int key = 0; key < KEYS; key++)
		for (int turn = 0; turn < 3; turn++, until_next_ms())
			expect_status(node_call(&c->nodes[(key + turn) % 3], "PUT",
					      text_of("{\"value\":\"%d of %d\"}", turn, key),
					      META "/m-%d", key),
				key % 2 ? 200 : 201);
	mark(c, "cut");
	heal(c);
	for (int i = 0; i < 3; i++)
		for (int key = 0; key < KEYS; key++)
			CHECK_STR(json_str(expect_status(node_call(&c->nodes[i], "GET", NULL,
								 META "/m-%d", key),
						   200)
						   ->json,
					  "value"),
				text_of("2 of %d", key));
}

static struct cluster *removed_across_a_cut(void)
{
	struct cluster *c = three_nodes();

	for (int key = 0; key < KEYS; key++)
		put_value(&c->nodes[key % 3], key, "old", 201);
	shown_everywhere(c, "old");
	cut(c, PROXY_SILENT);
	for (int key = 0; key < KEYS; key++)
		expect_status(node_call(&c->nodes[0], "DELETE", NULL, "%s", path_of(key)), 204);
	mark(c, "cut");
	return c;
}

static void still_known_at(const struct node *node)
{
	for (int key = 0; key < KEYS; key++)
		http_until_str(node_url(node, "%s", path_of(key)), "value", "old",
			check_ms(CLUSTER_SOON_MS));
}

CLUSTER_TEST(cuts, s108_what_is_removed_on_one_side_stays_gone_and_can_be_put_again)
{
	struct cluster *c = removed_across_a_cut();

	still_known_at(&c->nodes[1]);
	still_known_at(&c->nodes[2]);
	heal(c);
	stays_gone(c);
	for (int key = 0; key < KEYS; key++)
		put_value(&c->nodes[key % 3], key, "new", 201);
	shown_everywhere(c, "new");
}

/* They start from the old value alone, since nobody answers them before the heal. */
CLUSTER_TEST(cuts, s108_a_node_killed_during_the_cut_brings_nothing_back)
{
	struct cluster *c = removed_across_a_cut();

	for (int i = 1; i < 3; i++) {
		node_kill(&c->nodes[i]);
		node_start(&c->nodes[i]);
	}
	for (int i = 1; i < 3; i++) {
		node_wait_listening(&c->nodes[i]);
		still_known_at(&c->nodes[i]);
	}
	heal(c);
	stays_gone(c);
}

/* The delete must take both copies along: it is made by a node that knows of both. */
CLUSTER_TEST(cuts, s109_the_same_put_on_both_sides_is_gone_after_one_delete)
{
	struct cluster *c = three_nodes();

	cut(c, PROXY_SILENT);
	for (int key = 0; key < KEYS; key++)
		for (int i = 0; i < 3; i++)
			put_value(&c->nodes[i], key, "same", 201);
	mark(c, "cut");
	heal(c);
	shown_everywhere(c, "same");
	for (int key = 0; key < KEYS; key++)
		expect_status(
			node_call(&c->nodes[key % 3], "DELETE", NULL, "%s", path_of(key)), 204);
	mark(c, "deleted");
	marks_arrive(c, "deleted");
	stays_gone(c);
}

/* ---- children on both sides ---- */

/* Deleted at n1, put again at n2 while the line was cut: the put wins, and it runs exactly once. */
static void delete_and_put_across_a_cut(const char *spec_of_put)
{
	static const struct cluster_options proxied = {.proxied = true};
	struct cluster *c = cluster_start(2, &proxied);
	struct node *n1 = &c->nodes[0], *n2 = &c->nodes[1];
	char *spec = trace_spec(c, NULL);
	struct http_reply *deleted;
	char id[64];

	child_start_on(c, n1, "web", spec, id, sizeof id);
	child_until(n2, id, "running", CLUSTER_SOON_MS);
	expect_status(node_call(n1, "PUT", "{\"value\":1," BY_ALICE "}", ENTRIES "/name"), 201);
	http_until_status(node_url(n2, ENTRIES "/name"), 200, check_ms(CLUSTER_SOON_MS));
	cut(c, PROXY_SILENT);
	deleted = node_call(n1, "DELETE", NULL, CHILDREN "/%s", id);
	CHECK(deleted->status == 204 || deleted->status == 202, "DELETE gave %ld: %s",
		deleted->status, deleted->body);
	expect_status(node_call(n1, "DELETE", NULL, ENTRIES "/name"), 204);
	expect_success(node_call(
		n2, "PUT", spec_of_put ? spec_of_put : spec, CHILDREN "/%s?wait=500ms", id));
	expect_status(node_call(n2, "PUT", "{\"value\":2," BY_ALICE "}", ENTRIES "/name"), 200);
	cut(c, PROXY_FORWARD);
	for (int i = 0; i < 2; i++) {
		child_until(&c->nodes[i], id, "running", 15000);
		http_until_int(node_url(&c->nodes[i], ENTRIES "/name"), "value", 2,
			check_ms(CLUSTER_FAIL_MS));
	}
	free(spec);
	for (int64_t end = check_now_ms() + check_ms(CLUSTER_FAIL_MS);;) {
		long long first = json_number_at(child_get(n1, id)->json, "status.pid");

		/* Once it is sleep and no shell any more, its line in the trace is written. */
		if (children_processes("sleep 1000") == 1 && first > 0 &&
			!strstr(procs_command((pid_t)first), "/bin/sh") &&
			first == json_number_at(child_get(n2, id)->json, "status.pid") &&
			procs_alive((pid_t)first))
			break;
		CHECK(check_now_ms() < end, "%d processes; n1 says %s; n2 says %s",
			children_processes("sleep 1000"), child_get(n1, id)->body,
			child_get(n2, id)->body);
		check_pause_ms(20);
	}
	/* The cut-off copy may have run on for a while, so overlaps prove nothing here. */
	trace_stays(c, 1000);
}

CLUSTER_TEST(cuts, s081_s134_delete_on_one_side_and_the_same_put_on_the_other)
{
	delete_and_put_across_a_cut(NULL);
}

CLUSTER_TEST(cuts, s081_s134_delete_on_one_side_and_a_new_put_on_the_other)
{
	delete_and_put_across_a_cut(SLEEPER);
}

/* Creates PREFIX-0... here only, without waiting for a process that the other side may have. */
static void put_here(const struct node *at, const char *prefix, const char *spec)
{
	for (int i = 0; i < COPIES; i++)
		expect_success(node_call(at, "PUT", spec, CHILDREN "/%s-%d?wait=0s", prefix, i));
}

static int doubles(const struct cluster *c)
{
	int count = 0;

	for (int i = 0; i < COPIES; i++)
		count += trace_starts(c, text_of("web-%d", i), "n1") > 0 &&
			 trace_starts(c, text_of("web-%d", i), "n2") > 0;
	return count;
}

/* At n1, children that belong to n2, which does not hear of them; returns how many. */
static int load_n2_unheard(const struct node *n1)
{
	int kept = 0;

	put_here(n1, "load", SLEEPER);
	for (int i = 0; i < COPIES; i++) {
		struct http_reply *get = child_get(n1, text_of("load-%d", i));

		if (strcmp(json_str(get->json, "status.node"), "n2") == 0)
			kept++;
		else
			expect_status(node_call(n1, "DELETE", NULL, CHILDREN "/load-%d", i), 204);
	}
	return kept;
}

/*
 * Both sides of a cut create the same children. One side counts a load that the other knows nothing
 * of, so they disagree about where some of them belong, and these run twice until the heal.
 */
CLUSTER_TEST(cuts, s075_copies_made_on_both_sides_of_a_cut_become_one)
{
	static const struct cluster_options proxied = {.proxied = true};
	struct cluster *c = cluster_start(2, &proxied);
	char *spec = trace_spec(c, NULL);
	int all;
	int64_t end = check_now_ms() + check_ms(CLUSTER_FAIL_MS);

	cut(c, PROXY_SILENT);
	all = COPIES + load_n2_unheard(&c->nodes[0]);
	put_here(&c->nodes[0], "web", spec);
	put_here(&c->nodes[1], "web", spec);
	free(spec);
	while (doubles(c) == 0) {
		CHECK(check_now_ms() < end, "both sides agree; no child runs twice");
		check_pause_ms(20);
	}
	cut(c, PROXY_FORWARD);
	children_until_active(c, all, 15000);
	children_until_processes("sleep 1000", all, CLUSTER_FAIL_MS);
	for (int i = 0; i < COPIES; i++) {
		const char *id = text_of("web-%d", i);
		struct http_reply *get = child_until(&c->nodes[0], id, "running", CLUSTER_SOON_MS);

		CHECK(procs_alive((pid_t)json_number_at(get->json, "status.pid")),
			"no such process: %s", get->body);
		http_until_int(node_url(&c->nodes[1], CHILDREN "/%s", id), "status.pid",
			json_number_at(get->json, "status.pid"), check_ms(CLUSTER_SOON_MS));
		CHECK_INT(json_number_at(get->json, "status.restarts"), 0);
	}
	CHECK_INT(children_processes("sleep 1000"), all);
}

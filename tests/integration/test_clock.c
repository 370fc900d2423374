/* Wall clocks that are wrong, jump and stand still, by libfaketime in the daemon alone. */
#include "tests/integration/suite.h"

#include "tests/lib/values.h"

#include <errno.h>
#include <glob.h>

SUITE(clock);

enum { HEAL_MS = 15000, KEYS = 12 };

static const struct cluster_options proxied = {.proxied = true};

/* ---- a clock that the test sets ---- */

static const char *library(void)
{
	static char path[256];
	glob_t found;

	if (glob("/usr/lib/*/faketime/libfaketime.so.1", 0, NULL, &found) != 0)
		cr_assert_fail("there is no libfaketime; make deps installs it");
	snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static const char *clock_file(const struct node *node)
{
	return text_of("%s.clock", node->dir);
}

/* "+1h", or a date at which it stands still; from now on, also in the running daemon. */
static void clock_set(const struct node *node, const char *time)
{
	file_write(clock_file(node), time, strlen(time), 0600);
}

/* From its next start on its wall clock, and only that, is what clock_set() said. */
static void clock_own(struct node *node, const char *time)
{
	clock_set(node, time);
	node_set_env(node, "LD_PRELOAD", library());
	node_set_env(node, "FAKETIME_TIMESTAMP_FILE", clock_file(node));
	node_set_env(node, "FAKETIME_NO_CACHE", "1");
	node_set_env(node, "FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/* What the library shares with other processes outlives a SIGKILL. */
static void clock_end(struct node *node)
{
	pid_t pid = node->pid;

	node_kill(node);
	unlink(text_of("/dev/shm/faketime_shm_%d", (int)pid));
	unlink(text_of("/dev/shm/sem.faketime_sem_%d", (int)pid));
}

static void all_lines(struct cluster *c, enum proxy_mode mode)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, 0);
}

/* `first`, and in a later millisecond `then`, write one name while they cannot hear each other. */
static void later_wins(
	struct cluster *c, const struct node *first, const struct node *then, const char *key)
{
	values_settle(c, HEAL_MS);
	all_lines(c, PROXY_SILENT);
	name_put(first, key, "earlier");
	check_pause_ms(2);
	name_put(then, key, "later");
	all_lines(c, PROXY_FORWARD);
	values_settle(c, HEAL_MS);
	for (int i = 0; i < c->count; i++)
		CHECK_STR(name_value(&c->nodes[i], key), "later");
}

/* Written over by whoever has seen it: it is new at once, everywhere. */
static void overwrite_wins(struct cluster *c, const struct node *by, const char *key,
	const char *seen, const char *value)
{
	const char *dot;

	http_until_str(node_url(by, ENTRIES "/%s", key), "value", seen, check_ms(CLUSTER_SOON_MS));
	dot = name_put(by, key, value);
	for (int i = 0; i < c->count; i++)
		CHECK_STR(json_str(expect_status(name_after(&c->nodes[i], key, dot), 200)->json,
				  "value"),
			value);
}

/* ---- an hour ahead ---- */

struct lives {
	long long pids[KEYS];
};

static void note_lives(struct cluster *c, struct lives *ret)
{
	for (int i = 0; i < KEYS; i++)
		ret->pids[i] = json_number_at(
			child_until(&c->nodes[0], text_of("web-%d", i), "running", CLUSTER_FAIL_MS)
				->json,
			"status.pid");
}

static void same_lives(struct cluster *c, const struct lives *before)
{
	struct lives now;

	note_lives(c, &now);
	for (int i = 0; i < KEYS; i++) {
		CHECK_INT(now.pids[i], before->pids[i]);
		CHECK(procs_alive((pid_t)now.pids[i]), "web-%d does not live", i);
	}
	trace_no_overlap(c);
}

/*
 * n3 is an hour ahead: its writes carry the stamps of then. Whoever has seen them writes over them;
 * corrected, n3 itself does so too; restarted, it starts at the right time, and nobody's clock
 * has gone along with it, which the order of writes that cannot see each other tells.
 */
CLUSTER_TEST(clock, s084_a_node_an_hour_ahead_poisons_nobody)
{
	struct cluster *c = cluster_new(&proxied);
	struct node *n1 = cluster_add(c, NULL, NULL), *n2 = cluster_add(c, n1, NULL), *n3;
	char *spec = trace_spec(c, NULL);
	struct lives lives;

	n3 = cluster_declare(c, n1, NULL);
	clock_own(n3, "+0");
	node_start(n3);
	cluster_settle(c);
	children_start(c, "web", KEYS, spec);
	free(spec);
	note_lives(c, &lives);
	/* Alone it cannot know that it is wrong, so it must take writes. */
	all_lines(c, PROXY_SILENT);
	clock_set(n3, "+1h");
	for (int i = 0; i < KEYS; i++)
		name_put(n3, text_of("k-%d", i), "ahead");
	all_lines(c, PROXY_FORWARD);
	values_settle(c, HEAL_MS);
	for (int i = 0; i < KEYS; i++)
		overwrite_wins(c, i % 2 ? n1 : n2, text_of("k-%d", i), "ahead", "over");
	later_wins(c, n1, n2, "order-1");
	later_wins(c, n2, n1, "order-2");

	clock_set(n3, "+0");
	cluster_settle(c);
	for (int i = 0; i < KEYS; i++)
		overwrite_wins(c, n3, text_of("k-%d", i), "over", "corrected");
	for (int i = 0; i < KEYS; i++)
		overwrite_wins(c, i % 2 ? n1 : n2, text_of("k-%d", i), "corrected", "last");
	same_lives(c, &lives);

	CHECK_INT(node_term(n3, CLUSTER_START_MS), 0);
	node_start(n3);
	cluster_settle(c);
	for (int i = 0; i < KEYS; i++)
		overwrite_wins(c, n3, text_of("k-%d", i), "last", "again");
	later_wins(c, n3, n1, "order-3");
	later_wins(c, n2, n3, "order-4");
	children_until_active(c, KEYS, CLUSTER_FAIL_MS);
	children_until_processes("sleep 1000", KEYS, CLUSTER_SOON_MS);
	trace_no_overlap(c);
	clock_end(n3);
}

/* ---- clocks that do not decide ---- */

/* All stand at one moment, so that many of these writes carry the same stamp. */
CLUSTER_TEST(clock, s107_equal_clocks_give_the_same_winner_everywhere)
{
	struct cluster *c = cluster_new(&proxied);
	const char *values[3];

	for (int i = 0; i < 3; i++) {
		struct node *node = cluster_declare(c, i ? &c->nodes[0] : NULL, NULL);

		clock_own(node, "2031-01-01 00:00:00");
		node_start(node);
		node_wait_listening(node);
	}
	cluster_settle(c);
	values_settle(c, CLUSTER_SOON_MS);
	for (int round = 0; round < 3; round++) {
		all_lines(c, PROXY_SILENT);
		for (int key = 0; key < KEYS; key++)
			for (int i = 0; i < 3; i++)
				name_put(&c->nodes[i], text_of("k-%d", key),
					text_of("%d of %s", round, c->nodes[i].name));
		all_lines(c, PROXY_FORWARD);
		values_settle(c, HEAL_MS);
		for (int key = 0; key < KEYS; key++) {
			for (int i = 0; i < 3; i++)
				values[i] = name_value(&c->nodes[i], text_of("k-%d", key));
			CHECK_STR(values[1], values[0]);
			CHECK_STR(values[2], values[0]);
			CHECK(values[0][0] == '0' + round, "k-%d is still '%s' in round %d", key,
				values[0], round);
		}
	}
	for (int i = 0; i < 3; i++)
		clock_end(&c->nodes[i]);
}

/*
 * The clock of n2 goes back an hour: it never stamps below what it has stamped or seen, so what it
 * writes wins over what n1 wrote before n2's last stamp, and what it has seen it writes over.
 */
CLUSTER_TEST(clock, s084_a_clock_set_back_loses_no_write)
{
	struct cluster *c = cluster_new(&proxied);
	struct node *n1 = cluster_add(c, NULL, NULL), *n2 = cluster_declare(c, n1, NULL);

	clock_own(n2, "+0");
	node_start(n2);
	cluster_settle(c);
	name_put(n2, "k", "first");
	overwrite_wins(c, n1, "k", "first", "second");
	values_settle(c, CLUSTER_SOON_MS);
	all_lines(c, PROXY_SILENT);
	name_put(n1, "unheard", "earlier");
	check_pause_ms(2);
	name_put(n2, "last-stamp", "before the jump");
	clock_set(n2, "-1h");
	name_put(n2, "unheard", "later");
	all_lines(c, PROXY_FORWARD);
	values_settle(c, HEAL_MS);
	CHECK_STR(name_value(n1, "unheard"), "later");
	overwrite_wins(c, n2, "k", "second", "third");
	overwrite_wins(c, n1, "k", "third", "fourth");
	clock_end(n2);
	node_start(n2);
	node_wait_ready(n2);
	overwrite_wins(c, n2, "k", "fourth", "fifth");
	overwrite_wins(c, n1, "k", "fifth", "sixth");
	clock_end(n2);
}

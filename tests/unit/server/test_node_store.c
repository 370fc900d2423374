/*
 * The turn's batch: what the map says gets to the store, also when memory or the disk fails for a
 * while. There is no network here: a node's store side with a real core and the memory store.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/node_inside.h"
#include "storage/memory.h"
#include "tests/unit/core/failing.h"

#define PATIENCE_MS 10000

static struct memory_disk *disk;
static struct node *node;
static struct directory directory;
static struct options options = {0};
static char name[] = "n1";
static struct horde_config config = {.node_id = {1, 1},
	.kill_log_max = 1000,
	.incarnation = {2, 2},
	.new_cluster_id = {3, 3},
	.name = "n1",
	.url = "http://127.0.0.1:1",
	.cluster = "horde"};

static void make_node(void)
{
	node = calloc(1, sizeof *node);
	options.name = name;
	node->config.options = &options;
	node->config.directory = &directory;
	node->batch_number = 1;
	cr_assert_eq(loop_new(&node->config.loop), ERR_OK);
	cr_assert_eq(horde_new(&config, &node->horde), ERR_OK);
	node->config.store = memory_open(disk);
}

static void load(void)
{
	char why[NODE_WHY_BYTES];

	cr_assert_eq(node_load(node, why), ERR_OK, "%s", why);
	cr_assert_eq(writer_start(node->config.store, &node->writer), ERR_OK);
}

static void end_node(void)
{
	cr_assert_eq(writer_stop(node->writer, PATIENCE_MS, NULL, NULL), ERR_OK);
	horde_free(node->horde);
	actions_fini(&node->actions);
	loop_free(node->config.loop);
	node_store_fini(node);
	free(node);
	node = NULL;
}

static void setup(void)
{
	cr_assert_eq(memory_disk_new(&disk), ERR_OK);
	make_node();
	load();
}

static void teardown(void)
{
	memory_disk_free(disk);
}

TestSuite(node_store, .init = setup, .fini = teardown, .timeout = 60);

/* One event for the core alone; its changes stay in node->actions. */
static void step(struct event *e)
{
	e->now_ms = 1000;
	e->wall_ms = 1700000000000;
	cr_assert_eq(horde_step(node->horde, e, &node->actions), ERR_OK);
}

static void start(void)
{
	struct event e = {.kind = EVENT_START};

	step(&e);
	node_keep_cluster(node, config.new_cluster_id);
	node_keep_changes(node, &node->actions.changes);
}

static void put(const char *key, const char *value)
{
	struct event e = {.kind = EVENT_PUT_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value;
	e.put.value_bytes = strlen(value);
	step(&e);
}

static void drop(const char *key)
{
	struct event e = {.kind = EVENT_REMOVE_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	step(&e);
}

static void keep(void)
{
	node_keep_changes(node, &node->actions.changes);
}

static const char *value_of(const char *key)
{
	static char room[ENTRY_ROOM];
	const struct entry *e = map_get(horde_map(node->horde), key, strlen(key));

	return e ? entry_text(e, room) : "(none)";
}

struct known { /* of one origin */
	uint64_t floor, chain;
};

static struct known known_of(const struct vector_item *item)
{
	const struct map *m = horde_map(node->horde);

	return (struct known){
		map_floor(m, item->origin), map_chain(m, (struct dot){item->origin, item->count})};
}

/* Ends this life and begins the next one on what is on the disk; both must show the same. */
static void reload_and_compare(void)
{
	struct vector before = VECTOR_INIT;
	size_t metas = map_count(horde_map(node->horde), FAMILY_META);
	size_t kills = map_kills(horde_map(node->horde));
	struct known known[16];

	cr_assert_eq(vector_copy(map_vector(horde_map(node->horde)), &before), ERR_OK);
	cr_assert_leq(before.used, sizeof known / sizeof known[0]);
	for (size_t i = 0; i < before.used; i++)
		known[i] = known_of(&before.items[i]);
	end_node();
	config.incarnation.lo++;
	make_node();
	load();
	cr_assert_eq(map_count(horde_map(node->horde), FAMILY_META), metas);
	cr_assert(vector_equal(&before, map_vector(horde_map(node->horde))));
	cr_assert(vector_equal(&before, &node->acked));
	cr_assert(origin_equal(node->cluster_id, config.new_cluster_id));
	cr_assert_eq(map_kills(horde_map(node->horde)), kills);
	for (size_t i = 0; i < before.used; i++) {
		struct known now = known_of(&before.items[i]);

		cr_assert_eq(now.floor, known[i].floor);
		cr_assert_eq(now.chain, known[i].chain);
		cr_assert_neq(now.chain, 0);
	}
	vector_fini(&before);
}

Test(node_store, what_a_turn_changed_is_there_in_the_next_life)
{
	start();
	put("meta/default/a", "1");
	keep();
	put("meta/default/a", "2");
	keep();
	put("meta/default/b", "3");
	keep();
	drop("meta/default/b");
	keep();
	cr_assert_not(node_commit(node));
	cr_assert_eq(node->batch.count, 0);
	reload_and_compare();
	cr_assert_str_eq(value_of("meta/default/a"), "2");
	cr_assert_str_eq(value_of("meta/default/b"), "(none)");
	end_node();
}

Test(node_store, turn_without_changes_makes_no_batch)
{
	start();
	cr_assert_not(node_commit(node));
	uint64_t number = node->batch_number;
	cr_assert_not(node_commit(node));
	cr_assert_eq(node->batch_number, number);
	end_node();
}

/* Each allocation of keeping and committing fails once; the map gets to the disk all the same. */
Test(node_store, change_that_found_no_memory_is_stored_later)
{
	bool failed = true;

	for (long n = 0; failed; n++) {
		start();
		put("meta/default/gone", "0");
		keep();
		put("meta/default/a", "1");
		keep();
		cr_assert_not(node_commit(node)); /* so that there is something to drop */
		drop("meta/default/gone");
		failing_arm(n);
		keep();
		failed = failing_disarm();
		put("meta/default/a", "2");
		keep();
		cr_assert_eq(node_overloaded(node), node->rewrite);
		failing_arm(n);
		bool waits = node_commit(node);
		failed = failing_disarm() || failed;
		if (waits)
			cr_assert_not(node_commit(node));
		cr_assert_not(node->rewrite);
		reload_and_compare();
		cr_assert_str_eq(value_of("meta/default/a"), "2");
		cr_assert_str_eq(value_of("meta/default/gone"), "(none)");
		end_node();
		memory_disk_free(disk);
		cr_assert_eq(memory_disk_new(&disk), ERR_OK);
		config.incarnation.lo++;
		make_node();
		load();
	}
	end_node();
}

Test(node_store, rewriting_drops_what_is_on_disk_and_no_longer_live)
{
	start();
	put("meta/default/gone", "0");
	keep();
	cr_assert_not(node_commit(node));
	drop("meta/default/gone");
	node->rewrite = true;
	keep();
	cr_assert_not(node_commit(node));
	reload_and_compare();
	cr_assert_str_eq(value_of("meta/default/gone"), "(none)");
	end_node();
}

static void register_name(const char *key, const char *value)
{
	struct event e = {.kind = EVENT_REGISTER};

	e.entry.key = key;
	e.entry.key_bytes = strlen(key);
	e.entry.owner_given = true;
	e.entry.owner_kind = OWNER_STATIC;
	e.entry.owner_id = "me";
	e.entry.value = value;
	e.entry.value_bytes = strlen(value);
	step(&e);
	keep();
}

/* More than is copied at once, with kill records among it. */
Test(node_store, rewriting_writes_all_names)
{
	char key[32], value[16];

	start();
	for (int i = 0; i < 2500; i++) {
		snprintf(key, sizeof key, "entry/default/%d", i);
		if (i % 5 == 0)
			register_name(key, "0");
		snprintf(value, sizeof value, "%d", i);
		register_name(key, value);
	}
	node->rewrite = true;
	cr_assert_not(node_commit(node));
	cr_assert_not(node->rewrite);
	reload_and_compare();
	cr_assert_eq(map_count(horde_map(node->horde), FAMILY_ENTRY), 2500);
	for (int i = 0; i < 2500; i++) {
		size_t bytes;
		const struct entry *e;

		snprintf(key, sizeof key, "entry/default/%d", i);
		e = map_get(horde_map(node->horde), key, strlen(key));
		cr_assert(e && e->form && !e->sibling);
		snprintf(value, sizeof value, "%d", i);
		cr_assert_eq(memcmp(entry_raw(e, &bytes), value, strlen(value)), 0);
		cr_assert_eq(bytes, strlen(value));
	}
	end_node();
}

/* As when all members have acknowledged everything. */
static void cut_kill_log(void)
{
	struct changes changes = {0};
	struct map *m = horde_map_mutable(node->horde);

	cr_assert_eq(map_truncate(m, map_vector(m), &changes), ERR_OK);
	cr_assert_gt(changes.used, 0);
	node_keep_changes(node, &changes);
	changes_fini(&changes);
}

static size_t stored_kills;

static enum err count_kill(void *data, struct dot killer, struct dot victim)
{
	(void)data;
	(void)killer;
	(void)victim;
	stored_kills++;
	return ERR_OK;
}

Test(node_store, floors_are_kept_and_the_kill_records_below_them_are_not)
{
	struct store_visitor visitor = {.kill = count_kill};

	start();
	put("meta/default/gone", "0");
	keep();
	drop("meta/default/gone");
	keep();
	cr_assert_not(node_commit(node));
	cut_kill_log();
	cr_assert_not(node_commit(node));
	reload_and_compare();
	cr_assert_eq(store_load(memory_open(disk), &visitor), ERR_OK);
	cr_assert_eq(stored_kills, 0);
	end_node();
}

/* No record is left of who killed what is on the disk. */
Test(node_store, rewriting_drops_also_what_was_killed_below_a_floor)
{
	start();
	put("meta/default/gone", "0");
	put("meta/default/stays", "1");
	keep();
	cr_assert_not(node_commit(node));
	drop("meta/default/gone");
	node->rewrite = true;
	keep();
	cut_kill_log();
	cr_assert_eq(map_kills(horde_map(node->horde)), 0);
	cr_assert_not(node_commit(node));
	reload_and_compare();
	cr_assert_str_eq(value_of("meta/default/gone"), "(none)");
	end_node();
}

Test(node_store, batches_wait_while_the_writer_has_no_room)
{
	memory_disk_fail(disk, 1, 1000000, ERR_STORAGE_FULL);
	start();
	for (int i = 0; i < WRITER_QUEUE_MAX + 10; i++) {
		char key[64];
		snprintf(key, sizeof key, "meta/default/%d", i);
		put(key, "1");
		keep();
		cr_assert_not(node_commit(node));
	}
	cr_assert_eq(node->commit_count, WRITER_QUEUE_MAX);
	cr_assert_gt(node->batch.count, 0);
	memory_disk_fail(disk, 1, 0, ERR_OK);
	cr_assert_eq(writer_stop(node->writer, PATIENCE_MS, NULL, NULL), ERR_OK);
	/* The rest would go with the next result; here it goes to a writer of its own. */
	while (node->commit_count > 0)
		vector_fini(&node->commits[--node->commit_count].vector);
	cr_assert_eq(writer_start(memory_open(disk), &node->writer), ERR_OK);
	cr_assert_not(node_commit(node));
	reload_and_compare();
	end_node();
}

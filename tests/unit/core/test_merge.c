/* A snapshot, which is an older replica, is joined into a node: EVENT_MERGE. */
#include "tests/unit/core/failing.h"

#include <criterion/criterion.h>
#include <string.h>

#include "server/core/blocks.h"
#include "server/core/digest.h"
#include "server/core/horde.h"

static const struct origin_id cluster_id = {3, 3};
static struct horde *horde;
static struct actions out;
static long fail_at = -1; /* the allocation of the next merge that fails, from 0 */
static bool fell_short;   /* it did */

static enum err step(struct event *e)
{
	e->now_ms = 1000;
	e->wall_ms = 1700000000000;
	return horde_step(horde, e, &out);
}

static void set_up(void)
{
	const struct horde_config config = {.node_id = {1, 1},
		.kill_log_max = 1000,
		.incarnation = {2, 2},
		.new_cluster_id = {9, 9},
		.name = "n1",
		.url = "http://127.0.0.1:1",
		.cluster = "horde"};
	struct event e = {.kind = EVENT_START};

	e.start.cluster_id = cluster_id;
	cr_assert_eq(horde_new(&config, &horde), ERR_OK);
	cr_assert_eq(step(&e), ERR_OK);
}

static void tear_down(void)
{
	horde_free(horde);
	actions_fini(&out);
}

TestSuite(merge, .init = set_up, .fini = tear_down);

static void put(const char *key, const char *value)
{
	struct event e = {.kind = EVENT_PUT_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value;
	e.put.value_bytes = strlen(value);
	cr_assert_eq(step(&e), ERR_OK);
}

static void drop(const char *key)
{
	struct event e = {.kind = EVENT_REMOVE_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	cr_assert_eq(step(&e), ERR_OK);
}

static const char *value_of(const char *key)
{
	static char room[ENTRY_ROOM];
	const struct entry *e = map_get(horde_map(horde), key, strlen(key));

	return e ? entry_text(e, room) : "(none)";
}

/* Another replica, of an origin of its own, that knows what the node knows now. */
static struct map *copy_of_node(uint64_t origin)
{
	struct map *m = NULL;
	struct fragment f = {0};
	struct fragment *all = &f;
	struct changes changes = {0};
	struct vector nothing = VECTOR_INIT;
	struct origin_id forked;

	cr_assert_eq(map_new((struct origin_id){origin, 5}, digest_key(cluster_id), &m), ERR_OK);
	cr_assert_eq(map_difference(horde_map(horde), &nothing, &f), ERR_OK);
	cr_assert_eq(map_apply(m, &all, 1, &changes, &forked), ERR_OK);
	fragment_fini(&f);
	changes_fini(&changes);
	return m;
}

static void write_to(struct map *m, const char *key, const char *value)
{
	struct changes changes = {0};

	cr_assert_eq(map_put(m, key, strlen(key), value, strlen(value), NULL, 1, &changes), ERR_OK);
	changes_fini(&changes);
}

static enum err merge(struct map *snapshot)
{
	struct block_sums sums = {0};
	struct fragment f = {0};
	struct event e = {.kind = EVENT_MERGE, .fragment = &f};
	enum err err;

	cr_assert_eq(map_block_sums(horde_map(horde), &sums), ERR_OK);
	cr_assert_eq(
		map_difference_checked(snapshot, map_vector(horde_map(horde)), &sums, false, &f),
		ERR_OK);
	failing_arm(fail_at);
	err = step(&e);
	fell_short = failing_disarm();
	fail_at = -1;
	fragment_fini(&f);
	block_sums_fini(&sums);
	return err;
}

static void cut_kill_log(struct map *m)
{
	struct changes changes = {0};

	cr_assert_eq(map_truncate(m, map_vector(m), &changes), ERR_OK);
	cr_assert_gt(changes.used, 0);
	changes_fini(&changes);
}

Test(merge, an_older_state_of_itself_brings_nothing_back)
{
	struct map *old;
	struct digest before;

	put("meta/default/gone", "1");
	put("meta/default/kept", "\"old\"");
	old = copy_of_node(7);
	drop("meta/default/gone");
	put("meta/default/kept", "\"new\"");
	before = map_digest(horde_map(horde));
	cr_assert_eq(merge(old), ERR_OK);
	cr_assert_eq(out.changes.used, 0);
	cr_assert_arr_eq(
		&before, &((struct digest[1]){map_digest(horde_map(horde))}), sizeof before);
	cr_assert_str_eq(value_of("meta/default/gone"), "(none)");
	cr_assert_str_eq(value_of("meta/default/kept"), "\"new\"");
	map_free(old);
}

/* No record is left of the deletes; the dot is known and dead, and that is enough. */
Test(merge, it_brings_nothing_back_below_a_floor_either)
{
	struct map *old;

	put("meta/default/gone", "1");
	old = copy_of_node(7);
	drop("meta/default/gone");
	cut_kill_log(horde_map_mutable(horde));
	write_to(old, "meta/default/new", "2");
	cr_assert_eq(merge(old), ERR_OK);
	cr_assert_str_eq(value_of("meta/default/gone"), "(none)");
	cr_assert_str_eq(value_of("meta/default/new"), "2");
	map_free(old);
}

Test(merge, what_only_the_snapshot_knows_comes_in_and_goes_to_the_store)
{
	struct map *other;
	size_t puts = 0;

	put("meta/default/a", "1");
	other = copy_of_node(7);
	write_to(other, "meta/default/a", "2");
	write_to(other, "meta/default/b", "3");
	cr_assert_eq(merge(other), ERR_OK);
	cr_assert_str_eq(value_of("meta/default/a"), "2");
	cr_assert_str_eq(value_of("meta/default/b"), "3");
	cr_assert(vector_covers(map_vector(horde_map(horde)), map_vector(other)));
	for (size_t i = 0; i < out.changes.used; i++)
		puts += out.changes.items[i].kind == CHANGE_PUT;
	cr_assert_eq(puts, 2);
	/* Again: it is known now. */
	cr_assert_eq(merge(other), ERR_OK);
	cr_assert_eq(out.changes.used, 0);
	map_free(other);
}

/* The snapshot's own kill log was cut: what it has no record of is told by the sums. */
Test(merge, deletes_that_only_the_snapshot_knows_are_done_below_its_floor_too)
{
	struct map *other;
	struct changes changes = {0};

	put("meta/default/gone", "1");
	put("meta/default/kept", "2");
	other = copy_of_node(7);
	cr_assert_eq(map_remove(other, "meta/default/gone", 17, 1, &changes), ERR_OK);
	changes_fini(&changes);
	cut_kill_log(other);
	cr_assert_eq(merge(other), ERR_OK);
	cr_assert_str_eq(value_of("meta/default/gone"), "(none)");
	cr_assert_str_eq(value_of("meta/default/kept"), "2");
	cr_assert_gt(map_floor(horde_map(horde), (struct origin_id){7, 5}), 0);
	map_free(other);
}

Test(merge, it_is_refused_as_any_write_while_the_store_fails)
{
	struct event failed = {.kind = EVENT_STORE_FAILED};
	struct map *other = copy_of_node(7);

	write_to(other, "meta/default/a", "1");
	failed.stored.err = ERR_STORAGE_FULL;
	cr_assert_eq(step(&failed), ERR_OK);
	cr_assert_eq(merge(other), ERR_STORAGE_FULL);
	cr_assert_str_eq(value_of("meta/default/a"), "(none)");
	map_free(other);
}

Test(merge, it_is_made_whole_or_not_at_all_when_memory_runs_out)
{
	long n = 0;

	for (bool more = true; more; n++) {
		struct map *other;
		enum err e;

		put("meta/default/a", "1");
		other = copy_of_node(7);
		write_to(other, "meta/default/a", "2");
		write_to(other, "meta/default/b", "3");
		fail_at = n;
		e = merge(other);
		more = fell_short;
		if (e != ERR_OK) {
			cr_assert_eq(e, ERR_NO_MEMORY);
			cr_assert_str_eq(value_of("meta/default/a"), "1");
			cr_assert_str_eq(value_of("meta/default/b"), "(none)");
			cr_assert_eq(out.changes.used, 0);
			cr_assert_eq(merge(other), ERR_OK, "nothing is broken");
		}
		cr_assert_str_eq(value_of("meta/default/a"), "2");
		cr_assert_str_eq(value_of("meta/default/b"), "3");
		map_free(other);
		tear_down();
		set_up();
	}
	cr_assert_gt(n, 10);
}

Test(merge, nonsense_is_malformed_and_changes_nothing)
{
	struct map *other = copy_of_node(7);
	struct fragment f = {0};
	struct event e = {.kind = EVENT_MERGE, .fragment = &f};

	write_to(other, "meta/default/a", "1");
	cr_assert_eq(map_difference(other, map_vector(horde_map(horde)), &f), ERR_OK);
	f.ranges[0].after += 7;
	cr_assert_eq(step(&e), ERR_MALFORMED);
	cr_assert_str_eq(value_of("meta/default/a"), "(none)");
	fragment_fini(&f);
	map_free(other);
}

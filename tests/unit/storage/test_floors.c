/* What a raised floor and a reset leave, in the store of SQLite and in the one of memory. */
#include <criterion/criterion.h>

#include "storage/memory.h"
#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

static char *directory;
static struct memory_disk *disk;
static struct store stores[2];

static void set_up(void)
{
	directory = make_directory();
	MUST(!memory_disk_new(&disk));
	stores[0] = memory_open(disk);
	MUST(!sqlite_open(path_in(directory, SQLITE_FILE), &stores[1], NULL));
}

static void tear_down(void)
{
	store_close(stores[1]);
	memory_disk_free(disk);
	remove_directory(directory);
}

TestSuite(floors, .init = set_up, .fini = tear_down);

/* Commits to both and empties the batch. */
static void commit(struct store_batch *b)
{
	for (int i = 0; i < 2; i++)
		cr_assert_eq(commit_one(stores[i], b), ERR_OK);
	batch_clear(b);
}

static void both_hold(const char *wanted)
{
	for (int i = 0; i < 2; i++) {
		char *found = dump(stores[i]);

		cr_assert_str_eq(found, wanted, "store %d:\n%s", i, found);
		free(found);
	}
}

#define ONE "9e3779b97f4a7c15-1"
#define TWO "3c6ef372fe94f82a-2"

static void add_kills(struct store_batch *b)
{
	for (uint64_t seq = 1; seq <= 5; seq++) {
		MUST(!batch_kill(b, dot_of(1, seq), dot_of(2, seq)));
		MUST(!batch_kill(b, dot_of(2, seq + 5), dot_of(1, 9)));
	}
}

static const char kills_of_two[] = "kill " TWO ":10 " ONE ":9\nkill " TWO ":6 " ONE ":9\n"
				   "kill " TWO ":7 " ONE ":9\nkill " TWO ":8 " ONE ":9\n"
				   "kill " TWO ":9 " ONE ":9\n";

static const char *texts(const char *a, const char *b, const char *c)
{
	static char text[4096];

	MUST(snprintf(text, sizeof text, "%s%s%s", a, b, c) < (int)sizeof text);
	return text;
}

Test(floors, a_vector_with_a_floor_deletes_the_kills_of_its_origin_up_to_it)
{
	struct store_batch b = {0};

	add_kills(&b);
	MUST(!batch_vector(&b, dot_of(1, 0).origin, 5, 0, 77));
	commit(&b);
	MUST(!batch_vector(&b, dot_of(1, 0).origin, 5, 3, 77));
	commit(&b);
	both_hold(texts(kills_of_two, "kill " ONE ":4 " TWO ":4\nkill " ONE ":5 " TWO ":5\n",
		"vector " ONE ":5 3 77\n"));
	batch_fini(&b);
}

/* The kill record may have come into the batch after the vector that the new one replaces. */
Test(floors, a_floor_cuts_what_the_same_batch_added_before_and_not_what_comes_after)
{
	struct store_batch b = {0};

	MUST(!batch_vector(&b, dot_of(1, 0).origin, 4, 0, 76));
	add_kills(&b);
	MUST(!batch_vector(&b, dot_of(1, 0).origin, 5, 5, 77));
	MUST(!batch_kill(&b, dot_of(1, 6), dot_of(2, 6)));
	MUST(!batch_vector(&b, dot_of(1, 0).origin, 6, 5, 78));
	commit(&b);
	both_hold(texts(kills_of_two, "kill " ONE ":6 " TWO ":6\n", "vector " ONE ":6 5 78\n"));
	batch_fini(&b);
}

Test(floors, seqs_from_two_to_the_63_on_are_cut_in_their_order)
{
	const uint64_t high = (uint64_t)1 << 63;
	struct store_batch b = {0};

	MUST(!batch_kill(&b, dot_of(1, 1), dot_of(2, 1)));
	MUST(!batch_kill(&b, dot_of(1, high), dot_of(2, 1)));
	MUST(!batch_kill(&b, dot_of(1, high + 1), dot_of(2, 1)));
	MUST(!batch_vector(&b, dot_of(1, 0).origin, UINT64_MAX, high, 0));
	commit(&b);
	both_hold("kill " ONE ":9223372036854775809 " TWO ":1\n"
		  "vector " ONE ":18446744073709551615 9223372036854775808 0\n");
	batch_fini(&b);
}

Test(floors, a_reset_takes_the_map_and_leaves_settings_and_what_follows)
{
	struct store_batch b = {0};

	add_kills(&b);
	MUST(!batch_setting(&b, "a", "b"));
	MUST(!batch_declared(&b, "c", "d"));
	MUST(!batch_put(&b, dot_of(1, 1), 1, "k", 1, "v", 1));
	MUST(!batch_vector(&b, dot_of(1, 0).origin, 5, 0, 77));
	MUST(!batch_vector(&b, dot_of(2, 0).origin, 9, 0, 77));
	commit(&b);
	MUST(!batch_put(&b, dot_of(1, 2), 1, "k", 1, "v", 1));
	MUST(!batch_vector(&b, dot_of(2, 0).origin, 10, 4, 78));
	MUST(!batch_reset(&b));
	MUST(!batch_vector(&b, dot_of(2, 0).origin, 11, 4, 79));
	MUST(!batch_put(&b, dot_of(2, 11), 3, "q", 1, "w", 1));
	MUST(!batch_declared(&b, "e", "f"));
	commit(&b);
	both_hold("declared 65 66\nentry " TWO ":11 3 71 77\nsetting 61 62\nvector " TWO
		  ":11 4 79\n");
	batch_fini(&b);
}

/* A reset that fails is as if it had never been. */
Test(floors, a_reset_that_is_rolled_back_changes_nothing)
{
	struct store_batch good = {0}, bad = {0};
	char *before, *after;
	struct store s = stores[1];

	add_kills(&good);
	MUST(!batch_vector(&good, dot_of(1, 0).origin, 5, 0, 77));
	commit(&good);
	before = dump(s);
	MUST(!batch_reset(&bad));
	MUST(!batch_put(&bad, dot_of(3, 1), 1, "k", 1, "v", 1));
	bad.ops[1].value_length = (uint32_t)1 << 31; /* longer than SQLite takes */
	cr_assert_neq(commit_one(s, &bad), ERR_OK);
	after = dump(s);
	cr_assert_str_eq(after, before);
	free(before);
	free(after);
	batch_fini(&good);
	batch_fini(&bad);
}

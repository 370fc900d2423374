#include <criterion/criterion.h>

#include "storage/memory.h"
#include "tests/unit/storage/support.h"

static struct memory_disk *disk;

static void set_up(void)
{
	cr_assert_eq(memory_disk_new(&disk), ERR_OK);
}

static void tear_down(void)
{
	memory_disk_free(disk);
}

TestSuite(memory, .init = set_up, .fini = tear_down);

static enum err commit_number(struct store s, uint64_t n)
{
	struct store_batch b = {0};
	enum err e;

	numbered_batch(&b, n, 20);
	e = commit_one(s, &b);
	batch_fini(&b);
	return e;
}

static uint64_t content_of(struct memory_disk *d)
{
	return numbered_state(memory_open(d));
}

Test(memory, content_outlives_the_store_and_a_crash)
{
	struct store s = memory_open(disk);

	for (uint64_t n = 1; n <= 10; n++)
		cr_assert_eq(commit_number(s, n), ERR_OK);
	store_close(s);
	memory_disk_crash(disk);
	cr_assert_eq(content_of(disk), 10);
}

Test(memory, fails_the_commits_it_is_told_to_and_changes_nothing)
{
	struct store s = memory_open(disk);

	memory_disk_fail(disk, 2, 2, ERR_STORAGE_FULL);
	cr_assert_eq(commit_number(s, 1), ERR_OK);
	cr_assert_eq(commit_number(s, 2), ERR_STORAGE_FULL);
	cr_assert_eq(commit_number(s, 2), ERR_STORAGE_FULL);
	cr_assert_eq(content_of(disk), 1);
	cr_assert_eq(commit_number(s, 2), ERR_OK);
	cr_assert_eq(content_of(disk), 2);
}

Test(memory, a_crash_takes_the_unsynced_suffix_and_nothing_else)
{
	struct store s = memory_open(disk);

	cr_assert_eq(memory_disk_unsynced(disk, 3), ERR_OK);
	for (uint64_t n = 1; n <= 10; n++)
		cr_assert_eq(commit_number(s, n), ERR_OK);
	cr_assert_eq(content_of(disk), 10);
	memory_disk_crash(disk);
	cr_assert_eq(content_of(disk), 7);
	for (uint64_t n = 8; n <= 9; n++)
		cr_assert_eq(commit_number(s, n), ERR_OK);
	cr_assert_eq(memory_disk_unsynced(disk, 0), ERR_OK);
	memory_disk_crash(disk);
	cr_assert_eq(content_of(disk), 9);
}

Test(memory, an_older_copy_can_be_put_back)
{
	struct store s = memory_open(disk);
	struct memory_disk *backup;

	cr_assert_eq(memory_disk_unsynced(disk, 1), ERR_OK);
	for (uint64_t n = 1; n <= 5; n++)
		cr_assert_eq(commit_number(s, n), ERR_OK);
	cr_assert_eq(memory_disk_dup(disk, &backup), ERR_OK);
	for (uint64_t n = 6; n <= 9; n++)
		cr_assert_eq(commit_number(s, n), ERR_OK);
	cr_assert_eq(memory_disk_restore(disk, backup), ERR_OK);
	memory_disk_free(backup);
	cr_assert_eq(content_of(disk), 5);
	memory_disk_crash(disk);
	cr_assert_eq(content_of(disk), 5);
	cr_assert_eq(commit_number(s, 6), ERR_OK);
	cr_assert_eq(content_of(disk), 6);
}

Test(memory, several_batches_are_one_commit)
{
	struct store s = memory_open(disk);
	struct store_batch b[2] = {0};
	const struct store_batch *both[2] = {&b[0], &b[1]};

	cr_assert_eq(memory_disk_unsynced(disk, 1), ERR_OK);
	numbered_batch(&b[0], 1, 5);
	numbered_batch(&b[1], 2, 5);
	cr_assert_eq(store_commit(s, both, 2), ERR_OK);
	cr_assert_eq(content_of(disk), 2);
	memory_disk_crash(disk);
	cr_assert_eq(content_of(disk), 0);
	batch_fini(&b[0]);
	batch_fini(&b[1]);
}

static enum err refuse(void *data, struct dot killer, struct dot victim)
{
	(void)data;
	(void)killer;
	(void)victim;
	return ERR_MALFORMED;
}

Test(memory, a_load_ends_with_the_visitors_error)
{
	struct store s = memory_open(disk);
	struct store_visitor visitor = {.kill = refuse};

	cr_assert_eq(commit_number(s, 1), ERR_OK);
	cr_assert_eq(store_load(s, &visitor), ERR_OK);
	cr_assert_eq(commit_number(s, 2), ERR_OK);
	cr_assert_eq(store_load(s, &visitor), ERR_MALFORMED);
}

Test(memory, a_setting_a_vector_and_an_entry_are_replaced)
{
	struct store s = memory_open(disk);
	struct store_batch b = {0};
	char *text;

	MUST(!batch_setting(&b, "a", "old") && !batch_setting(&b, "ab", "x"));
	MUST(!batch_setting(&b, "a", "new"));
	MUST(!batch_put(&b, dot_of(1, 1), 1, "", 0, "v", 1));
	MUST(!batch_put(&b, dot_of(1, 1), 2, "", 0, "w", 1));
	MUST(!batch_drop(&b, dot_of(9, 9)));
	MUST(!commit_one(s, &b));
	text = dump(s);
	cr_assert_str_eq(text, "entry 9e3779b97f4a7c15-1:1 2  77\n"
			       "setting 61 6e6577\nsetting 6162 78\n");
	free(text);
	batch_fini(&b);
}

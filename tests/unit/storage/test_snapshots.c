/* Copies of a store that is being written to, and what is kept of them. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "tests/unit/storage/snapshots_scene.h"

TestSuite(snapshots, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- made ---------------------------------------------------------------------------------- */

Test(snapshots, one_is_a_commit_of_the_store_that_goes_on_meanwhile)
{
	for (int i = 0; i < 300; i++)
		commit();
	for (int i = 0; i < 5; i++) {
		struct snapshots_job *job;
		uint64_t before = commits, state;
		struct store copy;

		cr_assert_eq(snapshots_create(snapshots, "a", &job), ERR_OK);
		cr_assert_eq(finish_job(job, true), ERR_OK);
		cr_assert_eq(sqlite_open_snapshot(file_of("a.db"), &copy), ERR_OK);
		state = numbered_state(copy);
		cr_assert(state >= before && state <= commits, "%llu of %llu to %llu",
			(unsigned long long)state, (unsigned long long)before,
			(unsigned long long)commits);
		store_close(copy);
		cr_assert_eq(snapshots_delete(snapshots, "a"), ERR_OK);
	}
	cr_assert_eq(numbered_state(store), commits);
}

Test(snapshots, one_is_a_single_private_file_that_opens_as_a_store)
{
	struct stat status;
	struct store copy;
	size_t length;
	char *bytes;

	commit();
	cr_assert_eq(create("a"), ERR_OK);
	cr_assert_eq(files(), 2);
	MUST(!stat(file_of("a.db"), &status));
	cr_assert_eq(status.st_mode & 0777, 0600);
	bytes = read_file_of("a.db", &length);
	/* Format versions for writing and reading: 1 is a file without a log, 2 has one. */
	cr_assert_eq(bytes[18], 1);
	cr_assert_eq(bytes[19], 1);
	free(bytes);
	MUST(!sqlite_open(file_of("a.db"), &copy, NULL));
	cr_assert_eq(numbered_state(copy), 1);
	store_close(copy);
}

Test(snapshots, the_list_says_size_time_and_a_checksum_that_tools_can_check)
{
	const struct snapshot *s;
	char line[256];
	size_t length;
	char *bytes;
	struct stat status;

	commit();
	cr_assert_eq(create("b"), ERR_OK);
	cr_assert_eq(create("a"), ERR_OK);
	cr_assert_eq(snapshots_count(snapshots), 2);
	cr_assert_str_eq(snapshots_at(snapshots, 0)->id, "a");
	cr_assert_str_eq(snapshots_at(snapshots, 1)->id, "b");
	cr_assert_null(snapshots_at(snapshots, 2));
	s = snapshots_find(snapshots, "b");
	MUST(!stat(file_of("b.db"), &status));
	cr_assert_eq(s->bytes, (uint64_t)status.st_size);
	cr_assert_eq(s->created_ms / 1000, status.st_mtim.tv_sec);
	cr_assert_eq(strspn(s->checksum, "0123456789abcdef"), 32);
	bytes = read_file_of("b.xxh128", &length);
	snprintf(line, sizeof line, "%s  b.db\n", s->checksum);
	cr_assert_str_eq(bytes, line);
	free(bytes);
}

Test(snapshots, the_next_life_finds_them_and_removes_what_a_crash_left)
{
	struct snapshot before;

	commit();
	cr_assert_eq(create("a"), ERR_OK);
	before = *snapshots_find(snapshots, "a");
	snapshots_close(snapshots);
	write_whole(file_of(".b.db"), "half", 4);
	write_whole(file_of(".b.db-wal"), "half", 4);
	write_whole(file_of("b.xxh128"), "sum", 3);
	write_whole(file_of("by-hand.db"), "mine", 4);
	write_whole(file_of("by-hand.txt"), "mine", 4);
	open_snapshots();
	cr_assert_eq(snapshots_count(snapshots), 1);
	cr_assert_str_eq(snapshots_at(snapshots, 0)->id, "a");
	cr_assert_str_eq(snapshots_at(snapshots, 0)->checksum, before.checksum);
	cr_assert_eq(snapshots_at(snapshots, 0)->bytes, before.bytes);
	cr_assert_eq(snapshots_at(snapshots, 0)->created_ms, before.created_ms);
	cr_assert_eq(files(), 4);
	cr_assert_eq(access(file_of("by-hand.db"), F_OK), 0);
}

Test(snapshots, no_more_than_the_limit_are_kept)
{
	struct snapshots_job *job, *jobs[2];
	struct snapshots_upload *u;
	char id[16];

	for (int i = 0; i < SNAPSHOTS_MAX - 2; i++) {
		snprintf(id, sizeof id, "s%d", i);
		cr_assert_eq(create(id), ERR_OK);
	}
	cr_assert_not(snapshots_full(snapshots));
	cr_assert_eq(snapshots_create(snapshots, "x", &jobs[0]), ERR_OK);
	cr_assert_eq(snapshots_receive(snapshots, "y", &u), ERR_OK);
	cr_assert(snapshots_full(snapshots));
	cr_assert_eq(snapshots_create(snapshots, "z", &job), ERR_LIMIT);
	cr_assert_eq(snapshots_receive(snapshots, "z", &u), ERR_LIMIT);
	cr_assert_eq(finish_job(jobs[0], false), ERR_OK);
	cr_assert_eq(snapshots_create(snapshots, "z", &job), ERR_LIMIT);
	cr_assert_eq(snapshots_delete(snapshots, "s3"), ERR_OK);
	cr_assert_eq(create("z"), ERR_OK);
	cr_assert_null(snapshots_find(snapshots, "s3"));
	/* What takes the place of another one is not one more. */
	cr_assert_eq(snapshots_receive(snapshots, "z", &u), ERR_OK);
}

Test(snapshots, only_so_many_jobs_wait_at_a_time)
{
	struct snapshots_job *jobs[SNAPSHOTS_JOBS_MAX], *more;
	char id[16];

	for (int i = 0; i < SNAPSHOTS_JOBS_MAX; i++) {
		snprintf(id, sizeof id, "s%d", i);
		cr_assert_eq(snapshots_create(snapshots, id, &jobs[i]), ERR_OK);
	}
	cr_assert_eq(snapshots_create(snapshots, "x", &more), ERR_LIMIT);
	for (int i = 0; i < SNAPSHOTS_JOBS_MAX; i++)
		cr_assert_eq(finish_job(jobs[i], false), ERR_OK);
	cr_assert_eq(create("x"), ERR_OK);
}

Test(snapshots, an_id_is_a_plain_name)
{
	static const char *const bad[] = {
		"", ".", "..", ".a", "a.", "a/b", "a b", "-a", "\xc3\xa4"};
	struct snapshots_job *job;
	struct snapshots_upload *u;
	char longest[SNAPSHOT_ID_SIZE + 1];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_assert_eq(snapshots_create(snapshots, bad[i], &job), ERR_MALFORMED);
		cr_assert_eq(snapshots_receive(snapshots, bad[i], &u), ERR_MALFORMED);
	}
	memset(longest, 'a', sizeof longest);
	longest[SNAPSHOT_ID_SIZE] = 0;
	cr_assert_eq(snapshots_create(snapshots, longest, &job), ERR_MALFORMED);
	longest[SNAPSHOT_ID_SIZE - 1] = 0;
	cr_assert_eq(create(longest), ERR_OK);
	cr_assert_eq(create("A.b_c-9"), ERR_OK);
}

Test(snapshots, one_id_is_made_once_at_a_time)
{
	struct snapshots_job *job, *other;
	struct snapshots_upload *u, *second;

	cr_assert_eq(snapshots_create(snapshots, "a", &job), ERR_OK);
	cr_assert_eq(snapshots_create(snapshots, "a", &other), ERR_WRONG_STATE);
	cr_assert_eq(snapshots_receive(snapshots, "a", &u), ERR_WRONG_STATE);
	cr_assert_eq(finish_job(job, false), ERR_OK);
	cr_assert_eq(snapshots_create(snapshots, "a", &other), ERR_WRONG_STATE);
	cr_assert_eq(snapshots_receive(snapshots, "a", &u), ERR_OK);
	cr_assert_eq(snapshots_receive(snapshots, "a", &second), ERR_WRONG_STATE);
	cr_assert_eq(snapshots_delete(snapshots, "a"), ERR_WRONG_STATE);
	snapshots_abort(u);
	cr_assert_eq(snapshots_delete(snapshots, "a"), ERR_OK);
	cr_assert_eq(snapshots_delete(snapshots, "a"), ERR_NOT_FOUND);
	cr_assert_eq(files(), 0);
}

Test(snapshots, one_that_is_deleted_can_be_read_to_its_end_by_who_has_begun)
{
	char head[16];
	int fd;

	cr_assert_eq(create("a"), ERR_OK);
	cr_assert_eq(snapshots_read(snapshots, "b", &fd), ERR_NOT_FOUND);
	cr_assert_eq(snapshots_read(snapshots, "a", &fd), ERR_OK);
	cr_assert_eq(snapshots_delete(snapshots, "a"), ERR_OK);
	cr_assert_eq(read(fd, head, sizeof head), sizeof head);
	cr_assert_arr_eq(head, "SQLite format 3", 16);
	MUST(!close(fd));
	cr_assert_eq(snapshots_read(snapshots, "a", &fd), ERR_NOT_FOUND);
}

/* A file size limit stands for the full disk. */
Test(snapshots, a_full_disk_fails_the_job_and_leaves_nothing)
{
	struct rlimit old, tight;

	for (int i = 0; i < 300; i++)
		commit();
	cr_assert_eq(create("small"), ERR_OK);
	signal(SIGXFSZ, SIG_IGN);
	MUST(!getrlimit(RLIMIT_FSIZE, &old));
	tight = (struct rlimit){16384, old.rlim_max};
	MUST(!setrlimit(RLIMIT_FSIZE, &tight));
	cr_assert_eq(create("a"), ERR_STORAGE_FULL);
	MUST(!setrlimit(RLIMIT_FSIZE, &old));
	cr_assert_eq(files(), 2);
	cr_assert_eq(create("a"), ERR_OK);
}

Test(snapshots, the_end_does_not_wait_for_a_job)
{
	struct snapshots_job *jobs[3];
	enum err e = ERR_OK;

	for (int i = 0; i < 300; i++)
		commit();
	for (int i = 0; i < 3; i++) {
		char id[] = {(char)('a' + i), 0};

		cr_assert_eq(snapshots_create(snapshots, id, &jobs[i]), ERR_OK);
	}
	snapshots_job_release(jobs[1]);
	snapshots_close(snapshots);
	cr_assert(snapshots_job_done(jobs[2], &e));
	cr_assert_eq(e, ERR_SHUTTING_DOWN);
	snapshots_job_release(jobs[0]);
	snapshots_job_release(jobs[2]);
	open_snapshots();
	cr_assert_eq(files(), 2 * (int)snapshots_count(snapshots));
	cr_assert_eq(numbered_state(store), commits);
}

/* Two steps' worth in one value, and its vector. */
static void commit_large(void)
{
	struct store_batch b = {0};

	numbered_batch(&b, ++commits, (size_t)SQLITE_BACKUP_PAGES * 4096 + 100000);
	MUST(!commit_one(store, &b));
	batch_fini(&b);
}

static enum err back_up(bool (*cancelled)(void *data), void *data)
{
	write_whole(path_in(directory, "copy"), "", 0);
	return sqlite_backup(
		path_in(directory, SQLITE_FILE), path_in(directory, "copy"), cancelled, data);
}

static bool after_one_step(void *data)
{
	return ++*(int *)data > 1;
}

Test(snapshots, a_backup_asks_between_its_steps_whether_to_go_on)
{
	int asked = 0;

	commit_large();
	cr_assert_eq(back_up(after_one_step, &asked), ERR_SHUTTING_DOWN);
	cr_assert_eq(asked, 2);
	commit();
}

static bool commit_meanwhile(void *data)
{
	commit();
	return ++*(int *)data > 10;
}

Test(snapshots, a_backup_is_not_begun_anew_by_commits_between_its_steps)
{
	struct store copy;
	int steps = 0;

	commit_large();
	cr_assert_eq(back_up(commit_meanwhile, &steps), ERR_OK);
	cr_assert_eq(steps, 2);
	cr_assert_eq(sqlite_open_snapshot(path_in(directory, "copy"), &copy), ERR_OK);
	cr_assert_eq(numbered_state(copy), 1);
	store_close(copy);
	cr_assert_eq(numbered_state(store), 3);
}

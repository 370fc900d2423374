/* The file of a store: what goes in comes back, and failures pass. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "storage/memory.h"
#include "tests/unit/storage/sqlite_scene.h"

TestSuite(sqlite, .init = set_up, .fini = tear_down);

static void add_every_kind(struct store_batch *b)
{
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	MUST(!batch_put(b, dot_of(1, 1), UINT64_MAX, all, 256, all, 256));
	MUST(!batch_put(b, dot_of(1, 2), 0, NULL, 0, NULL, 0));
	MUST(!batch_put(b, dot_of(2, UINT64_MAX), 5, "", 0, "\0\0", 2));
	MUST(!batch_put(b, (struct dot){{UINT64_MAX, 0}, 1}, 5, "k", 1, "{\"a\":1}", 7));
	MUST(!batch_kill(b, dot_of(1, 2), dot_of(3, 1)));
	MUST(!batch_kill(b, dot_of(1, 2), dot_of(3, 2)));
	MUST(!batch_kill(b, dot_of(1, 2), dot_of(3, 2)));
	MUST(!batch_vector(b, dot_of(1, 0).origin, 2, 1, UINT64_MAX));
	MUST(!batch_vector(b, dot_of(2, 0).origin, UINT64_MAX, UINT64_MAX, 0));
	MUST(!batch_setting(b, "cluster_id", "caf\xc3\xa9"));
	MUST(!batch_setting(b, "empty", ""));
	MUST(!batch_declared(b, "default/a", "0f") && !batch_declared(b, "default/b", "aa"));
	MUST(!batch_declared(b, "default/b", "bb") && !batch_declared(b, "default/c", "cc"));
	MUST(!batch_declared(b, "default/c", "") && !batch_declared(b, "default/never", ""));
	MUST(!batch_put(b, dot_of(4, 1), 1, "gone", 4, "v", 1));
	MUST(!batch_drop(b, dot_of(4, 1)));
	MUST(!batch_drop(b, dot_of(5, 1)));
}

Test(sqlite, gives_back_every_kind_byte_for_byte_after_reopening)
{
	struct memory_disk *disk;
	struct store_batch b = {0};
	struct store s = open_file();
	char *wanted, *found;

	MUST(!memory_disk_new(&disk));
	add_every_kind(&b);
	MUST(!commit_one(memory_open(disk), &b));
	wanted = dump(memory_open(disk));
	cr_assert_eq(commit_one(s, &b), ERR_OK);
	found = dump(s);
	cr_assert_str_eq(found, wanted);
	free(found);
	store_close(s);
	s = open_file();
	found = dump(s);
	cr_assert_str_eq(found, wanted);
	cr_assert_not_null(strstr(wanted, "18446744073709551615"));
	cr_assert_not_null(strstr(wanted, "declared 64656661756c742f61 3066\n"
					  "declared 64656661756c742f62 6262\nentry"));
	store_close(s);
	free(found);
	free(wanted);
	memory_disk_free(disk);
	batch_fini(&b);
}

/* The two stores are one interface: the same random history leaves the same content. */
static void random_op(struct store_batch *b, unsigned *seed)
{
	char bytes[64];
	struct dot a = dot_of((uint64_t)rand_r(seed) % 5 + 1, (uint64_t)rand_r(seed) % 30);
	struct dot v = dot_of((uint64_t)rand_r(seed) % 5 + 1, (uint64_t)rand_r(seed) % 30);
	size_t length = (size_t)rand_r(seed) % sizeof bytes;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)rand_r(seed);
	if (rand_r(seed) % 100 == 0)
		MUST(!batch_reset(b));
	if (rand_r(seed) % 8 == 0)
		a.seq += INT64_MAX;
	switch (rand_r(seed) % 7) {
	case 0:
	case 1:
		MUST(!batch_put(b, a, v.seq, bytes, length / 4, bytes, length));
		break;
	case 2:
		MUST(!batch_drop(b, a));
		break;
	case 3:
		MUST(!batch_kill(b, a, v));
		break;
	case 4:
		MUST(!batch_vector(b, a.origin, v.seq, a.seq, v.origin.hi));
		break;
	case 5:
		bytes[length % 3] = 0; /* one in three forgets */
		MUST(!batch_declared(b, a.seq % 2 ? "one" : "two", bytes));
		break;
	default:
		bytes[length ? length - 1 : 0] = 0;
		MUST(!batch_setting(b, a.seq % 2 ? "one" : "two", bytes));
	}
}

Test(sqlite, agrees_with_the_store_in_memory_on_random_histories)
{
	struct store s = open_file();
	struct memory_disk *disk;
	unsigned seed = 20;

	MUST(!memory_disk_new(&disk));
	for (int round = 0; round < 60; round++) {
		struct store_batch b[2] = {0};
		const struct store_batch *both[2] = {&b[0], &b[1]};
		char *wanted, *found;

		for (int i = 0; i < 40; i++)
			random_op(&b[i % 2], &seed);
		cr_assert_eq(store_commit(memory_open(disk), both, 2), ERR_OK);
		cr_assert_eq(store_commit(s, both, 2), ERR_OK);
		if (round % 10 == 9) {
			store_close(s);
			s = open_file();
		}
		wanted = dump(memory_open(disk));
		found = dump(s);
		cr_assert_str_eq(found, wanted);
		free(wanted);
		free(found);
		batch_fini(&b[0]);
		batch_fini(&b[1]);
	}
	store_close(s);
	memory_disk_free(disk);
}

static enum err refuse(void *data, struct dot killer, struct dot victim)
{
	(void)data;
	(void)killer;
	(void)victim;
	return ERR_MALFORMED;
}

Test(sqlite, a_load_ends_with_the_visitors_error_and_commits_go_on)
{
	struct store s = open_file();
	struct store_visitor visitor = {.kill = refuse};

	cr_assert_eq(commit_number(s, 1, 9), ERR_OK);
	cr_assert_eq(commit_number(s, 2, 9), ERR_OK);
	cr_assert_eq(store_load(s, &visitor), ERR_MALFORMED);
	cr_assert_eq(commit_number(s, 3, 9), ERR_OK);
	cr_assert_eq(numbered_state(s), 3);
	store_close(s);
}

Test(sqlite, the_file_is_private_and_says_what_it_is)
{
	struct stat status;
	struct store s = open_file();
	sqlite3 *db;
	char *mode;

	MUST(!stat(file, &status));
	cr_assert_eq(status.st_mode & 0777, 0600);
	MUST(!sqlite3_open(file, &db));
	MUST(!sqlite3_exec(
		db, "CREATE TEMP TABLE t AS SELECT * FROM pragma_journal_mode", NULL, NULL, NULL));
	MUST(!sqlite3_exec(db, "SELECT o, s, key, hlc, val FROM entry", NULL, NULL, NULL));
	sqlite3_stmt *st;
	MUST(!sqlite3_prepare_v2(db,
		"SELECT journal_mode || application_id || '/' || user_version FROM t,"
		"pragma_application_id, pragma_user_version",
		-1, &st, NULL));
	MUST(sqlite3_step(st) == SQLITE_ROW);
	mode = strdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	MUST(!sqlite3_close(db));
	cr_assert_str_eq(mode, "wal1215263332/2");
	free(mode);
	store_close(s);
}

Test(sqlite, a_file_of_an_older_format_is_brought_forward_with_what_it_holds)
{
	struct store_batch b = {0};
	struct store s = open_file();
	char *before, *after;

	cr_assert_eq(commit_number(s, 1, 10), ERR_OK);
	before = dump(s);
	store_close(s);
	by_hand("DROP TABLE declared; PRAGMA user_version = 1");
	s = open_file();
	after = dump(s);
	cr_assert_str_eq(after, before);
	free(after);
	MUST(!batch_declared(&b, "default/a", "1"));
	cr_assert_eq(commit_one(s, &b), ERR_OK);
	store_close(s);
	s = open_file();
	after = dump(s);
	cr_assert_eq(strncmp(after, "declared 64656661756c742f61 31\n", 31), 0, "%s", after);
	cr_assert_str_eq(after + 31, before);
	store_close(s);
	free(after);
	free(before);
	batch_fini(&b);
}

/* ---- failures that pass -------------------------------------------------------------------- */

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	MUST(!getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = bytes;
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
}

/* A file size limit is what a full disk looks like to anybody, root or not. */
Test(sqlite, a_full_disk_is_said_and_recovered_from_without_reopening)
{
	struct store s = open_file();
	struct store_batch b = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(commit_number(s, 1, 100), ERR_OK);
	numbered_batch(&b, 2, 1 << 20);
	limit_file_size(200000);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(commit_one(s, &b), ERR_STORAGE_FULL);
		cr_assert_eq(numbered_state(s), 1);
	}
	limit_file_size(RLIM_INFINITY);
	cr_assert_eq(commit_one(s, &b), ERR_OK);
	cr_assert_eq(numbered_state(s), 2);
	store_close(s);
	s = open_file();
	cr_assert_eq(numbered_state(s), 2);
	store_close(s);
	batch_fini(&b);
}

Test(sqlite, running_out_of_memory_fails_the_commit_and_the_retry_succeeds)
{
	struct store s = open_file();
	struct store_batch b = {0};
	bool failed = false;

	cr_assert_eq(commit_number(s, 1, 100), ERR_OK);
	numbered_batch(&b, 2, 3 << 20);
	for (sqlite3_int64 room = 0; room < 3 << 20; room += 100000) {
		enum err e;

		sqlite3_hard_heap_limit64(sqlite3_memory_used() + room + 1);
		e = commit_one(s, &b);
		sqlite3_hard_heap_limit64(0);
		cr_assert(e == ERR_OK || e == ERR_NO_MEMORY, "%s", err_text(e));
		failed |= e == ERR_NO_MEMORY;
		cr_assert_eq(numbered_state(s), e ? 1 : 2);
		if (!e)
			break;
	}
	cr_assert(failed);
	cr_assert_eq(commit_one(s, &b), ERR_OK);
	cr_assert_eq(numbered_state(s), 2);
	store_close(s);
	batch_fini(&b);
}

/* A failure that SQLite does not roll back by itself, as some others do not either. */
Test(sqlite, a_refused_row_takes_the_whole_batch_with_it)
{
	struct store s = open_file();
	struct store_batch b = {0};

	cr_assert_eq(commit_number(s, 1, 9), ERR_OK);
	by_hand("CREATE TRIGGER no BEFORE INSERT ON setting BEGIN SELECT RAISE(FAIL, 'no'); END");
	numbered_batch(&b, 2, 9);
	MUST(!batch_setting(&b, "name", "text"));
	cr_assert_eq(commit_one(s, &b), ERR_STORAGE_CORRUPT);
	cr_assert_eq(numbered_state(s), 1);
	by_hand("DROP TRIGGER no");
	cr_assert_eq(commit_one(s, &b), ERR_OK);
	cr_assert_eq(numbered_state(s), 2);
	store_close(s);
	batch_fini(&b);
}

Test(sqlite, another_programs_lock_fails_the_commit_and_the_retry_succeeds)
{
	struct store s = open_file();
	sqlite3 *db;

	MUST(!sqlite3_open(file, &db) && !sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	cr_assert_eq(commit_number(s, 1, 9), ERR_LOCKED);
	MUST(!sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) && !sqlite3_close(db));
	cr_assert_eq(commit_number(s, 1, 9), ERR_OK);
	cr_assert_eq(numbered_state(s), 1);
	store_close(s);
}

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "storage/memory.h"
#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

static char *directory;
static const char *file;
static struct store_problem problem;

static void set_up(void)
{
	directory = make_directory();
	file = strdup(path_in(directory, SQLITE_FILE));
	problem.detail[0] = 0;
}

static void tear_down(void)
{
	remove_directory(directory);
	free((char *)file);
}

TestSuite(sqlite, .init = set_up, .fini = tear_down);

static struct store open_file(void)
{
	struct store s;
	enum err e = sqlite_open(file, &s, &problem);

	cr_assert_eq(e, ERR_OK, "%s: %s", err_text(e), problem.detail);
	return s;
}

static enum err commit_number(struct store s, uint64_t n, size_t value_length)
{
	struct store_batch b = {0};
	enum err e;

	numbered_batch(&b, n, value_length);
	e = commit_one(s, &b);
	batch_fini(&b);
	return e;
}

/* What a person could do with the sqlite3 tool. */
static void by_hand(const char *sql)
{
	sqlite3 *db;

	MUST(!sqlite3_open(file, &db) && !sqlite3_exec(db, sql, NULL, NULL, NULL));
	MUST(!sqlite3_close(db));
}

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

/* ---- files that are refused ---------------------------------------------------------------- */

static void expect_refused(enum err wanted, const char *says)
{
	size_t before_length, after_length, log_before, log_after;
	char *before = read_whole(file, &before_length), *after, *log, *log_then;
	struct store s;

	log = read_whole(path_in(directory, SQLITE_FILE "-wal"), &log_before);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(sqlite_open(file, &s, &problem), wanted, "%s", problem.detail);
	cr_assert_not_null(strstr(problem.detail, file), "%s", problem.detail);
	cr_assert_not_null(strstr(problem.detail, says), "%s", problem.detail);
	cr_assert_eq(sqlite_open(file, &s, NULL), wanted);
	after = read_whole(file, &after_length);
	cr_assert_eq(after_length, before_length);
	cr_assert_arr_eq(after, before, before_length);
	log_then = read_whole(path_in(directory, SQLITE_FILE "-wal"), &log_after);
	if (log && log_before) {
		cr_assert_not_null(log_then);
		cr_assert_eq(log_after, log_before);
		cr_assert_arr_eq(log_then, log, log_before);
	}
	free(before);
	free(after);
	free(log);
	free(log_then);
}

Test(sqlite, refuses_a_newer_format_and_leaves_it_alone)
{
	store_close(open_file());
	by_hand("PRAGMA user_version = 3");
	expect_refused(ERR_STORAGE_VERSION, "format 3");
}

/* The log of a daemon that was killed must survive the refusal too: closing would empty it. */
Test(sqlite, refuses_a_newer_format_with_a_log_and_leaves_both_alone)
{
	struct store s = open_file();
	size_t length, log_length;
	char *db, *log;

	cr_assert_eq(commit_number(s, 1, 5000), ERR_OK);
	by_hand("PRAGMA user_version = 3");
	db = read_whole(file, &length);
	log = read_whole(path_in(directory, SQLITE_FILE "-wal"), &log_length);
	cr_assert_gt(log_length, 5000);
	store_close(s);
	write_whole(file, db, length);
	write_whole(path_in(directory, SQLITE_FILE "-wal"), log, log_length);
	free(db);
	free(log);
	expect_refused(ERR_STORAGE_VERSION, "format 3");
}

Test(sqlite, refuses_the_database_of_another_program)
{
	by_hand("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	expect_refused(ERR_STORAGE_CORRUPT, "another program");
}

Test(sqlite, refuses_a_file_that_is_no_database)
{
	char garbage[20000];

	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (char)(i * 31 + 7);
	write_whole(file, garbage, sizeof garbage);
	expect_refused(ERR_STORAGE_CORRUPT, "move it");
}

static char *full_file(size_t *ret_length)
{
	struct store s = open_file();
	struct store_batch b = {0};

	for (uint64_t i = 1; i <= 2000; i++) {
		MUST(!batch_put(&b, dot_of(i % 7, i), i, "key", 3, directory, 20));
		MUST(!batch_kill(&b, dot_of(1, i), dot_of(2, i)));
	}
	MUST(!commit_one(s, &b));
	batch_fini(&b);
	store_close(s);
	return read_whole(file, ret_length);
}

/* Every page in turn is overwritten: none may pass unseen, none may be repaired in place. */
Test(sqlite, refuses_a_file_with_a_damaged_page)
{
	size_t length;
	char *whole = full_file(&length);

	cr_assert_gt(length, 20 * 4096);
	for (size_t at = 4096; at < length; at += 4096) {
		char page[4096];

		memcpy(page, whole + at, 4096);
		memset(whole + at, 0x5a, 4096);
		write_whole(file, whole, length);
		expect_refused(ERR_STORAGE_CORRUPT, "move it");
		memcpy(whole + at, page, 4096);
	}
	write_whole(file, whole, length);
	store_close(open_file());
	free(whole);
}

Test(sqlite, refuses_a_file_that_was_cut_short)
{
	size_t length;
	char *whole = full_file(&length);

	write_whole(file, whole, length / 2 / 4096 * 4096);
	expect_refused(ERR_STORAGE_CORRUPT, "move it");
	write_whole(file, whole, 50);
	expect_refused(ERR_STORAGE_CORRUPT, "move it");
	free(whole);
}

Test(sqlite, refuses_rows_that_name_an_unknown_origin)
{
	struct store s = open_file();
	struct store_visitor visitor = {.entry = NULL, .vector = dump_vector};
	struct text t = TEXT_INIT;

	visitor.data = &t;
	cr_assert_eq(commit_number(s, 1, 9), ERR_OK);
	store_close(s);
	by_hand("UPDATE vec SET o = 99");
	s = open_file();
	cr_assert_eq(store_load(s, &visitor), ERR_STORAGE_CORRUPT);
	cr_assert_eq(sqlite_explain(file, ERR_STORAGE_CORRUPT, &problem), ERR_STORAGE_CORRUPT);
	cr_assert_not_null(strstr(problem.detail, file));
	store_close(s);
	by_hand("UPDATE origin SET idx = 7");
	expect_refused(ERR_STORAGE_CORRUPT, "move it");
	text_fini(&t);
}

Test(sqlite, refuses_to_throw_a_log_away_whose_file_is_gone)
{
	const char *log = path_in(directory, SQLITE_FILE "-wal");
	struct store s;
	size_t length;
	char *left;

	write_whole(log, "precious", 8);
	cr_assert_eq(sqlite_open(file, &s, &problem), ERR_STORAGE_CORRUPT);
	cr_assert_not_null(strstr(problem.detail, log));
	write_whole(file, "", 0);
	cr_assert_eq(sqlite_open(file, &s, &problem), ERR_STORAGE_CORRUPT);
	left = read_whole(log, &length);
	cr_assert_eq(length, 8);
	free(left);
}

Test(sqlite, says_why_it_cannot_be_opened)
{
	struct store s;

	cr_assert_eq(sqlite_open(path_in(directory, "missing/horde.db"), &s, &problem), ERR_IO);
	cr_assert_not_null(strstr(problem.detail, "missing/horde.db"));
	cr_assert_eq(sqlite_open(directory, &s, &problem), ERR_IO, "%s", problem.detail);
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

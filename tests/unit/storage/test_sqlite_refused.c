/* Files that are not opened, and are left as they are. */
#include "tests/unit/storage/sqlite_scene.h"

TestSuite(sqlite_refused, .init = set_up, .fini = tear_down);

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

Test(sqlite_refused, a_newer_format_and_leaves_it_alone)
{
	store_close(open_file());
	by_hand("PRAGMA user_version = 3");
	expect_refused(ERR_STORAGE_VERSION, "format 3");
}

/* The log of a daemon that was killed must survive the refusal too: closing would empty it. */
Test(sqlite_refused, a_newer_format_with_a_log_and_leaves_both_alone)
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

Test(sqlite_refused, the_database_of_another_program)
{
	by_hand("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	expect_refused(ERR_STORAGE_CORRUPT, "another program");
}

Test(sqlite_refused, a_file_that_is_no_database)
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
Test(sqlite_refused, a_file_with_a_damaged_page)
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

Test(sqlite_refused, a_file_that_was_cut_short)
{
	size_t length;
	char *whole = full_file(&length);

	write_whole(file, whole, length / 2 / 4096 * 4096);
	expect_refused(ERR_STORAGE_CORRUPT, "move it");
	write_whole(file, whole, 50);
	expect_refused(ERR_STORAGE_CORRUPT, "move it");
	free(whole);
}

Test(sqlite_refused, rows_that_name_an_unknown_origin)
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

Test(sqlite_refused, to_throw_a_log_away_whose_file_is_gone)
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

Test(sqlite_refused, says_why_it_cannot_be_opened)
{
	struct store s;

	cr_assert_eq(sqlite_open(path_in(directory, "missing/horde.db"), &s, &problem), ERR_IO);
	cr_assert_not_null(strstr(problem.detail, "missing/horde.db"));
	cr_assert_eq(sqlite_open(directory, &s, &problem), ERR_IO, "%s", problem.detail);
}

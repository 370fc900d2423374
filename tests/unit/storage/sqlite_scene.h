/* A directory with the file of a store, for the tests of what is in it and of what is refused. */
#ifndef HORDE_TESTS_SQLITE_SCENE_H
#define HORDE_TESTS_SQLITE_SCENE_H

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

static char *directory;
static const char *file;
static struct store_problem problem;

static inline void set_up(void)
{
	directory = make_directory();
	file = strdup(path_in(directory, SQLITE_FILE));
	problem.detail[0] = 0;
}

static inline void tear_down(void)
{
	remove_directory(directory);
	free((char *)file);
}

static inline struct store open_file(void)
{
	struct store s;
	enum err e = sqlite_open(file, &s, &problem);

	cr_assert_eq(e, ERR_OK, "%s: %s", err_text(e), problem.detail);
	return s;
}

static inline enum err commit_number(struct store s, uint64_t n, size_t value_length)
{
	struct store_batch b = {0};
	enum err e;

	numbered_batch(&b, n, value_length);
	e = commit_one(s, &b);
	batch_fini(&b);
	return e;
}

/* What a person could do with the sqlite3 tool. */
static inline void by_hand(const char *sql)
{
	sqlite3 *db;

	MUST(!sqlite3_open(file, &db) && !sqlite3_exec(db, sql, NULL, NULL, NULL));
	MUST(!sqlite3_close(db));
}

#endif

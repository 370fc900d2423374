#include "tests/lib/store.h"

#include "tests/lib/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000 };

/* -shm is an index of -wal that SQLite makes again. */
static const char *const parts[] = {"horde.db", "horde.db-wal"};

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct stat info;
	ssize_t sent = 0;

	CHECK(in >= 0 && out >= 0 && fstat(in, &info) == 0, "cannot copy %s to %s: %s", from, to,
		strerror(errno));
	for (off_t left = info.st_size; left > 0; left -= sent) {
		sent = sendfile(out, in, NULL, (size_t)left);
		CHECK(sent > 0, "copying %s: %s", from, strerror(errno));
	}
	close(in);
	close(out);
}

static void path_of(char *out, size_t size, const char *dir, const char *file)
{
	CHECK(snprintf(out, size, "%s/%s", dir, file) < (int)size, "too long: %s/%s", dir, file);
}

void store_keep(const struct node *node, const char *name)
{
	char from[600], to[600], dir[512];

	CHECK(node->pid == 0, "%s runs", node->name);
	snprintf(dir, sizeof dir, "%s.%s", node->dir, name);
	CHECK(mkdir(dir, 0700) == 0, "mkdir %s: %s", dir, strerror(errno));
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		path_of(from, sizeof from, node->dir, parts[i]);
		path_of(to, sizeof to, dir, parts[i]);
		if (access(from, F_OK) == 0)
			copy_file(from, to);
	}
}

void store_put_back(const struct node *node, const char *name)
{
	char from[600], to[600], dir[512];

	CHECK(node->pid == 0, "%s runs", node->name);
	snprintf(dir, sizeof dir, "%s.%s", node->dir, name);
	path_of(to, sizeof to, node->dir, "horde.db-shm");
	unlink(to);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		path_of(from, sizeof from, dir, parts[i]);
		path_of(to, sizeof to, node->dir, parts[i]);
		unlink(to);
		if (access(from, F_OK) == 0)
			copy_file(from, to);
	}
}

void store_clone(const struct node *node, const char *to)
{
	DIR *dir = opendir(node->dir);
	struct dirent *item;
	struct stat info;
	char from[600], file[600];

	CHECK(dir && mkdir(to, 0700) == 0, "cannot clone %s: %s", node->dir, strerror(errno));
	while ((item = readdir(dir))) {
		path_of(from, sizeof from, node->dir, item->d_name);
		path_of(file, sizeof file, to, item->d_name);
		if (stat(from, &info) == 0 && S_ISREG(info.st_mode))
			copy_file(from, file);
	}
	closedir(dir);
}

static sqlite3 *open_store(const struct node *node, int flags)
{
	char path[600];
	sqlite3 *db = NULL;

	path_of(path, sizeof path, node->dir, parts[0]);
	CHECK(sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK, "%s: %s", path,
		sqlite3_errmsg(db));
	sqlite3_busy_timeout(db, BUSY_MS);
	return db;
}

long long store_number(const struct node *node, const char *sql)
{
	/* Not read-only: whoever reads a write-ahead log needs to write to its index. */
	sqlite3 *db = open_store(node, SQLITE_OPEN_READWRITE);
	sqlite3_stmt *statement = NULL;
	long long number;

	CHECK(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	CHECK(sqlite3_step(statement) == SQLITE_ROW, "%s: %s", sql, sqlite3_errmsg(db));
	number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

int store_change(const struct node *node, const char *sql)
{
	sqlite3 *db;
	int rows;

	CHECK(node->pid == 0, "%s runs", node->name);
	db = open_store(node, SQLITE_OPEN_READWRITE);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	rows = sqlite3_changes(db);
	sqlite3_close(db);
	return rows;
}

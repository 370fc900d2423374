#include "storage/sqlite.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sqlite_rows.h"

#define APPLICATION_ID 0x486f7264
#define USER_VERSION 2  /* 2: the table `declared` */
#define CACHE_KIB "512" /* of pages; the system has the others */

/* The assembler embeds the schema, so that the file people read is the one that runs. */
__asm__(".pushsection .rodata\n"
	"storage_schema:\n"
	".incbin \"storage/schema.sql\"\n"
	".byte 0\n"
	".popsection\n");
extern const char storage_schema[];

static void sqlite_close(void *self)
{
	struct sqlite *q = self;

	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(q->statements[i]);
	sqlite3_close(q->db);
	intern_fini(&q->origins);
	free(q);
}

static enum err number_of(struct sqlite *q, const char *sql, int64_t *ret_number)
{
	sqlite3_stmt *s;
	enum err e = ERR_OK;

	if (sqlite3_prepare_v2(q->db, sql, -1, &s, NULL))
		return sqlite_failure(q);
	if (sqlite3_step(s) == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(s, 0);
	else
		e = sqlite_failure(q);
	sqlite3_finalize(s);
	return e;
}

static enum err execute(struct sqlite *q, const char *sql)
{
	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) ? sqlite_failure(q) : ERR_OK;
}

/*
 * SQLite throws a log away whose database is missing or empty, and with it what somebody may still
 * want to rescue. A new file is made by us first, so that it is nobody else's to read.
 */
static enum err prepare_file(const char *path, struct store_problem *problem)
{
	char log[4096 + 8];
	struct stat db, wal;
	size_t length = strlen(path);
	int fd;

	if (length > 4096)
		return problem_set(problem, ERR_LIMIT, "the path %.100s... is too long", path);
	memcpy(log, path, length);
	memcpy(log + length, "-wal", 5);
	if ((stat(path, &db) || !db.st_size) && !stat(log, &wal) && wal.st_size)
		return problem_set(problem, ERR_STORAGE_CORRUPT,
			"%s is missing or empty but its log %s is not: put the file back, or move "
			"the log aside to start empty",
			path, log);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return problem_set(problem, problem_from_errno(errno), "cannot create %s: %s", path,
			strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return ERR_OK;
}

static enum err check_pages(struct sqlite *q, const char *path, int64_t bytes_max)
{
	sqlite3_stmt *s;
	struct stat file;
	const char *text;
	enum err e = ERR_OK;

	if (stat(path, &file) || file.st_size > bytes_max)
		return ERR_OK;
	if (sqlite3_prepare_v2(q->db, "PRAGMA quick_check(1)", -1, &s, NULL))
		return sqlite_failure(q);
	text = sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (!text)
		e = sqlite_failure(q);
	else if (strcmp(text, "ok"))
		e = ERR_STORAGE_CORRUPT;
	sqlite3_finalize(s);
	return e;
}

/*
 * Reads only. Files up to `bytes_max` are checked page by page. *ret_fresh: the file is empty and
 * still to be given its tables.
 */
static enum err check_file(struct sqlite *q, const char *path, int64_t bytes_max, bool *ret_fresh,
	struct store_problem *problem)
{
	int64_t application = 0, version = 0, pages = 0;
	enum err e = number_of(q, "PRAGMA application_id", &application);

	if (!e)
		e = number_of(q, "PRAGMA user_version", &version);
	if (!e)
		e = number_of(q, "PRAGMA page_count", &pages);
	if (!e && pages && application != APPLICATION_ID)
		return problem_set(problem, ERR_STORAGE_CORRUPT,
			"%s is a database of another program: name another data directory", path);
	if (!e && version > USER_VERSION)
		return problem_set(problem, ERR_STORAGE_VERSION,
			"%s has format %lld and this version knows %d: start the newer horded, or "
			"name another data directory",
			path, (long long)version, USER_VERSION);
	*ret_fresh = !pages;
	return e || !pages ? e : check_pages(q, path, bytes_max);
}

/* Those that are missing. The tables and the numbers that identify the file appear in one
 * transaction or not at all. */
static enum err create_tables(struct sqlite *q)
{
	enum err e = execute(q, "BEGIN EXCLUSIVE");

	if (!e)
		e = execute(q, storage_schema);
	if (!e)
		e = execute(q, "COMMIT");
	return e;
}

/* Older formats lack tables, no more than that. */
static enum err bring_forward(struct sqlite *q)
{
	int64_t version = 0;
	enum err e = number_of(q, "PRAGMA user_version", &version);

	return !e && version < USER_VERSION ? create_tables(q) : e;
}

static enum err set_up(struct sqlite *q, const char *path, struct store_problem *problem)
{
	bool fresh = false;
	enum err e;

	/* Until all checks have passed, closing must not move the log into the file either. */
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_busy_timeout(q->db, SQLITE_BUSY_MS);
	e = check_file(q, path, SQLITE_CHECK_BYTES_MAX, &fresh, problem);
	if (!e && fresh)
		e = create_tables(q);
	if (!e)
		e = sqlite_read_origins(q);
	if (!e)
		e = bring_forward(q);
	if (!e)
		e = execute(q, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			       "PRAGMA wal_autocheckpoint = 2000;"
			       "PRAGMA journal_size_limit = 16777216;"
			       "PRAGMA cache_size = -" CACHE_KIB ";"
			       "PRAGMA trusted_schema = OFF");
	if (!e)
		e = sqlite_prepare(q);
	if (!e)
		sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return e;
}

enum err sqlite_explain(const char *path, enum err e, struct store_problem *ret_problem)
{
	if (e == ERR_STORAGE_CORRUPT)
		return problem_set(ret_problem, e,
			"%s is damaged; it was left as it is. To start again move it, its -wal and "
			"its -shm aside: the node then takes what its peers have",
			path);
	return problem_set(ret_problem, e, "cannot use %s: %s", path, err_text(e));
}

enum err sqlite_open(const char *path, struct store *ret_store, struct store_problem *ret_problem)
{
	static const struct store_ops ops = {sqlite_commit, sqlite_load, sqlite_close};
	struct sqlite *q;
	enum err e;

	if (ret_problem)
		ret_problem->detail[0] = 0;
	e = prepare_file(path, ret_problem);
	if (e)
		return e;
	q = calloc(1, sizeof *q);
	if (!q)
		return problem_set(ret_problem, ERR_NO_MEMORY, "%s", err_text(ERR_NO_MEMORY));
	/* One thread at a time uses the connection, so it needs no locks of its own. */
	if (sqlite3_open_v2(path, &q->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
		e = sqlite_failure(q);
	if (!e)
		e = set_up(q, path, ret_problem);
	if (e) {
		if (ret_problem && !ret_problem->detail[0])
			(void)sqlite_explain(path, e, ret_problem);
		sqlite_close(q);
		return e;
	}
	*ret_store = (struct store){&ops, q};
	return ERR_OK;
}

/* ---- a snapshot ----------------------------------------------------------------------------- */

/* As a URI, because only so SQLite can be told that nobody changes the file: "file:...". */
static bool immutable_uri(const char *path, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "file:");

	for (; *path && used + 4 < size; path++) {
		bool plain = isalnum((unsigned char)*path) || strchr("/._-", *path);

		used += (size_t)snprintf(
			out + used, size - used, plain ? "%c" : "%%%02X", (unsigned char)*path);
	}
	return !*path && (size_t)snprintf(out + used, size - used, "?immutable=1") < size - used;
}

/* Whoever made the file may have meant to make us run something. */
static enum err distrust(struct sqlite *q)
{
	int64_t strangers = 0;
	enum err e = execute(q, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");

	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (!e)
		e = number_of(q,
			"SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index') "
			"OR sql LIKE 'CREATE VIRTUAL%'",
			&strangers);
	return !e && strangers ? ERR_STORAGE_CORRUPT : e;
}

static enum err refuse_commit(void *self, const struct store_batch *const *batches, size_t count)
{
	(void)self;
	(void)batches;
	(void)count;
	return ERR_STORAGE_READ_ONLY;
}

static enum err open_unchanging(struct sqlite *q, const char *path)
{
	const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
	char uri[3 * PATH_MAX + 32];
	bool empty = false;
	enum err e;

	if (!immutable_uri(path, uri, sizeof uri))
		return ERR_LIMIT;
	if (sqlite3_open_v2(uri, &q->db, flags, NULL))
		return sqlite_failure(q);
	e = distrust(q);
	if (!e)
		e = check_file(q, path, INT64_MAX, &empty, NULL);
	if (!e && empty)
		e = ERR_STORAGE_CORRUPT;
	if (!e)
		e = execute(q, "SELECT o, s, key, hlc, val FROM entry LIMIT 0;"
			       "SELECT ko, ks, vo, vs FROM kill LIMIT 0;"
			       "SELECT o, n, floor, chain FROM vec LIMIT 0;"
			       "SELECT name, text FROM setting LIMIT 0");
	return e ? e : sqlite_read_origins(q);
}

enum err sqlite_open_snapshot(const char *path, struct store *ret_store)
{
	static const struct store_ops ops = {refuse_commit, sqlite_load, sqlite_close};
	struct sqlite *q = calloc(1, sizeof *q);
	enum err e;

	if (!q)
		return ERR_NO_MEMORY;
	e = open_unchanging(q, path);
	if (e)
		sqlite_close(q);
	else
		*ret_store = (struct store){&ops, q};
	return e;
}

/* A copy of a store that is being written to. */
#include <stdbool.h>

#include "storage/sqlite.h"
#include "storage/sqlite_rows.h"

static enum err open_file(struct sqlite *q, const char *path, int flags)
{
	if (sqlite3_open_v2(path, &q->db, flags | SQLITE_OPEN_NOMUTEX, NULL))
		return sqlite_failure(q);
	sqlite3_busy_timeout(q->db, SQLITE_BUSY_MS);
	return ERR_OK;
}

static enum err execute(struct sqlite *q, const char *sql)
{
	return sqlite3_exec(q->db, sql, NULL, NULL, NULL) ? sqlite_failure(q) : ERR_OK;
}

/* What went wrong may have gone wrong on either side; the code of the backup is kept in `to`. */
static enum err copy_pages(
	struct sqlite *from, struct sqlite *to, bool (*cancelled)(void *data), void *data)
{
	sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
	int code = SQLITE_OK;
	bool stopped = false;

	if (!b)
		return sqlite_failure(to);
	while (code == SQLITE_OK && !(stopped = cancelled(data)))
		code = sqlite3_backup_step(b, SQLITE_BACKUP_PAGES);
	code = sqlite3_backup_finish(b);
	if (stopped)
		return ERR_SHUTTING_DOWN;
	return code ? sqlite_failure(to) : ERR_OK;
}

/* A transaction of its own holds the state, or each commit in between would begin it anew. */
static enum err copy(const char *path, struct sqlite *to, bool (*cancelled)(void *data), void *data)
{
	struct sqlite from = {0};
	enum err e = open_file(&from, path, SQLITE_OPEN_READWRITE);

	if (!e)
		e = execute(&from, "BEGIN; SELECT 1 FROM setting LIMIT 1");
	if (!e)
		e = copy_pages(&from, to, cancelled, data);
	sqlite3_close(from.db);
	return e;
}

enum err sqlite_backup(
	const char *from, const char *path, bool (*cancelled)(void *data), void *data)
{
	struct sqlite to = {0};
	enum err e = open_file(&to, path, SQLITE_OPEN_READWRITE);

	/* A crash leaves a file that nobody takes for a snapshot: there is nothing to journal. */
	if (!e)
		e = execute(&to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");
	if (!e)
		e = copy(from, &to, cancelled, data);
	sqlite3_close(to.db);
	to.db = NULL;
	/* The copied header says that there is a log. */
	if (!e)
		e = open_file(&to, path, SQLITE_OPEN_READWRITE);
	if (!e)
		e = execute(&to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE");
	sqlite3_close(to.db);
	return e;
}

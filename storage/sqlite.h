/*
 * The store in one SQLite file: WAL, synchronous=FULL, STRICT tables (schema.sql). The file's own
 * reader is `sqlite3`; other programs may read it while the daemon runs, never write.
 *
 * A file that is not ours, is damaged, or was written by a newer version is refused and left byte
 * for byte as it is: nothing is written before every check has passed. Damage is looked for with
 * quick_check at open (files up to SQLITE_CHECK_BYTES_MAX; larger ones page by page as they are
 * loaded) and by store_load, so load the whole store before the first commit.
 */
#ifndef HORDE_STORAGE_SQLITE_H
#define HORDE_STORAGE_SQLITE_H

#include <stdbool.h>

#include "storage/problem.h"
#include "storage/store.h"

/* The name of the file in the data directory. */
#define SQLITE_FILE "horde.db"
/* quick_check does some 200 MB/s from the page cache: a third of a second at the most. */
#define SQLITE_CHECK_BYTES_MAX ((int64_t)64 << 20)
/* How many pages a backup copies before it looks whether it is still wanted: 4 MB. */
#define SQLITE_BACKUP_PAGES 1024
/* How long a commit waits for another program's lock before it fails with LOCKED. */
#define SQLITE_BUSY_MS 1000

/*
 * Opens the file at `path`, or makes it (mode 0600) when it is missing or empty.
 * On failure `ret_problem` (may be NULL) names the path, the reason and the way out.
 * Errors: STORAGE_CORRUPT, STORAGE_VERSION, STORAGE_READ_ONLY, STORAGE_FULL, LOCKED, NO_MEMORY, IO.
 */
enum err sqlite_open(const char *path, struct store *ret_store, struct store_problem *ret_problem);

/*
 * Opens a snapshot, a file that nobody changes, for loading alone; a commit is STORAGE_READ_ONLY.
 * Nothing is written, beside it neither. The file may come from anywhere: all of its pages and its
 * tables are looked at, and what could make SQLite run something is refused.
 * Errors: STORAGE_CORRUPT (it is no store, or a damaged one), STORAGE_VERSION, STORAGE_READ_ONLY
 * (it may not be read), LIMIT (the path), NO_MEMORY, IO.
 */
enum err sqlite_open_snapshot(const char *path, struct store *ret_store);

/*
 * Copies the store at `from`, which may be open and written to meanwhile, into the empty file `to`
 * by SQLite's backup API: what was committed when it began, as one file without a log. Commits go
 * on; only the log grows until it is done. `to` is not synced yet. Between steps it asks
 * `cancelled`.
 * Errors: SHUTTING_DOWN (it was cancelled), STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_CORRUPT (the
 * store), LOCKED, NO_MEMORY, IO. The content of `to` is then undefined.
 */
enum err sqlite_backup(const char *from, const char *to, bool (*cancelled)(void *data), void *data);

/* The sentence for a failure of store_load on that file; returns `e`. */
enum err sqlite_explain(const char *path, enum err e, struct store_problem *ret_problem);

#endif

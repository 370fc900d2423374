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

#include "storage/problem.h"
#include "storage/store.h"

/* The name of the file in the data directory. */
#define SQLITE_FILE "horde.db"
/* quick_check does some 200 MB/s from the page cache: a third of a second at the most. */
#define SQLITE_CHECK_BYTES_MAX ((int64_t)64 << 20)
/* How long a commit waits for another program's lock before it fails with LOCKED. */
#define SQLITE_BUSY_MS 1000

/*
 * Opens the file at `path`, or makes it (mode 0600) when it is missing or empty.
 * On failure `ret_problem` (may be NULL) names the path, the reason and the way out.
 * Errors: STORAGE_CORRUPT, STORAGE_VERSION, STORAGE_READ_ONLY, STORAGE_FULL, LOCKED, NO_MEMORY, IO.
 */
enum err sqlite_open(const char *path, struct store *ret_store, struct store_problem *ret_problem);

/* The sentence for a failure of store_load on that file; returns `e`. */
enum err sqlite_explain(const char *path, enum err e, struct store_problem *ret_problem);

#endif

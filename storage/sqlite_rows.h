/*
 * The inside of the SQLite store: what opening (sqlite.c) shares with writing and reading rows
 * (sqlite_rows.c). Nothing else includes it.
 */
#ifndef HORDE_STORAGE_SQLITE_ROWS_H
#define HORDE_STORAGE_SQLITE_ROWS_H

#include <sqlite3.h>

#include "server/core/err.h"
#include "storage/intern.h"
#include "storage/store.h"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ADD_ORIGIN,
	ADD_ENTRY,
	DROP_ENTRY,
	ADD_KILL,
	CUT_KILLS,
	SET_VECTOR,
	SET_SETTING,
	SET_DECLARED,
	FORGET_DECLARED,
	CLEAR_ENTRIES,
	CLEAR_KILLS,
	CLEAR_VECTOR,
	CLEAR_DECLARED,
	STATEMENTS
};

struct sqlite {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	struct intern origins;
};

/* What SQLite's last failure means to us; its errno tells a full disk from a broken one. */
enum err sqlite_failure(const struct sqlite *q);
/* Prepares the statements that are kept. Errors: as sqlite_failure. */
enum err sqlite_prepare(struct sqlite *q);
/* Reads the numbers of the origins; once, before the first commit or load. */
enum err sqlite_read_origins(struct sqlite *q);

/* As store_commit and store_load. */
enum err sqlite_commit(void *self, const struct store_batch *const *batches, size_t count);
enum err sqlite_load(void *self, const struct store_visitor *visitor);

#endif

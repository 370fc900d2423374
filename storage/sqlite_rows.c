#include "storage/sqlite_rows.h"

#include <stdbool.h>

#include "storage/problem.h"

static const char *const statement_sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ADD_ORIGIN] = "INSERT INTO origin (idx, id) VALUES (?, ?)",
	[ADD_ENTRY] = "REPLACE INTO entry (o, s, key, hlc, val) VALUES (?, ?, ?, ?, ?)",
	[DROP_ENTRY] = "DELETE FROM entry WHERE o = ? AND s = ?",
	[ADD_KILL] = "INSERT OR IGNORE INTO kill (ko, ks, vo, vs) VALUES (?, ?, ?, ?)",
	[CUT_KILLS] = "DELETE FROM kill WHERE ko = ? AND ks BETWEEN ? AND ?",
	[SET_VECTOR] = "REPLACE INTO vec (o, n, floor, chain) VALUES (?, ?, ?, ?)",
	[SET_SETTING] = "REPLACE INTO setting (name, text) VALUES (?, ?)",
	[SET_DECLARED] = "REPLACE INTO declared (ref, digest) VALUES (?, ?)",
	[FORGET_DECLARED] = "DELETE FROM declared WHERE ref = ?",
	[CLEAR_ENTRIES] = "DELETE FROM entry",
	[CLEAR_KILLS] = "DELETE FROM kill",
	[CLEAR_VECTOR] = "DELETE FROM vec",
	[CLEAR_DECLARED] = "DELETE FROM declared",
};

static int errno_of(sqlite3_file *file)
{
	int error = 0;

	if (file && file->pMethods)
		(void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
	return error;
}

/*
 * Why a read or write failed. sqlite3_system_errno is often 0 by then (the roll back has run), but
 * the log and the database each remember the errno of their last failed write or sync.
 */
static int errno_of_failure(sqlite3 *db, int code)
{
	static const int asked[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
	bool wrote = code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC ||
		     code == SQLITE_IOERR_TRUNCATE || code == SQLITE_IOERR_DIR_FSYNC;
	int error = 0;

	for (size_t i = 0; i < 2 && wrote && !error; i++) {
		sqlite3_file *file = NULL;

		(void)sqlite3_file_control(db, "main", asked[i], &file);
		error = errno_of(file);
	}
	return error ? error : sqlite3_system_errno(db);
}

enum err sqlite_failure(const struct sqlite *q)
{
	int code = q->db ? sqlite3_extended_errcode(q->db) : SQLITE_NOMEM;

	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return ERR_NO_MEMORY;
	case SQLITE_FULL:
		return ERR_STORAGE_FULL;
	case SQLITE_READONLY:
		return ERR_STORAGE_READ_ONLY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_SCHEMA:
	case SQLITE_ERROR: /* our statements are fixed: a table or column is not what it must be */
		return ERR_STORAGE_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_LOCKED;
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_NOMEM
			       ? ERR_NO_MEMORY
			       : problem_from_errno(errno_of_failure(q->db, code));
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return problem_from_errno(errno_of_failure(q->db, code));
	default:
		return ERR_IO;
	}
}

/* ---- writing ------------------------------------------------------------------------------- */

static void bind_bytes(sqlite3_stmt *s, int column, const char *bytes, size_t length)
{
	sqlite3_bind_blob64(s, column, bytes, length, SQLITE_STATIC);
}

/* Bindings cannot fail: the parameters exist, nothing is copied, the limits are the batch's. */
static enum err run(struct sqlite *q, enum statement which)
{
	sqlite3_stmt *s = q->statements[which];
	int code = sqlite3_step(s);
	enum err e = code == SQLITE_DONE || code == SQLITE_ROW ? ERR_OK : sqlite_failure(q);

	sqlite3_reset(s);
	return e;
}

static enum err bind_origin(struct sqlite *q, enum statement which, int column, struct origin_id id)
{
	sqlite3_stmt *add = q->statements[ADD_ORIGIN];
	unsigned char bytes[16];
	uint32_t number;
	bool is_new;
	enum err e = intern_number(&q->origins, id, &number, &is_new);

	if (!e && is_new) {
		for (int i = 0; i < 8; i++) {
			bytes[i] = (unsigned char)(id.hi >> (56 - 8 * i));
			bytes[8 + i] = (unsigned char)(id.lo >> (56 - 8 * i));
		}
		sqlite3_bind_int64(add, 1, number);
		bind_bytes(add, 2, (const char *)bytes, sizeof bytes);
		e = run(q, ADD_ORIGIN);
	}
	if (!e)
		sqlite3_bind_int64(q->statements[which], column, number);
	return e;
}

static enum err bind_dot(struct sqlite *q, enum statement which, int column, struct dot dot)
{
	enum err e = bind_origin(q, which, column, dot.origin);

	if (!e)
		sqlite3_bind_int64(q->statements[which], column + 1, (int64_t)dot.seq);
	return e;
}

static enum err cut_between(struct sqlite *q, struct origin_id origin, int64_t first, int64_t last)
{
	sqlite3_stmt *s = q->statements[CUT_KILLS];
	enum err e = bind_origin(q, CUT_KILLS, 1, origin);

	sqlite3_bind_int64(s, 2, first);
	sqlite3_bind_int64(s, 3, last);
	return e ? e : run(q, CUT_KILLS);
}

/* Seqs from 2^63 on are negative numbers in the file. */
static enum err cut_kills(struct sqlite *q, struct origin_id origin, uint64_t floor)
{
	enum err e = ERR_OK;

	if (floor)
		e = cut_between(q, origin, 0, floor > INT64_MAX ? INT64_MAX : (int64_t)floor);
	if (!e && floor > INT64_MAX)
		e = cut_between(q, origin, INT64_MIN, (int64_t)floor);
	return e;
}

/* The numbers of the origins stay: they are no part of the map. */
static enum err reset(struct sqlite *q)
{
	enum err e = run(q, CLEAR_ENTRIES);

	if (!e)
		e = run(q, CLEAR_KILLS);
	if (!e)
		e = run(q, CLEAR_VECTOR);
	return e ? e : run(q, CLEAR_DECLARED);
}

/* What stands beside the map: it has a name and no dot. */
static enum err write_named(struct sqlite *q, enum statement which, const struct store_batch *b,
	const struct store_op *op)
{
	sqlite3_stmt *s = q->statements[which];

	bind_bytes(s, 1, batch_name(b, op), op->name_length);
	if (which != FORGET_DECLARED)
		bind_bytes(s, 2, batch_value(b, op), op->value_length);
	return run(q, which);
}

static enum err write_op(struct sqlite *q, const struct store_batch *b, const struct store_op *op)
{
	static const enum statement of_kind[STORE_OP_KINDS] = {
		[STORE_VECTOR] = SET_VECTOR,
		[STORE_PUT] = ADD_ENTRY,
		[STORE_DROP] = DROP_ENTRY,
		[STORE_KILL] = ADD_KILL,
	};
	enum statement which = of_kind[op->kind];
	sqlite3_stmt *s = q->statements[which];
	enum err e = ERR_OK;

	if (op->kind == STORE_RESET)
		return reset(q);
	if (op->kind == STORE_SETTING)
		return write_named(q, SET_SETTING, b, op);
	if (op->kind == STORE_DECLARED)
		return write_named(q, op->value_length ? SET_DECLARED : FORGET_DECLARED, b, op);
	if (op->kind == STORE_VECTOR)
		e = cut_kills(q, op->dot.origin, op->vector.floor);
	if (!e)
		e = bind_dot(q, which, 1, op->dot);
	if (e)
		return e;
	switch (op->kind) {
	case STORE_VECTOR:
		sqlite3_bind_int64(s, 3, (int64_t)op->vector.floor);
		sqlite3_bind_int64(s, 4, (int64_t)op->vector.chain);
		break;
	case STORE_PUT:
		bind_bytes(s, 3, batch_name(b, op), op->name_length);
		sqlite3_bind_int64(s, 4, (int64_t)op->clock);
		bind_bytes(s, 5, batch_value(b, op), op->value_length);
		break;
	case STORE_KILL:
		e = bind_dot(q, which, 3, op->victim);
		break;
	case STORE_SETTING:
	case STORE_DECLARED:
	case STORE_DROP:
	case STORE_RESET:
	case STORE_OP_KINDS:
		break;
	}
	return e ? e : run(q, which);
}

static enum err write_batches(
	struct sqlite *q, const struct store_batch *const *batches, size_t count)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < count && !e; i++)
		for (size_t k = 0; k < batches[i]->count && !e; k++)
			e = write_op(q, batches[i], &batches[i]->ops[k]);
	return e;
}

/* No binding may outlive the batch whose bytes it borrows. */
static void forget_bindings(struct sqlite *q)
{
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_clear_bindings(q->statements[i]);
}

enum err sqlite_commit(void *self, const struct store_batch *const *batches, size_t count)
{
	struct sqlite *q = self;
	size_t known = q->origins.count;
	enum err e = run(q, BEGIN);

	if (e)
		return e;
	e = write_batches(q, batches, count);
	if (!e)
		e = run(q, COMMIT);
	forget_bindings(q);
	if (!e)
		return ERR_OK;
	/* Some failures have ended the transaction already; then there is nothing to roll back. */
	if (!sqlite3_get_autocommit(q->db))
		(void)run(q, ROLLBACK);
	intern_rollback(&q->origins, known);
	return e;
}

/* ---- reading ------------------------------------------------------------------------------- */

typedef enum err (*row_reader)(
	struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor);

/* Runs a query and hands every row to `read`; the first failure ends it. */
static enum err each_row(
	struct sqlite *q, const char *sql, row_reader read, const struct store_visitor *visitor)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(q->db, sql, -1, &s, NULL);
	enum err e = ERR_OK;

	if (code)
		return sqlite_failure(q);
	while (!e && (code = sqlite3_step(s)) == SQLITE_ROW)
		e = read(q, s, visitor);
	if (!e && code != SQLITE_DONE)
		e = sqlite_failure(q);
	sqlite3_finalize(s);
	return e;
}

static const char *column_bytes(sqlite3_stmt *s, int column, size_t *ret_length)
{
	const char *bytes = sqlite3_column_blob(s, column);

	*ret_length = (size_t)sqlite3_column_bytes(s, column);
	return bytes ? bytes : "";
}

static bool column_dot(struct sqlite *q, sqlite3_stmt *s, int column, struct dot *ret_dot)
{
	const struct origin_id *id = intern_id(&q->origins, sqlite3_column_int64(s, column));

	if (id)
		*ret_dot = (struct dot){*id, (uint64_t)sqlite3_column_int64(s, column + 1)};
	return id;
}

static enum err read_origin(struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor)
{
	size_t length;
	const unsigned char *bytes = (const unsigned char *)column_bytes(s, 1, &length);
	struct origin_id id = {0, 0};
	uint32_t number;
	bool is_new;
	enum err e;

	(void)visitor;
	if (length != 16)
		return ERR_STORAGE_CORRUPT;
	for (int i = 0; i < 8; i++) {
		id.hi = id.hi << 8 | bytes[i];
		id.lo = id.lo << 8 | bytes[8 + i];
	}
	e = intern_number(&q->origins, id, &number, &is_new);
	if (!e && (!is_new || number != sqlite3_column_int64(s, 0)))
		e = ERR_STORAGE_CORRUPT;
	return e;
}

static enum err read_setting(struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor)
{
	size_t name_length, text_length;
	const char *name = column_bytes(s, 0, &name_length);
	const char *text = column_bytes(s, 1, &text_length);

	(void)q;
	return visitor->setting(visitor->data, name, name_length, text, text_length);
}

static enum err read_declared(
	struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor)
{
	size_t ref_length, digest_length;
	const char *ref = column_bytes(s, 0, &ref_length);
	const char *digest = column_bytes(s, 1, &digest_length);

	(void)q;
	return visitor->declared(visitor->data, ref, ref_length, digest, digest_length);
}

static enum err read_vector(struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor)
{
	struct dot top;

	if (!column_dot(q, s, 0, &top))
		return ERR_STORAGE_CORRUPT;
	return visitor->vector(visitor->data, top.origin, top.seq,
		(uint64_t)sqlite3_column_int64(s, 2), (uint64_t)sqlite3_column_int64(s, 3));
}

static enum err read_entry(struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor)
{
	size_t key_length, value_length;
	const char *key = column_bytes(s, 2, &key_length);
	const char *value = column_bytes(s, 4, &value_length);
	struct dot dot;

	if (!column_dot(q, s, 0, &dot))
		return ERR_STORAGE_CORRUPT;
	return visitor->entry(visitor->data, dot, (uint64_t)sqlite3_column_int64(s, 3), key,
		key_length, value, value_length);
}

static enum err read_kill(struct sqlite *q, sqlite3_stmt *s, const struct store_visitor *visitor)
{
	struct dot killer, victim;

	if (!column_dot(q, s, 0, &killer) || !column_dot(q, s, 2, &victim))
		return ERR_STORAGE_CORRUPT;
	return visitor->kill(visitor->data, killer, victim);
}

/* One read transaction, so that another program's checkpoint or copy cannot split what is read. */
enum err sqlite_load(void *self, const struct store_visitor *visitor)
{
	struct sqlite *q = self;
	enum err e = sqlite3_exec(q->db, "BEGIN", NULL, NULL, NULL) ? sqlite_failure(q) : ERR_OK;

	if (e)
		return e;
	if (visitor->setting)
		e = each_row(
			q, "SELECT name, text FROM setting ORDER BY name", read_setting, visitor);
	if (!e && visitor->declared)
		e = each_row(
			q, "SELECT ref, digest FROM declared ORDER BY ref", read_declared, visitor);
	if (!e && visitor->vector)
		e = each_row(
			q, "SELECT o, n, floor, chain FROM vec ORDER BY o", read_vector, visitor);
	if (!e && visitor->entry)
		e = each_row(q, "SELECT o, s, key, hlc, val FROM entry ORDER BY o, s", read_entry,
			visitor);
	if (!e && visitor->kill)
		e = each_row(q, "SELECT ko, ks, vo, vs FROM kill ORDER BY ko, ks, vo, vs",
			read_kill, visitor);
	(void)sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
	return e;
}

enum err sqlite_read_origins(struct sqlite *q)
{
	return each_row(q, "SELECT idx, id FROM origin ORDER BY idx", read_origin, NULL);
}

enum err sqlite_prepare(struct sqlite *q)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(q->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
			    &q->statements[i], NULL))
			return sqlite_failure(q);
	return ERR_OK;
}

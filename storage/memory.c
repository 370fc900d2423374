#include "storage/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What is on the disk: one row per setting, declared child, origin, entry and kill, its bytes
 * behind it. */
struct row {
	struct store_op op;
	char bytes[];
};

struct table {
	struct row **rows; /* in the order of `compare`, which is the order of a load */
	size_t count, size;
};

struct memory_disk {
	struct table safe;        /* what a crash leaves */
	struct store_batch *held; /* commits that came later, the oldest first */
	size_t held_count, held_size, held_max;
	unsigned fail_after, fail_times;
	enum err fail_with;
};

/* ---- the table ----------------------------------------------------------------------------- */

static int compare_dots(struct dot a, struct dot b)
{
	int order = origin_compare(a.origin, b.origin);

	return order ? order : (a.seq > b.seq) - (a.seq < b.seq);
}

static int compare_names(
	const struct store_op *a, const char *a_name, const struct store_op *b, const char *b_name)
{
	uint32_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
	int order = memcmp(a_name, b_name, shorter);

	return order ? order
		     : (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

/* The identity of a row; a drop is looked up as the put that it ends. */
static int compare(
	const struct store_op *a, const char *a_name, const struct store_op *b, const char *b_name)
{
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	switch (a->kind) {
	case STORE_SETTING:
	case STORE_DECLARED:
		return compare_names(a, a_name, b, b_name);
	case STORE_VECTOR:
		return origin_compare(a->dot.origin, b->dot.origin);
	case STORE_KILL:
		order = compare_dots(a->dot, b->dot);
		return order ? order : compare_dots(a->victim, b->victim);
	case STORE_PUT:
	case STORE_DROP:
	case STORE_RESET:
	case STORE_OP_KINDS:
		break;
	}
	return compare_dots(a->dot, b->dot);
}

/* Where the row of `op` is, or where it belongs. */
static size_t find(
	const struct table *t, const struct store_op *op, const char *name, bool *ret_found)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&t->rows[middle]->op, t->rows[middle]->bytes, op, name);

		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = low < t->count && !compare(&t->rows[low]->op, t->rows[low]->bytes, op, name);
	return low;
}

static void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i]);
	free(t->rows);
	*t = (struct table){0};
}

static enum err reserve(struct table *t, size_t more)
{
	size_t size = (t->count + more) * 2;
	struct row **rows;

	if (t->count + more <= t->size)
		return ERR_OK;
	rows = realloc(t->rows, size * sizeof(struct row *));
	if (!rows)
		return ERR_NO_MEMORY;
	t->rows = rows;
	t->size = size;
	return ERR_OK;
}

static struct row *new_row(const struct store_op *op, const char *name, const char *value)
{
	struct row *row = malloc(sizeof *row + op->name_length + op->value_length);

	if (row) {
		row->op = *op;
		memcpy(row->bytes, name, op->name_length);
		memcpy(row->bytes + op->name_length, value, op->value_length);
	}
	return row;
}

/* The row of an operation that makes one. */
static enum err make_row(
	const struct store_batch *b, const struct store_op *op, struct row **ret_row)
{
	struct row *row = new_row(op, batch_name(b, op), batch_value(b, op));

	if (!row)
		return ERR_NO_MEMORY;
	*ret_row = row;
	return ERR_OK;
}

static void insert(struct table *t, struct row *row)
{
	bool found;
	size_t at = find(t, &row->op, row->bytes, &found);

	if (found) {
		free(t->rows[at]);
	} else {
		memmove(t->rows + at + 1, t->rows + at, (t->count - at) * sizeof(struct row *));
		t->count++;
	}
	t->rows[at] = row;
}

static void remove_rows(struct table *t, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		free(t->rows[i]);
	memmove(t->rows + first, t->rows + end, (t->count - end) * sizeof(struct row *));
	t->count -= end - first;
}

static void drop(struct table *t, struct store_op op)
{
	bool found;
	size_t at;

	op.kind = STORE_PUT;
	at = find(t, &op, "", &found);
	if (found)
		remove_rows(t, at, at + 1);
}

/* The kills of an origin up to its floor lie side by side. */
static void cut(struct table *t, const struct store_op *vector)
{
	struct store_op first = {.kind = STORE_KILL, .dot = {vector->dot.origin, 0}};
	bool found;
	size_t at = find(t, &first, "", &found), end = at;

	while (end < t->count && t->rows[end]->op.kind == STORE_KILL &&
		origin_equal(t->rows[end]->op.dot.origin, vector->dot.origin) &&
		t->rows[end]->op.dot.seq <= vector->vector.floor)
		end++;
	remove_rows(t, at, end);
}

/* The settings lie before all else. */
static void reset(struct table *t)
{
	struct store_op first = {.kind = STORE_DECLARED};
	bool found;

	remove_rows(t, find(t, &first, "", &found), t->count);
}

static void forget(struct table *t, struct row *row)
{
	bool found;
	size_t at = find(t, &row->op, row->bytes, &found);

	if (found)
		remove_rows(t, at, at + 1);
	free(row);
}

static void change(struct table *t, const struct store_op *op, struct row *row)
{
	if (op->kind == STORE_RESET)
		reset(t);
	else if (op->kind == STORE_DROP)
		drop(t, *op);
	else if (op->kind == STORE_DECLARED && op->value_length == 0)
		forget(t, row);
	else
		insert(t, row);
	if (op->kind == STORE_VECTOR)
		cut(t, op);
}

/* Everything is allocated before the first row changes, so a batch is applied whole or not. */
static enum err apply(struct table *t, const struct store_batch *b)
{
	struct row **rows = b->count ? calloc(b->count, sizeof(struct row *)) : NULL;
	enum err e = b->count && !rows ? ERR_NO_MEMORY : reserve(t, b->count);

	for (size_t i = 0; i < b->count && !e; i++)
		if (b->ops[i].kind != STORE_DROP && b->ops[i].kind != STORE_RESET)
			e = make_row(b, &b->ops[i], &rows[i]);
	for (size_t i = 0; i < b->count && rows; i++) {
		if (e)
			free(rows[i]);
		else
			change(t, &b->ops[i], rows[i]);
	}
	free(rows);
	return e;
}

static enum err table_dup(const struct table *t, struct table *ret_copy)
{
	struct table copy = {0};
	enum err e = reserve(&copy, t->count);

	for (size_t i = 0; i < t->count && !e; i++) {
		const struct row *row = t->rows[i];

		copy.rows[i] = new_row(&row->op, row->bytes, row->bytes + row->op.name_length);
		if (copy.rows[i])
			copy.count++;
		else
			e = ERR_NO_MEMORY;
	}
	if (e)
		table_fini(&copy);
	else
		*ret_copy = copy;
	return e;
}

/* ---- the disk ------------------------------------------------------------------------------ */

enum err memory_disk_new(struct memory_disk **ret_disk)
{
	struct memory_disk *d = calloc(1, sizeof *d);

	if (!d)
		return ERR_NO_MEMORY;
	*ret_disk = d;
	return ERR_OK;
}

static void release_held(struct memory_disk *d, size_t count)
{
	for (size_t i = 0; i < count; i++)
		batch_fini(&d->held[i]);
	d->held_count -= count;
	memmove(d->held, d->held + count, d->held_count * sizeof *d->held);
}

void memory_disk_free(struct memory_disk *d)
{
	if (!d)
		return;
	memory_disk_crash(d);
	free(d->held);
	table_fini(&d->safe);
	free(d);
}

void memory_disk_fail(struct memory_disk *d, unsigned n, unsigned times, enum err e)
{
	d->fail_after = n;
	d->fail_times = times;
	d->fail_with = e;
}

void memory_disk_crash(struct memory_disk *d)
{
	if (d->held_count)
		release_held(d, d->held_count);
	memory_disk_fail(d, 0, 0, ERR_OK);
}

/* Syncs what is held beyond `most`, the oldest first, so what is safe is always a prefix. */
static enum err settle(struct memory_disk *d, size_t most)
{
	enum err e = ERR_OK;

	while (d->held_count > most && !e) {
		e = apply(&d->safe, &d->held[0]);
		if (!e)
			release_held(d, 1);
	}
	return e;
}

enum err memory_disk_unsynced(struct memory_disk *d, size_t commits)
{
	enum err e = settle(d, commits);

	if (!e)
		d->held_max = commits;
	return e;
}

static enum err content(const struct memory_disk *d, struct table *ret_table)
{
	struct table copy = {0};
	enum err e = table_dup(&d->safe, &copy);

	for (size_t i = 0; i < d->held_count && !e; i++)
		e = apply(&copy, &d->held[i]);
	if (e)
		table_fini(&copy);
	else
		*ret_table = copy;
	return e;
}

enum err memory_disk_dup(const struct memory_disk *d, struct memory_disk **ret_copy)
{
	struct memory_disk *copy;
	enum err e = memory_disk_new(&copy);

	if (e)
		return e;
	e = content(d, &copy->safe);
	if (e)
		memory_disk_free(copy);
	else
		*ret_copy = copy;
	return e;
}

enum err memory_disk_restore(struct memory_disk *d, const struct memory_disk *backup)
{
	struct table old;
	enum err e = content(backup, &old);

	if (e)
		return e;
	memory_disk_crash(d);
	table_fini(&d->safe);
	d->safe = old;
	return ERR_OK;
}

/* ---- the store ----------------------------------------------------------------------------- */

static bool fails_now(struct memory_disk *d)
{
	if (!d->fail_times)
		return false;
	if (d->fail_after > 1) {
		d->fail_after--;
		return false;
	}
	d->fail_times--;
	return true;
}

static enum err append(struct store_batch *to, const struct store_batch *from)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < from->count && !e; i++)
		e = batch_copy_op(to, from, &from->ops[i]);
	return e;
}

static enum err reserve_held(struct memory_disk *d)
{
	size_t size = (d->held_count + 1) * 2;
	struct store_batch *held;

	if (d->held_count < d->held_size)
		return ERR_OK;
	held = realloc(d->held, size * sizeof *held);
	if (!held)
		return ERR_NO_MEMORY;
	d->held = held;
	d->held_size = size;
	return ERR_OK;
}

/* The batches of one commit become one, since one transaction is what a crash keeps or takes. */
static enum err memory_commit(void *self, const struct store_batch *const *batches, size_t count)
{
	struct memory_disk *d = self;
	struct store_batch whole = {0};
	enum err e = fails_now(d) ? d->fail_with : reserve_held(d);

	for (size_t i = 0; i < count && !e; i++)
		e = append(&whole, batches[i]);
	if (!e && !d->held_max)
		e = apply(&d->safe, &whole);
	else if (!e)
		e = settle(d, d->held_max - 1);
	if (e || !d->held_max)
		batch_fini(&whole);
	else
		d->held[d->held_count++] = whole;
	return e;
}

static enum err visit(const struct row *row, const struct store_visitor *v)
{
	const struct store_op *op = &row->op;
	const char *value = row->bytes + op->name_length;

	switch (op->kind) {
	case STORE_SETTING:
		return !v->setting ? ERR_OK
				   : v->setting(v->data, row->bytes, op->name_length, value,
					     op->value_length);
	case STORE_DECLARED:
		return !v->declared ? ERR_OK
				    : v->declared(v->data, row->bytes, op->name_length, value,
					      op->value_length);
	case STORE_VECTOR:
		return !v->vector ? ERR_OK
				  : v->vector(v->data, op->dot.origin, op->dot.seq,
					    op->vector.floor, op->vector.chain);
	case STORE_PUT:
		return !v->entry ? ERR_OK
				 : v->entry(v->data, op->dot, op->clock, row->bytes,
					   op->name_length, value, op->value_length);
	case STORE_KILL:
		return !v->kill ? ERR_OK : v->kill(v->data, op->dot, op->victim);
	case STORE_DROP:
	case STORE_RESET:
	case STORE_OP_KINDS:
		break;
	}
	return ERR_OK;
}

static enum err memory_load(void *self, const struct store_visitor *visitor)
{
	struct memory_disk *d = self;
	struct table shown;
	enum err e = content(d, &shown);

	if (e)
		return e;
	for (size_t i = 0; i < shown.count && !e; i++)
		e = visit(shown.rows[i], visitor);
	table_fini(&shown);
	return e;
}

static void memory_close(void *self)
{
	(void)self;
}

struct store memory_open(struct memory_disk *d)
{
	static const struct store_ops ops = {memory_commit, memory_load, memory_close};

	return (struct store){&ops, d};
}

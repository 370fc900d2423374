#include "storage/batch.h"

#include <stdlib.h>
#include <string.h>

void batch_fini(struct store_batch *b)
{
	free(b->ops);
	free(b->bytes);
	*b = (struct store_batch){0};
}

void batch_clear(struct store_batch *b)
{
	b->count = 0;
	b->used = 0;
	b->vector_at = 0;
}

size_t batch_weight(const struct store_batch *b)
{
	return b->count * sizeof *b->ops + b->used;
}

/* Doubling keeps the adders O(1); nothing changes when the allocation fails. */
static enum err reserve(void **memory, size_t *size, size_t wanted, size_t unit)
{
	size_t larger = *size ? *size : 16;
	void *moved;

	if (wanted <= *size)
		return ERR_OK;
	while (larger < wanted)
		larger *= 2;
	moved = realloc(*memory, larger * unit);
	if (!moved)
		return ERR_NO_MEMORY;
	*memory = moved;
	*size = larger;
	return ERR_OK;
}

/* Room for one more operation with so many bytes; both or neither count as used by the caller. */
static enum err reserve_op(struct store_batch *b, size_t name_length, size_t value_length)
{
	void *ops = b->ops, *bytes = b->bytes;
	enum err e;

	if (name_length > STORE_BATCH_BYTES_MAX || value_length > STORE_BATCH_BYTES_MAX ||
		b->used + name_length + value_length > STORE_BATCH_BYTES_MAX ||
		b->count >= STORE_BATCH_OPS_MAX)
		return ERR_LIMIT;
	e = reserve(&ops, &b->size, b->count + 1, sizeof *b->ops);
	b->ops = ops;
	if (e)
		return e;
	e = reserve(&bytes, &b->space, b->used + name_length + value_length, 1);
	b->bytes = bytes;
	return e;
}

static void append(struct store_batch *b, const void *bytes, size_t length)
{
	if (length)
		memcpy(b->bytes + b->used, bytes, length);
	b->used += length;
}

static enum err add(struct store_batch *b, struct store_op op, const void *name, size_t name_length,
	const void *value, size_t value_length)
{
	enum err e = reserve_op(b, name_length, value_length);

	if (e)
		return e;
	op.at = (uint32_t)b->used;
	op.name_length = (uint32_t)name_length;
	op.value_length = (uint32_t)value_length;
	append(b, name, name_length);
	append(b, value, value_length);
	b->ops[b->count++] = op;
	return ERR_OK;
}

enum err batch_put(struct store_batch *b, struct dot entry, uint64_t clock, const void *key,
	size_t key_length, const void *value, size_t value_length)
{
	struct store_op op = {.kind = STORE_PUT, .dot = entry, .clock = clock};

	return add(b, op, key, key_length, value, value_length);
}

enum err batch_drop(struct store_batch *b, struct dot entry)
{
	return add(b, (struct store_op){.kind = STORE_DROP, .dot = entry}, NULL, 0, NULL, 0);
}

enum err batch_kill(struct store_batch *b, struct dot killer, struct dot victim)
{
	struct store_op op = {.kind = STORE_KILL, .dot = killer, .victim = victim};

	return add(b, op, NULL, 0, NULL, 0);
}

enum err batch_vector(struct store_batch *b, struct origin_id origin, uint64_t count,
	uint64_t floor, uint64_t chain)
{
	struct store_op op = {.kind = STORE_VECTOR,
		.dot = {origin, count},
		.vector = {.floor = floor, .chain = chain}};
	struct store_op *last = b->vector_at ? &b->ops[b->vector_at - 1] : NULL;
	enum err e;

	/* Where the floor rises its place in the order counts: kills that were added since go. */
	if (last && origin_equal(last->dot.origin, origin) && last->vector.floor == floor) {
		op.at = last->at;
		*last = op;
		return ERR_OK;
	}
	e = add(b, op, NULL, 0, NULL, 0);
	if (!e)
		b->vector_at = b->count;
	return e;
}

enum err batch_reset(struct store_batch *b)
{
	enum err e = add(b, (struct store_op){.kind = STORE_RESET}, NULL, 0, NULL, 0);

	if (!e)
		b->vector_at = 0;
	return e;
}

enum err batch_setting(struct store_batch *b, const char *name, const char *text)
{
	struct store_op op = {.kind = STORE_SETTING};

	return add(b, op, name, strlen(name), text, strlen(text));
}

enum err batch_declared(struct store_batch *b, const char *ref, const char *digest)
{
	struct store_op op = {.kind = STORE_DECLARED};

	return add(b, op, ref, strlen(ref), digest, strlen(digest));
}

enum err batch_copy_op(
	struct store_batch *b, const struct store_batch *from, const struct store_op *op)
{
	return add(b, *op, batch_name(from, op), op->name_length, batch_value(from, op),
		op->value_length);
}

const char *batch_name(const struct store_batch *b, const struct store_op *op)
{
	return op->name_length ? b->bytes + op->at : "";
}

const char *batch_value(const struct store_batch *b, const struct store_op *op)
{
	return op->value_length ? b->bytes + op->at + op->name_length : "";
}

/*
 * What one transaction shall write: an ordered list of operations that owns copies of all its
 * bytes, because it crosses to the writer thread. Zero bytes are an empty batch.
 *
 * A batch is moved by plain assignment (the source is then to be zeroed); it holds no pointers
 * into itself. Operations take effect in the order in which they were added.
 */
#ifndef HORDE_STORAGE_BATCH_H
#define HORDE_STORAGE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/dot.h"
#include "server/core/err.h"

/* The most bytes of keys, values and texts in one batch; a cold join is one batch. It is below
 * the thousand million bytes that SQLite takes for one row. */
#define STORE_BATCH_BYTES_MAX ((size_t)900 << 20)
#define STORE_BATCH_OPS_MAX ((size_t)1 << 24)

enum store_op_kind {
	STORE_SETTING,  /* a named text, such as the cluster's id */
	STORE_DECLARED, /* what this node's file last said of a child */
	STORE_VECTOR,   /* how much of an origin is in the store; kills up to its floor go */
	STORE_PUT,      /* an entry became live */
	STORE_DROP,     /* an entry died */
	STORE_KILL,     /* who killed whom */
	STORE_RESET,    /* all of the map is gone: what follows is all there is */
	STORE_OP_KINDS
};

/* One operation; `name` and `value` lie one after the other in the batch's bytes. */
struct store_op {
	enum store_op_kind kind;
	uint32_t at;
	uint32_t name_length; /* PUT: the key; SETTING: its name; DECLARED: the child */
	uint32_t
		value_length; /* PUT: the value; SETTING: its text; DECLARED: the digest, or none */
	struct dot dot;       /* PUT, DROP: the entry; KILL: the killer; VECTOR: origin and count */
	union {
		uint64_t clock;    /* PUT */
		struct dot victim; /* KILL */
		struct {
			uint64_t floor, chain;
		} vector; /* VECTOR */
	};
};

struct store_batch {
	struct store_op *ops;
	size_t count, size;
	char *bytes;
	size_t used, space;
	size_t vector_at; /* one more than the place of the last VECTOR; 0: there is none */
};

void batch_fini(struct store_batch *b);
/* Empties it and keeps its memory. */
void batch_clear(struct store_batch *b);
/* The memory that its content takes, for limits on queues. */
size_t batch_weight(const struct store_batch *b);

/*
 * The adders copy what they are given; key, value, name and text are any bytes, also none.
 * Errors: NO_MEMORY, LIMIT (STORE_BATCH_BYTES_MAX, STORE_BATCH_OPS_MAX). The batch is then as it
 * was before the call and can be used on.
 */
enum err batch_put(struct store_batch *b, struct dot entry, uint64_t clock, const void *key,
	size_t key_length, const void *value, size_t value_length);
/* The entry died; one that the store never had is no error. */
enum err batch_drop(struct store_batch *b, struct dot entry);
enum err batch_kill(struct store_batch *b, struct dot killer, struct dot victim);
/*
 * Replaces what is stored of this origin: events 1..count are in, and its kills up to `floor` are
 * deleted; `chain` is its chain hash at `count`. Since the batch is one transaction, the next one
 * of the same origin takes the place of the one before, unless the floor has risen.
 */
enum err batch_vector(struct store_batch *b, struct origin_id origin, uint64_t count,
	uint64_t floor, uint64_t chain);
/*
 * All that is stored of the map is deleted: entries, kills, vectors; what was declared too, and the
 * settings stay. So a batch that begins with it and holds all of it leaves exactly that.
 */
enum err batch_reset(struct store_batch *b);
/* Replaces a setting; `name` and `text` are strings. */
enum err batch_setting(struct store_batch *b, const char *name, const char *text);
/* Replaces what is remembered of a child; an empty `digest` forgets it. Both are strings. */
enum err batch_declared(struct store_batch *b, const char *ref, const char *digest);
/* Adds an operation of another batch. */
enum err batch_copy_op(
	struct store_batch *b, const struct store_batch *from, const struct store_op *op);

/* The bytes of an operation; never NULL, also when there are none. Borrowed from the batch. */
const char *batch_name(const struct store_batch *b, const struct store_op *op);
const char *batch_value(const struct store_batch *b, const struct store_op *op);

#endif

/*
 * The durable copy of the replicated map: entries, kills and vector, always of one instant.
 *
 * A store is read whole at the start and then only written, one transaction per turn of the loop
 * (group commit), so the file is the state of its own vector at every commit. There are two: SQLite
 * (sqlite.h) and memory with injectable failures (memory.h). One thread at a time may use a store.
 *
 * Source: the design's "one transaction per group commit holds entries, kills and vector together";
 * a restored older file is a legal, older replica, because every process start takes a new origin.
 */
#ifndef HORDE_STORAGE_STORE_H
#define HORDE_STORAGE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "storage/batch.h"

/*
 * What store_load tells, in this order: settings, what was declared, vectors, entries,
 * kills. Within a kind the order
 * of the origins is unspecified and seqs grow within an origin. Bytes are borrowed for the call and
 * followed by no NUL. A call that is NULL is left out; one that fails ends the load with its error.
 */
struct store_visitor {
	void *data;
	enum err (*setting)(void *data, const char *name, size_t name_length, const char *text,
		size_t text_length);
	enum err (*declared)(void *data, const char *ref, size_t ref_length, const char *digest,
		size_t digest_length);
	enum err (*vector)(void *data, struct origin_id origin, uint64_t count, uint64_t floor,
		uint64_t chain);
	enum err (*entry)(void *data, struct dot dot, uint64_t clock, const char *key,
		size_t key_length, const char *value, size_t value_length);
	enum err (*kill)(void *data, struct dot killer, struct dot victim);
};

struct store_ops {
	enum err (*commit)(void *self, const struct store_batch *const *batches, size_t count);
	enum err (*load)(void *self, const struct store_visitor *visitor);
	void (*close)(void *self);
};

/* A handle: copied freely, closed once. */
struct store {
	const struct store_ops *ops;
	void *self;
};

/*
 * Writes the batches, in order, in one transaction: durable on return, or nothing happened and the
 * same batches can be committed again later, without opening the store anew. The batches stay the
 * caller's and unchanged.
 * Errors: STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_CORRUPT, LOCKED (another program holds the
 * file), NO_MEMORY, IO.
 */
static inline enum err store_commit(
	struct store s, const struct store_batch *const *batches, size_t count)
{
	return s.ops->commit(s.self, batches, count);
}

/* Errors: STORAGE_CORRUPT, NO_MEMORY, IO, and what the visitor returns. */
static inline enum err store_load(struct store s, const struct store_visitor *visitor)
{
	return s.ops->load(s.self, visitor);
}

/* Everything committed is on disk already; closing never loses and never writes new content. */
static inline void store_close(struct store s)
{
	if (s.ops)
		s.ops->close(s.self);
}

#endif

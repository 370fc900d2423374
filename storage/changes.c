#include "storage/changes.h"

static enum err add(struct store_batch *b, const struct change *c)
{
	char room[ENTRY_ROOM];

	switch (c->kind) {
	case CHANGE_PUT:
		return batch_put(b, c->dot, c->entry->clock, c->entry->key, c->entry->key_bytes,
			entry_text(c->entry, room), c->entry->value_bytes);
	case CHANGE_DROP:
		return batch_drop(b, c->dot);
	case CHANGE_KILL:
		return batch_kill(b, c->dot, c->victim);
	case CHANGE_VECTOR:
		return batch_vector(b, c->dot.origin, c->dot.seq, c->floor, c->chain);
	}
	return ERR_OK;
}

enum err batch_changes(struct store_batch *b, const struct changes *changes)
{
	size_t count = b->count, used = b->used, vector_at = b->vector_at;
	struct store_op vector = {0};

	/* A vector takes the place of an older one; that has to come back with the rest. */
	if (vector_at)
		vector = b->ops[vector_at - 1];
	for (size_t i = 0; i < changes->used; i++) {
		enum err err = add(b, &changes->items[i]);

		if (err != ERR_OK) {
			b->count = count;
			b->used = used;
			b->vector_at = vector_at;
			if (vector_at)
				b->ops[vector_at - 1] = vector;
			return err;
		}
	}
	return ERR_OK;
}

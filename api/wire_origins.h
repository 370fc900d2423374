/*
 * Origins by their number on the wire: each is written out once in a body and then called by the
 * place where it was. And vectors, which leave out what both sides have in a table already. Only
 * the wire includes this.
 */
#ifndef HORDE_API_WIRE_ORIGINS_H
#define HORDE_API_WIRE_ORIGINS_H

#include "server/core/vector.h"

struct wire_origins {
	struct origin_id *items; /* by number */
	size_t used;
	size_t size;
	uint32_t *slots; /* a hash table of number + 1, 0 empty; a power of two */
	size_t slot_count;
};

#define WIRE_NO_ORIGIN SIZE_MAX

void wire_origins_fini(struct wire_origins *o);
/* Its number, or WIRE_NO_ORIGIN. */
size_t wire_origins_find(const struct wire_origins *o, struct origin_id id);
/* Gives it the next number. Errors: NO_MEMORY, LIMIT (WIRE_ORIGINS_MAX), EXISTS. */
enum err wire_origins_add(struct wire_origins *o, struct origin_id id);

/*
 * The items of a vector that are to be written when `table` (sorted, or NULL) is known to the
 * reader: those that the table has not, or has with another count; also 0, for what the table has
 * and the vector lacks.
 */
struct wire_walk {
	const struct vector *vector;
	const struct vector *table;
	size_t at;
	size_t table_at;
};

bool wire_walk_next(struct wire_walk *w, struct vector_item *ret_item);

/*
 * The way back: `items` laid over `table` (or NULL) into the empty `ret_vector`. Sorts `items`.
 * Errors: NO_MEMORY, MALFORMED (an origin twice, or a 0 for one that the table lacks).
 */
enum err wire_overlay(struct vector_item *items, size_t count, const struct vector *table,
	struct vector *ret_vector);

#endif

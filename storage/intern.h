/*
 * The numbers that stand for origins in the SQLite file: 1 to n, in the order of their arrival.
 * Origins that a failed transaction brought are forgotten again by intern_rollback.
 */
#ifndef HORDE_STORAGE_INTERN_H
#define HORDE_STORAGE_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/dot.h"
#include "server/core/err.h"

/* Every process start of every node adds one, for ever. */
#define INTERN_ORIGINS_MAX ((size_t)1 << 24)

struct intern {
	struct origin_id *ids; /* ids[number - 1] */
	size_t count, size;
	uint32_t *slots; /* hash table of numbers, 0 is free; a power of two, at most half full */
	size_t slot_count;
};

void intern_fini(struct intern *t);
/*
 * The number of `id`, a new one if need be: then *ret_new is true and the caller stores it.
 * Errors: NO_MEMORY, LIMIT.
 */
enum err intern_number(struct intern *t, struct origin_id id, uint32_t *ret_number, bool *ret_new);
/* The origin of a number; NULL when there is none. */
const struct origin_id *intern_id(const struct intern *t, int64_t number);
/* Forgets all numbers above `count`. */
void intern_rollback(struct intern *t, size_t count);

#endif

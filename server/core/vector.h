/*
 * The causal context as a plain version vector: for each origin the number of its events that are
 * known, all of them without a gap. There is no dot cloud (replication.md 1.3, I2).
 */
#ifndef HORDE_CORE_VECTOR_H
#define HORDE_CORE_VECTOR_H

#include <stddef.h>

#include "server/core/dot.h"
#include "server/core/err.h"

struct vector_item {
	struct origin_id origin;
	uint64_t count; /* events 1..count are known; never 0 in a vector */
};

struct vector {
	struct vector_item *items; /* sorted by origin */
	size_t used;
	size_t size;
};

#define VECTOR_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}

void vector_fini(struct vector *v);
uint64_t vector_get(const struct vector *v, struct origin_id origin);
/* Raises the count of `origin` to `count`; a lower one changes nothing. Errors: NO_MEMORY. */
enum err vector_raise(struct vector *v, struct origin_id origin, uint64_t count);
/* Makes room, so that the next `extra` origins cannot fail. Errors: NO_MEMORY. */
enum err vector_reserve(struct vector *v, size_t extra);
/* Pointwise maximum into `v`; all or nothing. Errors: NO_MEMORY. */
enum err vector_join(struct vector *v, const struct vector *other);
/* Fills an empty `ret_copy`. Errors: NO_MEMORY. */
enum err vector_copy(const struct vector *v, struct vector *ret_copy);
/* True when `v` knows all that `other` knows. */
bool vector_covers(const struct vector *v, const struct vector *other);
bool vector_has(const struct vector *v, struct dot d);
bool vector_equal(const struct vector *a, const struct vector *b);

#endif

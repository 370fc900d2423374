#include "server/core/vector.h"

#include <stdlib.h>
#include <string.h>

void vector_fini(struct vector *v)
{
	free(v->items);
	*v = (struct vector)VECTOR_INIT;
}

/* The first item whose origin is not below `origin`. */
static size_t place(const struct vector *v, struct origin_id origin)
{
	size_t low = 0, high = v->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (origin_compare(v->items[middle].origin, origin) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct vector *v, size_t at, struct origin_id origin)
{
	return at < v->used && origin_equal(v->items[at].origin, origin);
}

uint64_t vector_get(const struct vector *v, struct origin_id origin)
{
	size_t at = place(v, origin);

	return is_at(v, at, origin) ? v->items[at].count : 0;
}

enum err vector_reserve(struct vector *v, size_t extra)
{
	size_t size = v->size ? v->size : 4;
	struct vector_item *items;

	if (v->size - v->used >= extra)
		return ERR_OK;
	while (size - v->used < extra)
		size *= 2;
	items = realloc(v->items, size * sizeof(*items));
	if (!items)
		return ERR_NO_MEMORY;
	v->items = items;
	v->size = size;
	return ERR_OK;
}

enum err vector_raise(struct vector *v, struct origin_id origin, uint64_t count)
{
	size_t at = place(v, origin);

	if (count == 0)
		return ERR_OK;
	if (is_at(v, at, origin)) {
		if (count > v->items[at].count)
			v->items[at].count = count;
		return ERR_OK;
	}
	if (vector_reserve(v, 1) != ERR_OK)
		return ERR_NO_MEMORY;
	memmove(v->items + at + 1, v->items + at, (v->used - at) * sizeof(*v->items));
	v->items[at] = (struct vector_item){origin, count};
	v->used++;
	return ERR_OK;
}

enum err vector_join(struct vector *v, const struct vector *other)
{
	size_t unknown = 0;

	for (size_t i = 0; i < other->used; i++)
		unknown += vector_get(v, other->items[i].origin) == 0;
	if (vector_reserve(v, unknown) != ERR_OK)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < other->used; i++)
		vector_raise(v, other->items[i].origin, other->items[i].count);
	return ERR_OK;
}

enum err vector_copy(const struct vector *v, struct vector *ret_copy)
{
	struct vector copy = VECTOR_INIT;

	if (v->used > 0) {
		copy.items = malloc(v->used * sizeof(*copy.items));
		if (!copy.items)
			return ERR_NO_MEMORY;
		memcpy(copy.items, v->items, v->used * sizeof(*copy.items));
		copy.used = copy.size = v->used;
	}
	*ret_copy = copy;
	return ERR_OK;
}

bool vector_covers(const struct vector *v, const struct vector *other)
{
	for (size_t i = 0; i < other->used; i++) {
		if (vector_get(v, other->items[i].origin) < other->items[i].count)
			return false;
	}
	return true;
}

bool vector_has(const struct vector *v, struct dot d)
{
	return vector_get(v, d.origin) >= d.seq;
}

bool vector_equal(const struct vector *a, const struct vector *b)
{
	return a->used == b->used && vector_covers(a, b) && vector_covers(b, a);
}

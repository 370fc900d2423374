#include "api/wire_origins.h"

#include <stdlib.h>

#include "api/wire.h"

#define SLOTS_FIRST 64u

void wire_origins_fini(struct wire_origins *o)
{
	free(o->items);
	free(o->slots);
	*o = (struct wire_origins){0};
}

/* The slot of `id`, or the empty one where it would be. There is always an empty one. */
static size_t slot_of(const struct wire_origins *o, struct origin_id id)
{
	uint64_t hash = (id.hi ^ (id.lo * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
	size_t at = (size_t)(hash >> 32) & (o->slot_count - 1);

	while (o->slots[at] && !origin_equal(o->items[o->slots[at] - 1], id))
		at = (at + 1) & (o->slot_count - 1);
	return at;
}

size_t wire_origins_find(const struct wire_origins *o, struct origin_id id)
{
	size_t at;

	if (o->slot_count == 0)
		return WIRE_NO_ORIGIN;
	at = slot_of(o, id);
	return o->slots[at] ? o->slots[at] - 1 : WIRE_NO_ORIGIN;
}

/* Room for one more, in a table that is at most half full. */
static enum err grow(struct wire_origins *o)
{
	size_t size = o->size ? 2 * o->size : SLOTS_FIRST / 2;
	struct origin_id *items;
	uint32_t *slots;

	if (o->used < o->size)
		return ERR_OK;
	items = realloc(o->items, size * sizeof(*items));
	if (!items)
		return ERR_NO_MEMORY;
	o->items = items;
	slots = calloc(2 * size, sizeof(*slots));
	if (!slots)
		return ERR_NO_MEMORY;
	free(o->slots);
	o->slots = slots;
	o->slot_count = 2 * size;
	o->size = size;
	for (size_t i = 0; i < o->used; i++)
		o->slots[slot_of(o, o->items[i])] = (uint32_t)i + 1;
	return ERR_OK;
}

enum err wire_origins_add(struct wire_origins *o, struct origin_id id)
{
	size_t at;

	if (wire_origins_find(o, id) != WIRE_NO_ORIGIN)
		return ERR_EXISTS;
	if (o->used == WIRE_ORIGINS_MAX)
		return ERR_LIMIT;
	if (grow(o) != ERR_OK)
		return ERR_NO_MEMORY;
	at = slot_of(o, id);
	o->items[o->used] = id;
	o->slots[at] = (uint32_t)++o->used;
	return ERR_OK;
}

/* ---- vectors ---- */

/* The next item of the two together: a table's own has count 0. False at the end. */
static bool next_of_both(struct wire_walk *w, struct vector_item *item, uint64_t *ret_in_table)
{
	const struct vector *v = w->vector, *t = w->table;
	const struct vector_item *a = w->at < v->used ? &v->items[w->at] : NULL;
	const struct vector_item *b = t && w->table_at < t->used ? &t->items[w->table_at] : NULL;
	int order = !a ? 1 : !b ? -1 : origin_compare(a->origin, b->origin);

	if (!a && !b)
		return false;
	*ret_in_table = order >= 0 ? b->count : 0;
	*item = order <= 0 ? *a : (struct vector_item){b->origin, 0};
	w->at += order <= 0;
	w->table_at += order >= 0;
	return true;
}

bool wire_walk_next(struct wire_walk *w, struct vector_item *ret_item)
{
	uint64_t in_table;

	while (next_of_both(w, ret_item, &in_table))
		if (ret_item->count != in_table)
			return true;
	return false;
}

static int by_origin(const void *a, const void *b)
{
	return origin_compare(
		((const struct vector_item *)a)->origin, ((const struct vector_item *)b)->origin);
}

enum err wire_overlay(struct vector_item *items, size_t count, const struct vector *table,
	struct vector *ret_vector)
{
	const struct vector read = {.items = items, .used = count};
	struct wire_walk w = {.vector = &read, .table = table};
	struct vector v = VECTOR_INIT;
	struct vector_item item;
	uint64_t in_table;

	if (count > 1)
		qsort(items, count, sizeof(*items), by_origin);
	if (vector_reserve(&v, count + (table ? table->used : 0)) != ERR_OK)
		return ERR_NO_MEMORY;
	for (;;) {
		size_t before = w.at;

		if (!next_of_both(&w, &item, &in_table))
			break;
		if (w.at == before) /* the table alone has it */
			item.count = in_table;
		else if ((item.count == 0 && in_table == 0) ||
			 (before > 0 && origin_equal(items[before - 1].origin, item.origin)))
			goto malformed;
		if (item.count > 0)
			v.items[v.used++] = item;
	}
	*ret_vector = v;
	return ERR_OK;
malformed:
	vector_fini(&v);
	return ERR_MALFORMED;
}

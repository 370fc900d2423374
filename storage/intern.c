#include "storage/intern.h"

#include <stdlib.h>
#include <string.h>

void intern_fini(struct intern *t)
{
	free(t->ids);
	free(t->slots);
	*t = (struct intern){0};
}

/* The slot that holds `id`, or the free one where it belongs. Origins are random already. */
static uint32_t *find(const struct intern *t, struct origin_id id)
{
	size_t i = (size_t)(id.lo ^ (id.hi * 0x9e3779b97f4a7c15u)) & (t->slot_count - 1);

	while (t->slots[i] && !origin_equal(t->ids[t->slots[i] - 1], id))
		i = (i + 1) & (t->slot_count - 1);
	return &t->slots[i];
}

static void fill(struct intern *t)
{
	if (!t->slot_count)
		return;
	memset(t->slots, 0, t->slot_count * sizeof *t->slots);
	for (size_t i = 0; i < t->count; i++)
		*find(t, t->ids[i]) = (uint32_t)i + 1;
}

static enum err grow(struct intern *t)
{
	size_t size = t->size ? t->size * 2 : 16;
	struct origin_id *ids;
	uint32_t *slots;

	if (t->count < t->size)
		return ERR_OK;
	if (t->count >= INTERN_ORIGINS_MAX)
		return ERR_LIMIT;
	slots = calloc(size * 2, sizeof *slots);
	if (!slots)
		return ERR_NO_MEMORY;
	ids = realloc(t->ids, size * sizeof *ids);
	if (!ids) {
		free(slots);
		return ERR_NO_MEMORY;
	}
	free(t->slots);
	*t = (struct intern){ids, t->count, size, slots, size * 2};
	fill(t);
	return ERR_OK;
}

enum err intern_number(struct intern *t, struct origin_id id, uint32_t *ret_number, bool *ret_new)
{
	uint32_t known = t->slot_count ? *find(t, id) : 0;
	enum err e;

	if (!known) {
		e = grow(t);
		if (e)
			return e;
		t->ids[t->count++] = id;
		*find(t, id) = (uint32_t)t->count;
	}
	*ret_new = !known;
	*ret_number = known ? known : (uint32_t)t->count;
	return ERR_OK;
}

const struct origin_id *intern_id(const struct intern *t, int64_t number)
{
	return number >= 1 && (uint64_t)number <= t->count ? &t->ids[number - 1] : NULL;
}

void intern_rollback(struct intern *t, size_t count)
{
	if (count >= t->count)
		return;
	t->count = count;
	fill(t);
}

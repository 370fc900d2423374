#include "server/core/history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/naive.h"

#define SHRINK_ABOVE 1024 /* arrays of more items give memory back when little of them is used */

struct history *history_new(struct origin_id origin)
{
	struct history *h = calloc(1, sizeof(*h));

	if (h)
		h->origin = origin;
	return h;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	free(h->slots);
	free(h->kills);
	free(h->points);
	free(h);
}

/* The array `items`, grown to hold `need` more than `used`; NULL when there is no memory. */
static void *grow(void *items, size_t used, size_t *size, size_t need, size_t item_bytes)
{
	size_t new_size = *size ? *size : 4;

	while (new_size - used < need)
		new_size *= 2;
	items = realloc(items, new_size * item_bytes);
	if (items)
		*size = new_size;
	return items;
}

/* The ring does not wrap before it has its full size, so it can grow in place until then. */
static enum err reserve_point(struct history *h)
{
	uint32_t size = h->point_size ? 4 * h->point_size : 1;
	struct chain_point *points;

	if (h->point_used < h->point_size || h->point_size == CHAIN_POINTS_MAX)
		return ERR_OK;
	points = realloc(h->points, size * sizeof(*points));
	if (!points)
		return ERR_NO_MEMORY;
	h->points = points;
	h->point_size = size;
	return ERR_OK;
}

enum err history_reserve(struct history *h, size_t slots, size_t kills)
{
	void *items;

	if (h->slot_size - h->slot_used < slots) {
		items = grow(h->slots, h->slot_used, &h->slot_size, slots, sizeof(*h->slots));
		if (!items)
			return ERR_NO_MEMORY;
		h->slots = items;
	}
	if (h->kill_size - h->kill_used < kills) {
		items = grow(h->kills, h->kill_used, &h->kill_size, kills, sizeof(*h->kills));
		if (!items)
			return ERR_NO_MEMORY;
		h->kills = items;
	}
	return reserve_point(h);
}

void history_add_live(struct history *h, uint64_t seq, struct entry *l)
{
	assert(h->slot_used < h->slot_size);
	h->slots[h->slot_used++] = (struct slot){seq, l};
}

void history_add_kill(struct history *h, uint64_t seq, struct history *victim, uint64_t victim_seq)
{
	assert(h->kill_used < h->kill_size);
	h->kills[h->kill_used++] = (struct kill){seq, victim, victim_seq};
}

static struct chain_point *point_at(const struct history *h, uint32_t i)
{
	return &h->points[(h->point_first + i) % h->point_size];
}

void history_add_chain(struct history *h, uint64_t seq, uint64_t chain)
{
	if (chain == 0 || (h->point_used > 0 && point_at(h, h->point_used - 1)->seq >= seq))
		return;
	assert(h->point_size > 0);
	if (h->point_used == h->point_size) {
		assert(h->point_size == CHAIN_POINTS_MAX);
		h->point_first = (h->point_first + 1) % CHAIN_POINTS_MAX;
		h->point_used--;
	}
	h->point_used++;
	*point_at(h, h->point_used - 1) = (struct chain_point){seq, chain};
}

uint64_t history_chain(const struct history *h, uint64_t seq)
{
	uint32_t low = 0, high = h->point_used;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (point_at(h, middle)->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->point_used && point_at(h, low)->seq == seq ? point_at(h, low)->chain : 0;
}

/* `items` with less memory, when it has far too much; the size is then twice what is used. */
static void *shrink(void *items, size_t used, size_t *size, size_t item_bytes)
{
	void *smaller;

	if (*size <= SHRINK_ABOVE || used > *size / 4)
		return items;
	smaller = realloc(items, (*size / 2) * item_bytes);
	if (!smaller)
		return items;
	*size /= 2;
	return smaller;
}

size_t history_cut(struct history *h, uint64_t floor)
{
	size_t first = history_kill_after(h, floor), cut = first - h->kill_first;

	if (floor > h->floor)
		h->floor = floor;
	h->kill_first = first;
	/* Only when half are gone: that keeps the cost of each record constant on average. */
	if (first * 2 < h->kill_used)
		return cut;
	if (first > 0)
		memmove(h->kills, h->kills + first, (h->kill_used - first) * sizeof(*h->kills));
	h->kill_used -= first;
	h->kill_first = 0;
	h->kills = shrink(h->kills, h->kill_used, &h->kill_size, sizeof(*h->kills));
	return cut;
}

size_t history_slot_after(const struct history *h, uint64_t seq)
{
	size_t low = 0, high = h->slot_used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->slots[middle].seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t history_kill_after(const struct history *h, uint64_t seq)
{
	size_t low = h->kill_first, high = h->kill_used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->kills[middle].seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The slot of `seq`, or NULL. */
static struct slot *slot_of(const struct history *h, uint64_t seq)
{
	size_t after = history_slot_after(h, seq);

	return after > 0 && h->slots[after - 1].seq == seq ? &h->slots[after - 1] : NULL;
}

struct entry *history_live(const struct history *h, uint64_t seq)
{
	struct slot *s = slot_of(h, seq);

	return s ? s->live : NULL;
}

void history_drop(struct history *h, uint64_t seq)
{
	struct slot *s = slot_of(h, seq);

	assert(s && s->live);
	s->live = NULL;
	h->holes++;
}

void history_tidy(struct history *h)
{
	size_t kept = 0;

	while (h->slot_used > 0 && !h->slots[h->slot_used - 1].live) {
		h->slot_used--;
		h->holes--;
	}
	/* Only when half are empty: that keeps the cost of each removal constant on average. */
	if (h->holes * 2 <= h->slot_used)
		return;
	for (size_t i = 0; i < h->slot_used; i++) {
		if (h->slots[i].live)
			h->slots[kept++] = h->slots[i];
	}
	h->slot_used = kept;
	h->holes = 0;
	h->slots = shrink(h->slots, h->slot_used, &h->slot_size, sizeof(*h->slots));
}

static int compare_slots(const void *a, const void *b)
{
	uint64_t left = ((const struct slot *)a)->seq, right = ((const struct slot *)b)->seq;

	return left < right ? -1 : left > right;
}

static int compare_kills(const void *a, const void *b)
{
	const struct kill *left = a, *right = b;
	int order;

	if (left->seq != right->seq)
		return left->seq < right->seq ? -1 : 1;
	order = origin_compare(left->victim->origin, right->victim->origin);
	if (order != 0)
		return order;
	return left->victim_seq < right->victim_seq ? -1 : left->victim_seq > right->victim_seq;
}

static bool slots_are_sound(const struct history *h)
{
	for (size_t i = 0; i < h->slot_used; i++) {
		if (h->slots[i].seq > h->count || h->slots[i].seq == 0 ||
			(i > 0 && h->slots[i].seq == h->slots[i - 1].seq))
			return false;
	}
	return true;
}

static bool kills_are_sound(const struct history *h)
{
	for (size_t i = 0; i < h->kill_used; i++) {
		const struct kill *k = &h->kills[i];

		if (k->seq > h->count || k->seq == 0 || k->victim_seq == 0 ||
			(k->victim_seq > k->victim->count && !NAIVE(NODEPS)) ||
			(i > 0 && compare_kills(k - 1, k) == 0))
			return false;
	}
	return true;
}

bool history_sort(struct history *h)
{
	if (h->slot_used > 0)
		qsort(h->slots, h->slot_used, sizeof(*h->slots), compare_slots);
	if (h->kill_used > 0)
		qsort(h->kills, h->kill_used, sizeof(*h->kills), compare_kills);
	if (h->floor > h->count || !slots_are_sound(h) || !kills_are_sound(h))
		return false;
	history_cut(h, h->floor);
	return true;
}

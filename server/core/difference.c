/* The server's side of the map: what a client lacks (replication.md 1.3, lemmas 2 to 4). */
#include "server/core/blocks.h"
#include "server/core/builder.h"
#include "server/core/naive.h"

#define CUT_EVENTS 2 /* of the naive variant that cuts a slice in mid-origin */

static bool has_news(const struct history *h, uint64_t after)
{
	return h->count > after;
}

/* Do both know of any origin? Else nothing of the client's can be dead here. */
static bool have_met(const struct map *m, const struct vector *after)
{
	for (size_t i = 0; i < after->used; i++) {
		const struct history *h = replica_find_history(m, after->items[i].origin);

		if (h && h->count > 0)
			return true;
	}
	return false;
}

static bool is_below_floor(const struct map *m, const struct vector *after)
{
	for (size_t i = 0; i < m->used; i++) {
		const struct history *h = m->histories[i];
		uint64_t known = vector_get(after, h->origin);

		if (has_news(h, known) && known < h->floor)
			return true;
	}
	return false;
}

bool map_needs_sums(const struct map *m, const struct vector *after)
{
	return is_below_floor(m, after) && have_met(m, after);
}

/* Everything that `after` lacks. */
static void add_difference(struct builder *b, const struct map *m, const struct vector *after)
{
	for (size_t i = 0; i < m->used && !b->failed; i++) {
		const struct history *h = m->histories[i];
		uint64_t known = vector_get(after, h->origin);

		if (!has_news(h, known))
			continue;
		builder_range(b, h, known, h->count);
		builder_events(b, h, known, h->count, after);
		builder_floor(b, h, known);
	}
}

enum err map_difference(const struct map *m, const struct vector *after, struct fragment *ret)
{
	struct builder b;

	builder_init(&b, m);
	builder_sign(&b, m);
	if (map_needs_sums(m, after))
		b.f.mode = FRAGMENT_NEED;
	else
		add_difference(&b, m, after);
	if (b.f.range_count > 0)
		b.f.mode = FRAGMENT_FULL;
	return builder_end(&b, ret);
}

/* ---- slices ---- */

static bool is_in(const struct fragment *f, struct origin_id origin)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (origin_equal(f->ranges[i].origin, origin))
			return true;
	return false;
}

/* A slice runs to the end of what is known: cut short, it would leave out what dies later. */
static uint64_t end_of(const struct history *h, uint64_t after)
{
	return NAIVE(CUT) && h->count > after + CUT_EVENTS ? after + CUT_EVENTS : h->count;
}

/* False: the client's kill log would have a gap. */
static bool add_slice(struct builder *b, const struct history *h, const struct vector *after)
{
	uint64_t known = vector_get(after, h->origin);

	if (!has_news(h, known) || is_in(&b->f, h->origin))
		return true;
	if (known < h->floor)
		return false;
	builder_range(b, h, known, end_of(h, known));
	builder_events(b, h, known, end_of(h, known), after);
	return true;
}

enum err map_slice(const struct map *m, const struct vector *after, const struct origin_id *want,
	size_t count, struct fragment *ret)
{
	struct builder b;

	builder_init(&b, m);
	builder_sign(&b, m);
	for (size_t i = 0; i < count && !b.failed; i++) {
		const struct history *h = replica_find_history(m, want[i]);

		if (!h || add_slice(&b, h, after))
			continue;
		fragment_fini(&b.f);
		builder_init(&b, m);
		builder_sign(&b, m);
		b.f.mode = FRAGMENT_REDO;
		return builder_end(&b, ret);
	}
	b.f.mode = b.f.range_count > 0 ? FRAGMENT_SLICE : FRAGMENT_TICK;
	return builder_end(&b, ret);
}

/* ---- how much it is ---- */

/* Entries that have died since are counted too, until they are squeezed out. */
static size_t weight_of(const struct history *h, const struct vector *after)
{
	uint64_t known = vector_get(after, h->origin);

	if (!has_news(h, known))
		return 0;
	return h->slot_used - history_slot_after(h, known) + h->kill_used -
	       history_kill_after(h, known);
}

size_t map_difference_weight(const struct map *m, const struct vector *after)
{
	size_t weight = 0;

	for (size_t i = 0; i < m->used; i++)
		weight += weight_of(m->histories[i], after);
	return weight;
}

struct room { /* what there is left of it */
	size_t items;
	size_t bytes;
};

/* Takes what the events of `h` need; false when that is more than is left. */
static bool fits(const struct history *h, const struct vector *after, struct room *left)
{
	size_t items = weight_of(h, after);

	if (items > left->items)
		return false;
	left->items -= items;
	if (items == 0)
		return true;
	for (size_t i = history_slot_after(h, vector_get(after, h->origin)); i < h->slot_used;
		i++) {
		const struct entry *l = h->slots[i].live;
		size_t bytes = l ? l->key_bytes + l->value_bytes : 0;

		if (bytes > left->bytes)
			return false;
		left->bytes -= bytes;
	}
	return true;
}

bool map_difference_fits(
	const struct map *m, const struct vector *after, size_t items, size_t bytes)
{
	struct room left = {items, bytes};

	for (size_t i = 0; i < m->used; i++)
		if (!fits(m->histories[i], after, &left))
			return false;
	return true;
}

bool map_slice_fits(const struct map *m, const struct vector *after, const struct origin_id *want,
	size_t count, size_t items, size_t bytes)
{
	struct room left = {items, bytes};

	for (size_t i = 0; i < count; i++) {
		const struct history *h = replica_find_history(m, want[i]);

		if (h && !fits(h, after, &left))
			return false;
	}
	return true;
}

/* ---- the answer to block sums ---- */

void builder_difference(struct builder *b, const struct map *m, const struct vector *after)
{
	add_difference(b, m, after);
	b->f.mode = FRAGMENT_FULL;
}

enum err map_difference_checked(const struct map *m, const struct vector *after,
	const struct block_sums *theirs, bool repair, struct fragment *ret)
{
	struct builder b;

	builder_init(&b, m);
	builder_sign(&b, m);
	builder_difference(&b, m, after);
	builder_checks(&b, m, after, theirs, repair);
	return builder_end(&b, ret);
}

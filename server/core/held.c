#include "server/core/held.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/naive.h"

struct slice {
	struct fragment f;
	uint32_t link;
	int64_t since_ms;
	size_t bytes;
	bool chosen; /* of the set that is looked for */
};

struct held { /* in the order of arrival */
	struct slice items[HELD_SLICES_MAX];
	size_t used;
};

enum err held_new(struct held **ret_held)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		return ERR_NO_MEMORY;
	*ret_held = held;
	return ERR_OK;
}

static void drop_at(struct held *held, size_t i)
{
	fragment_fini(&held->items[i].f);
	held->used--;
	memmove(held->items + i, held->items + i + 1, (held->used - i) * sizeof(*held->items));
}

void held_free(struct held *held)
{
	while (held && held->used > 0)
		drop_at(held, held->used - 1);
	free(held);
}

size_t held_count(const struct held *held)
{
	return held->used;
}

size_t held_of_link(const struct held *held, uint32_t link, int64_t *ret_since_ms)
{
	size_t count = 0;

	*ret_since_ms = INT64_MAX;
	for (size_t i = 0; i < held->used; i++) {
		if (held->items[i].link != link)
			continue;
		if (count++ == 0)
			*ret_since_ms = held->items[i].since_ms;
	}
	return count;
}

/* About what it takes: the texts and their frames. */
static size_t bytes_of(const struct fragment *f)
{
	size_t bytes = f->kill_count * sizeof(*f->kills);

	for (size_t i = 0; i < f->put_count; i++)
		bytes += sizeof(*f->puts) + f->puts[i].key_bytes + f->puts[i].value_bytes;
	return bytes;
}

static bool has_room(const struct held *held, uint32_t link, size_t bytes)
{
	size_t count = 0;

	for (size_t i = 0; i < held->used; i++) {
		if (held->items[i].link != link)
			continue;
		count++;
		bytes += held->items[i].bytes;
	}
	/* One alone may be larger: the wire has bounded it. */
	return held->used < HELD_SLICES_MAX && count < HELD_LINK_SLICES_MAX &&
	       (count == 0 || bytes <= HELD_LINK_BYTES_MAX);
}

enum err held_add(struct held *held, uint32_t link, struct fragment *f_take, int64_t now_ms)
{
	size_t bytes = bytes_of(f_take);

	if (!has_room(held, link, bytes)) {
		fragment_fini(f_take);
		return ERR_OK;
	}
	held->items[held->used++] =
		(struct slice){.f = *f_take, .link = link, .since_ms = now_ms, .bytes = bytes};
	*f_take = (struct fragment){0};
	return ERR_OK;
}

void held_drop_link(struct held *held, uint32_t link)
{
	for (size_t i = held->used; i-- > 0;)
		if (held->items[i].link == link)
			drop_at(held, i);
}

void held_expire(struct held *held, int64_t now_ms)
{
	for (size_t i = held->used; i-- > 0;)
		if (now_ms - held->items[i].since_ms > HELD_MS_MAX)
			drop_at(held, i);
}

/* ---- the closed set ---- */

/* Does it begin where `tops` end, in all its ranges? */
static bool begins_within(const struct fragment *f, const struct vector *tops)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (f->ranges[i].after > vector_get(tops, f->ranges[i].origin))
			return false;
	return true;
}

static enum err raise_tops(const struct fragment *f, struct vector *tops)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < f->range_count && e == ERR_OK; i++)
		e = vector_raise(tops, f->ranges[i].origin, f->ranges[i].upto);
	return e;
}

static bool has_range(const struct fragment *f, struct origin_id origin)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (origin_equal(f->ranges[i].origin, origin))
			return true;
	return false;
}

/* The deps of a slice are its server's vector but for its own ranges ("strict"). */
static const struct vector_item *first_lack(const struct fragment *f, const struct vector *tops)
{
	for (size_t i = 0; i < f->vector.used; i++) {
		const struct vector_item *dep = &f->vector.items[i];

		if (vector_get(tops, dep->origin) < dep->count && !has_range(f, dep->origin))
			return dep;
	}
	return NULL;
}

/*
 * The map's vector joined with the tops of all slices that chain from it (of the chosen ones, when
 * asked so); `linked` tells which do. Fills an empty vector. Errors: NO_MEMORY.
 */
static enum err reach(const struct held *held, const struct map *m, bool chosen_only,
	bool linked[HELD_SLICES_MAX], struct vector *ret_tops)
{
	bool more = true;
	enum err e = vector_copy(map_vector(m), ret_tops);

	memset(linked, 0, HELD_SLICES_MAX * sizeof(*linked));
	while (more && e == ERR_OK) {
		more = false;
		for (size_t i = 0; i < held->used && e == ERR_OK; i++) {
			const struct slice *s = &held->items[i];

			if (linked[i] || (chosen_only && !s->chosen) ||
				!begins_within(&s->f, ret_tops))
				continue;
			linked[i] = more = true;
			e = raise_tops(&s->f, ret_tops);
		}
	}
	if (e != ERR_OK)
		vector_fini(ret_tops);
	return e;
}

/* One round: what does not chain, or lacks a dep, leaves the choice. */
static enum err narrow(struct held *held, const struct map *m, bool *ret_dropped)
{
	bool linked[HELD_SLICES_MAX];
	struct vector tops = VECTOR_INIT;
	enum err e = reach(held, m, true, linked, &tops);

	*ret_dropped = false;
	for (size_t i = 0; i < held->used && e == ERR_OK; i++) {
		struct slice *s = &held->items[i];
		bool lacks = linked[i] && !NAIVE(NODEPS) && first_lack(&s->f, &tops);

		s->chosen = linked[i] && !lacks;
		*ret_dropped = *ret_dropped || lacks;
	}
	vector_fini(&tops);
	return e;
}

/* The greatest closed set is what is left when nothing leaves the choice any more. */
static enum err choose(struct held *held, const struct map *m)
{
	bool dropped = true;
	enum err e = ERR_OK;

	for (size_t i = 0; i < held->used; i++)
		held->items[i].chosen = true;
	while (dropped && e == ERR_OK)
		e = narrow(held, m, &dropped);
	return e;
}

/* What is known by now, or will never chain since a gap lies before it. */
static bool is_useless(const struct held *held, const struct map *m, const struct slice *s)
{
	bool news = false, gap = false;

	for (size_t i = 0; i < s->f.range_count; i++) {
		const struct fragment_range *r = &s->f.ranges[i];
		uint64_t reached = vector_get(map_vector(m), r->origin);

		news = news || r->upto > reached;
		for (size_t k = 0; k < held->used; k++)
			for (size_t j = 0; j < held->items[k].f.range_count; j++) {
				const struct fragment_range *o = &held->items[k].f.ranges[j];

				if (origin_equal(o->origin, r->origin) && o->upto > reached &&
					&held->items[k] != s)
					reached = o->upto;
			}
		gap = gap || r->after > reached;
	}
	return !news || gap;
}

static void tidy(struct held *held, const struct map *m)
{
	for (size_t i = held->used; i-- > 0;)
		if (is_useless(held, m, &held->items[i]))
			drop_at(held, i);
}

static size_t gather(struct held *held, struct fragment **ret_set)
{
	size_t count = 0;

	for (size_t i = 0; i < held->used; i++)
		if (held->items[i].chosen)
			ret_set[count++] = &held->items[i].f;
	return count;
}

static void drop_chosen(struct held *held)
{
	for (size_t i = held->used; i-- > 0;)
		if (held->items[i].chosen)
			drop_at(held, i);
}

enum err held_settle(struct held *held, struct map *m, struct changes *changes, size_t *ret_applied,
	struct origin_id *ret_forked, uint32_t *ret_link)
{
	struct fragment *set[HELD_SLICES_MAX];
	enum err e = choose(held, m);
	size_t count = e == ERR_OK ? gather(held, set) : 0;

	*ret_applied = 0;
	if (count > 0) {
		*ret_link = 0;
		for (size_t i = 0; i < held->used && count == 1; i++)
			if (held->items[i].chosen)
				*ret_link = held->items[i].link;
		e = map_apply(m, set, count, changes, ret_forked);
		if (e != ERR_NO_MEMORY)
			drop_chosen(held);
		if (e == ERR_OK)
			*ret_applied = count;
	}
	if (e == ERR_OK)
		tidy(held, m);
	return e;
}

enum err held_cursor(const struct held *held, const struct map *m, struct vector *ret_cursor)
{
	bool linked[HELD_SLICES_MAX];
	struct vector tops = VECTOR_INIT;
	enum err e = reach(held, m, false, linked, &tops);

	if (e == ERR_OK)
		*ret_cursor = tops;
	return e;
}

bool held_lacks(const struct held *held, const struct map *m, uint32_t link, struct dot *ret_dot)
{
	struct vector tops = VECTOR_INIT;
	bool lacks = false;

	if (held_cursor(held, m, &tops) != ERR_OK)
		return false;
	for (size_t i = 0; i < held->used && !lacks; i++) {
		const struct vector_item *dep =
			held->items[i].link == link ? first_lack(&held->items[i].f, &tops) : NULL;

		if (dep)
			*ret_dot = (struct dot){dep->origin, dep->count};
		lacks = dep != NULL;
	}
	vector_fini(&tops);
	return lacks;
}

/* Whether fragments can be joined: nothing here changes the map. */
#include "server/core/join.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/naive.h"

static int compare_ranges(const void *a, const void *b)
{
	return origin_compare(((const struct fragment_range *)a)->origin,
		((const struct fragment_range *)b)->origin);
}

static int compare_puts(const void *a, const void *b)
{
	return dot_compare(
		((const struct fragment_put *)a)->dot, ((const struct fragment_put *)b)->dot);
}

int join_compare_kills(const void *a, const void *b)
{
	const struct fragment_kill *left = a, *right = b;
	int order = dot_compare(left->killer, right->killer);

	return order != 0 ? order : dot_compare(left->victim, right->victim);
}

void join_sort(void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *))
{
	const char *at = items;

	for (size_t i = 1; i < count; i++, at += bytes) {
		if (compare(at, at + bytes) <= 0)
			continue;
		qsort(items, count, bytes, compare);
		return;
	}
}

size_t join_range_of(const struct fragment *f, struct origin_id origin)
{
	size_t low = 0, high = f->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (origin_compare(f->ranges[middle].origin, origin) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < f->range_count && origin_equal(f->ranges[low].origin, origin))
		return low;
	return f->range_count;
}

size_t join_put_from(const struct fragment *f, struct dot d)
{
	size_t low = 0, high = f->put_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dot_compare(f->puts[middle].dot, d) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void join_sort_parts(struct fragment *f)
{
	join_sort(f->ranges, f->range_count, sizeof(*f->ranges), compare_ranges);
	join_sort(f->puts, f->put_count, sizeof(*f->puts), compare_puts);
	join_sort(f->kills, f->kill_count, sizeof(*f->kills), join_compare_kills);
}

/* ---- what is known afterwards ---- */

static bool begins_within(const struct fragment *f, const struct vector *tops)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (f->ranges[i].after > vector_get(tops, f->ranges[i].origin))
			return false;
	return true;
}

static enum err raise_tops(const struct fragment *f, struct vector *tops)
{
	enum err e = vector_reserve(tops, f->range_count);

	for (size_t i = 0; e == ERR_OK && i < f->range_count; i++)
		e = vector_raise(tops, f->ranges[i].origin, f->ranges[i].upto);
	return e;
}

/*
 * Each fragment must begin where the map ends, or where one that does so ends. A pass over all of
 * them takes at least one in; when it takes none, the rest has a gap before it.
 */
static enum err chain(struct join *j)
{
	size_t taken = 0, before;
	enum err e = vector_copy(&j->m->vector, &j->tops);
	bool *in = calloc(j->count + 1, sizeof(*in));

	do {
		before = taken;
		for (size_t i = 0; e == ERR_OK && in && i < j->count; i++) {
			if (in[i] || !begins_within(j->fragments[i], &j->tops))
				continue;
			in[i] = true;
			taken++;
			e = raise_tops(j->fragments[i], &j->tops);
		}
	} while (e == ERR_OK && in && taken > before && taken < j->count);
	if (!in)
		e = ERR_NO_MEMORY;
	free(in);
	return e == ERR_OK && taken < j->count ? ERR_MALFORMED : e;
}

/* ---- one fragment ---- */

static bool check_ranges(const struct join *j, const struct fragment *f)
{
	for (size_t i = 0; i < f->range_count; i++) {
		const struct fragment_range *r = &f->ranges[i];

		if (r->after > r->upto || (i > 0 && compare_ranges(r - 1, r) == 0))
			return false;
		/* Nobody knows of an event of this life that has not happened. */
		if (origin_equal(r->origin, j->m->self_id) && r->upto > j->m->self->count)
			return false;
	}
	return true;
}

/*
 * After a full difference the client knows all that the server knew, by the difference alone. If it
 * would not, the fragment was made for another vector, and could tell that an entry is dead without
 * telling why. After a joint application it knows the deps of each slice.
 */
static bool check_vector(const struct join *j, const struct fragment *f)
{
	for (size_t i = 0; i < f->vector.used; i++) {
		const struct vector_item *known = &f->vector.items[i];
		size_t r = join_range_of(f, known->origin);
		uint64_t reached = f->mode == FRAGMENT_FULL
					   ? vector_get(&j->m->vector, known->origin)
					   : vector_get(&j->tops, known->origin);

		if (reached < known->count &&
			(r == f->range_count || f->ranges[r].upto < known->count))
			return f->mode == FRAGMENT_SLICE && (NAIVE(NODEPS) || NAIVE(CUT));
	}
	return true;
}

/* The range that `d` lies in, or range_count. */
static size_t range_with(const struct fragment *f, struct dot d)
{
	size_t r = join_range_of(f, d.origin);

	if (r < f->range_count && d.seq > f->ranges[r].after && d.seq <= f->ranges[r].upto)
		return r;
	return f->range_count;
}

static bool check_puts(const struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++) {
		const struct fragment_put *p = &f->puts[i];

		if (range_with(f, p->dot) == f->range_count || p->key_bytes > KEY_BYTES_MAX ||
			p->value_bytes > VALUE_BYTES_MAX || memchr(p->key, '\0', p->key_bytes) ||
			(i > 0 && compare_puts(p - 1, p) == 0))
			return false;
	}
	return true;
}

/* The victim of each record is known, or will be after the join (I3). */
static bool check_kills(const struct join *j, const struct fragment *f)
{
	for (size_t i = 0; i < f->kill_count; i++) {
		const struct fragment_kill *k = &f->kills[i];

		if (range_with(f, k->killer) == f->range_count || k->victim.seq == 0 ||
			(!vector_has(&j->tops, k->victim) && !NAIVE(NODEPS) && !NAIVE(CUT)) ||
			dot_compare(k->killer, k->victim) == 0)
			return false;
	}
	return true;
}

/* Only a full difference is an answer to block sums, and only of what both knew. */
static bool check_checks(const struct join *j, const struct fragment *f)
{
	if (f->mode != FRAGMENT_FULL)
		return f->check_count == 0 && f->floors.used == 0;
	for (size_t i = 0; i < f->check_count; i++) {
		const struct fragment_check *c = &f->checks[i];

		if (c->after > c->upto || c->upto > vector_get(&j->m->vector, c->origin) ||
			c->upto > vector_get(&f->vector, c->origin) || c->first > f->alive_count ||
			c->count > f->alive_count - c->first)
			return false;
		for (size_t k = 0; k < c->count; k++) {
			uint64_t seq = f->alive[c->first + k];

			if (seq <= c->after || seq > c->upto ||
				(k > 0 && seq <= f->alive[c->first + k - 1]))
				return false;
		}
	}
	for (size_t i = 0; i < f->floors.used; i++)
		if (f->floors.items[i].count > vector_get(&f->vector, f->floors.items[i].origin))
			return false;
	return true;
}

enum err join_check(struct join *j)
{
	enum err e;

	for (size_t i = 0; i < j->count; i++) {
		struct fragment *f = j->fragments[i];

		join_sort_parts(f);
		if ((f->mode != FRAGMENT_FULL && f->mode != FRAGMENT_SLICE) ||
			(f->mode == FRAGMENT_FULL && j->count > 1) || !check_ranges(j, f))
			return ERR_MALFORMED;
	}
	e = chain(j);
	for (size_t i = 0; e == ERR_OK && i < j->count; i++) {
		const struct fragment *f = j->fragments[i];

		if (!check_vector(j, f) || !check_puts(f) || !check_kills(j, f) ||
			!check_checks(j, f))
			e = ERR_MALFORMED;
	}
	return e;
}

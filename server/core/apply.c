/* The join of a full fragment (replication.md 1.3, lemma 2): checked and prepared, then done. */
#include "server/core/fragment.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/replica.h"

struct staged {                 /* a put of the fragment, made ready */
	struct live *live;      /* NULL: its event is known here already */
	struct key_node *node;  /* of the map, if it has the key already */
	struct key_node *fresh; /* else one to add, unless an earlier put of the fragment did */
	struct record *record;  /* a copy, when the fragment is borrowed */
};

struct join {
	struct map *m;
	struct fragment *f;
	struct changes *changes;
	struct history **histories; /* of each range */
	struct staged *staged;      /* of each put */
	size_t losses_max;          /* at most so many entries can die */
};

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

static int compare_kills(const void *a, const void *b)
{
	const struct fragment_kill *left = a, *right = b;
	int order = dot_compare(left->killer, right->killer);

	return order != 0 ? order : dot_compare(left->victim, right->victim);
}

/* Sorts unless it is sorted already, as all that comes from map_difference is. */
static void sort(
	void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *))
{
	const char *at = items;

	for (size_t i = 1; i < count; i++, at += bytes) {
		if (compare(at, at + bytes) <= 0)
			continue;
		qsort(items, count, bytes, compare);
		return;
	}
}

/* The index of the range of `origin`, or range_count. */
static size_t range_of(const struct fragment *f, struct origin_id origin)
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

/* The range that `d` lies in, or range_count. */
static size_t range_with(const struct fragment *f, struct dot d)
{
	size_t r = range_of(f, d.origin);

	if (r < f->range_count && d.seq > f->ranges[r].after && d.seq <= f->ranges[r].upto)
		return r;
	return f->range_count;
}

static bool check_ranges(const struct join *j)
{
	const struct fragment *f = j->f;

	for (size_t i = 0; i < f->range_count; i++) {
		const struct fragment_range *r = &f->ranges[i];

		if (r->after > r->upto || r->after > vector_get(&j->m->vector, r->origin) ||
			(i > 0 && compare_ranges(r - 1, r) == 0))
			return false;
		/* Nobody knows of an event of this life that has not happened. */
		if (origin_equal(r->origin, j->m->self_id) && r->upto > j->m->self->count)
			return false;
	}
	return true;
}

/*
 * After a full difference the client knows all that the server knew. If it would not, the fragment
 * was made for another vector, and could tell that an entry is dead without telling why.
 */
static bool check_vector(const struct join *j)
{
	const struct fragment *f = j->f;

	for (size_t i = 0; i < f->vector.used; i++) {
		const struct vector_item *known = &f->vector.items[i];
		size_t r = range_of(f, known->origin);

		if (vector_get(&j->m->vector, known->origin) < known->count &&
			(r == f->range_count || f->ranges[r].upto < known->count))
			return false;
	}
	return true;
}

static bool check_puts(const struct join *j)
{
	const struct fragment *f = j->f;

	for (size_t i = 0; i < f->put_count; i++) {
		const struct fragment_put *p = &f->puts[i];

		if (range_with(f, p->dot) == f->range_count || p->key_bytes > KEY_BYTES_MAX ||
			p->value_bytes > VALUE_BYTES_MAX || memchr(p->key, '\0', p->key_bytes) ||
			(i > 0 && compare_puts(p - 1, p) == 0))
			return false;
	}
	return true;
}

/* True when the event `d` is known here, or will be after the join (I3). */
static bool is_covered(const struct join *j, struct dot d)
{
	size_t r = range_of(j->f, d.origin);

	if (d.seq == 0)
		return false;
	return vector_has(&j->m->vector, d) ||
	       (r < j->f->range_count && d.seq <= j->f->ranges[r].upto);
}

static bool check_kills(const struct join *j)
{
	const struct fragment *f = j->f;

	for (size_t i = 0; i < f->kill_count; i++) {
		const struct fragment_kill *k = &f->kills[i];

		if (range_with(f, k->killer) == f->range_count || !is_covered(j, k->victim) ||
			dot_compare(k->killer, k->victim) == 0)
			return false;
	}
	return true;
}

static enum err check(struct join *j)
{
	struct fragment *f = j->f;

	sort(f->ranges, f->range_count, sizeof(*f->ranges), compare_ranges);
	sort(f->puts, f->put_count, sizeof(*f->puts), compare_puts);
	sort(f->kills, f->kill_count, sizeof(*f->kills), compare_kills);
	if (!check_ranges(j) || !check_vector(j) || !check_puts(j) || !check_kills(j))
		return ERR_MALFORMED;
	return ERR_OK;
}

/* ---- memory, all of it before anything is changed ---- */

static enum err stage_put(const struct join *j, const struct fragment_put *p, struct staged *s)
{
	s->live = live_new(p->value, p->value_bytes);
	s->node = replica_find_key(j->m, p->key, p->key_bytes);
	if (!s->node)
		s->fresh = key_node_new(p->key, p->key_bytes);
	if (j->f->borrowed && p->record)
		s->record = record_dup(p->record);
	if (!s->live || (!s->node && !s->fresh) || (j->f->borrowed && p->record && !s->record))
		return ERR_NO_MEMORY;
	return ERR_OK;
}

static enum err stage_puts(const struct join *j, size_t *slots)
{
	for (size_t i = 0; i < j->f->put_count; i++) {
		const struct fragment_put *p = &j->f->puts[i];
		size_t r = range_with(j->f, p->dot);

		if (p->dot.seq <= j->histories[r]->count)
			continue;
		if (stage_put(j, p, &j->staged[i]) != ERR_OK)
			return ERR_NO_MEMORY;
		slots[r]++;
	}
	return ERR_OK;
}

/* Room in the histories for the new puts and kills, `slots` and `kills` by range. */
static enum err stage_events(struct join *j, size_t *slots, size_t *kills)
{
	const struct fragment *f = j->f;
	enum err e = stage_puts(j, slots);

	for (size_t i = 0; i < f->kill_count; i++)
		kills[range_with(f, f->kills[i].killer)]++;
	for (size_t r = 0; e == ERR_OK && r < f->range_count; r++) {
		struct history *h = j->histories[r];

		e = history_reserve(h, slots[r], kills[r]);
		j->losses_max += h->slot_used - history_slot_after(h, f->ranges[r].after);
	}
	return e;
}

static enum err stage(struct join *j)
{
	const struct fragment *f = j->f;
	size_t *slots = calloc(2 * f->range_count + 1, sizeof(*slots));
	enum err e = ERR_NO_MEMORY;

	j->histories = calloc(f->range_count + 1, sizeof(struct history *));
	j->staged = calloc(f->put_count + 1, sizeof(*j->staged));
	if (!slots || !j->histories || !j->staged)
		goto out;
	for (size_t i = 0; i < f->range_count; i++) {
		j->histories[i] = replica_history(j->m, f->ranges[i].origin);
		if (!j->histories[i])
			goto out;
	}
	j->losses_max = f->kill_count;
	e = stage_events(j, slots, slots + f->range_count);
	if (e == ERR_OK)
		e = vector_reserve(&j->m->vector, f->range_count);
	if (e == ERR_OK)
		e = changes_reserve(
			j->changes, f->put_count + j->losses_max + f->kill_count + f->range_count);
out:
	free(slots);
	return e;
}

static void unstage(struct join *j)
{
	for (size_t i = 0; j->staged && i < j->f->put_count; i++) {
		free(j->staged[i].live);
		free(j->staged[i].fresh);
		record_free(j->staged[i].record);
	}
	free(j->staged);
	free(j->histories);
}

/* ---- the change, in the order of the lemma: inserts, absences, kills, vector ---- */

static void insert_put(struct join *j, struct fragment_put *p, struct staged *s)
{
	struct history *h = j->histories[range_of(j->f, p->dot.origin)];
	struct record *record = s->record;

	if (!s->node)
		s->node = replica_find_key(j->m, p->key, p->key_bytes);
	if (!s->node) {
		s->node = s->fresh;
		s->fresh = NULL;
		replica_add_key(j->m, s->node);
	}
	if (!j->f->borrowed) {
		record = p->record;
		p->record = NULL;
	}
	replica_add(j->m, s->live, s->node, h, p->dot.seq, p->clock, record);
	changes_add(j->changes, CHANGE_PUT, p->dot, (struct dot){0}, &s->live->entry);
	s->live = NULL;
	s->record = NULL;
}

static void drop(struct join *j, struct live *l)
{
	changes_add(j->changes, CHANGE_DROP, l->entry.dot, (struct dot){0}, &l->entry);
	replica_drop(j->m, l);
}

/* What is live here, lies in the range, and is not among the puts, is dead at the server. */
static void drop_absent(struct join *j, size_t r)
{
	const struct fragment_range *range = &j->f->ranges[r];
	struct history *h = j->histories[r];
	struct fragment_put least = {.dot = {range->origin, range->after + 1}};
	size_t low = 0, high = j->f->put_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_puts(&j->f->puts[middle], &least) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = history_slot_after(h, range->after); i < h->slot_used; i++) {
		struct live *l = h->slots[i].live;

		if (h->slots[i].seq > range->upto)
			break;
		while (low < j->f->put_count &&
			dot_compare(j->f->puts[low].dot, (struct dot){h->origin, h->slots[i].seq}) <
				0)
			low++;
		if (l && (low == j->f->put_count ||
				 dot_compare(j->f->puts[low].dot, l->entry.dot) != 0))
			drop(j, l);
	}
}

static void add_kill(struct join *j, const struct fragment_kill *k)
{
	struct history *h = j->histories[range_of(j->f, k->killer.origin)];
	struct history *victim = replica_find_history(j->m, k->victim.origin);
	struct live *l = history_live(victim, k->victim.seq);

	if (k->killer.seq <= h->count)
		return;
	if (l)
		drop(j, l);
	history_add_kill(h, k->killer.seq, victim, k->victim.seq);
	changes_add(j->changes, CHANGE_KILL, k->killer, k->victim, NULL);
}

static void raise(struct join *j, size_t r)
{
	struct history *h = j->histories[r];
	uint64_t upto = j->f->ranges[r].upto;

	if (upto <= h->count)
		return;
	replica_raise(j->m, h, upto);
	changes_add(
		j->changes, CHANGE_VECTOR, (struct dot){h->origin, upto}, (struct dot){0}, NULL);
}

static void commit(struct join *j)
{
	const struct fragment *f = j->f;

	for (size_t i = 0; i < f->put_count; i++) {
		if (j->staged[i].live)
			insert_put(j, &f->puts[i], &j->staged[i]);
	}
	for (size_t r = 0; r < f->range_count; r++)
		drop_absent(j, r);
	for (size_t i = 0; i < f->kill_count; i++) {
		if (i == 0 || compare_kills(&f->kills[i - 1], &f->kills[i]) != 0)
			add_kill(j, &f->kills[i]);
	}
	for (size_t r = 0; r < f->range_count; r++)
		raise(j, r);
	replica_settle(j->m);
	for (size_t i = 0; i < j->m->used; i++)
		history_tidy(j->m->histories[i]);
}

enum err map_apply(struct map *m, struct fragment *f, struct changes *changes)
{
	struct join j = {.m = m, .f = f, .changes = changes};
	enum err e = f->mode == FRAGMENT_FULL ? check(&j) : ERR_OK;

	if (e != ERR_OK || f->mode != FRAGMENT_FULL)
		return e;
	e = stage(&j);
	if (e == ERR_OK)
		commit(&j);
	unstage(&j);
	return e;
}

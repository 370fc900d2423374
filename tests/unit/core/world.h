/*
 * Replicas against an oracle: the history of all events ever. After every step the state of a
 * replica must be Live(C), and its kill log whole, both computed from the history and the vector.
 */
#ifndef HORDE_TESTS_WORLD_H
#define HORDE_TESTS_WORLD_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/fragment.h"

#define REPLICAS 4
#define KEYS 4
#define EVENTS_MAX 4096
#define KILLS_MAX 16
#define HELD_MAX 8

struct happened { /* one event, as its origin saw it */
	struct dot dot;
	int key;
	bool value;
	struct dot kills[KILLS_MAX];
	size_t kill_count;
};

struct world {
	uint64_t random;
	uint64_t origins;
	struct happened events[EVENTS_MAX];
	size_t event_count;
	struct map *replicas[REPLICAS];
	struct fragment held[HELD_MAX]; /* on the way, to whoever comes */
	struct fragment saved[REPLICAS];
	size_t applied, refused;
};

static inline uint64_t draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

static inline struct map *fresh_map(struct world *w)
{
	struct map *m = NULL;

	/* Multiplied, so that origins do not come in the order of their birth. */
	w->origins++;
	cr_assert_eq(
		map_new((struct origin_id){w->origins * 0x9e3779b97f4a7c15u, w->origins}, 5, &m),
		ERR_OK);
	return m;
}

static inline struct fragment whole(const struct map *m)
{
	struct vector none = VECTOR_INIT;
	struct fragment f;

	cr_assert_eq(map_difference(m, &none, &f), ERR_OK);
	return f;
}

static inline char *copy_text(const char *bytes, size_t count)
{
	char *copy = malloc(count + 1);

	memcpy(copy, bytes, count);
	copy[count] = '\0';
	return copy;
}

/* A fragment that lives on its own. */
static inline struct fragment own(const struct fragment *f)
{
	struct fragment o = *f;

	o.borrowed = false;
	o.ranges = calloc(f->range_count + 1, sizeof(*o.ranges));
	for (size_t i = 0; i < f->range_count; i++)
		o.ranges[i] = f->ranges[i];
	o.kills = calloc(f->kill_count + 1, sizeof(*o.kills));
	for (size_t i = 0; i < f->kill_count; i++)
		o.kills[i] = f->kills[i];
	o.puts = malloc((f->put_count + 1) * sizeof(*o.puts));
	for (size_t i = 0; i < f->put_count; i++) {
		o.puts[i] = f->puts[i];
		o.puts[i].key = copy_text(f->puts[i].key, f->puts[i].key_bytes);
		o.puts[i].value = copy_text(f->puts[i].value, f->puts[i].value_bytes);
		if (f->puts[i].record)
			o.puts[i].record = record_dup(f->puts[i].record);
	}
	cr_assert_eq(vector_copy(&f->vector, &o.vector), ERR_OK);
	return o;
}

/* ---- the oracle ---- */

static inline bool is_live(const struct world *w, const struct vector *c, const struct happened *e)
{
	if (!e->value || !vector_has(c, e->dot))
		return false;
	for (size_t i = 0; i < w->event_count; i++) {
		if (!vector_has(c, w->events[i].dot))
			continue;
		for (size_t k = 0; k < w->events[i].kill_count; k++) {
			if (dot_compare(w->events[i].kills[k], e->dot) == 0)
				return false;
		}
	}
	return true;
}

static inline bool has_put(const struct fragment *f, struct dot d)
{
	for (size_t i = 0; i < f->put_count; i++) {
		if (dot_compare(f->puts[i].dot, d) == 0)
			return true;
	}
	return false;
}

static inline bool has_kill(const struct fragment *f, struct dot killer, struct dot victim)
{
	for (size_t i = 0; i < f->kill_count; i++) {
		if (dot_compare(f->kills[i].killer, killer) == 0 &&
			dot_compare(f->kills[i].victim, victim) == 0)
			return true;
	}
	return false;
}

/* I3, I4 and I5 of replication.md, and that siblings and digest agree with them. */
static inline void cr_pure(const struct world *w, const struct map *m)
{
	struct fragment f = whole(m);
	const struct vector *c = map_vector(m);
	size_t live = 0, kills = 0, listed = 0;

	for (size_t i = 0; i < w->event_count; i++) {
		const struct happened *e = &w->events[i];

		if (is_live(w, c, e)) {
			live++;
			cr_assert(has_put(&f, e->dot), "a live entry is missing");
		}
		for (size_t k = 0; k < e->kill_count && vector_has(c, e->dot); k++, kills++) {
			cr_assert(vector_has(c, e->kills[k]), "a victim is not covered");
			cr_assert(has_kill(&f, e->dot, e->kills[k]), "a kill record is missing");
		}
	}
	cr_assert_eq(f.put_count, live);
	cr_assert_eq(f.kill_count, kills);
	for (const struct entry *e = map_from(m, "", 0); e;
		e = map_after(m, e->key, e->key_bytes)) {
		for (const struct entry *s = e; s; s = s->sibling, listed++) {
			cr_assert(has_put(&f, entry_dot(s)));
			cr_assert(s == e || s->clock <= e->clock, "the winner is not the latest");
		}
	}
	cr_assert_eq(listed, live);
	cr_assert_eq(live == 0, map_digest(m).sums[0] == 0);
	fragment_fini(&f);
}

/* Two maps with the same vector are the same in all that can be seen. */
static inline bool same(const struct map *a, const struct map *b)
{
	struct fragment f = whole(a), g = whole(b);
	struct digest x = map_digest(a), y = map_digest(b);
	bool equal = vector_equal(map_vector(a), map_vector(b)) && f.put_count == g.put_count &&
		     f.kill_count == g.kill_count && memcmp(&x, &y, sizeof(x)) == 0;

	for (size_t i = 0; equal && i < f.put_count; i++)
		equal = has_put(&g, f.puts[i].dot);
	for (size_t i = 0; equal && i < f.kill_count; i++)
		equal = has_kill(&g, f.kills[i].killer, f.kills[i].victim);
	for (const struct entry *e = map_from(a, "", 0); equal && e;
		e = map_after(a, e->key, e->key_bytes)) {
		char ours[ENTRY_ROOM], theirs[ENTRY_ROOM];
		const struct entry *o = map_get(b, e->key, e->key_bytes);

		equal = o && dot_compare(entry_dot(o), entry_dot(e)) == 0 &&
			strcmp(entry_text(o, ours), entry_text(e, theirs)) == 0;
	}
	fragment_fini(&f);
	fragment_fini(&g);
	return equal;
}

/* ---- what happens ---- */

static inline void remember(struct world *w, struct map *m, int key, const struct changes *c)
{
	struct happened *e = &w->events[w->event_count];

	if (c->used == 0)
		return;
	*e = (struct happened){.dot = map_last_dot(m), .key = key};
	for (size_t i = 0; i < c->used; i++) {
		if (c->items[i].kind == CHANGE_PUT)
			e->value = true;
		if (c->items[i].kind != CHANGE_KILL)
			continue;
		cr_assert_eq(dot_compare(c->items[i].dot, e->dot), 0);
		cr_assert_lt(e->kill_count, KILLS_MAX);
		e->kills[e->kill_count++] = c->items[i].victim;
	}
	w->event_count++;
}

static inline void act(struct world *w, struct map *m)
{
	int number = (int)draw(w, KEYS);
	uint64_t what = draw(w, 10), clock = draw(w, 1000);
	struct changes c = {0};
	char key[16], value[32];

	if (w->event_count == EVENTS_MAX)
		return;
	snprintf(key, sizeof(key), "meta/r/%d", number);
	snprintf(value, sizeof(value), "%llu", (unsigned long long)draw(w, 1000000));
	if (what < 6)
		map_put(m, key, strlen(key), value, strlen(value), NULL, clock, &c);
	else if (what < 9)
		map_remove(m, key, strlen(key), clock, &c);
	else
		map_resolve(m, key, strlen(key), clock, &c);
	remember(w, m, number, &c);
	map_sweep(m);
	changes_fini(&c);
}

static inline enum err join_one(struct map *m, struct fragment *f, struct changes *c)
{
	struct origin_id forked;

	return map_apply(m, &f, 1, c, &forked);
}

static inline enum err apply(struct map *m, struct fragment *f)
{
	struct changes c = {0};
	enum err e = f->mode == FRAGMENT_FULL ? join_one(m, f, &c) : ERR_OK;

	cr_assert(e == ERR_OK || c.used == 0);
	map_sweep(m);
	changes_fini(&c);
	return e;
}

static inline void pull(struct map *m, const struct map *from)
{
	struct fragment f;

	cr_assert_eq(map_difference(from, map_vector(m), &f), ERR_OK);
	cr_assert_eq(apply(m, &f), ERR_OK);
	fragment_fini(&f);
}

/* Sends a difference on its way, against the vector of whoever asked. */
static inline void send_one(struct world *w, const struct map *from, const struct map *asker)
{
	struct fragment *slot = &w->held[draw(w, HELD_MAX)], f;

	fragment_fini(slot);
	cr_assert_eq(map_difference(from, map_vector(asker), &f), ERR_OK);
	*slot = own(&f);
	fragment_fini(&f);
}

static const struct fragment_range *range_of(const struct fragment *f, struct origin_id origin)
{
	for (size_t i = 0; i < f->range_count; i++) {
		if (origin_equal(f->ranges[i].origin, origin))
			return &f->ranges[i];
	}
	return NULL;
}

/* Does `m` know all that whoever asked for `f` knew, as far as it matters? */
static inline bool is_meant_for(const struct fragment *f, const struct map *m)
{
	for (size_t i = 0; i < f->vector.used; i++) {
		const struct vector_item *item = &f->vector.items[i];
		const struct fragment_range *r = range_of(f, item->origin);

		if (vector_get(map_vector(m), item->origin) < (r ? r->after : item->count))
			return false;
	}
	return true;
}

/* Late, twice, to the wrong one, out of order: it is applied or it is refused. */
static inline void receive_one(struct world *w, struct map *m)
{
	struct fragment copy = own(&w->held[draw(w, HELD_MAX)]);
	bool ok = copy.mode == FRAGMENT_TICK || is_meant_for(&copy, m);

	cr_assert_eq(apply(m, &copy), ok ? ERR_OK : ERR_MALFORMED);
	w->applied += ok;
	w->refused += !ok;
	fragment_fini(&copy);
}

/* A crash back to the last save: the old state under a fresh origin. */
static inline void restart(struct world *w, int r)
{
	struct fragment *f = &w->saved[r];
	struct map *m = fresh_map(w);

	for (size_t i = f->put_count; i-- > 0;)
		cr_assert_eq(map_load_entry(m, f->puts[i].dot, f->puts[i].clock, f->puts[i].key,
				     f->puts[i].key_bytes, f->puts[i].value, f->puts[i].value_bytes,
				     NULL),
			ERR_OK);
	for (size_t i = 0; i < f->kill_count; i++)
		cr_assert_eq(map_load_kill(m, f->kills[i].killer, f->kills[i].victim), ERR_OK);
	for (size_t i = 0; i < f->vector.used; i++)
		cr_assert_eq(map_load_vector(
				     m, f->vector.items[i].origin, f->vector.items[i].count, 0, 0),
			ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
	map_free(w->replicas[r]);
	w->replicas[r] = m;
}

static inline void save(struct world *w, int r)
{
	struct fragment f = whole(w->replicas[r]);

	fragment_fini(&w->saved[r]);
	w->saved[r] = own(&f);
	fragment_fini(&f);
}

static inline void step(struct world *w)
{
	int r = (int)draw(w, REPLICAS), other = (int)draw(w, REPLICAS);
	uint64_t what = draw(w, 100);

	if (what < 40)
		act(w, w->replicas[r]);
	else if (what < 60)
		pull(w->replicas[r], w->replicas[other]);
	else if (what < 75)
		send_one(w, w->replicas[r], w->replicas[other]);
	else if (what < 94)
		receive_one(w, w->replicas[r]);
	else if (what < 98)
		save(w, r);
	else
		restart(w, r);
	cr_pure(w, w->replicas[r]);
}

static inline struct world *begin(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	w->random = seed * 0x2545f4914f6cdd1du + 1;
	for (int i = 0; i < REPLICAS; i++)
		w->replicas[i] = fresh_map(w);
	return w;
}

static inline void end(struct world *w)
{
	for (int i = 0; i < REPLICAS; i++) {
		map_free(w->replicas[i]);
		fragment_fini(&w->saved[i]);
	}
	for (int i = 0; i < HELD_MAX; i++)
		fragment_fini(&w->held[i]);
	free(w);
}

#endif

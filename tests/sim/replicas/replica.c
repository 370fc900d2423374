/* Lives of a replica, and what it writes. */
#include "tests/sim/replicas/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/naive.h"

/* ---- lives ---- */

void replica_boot(struct world *w, struct replica *r, bool same_origin)
{
	if (!same_origin && w->past.origin_count == ORIGINS_MAX)
		return;
	/* The naive way: who comes back goes on counting where its store ends. */
	same_origin = same_origin || (NAIVE(REUSE) && r->life > 0);
	if (!same_origin)
		r->self = past_origin(&w->past, chance(w));
	must(map_new(w->past.origins[r->self].id, DIGEST_KEY, &r->map));
	disk_load(w, &r->disk, r->map);
	if (map_load_end(r->map) != ERR_OK)
		fail(w, "r%d cannot load its store", r->index);
	must(held_new(&r->held));
	r->up = true;
	r->life++;
	r->clock = (struct hybrid_clock){0};
	memset(r->grafts, 0, sizeof(r->grafts));
	tracef(w, "r%d boots, life %llu, origin %u", r->index, (unsigned long long)r->life,
		r->self);
	oracle_loaded(w, r);
}

void replica_stop(struct replica *r)
{
	stream_close(r);
	held_free(r->held);
	map_free(r->map);
	vector_fini(&r->stale);
	r->held = NULL;
	r->map = NULL;
	r->up = false;
	r->changes.used = 0;
}

void replica_renew(struct world *w, struct replica *r)
{
	if (w->past.origin_count == ORIGINS_MAX) {
		replica_stop(r);
		return;
	}
	r->self = past_origin(&w->past, chance(w));
	tracef(w, "r%d takes the fresh origin %u", r->index, r->self);
	must(map_renew(r->map, w->past.origins[r->self].id));
	w->tally.forks++;
}

void replica_stepped(struct world *w, struct replica *r, const char *what)
{
	oracle_step(w, r, what);
	mix(w, map_digest(r->map).sums[0]);
	disk_commit(w, &r->disk, &r->changes);
	r->changes.used = 0;
	map_sweep(r->map);
}

/* ---- what it writes ---- */

/* A key, rather one with siblings when there is any. */
static unsigned choose_key(struct world *w, const struct replica *r, bool siblings)
{
	unsigned first = (unsigned)below(w, w->keys);

	for (unsigned i = 0; siblings && i < w->keys; i++) {
		unsigned key = (first + i) % w->keys;
		const struct entry *e = map_get(r->map, past_key(key), strlen(past_key(key)));

		if (e && e->sibling)
			return key;
	}
	return first;
}

static void put(struct world *w, struct replica *r, unsigned key, uint64_t clock)
{
	const char *text = past_key(key);
	char value[VALUE_ROOM];
	int bytes = snprintf(value, sizeof(value), "%zu", w->past.used);
	struct record *record = NULL;

	if (family_of(text, strlen(text)) == FAMILY_ASSIGN) {
		record = calloc(1, sizeof(*record));
		if (!record)
			abort();
		record->family = FAMILY_ASSIGN;
		record->assign.epoch = 1 + below(w, 3);
	}
	must(map_put(r->map, text, strlen(text), value, (size_t)bytes, record, clock, &r->changes));
}

void replica_write(struct world *w, struct replica *r)
{
	uint64_t x = below(w, 100);
	enum writing what = x < 60 ? WRITE_PUT : x < 80 ? WRITE_REMOVE : WRITE_RESOLVE;
	unsigned key = choose_key(w, r, what == WRITE_RESOLVE);
	const char *text = past_key(key);
	uint64_t clock = clock_now(&r->clock, w->now_ms + r->skew_ms);
	enum err e;

	if (w->past.used >= EVENTS_MAX / 2)
		return;
	if (what == WRITE_PUT) {
		put(w, r, key, clock);
	} else if (what == WRITE_REMOVE) {
		e = map_remove(r->map, text, strlen(text), clock, &r->changes);
		if (e != ERR_NOT_FOUND)
			must(e);
	} else {
		must(map_resolve(r->map, text, strlen(text), clock, &r->changes));
	}
	w->tally.writes++;
	tracef(w, "r%d %s %s", r->index,
		what == WRITE_PUT      ? "puts"
		: what == WRITE_REMOVE ? "removes"
				       : "resolves",
		text);
	oracle_minted(w, r, what, key);
	replica_stepped(w, r, "a write");
}

void replica_truncate(struct world *w, struct replica *r)
{
	const struct vector *v = map_vector(r->map);
	struct vector stable = VECTOR_INIT;
	size_t only = v->used ? below(w, v->used) : 0;
	bool all = percent(w, 30);

	for (size_t i = 0; i < v->used; i++) {
		uint64_t upto = below(w, v->items[i].count + 2);

		if (upto > 0 && (all || i == only))
			must(vector_raise(&stable, v->items[i].origin, upto));
	}
	tracef(w, "r%d truncates %s", r->index, all ? "all origins" : "one origin");
	must(map_truncate(r->map, &stable, &r->changes));
	vector_fini(&stable);
	replica_stepped(w, r, "a truncation");
}

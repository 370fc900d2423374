/* What else the oracle looks at: kill logs record by record, fragments, repairs, agreement. */
#include "tests/sim/replicas/parts.h"

#include <string.h>

bool oracle_agree(const struct replica *a, const struct replica *b)
{
	struct digest x = map_digest(a->map), y = map_digest(b->map);

	return vector_equal(map_vector(a->map), map_vector(b->map)) && x.sums[0] == y.sums[0] &&
	       x.sums[1] == y.sums[1];
}

static bool has_victim(const struct world *w, const struct fragment_kill *k)
{
	const struct past *e = &w->past.events[past_find(&w->past, k->killer)];
	unsigned victim = past_find(&w->past, k->victim);

	for (unsigned i = 0; i < e->kill_count; i++)
		if (w->past.pool[e->kills + i] == victim)
			return true;
	return false;
}

/* I5, record by record, as a client that knows nothing would get them; and every floor. */
void oracle_kill_log(struct world *w, struct replica *r)
{
	struct vector nothing = VECTOR_INIT;
	struct fragment f;

	must(map_difference(r->map, &nothing, &f));
	if (f.kill_count != r->view.kills)
		fail(w, "I5: r%d gives %zu kill records of %zu", r->index, f.kill_count,
			r->view.kills);
	for (size_t i = 0; i < f.kill_count; i++) {
		const struct fragment_kill *k = &f.kills[i];
		unsigned o = past_number(&w->past, k->killer.origin);

		if (!has_victim(w, k) || k->killer.seq <= r->view.floor[o])
			fail(w, "I5: r%d has a kill record that is not", r->index);
	}
	for (unsigned o = 0; o < w->past.origin_count; o++)
		if (map_floor(r->map, w->past.origins[o].id) != r->view.floor[o])
			fail(w, "I6: r%d has a floor that it did not tell", r->index);
	fragment_fini(&f);
}

/* ---- fragments (P11) ---- */

static const struct fragment_range *range_of(const struct fragment *f, struct dot d)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (origin_equal(f->ranges[i].origin, d.origin) && d.seq > f->ranges[i].after &&
			d.seq <= f->ranges[i].upto)
			return &f->ranges[i];
	return NULL;
}

/* No more than the kill records of the events that the client lacks. */
static size_t kills_in(const struct world *w, const struct fragment *f)
{
	size_t kills = 0;

	for (size_t i = 0; i < f->range_count; i++) {
		unsigned o = past_number(&w->past, f->ranges[i].origin);

		for (uint64_t s = f->ranges[i].after; s < f->ranges[i].upto; s++)
			kills += w->past.events[w->past.origins[o].events[s]].kill_count;
	}
	return kills;
}

static bool among(const unsigned *events, size_t count, unsigned event)
{
	for (size_t i = 0; i < count; i++)
		if (events[i] == event)
			return true;
	return false;
}

static bool lies_in(const struct world *w, unsigned event, const struct fragment_check *c)
{
	const struct past *e = &w->past.events[event];

	return origin_equal(e->dot.origin, c->origin) && e->dot.seq > c->after &&
	       e->dot.seq <= c->upto;
}

/* A block is told of only where the two differ, or the client knows what the server does not. */
static void judge_check(struct world *w, const struct message *q, const struct view *server,
	const struct fragment_check *c)
{
	unsigned o = past_number(&w->past, c->origin);

	if (vector_get(&q->after, c->origin) > server->count[o])
		return;
	for (size_t i = 0; i < q->live_count; i++)
		if (lies_in(w, q->live[i], c) &&
			!among(server->live, server->live_count, q->live[i]))
			return;
	for (size_t i = 0; i < server->live_count; i++)
		if (lies_in(w, server->live[i], c) &&
			!among(q->live, q->live_count, server->live[i]))
			return;
	fail(w, "P11: r%d checks a block that does not differ", q->server);
}

void oracle_fragment(struct world *w, const struct message *q, const struct fragment *f)
{
	const struct view *server = &w->replicas[q->server].view;

	if (w->forked)
		return;
	if (f->mode == FRAGMENT_TICK && q->all &&
		!vector_covers(&q->after, map_vector(w->replicas[q->server].map)))
		fail(w, "r%d has news and does not say so", q->server);
	if (vector_covers(&q->after, map_vector(w->replicas[q->server].map)) &&
		f->put_count + f->kill_count + f->range_count > 0)
		fail(w, "P11: r%d sends a payload without news", q->server);
	for (size_t i = 0; i < f->put_count; i++)
		if (!range_of(f, f->puts[i].dot))
			fail(w, "P11: r%d sends what the client has", q->server);
	if (f->kill_count > kills_in(w, f))
		fail(w, "P11: r%d sends %zu kill records, events that lack have %zu", q->server,
			f->kill_count, kills_in(w, f));
	for (size_t i = 0; i < f->check_count; i++)
		judge_check(w, q, server, &f->checks[i]);
}

/* ---- repairs ---- */

void oracle_contents(struct world *w, const struct replica *r, struct contents *ret)
{
	char room[ENTRY_ROOM];

	ret->count = 0;
	for (const struct entry *e = map_from(r->map, "", 0); e;
		e = map_after(r->map, e->key, e->key_bytes))
		for (const struct entry *s = e; s && ret->count < LIVE_MAX; s = s->sibling)
			ret->events[ret->count++] =
				past_find_text(&w->past, entry_dot(s), entry_text(s, room));
}

static bool shows(const struct replica *r, const char *key, const char *value)
{
	const struct entry *e = map_get(r->map, key, strlen(key));
	char room[ENTRY_ROOM];

	while (e && strcmp(entry_text(e, room), value) != 0)
		e = e->sibling;
	return e != NULL;
}

/* No content that either side had is lost by a repair. */
void oracle_repaired(struct world *w, const struct replica *r, const struct contents *before,
	const struct fragment *f)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct past *e = &w->past.events[before->events[i]];

		if (!shows(r, past_key(e->key), e->value))
			fail(w, "r%d loses %s=%s in a repair", r->index, past_key(e->key),
				e->value);
	}
	for (size_t i = 0; i < f->put_count; i++)
		if (!shows(r, f->puts[i].key, f->puts[i].value))
			fail(w, "r%d repairs, and lacks %s=%s of its fellow", r->index,
				f->puts[i].key, f->puts[i].value);
}

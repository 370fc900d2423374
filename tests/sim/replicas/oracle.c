/*
 * The oracle: what a replica must show after each step, kept by the history alone and brought up to
 * date with what the step made known, so that a step costs what it changed.
 *
 *	I1 a dot is minted once             I4 a replica's live set is Live(its vector)
 *	I2 a vector is of events that were  I5 above its floors its kill log is complete
 *	I3 a vector is kill-closed          I6 vector and floors only grow, a floor is covered
 *	P4 and causally closed              I7 follows from I4 after every step
 *	P5 what was known stays dead        P6 a write kills what its author saw, and no more
 */
#include "tests/sim/replicas/parts.h"

#include <string.h>

#include "server/core/digest.h"

/* What one step made of a replica, before it is judged. */
struct step {
	unsigned count[ORIGINS_MAX];
	unsigned floor[ORIGINS_MAX];
};

static const struct past *event_at(const struct world *w, unsigned event)
{
	return &w->past.events[event];
}

static bool knows(const unsigned *count, const struct past *e)
{
	return count[e->origin] >= e->dot.seq;
}

static bool is_live(const struct world *w, const unsigned *count, const struct past *e)
{
	if (!e->put)
		return false;
	for (unsigned at = e->killer; at; at = w->past.pool[at + 1])
		if (knows(count, event_at(w, w->past.pool[at])))
			return false;
	return true;
}

static void view_add(struct world *w, struct view *v, unsigned event)
{
	if (v->live_count == LIVE_MAX) {
		fail(w, "more than %d live entries", LIVE_MAX);
		return;
	}
	v->live[v->live_count++] = event;
	v->digest.sums[0] += event_at(w, event)->term.sums[0];
	v->digest.sums[1] += event_at(w, event)->term.sums[1];
}

static size_t view_place(const struct view *v, unsigned event)
{
	size_t i = 0;

	while (i < v->live_count && v->live[i] != event)
		i++;
	return i;
}

static void view_remove(struct world *w, struct view *v, unsigned event)
{
	size_t i = view_place(v, event);

	if (i == v->live_count)
		return;
	v->live[i] = v->live[--v->live_count];
	v->digest.sums[0] -= event_at(w, event)->term.sums[0];
	v->digest.sums[1] -= event_at(w, event)->term.sums[1];
}

/* ---- what a replica wrote itself ---- */

/* The rule of 1.4 for the keys used here: the epoch where there is one, then clock and dot. */
static bool ranks_before(const struct past *a, const struct past *b)
{
	uint64_t x = a->record ? a->record->assign.epoch : 0;
	uint64_t y = b->record ? b->record->assign.epoch : 0;

	if (x != y)
		return x > y;
	return a->clock != b->clock ? a->clock > b->clock : dot_compare(a->dot, b->dot) > 0;
}

static bool is_victim(const struct world *w, const struct past *e, unsigned event)
{
	for (unsigned i = 0; i < e->kill_count; i++)
		if (w->past.pool[e->kills + i] == event)
			return true;
	return false;
}

/* A put and a removal kill all that their author sees of the key, a resolve all but the winner. */
static void judge_write(
	struct world *w, struct replica *r, unsigned event, enum writing what, unsigned key)
{
	const struct past *e = event_at(w, event), *winner = NULL;
	unsigned seen = 0;

	for (size_t i = 0; i < r->view.live_count; i++) {
		const struct past *l = event_at(w, r->view.live[i]);

		if (l->key == key && (!winner || ranks_before(l, winner)))
			winner = l;
	}
	for (size_t i = 0; i < r->view.live_count; i++) {
		const struct past *l = event_at(w, r->view.live[i]);
		bool dies = l->key == key && !(what == WRITE_RESOLVE && l == winner);

		seen += dies;
		if (dies != is_victim(w, e, r->view.live[i]))
			fail(w, "P6: a write of r%d %s an entry", r->index,
				dies ? "spares" : "kills");
	}
	if (seen != e->kill_count || e->put != (what == WRITE_PUT))
		fail(w, "P6: a write of r%d has %u victims of %u", r->index, e->kill_count, seen);
}

static unsigned mint(struct world *w, struct replica *r, struct dot dot, const unsigned *known)
{
	if (past_find(&w->past, dot) == 0 && dot.seq != w->past.origins[r->self].used + 1)
		fail(w, "I2: r%d mints its event %llu after %zu", r->index,
			(unsigned long long)dot.seq, w->past.origins[r->self].used);
	if (past_find(&w->past, dot)) {
		if (!w->doubled)
			fail(w, "I1: r%d mints event %llu of origin %u again", r->index,
				(unsigned long long)dot.seq, r->self);
		w->forked = true;
	}
	if (w->failure[0])
		return 0;
	return past_add(&w->past, dot, r->self, known);
}

static void note_put(struct world *w, unsigned event, const struct entry *entry)
{
	struct past *e = &w->past.events[event];
	char room[ENTRY_ROOM];

	e->put = true;
	e->clock = entry->clock;
	e->value_bytes = entry->value_bytes;
	memcpy(e->value, entry_text(entry, room), entry->value_bytes + 1);
	e->record = entry_record_dup(entry);
	e->term = digest_term(DIGEST_KEY, entry);
	for (unsigned k = 0; k < KEYS_MAX; k++)
		if (strcmp(past_key(k), entry->key) == 0)
			e->key = k;
}

/* Takes down the events of this step, from its changes; `known` grows with each of them. */
static unsigned note(struct world *w, struct replica *r, unsigned *known)
{
	struct origin_id self = w->past.origins[r->self].id;
	unsigned event = 0;

	for (size_t i = 0; i < r->changes.used && !w->failure[0]; i++) {
		const struct change *c = &r->changes.items[i];

		if (c->kind == CHANGE_DROP || !origin_equal(c->dot.origin, self) ||
			c->dot.seq <= known[r->self])
			continue;
		if (!event)
			event = mint(w, r, c->dot, known);
		if (w->failure[0])
			break;
		if (c->kind == CHANGE_PUT)
			note_put(w, event, c->entry);
		else if (c->kind == CHANGE_KILL)
			past_add_kill(&w->past, event, past_find(&w->past, c->victim));
		if (c->kind != CHANGE_VECTOR)
			continue;
		past_link_kills(&w->past, event);
		known[r->self]++;
		if (i + 1 < r->changes.used)
			event = 0;
	}
	return event;
}

void oracle_minted(struct world *w, struct replica *r, enum writing what, unsigned key)
{
	unsigned known[ORIGINS_MAX], event;

	memcpy(known, r->view.count, sizeof(known));
	event = note(w, r, known);
	if (event && !w->forked && what != WRITE_REPAIR)
		judge_write(w, r, event, what, key);
}

/* ---- what a step made known ---- */

/* I2 and I6 of the vector. */
static void read_vector(struct world *w, struct replica *r, struct step *s)
{
	const struct vector *v = map_vector(r->map);

	memset(s->count, 0, sizeof(s->count));
	for (size_t i = 0; i < v->used; i++) {
		unsigned o = past_number(&w->past, v->items[i].origin);

		if (o == ORIGINS_MAX || v->items[i].count > w->past.origins[o].used) {
			fail(w, "I2: r%d knows events that never were", r->index);
			return;
		}
		s->count[o] = (unsigned)v->items[i].count;
	}
	for (unsigned o = 0; o < w->past.origin_count; o++)
		if (s->count[o] < r->view.count[o])
			fail(w, "I6: r%d forgets events of origin %u", r->index, o);
}

/* Chains are one function of the dot, whoever says them. */
static void note_chain(struct world *w, struct replica *r, struct dot d, uint64_t chain)
{
	struct past *e = &w->past.events[past_find(&w->past, d)];

	if (w->forked || chain == 0)
		return;
	if (e->chain && e->chain != chain)
		fail(w, "r%d has another chain than its fellows", r->index);
	e->chain = chain;
}

/* The floors, and that whatever grew is among the changes: the store lives on them. */
static void read_changes(struct world *w, struct replica *r, struct step *s)
{
	unsigned said[ORIGINS_MAX];

	memcpy(said, r->view.count, sizeof(said));
	memcpy(s->floor, r->view.floor, sizeof(s->floor));
	for (size_t i = 0; i < r->changes.used && !w->failure[0]; i++) {
		const struct change *c = &r->changes.items[i];
		unsigned o = past_number(&w->past, c->dot.origin);

		if (c->kind == CHANGE_PUT && !w->forked && c->dot.seq <= r->view.count[o])
			fail(w, "P5: r%d revives event %llu of origin %u", r->index,
				(unsigned long long)c->dot.seq, o);
		if (c->kind != CHANGE_VECTOR)
			continue;
		if (c->dot.seq < said[o] || c->floor < s->floor[o] || c->floor > c->dot.seq)
			fail(w, "I6: r%d has vector and floor %llu, %llu of origin %u after %u, %u",
				r->index, (unsigned long long)c->dot.seq,
				(unsigned long long)c->floor, o, said[o], s->floor[o]);
		said[o] = (unsigned)c->dot.seq;
		s->floor[o] = (unsigned)c->floor;
		note_chain(w, r, c->dot, c->chain);
	}
	if (memcmp(said, s->count, sizeof(said)) != 0)
		fail(w, "r%d does not say what it has come to know", r->index);
}

/* I3 and P4 of one event that is new here; its victims die. */
static void learn(struct world *w, struct replica *r, const struct step *s, unsigned event)
{
	const struct past *e = event_at(w, event);

	if (e->dot.seq > s->floor[e->origin])
		r->view.kills += e->kill_count;
	for (unsigned i = 0; i < e->kill_count; i++) {
		unsigned victim = w->past.pool[e->kills + i];

		if (!knows(s->count, event_at(w, victim)))
			fail(w, "I3: r%d knows a killer, not its victim", r->index);
		view_remove(w, &r->view, victim);
	}
	if (e->dot.seq != s->count[e->origin])
		return;
	for (unsigned o = 0; o < e->before_count; o++)
		if (w->past.pool[e->before + o] > s->count[o])
			fail(w, "P4: r%d knows an event, not what its author knew", r->index);
}

static void learn_origin(struct world *w, struct replica *r, const struct step *s, unsigned o)
{
	const unsigned *events = w->past.origins[o].events;
	struct view *v = &r->view;

	for (unsigned i = v->floor[o]; i < s->floor[o] && i < v->count[o]; i++)
		v->kills -= event_at(w, events[i])->kill_count;
	for (unsigned i = v->count[o]; i < s->count[o]; i++)
		learn(w, r, s, events[i]);
	for (unsigned i = v->count[o]; i < s->count[o]; i++)
		if (is_live(w, s->count, event_at(w, events[i])))
			view_add(w, v, events[i]);
}

/* ---- what it shows ---- */

static void judge_entry(struct world *w, struct replica *r, const struct entry *e)
{
	unsigned event = past_find(&w->past, entry_dot(e));
	const struct past *p = event_at(w, event);
	char room[ENTRY_ROOM];

	if (view_place(&r->view, event) == r->view.live_count)
		fail(w, "I4: r%d shows event %llu of origin %u, which is dead", r->index,
			(unsigned long long)e->seq, p->origin);
	else if (strcmp(past_key(p->key), e->key) != 0 ||
		 strcmp(p->value, entry_text(e, room)) != 0 || p->clock != e->clock)
		fail(w, "I4: r%d shows event %llu of origin %u with another content", r->index,
			(unsigned long long)e->seq, p->origin);
	if (e->sibling && !ranks_before(p, event_at(w, past_find(&w->past, entry_dot(e->sibling)))))
		fail(w, "r%d ranks the siblings of %s wrongly", r->index, e->key);
}

static void judge(struct world *w, struct replica *r, const char *what)
{
	const struct view *v = &r->view;
	struct digest d = map_digest(r->map);
	size_t shown = 0;

	for (const struct entry *e = map_from(r->map, "", 0); e && !w->failure[0];
		e = map_after(r->map, e->key, e->key_bytes))
		for (const struct entry *s = e; s && !w->failure[0]; s = s->sibling, shown++)
			judge_entry(w, r, s);
	if (shown != v->live_count)
		fail(w, "I4: after %s r%d shows %zu live entries, the history has %zu", what,
			r->index, shown, v->live_count);
	if (d.sums[0] != v->digest.sums[0] || d.sums[1] != v->digest.sums[1])
		fail(w, "after %s r%d has a digest that is not its state's", what, r->index);
	if (map_kills(r->map) != v->kills)
		fail(w, "I5: after %s r%d has %zu kill records of %zu", what, r->index,
			map_kills(r->map), v->kills);
}

/* After a fork the state is no function of the vector any more; its digest still is of the state.
 */
static void judge_forked(struct world *w, struct replica *r)
{
	struct digest d = map_digest(r->map);

	for (const struct entry *e = map_from(r->map, "", 0); e;
		e = map_after(r->map, e->key, e->key_bytes))
		for (const struct entry *s = e; s; s = s->sibling)
			digest_subtract(&d, digest_term(DIGEST_KEY, s));
	if (d.sums[0] != 0 || d.sums[1] != 0)
		fail(w, "r%d has a digest that is not its state's", r->index);
}

void oracle_step(struct world *w, struct replica *r, const char *what)
{
	struct step s;

	read_vector(w, r, &s);
	if (!w->failure[0])
		read_changes(w, r, &s);
	if (w->failure[0])
		return;
	for (unsigned o = 0; o < w->past.origin_count && !w->forked; o++)
		if (s.count[o] != r->view.count[o] || s.floor[o] != r->view.floor[o])
			learn_origin(w, r, &s, o);
	memcpy(r->view.count, s.count, sizeof(s.count));
	memcpy(r->view.floor, s.floor, sizeof(s.floor));
	if (w->forked) {
		judge_forked(w, r);
		return;
	}
	judge(w, r, what);
	if (++w->judged % KILL_LOG_EVERY == 0)
		oracle_kill_log(w, r);
}

void oracle_loaded(struct world *w, struct replica *r)
{
	struct step s = {0};

	memset(&r->view, 0, sizeof(r->view));
	read_vector(w, r, &s);
	if (w->failure[0])
		return;
	for (unsigned o = 0; o < w->past.origin_count; o++)
		s.floor[o] = (unsigned)map_floor(r->map, w->past.origins[o].id);
	for (unsigned o = 0; o < w->past.origin_count && !w->forked; o++)
		learn_origin(w, r, &s, o);
	memcpy(r->view.count, s.count, sizeof(s.count));
	memcpy(r->view.floor, s.floor, sizeof(s.floor));
	if (w->forked) {
		judge_forked(w, r);
		return;
	}
	judge(w, r, "a load");
	oracle_kill_log(w, r);
}

/*
 * The oracle: the history of all events ever, kept outside of the nodes, and what must hold.
 *
 *	I1 a dot is minted once             I4 a node's live set is Live(its vector)
 *	I2, I3 a vector is kill-closed      I5 its kill log is complete
 *	I6 its vector only grows            I7 follows from I4 after every step, bodies cut included
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct past { /* one event of the history */
	struct dot dot;
	bool put;
	int64_t at_ms;
	uint64_t epoch;   /* of an assign */
	uint64_t content; /* of key and value */
	struct dot *kills;
	size_t kill_count;
	struct dot *killers;
	size_t killer_count;
};

/* Events by origin; origins are few, so they are searched in order. */
struct origin_past {
	struct origin_id origin;
	struct past *events; /* seq - 1 is the index */
	size_t used, size;
};

static struct origin_past *pasts;
static size_t past_count;

void oracle_reset(void)
{
	for (size_t i = 0; i < past_count; i++) {
		for (size_t k = 0; k < pasts[i].used; k++) {
			free(pasts[i].events[k].kills);
			free(pasts[i].events[k].killers);
		}
		free(pasts[i].events);
	}
	free(pasts);
	pasts = NULL;
	past_count = 0;
}

static struct origin_past *past_of(struct origin_id origin, bool make)
{
	for (size_t i = 0; i < past_count; i++)
		if (origin_equal(pasts[i].origin, origin))
			return &pasts[i];
	if (!make)
		return NULL;
	pasts = realloc(pasts, (past_count + 1) * sizeof(*pasts));
	if (!pasts)
		abort();
	pasts[past_count] = (struct origin_past){.origin = origin};
	return &pasts[past_count++];
}

static struct past *find(struct dot d)
{
	struct origin_past *p = past_of(d.origin, false);

	return p && d.seq >= 1 && d.seq <= p->used ? &p->events[d.seq - 1] : NULL;
}

static void grow(struct origin_past *p, uint64_t seq)
{
	while (p->used < seq) {
		if (p->used == p->size) {
			p->size = p->size ? 2 * p->size : 32;
			p->events = realloc(p->events, p->size * sizeof(*p->events));
			if (!p->events)
				abort();
		}
		p->events[p->used] = (struct past){.dot = {p->origin, p->used + 1}};
		p->used++;
	}
}

static void append(struct dot **list, size_t *count, struct dot d)
{
	*list = realloc(*list, (*count + 1) * sizeof(**list));
	if (!*list)
		abort();
	(*list)[(*count)++] = d;
}

static uint64_t content(const struct entry *e)
{
	return XXH3_64bits(e->key, e->key_bytes) * 31 + entry_content(e);
}

/* An epoch is a fencing token: it grows with every assign that knows another. */
static void check_epoch(struct world *w, struct node *n, const struct past *e)
{
	for (size_t i = 0; i < e->kill_count && e->epoch; i++) {
		const struct past *victim = find(e->kills[i]);

		if (victim && victim->epoch >= e->epoch)
			fail(w, "%s gives epoch %llu after %llu", n->name,
				(unsigned long long)e->epoch, (unsigned long long)victim->epoch);
	}
}

/* Takes down what the node itself minted in this step; the victims must be known to it. */
static void record(struct world *w, struct node *n, uint64_t before)
{
	const struct changes *changes = &n->actions.changes;
	struct origin_past *p = past_of(n->incarnation, true);
	uint64_t now = vector_get(map_vector(horde_map(n->h)), n->incarnation);

	if (p->used > before && now > before && w->resumed) {
		w->forked = true; /* from a snapshot, of an origin that has gone on since */
		return;
	}
	if (p->used != before && now > before)
		fail(w, "I1: %s mints on a history of %zu events from %llu", n->name, p->used,
			(unsigned long long)before);
	grow(p, now);
	for (size_t i = 0; i < changes->used; i++) {
		const struct change *c = &changes->items[i];
		struct past *e;

		if (!origin_equal(c->dot.origin, n->incarnation) || c->dot.seq <= before ||
			c->dot.seq > now)
			continue;
		e = &p->events[c->dot.seq - 1];
		e->at_ms = w->now_ms;
		if (c->kind == CHANGE_PUT) {
			e->put = true;
			if (family_of(c->entry->key, c->entry->key_bytes) == FAMILY_ASSIGN &&
				c->entry->record)
				e->epoch = c->entry->record->assign.epoch;
			e->content = content(c->entry);
		} else if (c->kind == CHANGE_KILL) {
			struct past *victim = find(c->victim);

			append(&e->kills, &e->kill_count, c->victim);
			if (!victim)
				fail(w, "%s kills a dot that never was", n->name);
			else
				append(&victim->killers, &victim->killer_count, c->dot);
		}
	}
	for (uint64_t s = before; s < now; s++)
		check_epoch(w, n, &p->events[s]);
}

static bool live(const struct past *e, const struct vector *v)
{
	if (!e->put)
		return false;
	for (size_t i = 0; i < e->killer_count; i++)
		if (vector_has(v, e->killers[i]))
			return false;
	return true;
}

struct tally {
	size_t live;
	uint64_t sum;
	size_t kills;
};

/* Live(C), the kill records of C, and kill closure, from the history alone. */
static struct tally of_history(struct world *w, struct node *n, const struct vector *v)
{
	struct tally t = {0};

	for (size_t i = 0; i < v->used; i++) {
		struct origin_past *p = past_of(v->items[i].origin, false);
		uint64_t floor = map_floor(horde_map(n->h), v->items[i].origin);

		if (!p || p->used < v->items[i].count) {
			fail(w, "I2: %s knows events that never were", n->name);
			return t;
		}
		for (uint64_t s = 0; s < v->items[i].count; s++) {
			const struct past *e = &p->events[s];

			if (s >= floor)
				t.kills += e->kill_count;
			for (size_t k = 0; k < e->kill_count; k++)
				if (!vector_has(v, e->kills[k]))
					fail(w, "I3: %s knows a killer, not its victim", n->name);
			if (!live(e, v))
				continue;
			t.live++;
			t.sum += XXH3_64bits(&e->dot, sizeof(e->dot)) ^ e->content;
		}
	}
	return t;
}

static struct tally of_map(const struct map *m)
{
	struct tally t = {0};

	for (const struct entry *e = map_from(m, "", 0); e; e = map_after(m, e->key, e->key_bytes))
		for (const struct entry *s = e; s; s = s->sibling) {
			struct dot dot = entry_dot(s);

			t.live++;
			t.sum += XXH3_64bits(&dot, sizeof(dot)) ^ content(s);
		}
	return t;
}

static void kill_log(struct world *w, struct node *n, size_t kills)
{
	size_t have = map_kills(horde_map(n->h));

	if (have != kills)
		fail(w, "I5: %s has %zu kill records of %zu", n->name, have, kills);
}

static void check_state(struct world *w, struct node *n, const struct vector *v)
{
	struct tally want, have;

	record(w, n, vector_get(&n->before, n->incarnation));
	if (w->forked)
		return;
	want = of_history(w, n, v);
	have = of_map(horde_map(n->h));
	if (want.live != have.live || want.sum != have.sum)
		fail(w, "I4: %s shows %zu live entries, the history has %zu", n->name, have.live,
			want.live);
	kill_log(w, n, want.kills);
}

/* After a fork the state is no function of the vector any more: only the end can be judged. */
void oracle_step(struct world *w, struct node *n)
{
	const struct vector *v = map_vector(horde_map(n->h));

	if (!w->forked)
		check_state(w, n, v);
	if (!vector_covers(v, &n->before))
		fail(w, "I6: the vector of %s shrank", n->name);
	vector_fini(&n->before);
	if (vector_copy(v, &n->before) != ERR_OK)
		abort();
}

bool oracle_took(struct dot taker, struct dot from)
{
	const struct past *t = find(taker), *f = find(from);
	bool killed = false;

	for (size_t i = 0; t && f && i < t->kill_count; i++) {
		const struct past *victim = find(t->kills[i]);

		killed = killed || victim == f;
		if (victim && victim->epoch > f->epoch)
			return false;
	}
	return killed;
}

int64_t oracle_minted_ms(struct dot d)
{
	const struct past *e = find(d);

	return e ? e->at_ms : 0;
}

/* ---- the end: healed and quiet ---- */

static const struct record *record_of(const struct entry *e)
{
	return e ? e->record : NULL;
}

static void check_agreement(struct world *w, struct node *a, struct node *b)
{
	struct digest x = map_digest(horde_map(a->h)), y = map_digest(horde_map(b->h));

	if (!vector_equal(map_vector(horde_map(a->h)), map_vector(horde_map(b->h))))
		fail(w, "%s and %s have different vectors", a->name, b->name);
	else if (x.sums[0] != y.sums[0] || x.sums[1] != y.sums[1])
		fail(w, "%s and %s diverged", a->name, b->name);
}

static int running(struct world *w, const char *ref, struct node **ret_node)
{
	int count = 0;

	for (int i = 0; i < w->count; i++)
		if (w->nodes[i].up && proc_find(&w->nodes[i], ref)) {
			count++;
			*ret_node = &w->nodes[i];
		}
	return count;
}

/* Of the children of a supervisor that was deleted meanwhile there is one too. */
static void check_spec(struct world *w, struct node *judge, struct node *where, const char *ref,
	const struct spec_record *spec)
{
	bool team = strncmp(ref, TEAM "/", strlen(TEAM) + 1) == 0;
	const struct entry *e;
	const struct proc *p = proc_find(where, ref);
	struct spec_record now;

	if (!horde_supervisor(judge->h, team ? TEAM : "default", &e))
		fail(w, "%s runs without a supervisor", ref);
	now = spec_inherit(spec, e && e->record ? &e->record->supervisor.defaults : NULL);
	if (p->own_process_hash != spec->process_hash ||
		(now.restart.type != RESTART_TEMPORARY && p->process_hash != now.process_hash))
		fail(w, "%s runs an old spec", ref);
}

/* By now it is ready. Its names are its own but for those that were freed, and taken then. */
static void check_ready(
	struct world *w, struct node *judge, const char *ref, const struct claims *claims)
{
	const struct map *m = horde_map(judge->h);
	struct entry_record owner;
	struct child_view view;

	horde_child(judge->h, ref, &view);
	if (!view.status->record->status.ready)
		fail(w, "%s runs and is not ready", ref);
	for (uint32_t i = 0; i < claims->count; i++) {
		const struct entry *e =
			map_get(m, claims->items[i].key, claims->items[i].key_bytes);

		if (!e || !entry_name(e, &owner))
			continue;
		if (owner.owner_kind == OWNER_CHILD && strcmp(owner.owner_id, ref) == 0 &&
			owner.epoch != view.assign->record->assign.epoch)
			fail(w, "%s has its name in an old life", ref);
	}
}

static bool asks_for_port(const struct record *spec)
{
	return spec && ports_with(&spec->spec.ports, PORT);
}

/* More want it than there are nodes: the rest of them waits, or goes on trying. */
static bool is_port_short(struct world *w, struct node *judge)
{
	int wanted = 0, nodes = 0;
	struct child_view view;
	char ref[32];

	for (unsigned i = 0; i < CHILDREN; i++) {
		child_ref(i, ref);
		horde_child(judge->h, ref, &view);
		wanted += view.wanted && asks_for_port(record_of(view.spec));
	}
	for (int i = 0; i < w->count; i++)
		nodes += w->nodes[i].up;
	return wanted > nodes;
}

static void check_child(struct world *w, struct node *judge, const char *ref)
{
	struct child_view view;
	struct node *where = NULL;
	int count = running(w, ref, &where);
	const struct record *spec, *assign;

	horde_child(judge->h, ref, &view);
	spec = record_of(view.spec);
	assign = record_of(view.assign);
	if (!spec) {
		if (count || view.assign || view.status)
			fail(w, "%s is deleted, but %d run, assign %d, status %d", ref, count,
				view.assign != NULL, view.status != NULL);
		return;
	}
	if (view.assign && view.assign->sibling)
		fail(w, "%s has assigns that nobody resolves", ref);
	if (!view.wanted || view.state == CHILD_EXITED || view.state == CHILD_FAILED ||
		view.reason == REASON_NAME_CONFLICT) {
		if (count)
			fail(w, "%s is %s, but %d run", ref, child_state_name(view.state), count);
		return;
	}
	if (count == 0 && asks_for_port(spec) && is_port_short(w, judge))
		return;
	if (count != 1) {
		fail(w, "%s is wanted, but runs %d times (state %s)", ref, count,
			child_state_name(view.state));
		return;
	}
	if (view.state != CHILD_RUNNING || !assign ||
		!origin_equal(assign->assign.node, where->node_id))
		fail(w, "%s runs on %s, but is shown as %s", ref, where->name,
			child_state_name(view.state));
	check_spec(w, judge, where, ref, &spec->spec);
	check_ready(w, judge, ref, &spec->spec.claims);
}

static bool ended(enum child_state s)
{
	return s == CHILD_STOPPED || s == CHILD_EXITED || s == CHILD_FAILED;
}

/* No name outlives its owner. */
static void check_names(struct world *w, struct node *judge)
{
	const struct map *m = horde_map(judge->h);
	const struct entry *e = map_from(m, "entry/", 6);

	for (; e && family_of(e->key, e->key_bytes) == FAMILY_ENTRY;
		e = map_after(m, e->key, e->key_bytes)) {
		struct child_view view;
		struct entry_record name;

		if (!entry_name(e, &name) || name.owner_kind != OWNER_CHILD)
			continue;
		horde_child(judge->h, name.owner_id, &view);
		if (!view.spec || ended(view.state))
			fail(w, "%s still belongs to %s, which is gone", e->key, name.owner_id);
	}
}

static void check_left(struct world *w, struct node *judge, const char *ref)
{
	const struct map *m = horde_map(judge->h);
	char key[64];
	int bytes = snprintf(key, sizeof(key), "state/%s", ref);
	bool left = map_get(m, key, (size_t)bytes) != NULL;

	bytes = snprintf(key, sizeof(key), "spec/%s", ref);
	if (left && !map_get(m, key, (size_t)bytes))
		fail(w, "%s has left a state, and is gone", ref);
}

void oracle_end(struct world *w)
{
	struct node *judge = NULL;
	char ref[32];

	for (int i = 0; i < w->count; i++) {
		struct node *n = &w->nodes[i];

		if (!n->up)
			continue;
		if (judge)
			check_agreement(w, judge, n);
		judge = n;
		if (!w->forked)
			kill_log(w, n, of_history(w, n, map_vector(horde_map(n->h))).kills);
	}
	if (!judge)
		return;
	for (unsigned i = 0; i < CHILDREN; i++) {
		child_ref(i, ref);
		check_child(w, judge, ref);
		check_left(w, judge, ref);
		retains_end(w, judge, ref);
	}
	check_names(w, judge);
	leases_end(w, judge);
	if (is_port_short(w, judge))
		return;
	if (w->now_ms - w->last_start_ms < QUIET_MS)
		fail(w, "a process was started %lld ms before the end",
			(long long)(w->now_ms - w->last_start_ms));
	if (w->now_ms - w->last_write_ms < QUIET_MS)
		fail(w, "the map still changed %lld ms before the end",
			(long long)(w->now_ms - w->last_write_ms));
}

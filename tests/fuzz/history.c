#include "tests/fuzz/history.h"

#include "tests/fuzz/fuzz.h"

void history_init(struct history_log *h)
{
	memset(h, 0, offsetof(struct history_log, events));
}

struct origin_id history_origin(size_t number)
{
	return (struct origin_id){(number + 1) * 0x9e3779b97f4a7c15u, number};
}

bool history_fresh(struct history_log *h, struct origin_id *ret_origin)
{
	if (h->origins == HISTORY_ORIGINS)
		return false;
	*ret_origin = history_origin(h->origins++);
	return true;
}

bool history_room(const struct history_log *h, struct origin_id origin)
{
	return h->counts[origin.lo] < HISTORY_EVENTS &&
	       h->kills_used + HISTORY_ORIGINS < HISTORY_KILLS;
}

/* The event of a dot, which must have happened. */
static struct history_event *event_of(struct history_log *h, struct dot d)
{
	must(d.origin.lo < h->origins &&
			origin_equal(d.origin, history_origin((size_t)d.origin.lo)) && d.seq > 0 &&
			d.seq <= h->counts[d.origin.lo],
		"there is no event that has not happened");
	return &h->events[d.origin.lo][d.seq - 1];
}

static void add_kill(
	struct history_log *h, struct dot killer, struct history_event *e, struct dot victim)
{
	struct history_kill *k = &h->kills[h->kills_used++];
	struct history_event *killed = event_of(h, victim);

	must(h->kills_used <= HISTORY_KILLS, "of each origin a key has one live entry");
	*k = (struct history_kill){killer, victim, e->victims, killed->killers};
	e->victims = killed->killers = k;
}

void history_add(struct history_log *h, const struct map *m, const struct changes *c)
{
	struct dot dot = map_last_dot(m);
	struct history_event *e;

	if (c->used == 0)
		return;
	must(dot.seq == ++h->counts[dot.origin.lo], "a mutation is one event");
	e = event_of(h, dot);
	*e = (struct history_event){.value = false};
	for (size_t i = 0; i < c->used; i++) {
		e->value = e->value || c->items[i].kind == CHANGE_PUT;
		if (c->items[i].kind != CHANGE_KILL)
			continue;
		must(dot_compare(c->items[i].dot, dot) == 0, "the event is the killer");
		add_kill(h, dot, e, c->items[i].victim);
	}
}

static bool is_dead(const struct history_event *e, const struct vector *c)
{
	for (const struct history_kill *k = e->killers; k; k = k->next_killer)
		if (vector_has(c, k->killer))
			return true;
	return false;
}

/* One event that is known now, and those that it killed. */
static void check_event(struct history_log *h, int r, const struct vector *c, struct dot dot)
{
	struct history_event *e = event_of(h, dot);

	must(e->live[r] == (e->value && !is_dead(e, c)), "what is known is live, or dead");
	for (const struct history_kill *k = e->victims; k; k = k->next_victim) {
		must(vector_has(c, k->victim), "a victim is covered");
		must(!event_of(h, k->victim)->live[r], "what was killed is dead");
	}
}

static void check_news(struct history_log *h, int r, const struct vector *c)
{
	for (size_t i = 0; i < c->used; i++) {
		struct dot d = {c->items[i].origin, vector_get(&h->seen[r], c->items[i].origin)};

		must(c->items[i].count >= d.seq, "a vector only grows");
		while (d.seq++ < c->items[i].count)
			check_event(h, r, c, d);
	}
	must(vector_join(&h->seen[r], c) == ERR_OK, "there is memory");
	must(vector_equal(&h->seen[r], c), "a vector forgets no origin");
}

void history_check(struct history_log *h, int r, const struct map *m, const struct changes *c)
{
	for (size_t i = 0; i < c->used; i++) {
		const struct change *change = &c->items[i];
		bool put = change->kind == CHANGE_PUT;
		struct history_event *e;

		if (!put && change->kind != CHANGE_DROP)
			continue;
		e = event_of(h, change->dot);
		must(e->live[r] != put, "what lives comes once, what is dropped was live");
		e->live[r] = put;
	}
	for (size_t i = 0; i < c->used; i++) {
		const struct history_event *e;

		if (c->items[i].kind != CHANGE_PUT && c->items[i].kind != CHANGE_DROP)
			continue;
		e = event_of(h, c->items[i].dot);
		must(e->live[r] == (vector_has(map_vector(m), c->items[i].dot) && e->value &&
					   !is_dead(e, map_vector(m))),
			"nothing comes back, and nothing dies without a killer");
	}
	check_news(h, r, map_vector(m));
}

void history_restart(struct history_log *h, int r, const struct map *m)
{
	vector_fini(&h->seen[r]);
	for (size_t i = 0; i < h->origins; i++)
		for (size_t j = 0; j < h->counts[i]; j++)
			h->events[i][j].live[r] = false;
	for (const struct entry *e = map_from(m, "", 0); e; e = map_after(m, e->key, e->key_bytes))
		for (const struct entry *s = e; s; s = s->sibling)
			event_of(h, entry_dot(s))->live[r] = true;
	check_news(h, r, map_vector(m));
}

void history_check_kills(struct history_log *h, const struct map *m)
{
	const struct vector *c = map_vector(m);
	size_t kills = 0;

	for (size_t i = 0; i < c->used; i++) {
		struct dot d = {c->items[i].origin, map_floor(m, c->items[i].origin)};

		must(d.seq <= c->items[i].count, "a floor is below the count");
		while (d.seq++ < c->items[i].count)
			for (const struct history_kill *k = event_of(h, d)->victims; k;
				k = k->next_victim)
				kills++;
	}
	must(kills == map_kills(m), "the kill log is whole above its floors");
}

void history_fini(struct history_log *h)
{
	for (int r = 0; r < HISTORY_REPLICAS; r++)
		vector_fini(&h->seen[r]);
}

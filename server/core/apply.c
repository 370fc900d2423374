/*
 * The join of fragments (replication.md 1.3, lemmas 2, 3b and 4): all that may fail first, then the
 * change, in the order of the lemmas: inserts, absences, kill records, vector, floors.
 */
#include "server/core/fragment.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/join.h"
#include "server/core/naive.h"

struct staged { /* a put that is new here, made ready */
	const struct fragment_put *put;
	struct history *history;
	struct entry *live;
	struct key_node *node; /* taken by the map, unless it has the key */
	struct record *record;
};

struct work {
	struct join j;
	struct staged *puts; /* by dot, each once */
	size_t put_count;
	struct fragment_kill *kills; /* the new ones by killer, each once */
	size_t kill_count;
	struct vector_item *raised; /* origins with new events, and up to where */
	size_t raised_count;
};

/* ---- what is new ---- */

static bool is_new(const struct work *w, struct dot d)
{
	return !vector_has(&w->j.m->vector, d);
}

static int compare_staged(const void *a, const void *b)
{
	return dot_compare(
		((const struct staged *)a)->put->dot, ((const struct staged *)b)->put->dot);
}

static void gather_puts(struct work *w, struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++)
		if (is_new(w, f->puts[i].dot))
			w->puts[w->put_count++] = (struct staged){.put = &f->puts[i]};
}

static void gather_kills(struct work *w, const struct fragment *f)
{
	for (size_t i = 0; i < f->kill_count; i++)
		if (is_new(w, f->kills[i].killer))
			w->kills[w->kill_count++] = f->kills[i];
}

/* Slices of one origin from two links may overlap: each event is taken once. */
static void make_unique(struct work *w)
{
	size_t kept = 0;

	join_sort(w->puts, w->put_count, sizeof(*w->puts), compare_staged);
	for (size_t i = 0; i < w->put_count; i++)
		if (kept == 0 || compare_staged(&w->puts[kept - 1], &w->puts[i]) != 0)
			w->puts[kept++] = w->puts[i];
	w->put_count = kept;
	kept = 0;
	join_sort(w->kills, w->kill_count, sizeof(*w->kills), join_compare_kills);
	for (size_t i = 0; i < w->kill_count; i++)
		if (kept == 0 || join_compare_kills(&w->kills[kept - 1], &w->kills[i]) != 0)
			w->kills[kept++] = w->kills[i];
	w->kill_count = kept;
}

static enum err gather(struct work *w)
{
	size_t puts = 0, kills = 0;

	for (size_t i = 0; i < w->j.count; i++) {
		puts += w->j.fragments[i]->put_count;
		kills += w->j.fragments[i]->kill_count;
	}
	w->puts = malloc((puts + 1) * sizeof(*w->puts));
	w->kills = malloc((kills + 1) * sizeof(*w->kills));
	if (!w->puts || !w->kills)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < w->j.count; i++) {
		gather_puts(w, w->j.fragments[i]);
		gather_kills(w, w->j.fragments[i]);
	}
	make_unique(w);
	return ERR_OK;
}

/* ---- memory, all of it before anything is changed ---- */

/*
 * Nothing is taken out of the fragment: what stays lies together, so that the memory of what was
 * staged is whole again when the fragment is freed.
 */
static enum err stage_put(struct work *w, struct staged *s)
{
	const struct fragment_put *p = s->put;

	s->history = replica_find_history(w->j.m, p->dot.origin);
	s->live = entry_new(p->value, p->value_bytes, p->record);
	s->node = key_node_new(p->key, p->key_bytes);
	if (!s->live || !s->node)
		return ERR_NO_MEMORY;
	if (!p->record || s->live->form)
		return ERR_OK;
	s->record = record_dup(p->record);
	return s->record ? ERR_OK : ERR_NO_MEMORY;
}

static enum err stage_puts(struct work *w)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < w->put_count && e == ERR_OK; i++)
		e = stage_put(w, &w->puts[i]);
	return e;
}

/* How many of the new puts, and kill records, are of each origin: both lists are in its order. */
static enum err stage_history(struct work *w, struct history *h, size_t *put, size_t *kill)
{
	size_t puts = *put, kills = *kill;

	while (puts < w->put_count && origin_equal(w->puts[puts].put->dot.origin, h->origin))
		puts++;
	while (kills < w->kill_count && origin_equal(w->kills[kills].killer.origin, h->origin))
		kills++;
	if (history_reserve(h, puts - *put, kills - *kill) != ERR_OK)
		return ERR_NO_MEMORY;
	*put = puts;
	*kill = kills;
	return ERR_OK;
}

/* Origins with news, in order; each has a history afterwards, with room. */
static enum err stage_origins(struct work *w)
{
	const struct vector *tops = &w->j.tops;
	size_t put = 0, kill = 0;

	w->raised = malloc((tops->used + 1) * sizeof(*w->raised));
	if (!w->raised)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < tops->used; i++) {
		struct history *h;

		if (vector_get(&w->j.m->vector, tops->items[i].origin) >= tops->items[i].count)
			continue;
		h = replica_history(w->j.m, tops->items[i].origin);
		if (!h || stage_history(w, h, &put, &kill) != ERR_OK)
			return ERR_NO_MEMORY;
		w->raised[w->raised_count++] = tops->items[i];
	}
	return vector_reserve(&w->j.m->vector, w->raised_count);
}

/* No more entries can die than are live in the ranges and checks, are new, or are named. */
static size_t losses_max(const struct work *w)
{
	size_t most = w->kill_count;

	for (size_t i = 0; i < w->j.count; i++) {
		const struct fragment *f = w->j.fragments[i];

		for (size_t k = 0; k < f->range_count; k++) {
			const struct history *h = replica_find_history(w->j.m, f->ranges[k].origin);

			if (h)
				most += h->slot_used - history_slot_after(h, f->ranges[k].after);
		}
		for (size_t k = 0; k < f->check_count; k++) {
			const struct history *h = replica_find_history(w->j.m, f->checks[k].origin);

			if (h)
				most += history_slot_after(h, f->checks[k].upto) -
					history_slot_after(h, f->checks[k].after);
		}
	}
	return most;
}

static enum err stage(struct work *w)
{
	enum err e = gather(w);
	size_t floors = 0;

	if (e == ERR_OK)
		e = stage_origins(w);
	if (e == ERR_OK)
		e = stage_puts(w);
	for (size_t i = 0; i < w->j.count; i++)
		floors += w->j.fragments[i]->floors.used;
	if (NAIVE(NODEPS) || NAIVE(CUT))
		for (size_t i = 0; i < w->kill_count && e == ERR_OK; i++)
			e = replica_history(w->j.m, w->kills[i].victim.origin) ? ERR_OK
									       : ERR_NO_MEMORY;
	if (e == ERR_OK)
		e = changes_reserve(w->j.changes, 3 * w->put_count + losses_max(w) + w->kill_count +
							  w->raised_count + floors);
	return e;
}

static void unstage(struct work *w)
{
	for (size_t i = 0; w->puts && i < w->put_count; i++) {
		entry_discard(w->puts[i].live);
		free(w->puts[i].node);
		record_free(w->puts[i].record);
	}
	free(w->puts);
	free(w->kills);
	free(w->raised);
	vector_fini(&w->j.tops);
}

/* ---- the change; nothing fails from here on ---- */

static void insert(struct work *w, struct staged *s)
{
	const struct fragment_put *p = s->put;
	struct key_node *n = replica_add_key(w->j.m, s->node);

	if (n == s->node)
		s->node = NULL;
	replica_add(w->j.m, s->live, n, s->history, p->dot.seq, p->clock, s->record);
	changes_add(w->j.changes, CHANGE_PUT, p->dot, (struct dot){0}, s->live);
	s->live = NULL;
	s->record = NULL;
}

static void drop(struct work *w, struct entry *l)
{
	changes_add(w->j.changes, CHANGE_DROP, entry_dot(l), (struct dot){0}, l);
	replica_drop(w->j.m, l);
}

/* What is live here, lies in the range, and is not among the puts, is dead at the server. */
static void drop_absent(struct work *w, const struct fragment *f, const struct fragment_range *r)
{
	struct history *h = replica_find_history(w->j.m, r->origin);
	size_t put = join_put_from(f, (struct dot){r->origin, r->after + 1});

	for (size_t i = history_slot_after(h, r->after);
		i < h->slot_used && h->slots[i].seq <= r->upto; i++) {
		struct dot d = {h->origin, h->slots[i].seq};

		while (put < f->put_count && dot_compare(f->puts[put].dot, d) < 0)
			put++;
		if (h->slots[i].live &&
			(put == f->put_count || dot_compare(f->puts[put].dot, d) != 0))
			drop(w, h->slots[i].live);
	}
}

/* The same for a check, which lists what is alive. */
static void drop_unlisted(struct work *w, const struct fragment *f, const struct fragment_check *c)
{
	struct history *h = replica_find_history(w->j.m, c->origin);
	size_t k = 0;

	for (size_t i = h ? history_slot_after(h, c->after) : 0;
		h && i < h->slot_used && h->slots[i].seq <= c->upto; i++) {
		while (k < c->count && f->alive[c->first + k] < h->slots[i].seq)
			k++;
		if (h->slots[i].live &&
			(k == c->count || f->alive[c->first + k] != h->slots[i].seq))
			drop(w, h->slots[i].live);
	}
}

static void add_kill(struct work *w, const struct fragment_kill *k)
{
	struct history *h = replica_find_history(w->j.m, k->killer.origin);
	struct history *victim = replica_find_history(w->j.m, k->victim.origin);
	struct entry *l = history_live(victim, k->victim.seq);

	if (l)
		drop(w, l);
	replica_add_kill(w->j.m, h, k->killer.seq, victim, k->victim.seq);
	changes_add(w->j.changes, CHANGE_KILL, k->killer, k->victim, NULL);
}

/* The chain hash that one of the fragments has for the end of what is known now. */
static uint64_t chain_of(const struct work *w, const struct vector_item *top)
{
	for (size_t i = 0; i < w->j.count; i++) {
		const struct fragment *f = w->j.fragments[i];
		size_t r = join_range_of(f, top->origin);

		if (r < f->range_count && f->ranges[r].upto == top->count &&
			f->ranges[r].chain_upto)
			return f->ranges[r].chain_upto;
	}
	return 0;
}

static void raise(struct work *w, const struct vector_item *top)
{
	struct history *h = replica_find_history(w->j.m, top->origin);

	replica_raise(w->j.m, h, top->count, chain_of(w, top));
	changes_add_vector(w->j.changes, h);
}

static void take_floors(struct work *w, const struct fragment *f)
{
	for (size_t i = 0; i < f->floors.used; i++) {
		struct history *h = replica_find_history(w->j.m, f->floors.items[i].origin);

		if (!h || f->floors.items[i].count <= h->floor)
			continue;
		replica_cut(w->j.m, h, f->floors.items[i].count);
		w->j.m->floors_taken++;
		changes_add_vector(w->j.changes, h);
	}
}

/* The naive way: the winner alone is kept, and nothing says why the others are gone. */
static void collapse(struct work *w)
{
	replica_settle(w->j.m);
	for (size_t i = 0; i < w->put_count; i++) {
		const struct fragment_put *p = w->puts[i].put;
		struct key_node *n = replica_find_key(w->j.m, p->key, p->key_bytes);

		while (n && n->winner->sibling)
			drop(w, n->winner->sibling);
	}
}

static void commit(struct work *w)
{
	for (size_t i = 0; i < w->put_count; i++)
		insert(w, &w->puts[i]);
	for (size_t i = 0; i < w->j.count; i++) {
		const struct fragment *f = w->j.fragments[i];

		for (size_t k = 0; k < f->range_count; k++)
			drop_absent(w, f, &f->ranges[k]);
		for (size_t k = 0; k < f->check_count; k++)
			drop_unlisted(w, f, &f->checks[k]);
	}
	for (size_t i = 0; i < w->kill_count; i++)
		add_kill(w, &w->kills[i]);
	for (size_t i = 0; i < w->raised_count; i++)
		raise(w, &w->raised[i]);
	for (size_t i = 0; i < w->j.count; i++)
		take_floors(w, w->j.fragments[i]);
	if (NAIVE(COLLAPSE))
		collapse(w);
	replica_settle(w->j.m);
}

/* An origin whose chain at the begin of a range is another one here; zero when there is none. */
static struct origin_id find_fork(const struct join *j)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct fragment *f = j->fragments[i];

		for (size_t k = 0; k < f->range_count; k++) {
			const struct fragment_range *r = &f->ranges[k];
			uint64_t here = map_chain(j->m, (struct dot){r->origin, r->after});

			if (here && r->chain_after && here != r->chain_after)
				return r->origin;
		}
	}
	return (struct origin_id){0, 0};
}

enum err map_apply(struct map *m, struct fragment *const *fragments, size_t count,
	struct changes *changes, struct origin_id *ret_forked)
{
	struct work w = {.j = {m, fragments, count, changes, VECTOR_INIT}};
	struct origin_id forked;
	enum err e = join_check(&w.j);

	if (e == ERR_OK)
		e = stage(&w);
	if (e == ERR_OK) {
		forked = find_fork(&w.j);
		commit(&w);
		*ret_forked = forked;
	}
	unstage(&w);
	return e;
}

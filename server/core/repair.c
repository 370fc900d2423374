/* The repair of two replicas that know the same and hold different things (part 6, "Forks"). */
#include "server/core/fragment.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/digest.h"
#include "server/core/join.h"

struct salvage { /* an entry of either side that is to be written anew */
	struct dot dot;
	uint64_t clock;
	const struct entry *live;       /* ours */
	const struct fragment_put *put; /* theirs */
	bool last;                      /* of those of its dot: kills it */
};

struct salvages {
	struct salvage *items;
	size_t used;
	size_t size;
};

static enum err add(struct salvages *s, struct salvage item)
{
	if (s->used == s->size) {
		size_t size = s->size ? 2 * s->size : 16;
		struct salvage *items = realloc(s->items, size * sizeof(*items));

		if (!items)
			return ERR_NO_MEMORY;
		s->items = items;
		s->size = size;
	}
	s->items[s->used++] = item;
	return ERR_OK;
}

/* The older first, so that the later of two writes of a key is written last and wins. */
static int compare_salvages(const void *a, const void *b)
{
	const struct salvage *left = a, *right = b;

	if (left->clock != right->clock)
		return left->clock < right->clock ? -1 : 1;
	if (dot_compare(left->dot, right->dot) != 0)
		return dot_compare(left->dot, right->dot);
	return (left->live != NULL) - (right->live != NULL);
}

static const struct fragment_put *put_of(const struct fragment *f, struct dot d)
{
	size_t i = join_put_from(f, d);

	return i < f->put_count && dot_compare(f->puts[i].dot, d) == 0 ? &f->puts[i] : NULL;
}

static bool same(const struct entry *l, const struct fragment_put *p)
{
	char room[ENTRY_ROOM];

	return l->clock == p->clock && l->key_bytes == p->key_bytes &&
	       l->value_bytes == p->value_bytes && memcmp(l->key, p->key, p->key_bytes) == 0 &&
	       memcmp(entry_text(l, room), p->value, p->value_bytes) == 0;
}

/* In the order of compare_salvages. */
static bool ours_is_last(const struct entry *l, const struct fragment_put *p)
{
	return l->clock >= p->clock;
}

static enum err find_ours(const struct map *m, const struct fragment *f,
	const struct fragment_check *c, struct salvages *s)
{
	const struct history *h = replica_find_history(m, c->origin);
	enum err e = ERR_OK;

	for (size_t i = h ? history_slot_after(h, c->after) : 0;
		h && e == ERR_OK && i < h->slot_used && h->slots[i].seq <= c->upto; i++) {
		const struct entry *l = h->slots[i].live;
		const struct fragment_put *p = l ? put_of(f, entry_dot(l)) : NULL;

		if (l && (!p || !same(l, p)))
			e = add(s, (struct salvage){entry_dot(l), l->clock, l, NULL,
					   !p || ours_is_last(l, p)});
	}
	return e;
}

static enum err find_theirs(const struct map *m, const struct fragment *f,
	const struct fragment_check *c, struct salvages *s)
{
	const struct history *h = replica_find_history(m, c->origin);
	enum err e = ERR_OK;

	for (size_t i = join_put_from(f, (struct dot){c->origin, c->after + 1});
		e == ERR_OK && i < f->put_count && origin_equal(f->puts[i].dot.origin, c->origin) &&
		f->puts[i].dot.seq <= c->upto;
		i++) {
		const struct fragment_put *p = &f->puts[i];
		const struct entry *l = h ? history_live(h, p->dot.seq) : NULL;

		if (!l || !same(l, p))
			e = add(s, (struct salvage){
					   p->dot, p->clock, NULL, p, !l || !ours_is_last(l, p)});
	}
	return e;
}

/* The event `killer` of our own kills the dot that its entry was known by. */
static void kill_old(struct map *m, struct dot killer, struct history *h, struct dot victim,
	struct changes *changes)
{
	struct entry *old = history_live(h, victim.seq);

	if (old)
		changes_add(changes, CHANGE_DROP, victim, (struct dot){0}, old);
	if (old)
		replica_drop(m, old);
	replica_add_kill(m, m->self, killer.seq, h, victim.seq);
	changes_add(changes, CHANGE_KILL, killer, victim, NULL);
}

/*
 * An event of our own: `p`. Of two of one dot only the last one kills it: had it been killed by the
 * first, and memory run out before the last, that one would be lost with it.
 */
static enum err rewrite(struct map *m, const struct salvage *s, const struct fragment_put *p,
	uint64_t clock, struct changes *changes)
{
	struct dot dot = {m->self_id, m->self->count + 1};
	struct chain_event event = {clock, p->key, p->key_bytes, p->value, p->value_bytes};
	struct history *h = replica_history(m, s->dot.origin);
	struct key_node *n = key_node_new(p->key, p->key_bytes), *node;
	struct entry *l = entry_new(p->value, p->value_bytes, p->record);

	if (!h || !n || !l || replica_reserve_event(m, 1, 1, changes) != ERR_OK) {
		free(n);
		entry_discard(l);
		return ERR_NO_MEMORY;
	}
	if (s->last)
		kill_old(m, dot, h, s->dot, changes);
	node = replica_add_key(m, n);
	if (node != n)
		free(n);
	replica_add(m, l, node, m->self, dot.seq, clock, p->record);
	changes_add(changes, CHANGE_PUT, dot, (struct dot){0}, l);
	replica_finish_event(m, &event, changes);
	return ERR_OK;
}

static enum err write_anew(
	struct map *m, const struct salvage *s, uint64_t clock, struct changes *changes)
{
	const struct entry *e = s->live;
	struct fragment_put p = s->put ? *s->put : (struct fragment_put){0};
	bool decoded = e ? entry_decoded(e) : p.record != NULL;
	char room[ENTRY_ROOM];
	enum err err;

	if (e) {
		p.key = (char *)(uintptr_t)e->key;
		p.key_bytes = e->key_bytes;
		p.value = (char *)(uintptr_t)entry_text(e, room);
		p.value_bytes = e->value_bytes;
	}
	if (decoded)
		p.record = e ? entry_record_dup(e) : record_dup(p.record);
	err = decoded && !p.record ? ERR_NO_MEMORY : rewrite(m, s, &p, clock, changes);
	if (err != ERR_OK)
		record_free(p.record);
	return err;
}

/* The checks come in order, so that no entry is in two of them. */
static bool checks_are_apart(const struct fragment *f)
{
	for (size_t i = 1; i < f->check_count; i++) {
		const struct fragment_check *before = &f->checks[i - 1], *c = &f->checks[i];
		int order = origin_compare(before->origin, c->origin);

		if (order > 0 || (order == 0 && before->upto > c->after))
			return false;
	}
	return true;
}

/* A peer says what it likes; a dot that nobody knows must not be killed here. */
static bool is_repair(const struct map *m, const struct fragment *f)
{
	return f->mode == FRAGMENT_FULL && vector_equal(&m->vector, &f->vector) &&
	       join_checks_fit(m, f) && checks_are_apart(f) && join_puts_fit(f);
}

enum err map_repair(struct map *m, struct fragment *f, struct hybrid_clock *clock, int64_t wall_ms,
	struct changes *changes)
{
	struct salvages s = {0};
	enum err e = ERR_OK;

	join_sort_parts(f);
	if (!is_repair(m, f))
		return ERR_MALFORMED;
	for (size_t i = 0; i < f->check_count && e == ERR_OK; i++) {
		e = find_ours(m, f, &f->checks[i], &s);
		if (e == ERR_OK)
			e = find_theirs(m, f, &f->checks[i], &s);
	}
	if (e == ERR_OK && s.used > 0)
		qsort(s.items, s.used, sizeof(*s.items), compare_salvages);
	for (size_t i = 0; i < s.used && e == ERR_OK; i++)
		e = write_anew(m, &s.items[i], clock_now(clock, wall_ms), changes);
	free(s.items);
	return e;
}

/* Filling a map from a store, before anything else is done with it. */
#include "server/core/replica.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/naive.h"

enum err map_load_entry(struct map *m, struct dot dot, uint64_t clock, const char *key,
	size_t key_bytes, const char *value, size_t value_bytes, struct record *record)
{
	struct history *h = replica_history(m, dot.origin);
	struct key_node *n, *fresh = NULL;
	struct entry *l = NULL;

	if (key_bytes > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX)
		return ERR_LIMIT;
	if (memchr(key, '\0', key_bytes))
		return ERR_MALFORMED;
	n = replica_find_key(m, key, key_bytes);
	if (!n)
		n = fresh = key_node_new(key, key_bytes);
	l = entry_new(value, value_bytes, record);
	if (!h || !n || !l || history_reserve(h, 1, 0) != ERR_OK) {
		free(fresh);
		entry_discard(l);
		return ERR_NO_MEMORY;
	}
	if (fresh)
		replica_add_key(m, fresh);
	replica_add(m, l, n, h, dot.seq, clock, record);
	if (n->family == FAMILY_ASSIGN && record)
		record->assign.batch = 0; /* it is on disk */
	return ERR_OK;
}

enum err map_load_kill(struct map *m, struct dot killer, struct dot victim)
{
	struct history *h = replica_history(m, killer.origin);
	struct history *v = replica_history(m, victim.origin);

	if (!h || !v || history_reserve(h, 0, 1) != ERR_OK)
		return ERR_NO_MEMORY;
	replica_add_kill(m, h, killer.seq, v, victim.seq);
	return ERR_OK;
}

enum err map_load_vector(
	struct map *m, struct origin_id origin, uint64_t count, uint64_t floor, uint64_t chain)
{
	struct history *h = replica_history(m, origin);
	enum err e = h ? history_reserve(h, 0, 0) : ERR_NO_MEMORY;

	if (e == ERR_OK)
		e = vector_reserve(&m->vector, 1);
	if (e != ERR_OK)
		return e;
	if (count > h->count)
		replica_raise(m, h, count, chain);
	if (floor > h->floor)
		h->floor = floor;
	return ERR_OK;
}

/* True when a kill record of `h` names an entry that was loaded as live (I4). */
static bool kills_a_live_one(const struct history *h)
{
	for (size_t i = h->kill_first; i < h->kill_used; i++) {
		if (history_live(h->kills[i].victim, h->kills[i].victim_seq))
			return true;
	}
	return false;
}

/* What a node starts with is no event. */
static void show_winners(const struct history *h)
{
	for (size_t i = 0; i < h->slot_used; i++)
		if (h->slots[i].live && entry_winner(h->slots[i].live) == h->slots[i].live)
			entry_show(h->slots[i].live, true);
}

enum err map_load_end(struct map *m)
{
	replica_settle(m);
	m->kills = 0;
	for (size_t i = 0; i < m->used; i++) {
		if (!history_sort(m->histories[i]))
			return ERR_MALFORMED;
		m->kills += m->histories[i]->kill_used - m->histories[i]->kill_first;
		show_winners(m->histories[i]);
	}
	for (size_t i = 0; i < m->used; i++) {
		if (kills_a_live_one(m->histories[i]) && !NAIVE(NODEPS))
			return ERR_MALFORMED;
	}
	return ERR_OK;
}

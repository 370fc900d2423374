#include "server/core/replica.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/digest.h"

/* The first history whose origin is not below `origin`. */
static size_t history_place(const struct map *m, struct origin_id origin)
{
	size_t low = 0, high = m->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (origin_compare(m->histories[middle]->origin, origin) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct history *replica_find_history(const struct map *m, struct origin_id origin)
{
	size_t at = history_place(m, origin);

	if (at < m->used && origin_equal(m->histories[at]->origin, origin))
		return m->histories[at];
	return NULL;
}

struct history *replica_history(struct map *m, struct origin_id origin)
{
	struct history *h = replica_find_history(m, origin);
	size_t at;

	if (h)
		return h;
	if (m->used == m->size) {
		size_t size = m->size ? 2 * m->size : 8;
		struct history **grown = realloc(m->histories, size * sizeof(*grown));

		if (!grown)
			return NULL;
		m->histories = grown;
		m->size = size;
	}
	h = history_new(origin);
	if (!h)
		return NULL;
	at = history_place(m, origin);
	memmove(m->histories + at + 1, m->histories + at, (m->used - at) * sizeof(*m->histories));
	m->histories[at] = h;
	m->used++;
	return h;
}

struct key_node *replica_find_key(const struct map *m, const char *key, size_t key_bytes)
{
	return (struct key_node *)tree_find(&m->keys, key, key_bytes);
}

struct key_node *key_node_new(const char *key, size_t key_bytes)
{
	struct key_node *n = malloc(sizeof(*n) + key_bytes + 1);

	if (!n)
		return NULL;
	*n = (struct key_node){.family = family_of(key, key_bytes)};
	memcpy(n->key, key, key_bytes);
	n->key[key_bytes] = '\0';
	n->tree.name_bytes = key_bytes & TREE_NAME_BYTES_MAX;
	return n;
}

void changes_fini(struct changes *c)
{
	free(c->items);
	*c = (struct changes){0};
}

enum err changes_reserve(struct changes *c, size_t extra)
{
	size_t size = c->size ? c->size : 16;
	struct change *items;

	if (c->size - c->used >= extra)
		return ERR_OK;
	while (size - c->used < extra)
		size *= 2;
	items = realloc(c->items, size * sizeof(*items));
	if (!items)
		return ERR_NO_MEMORY;
	c->items = items;
	c->size = size;
	return ERR_OK;
}

void changes_add(struct changes *c, enum change_kind kind, struct dot dot, struct dot victim,
	const struct entry *entry)
{
	assert(kind != CHANGE_VECTOR);
	assert(c->used < c->size);
	c->items[c->used++] =
		(struct change){.kind = kind, .dot = dot, .victim = victim, .entry = entry};
}

void changes_add_vector(struct changes *c, const struct history *h)
{
	assert(c->used < c->size);
	c->items[c->used++] = (struct change){
		.kind = CHANGE_VECTOR,
		.dot = {h->origin, h->count},
		.floor = h->floor,
		.chain = history_chain(h, h->count),
	};
}

struct key_node *replica_add_key(struct map *m, struct key_node *n)
{
	struct tree_node *old = tree_insert(&m->keys, &n->tree, n->tree.name_bytes);

	if (old)
		return (struct key_node *)old;
	m->counts[n->family]++;
	return n;
}

static void mark_changed(struct map *m, struct key_node *n)
{
	if (n->changed)
		return;
	n->changed = true;
	n->next = m->changed;
	m->changed = n;
}

void replica_add(struct map *m, struct entry *l, struct key_node *n, struct history *h,
	uint64_t seq, uint64_t clock, struct record *record)
{
	assert(!record || record->family == n->family);
	if (record && record->family == FAMILY_ASSIGN)
		record->assign.batch = m->batch;
	l->origin = &h->origin;
	l->seq = seq;
	l->clock = clock;
	l->key = n->key;
	l->key_bytes = (uint16_t)n->tree.name_bytes;
	if (l->form)
		record_free(record);
	else
		l->record = record;
	digest_add(&m->digest, digest_term(m->key, l));
	history_add_live(h, seq, l);
	l->sibling = n->winner;
	n->winner = l;
	if (l->owned)
		owned_add(m, l);
	mark_changed(m, n);
}

static void mark_touched(struct map *m, struct history *h)
{
	if (h->touched)
		return;
	h->touched = true;
	h->next_touched = m->touched;
	m->touched = h;
}

void replica_drop(struct map *m, struct entry *l)
{
	struct entry **at = &entry_node(l)->winner;

	while (*at != l)
		at = &(*at)->sibling;
	*at = l->sibling;
	if (l->owned)
		owned_remove(m, l);
	l->dead = true;
	mark_changed(m, entry_node(l));
	history_drop(entry_history(l), l->seq);
	mark_touched(m, entry_history(l));
	digest_subtract(&m->digest, digest_term(m->key, l));
	l->sibling = m->dead;
	m->dead = l;
}

void replica_add_kill(
	struct map *m, struct history *h, uint64_t seq, struct history *victim, uint64_t victim_seq)
{
	history_add_kill(h, seq, victim, victim_seq);
	m->kills++;
}

void replica_raise(struct map *m, struct history *h, uint64_t count, uint64_t chain)
{
	enum err e = vector_raise(&m->vector, h->origin, count);

	assert(e == ERR_OK);
	h->count = count;
	history_add_chain(h, count, chain);
}

void replica_cut(struct map *m, struct history *h, uint64_t floor)
{
	m->kills -= history_cut(h, floor);
}

static void settle_key(struct map *m, struct key_node *n)
{
	n->changed = false;
	if (n->winner) {
		siblings_rank(n);
		return;
	}
	/* Its key is still read through the entries that died with it. */
	tree_remove(&m->keys, &n->tree);
	m->counts[n->family]--;
	n->next = m->dead_nodes;
	m->dead_nodes = n;
}

void replica_settle(struct map *m)
{
	while (m->changed) {
		struct key_node *n = m->changed;

		m->changed = n->next;
		settle_key(m, n);
	}
	while (m->touched) {
		struct history *h = m->touched;

		m->touched = h->next_touched;
		h->touched = false;
		history_tidy(h);
	}
}

#include "server/core/map.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/digest.h"
#include "server/core/replica.h"

enum err map_new(struct origin_id self, uint64_t key, struct map **ret_map)
{
	struct map *m = calloc(1, sizeof(*m));

	if (!m)
		return ERR_NO_MEMORY;
	m->self_id = self;
	m->key = key;
	m->keys = TREE_INIT(struct key_node, tree, key);
	owned_init(m);
	m->self = replica_history(m, self);
	if (!m->self) {
		map_free(m);
		return ERR_NO_MEMORY;
	}
	*ret_map = m;
	return ERR_OK;
}

static void free_entry(struct entry *l)
{
	record_free((struct record *)l->record);
	owned_free(l);
}

/* Frees all keys with their entries, turning the tree into a list on the way down. */
static void free_keys(struct map *m)
{
	struct tree_node *n = m->keys.root;

	while (n) {
		struct tree_node *left = n->left, *right = n->right;

		if (left) {
			n->left = left->right;
			left->right = n;
			n = left;
			continue;
		}
		for (struct entry *l = ((struct key_node *)n)->winner, *next; l; l = next) {
			next = l->sibling;
			free_entry(l);
		}
		free(n);
		n = right;
	}
}

void map_free(struct map *m)
{
	if (!m)
		return;
	map_sweep(m);
	owned_fini(m);
	free_keys(m);
	for (size_t i = 0; i < m->used; i++)
		history_free(m->histories[i]);
	free(m->histories);
	vector_fini(&m->vector);
	free(m);
}

void map_sweep(struct map *m)
{
	while (m->dead) {
		struct entry *l = m->dead;

		m->dead = l->sibling;
		free_entry(l);
	}
	while (m->dead_nodes) {
		struct key_node *n = m->dead_nodes;

		m->dead_nodes = n->next;
		free(n);
	}
}

void map_rekey(struct map *m, uint64_t key)
{
	m->key = key;
	m->digest = (struct digest){{0, 0}};
	for (size_t i = 0; i < m->used; i++) {
		for (size_t j = 0; j < m->histories[i]->slot_used; j++) {
			struct entry *l = m->histories[i]->slots[j].live;

			if (!l)
				continue;
			digest_add(&m->digest, digest_term(key, l));
		}
	}
}

void map_batch_set(struct map *m, uint64_t batch)
{
	m->batch = batch;
}

static const struct entry *winner_of(const struct tree_node *n)
{
	return n ? ((const struct key_node *)n)->winner : NULL;
}

const struct entry *map_get(const struct map *m, const char *key, size_t key_bytes)
{
	return winner_of(tree_find(&m->keys, key, key_bytes));
}

const struct entry *map_after(const struct map *m, const char *key, size_t key_bytes)
{
	return winner_of(tree_after(&m->keys, key, key_bytes));
}

const struct entry *map_from(const struct map *m, const char *key, size_t key_bytes)
{
	return winner_of(tree_from(&m->keys, key, key_bytes));
}

size_t map_count(const struct map *m, enum family family)
{
	return m->counts[family];
}

size_t map_count_prefix(const struct map *m, const char *prefix, size_t bytes)
{
	return tree_count(&m->keys, prefix, bytes);
}

const struct vector *map_vector(const struct map *m)
{
	return &m->vector;
}

struct digest map_digest(const struct map *m)
{
	return m->digest;
}

struct dot map_last_dot(const struct map *m)
{
	return (struct dot){m->self_id, m->self->count};
}

/* Which entries of a key an event kills: all of them, all but one, or one alone. */
struct victims {
	const struct entry *all_but;
	const struct entry *only;
};

static bool is_victim(struct victims v, const struct entry *l)
{
	return l != v.all_but && (!v.only || l == v.only);
}

/* Of the live entries of `n` these die by the event `killer`; room is there. */
static void kill_siblings(struct map *m, struct key_node *n, struct victims victims,
	struct dot killer, struct changes *changes)
{
	size_t first = changes->used;

	for (struct entry *l = n->winner, *next; l; l = next) {
		next = l->sibling;
		if (!is_victim(victims, l))
			continue;
		replica_add_kill(m, m->self, killer.seq, entry_history(l), l->seq);
		changes_add(changes, CHANGE_DROP, entry_dot(l), (struct dot){0}, l);
		replica_drop(m, l);
	}
	for (size_t i = first, end = changes->used; i < end; i++)
		changes_add(changes, CHANGE_KILL, killer, changes->items[i].dot, NULL);
}

static size_t count_siblings(const struct key_node *n)
{
	size_t count = 0;

	for (const struct entry *l = n ? n->winner : NULL; l; l = l->sibling)
		count++;
	return count;
}

enum err replica_reserve_event(struct map *m, size_t slots, size_t kills, struct changes *changes)
{
	enum err e = history_reserve(m->self, slots, kills);

	if (e == ERR_OK)
		e = vector_reserve(&m->vector, 1);
	if (e == ERR_OK)
		e = changes_reserve(changes, 2 * kills + 2);
	return e;
}

/* The chain hash after `dot`, whose kill records are the last ones. */
static uint64_t chain_at(const struct history *h, uint64_t seq, const struct chain_event *e)
{
	uint64_t chain = digest_chain(history_chain(h, seq - 1), seq, e);

	for (size_t i = history_kill_after(h, seq - 1); i < h->kill_used; i++) {
		const struct kill *k = &h->kills[i];

		chain = digest_chain_victim(chain, (struct dot){k->victim->origin, k->victim_seq});
	}
	return chain;
}

void replica_finish_event(struct map *m, const struct chain_event *e, struct changes *changes)
{
	uint64_t seq = m->self->count + 1;

	replica_raise(m, m->self, seq, chain_at(m->self, seq, e));
	changes_add_vector(changes, m->self);
	replica_settle(m);
}

enum err map_put(struct map *m, const char *key, size_t key_bytes, const char *value,
	size_t value_bytes, struct record *record, uint64_t clock, struct changes *changes)
{
	struct dot dot = {m->self_id, m->self->count + 1};
	struct chain_event event = {clock, key, key_bytes, value, value_bytes};
	struct key_node *n, *fresh = NULL;
	struct entry *l;

	if (key_bytes > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX)
		return ERR_LIMIT;
	if (memchr(key, '\0', key_bytes))
		return ERR_MALFORMED;
	n = replica_find_key(m, key, key_bytes);
	if (!n)
		n = fresh = key_node_new(key, key_bytes);
	l = entry_new(value, value_bytes, record);
	if (!n || !l || replica_reserve_event(m, 1, count_siblings(n), changes) != ERR_OK) {
		free(fresh);
		entry_discard(l);
		return ERR_NO_MEMORY;
	}
	if (fresh)
		n = replica_add_key(m, fresh);
	kill_siblings(m, n, (struct victims){0}, dot, changes);
	replica_add(m, l, n, m->self, dot.seq, clock, record);
	changes_add(changes, CHANGE_PUT, dot, (struct dot){0}, l);
	replica_finish_event(m, &event, changes);
	return ERR_OK;
}

/* An event of our own without a value. */
static enum err emit_kill(struct map *m, struct key_node *n, struct victims victims, uint64_t clock,
	struct changes *changes)
{
	struct dot dot = {m->self_id, m->self->count + 1};
	struct chain_event event = {clock, n->key, n->tree.name_bytes, NULL, 0};
	enum err e = replica_reserve_event(m, 0, count_siblings(n), changes);

	if (e != ERR_OK)
		return e;
	kill_siblings(m, n, victims, dot, changes);
	replica_finish_event(m, &event, changes);
	return ERR_OK;
}

/* Nobody ever compares the clock of an event without a value; it only goes into the chain. */
enum err map_remove(
	struct map *m, const char *key, size_t key_bytes, uint64_t clock, struct changes *changes)
{
	struct key_node *n = replica_find_key(m, key, key_bytes);

	return n ? emit_kill(m, n, (struct victims){0}, clock, changes) : ERR_NOT_FOUND;
}

enum err map_resolve(
	struct map *m, const char *key, size_t key_bytes, uint64_t clock, struct changes *changes)
{
	struct key_node *n = replica_find_key(m, key, key_bytes);

	if (!n || !n->winner->sibling)
		return ERR_OK;
	return emit_kill(m, n, (struct victims){.all_but = n->winner}, clock, changes);
}

enum err map_withdraw(struct map *m, const char *key, size_t key_bytes, struct dot dot,
	uint64_t clock, struct changes *changes)
{
	struct key_node *n = replica_find_key(m, key, key_bytes);
	const struct entry *own = n ? n->winner : NULL;

	while (own && dot_compare(entry_dot(own), dot) != 0)
		own = own->sibling;
	if (!own)
		return ERR_NOT_FOUND;
	return emit_kill(m, n, (struct victims){.only = own}, clock, changes);
}

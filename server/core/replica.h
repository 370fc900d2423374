/*
 * The inside of the map, shared by the files that are the map (map.c, load.c, siblings.c, floor.c,
 * difference.c, blocks.c, stream.c, the join and the repair); nobody else includes it.
 *
 * Every change has two halves: first all memory is taken (it may fail, and nothing has happened),
 * then the state is changed by calls none of which can fail.
 */
#ifndef HORDE_CORE_REPLICA_H
#define HORDE_CORE_REPLICA_H

#include "server/core/history.h"
#include "server/core/map.h"
#include "server/core/owned.h"
#include "server/core/tree.h"

struct key_node {              /* a key with its live entries; in the tree while it has any */
	struct tree_node tree; /* first */
	struct entry *winner;  /* the others follow by ->sibling */
	struct key_node *next; /* among the changed ones, then among the dead */
	enum family family;
	bool changed; /* its list must be ranked, or the node leave the tree */
	char key[];
};

static inline struct history *entry_history(const struct entry *e)
{
	return (struct history *)(uintptr_t)e->origin; /* its first member */
}

static inline struct key_node *entry_node(const struct entry *e)
{
	return (struct key_node *)(uintptr_t)(e->key - offsetof(struct key_node, key));
}

struct map {
	struct origin_id self_id;
	struct history *self;
	uint64_t key; /* of the digest */
	uint64_t batch;
	struct history **histories; /* sorted by origin; some may have no event yet */
	size_t used;
	size_t size;
	struct vector vector;
	struct digest digest;
	struct tree keys;
	struct tree owners; /* owned.c */
	size_t counts[FAMILY_COUNT];
	size_t kills;             /* records, of all origins */
	uint32_t streams;         /* open ones: no kill record may go meanwhile */
	uint64_t floors_taken;    /* how often a join took over a floor: that ends a stream */
	struct history *touched;  /* entries of them died; until replica_settle */
	struct key_node *changed; /* until replica_settle */
	struct entry *dead;       /* until map_sweep, by ->sibling */
	struct key_node *dead_nodes;
};

/* ---- the first half: memory ---- */
/* The history of `origin`, made when there is none; NULL when there is no memory. */
struct history *replica_history(struct map *m, struct origin_id origin);
struct history *replica_find_history(const struct map *m, struct origin_id origin);
struct key_node *replica_find_key(const struct map *m, const char *key, size_t key_bytes);
struct key_node *key_node_new(const char *key, size_t key_bytes);
/* A copy of the value, as `record` (or NULL) lets it be kept; the rest is set by replica_add. */
struct entry *entry_new(const char *value, size_t value_bytes, const struct record *record);
/* One that never became part of the map; NULL is fine. */
void entry_discard(struct entry *e);
enum err changes_reserve(struct changes *c, size_t extra);

/* The memory for one event of our own with `slots` entries and `kills` victims. */
enum err replica_reserve_event(struct map *m, size_t slots, size_t kills, struct changes *changes);

/* ---- owned.c: the names of each owner ---- */
void owned_init(struct map *m);
/* All of an entry zero, with what keeps it among its owner's when `record` names one. */
struct entry *owned_alloc(const struct record *record, size_t bytes);
void owned_free(struct entry *e); /* the block of one that is dead, or whose map is freed */
void owned_add(struct map *m, struct entry *e);    /* it is live; its key is set */
void owned_remove(struct map *m, struct entry *e); /* it is not among its key's entries any more */
void owned_fini(struct map *m);

/* ---- the second half: the change ---- */
void changes_add(struct changes *c, enum change_kind kind, struct dot dot, struct dot victim,
	const struct entry *entry);
/* What is known of `h` now: CHANGE_VECTOR. */
void changes_add_vector(struct changes *c, const struct history *h);
/* Makes `n` a key of the map, unless it has that key: gives the node that is in it. */
struct key_node *replica_add_key(struct map *m, struct key_node *n);
/* Makes `l` live as event `seq` of `h`, whose slots have room; takes `record`,
 * which is NULL when it was not made because the entry has a form. */
void replica_add(struct map *m, struct entry *l, struct key_node *n, struct history *h,
	uint64_t seq, uint64_t clock, struct record *record);
/* `l` dies; it stays readable until map_sweep. */
void replica_drop(struct map *m, struct entry *l);
/* The event `seq` of `h` killed `victim_seq` of `victim`; its record list has room. */
void replica_add_kill(struct map *m, struct history *h, uint64_t seq, struct history *victim,
	uint64_t victim_seq);
/* Events of `h` up to `count` are known now, where the chain is `chain`; the vector has room. */
void replica_raise(struct map *m, struct history *h, uint64_t count, uint64_t chain);
/* The kill records of `h` up to `floor` are gone. */
void replica_cut(struct map *m, struct history *h, uint64_t floor);
/* The end of each event of our own, after its entry and kill records: it is known from now on. */
struct chain_event;
void replica_finish_event(struct map *m, const struct chain_event *e, struct changes *changes);
/*
 * Chooses the winners of the keys that changed, removes keys without entries, and tidies the
 * histories that lost some. Always last.
 */
void replica_settle(struct map *m);

/* Orders the entries of a key, the winner first (replication.md 1.4). */
void siblings_rank(struct key_node *n);

#endif

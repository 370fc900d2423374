/*
 * What one origin did, as far as it still matters: its live entries and its kill records, each
 * ordered by seq. This is the delta log, ordered and compacted: "everything after s" is a binary
 * search and a scan (replication.md 1.6). New events always come after the known count, so both
 * arrays only grow at their end; kill records are cut off at their begin, up to the floor.
 *
 * Beside them the origin's chain hash at some of the last seqs: at each of our own events, and at
 * the ends of the ranges that others sent (part 6, "Forks"). Internal to the map.
 */
#ifndef HORDE_CORE_HISTORY_H
#define HORDE_CORE_HISTORY_H

#include <stddef.h>

#include "server/core/dot.h"
#include "server/core/err.h"

#define CHAIN_POINTS_MAX 1024 /* of one origin; a power of four, as their memory grows */

struct entry;

struct slot {
	uint64_t seq;
	struct entry *live; /* NULL: it died, and the slot awaits history_tidy */
};

struct kill { /* the event `seq` of this history killed an entry of `victim` */
	uint64_t seq;
	struct history *victim;
	uint64_t victim_seq;
};

struct chain_point {
	uint64_t seq;
	uint64_t chain; /* never 0 */
};

struct history {
	struct origin_id origin;
	uint64_t count; /* events 1..count are known */
	uint64_t floor; /* kill records up to this seq are gone; never above `count` */
	struct slot *slots;
	size_t slot_used;
	size_t slot_size;
	size_t holes;       /* slots without an entry */
	struct kill *kills; /* those from kill_first to kill_used - 1 count */
	size_t kill_first;
	size_t kill_used;
	size_t kill_size;
	struct chain_point *points; /* a ring, by seq, the oldest at point_first */
	uint32_t point_first;
	uint32_t point_used;
	uint32_t point_size;
	bool touched; /* entries died: it is in the list of those to be tidied */
	struct history *next_touched;
};

struct history *history_new(struct origin_id origin);
/* Frees the arrays, not the entries. */
void history_free(struct history *h);
/*
 * Room for so many more, and for one chain point, so that the adds below cannot fail.
 * Errors: NO_MEMORY.
 */
enum err history_reserve(struct history *h, size_t slots, size_t kills);
void history_add_live(struct history *h, uint64_t seq, struct entry *l);
void history_add_kill(struct history *h, uint64_t seq, struct history *victim, uint64_t victim_seq);
/* The oldest point makes room when there are too many; one that is not the latest is ignored. */
void history_add_chain(struct history *h, uint64_t seq, uint64_t chain);
/* The chain hash at `seq`; 0 when it is not known. */
uint64_t history_chain(const struct history *h, uint64_t seq);
/* Raises the floor, and drops the kill records up to it; returns how many. */
size_t history_cut(struct history *h, uint64_t floor);
/* Empties the slot of `seq`, which must be live. Slots do not move until history_tidy. */
void history_drop(struct history *h, uint64_t seq);
struct entry *history_live(const struct history *h, uint64_t seq);
/* The index of the first slot (kill record) of an event after `seq`. */
size_t history_slot_after(const struct history *h, uint64_t seq);
size_t history_kill_after(const struct history *h, uint64_t seq);
/* Squeezes the empty slots out when they are the majority, and those at the end always. */
void history_tidy(struct history *h);
/*
 * After a load in any order; kill records up to the floor are dropped. False when a slot or kill
 * record is there twice or beyond `count`, as is a floor.
 */
bool history_sort(struct history *h);

#endif

/*
 * What one origin did, as far as it still matters: its live entries and its kill records, each
 * ordered by seq. This is the delta log, ordered and compacted: "everything after s" is a binary
 * search and a scan (replication.md 1.6). New events always come after the known count, so both
 * arrays only grow at their end. Internal to the map.
 */
#ifndef HORDE_CORE_HISTORY_H
#define HORDE_CORE_HISTORY_H

#include <stddef.h>

#include "server/core/dot.h"
#include "server/core/err.h"

struct live;

struct slot {
	uint64_t seq;
	struct live *live; /* NULL: it died, and the slot awaits history_tidy */
};

struct kill { /* the event `seq` of this history killed an entry of `victim` */
	uint64_t seq;
	struct history *victim;
	uint64_t victim_seq;
};

struct history {
	struct origin_id origin;
	uint64_t count; /* events 1..count are known */
	struct slot *slots;
	size_t slot_used;
	size_t slot_size;
	size_t holes; /* slots without an entry */
	struct kill *kills;
	size_t kill_used;
	size_t kill_size;
};

struct history *history_new(struct origin_id origin);
/* Frees the arrays, not the entries. */
void history_free(struct history *h);
/* Room for so many more, so that the adds below cannot fail. Errors: NO_MEMORY. */
enum err history_reserve(struct history *h, size_t slots, size_t kills);
void history_add_live(struct history *h, uint64_t seq, struct live *l);
void history_add_kill(struct history *h, uint64_t seq, struct history *victim, uint64_t victim_seq);
/* Empties the slot of `seq`, which must be live. Slots do not move until history_tidy. */
void history_drop(struct history *h, uint64_t seq);
struct live *history_live(const struct history *h, uint64_t seq);
/* The index of the first slot (kill record) of an event after `seq`. */
size_t history_slot_after(const struct history *h, uint64_t seq);
size_t history_kill_after(const struct history *h, uint64_t seq);
/* Squeezes the empty slots out when they are the majority. */
void history_tidy(struct history *h);
/* After a load in any order. False when a slot or kill record is there twice or beyond `count`. */
bool history_sort(struct history *h);

#endif

/*
 * The history of one run: every event that any replica ever minted, kept outside of the replicas.
 * What a replica must show is a function of its vector and of this (replication.md 1.3, I4).
 *
 * Events are numbered from 1 in the order of their minting; 0 stands for none. All memory is kept
 * from run to run.
 */
#ifndef HORDE_TESTS_SIM_REPLICAS_PAST_H
#define HORDE_TESTS_SIM_REPLICAS_PAST_H

#include "server/core/map.h"

#define ORIGINS_MAX 64  /* lives in one run; a replica that would need one more stays down */
#define EVENTS_MAX 4096 /* of one run */
#define KEYS_MAX 4
#define VALUE_ROOM 12

struct past { /* one event */
	struct dot dot;
	unsigned origin; /* its number */
	unsigned key;
	bool put;
	uint64_t clock;
	char value[VALUE_ROOM];
	size_t value_bytes;
	struct record *record; /* of a put of a key whose winner is decided by an epoch */
	struct digest term;    /* what it adds to a digest while it is live */
	uint64_t chain; /* the origin's chain hash here, once anybody has said it; 0 before */
	unsigned kills; /* pool[kills] to pool[kills + kill_count - 1]: its victims */
	unsigned kill_count;
	unsigned killer; /* pool[killer] is one of its killers, pool[killer + 1] the next place */
	unsigned before; /* pool[before + o]: how many events of origin o its author knew */
	unsigned before_count;
	unsigned twin; /* another event with the same dot: only after a fork */
};

struct lifetime { /* one origin */
	struct origin_id id;
	unsigned *events; /* by seq - 1; of twins the first */
	size_t used, size;
};

struct history_of_all {
	struct past *events; /* room for EVENTS_MAX, so that they never move; [0] is not used */
	size_t used;
	struct lifetime origins[ORIGINS_MAX];
	unsigned origin_count;
	unsigned *pool;
	size_t pool_used, pool_size;
};

void past_reset(struct history_of_all *h);
void past_fini(struct history_of_all *h);
/* A new origin with a random id, in which its number can be found again. */
unsigned past_origin(struct history_of_all *h, uint64_t random);
/* The number of an origin; ORIGINS_MAX when nobody ever had it. */
unsigned past_number(const struct history_of_all *h, struct origin_id id);
/* The event of a dot; 0 when there is none. */
unsigned past_find(const struct history_of_all *h, struct dot d);
/* The event of a dot, among its twins the one with this value; 0 when there is none. */
unsigned past_find_text(const struct history_of_all *h, struct dot d, const char *value);
/* Adds an event without a value; `known` counts what its author knew, of all origins. */
unsigned past_add(struct history_of_all *h, struct dot d, unsigned origin, const unsigned *known);
/* Its next victim; nothing else may be added to the history in between. */
void past_add_kill(struct history_of_all *h, unsigned event, unsigned victim);
/* Puts the killers of an event's victims in order; after its last victim. */
void past_link_kills(struct history_of_all *h, unsigned event);

static inline const char *past_key(unsigned key)
{
	static const char *const keys[KEYS_MAX] = {
		"meta/r/a", "assign/s/b", "registry/c", "meta/r/d/\xc3\xa4 long enough to matter"};

	return keys[key];
}

#endif

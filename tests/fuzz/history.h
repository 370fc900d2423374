/*
 * The history of all events ever, as the oracle of what a replica must hold: the state is a pure
 * function of the vector (replication.md 1.3, I4). Each change of a replica is compared with it, so
 * that a step costs what it changes and not what there is.
 */
#ifndef HORDE_TESTS_FUZZ_HISTORY_H
#define HORDE_TESTS_FUZZ_HISTORY_H

#include "server/core/fragment.h"

#define HISTORY_REPLICAS 3
#define HISTORY_ORIGINS                                                                            \
	48                 /* lives of all replicas together; every later restart is passed over   \
			    */
#define HISTORY_EVENTS 256 /* of one origin */
#define HISTORY_KILLS 4096 /* of all events */

struct history_kill {
	struct dot killer;
	struct dot victim;
	const struct history_kill *next_victim; /* of the same killer */
	const struct history_kill *next_killer; /* of the same victim */
};

struct history_event {
	bool value; /* it put something */
	const struct history_kill *victims;
	const struct history_kill *killers;
	bool live[HISTORY_REPLICAS]; /* as the replica's changes say */
};

struct history_log {
	size_t origins;
	uint64_t counts[HISTORY_ORIGINS];
	size_t kills_used;
	struct vector seen[HISTORY_REPLICAS]; /* the vectors when they were last looked at */
	/* Behind what is counted above, nothing means anything. */
	struct history_event events[HISTORY_ORIGINS][HISTORY_EVENTS];
	struct history_kill kills[HISTORY_KILLS];
};

/* Empties it. */
void history_init(struct history_log *h);
/* The id of the n-th origin; ids are not in the order of their numbers. */
struct origin_id history_origin(size_t number);
/* A fresh one; false when there are no more. */
bool history_fresh(struct history_log *h, struct origin_id *ret_origin);
/* Is there room for one more event of this origin? */
bool history_room(const struct history_log *h, struct origin_id origin);

/* What a mutator of `m` changed, if anything, is a new event. */
void history_add(struct history_log *h, const struct map *m, const struct changes *c);
/*
 * Ends the run unless replica `r` is Live(C) of its vector, given that it was when it was last
 * looked at and that `c` is all that has changed since.
 */
void history_check(struct history_log *h, int r, const struct map *m, const struct changes *c);
/* The same for a replica that was loaded from a store: everything is looked at. */
void history_restart(struct history_log *h, int r, const struct map *m);
/* Ends the run unless `m` holds each kill record above its floors, and none below (I5). */
void history_check_kills(struct history_log *h, const struct map *m);
void history_fini(struct history_log *h);

#endif

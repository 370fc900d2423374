/*
 * Fragments: what one replica sends another. A full fragment is the difference between a server's
 * state and the vector that a client showed; applying it is a join (replication.md 1.3, lemmas 1
 * and 2). It is applied entirely or not at all (I7).
 */
#ifndef HORDE_CORE_FRAGMENT_H
#define HORDE_CORE_FRAGMENT_H

#include "server/core/map.h"

enum fragment_mode {
	FRAGMENT_TICK,  /* nothing new of what was wanted: vector and digest only */
	FRAGMENT_SLICE, /* all events of some origins beyond the cursor; needs its deps (lemma 3) */
	FRAGMENT_FULL,  /* the full difference against the request's vector (lemmas 2 and 4) */
	FRAGMENT_REDO,  /* the cursor is below a floor or cannot be read: ask for a difference */
	FRAGMENT_NEED,  /* the vector is below a floor: post block sums (replication.md 1.7) */
};

struct fragment_range { /* events (after, upto] of `origin` are covered */
	struct origin_id origin;
	uint64_t after;
	uint64_t upto;
	uint64_t chain_after; /* the origin's chain hash at both ends; 0: the server lacks it */
	uint64_t chain_upto;
};

struct fragment_check { /* of the events (after, upto], known to both sides, these are live */
	struct origin_id origin;
	uint64_t after;
	uint64_t upto;
	size_t first; /* alive[first] to alive[first + count - 1] */
	size_t count;
};

struct fragment_put {
	struct dot dot;
	uint64_t clock;
	char *key;
	size_t key_bytes;
	char *value;
	size_t value_bytes;
	struct record *record; /* decoded by whoever made the fragment; NULL when undecodable */
};

struct fragment_kill {
	struct dot killer;
	struct dot victim;
};

struct fragment {
	enum fragment_mode mode;
	struct origin_id from; /* the server's incarnation */
	bool borrowed;         /* keys, values and records belong to the map it was made from */
	struct fragment_range *ranges;
	size_t range_count;
	struct fragment_put *puts; /* the live entries in the ranges, by origin and seq */
	size_t put_count;
	struct fragment_kill
		*kills; /* the kill records of all events in the ranges, above floors */
	size_t kill_count;
	struct fragment_check *checks; /* of an answer to block sums */
	size_t check_count;
	uint64_t *alive; /* seqs, growing within a check */
	size_t alive_count;
	struct vector floors; /* where the request was below them: what the client's rise to */
	/* The server's, all of it. A slice's deps are its items of origins without a range. */
	struct vector vector;
	struct digest digest;
	uint64_t clock;  /* the server's hybrid clock when it answered */
	bool ack_wanted; /* a writer there waits: poll again once this is on disk */
};

void fragment_fini(struct fragment *f);

/*
 * The full difference of `m` against `after` (entries, kill records and ranges of all events that
 * `after` lacks), or a tick when there is none. The fragment borrows from the map and is good until
 * its next mutation. Errors: NO_MEMORY.
 */
enum err map_difference(const struct map *m, const struct vector *after, struct fragment *ret);

/*
 * Joins a full fragment into the map, atomically. Requires that the map covers the vector
 * that the fragment was made for, or has grown since; ranges that are known already are harmless,
 * so applying twice changes nothing. A tick changes nothing.
 * Texts are copied. Records are taken out of a fragment that owns them, on success, and copied from
 * a borrowed one. The puts, kills and ranges are sorted in place.
 * Errors: NO_MEMORY, MALFORMED (a range begins beyond the map's vector, the fragment does not
 * lead to the server's, a dot is outside the ranges, a victim is not covered, a put twice). The map
 * is unchanged then.
 */
enum err map_apply(struct map *m, struct fragment *f, struct changes *changes);

#endif

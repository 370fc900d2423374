/*
 * Fragments: what one replica sends another. A full fragment is the difference between a server's
 * state and the vector that a client showed; applying it is a join (replication.md 1.3, lemmas 1
 * and 2). It is applied entirely or not at all (I7).
 */
#ifndef HORDE_CORE_FRAGMENT_H
#define HORDE_CORE_FRAGMENT_H

#include "server/core/clock.h"
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
	bool made;             /* value and record are its own, whatever the fragment borrows */
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

/* ---- the server's side; what is given borrows from the map until its next mutation ---- */
/*
 * The full difference of `m` against `after` (entries, kill records and ranges of all events that
 * `after` lacks): FULL, or a TICK when there is none, or NEED when `after` is below a floor, so
 * that kill records are missing; but a client that has no origin in common with this node gets a
 * FULL with floors at once. Errors: NO_MEMORY.
 */
enum err map_difference(const struct map *m, const struct vector *after, struct fragment *ret);
/*
 * The events of some origins that `after` lacks, each up to the last one known: SLICE, or a TICK
 * when there is none, or REDO when `after` is below the floor of one of them. Errors: NO_MEMORY.
 */
enum err map_slice(const struct map *m, const struct vector *after, const struct origin_id *want,
	size_t count, struct fragment *ret);
/* True when map_difference would answer NEED. */
bool map_needs_sums(const struct map *m, const struct vector *after);
/* About how many entries and kill records a difference would carry; O(origins log n). */
size_t map_difference_weight(const struct map *m, const struct vector *after);
/*
 * Would it, or a slice, carry no more entries and kill records than `items`, and no more bytes of
 * keys and values than `bytes`? O(origins log n + items).
 */
bool map_difference_fits(
	const struct map *m, const struct vector *after, size_t items, size_t bytes);
bool map_slice_fits(const struct map *m, const struct vector *after, const struct origin_id *want,
	size_t count, size_t items, size_t bytes);

/* ---- the client's side ---- */
/*
 * Joins fragments into the map in one step, atomically (lemmas 2, 3b and 4): one FULL, or slices
 * that need each other. A FULL requires that the map covers the vector that it was made for, or has
 * grown since; slices, that each begins where the map or another one ends, and that all deps are
 * known then. What is known already is harmless, so applying twice changes nothing. Texts and
 * records are copied. Puts, kills and ranges are sorted in place.
 * `ret_forked` becomes an origin of which the server knows another history than this node, else
 * zero; the fragments are joined all the same.
 * Errors: NO_MEMORY, MALFORMED (a range begins beyond what is known, a FULL does not lead to its
 * server's vector or a slice's deps are missing, a dot is outside the ranges, a victim is not
 * covered, a put twice, a check or floor beyond what is known). The map is unchanged then.
 */
enum err map_apply(struct map *m, struct fragment *const *fragments, size_t count,
	struct changes *changes, struct origin_id *ret_forked);

/*
 * The repair of a divergence (part 6, "Forks"). `f` answers block sums with `repair`, both sides
 * having the vector of this map. Each entry in a check that lives on one side only, or on both with
 * another content, is written anew under this node's origin, the old dot being killed with the last
 * of its entries: what either side had survives. In the order of the old clocks; stamps come from
 * `clock`.
 * Errors: NO_MEMORY (what was written so far stands, the rest is found by the next comparison),
 * MALFORMED (another vector, a check beyond it or over another one, a key that is none, a put
 * twice; nothing is written then).
 */
enum err map_repair(struct map *m, struct fragment *f, struct hybrid_clock *clock, int64_t wall_ms,
	struct changes *changes);

#endif

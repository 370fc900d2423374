/*
 * A walk over the entries of a registry that match a spec, in the order of their keys. It may go on
 * over many turns of the loop: it keeps the key that it has come to, and nothing else of the map,
 * so that each key is looked at once whatever others write meanwhile.
 */
#ifndef HORDE_API_SCAN_H
#define HORDE_API_SCAN_H

#include "api/entry.h"
#include "api/match.h"

/* What one request may do in one turn: so many steps, of some 0.3 us. Each condition that may be
 * asked of an entry is one; what else costs is below. */
#define SCAN_TURN_STEPS 10000u
/* A list is made in one turn, which may take longer: some 30 ms, where few entries match. */
#define SCAN_LIST_STEPS 100000u
#define SCAN_ENTRY_STEPS 5u   /* for each entry that is looked at */
#define SCAN_PART_STEPS 16u   /* for each part of an entry that is read */
#define SCAN_BYTES_A_STEP 16u /* of its text */
#define SCAN_WRITE_STEPS 50u  /* for each entry that is written to */

struct scan {
	const struct match *match;
	const struct owner *only; /* entries of this owner alone; NULL: of any */
	size_t family; /* bytes of `prefix` that are no part of the keys in the registry */
	size_t prefix_bytes;
	char prefix[KEY_BYTES_MAX + 1];
	size_t at_bytes; /* of the key that it has come to; 0: none yet */
	char at[KEY_BYTES_MAX + 1];
	bool again;      /* that one is to be looked at once more */
	uint64_t looked; /* entries looked at so far */
};

/* Begins before the first key, or behind `after` (a key in the registry). */
void scan_begin(struct scan *s, const struct match *match, const char *family, const char *registry,
	const char *after, size_t after_bytes);
/* The key in the registry that it has come to; not terminated. */
const char *scan_key(const struct scan *s, size_t *ret_bytes);

enum scan_result {
	SCAN_FOUND,
	SCAN_PAUSED, /* the steps are used up: go on in another turn */
	SCAN_DONE,
	SCAN_FAILED /* no memory */
};
/* Goes to the next entry that matches, taking the steps off `steps`. */
enum scan_result scan_next(
	struct scan *s, const struct horde *h, size_t *steps, const struct entry **ret_entry);

#endif

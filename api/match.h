/*
 * Match specs: conditions on registry entries, written as JSON. They are compiled once and then
 * asked of one entry after another. Horde's match specs and guards are their model; the README of
 * this room maps each of those to ours.
 *
 *	{"key":{"$prefix":"user/"},"value":{"shard":{"$gt":3}},"owner":{"node":"n2"}}
 *
 * All members of an object must hold. Outermost a name is that of a part of the entry, or a path
 * into one (`value.shard`); below, names are of members, or of items by their number. A member
 * whose name begins with `$` is an operator. Any other value stands for `$eq`.
 *
 * Numbers are equal by value (1 and 1.0 are), texts are ordered by their bytes, and values of
 * different types have no order: then none of $gt $gte $lt $lte holds. What is not there equals
 * nothing, not even null, so that of the operators only $ne, $nin, $not and {"$exists":false}
 * hold of it.
 */
#ifndef HORDE_API_MATCH_H
#define HORDE_API_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/json.h"
#include "server/core/err.h"

#define MATCH_CONDITIONS_MAX 256 /* operators, names and plain values of one spec */
#define MATCH_DEPTH_MAX 32       /* objects and arrays of conditions within each other */
#define MATCH_IN_MAX 1000        /* values of one $in or $nin */

struct faults;

enum match_part {
	MATCH_KEY,
	MATCH_VALUE,
	MATCH_OWNER,  /* an object: kind, id, node, epoch */
	MATCH_LABELS, /* those of the child that owns it */
	MATCH_FENCE,
	MATCH_CREATED_AT,
	MATCH_UPDATED_AT,
	MATCH_STALE,
	MATCH_READY,
	MATCH_PARTS
};

const char *match_part_name(enum match_part part);
/* MATCH_PARTS: there is none with this name, which has so many bytes. */
enum match_part match_part_from(const char *name, size_t bytes);

enum match_test {
	TEST_ALL,
	TEST_ANY,
	TEST_NOT,
	TEST_AT, /* of the part, member or item that it names */
	TEST_EQ,
	TEST_NE,
	TEST_GT,
	TEST_GTE,
	TEST_LT,
	TEST_LTE,
	TEST_IN,
	TEST_NIN,
	TEST_EXISTS,
	TEST_PREFIX
};

/* The number of an item, as it stands in a path; SIZE_MAX: it is none. */
size_t match_index(const char *name, size_t bytes);

struct condition { /* indices are of match.conditions; 0, the outermost, is nobody's */
	enum match_test test;
	enum match_part part; /* AT: a part; MATCH_PARTS: a member or an item, by `name` */
	uint16_t first;       /* ALL, ANY, NOT, AT: what they are about */
	uint16_t next;        /* the next of the same ALL or ANY */
	size_t name_bytes;
	const char *name;      /* borrowed from the spec, not terminated */
	const json_t *operand; /* borrowed from the spec */
};

struct match { /* valid as long as the spec that it was compiled from */
	size_t count;
	struct condition conditions[MATCH_CONDITIONS_MAX];
	size_t cost;        /* the most comparisons that one entry can take */
	const char *prefix; /* of the keys of all that match; not terminated */
	size_t prefix_bytes;
};

/*
 * Notes all faults of the spec, which is an object, below the pointer where `faults` is. Errors:
 * MALFORMED (faults were noted).
 */
enum err match_compile(struct match *m, const json_t *spec, struct faults *faults);

/*
 * The part that a path such as `value.shard` begins with; MATCH_PARTS, and a fault where `faults`
 * is, when nothing can be there.
 */
enum match_part match_path_check(const char *path, struct faults *faults);

/* One entry, whose parts are read when a condition wants them. Zero but for the first two. */
struct match_subject {
	/* The caller's to json_decref; NULL: the entry has no such part. Errors: NO_MEMORY. */
	enum err (*read)(void *data, enum match_part part, json_t **ret_part);
	void *data;
	unsigned known; /* bits 1 << part */
	json_t *parts[MATCH_PARTS];
};

void match_subject_fini(struct match_subject *s);
/* Does it hold? Errors: those of read. */
enum err match_holds(const struct match *m, struct match_subject *s, bool *ret_holds);

#endif

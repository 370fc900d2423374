/* A client's map with its store, as targets join fragments into it. */
#ifndef HORDE_TESTS_FUZZ_JOIN_H
#define HORDE_TESTS_FUZZ_JOIN_H

#include "tests/fuzz/rows.h"

/* What must not change when a fragment is refused. */
struct before {
	struct vector vector;
	struct digest digest;
	size_t kills;
};

struct before before_of(const struct map *m);
/* Ends the run unless `m` is as it was, and `c` is empty. Frees `b`. */
void before_check(struct before *b, const struct map *m, const struct changes *c);
void before_fini(struct before *b);

/*
 * map_apply, counted; what is refused must leave map and changes as they were, else the run ends.
 * Forks are passed over.
 */
enum err join(
	struct map *m, struct fragment *const *fragments, size_t count, struct changes *changes);

#endif

/* A join under way: checked (join_check.c), then prepared and carried out (apply.c). */
#ifndef HORDE_CORE_JOIN_H
#define HORDE_CORE_JOIN_H

#include "server/core/fragment.h"
#include "server/core/replica.h"

struct join {
	struct map *m;
	struct fragment *const *fragments;
	size_t count;
	struct changes *changes;
	struct vector tops; /* what is known after the join */
};

/* Sorts the parts of each fragment. Errors: NO_MEMORY, MALFORMED. Fills j->tops. */
enum err join_check(struct join *j);

/* Ranges, puts and kill records into the order of their origins and seqs. */
void join_sort_parts(struct fragment *f);
/* The index of the range of `origin`, or range_count; the ranges are sorted. */
size_t join_range_of(const struct fragment *f, struct origin_id origin);
/* The index of the first put at or after `d`; the puts are sorted. */
size_t join_put_from(const struct fragment *f, struct dot d);
int join_compare_kills(const void *a, const void *b);
/* Sorts unless it is sorted already, as all that comes from a map is. */
void join_sort(void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *));

#endif

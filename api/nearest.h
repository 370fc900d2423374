/* "Did you mean": the known name that is nearest to an unknown one. */
#ifndef HORDE_API_NEAREST_H
#define HORDE_API_NEAREST_H

#include <stddef.h>

/* Names are fed one by one; `best` (borrowed) is NULL until the first. Zero but for `wanted`. */
struct nearest {
	const char *wanted;
	const char *best;
	size_t distance;
};

/* By edit distance (insert, delete, replace, swap of neighbours); the first of equals wins. */
void nearest_offer(struct nearest *n, const char *known);

#endif

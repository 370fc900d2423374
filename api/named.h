/*
 * What supervisors and registries share: resources by name, of which `default` is always there. The
 * others are when the map has a record of theirs, PREFIX and the name.
 */
#ifndef HORDE_API_NAMED_H
#define HORDE_API_NAMED_H

#include "api/resource.h"

struct named {
	const char *prefix; /* of the map's keys: "supervisor/" */
	/* A hash of what is shown; the record `e` is NULL for a `default` that nobody described. */
	uint64_t (*hash)(const struct exchange *x, const char *name, const struct entry *e);
	/* Its object, without its end. */
	void (*open)(struct exchange *x, struct text *out, const char *name, const struct entry *e);
};

/* Answers a page of them, in the order of their names. The caller has declared what it watches
 * besides the records. */
void named_list(struct exchange *x, const struct named *kind);

#endif

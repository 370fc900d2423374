/*
 * Paths to operations: a tree of segments. A segment that is written out goes before a parameter,
 * unless it does not have the wanted method and the parameter does: a key named `count` can still
 * be put. HEAD is served by GET. A last parameter may be all that is left of the path (x-rest).
 */
#ifndef HORDE_API_ROUTER_H
#define HORDE_API_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "api/arena.h"
#include "api/openapi.h"
#include "server/core/err.h"

struct router_node;

struct router {
	struct arena *arena;
	struct router_node *root;
	unsigned rests; /* bits 1 << count of the segments before a rest */
};

/* The tree lives in `arena`. Errors: NO_MEMORY. */
enum err router_init(struct router *r, struct arena *arena);
/* Adds an operation (borrowed). Errors: EXISTS (the same method and path is there), NO_MEMORY. */
enum err router_add(struct router *r, const struct operation *op);

struct route {
	const struct operation *operation; /* NULL: see `methods` */
	unsigned methods; /* bits 1 << method of what the path has; 0: there is no such path */
};

/* Looks up decoded segments. */
struct route router_find(
	const struct router *r, enum method method, const char *const *segments, size_t count);
/* Is all behind these segments one parameter, the rest of the path? */
bool router_rest(const struct router *r, const char *const *segments, size_t count);
/* "GET, HEAD, PUT": the Allow header of such a set. `out` has 64 bytes. */
void router_allow(unsigned methods, char out[64]);

#endif

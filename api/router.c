#include "api/router.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct router_node {
	struct router_node *next; /* among the children of one parent */
	struct router_node *first;
	struct router_node *parameter; /* the child for any segment */
	const char *name;
	size_t length;
	bool rest; /* what comes behind is one parameter */
	const struct operation *operations[METHOD_COUNT];
};

enum err router_init(struct router *r, struct arena *arena)
{
	r->arena = arena;
	r->root = arena_zero(arena, sizeof(*r->root));
	return r->root ? ERR_OK : ERR_NO_MEMORY;
}

static struct router_node *child_named(
	const struct router_node *parent, const char *name, size_t length)
{
	for (struct router_node *n = parent->first; n; n = n->next)
		if (n->length == length && memcmp(n->name, name, length) == 0)
			return n;
	return NULL;
}

static struct router_node *make_child(
	struct router *r, struct router_node *parent, const char *name, size_t length)
{
	struct router_node *n, **place = &parent->first;

	if (name[0] == '{' && parent->parameter)
		return parent->parameter;
	n = name[0] == '{' ? NULL : child_named(parent, name, length);
	if (n)
		return n;
	n = arena_zero(r->arena, sizeof(*n));
	if (!n)
		return NULL;
	n->name = name;
	n->length = length;
	if (name[0] == '{') {
		parent->parameter = n;
	} else {
		n->next = *place;
		*place = n;
	}
	return n;
}

enum err router_add(struct router *r, const struct operation *op)
{
	struct router_node *n = r->root;
	const char *p = op->path;
	unsigned segments = 0;

	for (; *p == '/'; segments++) {
		size_t length = strcspn(++p, "/");

		if (op->rest && p[length] == '\0') {
			n->rest = true;
			r->rests |= 1u << segments;
		}
		n = make_child(r, n, p, length);
		if (!n)
			return ERR_NO_MEMORY;
		p += length;
	}
	if (n->operations[op->method])
		return ERR_EXISTS;
	n->operations[op->method] = op;
	return ERR_OK;
}

static void arrive(const struct router_node *n, enum method method, struct route *route)
{
	for (enum method m = 0; m < METHOD_COUNT; m++)
		if (n->operations[m])
			route->methods |= 1u << m;
	if (method < METHOD_COUNT && n->operations[method])
		route->operation = n->operations[method];
	else if (method == METHOD_HEAD)
		route->operation = n->operations[METHOD_GET];
}

static void walk(const struct router_node *n, enum method method, const char *const *segments,
	size_t count, struct route *route)
{
	const struct router_node *child;

	if (count == 0) {
		arrive(n, method, route);
		return;
	}
	child = child_named(n, segments[0], strlen(segments[0]));
	if (child)
		walk(child, method, segments + 1, count - 1, route);
	if (n->parameter && !route->operation)
		walk(n->parameter, method, segments + 1, count - 1, route);
}

/* The node of these segments, by parameters where none is written out. */
static const struct router_node *descend(
	const struct router_node *n, const char *const *segments, size_t count)
{
	const struct router_node *child;

	for (size_t i = 0; n && i < count; i++) {
		child = child_named(n, segments[i], strlen(segments[i]));
		n = child ? child : n->parameter;
	}
	return n;
}

bool router_rest(const struct router *r, const char *const *segments, size_t count)
{
	const struct router_node *n;

	if (!(r->rests & (1u << count)))
		return false;
	n = descend(r->root, segments, count);
	return n && n->rest;
}

struct route router_find(
	const struct router *r, enum method method, const char *const *segments, size_t count)
{
	struct route route = {0};

	walk(r->root, method, segments, count, &route);
	return route;
}

void router_allow(unsigned methods, char out[64])
{
	size_t used = 0;

	if (methods & (1u << METHOD_GET))
		methods |= 1u << METHOD_HEAD;
	methods |= 1u << METHOD_OPTIONS;
	out[0] = '\0';
	for (enum method m = 0; m < METHOD_COUNT; m++)
		if (methods & (1u << m))
			used += (size_t)snprintf(
				out + used, 64 - used, "%s%s", used ? ", " : "", method_name(m));
}

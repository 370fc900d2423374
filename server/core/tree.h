/*
 * An ordered set of named nodes: the one ordered structure of the core. The map's keys and the
 * children live in such trees, so lookup, prefix and page are all "the first node after this name".
 *
 * A treap whose priorities are hashes of the names: balanced without randomness, and the same on
 * every run. Nodes are embedded in the caller's structs, each with its name at the same distance
 * behind it, and never move; no call allocates. Each knows how many are below it, so that counting
 * those with a prefix is two walks from the root. Source: Aragon, Seidel, "Randomized Search Trees"
 * (1989).
 */
#ifndef HORDE_CORE_TREE_H
#define HORDE_CORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
	struct tree_node *left;
	struct tree_node *right;
	uint64_t name_bytes : 11;
	uint64_t priority : 26;
	uint64_t count : 27; /* of nodes in the tree that it is the root of */
};

#define TREE_NAME_BYTES_MAX 2047

struct tree {
	struct tree_node *root;
	size_t count;
	size_t name_at; /* from a node to its name, which does not change while it is in the tree */
	bool named;     /* there is a pointer to the name there, and not the name itself */
};

/* Of nodes that are the member `node` of `type`, and whose name is the array `name` in it. */
#define TREE_INIT(type, node, name)                                                                \
	((struct tree){.name_at = offsetof(type, name) - offsetof(type, node)})

const char *tree_name(const struct tree *t, const struct tree_node *n);
/* NULL, or the node that has this name already; then nothing has changed. */
struct tree_node *tree_insert(struct tree *t, struct tree_node *n, size_t name_bytes);
void tree_remove(struct tree *t, struct tree_node *n);
struct tree_node *tree_find(const struct tree *t, const char *name, size_t name_bytes);
/* The node with the least name greater than `name` (greater or equal for tree_from), or NULL. */
struct tree_node *tree_after(const struct tree *t, const char *name, size_t name_bytes);
struct tree_node *tree_from(const struct tree *t, const char *name, size_t name_bytes);
struct tree_node *tree_first(const struct tree *t);
/* How many names begin with these bytes. */
size_t tree_count(const struct tree *t, const char *prefix, size_t bytes);

#endif

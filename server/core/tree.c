#include "server/core/tree.h"

#include <assert.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PRIORITY_MASK ((1u << 26) - 1)
#define COUNT_MASK ((1u << 27) - 1)

static int compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t least = a_bytes < b_bytes ? a_bytes : b_bytes;
	int order = memcmp(a, b, least);

	if (order != 0)
		return order;
	return a_bytes == b_bytes ? 0 : (a_bytes < b_bytes ? -1 : 1);
}

const char *tree_name(const struct tree *t, const struct tree_node *n)
{
	const char *at = (const char *)n + t->name_at;

	return t->named ? *(const char *const *)(const void *)at : at;
}

static int compare_node(
	const struct tree *t, const char *name, size_t bytes, const struct tree_node *n)
{
	return compare(name, bytes, tree_name(t, n), n->name_bytes);
}

static size_t count_of(const struct tree_node *n)
{
	return n ? n->count : 0;
}

/* How many below `top` are less than these bytes, or begin with them when `through`. */
static size_t rank(const struct tree *t, const struct tree_node *top, const char *name,
	size_t bytes, bool through)
{
	size_t less = 0;

	while (top) {
		size_t shown = top->name_bytes < bytes ? top->name_bytes : bytes;
		int order = compare(tree_name(t, top), shown, name, bytes);

		if (order < 0 || (order == 0 && through)) {
			less += 1 + count_of(top->left);
			top = top->right;
		} else {
			top = top->left;
		}
	}
	return less;
}

/*
 * Splits what is below `top` into the names below and those above that of `n`, which becomes it.
 * How many will be on each side is known first, so that each that is met gets its count at once.
 */
static void split(const struct tree *t, struct tree_node *top, struct tree_node *n)
{
	struct tree_node **below = &n->left, **above = &n->right;
	size_t less = rank(t, top, tree_name(t, n), n->name_bytes, false);
	size_t more = count_of(top) - less;

	n->count = (less + more + 1) & COUNT_MASK;
	while (top) {
		if (compare_node(t, tree_name(t, n), n->name_bytes, top) < 0) {
			*above = top;
			above = &top->left;
			top->count = more & COUNT_MASK;
			more -= 1 + count_of(top->right);
			top = top->left;
		} else {
			*below = top;
			below = &top->right;
			top->count = less & COUNT_MASK;
			less -= 1 + count_of(top->left);
			top = top->right;
		}
	}
	*below = NULL;
	*above = NULL;
}

/* On the way to a name that is there, everything counts one less (more) from now on. */
static void recount(struct tree *t, const struct tree_node *to, bool more)
{
	struct tree_node *n = t->root;

	while (n != to) {
		n->count = (more ? n->count + 1u : n->count - 1u) & COUNT_MASK;
		n = compare_node(t, tree_name(t, to), to->name_bytes, n) < 0 ? n->left : n->right;
	}
}

struct tree_node *tree_insert(struct tree *t, struct tree_node *n, size_t name_bytes)
{
	const char *name = tree_name(t, n);
	struct tree_node **at = &t->root;
	uint32_t priority = (uint32_t)XXH3_64bits(name, name_bytes) & PRIORITY_MASK;

	assert(name_bytes <= TREE_NAME_BYTES_MAX && t->count < COUNT_MASK);
	/* Equal names have equal priorities, so the way down to the new place meets the old one. */
	while (*at && (*at)->priority >= priority) {
		int order = compare_node(t, name, name_bytes, *at);

		if (order == 0)
			return *at;
		at = order < 0 ? &(*at)->left : &(*at)->right;
	}
	n->name_bytes = name_bytes & TREE_NAME_BYTES_MAX;
	n->priority = priority & PRIORITY_MASK;
	split(t, *at, n);
	*at = n;
	recount(t, n, true);
	t->count++;
	return NULL;
}

/* Joins two trees, every name of `below` being less than every name of `above`. */
static void merge(struct tree_node **at, struct tree_node *below, struct tree_node *above)
{
	size_t less = count_of(below), more = count_of(above);

	while (below && above) {
		size_t all = less + more;

		if (below->priority > above->priority) {
			*at = below;
			at = &below->right;
			less -= 1 + count_of(below->left);
			below->count = all & COUNT_MASK;
			below = below->right;
		} else {
			*at = above;
			at = &above->left;
			more -= 1 + count_of(above->right);
			above->count = all & COUNT_MASK;
			above = above->left;
		}
	}
	*at = below ? below : above;
}

void tree_remove(struct tree *t, struct tree_node *n)
{
	struct tree_node **at = &t->root;

	recount(t, n, false);
	while (*at != n) {
		assert(*at);
		at = compare_node(t, tree_name(t, n), n->name_bytes, *at) < 0 ? &(*at)->left
									      : &(*at)->right;
	}
	merge(at, n->left, n->right);
	n->left = n->right = NULL;
	t->count--;
}

struct tree_node *tree_find(const struct tree *t, const char *name, size_t name_bytes)
{
	struct tree_node *n = t->root;

	while (n) {
		int order = compare_node(t, name, name_bytes, n);

		if (order == 0)
			return n;
		n = order < 0 ? n->left : n->right;
	}
	return NULL;
}

/* The least node whose name is greater than `name`, or equal to it when `equal`. */
static struct tree_node *bound(const struct tree *t, const char *name, size_t bytes, bool equal)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n) {
		int order = compare_node(t, name, bytes, n);

		if (order < 0 || (order == 0 && equal)) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct tree_node *tree_after(const struct tree *t, const char *name, size_t name_bytes)
{
	return bound(t, name, name_bytes, false);
}

struct tree_node *tree_from(const struct tree *t, const char *name, size_t name_bytes)
{
	return bound(t, name, name_bytes, true);
}

struct tree_node *tree_first(const struct tree *t)
{
	return bound(t, "", 0, true);
}

size_t tree_count(const struct tree *t, const char *prefix, size_t bytes)
{
	return rank(t, t->root, prefix, bytes, true) - rank(t, t->root, prefix, bytes, false);
}

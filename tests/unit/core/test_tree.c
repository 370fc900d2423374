#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/tree.h"

#define NODES 2000

struct item {
	struct tree_node node;
	char name[16];
	bool in;
};

static size_t depth(const struct tree_node *n)
{
	size_t left, right;

	if (!n)
		return 0;
	left = depth(n->left);
	right = depth(n->right);
	return 1 + (left > right ? left : right);
}

static void add(struct tree *t, struct item *i)
{
	tree_insert(t, &i->node, strlen(i->name));
	i->in = true;
}

/* Walks the tree and compares with what must be in it; the names are in the order of the array. */
static void cr_is(const struct tree *t, const struct item *items)
{
	struct tree_node *n = tree_first(t);
	size_t count = 0;

	for (size_t i = 0; i < NODES; i++) {
		cr_assert_eq(
			tree_find(t, items[i].name, strlen(items[i].name)) != NULL, items[i].in);
		if (!items[i].in)
			continue;
		cr_assert_eq(n, &items[i].node);
		n = tree_after(t, tree_name(t, n), n->name_bytes);
		count++;
	}
	cr_assert_null(n);
	cr_assert_eq(t->count, count);
}

static size_t counted(const struct item *items, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < NODES; i++)
		count += items[i].in && strncmp(items[i].name, prefix, strlen(prefix)) == 0;
	return count;
}

/* Of the whole, of none, of one, and of some. */
static void cr_counts(const struct tree *t, const struct item *items)
{
	static const char *const prefixes[] = {"", "k", "k/", "k/00", "k/0004", "k/0019", "k/00042",
		"k/01999", "k/1", "j", "l", "k/000421"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		cr_assert_eq(tree_count(t, prefixes[i], strlen(prefixes[i])),
			counted(items, prefixes[i]), "%s", prefixes[i]);
}

static struct item *make_items(void)
{
	struct item *items = calloc(NODES, sizeof(*items));

	for (int i = 0; i < NODES; i++)
		snprintf(items[i].name, sizeof(items[i].name), "k/%05d", i);
	return items;
}

Test(tree, keeps_order_through_inserts_and_removals)
{
	struct item *items = make_items();
	struct tree t = TREE_INIT(struct item, node, name);

	for (int i = 0; i < NODES; i++)
		add(&t, &items[i * 7 % NODES]);
	cr_is(&t, items);
	cr_counts(&t, items);
	for (int i = 0; i < NODES; i += 3) {
		tree_remove(&t, &items[i].node);
		items[i].in = false;
	}
	cr_is(&t, items);
	cr_counts(&t, items);
	for (int i = 0; i < NODES; i += 6)
		add(&t, &items[i]);
	cr_is(&t, items);
	cr_counts(&t, items);
	free(items);
}

Test(tree, stays_shallow_also_for_sorted_names)
{
	struct item *items = make_items();
	struct tree t = TREE_INIT(struct item, node, name);

	for (int i = 0; i < NODES; i++)
		add(&t, &items[i]);
	/* A balanced one would be 11 deep; names give the same tree in every run. */
	cr_assert_lt(depth(t.root), 40);
	free(items);
}

Test(tree, finds_what_follows_a_name_that_is_not_there)
{
	struct item a = {.name = "b"}, b = {.name = "ba"}, c = {.name = "c\xff"};
	struct tree t = TREE_INIT(struct item, node, name);

	cr_assert_null(tree_first(&t));
	cr_assert_null(tree_after(&t, "", 0));
	add(&t, &c);
	add(&t, &a);
	add(&t, &b);
	cr_assert_eq(tree_from(&t, "", 0), &a.node);
	cr_assert_eq(tree_from(&t, "b", 1), &a.node);
	cr_assert_eq(tree_after(&t, "b", 1), &b.node);
	cr_assert_eq(tree_after(&t, "b\0", 2), &b.node);
	cr_assert_eq(tree_after(&t, "bb", 2), &c.node);
	cr_assert_eq(tree_from(&t, "c\xff", 2), &c.node);
	cr_assert_null(tree_after(&t, "c\xff", 2));
	cr_assert_null(tree_find(&t, "c", 1));
}

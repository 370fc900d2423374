/*
 * The delay before somebody else gets a key whose owner ended without having freed it
 * (`lock_delay_ms` of its registry): what that owner had under way can come to an end meanwhile.
 * Each node keeps it on its own, from when it hears of the end; source: Burrows, "The Chubby lock
 * service" (2006), 2.4.
 */
#include "server/core/parts.h"

#include <stdlib.h>
#include <string.h>

struct lock { /* of a key that nobody has */
	struct tree_node node;
	int64_t until_ms;
	enum owner_kind owner_kind;
	char *owner_id; /* behind the key, in the same block: it may have it again */
	char key[];
};

static struct lock *lock_of(const struct tree_node *n)
{
	return (struct lock *)(uintptr_t)n; /* its first member */
}

static struct lock *find(const struct horde *h, const char *key, size_t bytes)
{
	return lock_of(tree_find(&h->locks, key, bytes));
}

static void drop(struct horde *h, struct lock *l)
{
	tree_remove(&h->locks, &l->node);
	free(l);
}

void locks_init(struct horde *h)
{
	h->locks = TREE_INIT(struct lock, node, key);
	h->locks_ms = INT64_MAX;
}

void locks_fini(struct horde *h)
{
	while (h->locks.count > 0)
		drop(h, lock_of(tree_first(&h->locks)));
}

/* Did this owner end, so that the name did not go by its own will? */
static bool owner_ended(const struct horde *h, const struct entry_record *r)
{
	struct child_view v;

	if (r->owner_kind == OWNER_LEASE)
		return !get(h, "lease", r->owner_id);
	if (r->owner_kind != OWNER_CHILD)
		return false;
	horde_child(h, r->owner_id, &v);
	return !v.spec || v.state == CHILD_EXITED || v.state == CHILD_FAILED ||
	       v.state == CHILD_STOPPED;
}

/* Without memory, or with too many, the key is free at once. */
static void add(struct horde *h, const struct entry *e, const struct entry_record *r, int64_t ms)
{
	size_t id_bytes = strlen(r->owner_id) + 1;
	struct lock *l = h->locks.count < LOCKS_MAX
				 ? malloc(sizeof(*l) + e->key_bytes + 1u + id_bytes)
				 : NULL;

	if (!l)
		return;
	*l = (struct lock){.until_ms = h->now_ms + ms, .owner_kind = r->owner_kind};
	memcpy(l->key, e->key, e->key_bytes + 1u);
	l->owner_id = l->key + e->key_bytes + 1u;
	memcpy(l->owner_id, r->owner_id, id_bytes);
	tree_insert(&h->locks, &l->node, e->key_bytes);
	if (l->until_ms < h->locks_ms)
		h->locks_ms = l->until_ms;
}

void locks_named(struct horde *h, const struct change *change)
{
	const struct entry *e = change->entry;
	int64_t ms = registries_rules(h, e->key).lock_delay_ms;
	struct lock *present = h->locks.count > 0 ? find(h, e->key, e->key_bytes) : NULL;
	struct entry_record r;

	if (present)
		drop(h, present);
	if (ms > 0 && change->kind == CHANGE_DROP && !map_get(h->map, e->key, e->key_bytes) &&
		entry_name(e, &r) && owner_ended(h, &r))
		add(h, e, &r, ms);
}

int64_t locks_left_ms(const struct horde *h, const char *key, size_t key_bytes,
	enum owner_kind kind, const char *owner_id)
{
	const struct lock *l = h->locks.count > 0 ? find(h, key, key_bytes) : NULL;

	if (!l || l->until_ms <= h->now_ms ||
		(l->owner_kind == kind && strcmp(l->owner_id, owner_id) == 0))
		return 0;
	return l->until_ms - h->now_ms;
}

int64_t horde_held_back_ms(const struct horde *h, const char *key, size_t key_bytes)
{
	return locks_left_ms(h, key, key_bytes, OWNER_KIND_COUNT, "");
}

void locks_tick(struct horde *h)
{
	struct tree_node *n = tree_first(&h->locks), *next;

	if (h->now_ms < h->locks_ms)
		return;
	h->locks_ms = INT64_MAX;
	for (; n; n = next) {
		struct lock *l = lock_of(n);

		next = tree_after(&h->locks, l->key, n->name_bytes);
		if (l->until_ms <= h->now_ms)
			drop(h, l);
		else if (l->until_ms < h->locks_ms)
			h->locks_ms = l->until_ms;
	}
	registry_wake_standbys(h);
	/* Many that end one after another are not looked at each time. */
	if (h->locks_ms < h->now_ms + LOCKS_EVERY_MS)
		h->locks_ms = h->now_ms + LOCKS_EVERY_MS;
}

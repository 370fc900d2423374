#include "server/core/replica.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct owner { /* one that has a name */
	struct tree_node node;
	struct tree names; /* of struct owned, by key */
	char name[];       /* the letter of its kind, and its id */
};

/*
 * What stands before an entry that is owned. Its owner is made with it, for when it is added: from
 * then on `owner` is the one in whose tree it is, or NULL when it is in none.
 */
struct owned {
	struct tree_node node; /* first */
	struct owner *owner;
};
_Static_assert(sizeof(struct owned) == OWNED_BYTES, "the manual says so");

static struct owned *owned_of(const struct entry *e)
{
	assert(e->owned);
	return (struct owned *)(uintptr_t)e - 1;
}

static struct entry *entry_of(const struct tree_node *n)
{
	return (struct entry *)(uintptr_t)((const struct owned *)(const void *)n + 1);
}

static char letter(enum owner_kind kind)
{
	return (char)('a' + kind);
}

void owned_init(struct map *m)
{
	m->owners = TREE_INIT(struct owner, node, name);
}

/* An id that no API takes, of a peer's nonsense, may be too long: nobody ends then. */
static bool is_owner(const struct record *r)
{
	return r && r->family == FAMILY_ENTRY && r->entry.owner_kind != OWNER_STATIC &&
	       strlen(r->entry.owner_id) < TREE_NAME_BYTES_MAX;
}

static struct owner *owner_new(const struct entry_record *r)
{
	size_t bytes = strlen(r->owner_id) + 1;
	struct owner *o = calloc(1, sizeof(*o) + 1 + bytes);

	if (!o)
		return NULL;
	o->names = (struct tree){
		.name_at = sizeof(struct owned) + offsetof(struct entry, key), .named = true};
	o->name[0] = letter(r->owner_kind);
	memcpy(o->name + 1, r->owner_id, bytes);
	return o;
}

struct entry *owned_alloc(const struct record *record, size_t bytes)
{
	struct owner *owner;
	struct owned *o;
	struct entry *e;

	if (!is_owner(record)) {
		e = malloc(bytes);
		if (e)
			*e = (struct entry){0};
		return e;
	}
	owner = owner_new(&record->entry);
	o = owner ? malloc(sizeof(*o) + bytes) : NULL;
	if (!o) {
		free(owner);
		return NULL;
	}
	*o = (struct owned){.owner = owner};
	e = (struct entry *)(o + 1);
	*e = (struct entry){.owned = true};
	return e;
}

void owned_free(struct entry *e)
{
	free(e && e->owned ? (void *)owned_of(e) : (void *)e);
}

void entry_discard(struct entry *e)
{
	if (e && e->owned)
		free(owned_of(e)->owner);
	owned_free(e);
}

void owned_add(struct map *m, struct entry *e)
{
	struct owned *o = owned_of(e);
	struct owner *owner = o->owner;
	struct tree_node *old = tree_insert(&m->owners, &owner->node, strlen(owner->name));

	if (old) {
		free(owner);
		owner = (struct owner *)old;
	}
	/* Of siblings that one owner has of one key, one is kept. */
	o->owner = tree_insert(&owner->names, &o->node, e->key_bytes) ? NULL : owner;
}

/* Another entry of this key that the owner has. */
static struct entry *other_of(const struct owner *owner, const struct entry *e)
{
	struct entry_record r;

	for (struct entry *s = entry_node(e)->winner; s; s = s->sibling)
		if (s->owned && entry_name(s, &r) && letter(r.owner_kind) == owner->name[0] &&
			strcmp(r.owner_id, owner->name + 1) == 0)
			return s;
	return NULL;
}

void owned_remove(struct map *m, struct entry *e)
{
	struct owned *o = owned_of(e);
	struct owner *owner = o->owner;
	struct entry *other;

	if (!owner)
		return;
	tree_remove(&owner->names, &o->node);
	o->owner = NULL;
	other = other_of(owner, e);
	if (other) {
		tree_insert(&owner->names, &owned_of(other)->node, other->key_bytes);
		owned_of(other)->owner = owner;
	}
	if (owner->names.count > 0)
		return;
	tree_remove(&m->owners, &owner->node);
	free(owner);
}

void owned_fini(struct map *m)
{
	while (m->owners.count > 0) {
		struct tree_node *n = tree_first(&m->owners);

		tree_remove(&m->owners, n);
		free(n);
	}
}

/* ---- reading ---- */

static const struct owner *find(
	const struct map *m, enum owner_kind kind, const char *id, bool after)
{
	char name[1 + TREE_NAME_BYTES_MAX];
	size_t bytes = strlen(id);

	if (bytes >= TREE_NAME_BYTES_MAX)
		return NULL;
	name[0] = letter(kind);
	memcpy(name + 1, id, bytes);
	return (struct owner *)(after ? tree_after(&m->owners, name, 1 + bytes)
				      : tree_find(&m->owners, name, 1 + bytes));
}

size_t map_owned(const struct map *m, enum owner_kind kind, const char *id)
{
	const struct owner *o = find(m, kind, id, false);

	return o ? o->names.count : 0;
}

const struct entry *map_owned_after(const struct map *m, enum owner_kind kind, const char *id,
	const char *key, size_t key_bytes)
{
	const struct owner *o = find(m, kind, id, false);
	const struct tree_node *n = o ? tree_after(&o->names, key, key_bytes) : NULL;

	return n ? entry_of(n) : NULL;
}

const char *map_owner_after(const struct map *m, enum owner_kind kind, const char *id)
{
	const struct owner *o = find(m, kind, id, true);

	return o && o->name[0] == letter(kind) ? o->name + 1 : NULL;
}

/* The names of each owner are those that a walk over the map finds. */
#include <stdio.h>
#include <stdlib.h>

#include "server/core/owned.h"
#include "server/core/tree.h"
#include "tests/unit/core/maps.h"

#define KEYS 12
#define OWNERS 4
#define STEPS 400
#define SEEDS 20

static const char *const owners[OWNERS] = {"default/a", "default/b", "default/b2", "x"};

static struct record *name_of(const char *owner, enum owner_kind kind, uint64_t epoch)
{
	struct entry_record fields = {.owner_kind = kind, .owner_id = owner, .epoch = epoch};

	return record_new_entry(&fields, strlen(owner));
}

/* Every second one is kept as its text. */
static void put_name(struct map *m, const char *key, struct record *r, uint64_t clock)
{
	struct text text = TEXT_INIT;
	struct changes c = {0};

	record_encode(r, "1", 1, &text);
	r->entry.value_bytes = 1;
	r->entry.value_at = (uint32_t)(text.used - 2 - clock % 2);
	cr_assert_eq(map_put(m, key, strlen(key), text.bytes, text.used, r, clock, &c), ERR_OK);
	cr_assert_eq(map_get(m, key, strlen(key))->form == 0, clock % 2);
	text_fini(&text);
	changes_fini(&c);
}

static bool has(const struct entry *e, const char *owner)
{
	struct entry_record r;

	return entry_name(e, &r) && r.owner_kind == OWNER_CHILD && strcmp(r.owner_id, owner) == 0;
}

static void cr_owns(const struct map *m, const char *owner)
{
	const struct entry *owned = map_owned_after(m, OWNER_CHILD, owner, "", 0);
	size_t count = 0;

	for (const struct entry *e = map_from(m, "", 0); e;
		e = map_after(m, e->key, e->key_bytes)) {
		const struct entry *s = e;

		while (s && !has(s, owner))
			s = s->sibling;
		if (!s)
			continue;
		cr_assert_not_null(owned);
		cr_assert_str_eq(owned->key, e->key);
		cr_assert(has(owned, owner));
		owned = map_owned_after(m, OWNER_CHILD, owner, e->key, e->key_bytes);
		count++;
	}
	cr_assert_null(owned);
	cr_assert_eq(map_owned(m, OWNER_CHILD, owner), count);
}

static void cr_all_own(const struct map *m)
{
	const char *next = "";

	for (size_t i = 0; i < OWNERS; i++) {
		cr_owns(m, owners[i]);
		if (map_owned(m, OWNER_CHILD, owners[i]) == 0)
			continue;
		next = map_owner_after(m, OWNER_CHILD, next);
		cr_assert_str_eq(next, owners[i]);
	}
	cr_assert_null(map_owner_after(m, OWNER_CHILD, next));
}

static void do_something(struct map *maps[2], uint64_t clock, unsigned *seed)
{
	struct map *m = maps[rand_r(seed) % 2];
	int what = rand_r(seed) % 8;
	struct changes c = {0};
	char key[32];

	snprintf(key, sizeof(key), "entry/default/k%d", rand_r(seed) % KEYS);
	map_sweep(m);
	if (what == 0)
		pull(maps[0], maps[1]);
	else if (what == 1)
		pull(maps[1], maps[0]);
	else if (what == 2)
		cr_assert_neq(map_remove(m, key, strlen(key), clock, &c), ERR_NO_MEMORY);
	else if (what == 3)
		cr_assert_eq(map_resolve(m, key, strlen(key), clock, &c), ERR_OK);
	else if (what == 4)
		put_name(m, key, name_of("tool", OWNER_STATIC, 0), clock);
	else
		put_name(m, key,
			name_of(owners[rand_r(seed) % OWNERS], OWNER_CHILD,
				1 + (uint64_t)rand_r(seed) % 2),
			clock);
	changes_fini(&c);
}

Test(owned, are_what_a_walk_finds_whatever_is_put_removed_and_joined)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct map *maps[2] = {new_map(1), new_map(2)};
		unsigned draw = seed;

		for (uint64_t clock = 1; clock <= STEPS; clock++) {
			do_something(maps, clock, &draw);
			cr_all_own(maps[0]);
			cr_all_own(maps[1]);
		}
		map_free(maps[0]);
		map_free(maps[1]);
	}
}

Test(owned, a_static_name_is_of_no_owner_that_ends)
{
	struct map *m = new_map(1);

	put_name(m, "entry/default/k", name_of("tool", OWNER_STATIC, 0), 2);
	cr_expect_not(map_get(m, "entry/default/k", 15)->owned);
	cr_expect_eq(map_owned(m, OWNER_STATIC, "tool"), 0);
	cr_expect_null(map_owner_after(m, OWNER_STATIC, ""));
	map_free(m);
}

Test(owned, an_id_that_is_no_name_in_a_tree_is_kept_and_found_nowhere)
{
	struct map *m = new_map(1);
	char id[3000];

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	put_name(m, "entry/default/k", name_of(id, OWNER_CHILD, 1), 1);
	cr_expect_eq(map_owned(m, OWNER_CHILD, id), 0);
	id[TREE_NAME_BYTES_MAX - 1] = '\0';
	put_name(m, "entry/default/k", name_of(id, OWNER_CHILD, 1), 3);
	cr_expect_eq(map_owned(m, OWNER_CHILD, id), 1);
	map_free(m);
}

/* Maps by hand: what the tests of the map share. */
#ifndef HORDE_TESTS_MAPS_H
#define HORDE_TESTS_MAPS_H

#include <criterion/criterion.h>
#include <string.h>

#include "server/core/fragment.h"

static inline struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n, n * 7};
}

static inline struct map *new_map(uint64_t n)
{
	struct map *m = NULL;

	cr_assert_eq(map_new(origin(n), 42, &m), ERR_OK);
	return m;
}

static inline enum err put(
	struct map *m, const char *key, const char *value, uint64_t clock, struct changes *c)
{
	return map_put(m, key, strlen(key), value, strlen(value), NULL, clock, c);
}

static inline void must_put(struct map *m, const char *key, const char *value, uint64_t clock)
{
	struct changes c = {0};

	cr_assert_eq(put(m, key, value, clock, &c), ERR_OK);
	changes_fini(&c);
}

/* A name as the registry writes it, which is not kept as its text. */
static inline void must_put_name(struct map *m, const char *key, const char *raw, uint64_t clock)
{
	struct entry_record fields = {.owner_kind = OWNER_STATIC, .owner_id = "me"};
	struct record *r = record_new_entry(&fields, 2);
	struct text text = TEXT_INIT;
	struct changes c = {0};

	record_encode(r, raw, strlen(raw), &text);
	r->entry.value_bytes = (uint32_t)strlen(raw);
	r->entry.value_at = (uint32_t)(text.used - 1 - strlen(raw));
	cr_assert_eq(map_put(m, key, strlen(key), text.bytes, text.used, r, clock, &c), ERR_OK);
	cr_assert_neq(map_get(m, key, strlen(key))->form, 0);
	text_fini(&text);
	changes_fini(&c);
}

static inline void put_record(struct map *m, const char *key, struct record r, uint64_t clock)
{
	struct changes c = {0};
	struct record *copy = record_dup(&r);

	cr_assert_eq(map_put(m, key, strlen(key), "{}", 2, copy, clock, &c), ERR_OK);
	changes_fini(&c);
}

static inline void must_remove(struct map *m, const char *key)
{
	struct changes c = {0};

	cr_assert_eq(map_remove(m, key, strlen(key), 1, &c), ERR_OK);
	changes_fini(&c);
}

static inline enum err apply_one(struct map *m, struct fragment *f, struct changes *c)
{
	struct origin_id forked;

	return map_apply(m, &f, 1, c, &forked);
}

/* `m` learns all that `from` knows. */
static inline void pull(struct map *m, const struct map *from)
{
	struct fragment f = {0};
	struct changes c = {0};

	cr_assert_eq(map_difference(from, map_vector(m), &f), ERR_OK);
	if (f.mode == FRAGMENT_FULL)
		cr_assert_eq(apply_one(m, &f, &c), ERR_OK);
	fragment_fini(&f);
	changes_fini(&c);
}

static const struct entry *get(const struct map *m, const char *key)
{
	return map_get(m, key, strlen(key));
}

static inline size_t siblings(const struct map *m, const char *key)
{
	size_t count = 0;

	for (const struct entry *e = get(m, key); e; e = e->sibling)
		count++;
	return count;
}

static inline void cr_value(const struct map *m, const char *key, const char *value)
{
	const struct entry *e = get(m, key);
	char room[ENTRY_ROOM];

	if (!value) {
		cr_assert_null(e, "%s is there", key);
		return;
	}
	cr_assert(e, "%s is absent", key);
	cr_assert_str_eq(entry_text(e, room), value);
	cr_assert_str_eq(e->key, key);
	cr_assert_eq(e->value_bytes, strlen(value));
}

static inline struct record assign(uint64_t epoch)
{
	return (struct record){.family = FAMILY_ASSIGN, .assign = {.epoch = epoch}};
}

static inline struct record entry(char *owner, uint64_t epoch)
{
	return (struct record){.family = FAMILY_ENTRY,
		.entry = {.owner_kind = OWNER_CHILD, .owner_id = owner, .epoch = epoch}};
}

static inline struct record member(uint64_t started, uint64_t incarnation)
{
	return (struct record){.family = FAMILY_MEMBER,
		.member = {.started = started, .incarnation = origin(incarnation)}};
}

#endif

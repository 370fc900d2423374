/*
 * Maps to send over the wire, and bodies of every kind that they give. For the tests of api/wire.
 */
#ifndef HORDE_TESTS_WIRE_SCENE_H
#define HORDE_TESTS_WIRE_SCENE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/wire.h"

/* XXH64, as the wire has it; this is the one place that says so again. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#define RETIRED_HASH 0x0123456789abcdefu
#define CLOCK ((uint64_t)INT64_MAX)

static inline struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n * 0x9e3779b97f4a7c15u, n};
}

static inline struct map *new_map(uint64_t n)
{
	struct map *m = NULL;

	cr_assert_eq(map_new(origin(n), 42, &m), ERR_OK);
	return m;
}

static inline void put_n(struct map *m, const char *key, size_t key_bytes, const char *value,
	size_t value_bytes, uint64_t clock)
{
	struct changes c = {0};

	cr_assert_eq(map_put(m, key, key_bytes, value, value_bytes, NULL, clock, &c), ERR_OK);
	changes_fini(&c);
}

static inline void put(struct map *m, const char *key, const char *value, uint64_t clock)
{
	put_n(m, key, strlen(key), value, strlen(value), clock);
}

static inline void drop(struct map *m, const char *key)
{
	struct changes c = {0};

	cr_assert_eq(map_remove(m, key, strlen(key), 1, &c), ERR_OK);
	changes_fini(&c);
}

static inline enum err apply(struct map *m, struct fragment *f)
{
	struct changes c = {0};
	struct origin_id forked;
	enum err e = map_apply(m, &f, 1, &c, &forked);

	map_sweep(m);
	changes_fini(&c);
	return e;
}

/* ---- reading ---- */

/* Reads a body in pieces of `piece` bytes, as the answer to a request with this `after`. */
static inline enum err read_with(const char *bytes, size_t count, size_t piece,
	const struct vector *after, struct fragment *ret)
{
	struct wire_reader *r = NULL;
	enum err e = ERR_OK;

	cr_assert_eq(wire_reader_new(&r), ERR_OK);
	for (size_t at = 0; e == ERR_OK && at < count; at += piece)
		e = wire_reader_feed(r, bytes + at, count - at < piece ? count - at : piece);
	if (e == ERR_OK)
		e = wire_reader_end(r, after, ret);
	else
		cr_assert_eq(wire_reader_end(r, after, ret), e, "an error must stay");
	wire_reader_free(r);
	return e;
}

static inline enum err read_body(
	const char *bytes, size_t count, size_t piece, struct fragment *ret)
{
	return read_with(bytes, count, piece, NULL, ret);
}

/* ---- fragments of every kind, of two maps that know a part of each other ---- */

struct scene {
	struct map *m;       /* siblings, kills, removals, of two origins */
	struct map *other;   /* knows the begin of it */
	struct vector after; /* of a request: the other one's first events */
};

/* `to` learns, without the wire, what `from` knows. */
static inline void learn(struct map *to, const struct map *from)
{
	struct fragment f;

	cr_assert_eq(map_difference(from, map_vector(to), &f), ERR_OK);
	cr_assert_eq(apply(to, &f), ERR_OK);
	fragment_fini(&f);
}

static inline void scene_init(struct scene *s)
{
	struct map *a = new_map(1), *b = new_map(2);

	*s = (struct scene){a, b, VECTOR_INIT};
	put(a, "meta/default/a", "1", 1);
	put(b, "meta/default/a", "{\"x\":[1,2]}", 2);
	put(b, "meta/default/b", "\"two\"", 3);
	put(b, "meta/default/f", "[\n]", 3);
	learn(a, b);
	put(a, "meta/default/b", "3", 4);
	put(b, "meta/default/c", "null", 5);
	put(b, "meta/default/d", "5", 5);
	drop(b, "meta/default/b");
	learn(a, b);
	drop(a, "meta/default/c");
	put(a, "meta/default/a", "4", 6);
	put(a, "assign/default/a",
		"{\"node\":\"00000000000000000000000000000001\",\"incarnation\":"
		"\"00000000000000000000000000000002\",\"epoch\":9}",
		7);
	drop(a, "meta/default/d");
	put(a, "meta/default/e", "\"e\\u00e9\"", 8);
	/* A count that the map has, one that it has not, and an origin that it has not. */
	cr_assert_eq(vector_raise(&s->after, origin(2), vector_get(map_vector(a), origin(2))), 0);
	cr_assert_eq(vector_raise(&s->after, origin(1), 2), 0);
	cr_assert_eq(vector_raise(&s->after, origin(3), 7), 0);
}

static inline void scene_fini(struct scene *s)
{
	map_free(s->m);
	map_free(s->other);
	vector_fini(&s->after);
}

enum kind {
	KIND_TICK,
	KIND_FULL,
	KIND_WHOLE, /* against nothing */
	KIND_SLICE,
	KIND_REDO,
	KIND_NEED,
	KIND_CHECKED, /* with checks and floors */
	KIND_COUNT
};

/* A block that the server has otherwise, so that it is checked. */
static inline void make_checked(struct scene *s, struct fragment *ret)
{
	struct block_sums sums;
	struct changes c = {0};

	cr_assert_eq(map_block_sums(s->other, &sums), ERR_OK);
	sums.sums[0].sum++;
	cr_assert_eq(map_truncate(s->m, map_vector(s->m), &c), ERR_OK);
	cr_assert_eq(map_difference_checked(s->m, map_vector(s->other), &sums, false, ret), ERR_OK);
	cr_assert_gt(ret->check_count, 0);
	cr_assert_gt(ret->floors.used, 0);
	changes_fini(&c);
	block_sums_fini(&sums);
}

static inline void make_fragment(struct scene *s, enum kind kind, struct fragment *ret)
{
	const struct vector *mine = map_vector(s->m), *theirs = map_vector(s->other);
	struct vector none = VECTOR_INIT;
	struct origin_id own = origin(1);

	if (kind == KIND_SLICE)
		cr_assert_eq(map_slice(s->m, theirs, &own, 1, ret), ERR_OK);
	else if (kind == KIND_CHECKED)
		make_checked(s, ret);
	else
		cr_assert_eq(map_difference(s->m,
				     kind == KIND_FULL    ? theirs
				     : kind == KIND_WHOLE ? &none
							  : mine,
				     ret),
			ERR_OK);
	if (kind == KIND_REDO)
		ret->mode = FRAGMENT_REDO;
	if (kind == KIND_NEED)
		ret->mode = FRAGMENT_NEED;
	ret->clock = CLOCK;
	ret->ack_wanted = kind == KIND_SLICE;
}

static inline struct text body_of(
	struct scene *s, enum kind kind, bool by_after, struct fragment *ret)
{
	struct wire_sender sender = {RETIRED_HASH, by_after ? &s->after : NULL};
	struct text t = TEXT_INIT;

	make_fragment(s, kind, ret);
	wire_write(ret, &sender, &t);
	cr_assert(text_ok(&t));
	return t;
}

#endif

/* The repair of two replicas that know the same and hold different things. */
#include "tests/unit/core/failing.h"

#include <stdlib.h>

#include "server/core/blocks.h"
#include "tests/unit/core/maps.h"

struct scene { /* both know (1: 2), (2: 1) */
	struct map *m;
	struct map *other;     /* lost one entry and has another one otherwise */
	struct fragment reply; /* of `other`, to the block sums of `m` */
};

static void load(struct map *m, struct dot dot, uint64_t clock, const char *key, const char *value)
{
	cr_assert_eq(map_load_entry(m, dot, clock, key, strlen(key), value, strlen(value), NULL),
		ERR_OK);
}

static struct map *load_map(uint64_t self, bool whole, const char *b)
{
	struct map *m = new_map(self);

	if (whole)
		load(m, (struct dot){origin(1), 1}, 10, "meta/r/a", "1");
	load(m, (struct dot){origin(1), 2}, 11, "meta/r/b", b);
	load(m, (struct dot){origin(2), 1}, 12, "meta/r/c", "3");
	cr_assert_eq(map_load_vector(m, origin(1), 2, 0, 7), ERR_OK);
	cr_assert_eq(map_load_vector(m, origin(2), 1, 0, 7), ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
	return m;
}

static void scene_init(struct scene *s)
{
	struct block_sums sums = {0};

	*s = (struct scene){load_map(8, true, "2"), load_map(9, false, "two"), {0}};
	cr_assert_eq(map_block_sums(s->m, &sums), ERR_OK);
	cr_assert_eq(
		map_difference_checked(s->other, map_vector(s->m), &sums, true, &s->reply), ERR_OK);
	cr_assert_eq(s->reply.check_count, 1);
	cr_assert_eq(s->reply.put_count, 1);
	block_sums_fini(&sums);
}

static void scene_fini(struct scene *s)
{
	fragment_fini(&s->reply);
	map_free(s->m);
	map_free(s->other);
}

static enum err repair(struct scene *s, struct changes *c)
{
	struct hybrid_clock clock = {0};

	return map_repair(s->m, &s->reply, &clock, 1000, c);
}

static bool has(const struct map *m, const char *key, const char *value)
{
	const struct entry *e = map_get(m, key, strlen(key));
	char room[ENTRY_ROOM];

	while (e && strcmp(entry_text(e, room), value) != 0)
		e = e->sibling;
	return e != NULL;
}

Test(repair, what_either_side_had_is_there_afterwards)
{
	struct changes c = {0};
	struct scene s;

	scene_init(&s);
	cr_assert_eq(repair(&s, &c), ERR_OK);
	cr_assert(has(s.m, "meta/r/a", "1"));
	cr_assert(has(s.m, "meta/r/b", "2") && has(s.m, "meta/r/b", "two"));
	cr_assert(has(s.m, "meta/r/c", "3"));
	cr_assert_eq(map_last_dot(s.m).seq, 3, "what is equal is not written anew");
	cr_assert_eq(map_kills(s.m), 2);
	changes_fini(&c);
	scene_fini(&s);
}

/* ---- memory ---- */

static void ask_again(struct scene *s)
{
	struct block_sums sums = {0};

	pull(s->other, s->m);
	map_sweep(s->other);
	fragment_fini(&s->reply);
	cr_assert_eq(map_block_sums(s->m, &sums), ERR_OK);
	cr_assert_eq(
		map_difference_checked(s->other, map_vector(s->m), &sums, true, &s->reply), ERR_OK);
	block_sums_fini(&sums);
}

/* Those of them that are not there yet are found by the next comparison. */
Test(repair, what_was_written_stands_when_memory_runs_out_and_the_rest_follows)
{
	bool failed = true;
	long n = 0;
	size_t partial = 0;

	for (; failed; n++) {
		struct changes c = {0};
		struct scene s;
		enum err e;

		scene_init(&s);
		failing_arm(n);
		e = repair(&s, &c);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		cr_assert_eq(c.used > 0, map_last_dot(s.m).seq > 0);
		partial += failed && c.used > 0;
		if (failed) {
			ask_again(&s);
			cr_assert_eq(repair(&s, &c), ERR_OK);
		}
		pull(s.other, s.m);
		cr_assert(has(s.m, "meta/r/a", "1"));
		cr_assert(has(s.m, "meta/r/b", "2") && has(s.m, "meta/r/b", "two"));
		cr_assert(has(s.m, "meta/r/c", "3"));
		cr_assert_eq(map_digest(s.m).sums[0], map_digest(s.other).sums[0]);
		cr_assert_leq(map_last_dot(s.m).seq, 4, "one of a pair may be written again");
		changes_fini(&c);
		scene_fini(&s);
	}
	cr_assert_gt(partial, 0, "some fail between two entries");
}

/* ---- a peer that says what it likes ---- */

static char no_key[] = "meta/r/\0b";
static char long_key[KEY_BYTES_MAX + 2];

static void twice(struct scene *s)
{
	struct fragment *f = &s->reply;

	f->puts = realloc(f->puts, 2 * sizeof(*f->puts));
	f->puts[1] = f->puts[0];
	f->put_count = 2;
}

static void overlapping(struct scene *s)
{
	struct fragment *f = &s->reply;

	f->checks = realloc(f->checks, 2 * sizeof(*f->checks));
	f->checks[1] = f->checks[0];
	f->check_count = 2;
}

static void beyond(struct scene *s)
{
	s->reply.checks[0].upto = 9;
	s->reply.puts[0].dot.seq = 9;
}

static void unknown_origin(struct scene *s)
{
	s->reply.checks[0].origin = s->reply.puts[0].dot.origin = origin(5);
}

static void own_future(struct scene *s)
{
	s->reply.checks[0].origin = s->reply.puts[0].dot.origin = origin(8);
}

static void alive_outside(struct scene *s)
{
	cr_assert_gt(s->reply.alive_count, 0);
	s->reply.alive[0] = 9;
}

static void other_vector(struct scene *s)
{
	cr_assert_eq(vector_raise(&s->reply.vector, origin(5), 1), ERR_OK);
}

static void slice(struct scene *s)
{
	s->reply.mode = FRAGMENT_SLICE;
}

static void nul_in_key(struct scene *s)
{
	s->reply.puts[0].key = no_key;
	s->reply.puts[0].key_bytes = sizeof(no_key) - 1;
}

static void too_long_a_key(struct scene *s)
{
	memset(long_key, 'a', sizeof(long_key) - 1);
	s->reply.puts[0].key = long_key;
	s->reply.puts[0].key_bytes = KEY_BYTES_MAX + 1;
}

Test(repair, an_answer_that_is_none_writes_nothing)
{
	static void (*const spoil[])(struct scene * s) = {twice, overlapping, beyond,
		unknown_origin, own_future, alive_outside, other_vector, slice, nul_in_key,
		too_long_a_key};

	for (size_t i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		struct changes c = {0};
		struct digest before, after;
		struct scene s;

		scene_init(&s);
		spoil[i](&s);
		before = map_digest(s.m);
		cr_assert_eq(repair(&s, &c), ERR_MALFORMED, "%zu", i);
		after = map_digest(s.m);
		cr_assert_eq(c.used, 0);
		cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
		cr_assert_eq(map_last_dot(s.m).seq, 0);
		cr_assert_eq(map_kills(s.m), 0);
		changes_fini(&c);
		scene_fini(&s);
	}
}

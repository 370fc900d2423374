/* Maps without memory, and maps from a store. */
#include <stdio.h>

#include "tests/unit/core/failing.h"
#include "tests/unit/core/maps.h"

struct snapshot {
	struct digest digest;
	struct vector vector;
	struct fragment all;
	size_t puts, kills;
};

static struct snapshot take(const struct map *m)
{
	struct snapshot s = {.digest = map_digest(m)};
	struct vector none = VECTOR_INIT;

	cr_assert_eq(vector_copy(map_vector(m), &s.vector), ERR_OK);
	cr_assert_eq(map_difference(m, &none, &s.all), ERR_OK);
	return s;
}

static void cr_unchanged(const struct map *m, const struct snapshot *s)
{
	struct snapshot now = take(m);

	cr_assert_eq(memcmp(&now.digest, &s->digest, sizeof(now.digest)), 0);
	cr_assert(vector_equal(&now.vector, &s->vector));
	cr_assert_eq(now.all.put_count, s->all.put_count);
	cr_assert_eq(now.all.kill_count, s->all.kill_count);
	for (size_t i = 0; i < now.all.put_count; i++) {
		const struct fragment_put *p = &now.all.puts[i];
		const struct entry *e = map_get(m, p->key, p->key_bytes);

		cr_assert_eq(dot_compare(p->dot, s->all.puts[i].dot), 0);
		if (!p->made)
			cr_assert_eq(p->value, s->all.puts[i].value);
		cr_assert_str_eq(p->value, s->all.puts[i].value);
		while (e && dot_compare(entry_dot(e), p->dot) != 0)
			e = e->sibling;
		cr_assert(e);
	}
	fragment_fini(&now.all);
	vector_fini(&now.vector);
}

static void release(struct snapshot *s)
{
	fragment_fini(&s->all);
	vector_fini(&s->vector);
}

enum mutation { PUT_NEW, PUT_OVER, REMOVE, RESOLVE, APPLY, MUTATION_COUNT };

static enum err mutate(enum mutation what, struct map *m, struct fragment *f, struct changes *c)
{
	struct record r = entry("default/web", 1);
	struct record *copy = NULL;
	enum err e = ERR_OK;

	switch (what) {
	case PUT_NEW:
	case PUT_OVER:
		copy = record_dup(&r);
		if (!copy)
			return ERR_NO_MEMORY;
		e = map_put(m, what == PUT_NEW ? "entry/default/new" : "k",
			what == PUT_NEW ? 17 : 1, "3", 1, what == PUT_NEW ? copy : NULL, 9, c);
		if (e != ERR_OK || what != PUT_NEW)
			record_free(copy);
		return e;
	case REMOVE:
		return map_remove(m, "k", 1, 9, c);
	case RESOLVE:
		return map_resolve(m, "k", 1, 9, c);
	case APPLY:
		return apply_one(m, f, c);
	case MUTATION_COUNT:
		break;
	}
	return ERR_OK;
}

/* A map with siblings under "k", and another that knows more in many ways. */
static void scene(struct map **ret_m, struct map **ret_other)
{
	struct map *m = new_map(1), *o = new_map(2), *third = new_map(3);
	char key[32];

	must_put(m, "k", "1", 1);
	must_put(o, "k", "2", 2);
	pull(m, o);
	pull(o, m);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "entry/default/%d", i % 15);
		put_record(o, key, entry("default/a", 1), 9);
		put_record(third, key, entry("default/b", 1), 8);
	}
	pull(o, third);
	must_remove(o, "entry/default/3");
	put_record(o, "entry/default/4", entry("default/c", 1), 9);
	must_put_name(o, "entry/default/n1", "1", 9);
	must_put_name(o, "entry/default/n2", "\"two\"", 9);
	must_put_name(o, "entry/default/n2", "2", 10);
	must_remove(o, "k");
	map_sweep(o);
	map_free(third);
	*ret_m = m;
	*ret_other = o;
}

Test(map_memory, no_mutation_changes_anything_when_memory_runs_out)
{
	for (enum mutation what = 0; what < MUTATION_COUNT; what++) {
		long failures = 0;
		bool failed = true;

		for (long n = 0; failed; n++) {
			struct map *m, *other;
			struct snapshot before;
			struct fragment f = {0};
			struct changes c = {0};
			enum err e;

			scene(&m, &other);
			before = take(m);
			cr_assert_eq(map_difference(other, map_vector(m), &f), ERR_OK);
			failing_arm(n);
			e = mutate(what, m, &f, &c);
			failed = failing_disarm();
			cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%d %ld", what, n);
			if (failed) {
				cr_assert_eq(c.used, 0);
				cr_unchanged(m, &before);
				/* And nothing is broken: it works at the second try. */
				cr_assert_eq(mutate(what, m, &f, &c), ERR_OK);
				failures++;
			}
			fragment_fini(&f);
			changes_fini(&c);
			release(&before);
			map_free(m);
			map_free(other);
		}
		cr_assert_gt(failures, 0, "mutation %d never allocated", what);
	}
}

Test(map_memory, a_difference_fails_cleanly_when_memory_runs_out)
{
	struct map *m, *other;
	struct vector none = VECTOR_INIT;
	bool failed = true;
	long n = 0;

	scene(&m, &other);
	for (; failed; n++) {
		struct fragment f = {0};
		enum err e;

		failing_arm(n);
		e = map_difference(other, &none, &f);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK);
		fragment_fini(&f);
	}
	cr_assert_gt(n, 1);
	map_free(m);
	map_free(other);
}

Test(map_memory, no_kill_record_is_forgotten_when_memory_runs_out)
{
	struct map *m, *other;
	struct changes c = {0};
	size_t kills;

	scene(&m, &other);
	kills = map_kills(other);
	cr_assert_gt(kills, 0);
	failing_arm(0);
	cr_assert_eq(map_truncate(other, map_vector(other), &c), ERR_NO_MEMORY);
	cr_assert(failing_disarm());
	cr_assert_eq(c.used, 0);
	cr_assert_eq(map_kills(other), kills);
	cr_assert_eq(map_floor(other, origin(2)), 0);
	cr_assert_eq(map_truncate(other, map_vector(other), &c), ERR_OK);
	cr_assert_eq(map_kills(other), 0);
	changes_fini(&c);
	map_free(m);
	map_free(other);
}

Test(map_memory, an_origin_stays_when_there_is_no_memory_for_a_fresh_one)
{
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		struct map *m = new_map(1);

		must_put(m, "a", "1", 1);
		failing_arm(n);
		cr_assert_eq(map_renew(m, origin(7)) == ERR_OK, !failing_failed);
		failed = failing_disarm();
		must_put(m, "b", "2", 2);
		cr_assert_eq(vector_get(map_vector(m), origin(1)), failed ? 2 : 1);
		cr_assert_eq(vector_get(map_vector(m), origin(7)), failed ? 0 : 1);
		map_free(m);
	}
	cr_assert_gt(n, 1);
}

/* Slices of two that need each other: the memory of both is taken before either is joined. */
Test(map_memory, slices_are_joined_together_or_not_at_all)
{
	const struct origin_id one = origin(1), two = origin(2);
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		struct map *a = new_map(1), *b = new_map(2), *m = new_map(9);
		struct vector none = VECTOR_INIT;
		struct fragment f[2], *set[] = {&f[0], &f[1]};
		struct changes c = {0};
		struct origin_id forked;
		struct snapshot before = take(m);
		enum err e;

		must_put(a, "x", "1", 1);
		pull(b, a);
		must_put(b, "x", "2", 2);
		pull(a, b);
		must_put(a, "y", "3", 3);
		cr_assert_eq(map_slice(a, &none, &one, 1, &f[0]), ERR_OK);
		cr_assert_eq(map_slice(b, &none, &two, 1, &f[1]), ERR_OK);
		failing_arm(n);
		e = map_apply(m, set, 2, &c, &forked);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		if (failed) {
			cr_assert_eq(c.used, 0);
			cr_unchanged(m, &before);
			cr_assert_eq(map_apply(m, set, 2, &c, &forked), ERR_OK);
		}
		cr_value(m, "x", "2");
		cr_value(m, "y", "3");
		cr_assert(vector_equal(map_vector(m), map_vector(a)));
		release(&before);
		changes_fini(&c);
		for (int i = 0; i < 2; i++)
			fragment_fini(&f[i]);
		map_free(a);
		map_free(b);
		map_free(m);
	}
	cr_assert_gt(n, 10);
}

/* ---- loading ---- */

/* One row after the other, each again when it found no memory. */
static enum err load_row(struct map *m, const struct fragment *f, size_t i)
{
	const struct fragment_put *p = &f->puts[i];
	struct record *record;
	enum err e;

	if (i < f->put_count) {
		record = p->record ? record_dup(p->record) : NULL;
		if (p->record && !record)
			return ERR_NO_MEMORY;
		e = map_load_entry(m, p->dot, p->clock, p->key, p->key_bytes, p->value,
			p->value_bytes, record);
		if (e != ERR_OK)
			record_free(record);
		return e;
	}
	i -= f->put_count;
	if (i < f->kill_count)
		return map_load_kill(m, f->kills[i].killer, f->kills[i].victim);
	i -= f->kill_count;
	return map_load_vector(m, f->vector.items[i].origin, f->vector.items[i].count, 0, 0);
}

Test(map_memory, a_row_that_found_no_memory_is_loaded_the_next_time)
{
	struct map *m, *other;
	struct vector none = VECTOR_INIT;
	struct fragment f;
	bool failed = true;
	long n = 0;

	scene(&m, &other);
	cr_assert_eq(map_difference(other, &none, &f), ERR_OK);
	for (; failed; n++) {
		struct map *loaded = new_map(50);
		size_t refused = 0;

		failing_arm(n);
		for (size_t i = 0; i < f.put_count + f.kill_count + f.vector.used; i++) {
			enum err e = load_row(loaded, &f, i);

			refused += e == ERR_NO_MEMORY;
			if (e == ERR_NO_MEMORY)
				e = load_row(loaded, &f, i);
			cr_assert_eq(e, ERR_OK);
		}
		failed = failing_disarm();
		cr_assert_eq(refused, failed);
		cr_assert_eq(map_load_end(loaded), ERR_OK);
		cr_assert(vector_equal(map_vector(loaded), map_vector(other)));
		cr_assert_eq(map_digest(loaded).sums[0], map_digest(other).sums[0]);
		cr_assert_eq(map_kills(loaded), map_kills(other));
		map_free(loaded);
	}
	cr_assert_gt(n, 50);
	fragment_fini(&f);
	map_free(m);
	map_free(other);
}

Test(map_memory, a_store_in_any_order_gives_the_same_map)
{
	struct map *m, *other, *loaded = new_map(50);
	struct vector none = VECTOR_INIT;
	struct fragment f;

	scene(&m, &other);
	cr_assert_eq(map_difference(other, &none, &f), ERR_OK);
	for (size_t i = f.kill_count; i-- > 0;)
		cr_assert_eq(map_load_kill(loaded, f.kills[i].killer, f.kills[i].victim), ERR_OK);
	for (size_t i = f.put_count; i-- > 0;) {
		const struct fragment_put *p = &f.puts[i];

		cr_assert_eq(
			map_load_entry(loaded, p->dot, p->clock, p->key, p->key_bytes, p->value,
				p->value_bytes, p->record ? record_dup(p->record) : NULL),
			ERR_OK);
	}
	for (size_t i = 0; i < f.vector.used; i++)
		cr_assert_eq(map_load_vector(loaded, f.vector.items[i].origin,
				     f.vector.items[i].count, 0, 0),
			ERR_OK);
	cr_assert_eq(map_load_end(loaded), ERR_OK);
	cr_assert(vector_equal(map_vector(loaded), map_vector(other)));
	cr_assert_eq(map_digest(loaded).sums[0], map_digest(other).sums[0]);
	for (const struct entry *e = map_from(other, "", 0); e;
		e = map_after(other, e->key, e->key_bytes)) {
		char room[ENTRY_ROOM];

		cr_value(loaded, e->key, entry_text(e, room));
		cr_assert_eq(siblings(loaded, e->key), siblings(other, e->key));
		cr_assert_eq(dot_compare(entry_dot(get(loaded, e->key)), entry_dot(e)), 0);
	}
	/* It goes on as a replica: what it serves to an empty map is the whole state. */
	pull(m, loaded);
	cr_assert_eq(map_digest(m).sums[1], map_digest(other).sums[1]);
	fragment_fini(&f);
	map_free(loaded);
	map_free(m);
	map_free(other);
}

Test(map_memory, a_damaged_store_is_refused)
{
	const struct dot one = {origin(1), 1}, two = {origin(1), 2}, three = {origin(1), 3};

	for (int i = 0; i < 6; i++) {
		struct map *m = new_map(9);

		cr_assert_eq(map_load_vector(m, origin(1), 2, 0, 0), ERR_OK);
		cr_assert_eq(map_load_entry(m, i == 1 ? three : one, 1, "k", 1, "1", 1, NULL), 0);
		if (i == 2)
			cr_assert_eq(map_load_entry(m, one, 1, "l", 1, "1", 1, NULL), ERR_OK);
		if (i == 3)
			cr_assert_eq(map_load_kill(m, two, one), ERR_OK);
		if (i == 4)
			cr_assert_eq(map_load_kill(m, two, three), ERR_OK);
		if (i == 5)
			cr_assert_eq(map_load_kill(m, three, two), ERR_OK);
		cr_assert_eq(map_load_end(m), i == 0 ? ERR_OK : ERR_MALFORMED, "row %d", i);
		map_free(m);
	}
}

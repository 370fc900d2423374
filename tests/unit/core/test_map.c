#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/core/fragment.h"
#include "server/core/map.h"
#include "tests/unit/core/failing.h"

static struct origin_id origin(uint64_t n)
{
	return (struct origin_id){n, n * 7};
}

static struct map *new_map(uint64_t n)
{
	struct map *m = NULL;

	cr_assert_eq(map_new(origin(n), 42, &m), ERR_OK);
	return m;
}

static enum err put(struct map *m, const char *key, const char *value, uint64_t clock,
	struct changes *c)
{
	return map_put(m, key, strlen(key), value, strlen(value), NULL, clock, c);
}

static void must_put(struct map *m, const char *key, const char *value, uint64_t clock)
{
	struct changes c = {0};

	cr_assert_eq(put(m, key, value, clock, &c), ERR_OK);
	changes_fini(&c);
}

static void put_record(struct map *m, const char *key, struct record r, uint64_t clock)
{
	struct changes c = {0};
	struct record *copy = record_dup(&r);

	cr_assert_eq(map_put(m, key, strlen(key), "{}", 2, copy, clock, &c), ERR_OK);
	changes_fini(&c);
}

static void must_remove(struct map *m, const char *key)
{
	struct changes c = {0};

	cr_assert_eq(map_remove(m, key, strlen(key), 1, &c), ERR_OK);
	changes_fini(&c);
}

/* `m` learns all that `from` knows. */
static void pull(struct map *m, const struct map *from)
{
	struct fragment f = {0};
	struct changes c = {0};

	cr_assert_eq(map_difference(from, map_vector(m), &f), ERR_OK);
	cr_assert_eq(map_apply(m, &f, &c), ERR_OK);
	fragment_fini(&f);
	changes_fini(&c);
}

static const struct entry *get(const struct map *m, const char *key)
{
	return map_get(m, key, strlen(key));
}

static size_t siblings(const struct map *m, const char *key)
{
	size_t count = 0;

	for (const struct entry *e = get(m, key); e; e = e->sibling)
		count++;
	return count;
}

static void cr_value(const struct map *m, const char *key, const char *value)
{
	const struct entry *e = get(m, key);

	if (!value) {
		cr_assert_null(e, "%s is there", key);
		return;
	}
	cr_assert(e, "%s is absent", key);
	cr_assert_str_eq(e->value, value);
	cr_assert_str_eq(e->key, key);
	cr_assert_eq(e->value_bytes, strlen(value));
}

Test(map, reads_what_was_put_and_forgets_what_was_removed)
{
	struct map *m = new_map(1);

	cr_value(m, "meta/default/a", NULL);
	must_put(m, "meta/default/a", "1", 10);
	cr_value(m, "meta/default/a", "1");
	must_put(m, "meta/default/a", "2", 5);
	cr_value(m, "meta/default/a", "2");
	cr_assert_eq(siblings(m, "meta/default/a"), 1);
	must_remove(m, "meta/default/a");
	cr_value(m, "meta/default/a", NULL);
	cr_assert_eq(map_last_dot(m).seq, 3);
	cr_assert_eq(vector_get(map_vector(m), origin(1)), 3);
	map_free(m);
}

Test(map, refuses_what_is_too_long_or_absent_without_an_event)
{
	struct map *m = new_map(1);
	struct changes c = {0};
	char *big = calloc(1, VALUE_BYTES_MAX + 2);

	cr_assert_eq(map_remove(m, "x", 1, 1, &c), ERR_NOT_FOUND);
	cr_assert_eq(map_resolve(m, "x", 1, 1, &c), ERR_OK);
	memset(big, 'x', VALUE_BYTES_MAX + 1);
	cr_assert_eq(map_put(m, "x", 1, big, VALUE_BYTES_MAX + 1, NULL, 1, &c), ERR_LIMIT);
	cr_assert_eq(map_put(m, big, KEY_BYTES_MAX + 1, "1", 1, NULL, 1, &c), ERR_LIMIT);
	cr_assert_eq(map_put(m, "a\0b", 3, "1", 1, NULL, 1, &c), ERR_MALFORMED);
	cr_assert_eq(c.used, 0);
	cr_assert_eq(map_last_dot(m).seq, 0);
	cr_assert_eq(map_vector(m)->used, 0);
	cr_assert_eq(map_put(m, big, KEY_BYTES_MAX, big, VALUE_BYTES_MAX, NULL, 1, &c), ERR_OK);
	free(big);
	changes_fini(&c);
	map_free(m);
}

Test(map, walks_keys_in_order_and_counts_them_by_family)
{
	static const char *const keys[] = {"spec/default/b", "entry/default/x", "spec/default/a",
		"meta/default/\xc3\xa9", "spec/default/ab", "other"};
	static const char *const order[] = {"entry/default/x", "meta/default/\xc3\xa9", "other",
		"spec/default/a", "spec/default/ab", "spec/default/b"};
	struct map *m = new_map(1);
	const struct entry *e;
	size_t i = 0;

	for (size_t k = 0; k < 6; k++)
		must_put(m, keys[k], "1", k);
	for (e = map_from(m, "", 0); e; e = map_after(m, e->key, e->key_bytes))
		cr_assert_str_eq(e->key, order[i++]);
	cr_assert_eq(i, 6);
	cr_assert_str_eq(map_from(m, "spec/", 5)->key, "spec/default/a");
	cr_assert_str_eq(map_after(m, "spec/default/a", 14)->key, "spec/default/ab");
	cr_assert_eq(map_count(m, FAMILY_SPEC), 3);
	cr_assert_eq(map_count(m, FAMILY_ENTRY), 1);
	cr_assert_eq(map_count(m, FAMILY_OTHER), 1);
	cr_assert_eq(map_count(m, FAMILY_STATUS), 0);
	must_put(m, "spec/default/a", "2", 9);
	cr_assert_eq(map_count(m, FAMILY_SPEC), 3);
	must_remove(m, "spec/default/a");
	cr_assert_eq(map_count(m, FAMILY_SPEC), 2);
	map_free(m);
}

Test(map, says_what_changed_in_the_order_drop_kill_put_vector)
{
	struct map *a = new_map(1), *b = new_map(2);
	struct changes c = {0};
	static const enum change_kind kinds[] = {CHANGE_DROP, CHANGE_DROP, CHANGE_KILL, CHANGE_KILL,
		CHANGE_PUT, CHANGE_VECTOR, CHANGE_DROP, CHANGE_KILL, CHANGE_VECTOR};

	must_put(a, "k", "1", 10);
	must_put(b, "k", "2", 20);
	pull(a, b);
	cr_assert_eq(put(a, "k", "3", 5, &c), ERR_OK);
	cr_assert_eq(map_remove(a, "k", 1, 6, &c), ERR_OK);
	cr_assert_eq(c.used, 9);
	for (size_t i = 0; i < 9; i++)
		cr_assert_eq(c.items[i].kind, kinds[i], "change %zu", i);
	cr_assert_str_eq(c.items[0].entry->value, "2");
	cr_assert_str_eq(c.items[1].entry->value, "1");
	cr_assert_eq(dot_compare(c.items[2].victim, c.items[0].dot), 0);
	cr_assert_eq(c.items[2].dot.seq, 2);
	cr_assert_str_eq(c.items[4].entry->value, "3");
	cr_assert_str_eq(c.items[6].entry->key, "k");
	cr_assert_eq(c.items[8].dot.seq, 3);
	map_sweep(a);
	changes_fini(&c);
	map_free(a);
	map_free(b);
}

Test(map, keeps_concurrent_writes_and_shows_the_latest)
{
	struct map *a = new_map(1), *b = new_map(2);

	must_put(a, "k", "\"late\"", 20);
	must_put(b, "k", "\"early\"", 10);
	pull(a, b);
	pull(b, a);
	cr_assert_eq(siblings(a, "k"), 2);
	cr_value(a, "k", "\"late\"");
	cr_value(b, "k", "\"late\"");
	must_put(b, "k", "\"overwrites though early\"", 1);
	pull(a, b);
	cr_assert_eq(siblings(a, "k"), 1);
	cr_value(a, "k", "\"overwrites though early\"");
	map_free(a);
	map_free(b);
}

Test(map, a_put_survives_a_concurrent_remove)
{
	struct map *a = new_map(1), *b = new_map(2);

	must_put(a, "k", "1", 1);
	pull(b, a);
	must_remove(a, "k");
	must_put(b, "k", "2", 2);
	pull(a, b);
	pull(b, a);
	cr_value(a, "k", "2");
	cr_value(b, "k", "2");
	map_free(a);
	map_free(b);
}

Test(map, a_key_can_be_removed_and_put_again)
{
	struct map *a = new_map(1), *b = new_map(2);

	must_put(a, "k", "1", 1);
	pull(b, a);
	must_remove(b, "k");
	must_put(b, "k", "2", 2);
	pull(a, b);
	cr_value(a, "k", "2");
	must_remove(a, "k");
	pull(b, a);
	cr_value(b, "k", NULL);
	cr_assert(vector_equal(map_vector(a), map_vector(b)));
	cr_assert_eq(map_digest(a).sums[0], 0);
	cr_assert_eq(map_digest(b).sums[1], 0);
	map_free(a);
	map_free(b);
}

Test(map, resolve_removes_only_the_losers)
{
	struct map *a = new_map(1), *b = new_map(2);
	struct changes c = {0};

	must_put(a, "k", "1", 1);
	must_put(b, "k", "2", 2);
	pull(a, b);
	cr_assert_eq(map_resolve(a, "k", 1, 3, &c), ERR_OK);
	cr_assert_eq(c.used, 3);
	cr_assert_eq(siblings(a, "k"), 1);
	cr_value(a, "k", "2");
	cr_assert_eq(map_resolve(a, "k", 1, 4, &c), ERR_OK);
	cr_assert_eq(c.used, 3);
	pull(b, a);
	cr_assert_eq(siblings(b, "k"), 1);
	changes_fini(&c);
	map_free(a);
	map_free(b);
}

/* ---- winners ---- */

/* Three maps put a record each under `key`; whatever the order of arrival, `winner` wins. */
static void cr_winner(const char *key, const struct record *r, const uint64_t *clocks, int winner)
{
	static const int orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct map *from[3];

	for (int i = 0; i < 3; i++) {
		from[i] = new_map((uint64_t)i + 1);
		if (r[i].family == FAMILY_OTHER)
			must_put(from[i], key, "{}", clocks[i]);
		else
			put_record(from[i], key, r[i], clocks[i]);
	}
	for (int o = 0; o < 6; o++) {
		struct map *m = new_map(9);

		for (int i = 0; i < 3; i++)
			pull(m, from[orders[o][i]]);
		cr_assert_eq(siblings(m, key), 3);
		cr_assert(origin_equal(get(m, key)->dot.origin, origin((uint64_t)winner + 1)),
			"%s, order %d", key, o);
		map_free(m);
	}
	for (int i = 0; i < 3; i++)
		map_free(from[i]);
}

static struct record assign(uint64_t epoch)
{
	return (struct record){.family = FAMILY_ASSIGN, .assign = {.epoch = epoch}};
}

static struct record entry(char *owner, uint64_t epoch)
{
	return (struct record){.family = FAMILY_ENTRY,
		.entry = {.owner_kind = OWNER_CHILD, .owner_id = owner, .epoch = epoch}};
}

static struct record member(uint64_t started, uint64_t incarnation)
{
	return (struct record){.family = FAMILY_MEMBER,
		.member = {.started = started, .incarnation = origin(incarnation)}};
}

#define CLOCKS(...) ((const uint64_t[]){__VA_ARGS__})
#define RECORDS(...) ((const struct record[]){__VA_ARGS__})

Test(map, an_assign_wins_by_epoch_then_clock_then_origin)
{
	cr_winner("assign/default/a", RECORDS(assign(3), assign(2), assign(1)), CLOCKS(1, 2, 3), 0);
	cr_winner("assign/default/a", RECORDS(assign(3), assign(3), assign(1)), CLOCKS(1, 2, 3), 1);
	cr_winner("assign/default/a", RECORDS(assign(3), assign(3), assign(3)), CLOCKS(2, 2, 2), 2);
}

Test(map, a_status_wins_by_epoch)
{
	struct record r[3] = {{.family = FAMILY_STATUS, .status = {.epoch = 1}},
		{.family = FAMILY_STATUS, .status = {.epoch = 9}},
		{.family = FAMILY_STATUS, .status = {.epoch = 4}}};

	cr_winner("status/default/a", r, CLOCKS(3, 1, 2), 1);
}

Test(map, a_member_wins_by_start_then_incarnation)
{
	cr_winner("member/a", RECORDS(member(5, 1), member(9, 1), member(7, 1)), CLOCKS(9, 1, 8), 1);
	cr_winner("member/a", RECORDS(member(5, 3), member(5, 2), member(5, 1)), CLOCKS(1, 2, 3), 0);
}

Test(map, an_entry_competes_by_its_owners_greatest_epoch_then_by_clock)
{
	/* Pairwise this is a circle: a2 beats a1, a1 beats b (clock), b beats a2 (clock). */
	cr_winner("entry/default/k", RECORDS(entry("a", 1), entry("a", 2), entry("b", 1)),
		CLOCKS(30, 10, 20), 2);
	cr_winner("entry/default/k", RECORDS(entry("a", 1), entry("a", 2), entry("a", 1)),
		CLOCKS(30, 10, 20), 1);
	cr_winner("entry/default/k", RECORDS(entry("a", 1), entry("b", 2), entry("c", 3)),
		CLOCKS(30, 10, 20), 0);
}

Test(map, an_entry_competes_again_when_what_outranked_it_is_gone)
{
	struct map *a = new_map(1), *b = new_map(2), *c = new_map(3);

	put_record(a, "entry/default/k", entry("x", 1), 30);
	put_record(b, "entry/default/k", entry("x", 2), 10);
	put_record(c, "entry/default/k", entry("y", 1), 20);
	pull(a, c);
	pull(c, b);
	cr_assert(origin_equal(get(c, "entry/default/k")->dot.origin, origin(3)));
	must_remove(b, "entry/default/k");
	pull(a, b);
	cr_assert_eq(siblings(a, "entry/default/k"), 2);
	cr_assert(origin_equal(get(a, "entry/default/k")->dot.origin, origin(1)));
	map_free(a);
	map_free(b);
	map_free(c);
}

Test(map, what_could_not_be_decoded_loses)
{
	struct record r[3] = {assign(1), {.family = FAMILY_OTHER}, {.family = FAMILY_OTHER}};

	cr_winner("assign/default/a", r, CLOCKS(1, 2, 3), 0);
	r[0] = entry("x", 1);
	cr_winner("entry/default/a", r, CLOCKS(1, 2, 3), 0);
}

/* ---- digest, rekey, batch ---- */

Test(map, the_digest_covers_key_value_clock_and_dot)
{
	static const struct {
		const char *key, *value;
		uint64_t clock, origin;
	} rows[] = {{"k", "1", 1, 1}, {"k", "2", 1, 1}, {"l", "1", 1, 1}, {"k", "1", 2, 1},
		{"k", "1", 1, 2}, {"k1", "", 1, 1}, {"", "k1", 1, 1}};
	struct digest digests[7];

	for (int i = 0; i < 7; i++) {
		struct map *m = new_map(rows[i].origin);

		must_put(m, rows[i].key, rows[i].value, rows[i].clock);
		digests[i] = map_digest(m);
		for (int j = 0; j < i; j++) {
			cr_assert_neq(digests[i].sums[0], digests[j].sums[0], "%d %d", i, j);
			cr_assert_neq(digests[i].sums[1], digests[j].sums[1], "%d %d", i, j);
		}
		map_free(m);
	}
}

Test(map, rekey_gives_the_digest_that_the_new_key_would_have_given)
{
	struct map *a = new_map(1), *b = NULL;

	cr_assert_eq(map_new(origin(1), 43, &b), ERR_OK);
	must_put(a, "k", "1", 1);
	must_put(b, "k", "1", 1);
	must_put(a, "l", "1", 2);
	must_put(b, "l", "1", 2);
	cr_assert_neq(map_digest(a).sums[0], map_digest(b).sums[0]);
	map_rekey(a, 43);
	cr_assert_eq(map_digest(a).sums[0], map_digest(b).sums[0]);
	cr_assert_eq(map_digest(a).sums[1], map_digest(b).sums[1]);
	must_remove(a, "k");
	must_remove(a, "l");
	cr_assert_eq(map_digest(a).sums[0], 0);
	map_free(a);
	map_free(b);
}

Test(map, an_entry_carries_the_batch_it_was_put_in)
{
	struct map *m = new_map(1);

	map_batch_set(m, 7);
	must_put(m, "k", "1", 1);
	map_batch_set(m, 8);
	cr_assert_eq(get(m, "k")->batch, 7);
	map_free(m);
}

Test(map, what_died_stays_readable_until_the_sweep)
{
	struct map *m = new_map(1);
	struct changes c = {0};

	for (int i = 0; i < 100; i++) {
		cr_assert_eq(put(m, "k", "1", 1, &c), ERR_OK);
		cr_assert_eq(map_remove(m, "k", 1, 1, &c), ERR_OK);
	}
	for (size_t i = 0; i < c.used; i++) {
		if (c.items[i].entry)
			cr_assert_str_eq(c.items[i].entry->key, "k");
	}
	map_sweep(m);
	map_sweep(m);
	changes_fini(&c);
	map_free(m);
}

/* ---- allocation failures ---- */

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
		cr_assert_eq(p->value, s->all.puts[i].value);
		while (e && dot_compare(e->dot, p->dot) != 0)
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
		return map_apply(m, f, c);
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
	must_remove(o, "k");
	map_sweep(o);
	map_free(third);
	*ret_m = m;
	*ret_other = o;
}

Test(map, no_mutation_changes_anything_when_memory_runs_out)
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

Test(map, a_difference_fails_cleanly_when_memory_runs_out)
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

/* ---- loading ---- */

Test(map, a_store_in_any_order_gives_the_same_map)
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

		cr_assert_eq(map_load_entry(loaded, p->dot, p->clock, p->key, p->key_bytes,
				     p->value, p->value_bytes, p->record ? record_dup(p->record) : NULL),
			ERR_OK);
	}
	for (size_t i = 0; i < f.vector.used; i++)
		cr_assert_eq(map_load_vector(loaded, f.vector.items[i].origin,
				     f.vector.items[i].count), ERR_OK);
	cr_assert_eq(map_load_end(loaded), ERR_OK);
	cr_assert(vector_equal(map_vector(loaded), map_vector(other)));
	cr_assert_eq(map_digest(loaded).sums[0], map_digest(other).sums[0]);
	cr_assert_eq(get(loaded, "entry/default/0")->batch, 0);
	for (const struct entry *e = map_from(other, "", 0); e;
		e = map_after(other, e->key, e->key_bytes)) {
		cr_value(loaded, e->key, e->value);
		cr_assert_eq(siblings(loaded, e->key), siblings(other, e->key));
		cr_assert_eq(dot_compare(get(loaded, e->key)->dot, e->dot), 0);
	}
	/* It goes on as a replica: what it serves to an empty map is the whole state. */
	pull(m, loaded);
	cr_assert_eq(map_digest(m).sums[1], map_digest(other).sums[1]);
	fragment_fini(&f);
	map_free(loaded);
	map_free(m);
	map_free(other);
}

Test(map, a_damaged_store_is_refused)
{
	const struct dot one = {origin(1), 1}, two = {origin(1), 2}, three = {origin(1), 3};

	for (int i = 0; i < 6; i++) {
		struct map *m = new_map(9);

		cr_assert_eq(map_load_vector(m, origin(1), 2), ERR_OK);
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

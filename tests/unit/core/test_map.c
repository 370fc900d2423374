#include "tests/unit/core/maps.h"

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
	cr_assert_str_eq(entry_text(c.items[0].entry, NULL), "2");
	cr_assert_str_eq(entry_text(c.items[1].entry, NULL), "1");
	cr_assert_eq(dot_compare(c.items[2].victim, c.items[0].dot), 0);
	cr_assert_eq(c.items[2].dot.seq, 2);
	cr_assert_str_eq(entry_text(c.items[4].entry, NULL), "3");
	cr_assert_str_eq(c.items[6].entry->key, "k");
	cr_assert_eq(c.items[8].dot.seq, 3);
	map_sweep(a);
	changes_fini(&c);
	map_free(a);
	map_free(b);
}

Test(map, s107_keeps_concurrent_writes_and_shows_the_latest)
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

Test(map, s108_a_key_can_be_removed_and_put_again)
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

static uint64_t batch_of(const struct map *m)
{
	return get(m, "assign/default/a")->record->assign.batch;
}

Test(map, an_assign_says_in_which_batch_it_came)
{
	struct map *m = new_map(1), *to = new_map(2), *loaded = new_map(3);
	struct changes c = {0};

	map_batch_set(m, 7);
	cr_assert_eq(map_put(m, "assign/default/a", 16, "{}", 2, record_new(FAMILY_ASSIGN), 1, &c),
		ERR_OK);
	map_batch_set(m, 8);
	cr_assert_eq(batch_of(m), 7);
	map_batch_set(to, 3);
	pull(to, m);
	cr_assert_eq(batch_of(to), 3, "where it was joined");
	map_batch_set(loaded, 5);
	cr_assert_eq(map_load_entry(loaded, (struct dot){origin(9), 1}, 1, "assign/default/a", 16,
			     "{}", 2, record_new(FAMILY_ASSIGN)),
		ERR_OK);
	cr_assert_eq(batch_of(loaded), 0, "what was loaded is on disk");
	changes_fini(&c);
	map_free(m);
	map_free(to);
	map_free(loaded);
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

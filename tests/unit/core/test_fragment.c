#include "tests/unit/core/world.h"

static struct map *two_keys(struct world *w)
{
	struct map *m = fresh_map(w);
	struct changes c = {0};

	cr_assert_eq(map_put(m, "a", 1, "1", 1, NULL, 1, &c), ERR_OK);
	cr_assert_eq(map_put(m, "b", 1, "2", 1, NULL, 2, &c), ERR_OK);
	cr_assert_eq(map_put(m, "b", 1, "3", 1, NULL, 3, &c), ERR_OK);
	changes_fini(&c);
	return m;
}

Test(fragment, is_a_tick_for_who_knows_everything_or_more)
{
	struct world *w = begin(1);
	struct map *m = two_keys(w);
	struct vector after = VECTOR_INIT;
	struct fragment f;

	cr_assert_eq(vector_copy(map_vector(m), &after), ERR_OK);
	cr_assert_eq(vector_raise(&after, map_last_dot(m).origin, 99), ERR_OK);
	cr_assert_eq(vector_raise(&after, (struct origin_id){7, 7}, 5), ERR_OK);
	cr_assert_eq(map_difference(m, &after, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_TICK);
	cr_assert_eq(f.range_count + f.put_count + f.kill_count, 0);
	cr_assert(vector_equal(&f.vector, map_vector(m)));
	cr_assert_eq(f.digest.sums[0], map_digest(m).sums[0]);
	cr_assert_eq(apply(m, &f), ERR_OK);
	fragment_fini(&f);
	vector_fini(&after);
	map_free(m);
	end(w);
}

Test(fragment, holds_only_what_the_client_lacks)
{
	struct world *w = begin(1);
	struct map *m = two_keys(w);
	struct vector after = VECTOR_INIT;
	struct fragment f;

	cr_assert_eq(vector_raise(&after, map_last_dot(m).origin, 1), ERR_OK);
	cr_assert_eq(map_difference(m, &after, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_FULL);
	cr_assert_eq(f.range_count, 1);
	cr_assert_eq(f.ranges[0].after, 1);
	cr_assert_eq(f.ranges[0].upto, 3);
	cr_assert_eq(f.put_count, 1);
	cr_assert_str_eq(f.puts[0].value, "3");
	cr_assert_eq(f.kill_count, 1);
	cr_assert_eq(f.kills[0].killer.seq, 3);
	cr_assert_eq(f.kills[0].victim.seq, 2);
	fragment_fini(&f);
	vector_fini(&after);
	map_free(m);
	end(w);
}

Test(fragment, says_what_changed_and_nothing_at_the_second_time)
{
	struct world *w = begin(1);
	struct map *m = two_keys(w), *to = fresh_map(w);
	struct fragment f = whole(m);
	struct changes c = {0};
	static const enum change_kind kinds[] = {
		CHANGE_PUT, CHANGE_PUT, CHANGE_KILL, CHANGE_VECTOR};

	cr_assert_eq(join_one(to, &f, &c), ERR_OK);
	cr_assert_eq(c.used, 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(c.items[i].kind, kinds[i]);
	cr_assert_eq(join_one(to, &f, &c), ERR_OK);
	cr_assert_eq(c.used, 4);
	cr_assert(same(m, to));
	changes_fini(&c);
	fragment_fini(&f);
	map_free(m);
	map_free(to);
	end(w);
}

/* Past the floor of a kill log there are no records, and absence alone must tell (lemma 2, a). */
Test(fragment, what_is_live_here_but_absent_from_its_range_dies)
{
	struct world *w = begin(1);
	struct map *m = two_keys(w), *to = fresh_map(w);
	struct fragment f = whole(m), late;
	struct changes c = {0};

	late = own(&f);
	cr_assert_eq(apply(to, &f), ERR_OK);
	fragment_fini(&f);
	/* The server has lost "a" since, and tells it without a kill record. */
	free(late.puts[0].key);
	free(late.puts[0].value);
	late.puts[0] = late.puts[1];
	late.put_count = 1;
	late.kill_count = 0;
	cr_assert_eq(join_one(to, &late, &c), ERR_OK);
	cr_assert_eq(c.used, 1);
	cr_assert_eq(c.items[0].kind, CHANGE_DROP);
	cr_assert_str_eq(c.items[0].entry->key, "a");
	cr_assert_null(map_get(to, "a", 1));
	cr_assert_str_eq(entry_text(map_get(to, "b", 1), NULL), "3");
	changes_fini(&c);
	fragment_fini(&late);
	map_free(m);
	map_free(to);
	end(w);
}

Test(fragment, records_are_copied_whoever_has_them)
{
	struct world *w = begin(1);
	struct map *m = fresh_map(w), *borrowing = fresh_map(w), *owning = fresh_map(w);
	struct record r = {.family = FAMILY_MEMBER, .member = {.name = "n1", .url = "u"}};
	struct changes c = {0};
	struct fragment f, o;

	cr_assert_eq(map_put(m, "member/1", 8, "{}", 2, record_dup(&r), 1, &c), ERR_OK);
	f = whole(m);
	o = own(&f);
	cr_assert_eq(apply(borrowing, &f), ERR_OK);
	cr_assert_eq(apply(owning, &o), ERR_OK);
	cr_assert_neq(map_get(owning, "member/1", 8)->record, o.puts[0].record);
	fragment_fini(&f);
	fragment_fini(&o);
	map_free(m);
	cr_assert_str_eq(map_get(borrowing, "member/1", 8)->record->member.name, "n1");
	cr_assert_str_eq(map_get(owning, "member/1", 8)->record->member.name, "n1");
	map_free(borrowing);
	map_free(owning);
	changes_fini(&c);
	end(w);
}

/* Each row breaks a good fragment in its own way. */
static void spoil(struct fragment *f, int row)
{
	struct fragment_put twice = f->puts[0];

	switch (row) {
	case 0:
		f->ranges[0].after = 1;
		break;
	case 1:
		f->ranges[0].after = f->ranges[0].upto + 1;
		break;
	case 2:
		f->puts[1].dot.seq = 4;
		break;
	case 3:
		f->puts[1].dot.seq = 0;
		break;
	case 4:
		f->puts[1].dot.origin.lo ^= 1;
		break;
	case 5:
		f->puts[1].dot = twice.dot;
		break;
	case 6:
		f->kills[0].victim.seq = 4;
		break;
	case 7:
		f->kills[0].victim.seq = 0;
		break;
	case 8:
		f->kills[0].killer.seq = 4;
		break;
	case 9:
		f->kills[0].victim.origin.hi ^= 1;
		break;
	case 10:
		f->kills[0].victim = f->kills[0].killer;
		break;
	case 11:
		f->puts[0].key[0] = '\0';
		break;
	case 12:
		cr_assert_eq(vector_raise(&f->vector, f->ranges[0].origin, 9), ERR_OK);
		break;
	case 13:
		f->puts[0].value_bytes = VALUE_BYTES_MAX + 1;
		break;
	default:
		cr_assert_fail("no such row");
	}
}

Test(fragment, is_refused_whole_when_anything_in_it_is_wrong)
{
	for (int row = 0; row <= 13; row++) {
		struct world *w = begin(1);
		struct map *m = two_keys(w), *to = two_keys(w), *was = fresh_map(w);
		struct fragment f = whole(m), o = own(&f);

		pull(was, to);
		spoil(&o, row);
		cr_assert_eq(apply(to, &o), ERR_MALFORMED, "row %d", row);
		cr_assert(same(to, was));
		fragment_fini(&f);
		fragment_fini(&o);
		map_free(m);
		map_free(to);
		map_free(was);
		end(w);
	}
}

Test(fragment, what_only_this_life_could_have_caused_is_refused)
{
	struct world *w = begin(1);
	struct map *m = two_keys(w), *to = two_keys(w);
	struct dot own = map_last_dot(to), other = map_last_dot(m);
	struct fragment_range range = {.origin = own.origin, .upto = own.seq + 1};
	struct fragment f = {.mode = FRAGMENT_FULL, .ranges = &range, .range_count = 1};

	cr_assert_eq(apply(to, &f), ERR_MALFORMED);
	range = (struct fragment_range){.origin = own.origin, .upto = INT64_MAX};
	cr_assert_eq(apply(to, &f), ERR_MALFORMED);
	cr_assert_eq(map_last_dot(to).seq, own.seq);
	range = (struct fragment_range){.origin = other.origin, .upto = other.seq + 1};
	cr_assert_eq(apply(to, &f), ERR_OK);
	map_free(m);
	map_free(to);
	end(w);
}

Test(fragment, may_come_in_any_order_inside)
{
	struct world *w = begin(77);
	struct map *to = fresh_map(w);
	struct fragment f, o;

	for (int i = 0; i < 200; i++)
		step(w);
	f = whole(w->replicas[0]);
	o = own(&f);
	for (size_t i = 0; i + 1 < o.put_count; i += 2) {
		struct fragment_put p = o.puts[i];

		o.puts[i] = o.puts[i + 1];
		o.puts[i + 1] = p;
	}
	for (size_t i = 0; i < o.kill_count / 2; i++) {
		struct fragment_kill k = o.kills[i];

		o.kills[i] = o.kills[o.kill_count - 1 - i];
		o.kills[o.kill_count - 1 - i] = k;
	}
	cr_assert_gt(o.range_count, 1);
	for (size_t i = 0; i < o.range_count / 2; i++) {
		struct fragment_range r = o.ranges[i];

		o.ranges[i] = o.ranges[o.range_count - 1 - i];
		o.ranges[o.range_count - 1 - i] = r;
	}
	cr_assert_eq(apply(to, &o), ERR_OK);
	cr_assert(same(to, w->replicas[0]));
	fragment_fini(&f);
	fragment_fini(&o);
	map_free(to);
	end(w);
}

Test(fragment, a_cold_join_takes_everything_at_once)
{
	struct world *w = begin(1);
	struct map *m = fresh_map(w), *to = fresh_map(w);
	struct changes c = {0};
	char key[32];

	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "meta/default/%d", i * 7 % 9000);
		cr_assert_eq(map_put(m, key, strlen(key), "{\"a\":1}", 7, NULL, 1, &c), ERR_OK);
		c.used = 0;
		map_sweep(m);
	}
	pull(to, m);
	cr_assert_eq(map_count(to, FAMILY_META), 9000);
	cr_assert(vector_equal(map_vector(m), map_vector(to)));
	cr_assert_eq(map_digest(m).sums[0], map_digest(to).sums[0]);
	changes_fini(&c);
	map_free(m);
	map_free(to);
	end(w);
}

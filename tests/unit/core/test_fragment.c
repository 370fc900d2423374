/*
 * Replicas against an oracle: the history of all events ever. After every step the state of a
 * replica must be Live(C), and its kill log whole, both computed from the history and the vector.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/fragment.h"

#define REPLICAS 4
#define KEYS 4
#define EVENTS_MAX 4096
#define KILLS_MAX 16
#define HELD_MAX 8

struct happened { /* one event, as its origin saw it */
	struct dot dot;
	int key;
	bool value;
	struct dot kills[KILLS_MAX];
	size_t kill_count;
};

struct world {
	uint64_t random;
	uint64_t origins;
	struct happened events[EVENTS_MAX];
	size_t event_count;
	struct map *replicas[REPLICAS];
	struct fragment held[HELD_MAX]; /* on the way, to whoever comes */
	struct fragment saved[REPLICAS];
	size_t applied, refused;
};

static uint64_t draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

static struct map *fresh_map(struct world *w)
{
	struct map *m = NULL;

	/* Multiplied, so that origins do not come in the order of their birth. */
	w->origins++;
	cr_assert_eq(map_new((struct origin_id){w->origins * 0x9e3779b97f4a7c15u, w->origins}, 5, &m),
		ERR_OK);
	return m;
}

static struct fragment whole(const struct map *m)
{
	struct vector none = VECTOR_INIT;
	struct fragment f;

	cr_assert_eq(map_difference(m, &none, &f), ERR_OK);
	return f;
}

static char *copy_text(const char *bytes, size_t count)
{
	char *copy = malloc(count + 1);

	memcpy(copy, bytes, count);
	copy[count] = '\0';
	return copy;
}

/* A fragment that lives on its own. */
static struct fragment own(const struct fragment *f)
{
	struct fragment o = *f;

	o.borrowed = false;
	o.ranges = calloc(f->range_count + 1, sizeof(*o.ranges));
	for (size_t i = 0; i < f->range_count; i++)
		o.ranges[i] = f->ranges[i];
	o.kills = calloc(f->kill_count + 1, sizeof(*o.kills));
	for (size_t i = 0; i < f->kill_count; i++)
		o.kills[i] = f->kills[i];
	o.puts = malloc((f->put_count + 1) * sizeof(*o.puts));
	for (size_t i = 0; i < f->put_count; i++) {
		o.puts[i] = f->puts[i];
		o.puts[i].key = copy_text(f->puts[i].key, f->puts[i].key_bytes);
		o.puts[i].value = copy_text(f->puts[i].value, f->puts[i].value_bytes);
		if (f->puts[i].record)
			o.puts[i].record = record_dup(f->puts[i].record);
	}
	cr_assert_eq(vector_copy(&f->vector, &o.vector), ERR_OK);
	return o;
}

/* ---- the oracle ---- */

static bool is_live(const struct world *w, const struct vector *c, const struct happened *e)
{
	if (!e->value || !vector_has(c, e->dot))
		return false;
	for (size_t i = 0; i < w->event_count; i++) {
		if (!vector_has(c, w->events[i].dot))
			continue;
		for (size_t k = 0; k < w->events[i].kill_count; k++) {
			if (dot_compare(w->events[i].kills[k], e->dot) == 0)
				return false;
		}
	}
	return true;
}

static bool has_put(const struct fragment *f, struct dot d)
{
	for (size_t i = 0; i < f->put_count; i++) {
		if (dot_compare(f->puts[i].dot, d) == 0)
			return true;
	}
	return false;
}

static bool has_kill(const struct fragment *f, struct dot killer, struct dot victim)
{
	for (size_t i = 0; i < f->kill_count; i++) {
		if (dot_compare(f->kills[i].killer, killer) == 0 &&
			dot_compare(f->kills[i].victim, victim) == 0)
			return true;
	}
	return false;
}

/* I3, I4 and I5 of replication.md, and that siblings and digest agree with them. */
static void cr_pure(const struct world *w, const struct map *m)
{
	struct fragment f = whole(m);
	const struct vector *c = map_vector(m);
	size_t live = 0, kills = 0, listed = 0;

	for (size_t i = 0; i < w->event_count; i++) {
		const struct happened *e = &w->events[i];

		if (is_live(w, c, e)) {
			live++;
			cr_assert(has_put(&f, e->dot), "a live entry is missing");
		}
		for (size_t k = 0; k < e->kill_count && vector_has(c, e->dot); k++, kills++) {
			cr_assert(vector_has(c, e->kills[k]), "a victim is not covered");
			cr_assert(has_kill(&f, e->dot, e->kills[k]), "a kill record is missing");
		}
	}
	cr_assert_eq(f.put_count, live);
	cr_assert_eq(f.kill_count, kills);
	for (const struct entry *e = map_from(m, "", 0); e; e = map_after(m, e->key, e->key_bytes)) {
		for (const struct entry *s = e; s; s = s->sibling, listed++) {
			cr_assert(has_put(&f, s->dot));
			cr_assert(s == e || s->clock <= e->clock, "the winner is not the latest");
		}
	}
	cr_assert_eq(listed, live);
	cr_assert_eq(live == 0, map_digest(m).sums[0] == 0);
	fragment_fini(&f);
}

/* Two maps with the same vector are the same in all that can be seen. */
static bool same(const struct map *a, const struct map *b)
{
	struct fragment f = whole(a), g = whole(b);
	struct digest x = map_digest(a), y = map_digest(b);
	bool equal = vector_equal(map_vector(a), map_vector(b)) && f.put_count == g.put_count &&
		f.kill_count == g.kill_count && memcmp(&x, &y, sizeof(x)) == 0;

	for (size_t i = 0; equal && i < f.put_count; i++)
		equal = has_put(&g, f.puts[i].dot);
	for (size_t i = 0; equal && i < f.kill_count; i++)
		equal = has_kill(&g, f.kills[i].killer, f.kills[i].victim);
	for (const struct entry *e = map_from(a, "", 0); equal && e;
		e = map_after(a, e->key, e->key_bytes)) {
		const struct entry *o = map_get(b, e->key, e->key_bytes);

		equal = o && dot_compare(o->dot, e->dot) == 0 && strcmp(o->value, e->value) == 0;
	}
	fragment_fini(&f);
	fragment_fini(&g);
	return equal;
}

/* ---- what happens ---- */

static void remember(struct world *w, struct map *m, int key, const struct changes *c)
{
	struct happened *e = &w->events[w->event_count];

	if (c->used == 0)
		return;
	*e = (struct happened){.dot = map_last_dot(m), .key = key};
	for (size_t i = 0; i < c->used; i++) {
		if (c->items[i].kind == CHANGE_PUT)
			e->value = true;
		if (c->items[i].kind != CHANGE_KILL)
			continue;
		cr_assert_eq(dot_compare(c->items[i].dot, e->dot), 0);
		cr_assert_lt(e->kill_count, KILLS_MAX);
		e->kills[e->kill_count++] = c->items[i].victim;
	}
	w->event_count++;
}

static void act(struct world *w, struct map *m)
{
	int number = (int)draw(w, KEYS);
	uint64_t what = draw(w, 10), clock = draw(w, 1000);
	struct changes c = {0};
	char key[16], value[32];

	if (w->event_count == EVENTS_MAX)
		return;
	snprintf(key, sizeof(key), "meta/r/%d", number);
	snprintf(value, sizeof(value), "%llu", (unsigned long long)draw(w, 1000000));
	if (what < 6)
		map_put(m, key, strlen(key), value, strlen(value), NULL, clock, &c);
	else if (what < 9)
		map_remove(m, key, strlen(key), clock, &c);
	else
		map_resolve(m, key, strlen(key), clock, &c);
	remember(w, m, number, &c);
	map_sweep(m);
	changes_fini(&c);
}

static enum err apply(struct map *m, struct fragment *f)
{
	struct changes c = {0};
	enum err e = map_apply(m, f, &c);

	cr_assert(e == ERR_OK || c.used == 0);
	map_sweep(m);
	changes_fini(&c);
	return e;
}

static void pull(struct map *m, const struct map *from)
{
	struct fragment f;

	cr_assert_eq(map_difference(from, map_vector(m), &f), ERR_OK);
	cr_assert_eq(apply(m, &f), ERR_OK);
	fragment_fini(&f);
}

/* Sends a difference on its way, against the vector of whoever asked. */
static void send_one(struct world *w, const struct map *from, const struct map *asker)
{
	struct fragment *slot = &w->held[draw(w, HELD_MAX)], f;

	fragment_fini(slot);
	cr_assert_eq(map_difference(from, map_vector(asker), &f), ERR_OK);
	*slot = own(&f);
	fragment_fini(&f);
}

static const struct fragment_range *range_of(const struct fragment *f, struct origin_id origin)
{
	for (size_t i = 0; i < f->range_count; i++) {
		if (origin_equal(f->ranges[i].origin, origin))
			return &f->ranges[i];
	}
	return NULL;
}

/* Does `m` know all that whoever asked for `f` knew, as far as it matters? */
static bool is_meant_for(const struct fragment *f, const struct map *m)
{
	for (size_t i = 0; i < f->vector.used; i++) {
		const struct vector_item *item = &f->vector.items[i];
		const struct fragment_range *r = range_of(f, item->origin);

		if (vector_get(map_vector(m), item->origin) < (r ? r->after : item->count))
			return false;
	}
	return true;
}

/* Late, twice, to the wrong one, out of order: it is applied or it is refused. */
static void receive_one(struct world *w, struct map *m)
{
	struct fragment copy = own(&w->held[draw(w, HELD_MAX)]);
	bool ok = copy.mode == FRAGMENT_TICK || is_meant_for(&copy, m);

	cr_assert_eq(apply(m, &copy), ok ? ERR_OK : ERR_MALFORMED);
	w->applied += ok;
	w->refused += !ok;
	fragment_fini(&copy);
}

/* A crash back to the last save: the old state under a fresh origin. */
static void restart(struct world *w, int r)
{
	struct fragment *f = &w->saved[r];
	struct map *m = fresh_map(w);

	for (size_t i = f->put_count; i-- > 0;)
		cr_assert_eq(map_load_entry(m, f->puts[i].dot, f->puts[i].clock, f->puts[i].key,
				     f->puts[i].key_bytes, f->puts[i].value,
				     f->puts[i].value_bytes, NULL),
			ERR_OK);
	for (size_t i = 0; i < f->kill_count; i++)
		cr_assert_eq(map_load_kill(m, f->kills[i].killer, f->kills[i].victim), ERR_OK);
	for (size_t i = 0; i < f->vector.used; i++)
		cr_assert_eq(map_load_vector(m, f->vector.items[i].origin,
				     f->vector.items[i].count), ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
	map_free(w->replicas[r]);
	w->replicas[r] = m;
}

static void save(struct world *w, int r)
{
	struct fragment f = whole(w->replicas[r]);

	fragment_fini(&w->saved[r]);
	w->saved[r] = own(&f);
	fragment_fini(&f);
}

static void step(struct world *w)
{
	int r = (int)draw(w, REPLICAS), other = (int)draw(w, REPLICAS);
	uint64_t what = draw(w, 100);

	if (what < 40)
		act(w, w->replicas[r]);
	else if (what < 60)
		pull(w->replicas[r], w->replicas[other]);
	else if (what < 75)
		send_one(w, w->replicas[r], w->replicas[other]);
	else if (what < 94)
		receive_one(w, w->replicas[r]);
	else if (what < 98)
		save(w, r);
	else
		restart(w, r);
	cr_pure(w, w->replicas[r]);
}

static struct world *begin(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	w->random = seed * 0x2545f4914f6cdd1du + 1;
	for (int i = 0; i < REPLICAS; i++)
		w->replicas[i] = fresh_map(w);
	return w;
}

static void end(struct world *w)
{
	for (int i = 0; i < REPLICAS; i++) {
		map_free(w->replicas[i]);
		fragment_fini(&w->saved[i]);
	}
	for (int i = 0; i < HELD_MAX; i++)
		fragment_fini(&w->held[i]);
	free(w);
}

Test(fragment, every_schedule_keeps_the_state_pure_and_converges)
{
	size_t applied = 0, refused = 0;

	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct world *w = begin(seed);

		for (int i = 0; i < 160; i++)
			step(w);
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < REPLICAS * REPLICAS; i++)
				pull(w->replicas[i / REPLICAS], w->replicas[i % REPLICAS]);
		}
		for (int i = 1; i < REPLICAS; i++)
			cr_assert(same(w->replicas[0], w->replicas[i]), "seed %d",
				(int)seed);
		cr_pure(w, w->replicas[0]);
		applied += w->applied;
		refused += w->refused;
		end(w);
	}
	/* Both were tried often. */
	cr_assert_gt(applied, 500);
	cr_assert_gt(refused, 100);
}

/* The join of two states, as a map of its own. */
static struct map *join(struct world *w, const struct map *a, const struct map *b)
{
	struct map *m = fresh_map(w);

	pull(m, a);
	pull(m, b);
	return m;
}

Test(fragment, the_join_is_commutative_associative_and_idempotent)
{
	for (uint64_t seed = 1000; seed < 1100; seed++) {
		struct world *w = begin(seed);
		struct map *ab, *ba, *ab_c, *bc, *a_bc, *aa;

		for (int i = 0; i < 80; i++)
			step(w);
		ab = join(w, w->replicas[0], w->replicas[1]);
		ba = join(w, w->replicas[1], w->replicas[0]);
		bc = join(w, w->replicas[1], w->replicas[2]);
		ab_c = join(w, ab, w->replicas[2]);
		a_bc = join(w, w->replicas[0], bc);
		aa = join(w, w->replicas[0], w->replicas[0]);
		cr_assert(same(ab, ba));
		cr_assert(same(ab_c, a_bc));
		cr_assert(same(aa, w->replicas[0]));
		cr_pure(w, ab_c);
		map_free(ab);
		map_free(ba);
		map_free(bc);
		map_free(ab_c);
		map_free(a_bc);
		map_free(aa);
		end(w);
	}
}

/* ---- single rules ---- */

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
	static const enum change_kind kinds[] = {CHANGE_PUT, CHANGE_PUT, CHANGE_KILL, CHANGE_VECTOR};

	map_batch_set(to, 3);
	cr_assert_eq(map_apply(to, &f, &c), ERR_OK);
	cr_assert_eq(c.used, 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(c.items[i].kind, kinds[i]);
	cr_assert_eq(c.items[0].entry->batch, 3);
	cr_assert_eq(map_apply(to, &f, &c), ERR_OK);
	cr_assert_eq(c.used, 4);
	cr_assert(same(m, to));
	changes_fini(&c);
	fragment_fini(&f);
	map_free(m);
	map_free(to);
	end(w);
}

Test(fragment, records_go_over_with_both_kinds)
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
	cr_assert_null(o.puts[0].record);
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

/* Names that are kept packed and the same ones kept as text: nothing outside can tell them apart.
 */
#include "tests/unit/core/failing.h"

#include <stdio.h>

#include "server/core/blocks.h"
#include "server/core/stream.h"
#include "tests/unit/core/maps.h"

#define MAPS 3
#define ROUNDS 300

static uint64_t state;

static unsigned draw(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

/* Some name of some owner, in one of the forms. */
static void put_some(struct map *m, uint64_t clock)
{
	static const char *const owners[] = {"me", "default/web", "a\"b"};
	char key[32], raw[1100];
	unsigned owner = draw(3), size = draw(8) == 0 ? 800 + draw(250) : 1 + draw(40);
	struct entry_record fields = {.owner_kind = (enum owner_kind)draw(OWNER_KIND_COUNT),
		.owner_id = owners[owner],
		.created = draw(4)};
	struct text text = TEXT_INIT;
	struct changes c = {0};
	struct record *r;

	if (fields.owner_kind != OWNER_STATIC && draw(4)) {
		fields.node = origin(1 + draw(3));
		fields.epoch = draw(3);
	}
	snprintf(key, sizeof(key), "entry/default/%u", draw(12));
	memset(raw, '7', size);
	r = record_new_entry(&fields, strlen(fields.owner_id));
	record_encode(r, raw, size, &text);
	r->entry.value_bytes = size;
	r->entry.value_at = (uint32_t)(text.used - 1 - size);
	(void)text_cstr(&text);
	if (draw(6) == 0) {
		record_free(r);
		r = NULL;
	}
	cr_assert_eq(map_put(m, key, strlen(key), text.bytes, text.used, r, clock, &c), ERR_OK);
	text_fini(&text);
	changes_fini(&c);
}

/* As pull, but `m` gets records that do not spell the text, so that it keeps the text. */
static void pull_as_text(struct map *m, const struct map *from)
{
	struct fragment f = {0};
	struct changes c = {0};

	cr_assert_eq(map_difference(from, map_vector(m), &f), ERR_OK);
	for (size_t i = 0; i < f.put_count; i++)
		if (f.puts[i].made)
			f.puts[i].record->entry.value_at++;
	if (f.mode == FRAGMENT_FULL)
		cr_assert_eq(apply_one(m, &f, &c), ERR_OK);
	for (size_t i = 0; i < c.used; i++)
		if (c.items[i].kind == CHANGE_PUT)
			cr_assert_eq(c.items[i].entry->form, 0);
	fragment_fini(&f);
	changes_fini(&c);
	map_sweep(m);
}

static void cr_alike(const struct map *a, const struct map *b)
{
	const struct entry *x = map_from(a, "", 0), *y = map_from(b, "", 0);
	char left[ENTRY_ROOM], right[ENTRY_ROOM];

	cr_assert_eq(map_digest(a).sums[0], map_digest(b).sums[0]);
	cr_assert_eq(map_digest(a).sums[1], map_digest(b).sums[1]);
	for (; x && y;
		x = map_after(a, x->key, x->key_bytes), y = map_after(b, y->key, y->key_bytes)) {
		const struct entry *s = x, *t = y;

		cr_assert_str_eq(x->key, y->key);
		for (; s && t; s = s->sibling, t = t->sibling) {
			struct entry_record f = {0}, g = {0};

			cr_assert_eq(dot_compare(entry_dot(s), entry_dot(t)), 0);
			cr_assert_str_eq(entry_text(s, left), entry_text(t, right));
			cr_assert_eq(entry_content(s), entry_content(t));
			cr_assert_eq(entry_name(s, &f), entry_name(t, &g));
			cr_assert_eq(entry_decoded(s), entry_decoded(t));
			if (!entry_decoded(s))
				continue;
			cr_assert_eq(f.owner_kind, g.owner_kind);
			cr_assert_str_eq(f.owner_id, g.owner_id);
			cr_assert_eq(f.epoch, g.epoch);
			cr_assert(origin_equal(f.node, g.node));
			cr_assert_eq(f.created, g.created);
		}
		cr_assert(!s && !t);
	}
	cr_assert(!x && !y);
}

Test(name_forms, two_forms_have_one_digest_one_order_and_one_meaning)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct map *w[MAPS], *packed = new_map(20), *text = new_map(21);
		struct block_sums a = {0}, b = {0};

		state = seed;
		for (unsigned i = 0; i < MAPS; i++)
			w[i] = new_map(1 + i);
		for (uint64_t t = 1; t <= ROUNDS; t++) {
			struct map *m = w[draw(MAPS)];

			switch (draw(7)) {
			case 0:
				pull(m, w[draw(MAPS)]);
				map_sweep(m);
				break;
			case 1:
				pull(packed, m);
				map_sweep(packed);
				pull_as_text(text, m);
				cr_alike(packed, text);
				break;
			default:
				put_some(m, 1 + t / 4);
				map_sweep(m);
			}
		}
		cr_assert_eq(map_block_sums(packed, &a), ERR_OK);
		cr_assert_eq(map_block_sums(text, &b), ERR_OK);
		cr_assert_eq(a.sum_count, b.sum_count);
		for (size_t i = 0; i < a.sum_count; i++)
			cr_assert_eq(a.sums[i].sum, b.sums[i].sum);
		map_rekey(packed, 7);
		map_rekey(text, 7);
		cr_alike(packed, text);
		block_sums_fini(&a);
		block_sums_fini(&b);
		for (unsigned i = 0; i < MAPS; i++)
			map_free(w[i]);
		map_free(packed);
		map_free(text);
	}
}

/* ---- memory ---- */

enum answer { DIFFERENCE, SLICE, SLICE_REDO, REPAIR, STREAM, ANSWERS };

static enum err answer(enum answer what, struct map *m, const struct block_sums *sums,
	const struct vector *theirs, struct fragment *ret)
{
	const struct origin_id want[] = {origin(1), origin(2)};
	struct vector none = VECTOR_INIT;
	struct stream *s = NULL;
	bool last = false;
	enum err e = ERR_OK;

	switch (what) {
	case DIFFERENCE:
		return map_difference(m, &none, ret);
	case SLICE:
		return map_slice(m, &none, want, 1, ret);
	case SLICE_REDO:
		return map_slice(m, &none, want, 2, ret);
	case REPAIR:
		return map_difference_checked(m, theirs, sums, true, ret);
	case STREAM:
		e = stream_new(m, &none, NULL, &s);
		while (e == ERR_OK && !last) {
			fragment_fini(ret);
			e = stream_next(s, 2, ret, &last);
		}
		stream_free(s);
		return e;
	case ANSWERS:
		break;
	}
	return ERR_OK;
}

Test(name_forms, no_answer_leaks_or_frees_twice_what_it_made)
{
	struct vector stable = VECTOR_INIT;
	struct map *m = new_map(1), *other = new_map(2), *less = new_map(3);
	struct block_sums sums = {0};
	struct changes c = {0};
	char key[32];

	pull(less, m);
	for (unsigned i = 0; i < 9; i++) {
		snprintf(key, sizeof(key), "entry/default/%u", i);
		must_put_name(m, key, "1", i + 1);
	}
	must_put_name(other, "entry/default/3", "\"x\"", 3);
	must_put_name(other, "entry/default/3", "\"y\"", 4);
	pull(m, other);
	cr_assert_eq(vector_raise(&stable, origin(2), 2), ERR_OK);
	cr_assert_eq(map_truncate(m, &stable, &c), ERR_OK);
	/* It knows the same and holds nothing. */
	for (size_t i = 0; i < map_vector(m)->used; i++)
		cr_assert_eq(map_load_vector(less, map_vector(m)->items[i].origin,
				     map_vector(m)->items[i].count, 0, 0),
			ERR_OK);
	cr_assert_eq(map_block_sums(less, &sums), ERR_OK);
	for (enum answer what = 0; what < ANSWERS; what++) {
		bool failed = true;
		long n = 0;

		for (; failed; n++) {
			struct fragment f = {0};
			enum err e;

			failing_arm(n);
			e = answer(what, m, &sums, map_vector(less), &f);
			failed = failing_disarm();
			cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%d %ld", what, n);
			fragment_fini(&f);
		}
		cr_assert_gt(n, 5, "%d", what);
	}
	block_sums_fini(&sums);
	vector_fini(&stable);
	changes_fini(&c);
	map_free(m);
	map_free(other);
	map_free(less);
}

/* A repair of names, ours and theirs, that runs out of memory at every allocation. */
Test(name_forms, a_repair_without_memory_loses_no_name)
{
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		struct map *a = new_map(1), *b = new_map(2), *source = new_map(5);
		struct hybrid_clock clock = {0};
		struct block_sums sums = {0};
		struct changes c = {0};
		struct fragment f = {0}, g = {0};
		struct vector none = VECTOR_INIT;
		enum err e;

		for (int i = 0; i < 4; i++) {
			char key[32];

			snprintf(key, sizeof(key), "entry/default/%d", i);
			must_put_name(source, key, "1", (uint64_t)i + 1);
		}
		cr_assert_eq(map_difference(source, &none, &g), ERR_OK);
		for (size_t i = 0; i < g.put_count; i++) {
			const struct fragment_put *p = &g.puts[i];
			char *other = strdup(p->value);

			other[p->value_bytes - 2] = '2';
			if (i != 0)
				cr_assert_eq(
					map_load_entry(a, p->dot, p->clock, p->key, p->key_bytes,
						p->value, p->value_bytes, record_dup(p->record)),
					ERR_OK);
			if (i != 1)
				cr_assert_eq(map_load_entry(b, p->dot, p->clock, p->key,
						     p->key_bytes, i == 2 ? other : p->value,
						     p->value_bytes, record_dup(p->record)),
					ERR_OK);
			free(other);
		}
		cr_assert_eq(map_load_vector(a, origin(5), 4, 0, 0), ERR_OK);
		cr_assert_eq(map_load_vector(b, origin(5), 4, 0, 0), ERR_OK);
		cr_assert_eq(map_load_end(a), ERR_OK);
		cr_assert_eq(map_load_end(b), ERR_OK);
		cr_assert_eq(map_block_sums(a, &sums), ERR_OK);
		cr_assert_eq(map_difference_checked(b, map_vector(a), &sums, true, &f), ERR_OK);
		failing_arm(n);
		e = map_repair(a, &f, &clock, 1000, &c);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK);
		map_sweep(a);
		if (failed) {
			fragment_fini(&f);
			block_sums_fini(&sums);
			pull(b, a);
			map_sweep(b);
			cr_assert_eq(map_block_sums(a, &sums), ERR_OK);
			cr_assert_eq(
				map_difference_checked(b, map_vector(a), &sums, true, &f), ERR_OK);
			cr_assert_eq(map_repair(a, &f, &clock, 2000, &c), ERR_OK);
			map_sweep(a);
		}
		pull(b, a);
		map_sweep(b);
		cr_assert_eq(map_digest(a).sums[0], map_digest(b).sums[0]);
		for (int i = 0; i < 4; i++) {
			char key[32];
			struct entry_record r;
			const struct entry *x;

			snprintf(key, sizeof(key), "entry/default/%d", i);
			x = map_get(a, key, strlen(key));
			cr_assert(x && entry_name(x, &r));
			cr_assert_str_eq(r.owner_id, "me");
			cr_assert_neq(x->form, 0);
			cr_assert_eq(x->sibling != NULL, i == 2);
		}
		changes_fini(&c);
		fragment_fini(&f);
		fragment_fini(&g);
		block_sums_fini(&sums);
		map_free(a);
		map_free(b);
		map_free(source);
	}
	cr_assert_gt(n, 10);
}

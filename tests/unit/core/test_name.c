#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/core/name.h"
#include "server/core/replica.h"
#include "tests/unit/core/maps.h"

static const struct origin_id place = {0x0123456789abcdef, 0xfedcba9876543210};

/* The record of `fields` with the value `raw`, and its text as it travels. */
static struct record *written(struct entry_record fields, const char *raw, struct text *text)
{
	struct record *r = record_new_entry(&fields, strlen(fields.owner_id));

	record_encode(r, raw, strlen(raw), text);
	cr_assert_not_null(text_cstr(text));
	r->entry.value_bytes = (uint32_t)strlen(raw);
	r->entry.value_at = (uint32_t)(text->used - 1 - strlen(raw));
	return r;
}

static void expect_same(const struct entry_record *a, const struct entry_record *b)
{
	cr_expect_eq(a->owner_kind, b->owner_kind);
	cr_expect_str_eq(a->owner_id, b->owner_id);
	cr_expect(origin_equal(a->node, b->node));
	cr_expect_eq(a->epoch, b->epoch);
	cr_expect_eq(a->created, b->created);
	cr_expect_eq(a->first, b->first);
	cr_expect_eq(a->voted, b->voted);
	cr_expect_eq(a->value_at, b->value_at);
	cr_expect_eq(a->value_bytes, b->value_bytes);
}

/* Whatever way it is kept, an entry of this text and record gives back both. */
static void expect_kept(const struct record *r, const struct text *text, bool packed)
{
	struct entry *e = entry_new(text->bytes, text->used, r);
	char room[ENTRY_ROOM];
	struct entry_record fields;
	struct record *copy;
	const char *raw;
	size_t bytes;

	cr_assert_not_null(e);
	cr_assert_eq(e->form != 0, packed, "%s", text->bytes);
	if (!packed)
		e->record = r;
	cr_expect_eq(e->value_bytes, text->used);
	cr_expect_str_eq(entry_text(e, room), text->bytes);
	cr_assert(entry_name(e, &fields));
	expect_same(&fields, &r->entry);
	raw = entry_raw(e, &bytes);
	cr_expect_eq(bytes, r->entry.value_bytes);
	cr_expect_eq(memcmp(raw, text->bytes + r->entry.value_at, bytes), 0);
	copy = entry_record_dup(e);
	expect_same(&copy->entry, &r->entry);
	record_free(copy);
	entry_discard(e);
}

static void expect(struct entry_record fields, const char *raw, bool packed)
{
	struct text text = TEXT_INIT;
	struct record *r = written(fields, raw, &text);

	expect_kept(r, &text, packed);
	record_free(r);
	text_fini(&text);
}

Test(name, what_this_version_writes_is_kept_as_its_fields)
{
	static const char *const values[] = {"null", "0.10", "\"\\u0000\"", "{\"a\":[1,2 ]}", "[]"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		expect((struct entry_record){OWNER_STATIC, .owner_id = "\xc3\xa4", .created = i},
			values[i], true);
		expect((struct entry_record){OWNER_STATIC, .owner_id = "a", .created = i,
			       .voted = i % 2, .first = true},
			values[i], true);
		expect((struct entry_record){OWNER_CHILD, .owner_id = "default/web", .node = place,
			       .epoch = UINT64_MAX, .created = UINT64_MAX},
			values[i], true);
		expect((struct entry_record){OWNER_CHILD, .owner_id = "default/web", .epoch = 10},
			values[i], true);
	}
}

Test(name, it_is_smaller_than_the_text_and_a_record)
{
	struct text text = TEXT_INIT;
	struct record *r = written((struct entry_record){OWNER_STATIC, .owner_id = "b"},
		"\"thirty-two bytes of a raw value\"", &text);
	unsigned form = name_form_of(r, text.bytes, text.used);

	cr_assert_eq(form, NAME_PACKED);
	/* created, the length, the id, the value */
	cr_expect_eq(name_packed_bytes(r, form), 8 + 4 + 2 + 33);
	record_free(r);
	text_fini(&text);
}

Test(name, an_id_that_json_writes_otherwise_is_kept_as_text)
{
	static const char *const ids[] = {"a\"b", "a\\b", "a\tb"};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		expect((struct entry_record){OWNER_STATIC, .owner_id = ids[i]}, "1", false);
}

Test(name, up_to_its_limits_it_is_packed_and_beyond_them_kept_as_text)
{
	char id[258], raw[NAME_TEXT_MAX];
	size_t head = strlen("{\"owner\":{\"kind\":\"static\",\"id\":\"a\"},"
			     "\"created\":\"0000000000000000\",\"value\":}");

	memset(id, 'i', sizeof(id) - 1);
	id[257] = '\0';
	expect((struct entry_record){OWNER_STATIC, .owner_id = id}, "1", false);
	id[256] = '\0';
	expect((struct entry_record){OWNER_CHILD, .owner_id = id, .node = place,
		       .epoch = UINT64_MAX},
		"1", true);
	memset(raw, '1', sizeof(raw));
	raw[NAME_TEXT_MAX - head] = '\0';
	expect((struct entry_record){OWNER_STATIC, .owner_id = "a"}, raw, true);
	raw[NAME_TEXT_MAX - head] = '1';
	raw[NAME_TEXT_MAX - head + 1] = '\0';
	expect((struct entry_record){OWNER_STATIC, .owner_id = "a"}, raw, false);
}

/* Another version, or a person, may write the same fields in another way: the text is kept then. */
Test(name, any_other_text_is_kept_byte_for_byte)
{
	struct text text = TEXT_INIT;
	struct record *r = written((struct entry_record){OWNER_CHILD, .owner_id = "default/web",
					   .node = place, .epoch = 7, .created = 9},
		"\"value\"", &text);

	for (size_t at = 0; at < text.used; at++) {
		if (at >= r->entry.value_at && at < text.used - 1)
			continue; /* it is the value's */
		text.bytes[at] ^= 1;
		expect_kept(r, &text, false);
		text.bytes[at] ^= 1;
	}
	text_add(&text, " ", 1);
	(void)text_cstr(&text);
	expect_kept(r, &text, false);
	record_free(r);
	text_fini(&text);
}

Test(name, without_a_record_or_of_another_family_it_is_a_text)
{
	struct record other = {.family = FAMILY_STATUS};
	struct entry *e = entry_new("{}", 2, NULL), *s = entry_new("{}", 2, &other);
	struct entry_record fields;

	cr_expect_str_eq(entry_text(e, NULL), "{}");
	cr_expect_not(entry_name(e, &fields));
	cr_expect_not(entry_decoded(e));
	cr_expect_null(entry_record_dup(e));
	s->record = &other;
	cr_expect_not(entry_name(s, &fields));
	cr_expect(entry_decoded(s));
	entry_discard(e);
	entry_discard(s);
}

/* What was made for an answer that is none in the end is freed with it. */
Test(name, a_slice_that_turns_out_to_be_below_a_floor_carries_nothing)
{
	struct map *m = new_map(1), *other = new_map(2);
	struct origin_id want[] = {origin(1), origin(2)};
	struct vector none = VECTOR_INIT, stable = VECTOR_INIT;
	struct changes c = {0};
	struct fragment f;

	must_put_name(m, "entry/default/a", "1", 1);
	must_put(other, "k", "1", 1);
	must_put(other, "k", "2", 2);
	pull(m, other);
	cr_assert_eq(vector_raise(&stable, origin(2), 2), ERR_OK);
	cr_assert_eq(map_truncate(m, &stable, &c), ERR_OK);
	cr_assert_eq(map_slice(m, &none, want, 1, &f), ERR_OK);
	cr_assert_eq(f.put_count, 1);
	cr_assert(f.puts[0].made);
	cr_assert_str_eq(f.puts[0].record->entry.owner_id, "me");
	fragment_fini(&f);
	cr_assert_eq(map_slice(m, &none, want, 2, &f), ERR_OK);
	cr_assert_eq(f.mode, FRAGMENT_REDO);
	cr_assert_eq(f.put_count + f.range_count + f.kill_count, 0);
	cr_assert(vector_equal(&f.vector, map_vector(m)));
	fragment_fini(&f);
	vector_fini(&stable);
	changes_fini(&c);
	map_free(m);
	map_free(other);
}

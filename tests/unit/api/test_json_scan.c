/*
 * The scanners in a hurry against jansson: wherever they say yes, it must say yes too, and mean the
 * same; and they must say yes to what is usual, or they are good for nothing.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/json_scan.h"
#include "api/records.h"
#include "api/records_scan.h"

#define MUTANTS 60000 /* of each seed */
#define MUTANT_BYTES_MAX 512

/* ---- texts: good ones, and what becomes of them ---- */

static uint64_t state = 88172645463325252u;

static uint64_t chance(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static const char *const seeds[] = {"{\"a\":[1,-2,0.5,true,false,null,\"x\\n\",{}]}",
	"[[[],[[1]]],{\"a\":{\"b\":[{\"c\":\"\xc3\xa9\xf0\x9f\x90\x9d\"}]}}]",
	"\"plain \xe2\x82\xac text\"", "-12345678901234567", "[ 1 , { \"k\" : \"v\" } ]", "0",
	"true",
	"{\"owner\":{\"kind\":\"child\",\"id\":\"default/web\",\"node\":"
	"\"00112233445566778899aabbccddeeff\",\"epoch\":17},\"created\":\"0123456789abcdef\","
	"\"value\":{\"port\":8080,\"tags\":[\"a\",\"b\"]}}",
	"{\"owner\":{\"kind\":\"static\",\"id\":\"8f\xc3\xa9\",\"node\":"
	"\"00112233445566778899AABBCCDDEEFF\",\"epoch\":0},\"created\":\"0000000000000001\","
	"\"value\":null}",
	"{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"created\":\"0123456789abcdef\","
	"\"value\":[7]}"};
#define SEEDS (sizeof(seeds) / sizeof(seeds[0]))

static const char *const bits[] = {"\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "0", "1",
	"-", ".", "e", "E9", "+", "t", "null", "\\u0000", "\\ud800", "\\u00e9", "\\/", "\x01",
	"\x7f", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xc3", "\"a\":1,",
	"99999999999999999999", "1e400", "00", "\"value\":2,", "{}", "[]"};

/* Some bits of the seed are taken out, put in, or doubled. */
static size_t mutate(const char *seed, char out[MUTANT_BYTES_MAX])
{
	size_t used = strlen(seed);

	memcpy(out, seed, used + 1);
	for (uint64_t n = chance(4); n > 0; n--) {
		size_t at = chance(used + 1), cut = chance(3), added = 0;
		const char *bit = bits[chance(sizeof(bits) / sizeof(bits[0]))];

		cut = cut > used - at ? used - at : cut;
		if (chance(3) > 0)
			added = strlen(bit);
		if (used - cut + added >= MUTANT_BYTES_MAX)
			continue;
		memmove(out + at + added, out + at + cut, used - at - cut);
		memcpy(out + at, bit, added);
		used += added - cut;
	}
	out[used] = '\0';
	return used;
}

/* ---- values ---- */

static bool slow_value(const char *text, size_t bytes)
{
	json_t *o = NULL;
	enum err e = json_read(text, bytes, JSON_DECODE_ANY, &o);

	if (e == ERR_OK)
		json_decref(o);
	return e == ERR_OK;
}

Test(json_scan, a_value_it_takes_is_one_for_jansson_too, .timeout = 120)
{
	char text[MUTANT_BYTES_MAX];

	for (size_t i = 0; i < SEEDS; i++) {
		size_t taken = 0;

		for (size_t n = 0; n < MUTANTS; n++) {
			size_t bytes = mutate(seeds[i], text);

			if (!json_scan_value(text, bytes))
				continue;
			taken++;
			cr_assert(slow_value(text, bytes), "%s", text);
		}
		cr_assert_gt(taken, 1000, "%s", seeds[i]);
	}
}

Test(json_scan, usual_values_are_taken)
{
	static const char *const taken[] = {"0", "-1", "1.5", "123456789012345678", "true", "false",
		"null", "\"\"", "\"a\\n\\\"\\\\\\/\\b\\f\\r\\t\"", "[]", "{}", "[1,2]",
		"{\"a\":{\"b\":[]}}", "[ 1 ,\t2 ]", "{ \"a\" : 1 , \"b\" : 2 }",
		"\"\xc3\xa9\x7f\""};
	static const char *const left[] = {"", " 1", "1 ", "01", "-", "1.", ".5", "1e5", "+1",
		"1234567890123456789", "nul", "truex", "\"", "\"\\u00e9\"", "\"\x01\"", "\"\xc3\"",
		"[", "[1", "[1,", "[1,]", "[,1]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{1:2}",
		"]", "1,2", "[1]]", "[}", "{]", "\"a\"\"b\"", "[1 2]"};
	char deep[2 * JSON_SCAN_DEPTH_MAX + 3];

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		cr_assert(json_scan_value(taken[i], strlen(taken[i])), "%s", taken[i]);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		cr_assert_not(json_scan_value(left[i], strlen(left[i])), "%s", left[i]);
	for (size_t depth = JSON_SCAN_DEPTH_MAX; depth <= JSON_SCAN_DEPTH_MAX + 1; depth++) {
		memset(deep, '[', depth + 1);
		memset(deep + depth, '1', 1);
		memset(deep + depth + 1, ']', depth);
		cr_assert_eq(json_scan_value(deep, 2 * depth + 1), depth == JSON_SCAN_DEPTH_MAX);
	}
}

/* A text that ends anywhere is not read beyond its end: it stands at the end of its memory. */
Test(json_scan, nothing_is_read_beyond_the_end)
{
	for (size_t i = 0; i < SEEDS; i++) {
		for (size_t bytes = 0; bytes < strlen(seeds[i]); bytes++) {
			char *copy = malloc(bytes ? bytes : 1);

			memcpy(copy, seeds[i], bytes);
			if (json_scan_value(copy, bytes))
				cr_assert(slow_value(copy, bytes));
			json_scan_plain(copy, bytes);
			free(copy);
		}
	}
}

/* ---- plain strings ---- */

Test(json_scan, a_plain_string_means_what_stands_between_its_quotes)
{
	char text[MUTANT_BYTES_MAX];
	size_t taken = 0;

	for (size_t n = 0; n < MUTANTS; n++) {
		size_t bytes = mutate(seeds[2], text);
		size_t plain = json_scan_plain(text, bytes);
		json_t *s = NULL;

		if (plain == 0)
			continue;
		taken++;
		cr_assert_eq(json_read(text, plain, JSON_DECODE_ANY, &s), ERR_OK, "%s", text);
		cr_assert(json_is_string(s));
		cr_assert_eq(json_string_length(s), plain - 2);
		cr_assert_eq(memcmp(json_string_value(s), text + 1, plain - 2), 0);
		json_decref(s);
	}
	cr_assert_gt(taken, 1000);
}

/* ---- records ---- */

/* A space in front makes the scanner say no, so this is the long way. */
static enum err decode_slowly(
	const char *key, const char *text, size_t bytes, struct record **ret_record)
{
	char spaced[MUTANT_BYTES_MAX + 1] = " ";

	memcpy(spaced + 1, text, bytes);
	return record_decode_checked(key, strlen(key), spaced, bytes + 1, ret_record);
}

static void cr_same_entries(const struct record *a, const struct record *b, const char *text)
{
	const struct entry_record *e = &a->entry, *f = &b->entry;

	cr_assert_eq(a->family, FAMILY_ENTRY);
	cr_assert_eq(b->family, FAMILY_ENTRY);
	cr_assert_eq(e->owner_kind, f->owner_kind, "%s", text);
	cr_assert_str_eq(e->owner_id, f->owner_id);
	cr_assert(origin_equal(e->node, f->node), "%s", text);
	cr_assert_eq(e->epoch, f->epoch, "%s", text);
	cr_assert_eq(e->created, f->created, "%s", text);
	cr_assert_eq(e->value_at + 1, f->value_at, "%s", text);
	cr_assert_eq(e->value_bytes, f->value_bytes, "%s", text);
}

Test(json_scan, an_entry_it_takes_is_decoded_to_the_same_record, .timeout = 120)
{
	char text[MUTANT_BYTES_MAX];

	for (size_t i = SEEDS - 2; i < SEEDS; i++) {
		size_t taken = 0;

		for (size_t n = 0; n < MUTANTS; n++) {
			struct record *fast = NULL, *slow = NULL;
			size_t bytes = mutate(seeds[i], text);
			enum err e = record_scan(FAMILY_ENTRY, text, bytes, &fast);

			if (e == ERR_NOT_FOUND)
				continue;
			cr_assert_eq(e, ERR_OK);
			taken++;
			cr_assert_eq(decode_slowly("entry/default/a", text, bytes, &slow), ERR_OK,
				"%s", text);
			cr_assert(slow, "%s", text);
			cr_same_entries(fast, slow, text);
			record_free(fast);
			record_free(slow);
		}
		cr_assert_gt(taken, 1000, "%s", seeds[i]);
	}
}

Test(json_scan, what_has_no_record_needs_only_to_be_json)
{
	struct record *r = (struct record *)&state;

	cr_assert_eq(record_scan(FAMILY_META, "{\"a\":1}", 7, &r), ERR_OK);
	cr_assert_null(r);
	cr_assert_eq(record_scan(FAMILY_OTHER, "1", 1, &r), ERR_OK);
	cr_assert_eq(record_scan(FAMILY_META, "{\"a\":1", 6, &r), ERR_NOT_FOUND);
	cr_assert_eq(record_scan(FAMILY_SPEC, "{}", 2, &r), ERR_NOT_FOUND);
	cr_assert_eq(record_scan(FAMILY_ENTRY, "{}", 2, &r), ERR_NOT_FOUND);
}

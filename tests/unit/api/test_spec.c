#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "api/spec.h"
#include "tests/unit/core/failing.h"

static json_t *parse(const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

	cr_assert(value, "%s", json);
	return value;
}

static void expect_canonical(const char *json, const char *wanted)
{
	struct text out = TEXT_INIT;
	json_t *spec = parse(json);

	cr_assert_eq(spec_canonical(spec, &out), ERR_OK);
	cr_assert_str_eq(text_cstr(&out), wanted);
	json_decref(spec);
	text_fini(&out);
}

Test(spec, canonical_text_is_sorted_without_space_and_read_only_members)
{
	expect_canonical("{ \"restart\": \"transient\", \"command\": [\"a\", \"b c\"] }",
		"{\"command\":[\"a\",\"b c\"],\"restart\":\"transient\"}");
	expect_canonical("{\"id\":\"x\",\"supervisor\":\"default\",\"desired\":\"stopped\","
			 "\"created_at\":\"t\",\"source\":\"file\",\"etag\":\"e\",\"status\":{"
			 "\"state\":\"running\"},"
			 "\"warnings\":[],\"command\":[\"a\"]}",
		"{\"command\":[\"a\"]}");
	expect_canonical("{\"labels\":{\"id\":\"kept\",\"a\":\"1\"}}",
		"{\"labels\":{\"a\":\"1\",\"id\":\"kept\"}}");
}

Test(spec, canonical_text_keeps_short_decimals_short)
{
	expect_canonical("{\"backoff\":{\"factor\":1.1}}", "{\"backoff\":{\"factor\":1.1}}");
	expect_canonical("{\"backoff\":{\"factor\":2.0}}", "{\"backoff\":{\"factor\":2.0}}");
}

Test(spec, canonical_text_of_itself_is_the_same)
{
	const char *text = "{\"backoff\":{\"factor\":1.3},\"command\":[\"\xc3\xbc\\n\"]}";

	expect_canonical(text, text);
}

Test(spec, a_value_comes_apart_into_what_it_was_made_of)
{
	struct spec_parts in = {.created_at_ms = 1700000000123,
				  .running = false,
				  .spec = "{\"a\":1}",
				  .spec_bytes = 7},
			  out;
	struct text value = TEXT_INIT;

	spec_value(&in, &value);
	cr_assert_str_eq(text_cstr(&value),
		"{\"created_at\":1700000000123,\"desired\":\"stopped\",\"spec\":{\"a\":1}}");
	cr_assert_eq(spec_split(value.bytes, value.used, &out), ERR_OK);
	cr_assert_eq(out.created_at_ms, in.created_at_ms);
	cr_assert_not(out.running);
	cr_assert_not(out.from_file);
	cr_assert_eq(out.spec_bytes, 7);
	cr_assert_eq(memcmp(out.spec, "{\"a\":1}", 7), 0);
	text_clear(&value);
	in.from_file = true;
	spec_value(&in, &value);
	cr_assert_str_eq(text_cstr(&value), "{\"created_at\":1700000000123,\"desired\":\"stopped\","
					    "\"source\":\"file\",\"spec\":{\"a\":1}}");
	cr_assert_eq(spec_split(value.bytes, value.used, &out), ERR_OK);
	cr_assert(out.from_file);
	text_fini(&value);
}

Test(spec, values_of_another_shape_are_malformed)
{
	static const char *const values[] = {"", "null", "[]", "{}", "{\"created_at\":1}",
		"{\"created_at\":1,\"desired\":\"running\"}",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":[1]}",
		"{\"created_at\":1.5,\"desired\":\"running\",\"spec\":{}}",
		"{\"created_at\":\"x\",\"desired\":\"running\",\"spec\":{}}"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct spec_parts out;

		cr_expect_eq(spec_split(values[i], strlen(values[i]), &out), ERR_MALFORMED, "%s",
			values[i]);
	}
}

/* The examples of RFC 7396, appendix A. */
Test(spec, merge_patch_gives_what_the_rfc_says)
{
	static const char *const rows[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
			"{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
		{"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
		{"{\"a\":\"foo\"}", "null", "null"},
		{"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
		{"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *target = parse(rows[i][0]), *patch = parse(rows[i][1]), *merged = NULL;
		json_t *before = json_deep_copy(target), *wanted = parse(rows[i][2]);

		cr_assert_eq(spec_merge(target, patch, &merged), ERR_OK);
		cr_expect(json_equal(merged, wanted), "row %zu", i);
		cr_expect(json_equal(target, before), "row %zu changed its target", i);
		json_decref(target);
		json_decref(before);
		json_decref(patch);
		json_decref(merged);
		json_decref(wanted);
	}
}

Test(spec, the_whole_is_over_the_limit_though_no_part_is)
{
	json_t *spec = parse("{\"command\":[\"a\"],\"labels\":{},\"env\":{}}");
	json_t *labels = json_object_get(spec, "labels"), *env = json_object_get(spec, "env");
	char name[16], half[SPEC_TEXT_BYTES_MAX / 2 + 1];

	cr_assert_null(spec_over_limit(spec));
	for (unsigned i = 0; i <= SPEC_LABELS_MAX; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		json_object_set_new(labels, name, json_stringn("", 0));
	}
	cr_assert_str_eq(spec_over_limit(spec), "/labels");
	memset(half, 'x', sizeof(half) - 1);
	half[sizeof(half) - 1] = '\0';
	json_object_set_new(env, "A", json_stringn(half, sizeof(half) - 1));
	cr_assert_str_eq(spec_over_limit(spec), "/labels");
	json_object_set_new(env, "B", json_stringn(half, sizeof(half) - 1));
	cr_assert_str_eq(spec_over_limit(spec), "/env");
	json_decref(spec);
}

Test(spec, without_memory_nothing_is_left_out)
{
	json_t *spec = parse("{\"command\":[\"a\"],\"env\":{\"A\":\"1\",\"B\":\"2\"}}");
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct text out = TEXT_INIT;
		enum err e;

		failing_arm(n);
		e = spec_canonical(spec, &out);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		cr_assert(failed || out.used == 41, "%zu", out.used);
		text_fini(&out);
	}
	json_decref(spec);
}

Test(spec, without_memory_nothing_is_merged_in_part)
{
	json_t *target = parse("{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"e\":1}");
	json_t *patch = parse("{\"a\":{\"x\":[{\"y\":\"z\"}]},\"e\":null}");
	json_t *wanted = parse("{\"a\":{\"b\":[1,{\"c\":\"d\"}],\"x\":[{\"y\":\"z\"}]}}");
	bool failed = true;

	for (long n = 0; failed; n++) {
		json_t *merged = NULL;
		enum err e;

		failing_arm(n);
		e = spec_merge(target, patch, &merged);
		failed = failing_disarm();
		cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
		cr_assert(failed || json_equal(merged, wanted));
		json_decref(merged);
	}
	json_decref(target);
	json_decref(patch);
	json_decref(wanted);
}

/* Small parts that only look at text: durations, UTF-8, nearest names, JSON as it was written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "api/duration.h"
#include "api/json_text.h"
#include "api/nearest.h"
#include "api/pattern.h"
#include "api/utf8.h"

Test(texts, durations_are_a_number_and_a_unit)
{
	static const struct {
		const char *text;
		enum err e;
		int64_t ms;
	} rows[] = {
		{"0", ERR_OK, 0},
		{"250", ERR_OK, 250},
		{"250ms", ERR_OK, 250},
		{"30s", ERR_OK, 30000},
		{"5m", ERR_OK, 300000},
		{"1h", ERR_OK, 3600000},
		{"", ERR_MALFORMED, 0},
		{"s", ERR_MALFORMED, 0},
		{"-1s", ERR_MALFORMED, 0},
		{"1.5s", ERR_MALFORMED, 0},
		{"1d", ERR_MALFORMED, 0},
		{"1 s", ERR_MALFORMED, 0},
		{"9007199254740991", ERR_OK, 9007199254740991},
		{"9007199254740s", ERR_OK, 9007199254740000},
		{"9007199254740992", ERR_LIMIT, 0},
		{"9007199254741s", ERR_LIMIT, 0},
		{"99999999999999999999h", ERR_LIMIT, 0},
		{"9007199254740h", ERR_LIMIT, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = 0;

		cr_expect_eq(duration_parse(rows[i].text, &ms), rows[i].e, "'%s'", rows[i].text);
		cr_expect_eq(ms, rows[i].ms, "'%s'", rows[i].text);
	}
}

Test(texts, only_whole_and_shortest_utf8_without_controls_is_text)
{
	static const struct {
		const char *bytes;
		bool good;
	} rows[] = {
		{"", true},
		{"abc", true},
		{"\xC3\xBC", true},
		{"\xE2\x82\xAC", true},
		{"\xF0\x9F\x98\x80", true},
		{"\xF4\x8F\xBF\xBF", true},
		{"\t", false},
		{"\x7F", false},
		{"\x80", false},
		{"\xC0\xAF", false},
		{"\xC1\xBF", false},
		{"\xE0\x9F\xBF", false},
		{"\xED\xA0\x80", false},
		{"\xF0\x8F\xBF\xBF", false},
		{"\xF4\x90\x80\x80", false},
		{"\xF5\x80\x80\x80", false},
		{"\xC3", false},
		{"\xE2\x82", false},
		{"\xC3(", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(utf8_is_text(rows[i].bytes, strlen(rows[i].bytes)), rows[i].good,
			"row %zu", i);
	cr_expect_eq(utf8_length("a\xC3\xBC\xE2\x82\xAC"), 3);
}

Test(texts, a_cut_sequence_is_trimmed)
{
	char cut[] = "ab\xE2\x82", whole[] = "ab\xC3\xBC", plain[] = "ab";

	utf8_trim(cut);
	utf8_trim(whole);
	utf8_trim(plain);
	cr_expect_str_eq(cut, "ab");
	cr_expect_str_eq(whole, "ab\xC3\xBC");
	cr_expect_str_eq(plain, "ab");
}

Test(texts, percent_encoding_goes_both_ways)
{
	char out[20];
	size_t count;
	struct text text = TEXT_INIT;

	cr_assert(percent_decode("a%2Fb%c3%BC", 11, out, &count));
	cr_expect_str_eq(out, "a/b\xC3\xBC");
	cr_expect_eq(count, 5);
	percent_encode(&text, out, count);
	cr_expect_str_eq(text_cstr(&text), "a%2Fb%C3%BC");
	cr_expect_not(percent_decode("a%2", 3, out, &count));
	cr_expect_not(percent_decode("%", 1, out, &count));
	cr_expect_not(percent_decode("%g0", 3, out, &count));
	cr_expect_not(percent_decode("%00", 3, out, &count));
	text_fini(&text);
}

static const char *nearest_of(const char *wanted)
{
	static const char *const known[] = {"command", "env", "restart", "max_restarts", NULL};
	struct nearest n = {.wanted = wanted};

	for (size_t i = 0; known[i]; i++)
		nearest_offer(&n, known[i]);
	return n.best;
}

Test(texts, the_nearest_name_is_found)
{
	cr_expect_str_eq(nearest_of("comand"), "command");
	cr_expect_str_eq(nearest_of("retsart"), "restart");
	cr_expect_str_eq(nearest_of("maxrestarts"), "max_restarts");
	cr_expect_str_eq(nearest_of("en"), "env");
	cr_expect_str_eq(
		nearest_of(
			"environment_that_is_much_longer_than_any_name_that_is_known_here_at_all"),
		"max_restarts");
}

static const char *member(const char *json, const char *name)
{
	static char out[100];
	size_t length;
	const char *at = json_member(json, strlen(json), name, &length);

	if (!at)
		return "(none)";
	snprintf(out, sizeof(out), "%.*s", (int)length, at);
	return out;
}

static const char *items_of(const char *json)
{
	static char out[200];
	size_t at = 0, length, used = 0;
	const char *item;

	out[0] = '\0';
	while ((item = json_item(json, strlen(json), &at, &length)))
		used += (size_t)snprintf(
			out + used, sizeof(out) - used, "<%.*s>", (int)length, item);
	return out;
}

Test(texts, items_are_cut_out_as_they_were_written)
{
	cr_expect_str_eq(items_of("[1, \"a,]\" ,{\"b\":[2,3]},[4]\n,null]"),
		"<1><\"a,]\"><{\"b\":[2,3]}><[4]><null>");
	cr_expect_str_eq(items_of(" [ 0.10 ] "), "<0.10>");
	cr_expect_str_eq(items_of("[]"), "");
	cr_expect_str_eq(items_of("{\"a\":[1]}"), "");
	cr_expect_str_eq(items_of(""), "");
	cr_expect_str_eq(items_of("[1,{\"a\":"), "<1><{\"a\":>", "it stays inside");
	cr_expect_str_eq(items_of(",1"), "");
}

Test(texts, a_member_is_cut_out_as_it_was_written)
{
	cr_expect_str_eq(member("{\"value\": 0.10 }", "value"), "0.10");
	cr_expect_str_eq(
		member(" { \"a\" : [1, {\"value\":2}] ,\"value\":{\"x\": \"}\\\"\"} }", "value"),
		"{\"x\": \"}\\\"\"}");
	cr_expect_str_eq(member("{\"v\\u0061lue\":\"a,\\\\\"}", "value"), "\"a,\\\\\"");
	cr_expect_str_eq(member("{\"la\\bels\":1,\"labels\":2}", "labels"), "2");
	cr_expect_str_eq(member("{\"\\n\\/\":1,\"n/\":2}", "\n/"), "1");
	cr_expect_str_eq(member("{\"gr\\u00FC\\u00df\":1,\"x\":2}", "gr\xc3\xbc\xc3\x9f"), "1");
	cr_expect_str_eq(member("{\"gr\xc3\xbc\":1,\"x\":2}", "gr\xc3\xbc"), "1");
	cr_expect_str_eq(member("{\"\\u20ac\":1}", "\xe2\x82\xac"), "1");
	cr_expect_str_eq(member("{\"\\ud83d\\ude00!\":1}", "\xf0\x9f\x98\x80!"), "1");
	cr_expect_str_eq(member("{\"\\u00fc\":1}", "\xfc"), "(none)");
	cr_expect_str_eq(member("{\"\\u00fc\":1}", "\xc3"), "(none)");
	cr_expect_str_eq(member("{\"\\u00\":1}", "a"), "(none)", "it ends");
	cr_expect_str_eq(member("{\"\\ud83d\":1,\"a\":2}", "a"), "2");
	cr_expect_str_eq(member("{\"a\":{\"value\":1}}", "value"), "(none)");
	cr_expect_str_eq(member("{\"value\":null,\"b\":1}", "value"), "null");
	cr_expect_str_eq(member("{\"values\":1}", "value"), "(none)");
	cr_expect_str_eq(member("[]", "value"), "(none)");
	cr_expect_str_eq(member("{\"value\":", "value"), "(none)");
	cr_expect_str_eq(member("{\"value", "value"), "(none)");
}

Test(texts, depth_is_counted_outside_of_strings)
{
	cr_expect_eq(json_depth("1", 1), 0);
	cr_expect_eq(json_depth("[[],[[]]]", 9), 3);
	cr_expect_eq(json_depth("[\"[[\\\"[\"]", 9), 1);
	cr_expect_eq(json_depth("[\"", 2), 1);
}

Test(texts, json_is_indented)
{
	struct text out = TEXT_INIT;

	json_indent(&out, "{\"a\":[1,{}],\"b\":\"x,{\"}", 22);
	cr_expect_str_eq(
		text_cstr(&out), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x,{\"\n}\n");
	text_fini(&out);
}

Test(texts, a_pattern_answers_as_the_regex_engine_does)
{
	static const char *const patterns[] = {"^[a-c]*$", "^[^=]*$", "^[a-z\\]*$", "^[a-c-]*$",
		"^[^\x01-\x1F\x7F]*$", "^[]a]*$", "^[[:alpha:]]*$", "^[a-c]+$", "^[-a]*$",
		"^[a^]*$", "^/", "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", "^[a-c]*$|x",
		"[a-c]*", "^[a-a]*$"};
	static const char *const texts[] = {"", "abc", "abd", "a=b", "\\a", "a-", "-", "]a",
		"a\x1F", "a\xC3\xBC", "^a", "/a", "x", "a.b", "a.", "abc"};
	size_t simple = 0;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct pattern p;

		cr_assert_eq(pattern_compile(&p, patterns[i]), 0, "%s", patterns[i]);
		simple += p.simple;
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++)
			cr_expect_eq(pattern_matches(&p, texts[j]),
				regexec(&p.regex, texts[j], 0, NULL, 0) == 0, "%s on %s",
				patterns[i], texts[j]);
		pattern_fini(&p);
	}
	cr_expect_geq(simple, 4);
}

Test(texts, what_is_no_text_is_mended_byte_by_byte)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {{"", ""}, {"plain \t\n", "plain \t\n"}, {"a\x01\x1b\x7f", "a???"},
		{"\xc3\xbc\xff", "\xc3\xbc?"}, {"\xbc\xc3\xbc", "?\xc3\xbc"}, {"\xe2\x82", "??"},
		{"\xed\xa0\x80", "???"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char bytes[16];

		strcpy(bytes, rows[i].bytes);
		utf8_mend(bytes, strlen(bytes));
		cr_expect_str_eq(bytes, rows[i].text, "row %zu", i);
	}
}

/* YAML as a tree: types by the core schema, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/markup.h"

static const struct markup *load(struct arena *a, const char *yaml)
{
	const struct markup *root = NULL;
	char why[HTTP_WHY_BYTES];

	cr_assert_eq(markup_load(a, yaml, strlen(yaml), &root, why), ERR_OK, "%s: %s", yaml, why);
	return root;
}

Test(markup, plain_scalars_are_typed_and_quoted_ones_are_strings)
{
	static const struct {
		const char *yaml;
		enum markup_kind kind;
		const char *json;
	} rows[] = {
		{"no", MARKUP_STRING, "\"no\""},
		{"on", MARKUP_STRING, "\"on\""},
		{"true", MARKUP_BOOL, "true"},
		{"FALSE", MARKUP_BOOL, "false"},
		{"~", MARKUP_NULL, "null"},
		{"022", MARKUP_INT, "22"},
		{"'022'", MARKUP_STRING, "\"022\""},
		{"-7", MARKUP_INT, "-7"},
		{"0x1F", MARKUP_INT, "31"},
		{"0o17", MARKUP_INT, "15"},
		{"1.5", MARKUP_REAL, "1.5"},
		{"1e3", MARKUP_REAL, "1000"},
		{".5", MARKUP_REAL, "0.5"},
		{"1.2.3", MARKUP_STRING, "\"1.2.3\""},
		{"-", MARKUP_LIST, "[null]"},
		{"e3", MARKUP_STRING, "\"e3\""},
		{"\"12\"", MARKUP_STRING, "\"12\""},
		{"!!str 12", MARKUP_STRING, "\"12\""},
		{"[1, a, {b: 'c'}]", MARKUP_LIST, "[1,\"a\",{\"b\":\"c\"}]"},
		{"{a: }", MARKUP_MAP, "{\"a\":null}"},
		{">-\n  a\n  b\n", MARKUP_STRING, "\"a b\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct text json = TEXT_INIT;
		const struct markup *m;

		arena_init(&a, NULL, 0);
		m = load(&a, rows[i].yaml);
		markup_json(&json, m);
		cr_expect_eq(m->kind, rows[i].kind, "%s", rows[i].yaml);
		cr_expect_str_eq(text_cstr(&json), rows[i].json, "%s", rows[i].yaml);
		text_fini(&json);
		arena_fini(&a);
	}
}

Test(markup, ambiguous_documents_are_refused_with_their_line)
{
	static const struct {
		const char *yaml, *why;
	} rows[] = {
		{"a: 1\nb: 2\na: 3\n", "line 3: duplicate key 'a'"},
		{"a: &x 1\n", "line 1: anchors"},
		{"a: &x {b: 1}\n", "anchors"},
		{"a: 1\nb: *x\n", "line 2: aliases"},
		{"a: !!int 3\n", "tag"},
		{"? [a]\n: b\n", "key"},
		{"a: [1\n", "line 2"},
		{"a: 1e999\n", "too large"},
		{"", "empty"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct markup *root = NULL;
		char why[HTTP_WHY_BYTES];
		struct arena a;

		arena_init(&a, NULL, 0);
		cr_expect_eq(markup_load(&a, rows[i].yaml, strlen(rows[i].yaml), &root, why),
			ERR_MALFORMED, "%s", rows[i].yaml);
		cr_expect(strstr(why, rows[i].why), "%s: %s", rows[i].yaml, why);
		arena_fini(&a);
	}
}

Test(markup, nesting_is_bounded)
{
	const struct markup *root = NULL;
	char why[HTTP_WHY_BYTES], yaml[200];
	struct arena a;

	arena_init(&a, NULL, 0);
	memset(yaml, '[', 100);
	memset(yaml + 100, ']', 99);
	yaml[199] = '\0';
	cr_expect_eq(markup_load(&a, yaml, 199, &root, why), ERR_MALFORMED);
	arena_fini(&a);
}

Test(markup, references_are_followed)
{
	struct arena a;
	const struct markup *root;

	arena_init(&a, NULL, 0);
	root = load(&a, "a: {b: {c: 5}}\n");
	cr_expect_eq(markup_follow(root, "#/a/b/c")->integer, 5);
	cr_expect_null(markup_follow(root, "#/a/x"));
	cr_expect_null(markup_follow(root, "other#/a"));
	cr_expect_eq(markup_int(markup_follow(root, "#/a/b"), "c", 1), 5);
	cr_expect_eq(markup_int(root, "c", 1), 1);
	arena_fini(&a);
}

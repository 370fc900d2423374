#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "api/selector.h"

static bool matches(const char *selector, const char *labels)
{
	struct selector s;
	json_t *parsed = labels ? json_loads(labels, 0, NULL) : NULL;
	bool yes;

	cr_assert(!labels || parsed);
	cr_assert_eq(selector_parse(selector, &s), ERR_OK, "%s", selector);
	yes = selector_matches(&s, parsed);
	json_decref(parsed);
	return yes;
}

Test(selector, all_terms_must_hold)
{
	static const struct {
		const char *selector;
		const char *labels;
		bool matches;
	} rows[] = {
		{"", NULL, true},
		{"app=web", "{\"app\":\"web\"}", true},
		{"app=web", "{\"app\":\"webb\"}", false},
		{"app=web", "{}", false},
		{"app=web", NULL, false},
		{"app=", "{\"app\":\"\"}", true},
		{"app=", "{}", false},
		{"tier!=db", "{\"tier\":\"db\"}", false},
		{"tier!=db", "{\"tier\":\"web\"}", true},
		{"tier!=db", NULL, true},
		{"app", "{\"app\":\"x\"}", true},
		{"app", "{}", false},
		{"!app", "{\"app\":\"x\"}", false},
		{"!app", NULL, true},
		{"app=web,tier!=db", "{\"app\":\"web\",\"tier\":\"front\"}", true},
		{"app=web,tier!=db", "{\"app\":\"web\",\"tier\":\"db\"}", false},
		{"app=web,tier!=db", "{\"app\":\"api\",\"tier\":\"front\"}", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(matches(rows[i].selector, rows[i].labels), rows[i].matches,
			"'%s' on %s", rows[i].selector, rows[i].labels);
}

Test(selector, a_term_without_a_name_is_malformed)
{
	static const char *const bad[] = {
		"=web", "!=web", "!", ",", "app=web,", ",app=web", "a,,b"};
	struct selector s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(selector_parse(bad[i], &s), ERR_MALFORMED, "%s", bad[i]);
}

Test(selector, too_long_or_too_many_is_a_limit)
{
	char text[SELECTOR_BYTES_MAX + 2];
	struct selector s;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(selector_parse(text, &s), ERR_LIMIT);
	text[sizeof(text) - 2] = '\0';
	cr_assert_eq(selector_parse(text, &s), ERR_OK);
	for (size_t i = 0; i < SELECTOR_TERMS_MAX; i++)
		memcpy(text + 2 * i, "a,", 2);
	memcpy(text + 2 * SELECTOR_TERMS_MAX, "a", 2);
	cr_assert_eq(selector_parse(text, &s), ERR_LIMIT);
	text[2 * SELECTOR_TERMS_MAX - 1] = '\0';
	cr_assert_eq(selector_parse(text, &s), ERR_OK);
}

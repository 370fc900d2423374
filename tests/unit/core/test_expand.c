/* What stands in place of `${HORDE_NAME}`, and what stays as it is. */
#include <criterion/criterion.h>

#include "server/core/expand.h"

static char *const variables[] = {
	"HORDE_NODE=n1", "HORDE_CHILD=we\"b", "HORDE_PORT_HTTP=8080", "HORDE_URL=a=b", NULL};

static void cr_expands(const char *text, bool json, const char *want, bool known)
{
	struct text out = TEXT_INIT;

	cr_assert_eq(expand(text, variables, json, &out), known, "%s", text);
	cr_assert_str_eq(text_cstr(&out), want);
	cr_assert_eq(expands(text), strcmp(text, want) != 0 || !known, "%s", text);
	text_fini(&out);
}

Test(expand, a_name_in_braces_is_its_value)
{
	cr_expands("${HORDE_NODE}", false, "n1", true);
	cr_expands("a ${HORDE_NODE}${HORDE_PORT_HTTP} b", false, "a n18080 b", true);
	cr_expands("${HORDE_URL}", false, "a=b", true);
}

Test(expand, two_dollars_are_one)
{
	cr_expands("$$", false, "$", true);
	cr_expands("echo $$$$", false, "echo $$", true);
	cr_expands("$${HORDE_NODE}", false, "${HORDE_NODE}", true);
	cr_expands("$$${HORDE_NODE}", false, "$n1", true);
}

Test(expand, any_other_dollar_stays)
{
	static const char *const plain[] = {"", "$", "a$", "$HORDE_NODE", "${HOME}", "${HORDE_NODE",
		"${HORDE_node}", "${HORDE_NODE:-x}", "$1 $(id) ${x}", "{HORDE_NODE}"};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		cr_expands(plain[i], false, plain[i], true);
}

Test(expand, what_is_not_known_stays_and_is_told)
{
	cr_expands("${HORDE_X} ${HORDE_NODE}", false, "${HORDE_X} n1", false);
	cr_expands("${HORDE_NOD}", false, "${HORDE_NOD}", false);
	cr_expands("${HORDE_NODES}", false, "${HORDE_NODES}", false);
}

Test(expand, a_value_is_escaped_within_json)
{
	cr_expands("{\"a\":\"${HORDE_CHILD}\"}", true, "{\"a\":\"we\\\"b\"}", true);
	cr_expands("${HORDE_CHILD}", false, "we\"b", true);
}

Test(expand, the_next_name_is_found_where_it_means_one)
{
	size_t bytes;
	const char *text = "$${HORDE_A}$ ${HORDE_BC}";

	cr_assert_eq(expand_next(text, &bytes), text + 13);
	cr_assert_eq(bytes, strlen("HORDE_BC"));
	cr_assert_null(expand_next("$${HORDE_A}", &bytes));
}

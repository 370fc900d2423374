/* The decision about a declared child, over all that it can see. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "server/core/declared.h"

enum { ABSENT, SAME, CHANGED, NEW, GONE }; /* what the file says against what is remembered */

static enum declared_act decide(int said, bool present, bool equal, bool from_file)
{
	struct declared_view v = {.present = present, .equal = equal, .from_file = from_file};

	if (said == SAME || said == CHANGED || said == NEW)
		v.digest = "1f";
	if (said == SAME || said == CHANGED || said == GONE)
		v.remembered = said == SAME ? "1f" : "2e";
	return declared_decide(&v);
}

Test(declared, acts_only_where_the_file_changed)
{
	static const struct {
		int said;
		bool present, equal, from_file;
		enum declared_act act;
	} rows[] = {
		/* the file says what it said: whatever became of the child stands */
		{SAME, false, false, false, DECLARED_NOTHING},
		{SAME, true, false, false, DECLARED_NOTHING},
		{SAME, true, false, true, DECLARED_NOTHING},
		{SAME, true, true, false, DECLARED_NOTHING},
		{SAME, true, true, true, DECLARED_NOTHING},
		/* it names the child for the first time */
		{NEW, false, false, false, DECLARED_PUT},
		{NEW, true, false, false, DECLARED_PUT},
		{NEW, true, false, true, DECLARED_PUT},
		{NEW, true, true, false, DECLARED_REMEMBER},
		{NEW, true, true, true, DECLARED_REMEMBER},
		/* it says something else */
		{CHANGED, false, false, false, DECLARED_PUT},
		{CHANGED, true, false, false, DECLARED_PUT},
		{CHANGED, true, false, true, DECLARED_PUT},
		{CHANGED, true, true, false, DECLARED_REMEMBER},
		{CHANGED, true, true, true, DECLARED_REMEMBER},
		/* it names the child no more */
		{GONE, false, false, false, DECLARED_FORGET},
		{GONE, true, false, false, DECLARED_FORGET},
		{GONE, true, false, true, DECLARED_DELETE},
		/* and never has */
		{ABSENT, false, false, false, DECLARED_NOTHING},
		{ABSENT, true, false, false, DECLARED_NOTHING},
		{ABSENT, true, false, true, DECLARED_NOTHING},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(
			decide(rows[i].said, rows[i].present, rows[i].equal, rows[i].from_file),
			rows[i].act, "row %zu", i);
}

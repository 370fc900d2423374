#include <criterion/criterion.h>
#include <string.h>

#include "api/entry.h"

Test(entry, owners_are_read_from_their_texts)
{
	struct owner o;

	cr_assert_eq(owner_parse("child:default/web", &o), ERR_OK);
	cr_assert_eq(o.kind, OWNER_CHILD);
	cr_assert_str_eq(o.id, "default/web");
	cr_assert_eq(owner_parse("lease:1f", &o), ERR_OK);
	cr_assert_eq(o.kind, OWNER_LEASE);
	cr_assert_str_eq(o.id, "1f");
	cr_assert_eq(owner_parse("static:db", &o), ERR_OK);
	cr_assert_eq(o.kind, OWNER_STATIC);
	cr_assert_str_eq(o.id, "db");
}

Test(entry, what_is_no_owner_is_malformed)
{
	static const char *const bad[] = {"", "child", "child:", "child:web", "child:/web",
		"child:default/", "child:default/a/b", "static:", "lease:", "leases:1", ":x",
		"Child:default/web", "childs:default/web"};
	struct owner o;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(owner_parse(bad[i], &o), ERR_MALFORMED, "%s", bad[i]);
}

Test(entry, the_hash_of_two_depends_on_both_and_on_their_order)
{
	cr_assert_neq(hash_pair(1, 2), hash_pair(2, 1));
	cr_assert_neq(hash_pair(0, 0), hash_pair(0, 1));
	cr_assert_neq(hash_pair(0, 0), hash_pair(1, 0));
	cr_assert_eq(hash_pair(7, 9), hash_pair(7, 9));
}

/* Paths to operations. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/router.h"

static struct operation operations[] = {
	{.id = "list", .path = "/keys", .method = METHOD_GET},
	{.id = "get", .path = "/keys/{key}", .method = METHOD_GET},
	{.id = "put", .path = "/keys/{key}", .method = METHOD_PUT},
	{.id = "count", .path = "/keys/count", .method = METHOD_GET},
	{.id = "value", .path = "/keys/{key}/value", .method = METHOD_GET},
	{.id = "pass", .path = "/to/{key}/{path}", .method = METHOD_POST, .rest = true},
};

static struct arena arena;
static struct router router;

static void setup(void)
{
	arena_init(&arena, NULL, 0);
	cr_assert_eq(router_init(&router, &arena), ERR_OK);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		cr_assert_eq(router_add(&router, &operations[i]), ERR_OK);
}

static void finish(void)
{
	arena_fini(&arena);
}

TestSuite(router, .init = setup, .fini = finish);

Test(router, a_written_out_segment_goes_first_unless_it_lacks_the_method)
{
	static const struct {
		enum method method;
		const char *segments[4];
		const char *id;
		const char *allow;
	} rows[] = {
		{METHOD_GET, {"keys"}, "list", NULL},
		{METHOD_HEAD, {"keys"}, "list", NULL},
		{METHOD_GET, {"keys", "a/b"}, "get", NULL},
		{METHOD_GET, {"keys", "count"}, "count", NULL},
		{METHOD_PUT, {"keys", "count"}, "put", NULL},
		{METHOD_GET, {"keys", "count", "value"}, "value", NULL},
		{METHOD_GET, {"keys", ""}, "get", NULL},
		{METHOD_DELETE, {"keys", "a"}, NULL, "GET, PUT, HEAD, OPTIONS"},
		{METHOD_COUNT, {"keys"}, NULL, "GET, HEAD, OPTIONS"},
		{METHOD_GET, {"keys", "a", "b"}, NULL, ""},
		{METHOD_GET, {"key"}, NULL, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route route;
		size_t count = 0;
		char allow[64] = "";

		while (rows[i].segments[count])
			count++;
		route = router_find(&router, rows[i].method, rows[i].segments, count);
		if (!route.operation && route.methods)
			router_allow(route.methods, allow);
		cr_expect_eq(route.operation != NULL, rows[i].id != NULL, "row %zu", i);
		if (route.operation)
			cr_expect_str_eq(route.operation->id, rows[i].id, "row %zu", i);
		else
			cr_expect_str_eq(allow, rows[i].allow, "row %zu", i);
	}
}

Test(router, the_same_method_and_path_twice_is_refused)
{
	static const struct operation again = {.path = "/keys/{id}", .method = METHOD_GET};

	cr_expect_eq(router_add(&router, &again), ERR_EXISTS);
}

Test(router, a_rest_begins_behind_the_segment_before_it)
{
	static const char *const segments[] = {"to", "a", "b"};
	static const char *const others[] = {"keys", "a", "b"};

	cr_assert(!router_rest(&router, segments, 0));
	cr_assert(!router_rest(&router, segments, 1));
	cr_assert(router_rest(&router, segments, 2));
	cr_assert(!router_rest(&router, segments, 3));
	cr_assert(!router_rest(&router, others, 2));
	cr_assert_str_eq(router_find(&router, METHOD_POST, segments, 3).operation->id, "pass");
	cr_assert_null(router_find(&router, METHOD_POST, segments, 2).operation);
}

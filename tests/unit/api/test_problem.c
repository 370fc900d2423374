/* Problem documents. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/json.h"
#include "api/problem.h"

Test(problem, every_code_is_distinct_and_has_an_error_status)
{
	for (enum problem_code p = 0; p < PROBLEM_COUNT; p++) {
		cr_expect(problem_status(p) >= 400 && problem_status(p) < 600);
		for (enum problem_code q = 0; q < p; q++)
			cr_expect_neq(
				strcmp(problem_slug(p), problem_slug(q)), 0, "%s", problem_slug(p));
	}
}

Test(problem, a_document_has_all_its_members)
{
	struct text out = TEXT_INIT, faults = TEXT_INIT, extra = TEXT_INIT;
	const struct problem_facts facts = {.detail = "a \"b\"",
		.instance = "/v1/x",
		.request_id = "7",
		.node = "n1",
		.faults = &faults,
		.extra = &extra};
	json_t *json;

	text_adds(&faults, "{\"pointer\":\"/a\"},{\"pointer\":\"/b\"}");
	json_put_string(&extra, "owner", "n2");
	problem_write(&out, PROBLEM_ALREADY_REGISTERED, &facts);
	json = json_loads(text_cstr(&out), JSON_REJECT_DUPLICATES, NULL);
	cr_assert(json, "%s", out.bytes);
	cr_expect_eq(json_integer_value(json_object_get(json, "status")), 409);
	cr_expect_str_eq(
		json_string_value(json_object_get(json, "type")), "/problems/already-registered");
	cr_expect_str_eq(json_string_value(json_object_get(json, "code")), "already-registered");
	cr_expect_str_eq(json_string_value(json_object_get(json, "detail")), "a \"b\"");
	cr_expect_str_eq(json_string_value(json_object_get(json, "owner")), "n2");
	cr_expect_eq(json_array_size(json_object_get(json, "errors")), 2);
	json_decref(json);
	text_fini(&out);
	text_fini(&faults);
	text_fini(&extra);
}

Test(problem, what_is_unknown_is_left_out)
{
	const struct problem_facts facts = {0};
	struct text out = TEXT_INIT;

	problem_write(&out, PROBLEM_NO_SUCH_ROUTE, &facts);
	cr_expect_str_eq(text_cstr(&out),
		"{\"type\":\"/problems/no-such-route\",\"title\":\"There is nothing at this path\","
		"\"status\":404,\"code\":\"no-such-route\"}");
	text_fini(&out);
}

Test(problem, failures_of_lower_floors_have_their_code)
{
	cr_expect_eq(problem_of(ERR_STORAGE_FULL), PROBLEM_STORAGE_FULL);
	cr_expect_eq(problem_of(ERR_NO_MEMORY), PROBLEM_OVERLOADED);
	cr_expect_eq(problem_of(ERR_NOT_OWNER), PROBLEM_NOT_OWNER);
	cr_expect_eq(problem_of(ERR_SYSTEM), PROBLEM_INTERNAL);
}

#include <criterion/criterion.h>

#include "server/core/trail.h"
#include "tests/unit/core/failing.h"

static void add(struct trail *t, int count)
{
	for (int i = 0; i < count; i++) {
		struct transition x = {.at_ms = i, .state = CHILD_RUNNING};

		cr_assert(trail_add(t, &x));
	}
}

Test(trail, the_oldest_goes_when_one_more_comes)
{
	struct trail t = {0};

	cr_assert_null(trail_last(&t));
	add(&t, TRAIL_MAX);
	cr_assert_eq(t.count, TRAIL_MAX);
	cr_assert_eq(t.items[0].at_ms, 0);
	trail_fini(&t);
	add(&t, TRAIL_MAX + 3);
	cr_assert_eq(t.count, TRAIL_MAX);
	cr_assert_eq(t.items[0].at_ms, 3);
	cr_assert_eq(trail_last(&t)->at_ms, TRAIL_MAX + 2);
	trail_fini(&t);
	cr_assert_null(t.items);
}

Test(trail, without_memory_one_is_lost_and_the_others_stay)
{
	struct transition x = {.at_ms = 9};
	struct trail t = {0}, copy;

	add(&t, 2);
	failing_arm(0);
	cr_assert_not(trail_add(&t, &x));
	cr_assert(failing_disarm());
	cr_assert_eq(t.count, 2);
	failing_arm(0);
	cr_assert_not(trail_dup(&t, &copy));
	cr_assert(failing_disarm());
	cr_assert_eq(copy.count, 0);
	cr_assert(trail_dup(&t, &copy));
	cr_assert_eq(trail_last(&copy)->at_ms, 1);
	trail_fini(&copy);
	trail_fini(&t);
}

Test(trail, where_it_happened_is_said_only_of_another_node)
{
	struct transition x = {.at_ms = 1, .node = {0, 1}, .epoch = 2, .state = CHILD_RUNNING};
	struct transition y = {.at_ms = 3,
		.node = {0, 2},
		.epoch = 2,
		.state = CHILD_BACKOFF,
		.reason = REASON_EXIT,
		.ended = true,
		.code = 7,
		.uptime_ms = 4};
	struct trail t = {0};
	struct text out = TEXT_INIT;

	json_object(&out);
	trail_encode(&t, x.node, &out);
	trail_add(&t, &x);
	trail_add(&t, &y);
	trail_encode(&t, x.node, &out);
	json_end_object(&out);
	cr_assert_str_eq(text_cstr(&out),
		"{\"trail\":[{\"at\":1,\"state\":\"running\",\"epoch\":2},"
		"{\"at\":3,\"state\":\"backoff\",\"reason\":\"exit\",\"epoch\":2,"
		"\"node\":\"00000000000000000000000000000002\",\"code\":7,\"uptime_ms\":4}]}");
	text_fini(&out);
	trail_fini(&t);
}

#include <criterion/criterion.h>

#include "server/core/clock.h"

Test(clock, follows_the_wall_and_counts_within_a_millisecond)
{
	struct hybrid_clock c = {0};

	cr_assert_eq(clock_now(&c, 1000), 1000u << 16);
	cr_assert_eq(clock_now(&c, 1000), (1000u << 16) + 1);
	cr_assert_eq(clock_now(&c, 1001), 1001u << 16);
	cr_assert_eq(clock_ms(c.stamp), 1001);
}

Test(clock, grows_also_when_the_wall_goes_back_or_stands)
{
	static const int64_t walls[] = {5000, 5000, 4000, -1, 0, INT64_MIN, 5000, 5001, 3};
	struct hybrid_clock c = {0};
	uint64_t last = 0;

	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		uint64_t now = clock_now(&c, walls[i]);

		cr_assert_gt(now, last);
		last = now;
	}
}

Test(clock, a_full_counter_carries_into_the_milliseconds)
{
	struct hybrid_clock c = {.stamp = 1000u << 16 | 0xffff};

	cr_assert_eq(clock_now(&c, 1000), 1001u << 16);
	cr_assert_eq(clock_now(&c, 1001), (1001u << 16) + 1);
}

Test(clock, adopts_stamps_up_to_the_skew_and_counts_the_others)
{
	struct hybrid_clock c = {0};
	uint64_t now = clock_now(&c, 10000);

	cr_assert(clock_receive(&c, (uint64_t)(10000 + CLOCK_SKEW_MAX_MS) << 16 | 7, 10000));
	cr_assert_eq(clock_now(&c, 10000), (uint64_t)(10000 + CLOCK_SKEW_MAX_MS) << 16 | 8);
	cr_assert_eq(c.skewed, 0);
	cr_assert_not(clock_receive(&c, (uint64_t)(10001 + CLOCK_SKEW_MAX_MS) << 16, 10000));
	cr_assert_not(clock_receive(&c, UINT64_MAX, 10000));
	cr_assert_eq(c.skewed, 2);
	cr_assert_lt(c.stamp, (uint64_t)11000 << 16);
	cr_assert(clock_receive(&c, now, 10000));
	cr_assert_gt(c.stamp, now);
}

/* Times as JSON, against the C library's calendar. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/core/text.h"

Test(text, numbers_are_written_whole)
{
	static const int64_t values[] = {0, 9, 10, -1, 99, 100, -1000, INT64_MAX, INT64_MIN};
	struct text out = TEXT_INIT;
	char wanted[64];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		text_clear(&out);
		json_put_int(&out, "n", values[i]);
		json_put_uint(&out, "u", (uint64_t)values[i]);
		snprintf(wanted, sizeof(wanted), "\"n\":%" PRId64 ",\"u\":%" PRIu64, values[i],
			(uint64_t)values[i]);
		cr_expect_str_eq(text_cstr(&out), wanted);
	}
	text_fini(&out);
}

static void expect_time(int64_t ms, const char *wanted)
{
	struct text out = TEXT_INIT;

	json_put_time(&out, "t", ms);
	cr_expect_str_eq(text_cstr(&out), wanted);
	text_fini(&out);
}

Test(text, times_are_rfc_3339_with_milliseconds)
{
	expect_time(0, "\"t\":\"1970-01-01T00:00:00.000Z\"");
	expect_time(1740830400012, "\"t\":\"2025-03-01T12:00:00.012Z\"");
	expect_time(-1, "\"t\":\"1969-12-31T23:59:59.999Z\"");
}

Test(text, a_time_without_a_year_of_four_digits_is_left_out)
{
	expect_time(INT64_MAX, "");
	expect_time(INT64_MIN, "");
	expect_time(253402300799999, "\"t\":\"9999-12-31T23:59:59.999Z\"");
	expect_time(253402300800000, "");
	expect_time(-62167219200000, "\"t\":\"0000-01-01T00:00:00.000Z\"");
	expect_time(-62167219200001, "");
}

Test(text, every_day_of_eight_hundred_years_has_its_date)
{
	for (int64_t day = -150000; day < 150000; day++) {
		time_t seconds = (time_t)(day * 86400 + 86399);
		char wanted[64];
		struct tm parts;

		cr_assert(gmtime_r(&seconds, &parts));
		strftime(wanted, sizeof(wanted), "\"t\":\"%Y-%m-%dT%H:%M:%S.000Z\"", &parts);
		expect_time((int64_t)seconds * 1000, wanted);
	}
}

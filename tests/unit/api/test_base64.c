/* Base64: the vectors of RFC 4648, 10, and all bytes there are. */
#include <criterion/criterion.h>

#include "api/base64.h"
#include "tests/unit/core/failing.h"

TestSuite(base64, .timeout = 10);

static void expect_base64(const char *bytes, size_t count, const char *expected)
{
	struct text out = TEXT_INIT;

	base64_string(&out, bytes, count);
	cr_expect_str_eq(text_cstr(&out), expected);
	text_fini(&out);
}

Test(base64, it_is_the_one_of_the_rfc)
{
	expect_base64("", 0, "\"\"");
	expect_base64("f", 1, "\"Zg==\"");
	expect_base64("fo", 2, "\"Zm8=\"");
	expect_base64("foo", 3, "\"Zm9v\"");
	expect_base64("foob", 4, "\"Zm9vYg==\"");
	expect_base64("fooba", 5, "\"Zm9vYmE=\"");
	expect_base64("foobar", 6, "\"Zm9vYmFy\"");
	expect_base64("\xfb\xff\0", 3, "\"+/8A\"");
}

Test(base64, it_is_a_value_among_others)
{
	struct text out = TEXT_INIT;

	json_object(&out);
	json_key(&out, "data");
	base64_string(&out, "\xff", 1);
	json_put_bool(&out, "more", true);
	json_end_object(&out);
	cr_expect_str_eq(text_cstr(&out), "{\"data\":\"/w==\",\"more\":true}");
	text_fini(&out);
}

Test(base64, without_memory_the_text_has_failed)
{
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct text out = TEXT_INIT;

		failing_arm(n);
		base64_string(&out, "foobar", 6);
		failed = failing_disarm();
		cr_assert_eq(text_ok(&out), !failed);
		text_fini(&out);
	}
}

/* Base64: the vectors of RFC 4648, 10, and all bytes there are. */
#include <criterion/criterion.h>
#include <string.h>

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

static void expect_bytes(const char *text, const char *bytes, size_t count)
{
	struct text out = TEXT_INIT;

	cr_expect(base64_decode(&out, text, strlen(text)), "%s", text);
	cr_expect_eq(out.used, count, "%s", text);
	cr_expect(count == 0 || memcmp(out.bytes, bytes, count) == 0, "%s", text);
	text_fini(&out);
}

Test(base64, what_was_written_is_read_and_all_bytes_survive)
{
	struct text out = TEXT_INIT, back = TEXT_INIT;
	char all[256];

	expect_bytes("", "", 0);
	expect_bytes("Zg==", "f", 1);
	expect_bytes("Zm8=", "fo", 2);
	expect_bytes("Zm9v", "foo", 3);
	expect_bytes("+/8A", "\xfb\xff\0", 3);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	base64_string(&out, all, sizeof(all));
	cr_assert(base64_decode(&back, out.bytes + 1, out.used - 2));
	cr_assert_eq(back.used, sizeof(all));
	cr_expect_eq(memcmp(back.bytes, all, sizeof(all)), 0);
	text_fini(&out);
	text_fini(&back);
}

Test(base64, what_is_none_is_refused)
{
	static const char *const rows[] = {
		"Zg=", "Zg", "Z===", "====", "Zm9v=", "Zg==Zg==", "Zm9!", "Zm9v\n", "Z=9v"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text out = TEXT_INIT;

		cr_expect_not(base64_decode(&out, rows[i], strlen(rows[i])), "%s", rows[i]);
		text_fini(&out);
	}
}

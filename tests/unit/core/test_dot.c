#include <criterion/criterion.h>
#include <string.h>

#include "server/core/dot.h"

#define HEX "00112233445566778899aabbccddeeff"

Test(dot, an_origin_is_32_hex_digits_there_and_back)
{
	struct origin_id id;
	char hex[ORIGIN_HEX_BYTES];

	cr_assert(origin_from_hex(HEX, &id));
	cr_assert_eq(id.hi, 0x0011223344556677u);
	cr_assert_eq(id.lo, 0x8899aabbccddeeffu);
	origin_to_hex(id, hex);
	cr_assert_str_eq(hex, HEX);
	cr_assert(origin_from_hex("ABCDEF00000000000000000000000001", &id));
	origin_to_hex(id, hex);
	cr_assert_str_eq(hex, "abcdef00000000000000000000000001");
}

Test(dot, what_is_not_32_hex_digits_is_no_origin)
{
	static const char *const rows[] = {"", "0", HEX "0", "0011223344556677 899aabbccddeeff",
		"0011223344556677g899aabbccddeeff", "0x112233445566778899aabbccddeeff"};
	struct origin_id id = {7, 7};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_not(origin_from_hex(rows[i], &id), "%s", rows[i]);
	cr_assert_eq(id.hi, 7);
}

Test(dot, is_written_with_its_seq_there_and_back)
{
	static const uint64_t seqs[] = {1, 9, 10, 4211, UINT64_MAX};
	struct dot d = {{1, 2}, 0}, back;
	char text[DOT_TEXT_BYTES];

	for (size_t i = 0; i < 5; i++) {
		d.seq = seqs[i];
		dot_to_text(d, text);
		cr_assert(dot_from_text(text, strlen(text), &back), "%s", text);
		cr_assert_eq(dot_compare(d, back), 0);
	}
	dot_to_text((struct dot){{0x0011223344556677u, 0x8899aabbccddeeffu}, 42}, text);
	cr_assert_str_eq(text, HEX ":42");
	cr_assert(dot_from_text(HEX ":42,more", 35, &back));
	cr_assert_eq(back.seq, 42);
}

Test(dot, anything_else_is_no_dot)
{
	static const char *const rows[] = {"", HEX, HEX ":", HEX ":0", HEX ":01", HEX ":-1",
		HEX ":1x", HEX ": 1", HEX ":18446744073709551616", HEX ":99999999999999999999999",
		HEX "1:1", HEX ";1", "xx112233445566778899aabbccddeeff:1"};
	struct dot d = {{0, 0}, 7};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_not(dot_from_text(rows[i], strlen(rows[i]), &d), "%s", rows[i]);
	cr_assert_eq(d.seq, 7);
}

Test(dot, order_is_by_origin_then_seq)
{
	static const struct dot dots[] = {
		{{0, 1}, 9}, {{0, 2}, 1}, {{0, 2}, 2}, {{1, 0}, 1}, {{UINT64_MAX, 0}, 1}};

	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < 5; j++) {
			int order = dot_compare(dots[i], dots[j]);

			cr_assert_eq((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

/* The hash, by the examples of its standard. */
#include <criterion/criterion.h>

#include "api/sha256.h"

static const struct {
	struct sha256_part parts[3];
	const char *hex;
} rows[] = {
	{{{NULL, 0}}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{{{"abc", 3}}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{{{"a", 1}, {NULL, 0}, {"bc", 2}},
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
};

Test(sha256, it_is_the_standards_of_all_parts)
{
	char hex[SHA256_HEX_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(sha256_hex(rows[i].parts, 3, hex), ERR_OK);
		cr_expect_str_eq(hex, rows[i].hex);
	}
}

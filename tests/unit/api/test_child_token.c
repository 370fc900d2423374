/* The token of a child's process: what it says, and that nobody else can say it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "api/child_token.h"

#define KEY "a secret"

static char token[CHILD_TOKEN_BYTES_MAX];

static enum err reads(const char *key, const char *text)
{
	struct child_credential c;

	return child_token_read(key, text, &c);
}

Test(child_token, it_is_the_documented_mac)
{
	/* printf 'hct1~default/web~5' | openssl dgst -sha256 -hmac 'a secret' */
	cr_assert_eq(child_token_make(KEY, "default/web", 5, token), ERR_OK);
	cr_expect_str_eq(token, "hct1~default/web~5~e5195d90de777a2f8218cf52abb73618"
				"9d931fc0344eca1d82836417a19aae79");
}

Test(child_token, it_says_who_and_of_which_epoch)
{
	static const uint64_t epochs[] = {0, 1, 1740830400000, UINT64_MAX};
	struct child_credential c;
	char longest[REF_BYTES_MAX];

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	longest[128] = '/';
	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++) {
		cr_assert_eq(child_token_make(KEY, longest, epochs[i], token), ERR_OK);
		cr_assert(child_token_is(token));
		cr_assert_eq(child_token_read(KEY, token, &c), ERR_OK);
		cr_expect_str_eq(c.ref, longest);
		cr_expect_eq(c.epoch, epochs[i]);
	}
}

Test(child_token, one_that_is_too_long_is_not_made)
{
	char longer[REF_BYTES_MAX + 1];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_expect_eq(child_token_make(KEY, longer, 1, token), ERR_MALFORMED);
}

Test(child_token, any_other_byte_and_any_other_length_is_refused)
{
	size_t bytes;

	child_token_make(KEY, "default/web", 1740830400000, token);
	bytes = strlen(token);
	cr_assert_eq(reads(KEY, token), ERR_OK);
	cr_expect_eq(reads("another", token), ERR_MALFORMED);
	cr_expect_eq(reads("", token), ERR_MALFORMED);
	for (size_t i = 0; i < bytes; i++) {
		char keep = token[i];

		for (int bit = 0; bit < 7; bit++) {
			token[i] = (char)(keep ^ 1 << bit);
			cr_expect_eq(reads(KEY, token), ERR_MALFORMED, "%s", token);
		}
		token[i] = '\0';
		cr_expect_eq(reads(KEY, token), ERR_MALFORMED, "%s", token);
		token[i] = keep;
	}
	strcat(token, "0");
	cr_expect_eq(reads(KEY, token), ERR_MALFORMED);
}

/* The MAC is right here: who has the key may still have made nonsense. */
Test(child_token, a_right_mac_of_another_form_is_refused)
{
	static const char *const refs[] = {"a/b~", "a/b~x", "~", "a/b~1~2"};

	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		child_token_make(KEY, refs[i], 7, token);
		cr_expect_eq(reads(KEY, token), ERR_MALFORMED, "%s", token);
	}
}

Test(child_token, other_texts_are_none)
{
	static const char *const texts[] = {"", "hct1", "hct1~", "hct1~~", "hct1~a/b~1",
		"hct2~a/b~1~00", "a-long-enough-token"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(reads(KEY, texts[i]), ERR_MALFORMED, "%s", texts[i]);
	cr_expect_not(child_token_is("a-long-enough-token"));
	cr_expect_not(child_token_is("hct1"));
}

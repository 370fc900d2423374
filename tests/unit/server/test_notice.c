/* What one datagram of sd_notify says. */
#include "server/notice.h"

#include <criterion/criterion.h>
#include <string.h>

static struct notice read_text(const char *text)
{
	struct notice n = {0};

	notice_read(&n, text, strlen(text));
	return n;
}

Test(notice, each_word_is_understood_and_nothing_near_it)
{
	static const struct {
		const char *text;
		unsigned what;
	} rows[] = {{"READY=1", NOTIFIED_READY}, {"READY=1\n", NOTIFIED_READY},
		{"\n\nREADY=1", NOTIFIED_READY}, {"STOPPING=1", NOTIFIED_STOPPING},
		{"WATCHDOG=1", NOTIFIED_WATCHDOG}, {"WATCHDOG=trigger", NOTIFIED_TRIGGER},
		{"READY=1\nWATCHDOG=1", NOTIFIED_READY | NOTIFIED_WATCHDOG}, {"", 0}, {"\n", 0},
		{"READY=0", 0}, {"READY=11", 0}, {"READY=1 ", 0}, {"ready=1", 0}, {"XREADY=1", 0},
		{"READY=", 0}, {"READY", 0}, {"STOPPING=2", 0}, {"WATCHDOG=", 0},
		{"WATCHDOG_USEC=1", 0}, {"MAINPID=1\nFDSTORE=1\nBARRIER=1\nERRNO=2", 0},
		{"FDSTORE=1\nREADY=1\nFDNAME=x", NOTIFIED_READY}, {"STATUS=READY=1", 0}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(read_text(rows[i].text).what, rows[i].what, "'%s'", rows[i].text);
}

Test(notice, a_text_is_kept_as_valid_utf8_without_controls)
{
	static const struct {
		const char *text, *want;
	} rows[] = {{"STATUS=up", "up"}, {"STATUS=", ""}, {"STATUS=a=b", "a=b"},
		{"STATUS=a\tb\rc\x7f", "a b c "},
		{"STATUS=gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"}, {"STATUS=\xff\xc3", "??"},
		{"STATUS=\xed\xa0\x80", "???"}, {"STATUS=one\nSTATUS=two", "two"},
		{"READY=1\nSTATUS=x\nA=b", "x"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct notice n = read_text(rows[i].text);

		cr_assert(n.told);
		cr_assert_str_eq(n.text, rows[i].want);
	}
	cr_assert_not(read_text("STATUS").told);
	cr_assert_not(read_text("READY=1").told);
}

Test(notice, a_text_is_cut_between_its_characters)
{
	char text[7 + 300 + 1] = "STATUS=";

	memset(text + 7, 'x', 300);
	cr_assert_eq(strlen(read_text(text).text), STATUS_TEXT_MAX);
	memcpy(text + 7 + STATUS_TEXT_MAX - 1, "\xc3\xbc", 2);
	cr_assert_eq(strlen(read_text(text).text), STATUS_TEXT_MAX - 1);
	memcpy(text + 7 + STATUS_TEXT_MAX - 2, "\xc3\xbcx", 3);
	cr_assert_eq(strlen(read_text(text).text), STATUS_TEXT_MAX);
}

Test(notice, a_nul_is_a_byte_like_others_and_what_is_not_understood_says_so)
{
	struct notice n = {0};

	cr_assert(notice_read(&n, "STATUS=a\0b", 10));
	cr_assert_str_eq(n.text, "a b");
	cr_assert_not(notice_read(&n, "READY=1\0", 8));
	cr_assert_not(notice_read(&n, "X=1\nY", 5));
	cr_assert_not(notice_read(&n, "", 0));
}

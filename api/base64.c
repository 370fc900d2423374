#include "api/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void add_group(struct text *out, const unsigned char *p, size_t count)
{
	uint32_t bits = (uint32_t)p[0] << 16 | (count > 1 ? (uint32_t)p[1] << 8 : 0) |
			(count > 2 ? p[2] : 0);
	char four[4];

	for (size_t i = 0; i < 4; i++)
		four[i] = i <= count ? digits[bits >> (18 - 6 * i) & 63] : '=';
	text_add(out, four, 4);
}

void base64_string(struct text *out, const char *bytes, size_t count)
{
	const unsigned char *p = (const unsigned char *)bytes;

	json_string_n(out, "", 0);
	if (count == 0 || !text_ok(out))
		return;
	out->used--; /* the closing quote */
	for (; count; p += count < 3 ? count : 3, count -= count < 3 ? count : 3)
		add_group(out, p, count < 3 ? count : 3);
	text_adds(out, "\"");
}

/* Four digits, of which the last `padding` are '='; false: one of the others is no digit. */
static bool take_group(struct text *out, const char *four, size_t padding)
{
	uint32_t bits = 0;
	char three[3];

	for (size_t i = 0; i < 4; i++) {
		const char *digit = i + padding < 4 ? memchr(digits, four[i], 64) : digits;

		if (!digit)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
	}
	for (size_t i = 0; i < 3; i++)
		three[i] = (char)(bits >> (16 - 8 * i) & 0xFF);
	text_add(out, three, 3 - padding);
	return true;
}

bool base64_decode(struct text *out, const char *text, size_t count)
{
	if (count % 4 != 0)
		return false;
	for (size_t i = 0; i < count; i += 4) {
		bool last = i + 4 == count;
		size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;

		if (!take_group(out, text + i, padding))
			return false;
	}
	return text_ok(out);
}

#include "api/base64.h"

#include <stdint.h>

static void add_group(struct text *out, const unsigned char *p, size_t count)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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

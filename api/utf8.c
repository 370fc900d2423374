#include "api/utf8.h"

#include <string.h>

/* Unicode 15, table 3-7. */
size_t utf8_sequence(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

	if (n == 0 || n > left || p[0] > 0xF4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
		(p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return n;
}

size_t utf8_put(char ret[4], unsigned code)
{
	static const unsigned char heads[] = {0, 0, 0xC0, 0xE0, 0xF0};
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; code >>= 6)
		ret[i] = (char)(0x80 | (code & 0x3F));
	ret[0] = (char)(heads[n] | code);
	return n;
}

bool utf8_is_text(const char *bytes, size_t count)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t n;

	for (size_t i = 0; i < count; i += n) {
		if (p[i] < 0x20 || p[i] == 0x7F)
			return false;
		n = utf8_sequence(p + i, count - i);
		if (n == 0)
			return false;
	}
	return true;
}

size_t utf8_length(const char *string)
{
	size_t length = 0;

	for (; *string; string++)
		length += ((unsigned char)*string & 0xC0) != 0x80;
	return length;
}

void utf8_trim(char *string)
{
	size_t end = strlen(string), last = end;

	while (last > 0 && end - last < 4 && ((unsigned char)string[last - 1] & 0xC0) == 0x80)
		last--;
	if (last > 0 && (unsigned char)string[last - 1] >= 0xC0 &&
		utf8_sequence((unsigned char *)string + last - 1, end - last + 1) == 0)
		string[last - 1] = '\0';
}

void utf8_mend(char *bytes, size_t count)
{
	for (size_t i = 0; i < count;) {
		unsigned char c = (unsigned char)bytes[i];
		bool plain = c == '\t' || c == '\n' || (c >= 0x20 && c != 0x7F);
		size_t sequence = plain ? utf8_sequence((unsigned char *)bytes + i, count - i) : 0;

		if (sequence == 0)
			bytes[i] = '?';
		i += sequence ? sequence : 1;
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(const char *bytes, size_t count, char *out, size_t *ret_count)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		int c = (unsigned char)bytes[i];

		if (c == '%') {
			int high = i + 2 < count ? hex(bytes[i + 1]) : -1;
			int low = high >= 0 ? hex(bytes[i + 2]) : -1;

			c = low >= 0 ? high * 16 + low : 0;
			i += 2;
		}
		if (c == 0)
			return false;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	*ret_count = used;
	return true;
}

void percent_encode(struct text *out, const char *bytes, size_t count)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];
		char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};

		if (c && strchr(plain, c))
			text_add(out, bytes + i, 1);
		else
			text_add(out, escaped, 3);
	}
}

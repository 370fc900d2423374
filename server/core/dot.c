#include "server/core/dot.h"

#include <string.h>

/* The value of one hex digit of either case, or -1. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool read_half(const char *hex, uint64_t *ret_half)
{
	uint64_t half = 0;

	for (int i = 0; i < 16; i++) {
		int d = digit(hex[i]);

		if (d < 0)
			return false;
		half = half << 4 | (uint64_t)d;
	}
	*ret_half = half;
	return true;
}

static void write_half(uint64_t half, char *hex)
{
	for (int i = 15; i >= 0; i--, half >>= 4)
		hex[i] = "0123456789abcdef"[half & 15];
}

void origin_to_hex(struct origin_id id, char ret_hex[ORIGIN_HEX_BYTES])
{
	write_half(id.hi, ret_hex);
	write_half(id.lo, ret_hex + 16);
	ret_hex[32] = '\0';
}

static bool read_origin(const char *hex, struct origin_id *ret_id)
{
	struct origin_id id;

	if (!read_half(hex, &id.hi) || !read_half(hex + 16, &id.lo))
		return false;
	*ret_id = id;
	return true;
}

bool origin_from_hex(const char *hex, struct origin_id *ret_id)
{
	return strlen(hex) == ORIGIN_HEX_BYTES - 1 && read_origin(hex, ret_id);
}

int dot_compare(struct dot a, struct dot b)
{
	int order = origin_compare(a.origin, b.origin);

	if (order != 0)
		return order;
	return a.seq == b.seq ? 0 : (a.seq < b.seq ? -1 : 1);
}

void dot_to_text(struct dot d, char ret_text[DOT_TEXT_BYTES])
{
	char digits[20];
	size_t count = 0;

	origin_to_hex(d.origin, ret_text);
	ret_text[32] = ':';
	do {
		digits[count++] = (char)('0' + d.seq % 10);
		d.seq /= 10;
	} while (d.seq > 0);
	for (size_t i = 0; i < count; i++)
		ret_text[33 + i] = digits[count - 1 - i];
	ret_text[33 + count] = '\0';
}

bool dot_from_text(const char *text, unsigned long bytes, struct dot *ret_dot)
{
	struct dot d = {.seq = 0};

	/* 33 for the origin and the colon, and at least one digit, the first of which is no 0. */
	if (bytes < 34 || bytes >= DOT_TEXT_BYTES || text[32] != ':' || text[33] == '0' ||
		!read_origin(text, &d.origin))
		return false;
	for (unsigned long i = 33; i < bytes; i++) {
		uint64_t value = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || d.seq > (UINT64_MAX - value) / 10)
			return false;
		d.seq = d.seq * 10 + value;
	}
	*ret_dot = d;
	return true;
}

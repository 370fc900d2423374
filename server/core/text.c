#include "server/core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_fini(struct text *t)
{
	free(t->bytes);
	*t = (struct text)TEXT_INIT;
}

void text_clear(struct text *t)
{
	t->used = 0;
	t->failed = false;
	t->comma = false;
}

bool text_ok(const struct text *t)
{
	return !t->failed;
}

/* Room for `count` more bytes and a NUL. */
static bool reserve(struct text *t, size_t count)
{
	size_t need = t->used + count + 1;
	size_t size = t->size ? t->size : 128;
	char *bytes;

	if (t->failed)
		return false;
	if (need <= t->size)
		return true;
	while (size < need)
		size *= 2;
	bytes = realloc(t->bytes, size);
	if (!bytes) {
		t->failed = true;
		return false;
	}
	t->bytes = bytes;
	t->size = size;
	return true;
}

void text_add(struct text *t, const char *bytes, size_t count)
{
	if (count == 0 || !reserve(t, count))
		return;
	memcpy(t->bytes + t->used, bytes, count);
	t->used += count;
}

void text_adds(struct text *t, const char *string)
{
	text_add(t, string, strlen(string));
}

void text_addf(struct text *t, const char *format, ...)
{
	va_list args;
	int count;

	va_start(args, format);
	count = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (count < 0 || !reserve(t, (size_t)count))
		return;
	va_start(args, format);
	vsnprintf(t->bytes + t->used, (size_t)count + 1, format, args);
	va_end(args);
	t->used += (size_t)count;
}

const char *text_cstr(struct text *t)
{
	if (!reserve(t, 0))
		return NULL;
	t->bytes[t->used] = '\0';
	return t->bytes;
}

char *text_take(struct text *t)
{
	char *bytes;

	if (!text_cstr(t)) {
		text_fini(t);
		return NULL;
	}
	bytes = t->bytes;
	*t = (struct text)TEXT_INIT;
	return bytes;
}

/* Before a value or a key: the comma that separates it from what stands before. */
static void separate(struct text *t)
{
	if (t->comma)
		text_add(t, ",", 1);
	t->comma = true;
}

void json_object(struct text *t)
{
	separate(t);
	text_add(t, "{", 1);
	t->comma = false;
}

void json_end_object(struct text *t)
{
	text_add(t, "}", 1);
	t->comma = true;
}

void json_array(struct text *t)
{
	separate(t);
	text_add(t, "[", 1);
	t->comma = false;
}

void json_end_array(struct text *t)
{
	text_add(t, "]", 1);
	t->comma = true;
}

void json_key(struct text *t, const char *name)
{
	json_string(t, name);
	text_add(t, ":", 1);
	t->comma = false;
}

static void escape(struct text *t, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	switch (c) {
	case '"':
		text_add(t, "\\\"", 2);
		break;
	case '\\':
		text_add(t, "\\\\", 2);
		break;
	case '\n':
		text_add(t, "\\n", 2);
		break;
	case '\t':
		text_add(t, "\\t", 2);
		break;
	case '\r':
		text_add(t, "\\r", 2);
		break;
	default:
		text_add(t, six, 6);
	}
}

void json_string_n(struct text *t, const char *bytes, size_t count)
{
	size_t from = 0;

	separate(t);
	text_add(t, "\"", 1);
	for (size_t i = 0; i < count; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		text_add(t, bytes + from, i - from);
		escape(t, c);
		from = i + 1;
	}
	text_add(t, bytes + from, count - from);
	text_add(t, "\"", 1);
}

void json_string(struct text *t, const char *string)
{
	json_string_n(t, string, strlen(string));
}

/* The last `count` digits, before `end`. Lists have thousands of numbers and times, of which printf
 * would take a third of the time. */
static void put_digits(char *end, uint64_t value, size_t count)
{
	for (; count > 0; count--, value /= 10)
		*--end = (char)('0' + value % 10);
}

static void add_uint(struct text *t, uint64_t value)
{
	char digits[20];
	size_t count = 1;

	for (uint64_t rest = value; rest >= 10; rest /= 10)
		count++;
	put_digits(digits + count, value, count);
	text_add(t, digits, count);
}

void json_int(struct text *t, int64_t value)
{
	separate(t);
	if (value < 0)
		text_add(t, "-", 1);
	add_uint(t, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_uint(struct text *t, uint64_t value)
{
	separate(t);
	add_uint(t, value);
}

void json_double(struct text *t, double value)
{
	separate(t);
	text_addf(t, "%.17g", value);
}

void json_bool(struct text *t, bool value)
{
	separate(t);
	text_adds(t, value ? "true" : "false");
}

void json_null(struct text *t)
{
	separate(t);
	text_adds(t, "null");
}

void json_raw(struct text *t, const char *bytes, size_t count)
{
	separate(t);
	text_add(t, bytes, count);
}

void json_put_string(struct text *t, const char *name, const char *string)
{
	json_key(t, name);
	json_string(t, string);
}

void json_put_int(struct text *t, const char *name, int64_t value)
{
	json_key(t, name);
	json_int(t, value);
}

void json_put_uint(struct text *t, const char *name, uint64_t value)
{
	json_key(t, name);
	json_uint(t, value);
}

void json_put_bool(struct text *t, const char *name, bool value)
{
	json_key(t, name);
	json_bool(t, value);
}

#define DAY_MS 86400000
#define ERA_DAYS 146097 /* 400 years */

/*
 * Days since 1970-01-01 as a date of the proleptic Gregorian calendar; years begin in March here,
 * so that a leap day is the last one. Source: Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms", civil_from_days.
 */
static int64_t date_of_day(int64_t day, int *ret_month, int *ret_day)
{
	int64_t z = day + 719468;
	int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS, of_era = z - era * ERA_DAYS;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int month = (int)((5 * of_year + 2) / 153); /* 0 is March */

	*ret_day = (int)(of_year - (153 * month + 2) / 5) + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	return year + era * 400 + (*ret_month <= 2);
}

void json_put_time(struct text *t, const char *name, int64_t wall_ms)
{
	int64_t days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0);
	int ms = (int)(wall_ms - days * DAY_MS), month, day;
	int64_t year = date_of_day(days, &month, &day);
	char all[] = "YYYY-MM-DDTHH:MM:SS.mmmZ";

	if (year < 0 || year > 9999)
		return;
	put_digits(all + 4, (uint64_t)year, 4);
	put_digits(all + 7, (uint64_t)month, 2);
	put_digits(all + 10, (uint64_t)day, 2);
	put_digits(all + 13, (uint64_t)ms / 3600000, 2);
	put_digits(all + 16, (uint64_t)ms / 60000 % 60, 2);
	put_digits(all + 19, (uint64_t)ms / 1000 % 60, 2);
	put_digits(all + 23, (uint64_t)ms % 1000, 3);
	json_key(t, name);
	json_string_n(t, all, sizeof(all) - 1);
}

#include "api/json_text.h"

#include <stdbool.h>
#include <string.h>

#include "api/utf8.h"

/* The position behind a string that begins at `at` (its quote), or the end. */
static size_t skip_string(const char *bytes, size_t count, size_t at)
{
	for (at++; at < count; at++) {
		if (bytes[at] == '\\')
			at++;
		else if (bytes[at] == '"')
			return at + 1;
	}
	return count;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(const char *bytes, size_t count, size_t at)
{
	while (at < count && is_space(bytes[at]))
		at++;
	return at;
}

size_t json_depth(const char *bytes, size_t count)
{
	size_t depth = 0, deepest = 0;

	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '"') {
			i = skip_string(bytes, count, i) - 1;
		} else if (bytes[i] == '{' || bytes[i] == '[') {
			depth++;
			deepest = depth > deepest ? depth : deepest;
		} else if ((bytes[i] == '}' || bytes[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

/* The position behind the value at `at`: behind its bracket, or at what ends a plain one. */
static size_t skip_value(const char *bytes, size_t count, size_t at)
{
	size_t depth = 0;

	while (at < count) {
		char c = bytes[at];

		if (c == '"') {
			at = skip_string(bytes, count, at);
			if (depth == 0)
				return at;
			continue;
		}
		if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return at;
			if (--depth == 0)
				return at + 1;
		} else if (depth == 0 && (c == ',' || is_space(c))) {
			return at;
		}
		at++;
	}
	return count;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What a backslash and `c` stand for, \u aside. */
static char unescape(char c)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *letter = c ? strchr(letters, c) : NULL;

	return letter ? meanings[letter - letters] : c;
}

/* The code unit of "\uXXXX" at `at`, which is moved behind it; 0 when there is none. */
static unsigned code_unit(const char *key, size_t length, size_t *at)
{
	unsigned unit = 0;

	if (length - *at < 6 || key[*at] != '\\' || key[*at + 1] != 'u')
		return 0;
	for (size_t i = *at + 2; i < *at + 6; i++)
		unit = unit * 16 + ((unsigned)hex(key[i]) & 15);
	*at += 6;
	return unit;
}

/* The character that is escaped so, as UTF-8; `at` is moved behind it. Returns its bytes. */
static size_t escaped(const char *key, size_t length, size_t *at, char ret[4])
{
	unsigned c = code_unit(key, length, at), low;

	if (c == 0)
		*at = length; /* broken; and of a NUL there is no name */
	if (c >= 0xD800 && c < 0xDC00) {
		low = code_unit(key, length, at);
		c = 0x10000 + ((c - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
	}
	return utf8_put(ret, c);
}

/* What the next character of the string between quotes `key` means, as UTF-8, likewise. */
static size_t meant(const char *key, size_t length, size_t *at, char ret[4])
{
	if (key[*at] == '\\' && length - *at > 1) {
		if (key[*at + 1] == 'u')
			return escaped(key, length, at, ret);
		ret[0] = unescape(key[*at + 1]);
		*at += 2;
	} else {
		ret[0] = key[(*at)++];
	}
	return 1;
}

/* Is it `name`, its escapes considered? */
static bool same_key(const char *key, size_t length, const char *name)
{
	size_t left = strlen(name), at = 0;

	while (left && at < length) {
		char bytes[4];
		size_t count = meant(key, length, &at, bytes);

		if (count > left || memcmp(name, bytes, count) != 0)
			return false;
		name += count;
		left -= count;
	}
	return left == 0 && at == length;
}

const char *json_member(const char *bytes, size_t count, const char *name, size_t *ret_length)
{
	size_t at = skip_space(bytes, count, 0);

	if (at >= count || bytes[at] != '{')
		return NULL;
	at++;
	for (;;) {
		size_t key, key_end, end;

		at = skip_space(bytes, count, at);
		if (at >= count || bytes[at] != '"')
			return NULL;
		key = at + 1;
		at = skip_string(bytes, count, at);
		key_end = at - 1;
		at = skip_space(bytes, count, at);
		at = skip_space(bytes, count, at + 1); /* behind the colon */
		end = skip_value(bytes, count, at);
		if (end > at && key_end >= key && same_key(bytes + key, key_end - key, name)) {
			*ret_length = end - at;
			return bytes + at;
		}
		at = skip_space(bytes, count, end);
		if (at >= count || bytes[at] != ',')
			return NULL;
		at++;
	}
}

const char *json_item(const char *bytes, size_t count, size_t *at, size_t *ret_length)
{
	size_t begin = skip_space(bytes, count, *at), end;

	if (begin >= count || bytes[begin] != (*at == 0 ? '[' : ','))
		return NULL;
	begin = skip_space(bytes, count, begin + 1);
	end = skip_value(bytes, count, begin);
	if (end == begin)
		return NULL;
	*at = end;
	*ret_length = end - begin;
	return bytes + begin;
}

static void new_line(struct text *out, size_t depth)
{
	text_add(out, "\n", 1);
	while (depth--)
		text_add(out, "  ", 2);
}

void json_indent(struct text *out, const char *bytes, size_t count)
{
	size_t depth = 0, end, next;

	for (size_t i = 0; i < count; i = end) {
		char c = bytes[i];

		end = i + 1;
		if (is_space(c))
			continue;
		if (c == '"') {
			end = skip_string(bytes, count, i);
			text_add(out, bytes + i, end - i);
		} else if (c == '{' || c == '[') {
			next = skip_space(bytes, count, end);
			text_add(out, &c, 1);
			if (next < count && (bytes[next] == '}' || bytes[next] == ']')) {
				text_add(out, bytes + next, 1);
				end = next + 1;
			} else {
				new_line(out, ++depth);
			}
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
			new_line(out, depth);
			text_add(out, &c, 1);
		} else {
			text_add(out, &c, 1);
			if (c == ',')
				new_line(out, depth);
			else if (c == ':')
				text_add(out, " ", 1);
		}
	}
	text_add(out, "\n", 1);
}

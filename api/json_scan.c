#include "api/json_scan.h"

#include <string.h>

#include "api/utf8.h"

#define DIGITS_MAX 18 /* so many always fit in 64 bits, and in a double */

struct scan {
	const unsigned char *at;
	const unsigned char *end;
};

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && is_space(*s->at))
		s->at++;
}

/* Steps over what a string may hold as it is, up to a quote, a backslash, or what it may not. */
static void skip_text(struct scan *s)
{
	while (s->at < s->end && *s->at >= 0x20 && *s->at != '"' && *s->at != '\\') {
		size_t n = *s->at < 0x80 ? 1 : utf8_sequence(s->at, (size_t)(s->end - s->at));

		if (n == 0)
			return;
		s->at += n;
	}
}

/* The escapes of one letter; \u is left to jansson, who knows about surrogates. */
static bool skip_escape(struct scan *s)
{
	if (s->end - s->at < 2 || !s->at[1] || !strchr("\"\\/bfnrt", s->at[1]))
		return false;
	s->at += 2;
	return true;
}

static bool scan_string(struct scan *s)
{
	if (s->at == s->end || *s->at != '"')
		return false;
	s->at++;
	for (;;) {
		skip_text(s);
		if (s->at == s->end)
			return false;
		if (*s->at == '"') {
			s->at++;
			return true;
		}
		if (*s->at != '\\' || !skip_escape(s))
			return false;
	}
}

static size_t skip_digits(struct scan *s)
{
	const unsigned char *start = s->at;

	while (s->at < s->end && is_digit(*s->at))
		s->at++;
	return (size_t)(s->at - start);
}

/* Whole numbers and fractions of few digits: these never overflow. */
static bool scan_number(struct scan *s)
{
	bool zero;
	size_t digits;

	if (*s->at == '-')
		s->at++;
	zero = s->at < s->end && *s->at == '0';
	digits = skip_digits(s);
	if (digits == 0 || digits > DIGITS_MAX || (zero && digits > 1))
		return false;
	if (s->at < s->end && *s->at == '.') {
		s->at++;
		digits = skip_digits(s);
		if (digits == 0 || digits > DIGITS_MAX)
			return false;
	}
	return true; /* an exponent comes where nothing may, and so is a no */
}

static bool scan_word(struct scan *s, const char *word)
{
	size_t bytes = strlen(word);

	if ((size_t)(s->end - s->at) < bytes || memcmp(s->at, word, bytes) != 0)
		return false;
	s->at += bytes;
	return true;
}

static bool scan_scalar(struct scan *s)
{
	switch (*s->at) {
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

/* A member's name and its colon, and the space around. */
static bool scan_name(struct scan *s)
{
	skip_space(s);
	if (!scan_string(s))
		return false;
	skip_space(s);
	if (s->at == s->end || *s->at != ':')
		return false;
	s->at++;
	return true;
}

struct nesting {
	uint64_t objects; /* a bit for each open bracket, the innermost lowest: is it an object? */
	unsigned depth;
};

/* Steps over brackets that open, and into the first item; over an empty pair as a whole value. */
static bool scan_open(struct scan *s, struct nesting *n, bool *ret_value_done)
{
	bool object;

	*ret_value_done = false;
	skip_space(s);
	if (s->at == s->end)
		return false;
	if (*s->at != '{' && *s->at != '[') {
		*ret_value_done = true;
		return scan_scalar(s);
	}
	object = *s->at++ == '{';
	skip_space(s);
	if (s->at < s->end && *s->at == (object ? '}' : ']')) {
		s->at++;
		*ret_value_done = true;
		return true;
	}
	if (n->depth == JSON_SCAN_DEPTH_MAX)
		return false;
	n->depth++;
	n->objects = n->objects << 1 | object;
	return !object || scan_name(s);
}

/* Behind a value: closes what ends here. True at the end of all, or in front of the next value. */
static bool scan_close(struct scan *s, struct nesting *n)
{
	while (n->depth > 0) {
		bool object = n->objects & 1;

		skip_space(s);
		if (s->at == s->end)
			return false;
		if (*s->at == ',') {
			s->at++;
			return !object || scan_name(s);
		}
		if (*s->at++ != (object ? '}' : ']'))
			return false;
		n->objects >>= 1;
		n->depth--;
	}
	return true;
}

bool json_scan_value(const char *bytes, size_t count)
{
	struct scan s = {(const unsigned char *)bytes, (const unsigned char *)bytes + count};
	struct nesting n = {0};

	if (count == 0 || is_space(*s.at))
		return false;
	do {
		bool done = false;

		while (!done)
			if (!scan_open(&s, &n, &done))
				return false;
		if (!scan_close(&s, &n))
			return false;
	} while (n.depth > 0);
	return s.at == s.end;
}

size_t json_scan_plain(const char *bytes, size_t count)
{
	struct scan s = {(const unsigned char *)bytes, (const unsigned char *)bytes + count};

	if (count < 2 || *s.at != '"')
		return 0;
	s.at++;
	skip_text(&s);
	return s.at < s.end && *s.at == '"' ? (size_t)(s.at + 1 - (const unsigned char *)bytes) : 0;
}

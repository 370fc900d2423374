#include "api/wire_line.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/json_scan.h"

/* Steps over exactly this text. */
static void skip(struct wire_cursor *c, const char *text)
{
	size_t bytes = strlen(text);

	if (c->ok && (size_t)(c->end - c->at) >= bytes && memcmp(c->at, text, bytes) == 0)
		c->at += bytes;
	else
		c->ok = false;
}

/* A number from 0 to INT64_MAX, as JSON writes it; 0 when there is none. */
static uint64_t number(struct wire_cursor *c)
{
	const char *start = c->at;
	uint64_t value = 0;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->ok) {
		uint64_t digit = (uint64_t)(*c->at++ - '0');

		if (value > ((uint64_t)INT64_MAX - digit) / 10)
			c->ok = false;
		value = value * 10 + digit;
	}
	if (c->at == start || (*start == '0' && c->at - start > 1))
		c->ok = false;
	return c->ok ? value : 0;
}

/* Two numbers, index of an origin and seq. */
static struct dot dot(struct wire_cursor *c, const struct wire_origins *origins)
{
	struct dot d = {{0, 0}, 0};
	uint64_t index = number(c);

	skip(c, ",");
	d.seq = number(c);
	if (c->ok && index < origins->used && d.seq > 0)
		d.origin = origins->items[index];
	else
		c->ok = false;
	return d;
}

/* Finds the string at the cursor, quotes included, and steps behind it. */
static const char *string(struct wire_cursor *c, size_t *ret_bytes)
{
	const char *start = c->at;

	skip(c, "\"");
	while (c->ok && c->at < c->end && *c->at != '"')
		c->at += *c->at == '\\' && c->end - c->at > 1 ? 2 : 1;
	skip(c, "\"");
	*ret_bytes = (size_t)(c->at - start);
	return start;
}

/* A new copy, with a NUL behind it. */
static enum err copy(const char *bytes, size_t count, size_t most, char **ret, size_t *ret_bytes)
{
	if (count > most)
		return ERR_LIMIT;
	*ret = malloc(count + 1);
	if (!*ret)
		return ERR_NO_MEMORY;
	memcpy(*ret, bytes, count);
	(*ret)[count] = '\0';
	*ret_bytes = count;
	return ERR_OK;
}

/* What a JSON string means; jansson knows about escapes and refuses bad UTF-8 and NUL. */
static enum err decode_string(
	const char *json, size_t count, size_t most, char **ret, size_t *ret_bytes)
{
	json_t *s = NULL;
	enum err e;

	if (count > 0 && json_scan_plain(json, count) == count)
		return copy(json + 1, count - 2, most, ret, ret_bytes);
	e = json_read(json, count, JSON_DECODE_ANY, &s);
	if (e != ERR_OK)
		return e;
	e = ERR_MALFORMED;
	if (json_is_string(s))
		e = copy(json_string_value(s), json_string_length(s), most, ret, ret_bytes);
	json_decref(s);
	return e;
}

enum err wire_line_put(const char *line, size_t count, const struct wire_origins *origins,
	struct fragment_put *ret_put)
{
	struct wire_cursor c = {line, line + count, true};
	bool plain = count > 2 && line[2] == 'p';
	const char *key;
	size_t key_bytes;
	enum err e;

	skip(&c, plain ? "[\"p\"," : "[\"s\",");
	ret_put->dot = dot(&c, origins);
	skip(&c, ",");
	ret_put->clock = number(&c);
	skip(&c, ",");
	key = string(&c, &key_bytes);
	skip(&c, ",");
	/* What is left is the value and one bracket; whether it is JSON its decoder will see. */
	if (!c.ok || c.end - c.at < 2 || c.end[-1] != ']')
		return ERR_MALFORMED;
	count = (size_t)(c.end - c.at) - 1;
	e = decode_string(key, key_bytes, KEY_BYTES_MAX, &ret_put->key, &ret_put->key_bytes);
	if (e != ERR_OK)
		return e;
	if (plain)
		return copy(c.at, count, VALUE_BYTES_MAX, &ret_put->value, &ret_put->value_bytes);
	return decode_string(c.at, count, VALUE_BYTES_MAX, &ret_put->value, &ret_put->value_bytes);
}

/* ---- lists ---- */

enum err wire_line_kills(struct wire_list *l, const char *line, size_t count,
	const struct wire_origins *origins, struct dot *ret_killer)
{
	*l = (struct wire_list){{line, line + count, true}, origins, true, false};
	skip(&l->cursor, "[\"k\",");
	*ret_killer = dot(&l->cursor, origins);
	skip(&l->cursor, ",[");
	return l->cursor.ok ? ERR_OK : ERR_MALFORMED;
}

/* Behind an item: is the list at its end? */
static bool end_item(struct wire_list *l)
{
	struct wire_cursor *c = &l->cursor;

	l->first = false;
	l->done = c->ok && c->at < c->end && *c->at == ']';
	return c->ok;
}

bool wire_line_victim(struct wire_list *l, struct dot *ret_victim)
{
	struct wire_cursor *c = &l->cursor;

	if (l->done || !c->ok)
		return false;
	skip(c, l->first ? "[" : ",[");
	*ret_victim = dot(c, l->origins);
	skip(c, "]");
	return end_item(l);
}

enum err wire_line_check(struct wire_list *l, const char *line, size_t count,
	const struct wire_origins *origins, struct fragment_check *ret_check)
{
	struct wire_cursor *c = &l->cursor;
	uint64_t index;

	*l = (struct wire_list){{line, line + count, true}, origins, true, false};
	skip(c, "[\"c\",");
	index = number(c);
	skip(c, ",");
	ret_check->after = number(c);
	skip(c, ",");
	ret_check->upto = number(c);
	skip(c, ",[");
	l->done = c->ok && c->at < c->end && *c->at == ']';
	if (!c->ok || index >= origins->used || ret_check->after >= ret_check->upto)
		return ERR_MALFORMED;
	ret_check->origin = origins->items[index];
	return ERR_OK;
}

bool wire_line_seq(struct wire_list *l, uint64_t *ret_seq)
{
	if (l->done || !l->cursor.ok)
		return false;
	if (!l->first)
		skip(&l->cursor, ",");
	*ret_seq = number(&l->cursor);
	return end_item(l);
}

enum err wire_line_origins(struct wire_list *l, const char *line, size_t count)
{
	/* The list is the line itself: its end is the line's, and one bracket short. */
	*l = (struct wire_list){{line, line + count, true}, NULL, false, false};
	skip(&l->cursor, "[\"o\"");
	return l->cursor.ok ? ERR_OK : ERR_MALFORMED;
}

bool wire_line_origin(struct wire_list *l, struct origin_id *ret_origin)
{
	struct wire_cursor *c = &l->cursor;
	char hex[ORIGIN_HEX_BYTES] = "";

	if (l->done || !c->ok)
		return false;
	skip(c, ",\"");
	if (c->ok && c->end - c->at >= ORIGIN_HEX_BYTES - 1)
		memcpy(hex, c->at, ORIGIN_HEX_BYTES - 1);
	c->ok = c->ok && origin_from_hex(hex, ret_origin);
	if (c->ok)
		c->at += ORIGIN_HEX_BYTES - 1;
	skip(c, "\"");
	return end_item(l);
}

bool wire_line_ok(const struct wire_list *l)
{
	size_t brackets = l->origins ? 2 : 1;

	return l->cursor.ok && l->done && (size_t)(l->cursor.end - l->cursor.at) == brackets &&
	       memcmp(l->cursor.at, "]]", brackets) == 0;
}

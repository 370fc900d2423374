#include "api/wire_line.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"

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
static struct dot dot(struct wire_cursor *c, const struct origin_id *origins, size_t count)
{
	struct dot d = {{0, 0}, 0};
	uint64_t index = number(c);

	skip(c, ",");
	d.seq = number(c);
	if (c->ok && index < count && d.seq > 0)
		d.origin = origins[index];
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
	enum err e = json_read(json, count, JSON_DECODE_ANY, &s);

	if (e != ERR_OK)
		return e;
	e = ERR_MALFORMED;
	if (json_is_string(s))
		e = copy(json_string_value(s), json_string_length(s), most, ret, ret_bytes);
	json_decref(s);
	return e;
}

enum err wire_line_put(const char *line, size_t count, const struct origin_id *origins,
	size_t origin_count, struct fragment_put *ret_put)
{
	struct wire_cursor c = {line, line + count, true};
	bool plain = count > 2 && line[2] == 'p';
	const char *key;
	size_t key_bytes;
	enum err e;

	skip(&c, plain ? "[\"p\"," : "[\"s\",");
	ret_put->dot = dot(&c, origins, origin_count);
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

enum err wire_line_kills(struct wire_kills *k, const char *line, size_t count,
	const struct origin_id *origins, size_t origin_count, struct dot *ret_killer)
{
	*k = (struct wire_kills){{line, line + count, true}, origins, origin_count, true, false};
	skip(&k->cursor, "[\"k\",");
	*ret_killer = dot(&k->cursor, origins, origin_count);
	skip(&k->cursor, ",[");
	return k->cursor.ok ? ERR_OK : ERR_MALFORMED;
}

bool wire_line_victim(struct wire_kills *k, struct dot *ret_victim)
{
	struct wire_cursor *c = &k->cursor;

	if (k->done || !c->ok)
		return false;
	skip(c, k->first ? "[" : ",[");
	*ret_victim = dot(c, k->origins, k->origin_count);
	skip(c, "]");
	k->first = false;
	k->done = c->ok && c->at < c->end && *c->at == ']';
	return c->ok;
}

bool wire_line_kills_ok(const struct wire_kills *k)
{
	return k->cursor.ok && k->done && k->cursor.end - k->cursor.at == 2 &&
	       memcmp(k->cursor.at, "]]", 2) == 0;
}

#include "api/wire.h"

#include <string.h>

#include "api/json_read.h"

void wire_request_fini(struct wire_request *q)
{
	vector_fini(&q->after);
	vector_fini(&q->ack);
}

static void write_vector(struct text *t, const char *name, const struct vector *v)
{
	char hex[ORIGIN_HEX_BYTES];

	json_key(t, name);
	json_array(t);
	for (size_t i = 0; i < v->used; i++) {
		origin_to_hex(v->items[i].origin, hex);
		json_array(t);
		json_string(t, hex);
		json_uint(t, v->items[i].count);
		json_end_array(t);
	}
	json_end_array(t);
}

void wire_request_write(const struct wire_request *q, struct text *t)
{
	json_object(t);
	json_put_string(t, "link", q->link);
	json_put_uint(t, "n", q->n);
	json_put_uint(t, "seen", q->seen);
	write_vector(t, "after", &q->after);
	write_vector(t, "ack", &q->ack);
	json_put_string(t, "want", "*");
	json_put_int(t, "wait_ms", q->wait_ms);
	json_end_object(t);
}

/* One [hex, count]. A vector is written in order, each origin once, and without zeros. */
static enum err read_item(const json_t *item, struct vector *v)
{
	const char *hex = json_string_value(json_array_get(item, 0));
	const json_t *count = json_array_get(item, 1);
	struct origin_id origin;

	if (json_array_size(item) != 2 || !hex || !origin_from_hex(hex, &origin) ||
		!json_is_integer(count) || json_integer_value(count) <= 0 ||
		(v->used > 0 && origin_compare(v->items[v->used - 1].origin, origin) >= 0))
		return ERR_MALFORMED;
	return vector_raise(v, origin, (uint64_t)json_integer_value(count));
}

static enum err read_vector(const json_t *array, struct vector *v)
{
	enum err e = json_is_array(array) ? ERR_OK : ERR_MALFORMED;

	if (json_array_size(array) > WIRE_ORIGINS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; e == ERR_OK && i < json_array_size(array); i++)
		e = read_item(json_array_get(array, i), v);
	return e;
}

/* A member that must be an integer from 0 to `most`. */
static enum err read_number(const json_t *o, const char *name, int64_t most, uint64_t *ret)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > most)
		return ERR_MALFORMED;
	*ret = (uint64_t)json_integer_value(v);
	return ERR_OK;
}

static enum err read_request(const json_t *o, struct wire_request *q)
{
	const char *link = json_string_value(json_object_get(o, "link"));
	const char *want = json_string_value(json_object_get(o, "want"));
	uint64_t wait_ms = 0;
	enum err e;

	if (!link || !want || strlen(link) > WIRE_LINK_BYTES_MAX)
		return ERR_MALFORMED;
	if (strcmp(want, "*") != 0)
		return ERR_PROTOCOL;
	strcpy(q->link, link);
	e = read_number(o, "n", INT64_MAX, &q->n);
	if (e == ERR_OK)
		e = read_number(o, "seen", INT64_MAX, &q->seen);
	if (e == ERR_OK)
		e = read_number(o, "wait_ms", WIRE_WAIT_MS_MAX, &wait_ms);
	q->wait_ms = (int64_t)wait_ms;
	if (e == ERR_OK)
		e = read_vector(json_object_get(o, "after"), &q->after);
	if (e == ERR_OK)
		e = read_vector(json_object_get(o, "ack"), &q->ack);
	return e;
}

enum err wire_request_read(const char *json, size_t bytes, struct wire_request *ret_request)
{
	struct wire_request q = {.n = 0};
	json_t *o = NULL;
	enum err e;

	if (bytes > WIRE_REQUEST_BYTES_MAX)
		return ERR_LIMIT;
	e = json_read(json, bytes, JSON_REJECT_DUPLICATES, &o);
	if (e != ERR_OK)
		return e;
	e = read_request(o, &q);
	json_decref(o);
	if (e == ERR_OK)
		*ret_request = q;
	else
		wire_request_fini(&q);
	return e;
}

#include "api/wire_object.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/wire_json.h"

static enum err load_object(const char *line, size_t count, json_t **ret)
{
	json_t *o = NULL;
	enum err e = json_read(line, count, JSON_REJECT_DUPLICATES, &o);

	if (e != ERR_OK)
		return e;
	if (!json_is_object(o)) {
		json_decref(o);
		return ERR_MALFORMED;
	}
	*ret = o;
	return ERR_OK;
}

/* ---- header ---- */

static bool read_mode(const json_t *value, enum fragment_mode *ret_mode)
{
	static const struct {
		const char *name;
		enum fragment_mode mode;
	} rows[] = {{"tick", FRAGMENT_TICK}, {"slice", FRAGMENT_SLICE}, {"full", FRAGMENT_FULL},
		{"redo", FRAGMENT_REDO}, {"need", FRAGMENT_NEED}};
	const char *name = json_string_value(value);

	for (size_t i = 0; name && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) == 0) {
			*ret_mode = rows[i].mode;
			return true;
		}
	}
	return false;
}

static enum err read_origins(const json_t *array, struct wire_origins *origins)
{
	enum err e = !array || json_is_array(array) ? ERR_OK : ERR_MALFORMED;

	for (size_t i = 0; e == ERR_OK && i < json_array_size(array); i++) {
		struct origin_id id;

		e = ERR_MALFORMED;
		if (wire_json_origin(json_array_get(array, i), &id))
			e = wire_origins_add(origins, id);
	}
	return e == ERR_EXISTS ? ERR_MALFORMED : e;
}

static enum err read_header(
	const json_t *o, struct wire_envelope *e, struct wire_origins *origins, struct fragment *f)
{
	const json_t *version = json_object_get(o, "v");
	enum err err;

	if (!json_is_integer(version))
		return ERR_MALFORMED;
	if (json_integer_value(version) != WIRE_VERSION)
		return ERR_PROTOCOL;
	if (!wire_json_origin(json_object_get(o, "inc"), &f->from) ||
		!read_mode(json_object_get(o, "mode"), &f->mode) ||
		!wire_json_half(json_object_get(o, "rt"), true, &e->retired_hash) ||
		!wire_json_flag(json_object_get(o, "ack"), &f->ack_wanted))
		return ERR_MALFORMED;
	err = wire_origins_add(origins, f->from);
	return err == ERR_OK ? read_origins(json_object_get(o, "o"), origins) : err;
}

enum err wire_header_read(const char *line, size_t count, struct wire_envelope *e,
	struct wire_origins *origins, struct fragment *f)
{
	json_t *o = NULL;
	enum err err = load_object(line, count, &o);

	if (err != ERR_OK)
		return err;
	err = read_header(o, e, origins, f);
	json_decref(o);
	return err;
}

/* ---- trailer ---- */

static bool read_number(const json_t *v, uint64_t *ret)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

static bool read_index(
	const json_t *v, const struct wire_origins *origins, struct origin_id *ret_origin)
{
	uint64_t index;

	if (!read_number(v, &index) || index >= origins->used)
		return false;
	*ret_origin = origins->items[index];
	return true;
}

/* A "" is a chain that the server does not know, 0. */
static bool read_chain(const json_t *v, uint64_t *ret_chain)
{
	*ret_chain = 0;
	return (json_is_string(v) && json_string_length(v) == 0) ||
	       (v && wire_json_half(v, false, ret_chain));
}

static bool read_range(
	const json_t *item, const struct wire_origins *origins, struct fragment_range *ret_range)
{
	return json_array_size(item) == 5 &&
	       read_index(json_array_get(item, 0), origins, &ret_range->origin) &&
	       read_number(json_array_get(item, 1), &ret_range->after) &&
	       read_number(json_array_get(item, 2), &ret_range->upto) &&
	       read_chain(json_array_get(item, 3), &ret_range->chain_after) &&
	       read_chain(json_array_get(item, 4), &ret_range->chain_upto) &&
	       ret_range->after < ret_range->upto;
}

/* A slice has at least one range, and only a full fragment may have some beside it. */
static enum err read_ranges(
	const json_t *array, const struct wire_origins *origins, struct fragment *f)
{
	size_t count = json_array_size(array);

	if ((array && !json_is_array(array)) || count > origins->used ||
		(count == 0 && f->mode == FRAGMENT_SLICE) ||
		(count > 0 && f->mode != FRAGMENT_SLICE && f->mode != FRAGMENT_FULL))
		return ERR_MALFORMED;
	f->ranges = calloc(count + 1, sizeof(*f->ranges));
	if (!f->ranges)
		return ERR_NO_MEMORY;
	for (; f->range_count < count; f->range_count++)
		if (!read_range(json_array_get(array, f->range_count), origins,
			    &f->ranges[f->range_count]))
			return ERR_MALFORMED;
	return ERR_OK;
}

/* Pairs [number, count], with room for `more` behind them. */
static enum err read_items(const json_t *array, const struct wire_origins *origins, size_t more,
	struct vector_item **ret_items, size_t *ret_count)
{
	size_t count = json_array_size(array);
	struct vector_item *items;

	if (!json_is_array(array) || count > WIRE_ORIGINS_MAX)
		return ERR_MALFORMED;
	items = calloc(count + more + 1, sizeof(*items));
	if (!items)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);

		if (json_array_size(item) != 2 ||
			!read_index(json_array_get(item, 0), origins, &items[i].origin) ||
			!read_number(json_array_get(item, 1), &items[i].count)) {
			free(items);
			return ERR_MALFORMED;
		}
	}
	*ret_items = items;
	*ret_count = count;
	return ERR_OK;
}

static enum err read_floors(
	const json_t *array, const struct wire_origins *origins, struct fragment *f)
{
	struct vector_item *items = NULL;
	size_t count = 0;
	enum err e;

	if (!array)
		return ERR_OK;
	if (f->mode != FRAGMENT_FULL)
		return ERR_MALFORMED;
	e = read_items(array, origins, 0, &items, &count);
	if (e == ERR_OK)
		e = wire_overlay(items, count, NULL, &f->floors);
	free(items);
	return e;
}

static enum err read_vector(const json_t *o, const struct wire_origins *origins,
	struct wire_envelope *e, const struct fragment *f)
{
	bool slice = f->mode == FRAGMENT_SLICE;
	const json_t *array = json_object_get(o, wire_vector_key(slice, true));

	e->by_after = array != NULL;
	if (!array)
		array = json_object_get(o, wire_vector_key(slice, false));
	return read_items(array, origins, f->range_count, &e->items, &e->item_count);
}

/* Left out it is that of the latest entry. */
static bool read_clock(const json_t *v, struct fragment *f)
{
	if (v || f->put_count == 0)
		return read_number(v, &f->clock);
	for (size_t i = 0; i < f->put_count; i++)
		if (f->puts[i].clock > f->clock)
			f->clock = f->puts[i].clock;
	return true;
}

static enum err read_trailer(const json_t *o, const struct wire_origins *origins, size_t lines,
	struct wire_envelope *e, struct fragment *f)
{
	struct origin_id sums;
	uint64_t counted;
	enum err err;

	if (!wire_json_sums(json_object_get(o, "h"), &sums) ||
		!read_clock(json_object_get(o, "clk"), f) ||
		!read_number(json_object_get(o, "lines"), &counted) || counted != lines)
		return ERR_MALFORMED;
	f->digest = (struct digest){{sums.hi, sums.lo}};
	err = read_ranges(json_object_get(o, "x"), origins, f);
	if (err == ERR_OK)
		err = read_vector(o, origins, e, f);
	if (err == ERR_OK)
		err = read_floors(json_object_get(o, "f"), origins, f);
	return err;
}

enum err wire_trailer_read(const char *line, size_t count, const struct wire_origins *origins,
	size_t lines, struct wire_envelope *e, struct fragment *f)
{
	json_t *o = NULL;
	enum err err = load_object(line, count, &o);

	if (err != ERR_OK)
		return err;
	err = read_trailer(o, origins, lines, e, f);
	json_decref(o);
	return err;
}

/* ---- the two together ---- */

/* No origin has two ranges. */
static enum err ranges_are_single(const struct fragment *f)
{
	struct vector_item *tops = calloc(f->range_count + 1, sizeof(*tops));
	struct vector joined = VECTOR_INIT;
	enum err e = tops ? ERR_OK : ERR_NO_MEMORY;

	for (size_t i = 0; tops && i < f->range_count; i++)
		tops[i] = (struct vector_item){f->ranges[i].origin, f->ranges[i].upto};
	if (tops)
		e = wire_overlay(tops, f->range_count, NULL, &joined);
	vector_fini(&joined);
	free(tops);
	return e;
}

/*
 * A range always runs to the end of what the server knows, since a fragment is never cut short; and
 * floors are below that.
 */
static bool vector_is_fitting(const struct fragment *f)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (f->ranges[i].upto != vector_get(&f->vector, f->ranges[i].origin))
			return false;
	return vector_covers(&f->vector, &f->floors);
}

enum err wire_envelope_close(
	struct wire_envelope *e, const struct vector *after, struct fragment *f)
{
	enum err err;

	if (e->by_after && !after)
		return ERR_MALFORMED;
	/* The tops of a slice stand in its ranges; one among the deps too is an origin twice. */
	for (size_t i = 0; f->mode == FRAGMENT_SLICE && i < f->range_count; i++)
		e->items[e->item_count++] =
			(struct vector_item){f->ranges[i].origin, f->ranges[i].upto};
	err = wire_overlay(e->items, e->item_count, e->by_after ? after : NULL, &f->vector);
	if (err == ERR_OK)
		err = ranges_are_single(f);
	if (err == ERR_OK && !vector_is_fitting(f))
		err = ERR_MALFORMED;
	return err;
}

#include "api/wire.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/records.h"
#include "api/wire_line.h"
#include "api/wire_sum.h"

#define SUM_BYTES 26 /* ,"sum":"<16 hex>"} at the end of the trailer */

enum stage { AT_HEADER, AT_LINES, AT_END };

struct wire_reader {
	enum stage stage;
	enum err err;     /* the first one, for ever */
	struct text line; /* the begin of a line that has not ended yet */
	size_t bytes;
	size_t lines;
	XXH64_state_t sum;
	char name[WIRE_NAME_BYTES_MAX + 1];
	struct fragment f;
	struct origin_id *origins; /* `o` of the header */
	size_t origin_count;
	size_t put_size;
	size_t kill_size;
};

enum err wire_reader_new(struct wire_reader **ret_reader)
{
	struct wire_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return ERR_NO_MEMORY;
	XXH64_reset(&r->sum, WIRE_SUM_SEED);
	*ret_reader = r;
	return ERR_OK;
}

void wire_reader_free(struct wire_reader *r)
{
	if (!r)
		return;
	text_fini(&r->line);
	fragment_fini(&r->f);
	free(r->origins);
	free(r);
}

const char *wire_reader_name(const struct wire_reader *r)
{
	return r->name;
}

/* ---- the two objects, by jansson ---- */

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

static bool is_number(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

static enum err read_origins(struct wire_reader *r, const json_t *array)
{
	size_t count = json_array_size(array);

	if (!json_is_array(array))
		return ERR_MALFORMED;
	if (count > WIRE_ORIGINS_MAX)
		return ERR_LIMIT;
	r->origins = calloc(count + 1, sizeof(*r->origins));
	if (!r->origins)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const char *hex = json_string_value(json_array_get(array, i));

		if (!hex || !origin_from_hex(hex, &r->origins[i]) ||
			(i > 0 && origin_compare(r->origins[i - 1], r->origins[i]) >= 0))
			return ERR_MALFORMED;
	}
	r->origin_count = count;
	return ERR_OK;
}

static enum err read_range(struct wire_reader *r, const json_t *item)
{
	const json_t *o = json_array_get(item, 0), *after = json_array_get(item, 1),
		     *upto = json_array_get(item, 2);

	if (json_array_size(item) != 3 || !is_number(o) || !is_number(after) || !is_number(upto) ||
		(uint64_t)json_integer_value(o) >= r->origin_count ||
		json_integer_value(after) >= json_integer_value(upto))
		return ERR_MALFORMED;
	r->f.ranges[r->f.range_count++] = (struct fragment_range){
		.origin = r->origins[json_integer_value(o)],
		.after = (uint64_t)json_integer_value(after),
		.upto = (uint64_t)json_integer_value(upto),
	};
	return ERR_OK;
}

static enum err read_ranges(struct wire_reader *r, const json_t *array)
{
	size_t count = json_array_size(array);
	enum err e = ERR_OK;

	/* A full fragment has at least one range, a tick none, and no origin has two. */
	if (!json_is_array(array) || count > r->origin_count ||
		(count > 0) != (r->f.mode == FRAGMENT_FULL))
		return ERR_MALFORMED;
	r->f.ranges = calloc(count + 1, sizeof(*r->f.ranges));
	if (!r->f.ranges)
		return ERR_NO_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		e = read_range(r, json_array_get(array, i));
	return e;
}

static enum err read_header(struct wire_reader *r, const json_t *o)
{
	const json_t *version = json_object_get(o, "v");
	const char *name = json_string_value(json_object_get(o, "from"));
	const char *inc = json_string_value(json_object_get(o, "inc"));
	const char *mode = json_string_value(json_object_get(o, "mode"));
	enum err e;

	if (!json_is_integer(version))
		return ERR_MALFORMED;
	if (json_integer_value(version) != WIRE_VERSION)
		return ERR_PROTOCOL;
	if (!name || strlen(name) > WIRE_NAME_BYTES_MAX || !inc || !mode ||
		!origin_from_hex(inc, &r->f.from) ||
		(strcmp(mode, "full") != 0 && strcmp(mode, "tick") != 0))
		return ERR_MALFORMED;
	strcpy(r->name, name);
	r->f.mode = strcmp(mode, "full") == 0 ? FRAGMENT_FULL : FRAGMENT_TICK;
	e = read_origins(r, json_object_get(o, "o"));
	return e == ERR_OK ? read_ranges(r, json_object_get(o, "x")) : e;
}

/* One [index, count] of the trailer's vector; `o` lists its origins in this order, all of them. */
static enum err read_count(struct wire_reader *r, const json_t *item, size_t i)
{
	const json_t *o = json_array_get(item, 0), *count = json_array_get(item, 1);

	if (json_array_size(item) != 2 || !is_number(o) || !is_number(count) ||
		(size_t)json_integer_value(o) != i || json_integer_value(count) == 0)
		return ERR_MALFORMED;
	return vector_raise(&r->f.vector, r->origins[i], (uint64_t)json_integer_value(count));
}

static enum err read_vector(struct wire_reader *r, const json_t *array)
{
	enum err e = vector_reserve(&r->f.vector, r->origin_count);

	if (json_array_size(array) != r->origin_count || !json_is_array(array))
		return ERR_MALFORMED;
	for (size_t i = 0; e == ERR_OK && i < r->origin_count; i++)
		e = read_count(r, json_array_get(array, i), i);
	return e;
}

/* A range always runs to the end of what the server knows: a fragment is never cut short. */
static bool ranges_are_whole(const struct fragment *f)
{
	for (size_t i = 0; i < f->range_count; i++) {
		if (f->ranges[i].upto != vector_get(&f->vector, f->ranges[i].origin))
			return false;
	}
	return true;
}

static enum err read_trailer(struct wire_reader *r, const json_t *o)
{
	const char *h = json_string_value(json_object_get(o, "h"));
	const json_t *clock = json_object_get(o, "clk"), *lines = json_object_get(o, "lines");
	struct origin_id sums;
	enum err e;

	if (!h || !origin_from_hex(h, &sums) || !is_number(clock) || !is_number(lines) ||
		(uint64_t)json_integer_value(lines) != r->lines)
		return ERR_MALFORMED;
	r->f.digest = (struct digest){{sums.hi, sums.lo}};
	r->f.clock = (uint64_t)json_integer_value(clock);
	e = read_vector(r, json_object_get(o, "vec"));
	if (e == ERR_OK && !ranges_are_whole(&r->f))
		e = ERR_MALFORMED;
	return e;
}

/* Does the trailer end with the sum of all that stands before it? */
static bool sum_is_right(struct wire_reader *r, const char *line, size_t count)
{
	char hex[ORIGIN_HEX_BYTES], end[SUM_BYTES + 1] = ",\"sum\":\"";

	if (count < SUM_BYTES)
		return false;
	XXH64_update(&r->sum, line, count - SUM_BYTES);
	origin_to_hex((struct origin_id){0, XXH64_digest(&r->sum)}, hex);
	strcat(strcat(end, hex + 16), "\"}");
	return memcmp(end, line + count - SUM_BYTES, SUM_BYTES) == 0;
}

/* ---- the lines between them, by hand: jansson costs ten times as much ---- */

static enum err grow(void **items, size_t used, size_t *size, size_t item_bytes)
{
	size_t wanted = *size ? *size * 2 : 64;
	void *grown;

	if (used < *size)
		return ERR_OK;
	grown = realloc(*items, wanted * item_bytes);
	if (!grown)
		return ERR_NO_MEMORY;
	*items = grown;
	*size = wanted;
	return ERR_OK;
}

static enum err read_put(struct wire_reader *r, const char *line, size_t count)
{
	struct fragment_put p = {.clock = 0};
	enum err e = wire_line_put(line, count, r->origins, r->origin_count, &p);

	if (e == ERR_OK)
		e = record_decode_checked(p.key, p.key_bytes, p.value, p.value_bytes, &p.record);
	if (e == ERR_OK)
		e = grow((void **)&r->f.puts, r->f.put_count, &r->put_size, sizeof(p));
	if (e != ERR_OK) {
		record_free(p.record);
		free(p.key);
		free(p.value);
		return e;
	}
	r->f.puts[r->f.put_count++] = p;
	return ERR_OK;
}

static enum err read_kills(struct wire_reader *r, const char *line, size_t count)
{
	struct wire_kills k;
	struct fragment_kill kill;
	enum err e = wire_line_kills(&k, line, count, r->origins, r->origin_count, &kill.killer);

	while (e == ERR_OK && wire_line_victim(&k, &kill.victim)) {
		e = grow((void **)&r->f.kills, r->f.kill_count, &r->kill_size, sizeof(kill));
		if (e == ERR_OK)
			r->f.kills[r->f.kill_count++] = kill;
	}
	if (e == ERR_OK && !wire_line_kills_ok(&k))
		e = ERR_MALFORMED;
	return e;
}

static enum err read_object(struct wire_reader *r, const char *line, size_t count)
{
	json_t *o = NULL;
	enum err e;

	if (r->stage == AT_LINES && !sum_is_right(r, line, count))
		return ERR_MALFORMED;
	e = load_object(line, count, &o);
	if (e == ERR_OK)
		e = r->stage == AT_HEADER ? read_header(r, o) : read_trailer(r, o);
	if (e == ERR_OK)
		r->stage++;
	json_decref(o);
	return e;
}

/* One line without its newline. */
static enum err read_line(struct wire_reader *r, const char *line, size_t count)
{
	bool header = r->stage == AT_HEADER, object = count > 0 && line[0] == '{';
	enum err e;

	if (r->stage == AT_END || count < 4 || (header && !object))
		return ERR_MALFORMED;
	if (object) {
		e = read_object(r, line, count);
	} else {
		if (r->f.mode != FRAGMENT_FULL)
			return ERR_MALFORMED;
		if (++r->lines > WIRE_LINES_MAX)
			return ERR_LIMIT;
		e = line[2] == 'k' ? read_kills(r, line, count) : read_put(r, line, count);
	}
	if (r->stage != AT_END) {
		XXH64_update(&r->sum, line, count);
		XXH64_update(&r->sum, "\n", 1);
	}
	return e;
}

/* Keeps the begin of a line, or completes it. */
static enum err keep(struct wire_reader *r, const char *bytes, size_t count)
{
	if (r->line.used + count > WIRE_LINE_BYTES_MAX)
		return ERR_LIMIT;
	text_add(&r->line, bytes, count);
	return text_ok(&r->line) ? ERR_OK : ERR_NO_MEMORY;
}

/* Whole lines are read where they are; only what is torn between two pieces is copied. */
static enum err feed(struct wire_reader *r, const char *bytes, size_t count)
{
	while (count > 0) {
		const char *newline = memchr(bytes, '\n', count);
		size_t here = newline ? (size_t)(newline - bytes) : count;
		enum err e = ERR_OK;

		if (!newline || r->line.used > 0)
			e = keep(r, bytes, here);
		if (e == ERR_OK && newline && r->line.used > 0)
			e = read_line(r, r->line.bytes, r->line.used);
		else if (e == ERR_OK && newline)
			e = here > WIRE_LINE_BYTES_MAX ? ERR_LIMIT : read_line(r, bytes, here);
		if (e != ERR_OK || !newline)
			return e;
		text_clear(&r->line);
		bytes += here + 1;
		count -= here + 1;
	}
	return ERR_OK;
}

enum err wire_reader_feed(struct wire_reader *r, const char *bytes, size_t count)
{
	if (r->err != ERR_OK)
		return r->err;
	if (count > WIRE_BODY_BYTES_MAX - r->bytes) {
		r->err = ERR_LIMIT;
		return r->err;
	}
	r->bytes += count;
	r->err = feed(r, bytes, count);
	return r->err;
}

enum err wire_reader_end(struct wire_reader *r, struct fragment *ret_fragment)
{
	if (r->err == ERR_OK && (r->stage != AT_END || r->line.used > 0))
		r->err = ERR_MALFORMED;
	if (r->err != ERR_OK)
		return r->err;
	*ret_fragment = r->f;
	r->f = (struct fragment){0};
	r->err = ERR_MALFORMED; /* it is given once */
	return ERR_OK;
}

#include "api/wire.h"

#include <assert.h>
#include <string.h>

#include "api/wire_sum.h"

static void put_hex(struct text *t, const char *name, struct origin_id id)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(id, hex);
	json_put_string(t, name, hex);
}

/* The place of `origin` in the vector, which is what `o` lists; each origin of a fragment is there.
 */
static uint64_t index_of(const struct vector *v, struct origin_id origin)
{
	size_t low = 0, high = v->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (origin_compare(v->items[middle].origin, origin) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	assert(low < v->used && origin_equal(v->items[low].origin, origin));
	return low;
}

static void end_line(struct text *t)
{
	text_add(t, "\n", 1);
	t->comma = false;
}

static void write_header(const struct fragment *f, const char *name, struct text *t)
{
	char hex[ORIGIN_HEX_BYTES];

	json_object(t);
	json_put_uint(t, "v", WIRE_VERSION);
	json_put_string(t, "from", name);
	put_hex(t, "inc", f->from);
	json_put_string(t, "mode", f->mode == FRAGMENT_FULL ? "full" : "tick");
	json_key(t, "o");
	json_array(t);
	for (size_t i = 0; i < f->vector.used; i++) {
		origin_to_hex(f->vector.items[i].origin, hex);
		json_string(t, hex);
	}
	json_end_array(t);
	json_key(t, "x");
	json_array(t);
	for (size_t i = 0; i < f->range_count; i++) {
		json_array(t);
		json_uint(t, index_of(&f->vector, f->ranges[i].origin));
		json_uint(t, f->ranges[i].after);
		json_uint(t, f->ranges[i].upto);
		json_end_array(t);
	}
	json_end_array(t);
	json_end_object(t);
	end_line(t);
}

static void write_put(const struct fragment *f, const struct fragment_put *p, struct text *t)
{
	/* A newline may stand between the tokens of a value, but not inside a line. */
	bool plain = !memchr(p->value, '\n', p->value_bytes);

	json_array(t);
	json_string(t, plain ? "p" : "s");
	json_uint(t, index_of(&f->vector, p->dot.origin));
	json_uint(t, p->dot.seq);
	json_uint(t, p->clock);
	json_string_n(t, p->key, p->key_bytes);
	if (plain)
		json_raw(t, p->value, p->value_bytes);
	else
		json_string_n(t, p->value, p->value_bytes);
	json_end_array(t);
	end_line(t);
}

/* Writes the kill records of the event at `i`; gives the index behind them. */
static size_t write_kills(const struct fragment *f, size_t i, struct text *t)
{
	struct dot killer = f->kills[i].killer;

	json_array(t);
	json_string(t, "k");
	json_uint(t, index_of(&f->vector, killer.origin));
	json_uint(t, killer.seq);
	json_array(t);
	for (; i < f->kill_count && dot_compare(f->kills[i].killer, killer) == 0; i++) {
		json_array(t);
		json_uint(t, index_of(&f->vector, f->kills[i].victim.origin));
		json_uint(t, f->kills[i].victim.seq);
		json_end_array(t);
	}
	json_end_array(t);
	json_end_array(t);
	end_line(t);
	return i;
}

static void write_trailer(const struct fragment *f, size_t lines, size_t start, struct text *t)
{
	char sum[ORIGIN_HEX_BYTES];

	json_object(t);
	json_key(t, "vec");
	json_array(t);
	for (size_t i = 0; i < f->vector.used; i++) {
		json_array(t);
		json_uint(t, i);
		json_uint(t, f->vector.items[i].count);
		json_end_array(t);
	}
	json_end_array(t);
	put_hex(t, "h", (struct origin_id){f->digest.sums[0], f->digest.sums[1]});
	json_put_uint(t, "clk", f->clock);
	json_put_uint(t, "lines", lines);
	if (!text_ok(t))
		return;
	origin_to_hex((struct origin_id){0, wire_sum(t->bytes + start, t->used - start)}, sum);
	json_put_string(t, "sum", sum + 16);
	json_end_object(t);
	end_line(t);
}

void wire_write(const struct fragment *f, const char *name, struct text *t)
{
	size_t lines = f->put_count, start = t->used;

	t->comma = false;
	write_header(f, name, t);
	for (size_t i = 0; i < f->put_count; i++)
		write_put(f, &f->puts[i], t);
	for (size_t i = 0; i < f->kill_count; lines++)
		i = write_kills(f, i, t);
	write_trailer(f, lines, start, t);
}

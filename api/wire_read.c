#include "api/wire.h"

#include <stdlib.h>
#include <string.h>

#include "api/records.h"
#include "api/wire_line.h"
#include "api/wire_object.h"
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
	struct wire_envelope envelope;
	struct wire_origins origins;
	struct fragment f;
	size_t put_size;
	size_t kill_size;
	size_t check_size;
	size_t alive_size;
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
	wire_origins_fini(&r->origins);
	free(r->envelope.items);
	free(r);
}

uint64_t wire_reader_retired(const struct wire_reader *r)
{
	return r->envelope.retired_hash;
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
	enum err e = wire_line_put(line, count, &r->origins, &p);

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

static enum err add_kill(struct wire_reader *r, struct fragment_kill kill)
{
	enum err e = grow((void **)&r->f.kills, r->f.kill_count, &r->kill_size, sizeof(kill));

	if (r->f.kill_count == WIRE_DOTS_MAX)
		return ERR_LIMIT;
	if (e == ERR_OK)
		r->f.kills[r->f.kill_count++] = kill;
	return e;
}

static enum err read_kills(struct wire_reader *r, const char *line, size_t count)
{
	struct wire_list l;
	struct fragment_kill kill;
	enum err e = wire_line_kills(&l, line, count, &r->origins, &kill.killer);

	while (e == ERR_OK && wire_line_victim(&l, &kill.victim))
		e = add_kill(r, kill);
	return e == ERR_OK && !wire_line_ok(&l) ? ERR_MALFORMED : e;
}

/* The seqs of a check grow, and lie in its range. */
static enum err add_alive(struct wire_reader *r, const struct fragment_check *c, uint64_t seq)
{
	struct fragment *f = &r->f;
	uint64_t above = c->count > 0 ? f->alive[f->alive_count - 1] : c->after;
	enum err e = grow((void **)&f->alive, f->alive_count, &r->alive_size, sizeof(seq));

	if (seq <= above || seq > c->upto)
		return ERR_MALFORMED;
	if (f->alive_count == WIRE_DOTS_MAX)
		return ERR_LIMIT;
	if (e == ERR_OK)
		f->alive[f->alive_count++] = seq;
	return e;
}

static enum err read_check(struct wire_reader *r, const char *line, size_t count)
{
	struct wire_list l;
	struct fragment_check c = {.first = r->f.alive_count};
	uint64_t seq;
	enum err e = wire_line_check(&l, line, count, &r->origins, &c);

	for (; e == ERR_OK && wire_line_seq(&l, &seq); c.count++)
		e = add_alive(r, &c, seq);
	if (e == ERR_OK && !wire_line_ok(&l))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = grow((void **)&r->f.checks, r->f.check_count, &r->check_size, sizeof(c));
	if (e == ERR_OK)
		r->f.checks[r->f.check_count++] = c;
	return e;
}

static enum err read_origins(struct wire_reader *r, const char *line, size_t count)
{
	struct wire_list l;
	struct origin_id id;
	enum err e = wire_line_origins(&l, line, count);

	while (e == ERR_OK && wire_line_origin(&l, &id))
		e = origin_is_zero(id) ? ERR_MALFORMED : wire_origins_add(&r->origins, id);
	if (e == ERR_EXISTS || (e == ERR_OK && !wire_line_ok(&l)))
		return ERR_MALFORMED;
	return e;
}

static enum err read_object(struct wire_reader *r, const char *line, size_t count)
{
	enum err e;

	if (r->stage == AT_HEADER) {
		e = wire_header_read(line, count, &r->envelope, &r->origins, &r->f);
	} else {
		if (!sum_is_right(r, line, count))
			return ERR_MALFORMED;
		e = wire_trailer_read(line, count, &r->origins, r->lines, &r->envelope, &r->f);
	}
	if (e == ERR_OK)
		r->stage++;
	return e;
}

/* Only slices and full fragments carry anything, and only the latter answer block sums. */
static enum err read_item(struct wire_reader *r, const char *line, size_t count)
{
	bool full = r->f.mode == FRAGMENT_FULL;

	if (!full && r->f.mode != FRAGMENT_SLICE)
		return ERR_MALFORMED;
	if (++r->lines > WIRE_LINES_MAX)
		return ERR_LIMIT;
	switch (line[2]) {
	case 'k':
		return read_kills(r, line, count);
	case 'o':
		return read_origins(r, line, count);
	case 'c':
		return full ? read_check(r, line, count) : ERR_MALFORMED;
	default:
		return read_put(r, line, count);
	}
}

/* One line without its newline. */
static enum err read_line(struct wire_reader *r, const char *line, size_t count)
{
	bool object = count > 0 && line[0] == '{';
	enum err e;

	if (r->stage == AT_END || count < 4 || (r->stage == AT_HEADER && !object))
		return ERR_MALFORMED;
	e = object ? read_object(r, line, count) : read_item(r, line, count);
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

enum err wire_reader_end(
	struct wire_reader *r, const struct vector *after, struct fragment *ret_fragment)
{
	if (r->err == ERR_OK && (r->stage != AT_END || r->line.used > 0))
		r->err = ERR_MALFORMED;
	if (r->err == ERR_OK)
		r->err = wire_envelope_close(&r->envelope, after, &r->f);
	if (r->err != ERR_OK)
		return r->err;
	*ret_fragment = r->f;
	r->f = (struct fragment){0};
	r->err = ERR_MALFORMED; /* it is given once */
	return ERR_OK;
}

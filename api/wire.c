#include "api/wire.h"

#include <stdlib.h>
#include <string.h>

#include "api/wire_object.h"
#include "api/wire_origins.h"
#include "api/wire_sum.h"

struct wire_writer {
	const struct wire_sender *sender;
	struct wire_origins origins;
	size_t listed; /* origins that the body has named already; the others are next */
	struct origin_id last;
	size_t last_number; /* of `last`: lines come by origin */
	bool slice;
	uint64_t latest; /* the greatest clock of the entries */
	size_t lines;
	size_t start; /* of what is being appended, in the text */
	XXH64_state_t sum;
};

enum err wire_writer_new(const struct wire_sender *sender, struct wire_writer **ret_writer)
{
	struct wire_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return ERR_NO_MEMORY;
	w->sender = sender;
	w->last_number = WIRE_NO_ORIGIN;
	XXH64_reset(&w->sum, WIRE_SUM_SEED);
	*ret_writer = w;
	return ERR_OK;
}

void wire_writer_free(struct wire_writer *w)
{
	if (!w)
		return;
	wire_origins_fini(&w->origins);
	free(w);
}

/* ---- origins ---- */

/* Its number; a new one gets its number here and is named before the line at hand. */
static uint64_t number_of(struct wire_writer *w, struct origin_id id, struct text *t)
{
	if (w->last_number == WIRE_NO_ORIGIN || !origin_equal(id, w->last)) {
		w->last_number = wire_origins_find(&w->origins, id);
		w->last = id;
	}
	if (w->last_number == WIRE_NO_ORIGIN) {
		if (wire_origins_add(&w->origins, id) != ERR_OK)
			t->failed = true;
		w->last_number = w->origins.used - 1;
	}
	return w->last_number;
}

static struct wire_walk walk_of(const struct wire_writer *w, const struct fragment *f)
{
	return (struct wire_walk){.vector = &f->vector, .table = w->sender->after};
}

/* Gives a number to all that header and trailer speak of, as far as the fragment knows it yet. */
static void meet(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	struct wire_walk walk = walk_of(w, f);
	struct vector_item item;

	number_of(w, f->from, t);
	for (size_t i = 0; i < f->range_count; i++)
		number_of(w, f->ranges[i].origin, t);
	for (size_t i = 0; i < f->floors.used; i++)
		number_of(w, f->floors.items[i].origin, t);
	while (!t->failed && wire_walk_next(&walk, &item))
		number_of(w, item.origin, t);
}

static void end_line(struct text *t)
{
	text_add(t, "\n", 1);
	t->comma = false;
}

/* The origins that were met and not named yet, as items, at most as many as a line may have. */
static void list_origins(struct wire_writer *w, struct text *t)
{
	char hex[ORIGIN_HEX_BYTES];

	for (size_t i = 0; i < WIRE_LINE_ITEMS_MAX && w->listed < w->origins.used; i++) {
		origin_to_hex(w->origins.items[w->listed++], hex);
		json_string(t, hex);
	}
}

static void name_origins(struct wire_writer *w, struct text *t)
{
	while (w->listed < w->origins.used && !t->failed) {
		text_adds(t, "[\"o\"");
		t->comma = true;
		list_origins(w, t);
		json_end_array(t);
		end_line(t);
		w->lines++;
	}
}

/* ---- the parts ---- */

/* Numbers make up most of a line, and printf would be most of the time. */
static void put_number(struct text *t, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	if (t->comma)
		text_add(t, ",", 1);
	t->comma = true;
	text_add(t, digits + at, sizeof(digits) - at);
}

static void put_hex(struct text *t, const char *name, struct origin_id id)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(id, hex);
	json_put_string(t, name, hex);
}

/* Of 16 digits. */
static void put_half(struct text *t, uint64_t value)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex((struct origin_id){0, value}, hex);
	json_string(t, hex + 16);
}

static void put_pair(struct text *t, uint64_t number, uint64_t count)
{
	json_array(t);
	put_number(t, number);
	put_number(t, count);
	json_end_array(t);
}

static void begin(struct wire_writer *w, struct text *t)
{
	w->start = t->used;
	t->comma = false;
}

static void add_to_sum(struct wire_writer *w, struct text *t)
{
	if (text_ok(t))
		XXH64_update(&w->sum, t->bytes + w->start, t->used - w->start);
}

/* ---- header ---- */

static const char *mode_name(enum fragment_mode mode)
{
	static const char *const names[] = {[FRAGMENT_TICK] = "tick",
		[FRAGMENT_SLICE] = "slice",
		[FRAGMENT_FULL] = "full",
		[FRAGMENT_REDO] = "redo",
		[FRAGMENT_NEED] = "need"};

	return names[mode];
}

void wire_writer_begin(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	begin(w, t);
	w->slice = f->mode == FRAGMENT_SLICE;
	number_of(w, f->from, t);
	/*
	 * Before its end a stream has no vector; that is not one without the table's origins. Only
	 * where lines may follow can they be named later.
	 */
	if (f->vector.used > 0 || f->mode != FRAGMENT_FULL)
		meet(w, f, t);
	json_object(t);
	json_put_uint(t, "v", WIRE_VERSION);
	put_hex(t, "inc", f->from);
	json_put_string(t, "mode", mode_name(f->mode));
	w->listed = 1; /* the server itself */
	if (w->origins.used > 1) {
		json_key(t, "o");
		json_array(t);
		list_origins(w, t);
		json_end_array(t);
	}
	if (w->sender->retired_hash) {
		json_key(t, "rt");
		put_half(t, w->sender->retired_hash);
	}
	if (f->ack_wanted)
		json_put_bool(t, "ack", true);
	json_end_object(t);
	end_line(t);
	add_to_sum(w, t);
}

/* ---- lines ---- */

static void write_put(struct wire_writer *w, const struct fragment_put *p, struct text *t)
{
	/* A newline may stand between the tokens of a value, but not inside a line. */
	bool plain = !memchr(p->value, '\n', p->value_bytes);
	uint64_t number = number_of(w, p->dot.origin, t);

	if (p->clock > w->latest)
		w->latest = p->clock;
	name_origins(w, t);
	text_adds(t, plain ? "[\"p\"" : "[\"s\"");
	t->comma = true;
	put_number(t, number);
	put_number(t, p->dot.seq);
	put_number(t, p->clock);
	json_string_n(t, p->key, p->key_bytes);
	if (plain)
		json_raw(t, p->value, p->value_bytes);
	else
		json_string_n(t, p->value, p->value_bytes);
	json_end_array(t);
	end_line(t);
	w->lines++;
}

/* How many records from `i` on are of the same event, and go into one line. */
static size_t same_killer(const struct fragment *f, size_t i)
{
	size_t end = i + 1;

	while (end < f->kill_count && end - i < WIRE_LINE_ITEMS_MAX &&
		dot_compare(f->kills[end].killer, f->kills[i].killer) == 0)
		end++;
	return end;
}

/* Writes the kill records of the event at `i`; gives the index behind them. */
static size_t write_kills(struct wire_writer *w, const struct fragment *f, size_t i, struct text *t)
{
	size_t end = same_killer(f, i);

	for (size_t k = i; k < end; k++)
		number_of(w, f->kills[k].victim.origin, t);
	number_of(w, f->kills[i].killer.origin, t);
	name_origins(w, t);
	text_adds(t, "[\"k\"");
	t->comma = true;
	put_number(t, number_of(w, f->kills[i].killer.origin, t));
	put_number(t, f->kills[i].killer.seq);
	json_array(t);
	for (; i < end; i++)
		put_pair(t, number_of(w, f->kills[i].victim.origin, t), f->kills[i].victim.seq);
	json_end_array(t);
	json_end_array(t);
	end_line(t);
	w->lines++;
	return end;
}

/* A long check becomes several, one behind the other, which say the same. */
static void write_check(struct wire_writer *w, const struct fragment *f,
	const struct fragment_check *c, struct text *t)
{
	uint64_t number = number_of(w, c->origin, t), after = c->after;
	const uint64_t *seqs = c->count > 0 ? f->alive + c->first : NULL;
	size_t left = c->count, count;

	name_origins(w, t);
	do {
		count = left < WIRE_LINE_ITEMS_MAX ? left : WIRE_LINE_ITEMS_MAX;
		left -= count;
		text_adds(t, "[\"c\"");
		t->comma = true;
		put_number(t, number);
		put_number(t, after);
		after = left > 0 ? seqs[count - 1] : c->upto;
		put_number(t, after);
		json_array(t);
		for (size_t i = 0; i < count; i++)
			put_number(t, *seqs++);
		json_end_array(t);
		json_end_array(t);
		end_line(t);
		w->lines++;
	} while (left > 0);
}

void wire_writer_piece(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	begin(w, t);
	for (size_t i = 0; i < f->put_count; i++)
		write_put(w, &f->puts[i], t);
	for (size_t i = 0; i < f->kill_count;)
		i = write_kills(w, f, i, t);
	for (size_t i = 0; i < f->check_count; i++)
		write_check(w, f, &f->checks[i], t);
	add_to_sum(w, t);
}

/* ---- trailer ---- */

static void put_chain(struct text *t, uint64_t chain)
{
	if (chain)
		put_half(t, chain);
	else
		json_string(t, "");
}

static void write_ranges(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	if (f->range_count == 0)
		return;
	json_key(t, "x");
	json_array(t);
	for (size_t i = 0; i < f->range_count; i++) {
		json_array(t);
		put_number(t, number_of(w, f->ranges[i].origin, t));
		put_number(t, f->ranges[i].after);
		put_number(t, f->ranges[i].upto);
		put_chain(t, f->ranges[i].chain_after);
		put_chain(t, f->ranges[i].chain_upto);
		json_end_array(t);
	}
	json_end_array(t);
}

const char *wire_vector_key(bool slice, bool by_after)
{
	if (by_after)
		return slice ? "+deps" : "+vec";
	return slice ? "deps" : "vec";
}

/* By number: has an origin a range? To be freed. The deps of a slice are all others. */
static bool *find_ranged(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	bool *ranged = calloc(w->origins.used + 1, sizeof(*ranged));

	if (!ranged)
		t->failed = true;
	for (size_t i = 0; !t->failed && i < f->range_count && w->slice; i++)
		ranged[number_of(w, f->ranges[i].origin, t)] = true;
	return ranged;
}

static void write_vector(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	struct wire_walk walk = walk_of(w, f);
	bool *ranged = find_ranged(w, f, t);
	struct vector_item item;

	json_key(t, wire_vector_key(w->slice, w->sender->after));
	json_array(t);
	while (!t->failed && wire_walk_next(&walk, &item)) {
		uint64_t number = number_of(w, item.origin, t);

		if (!ranged[number])
			put_pair(t, number, item.count);
	}
	json_end_array(t);
	free(ranged);
}

static void write_floors(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	if (f->floors.used == 0)
		return;
	json_key(t, "f");
	json_array(t);
	for (size_t i = 0; i < f->floors.used; i++)
		put_pair(t, number_of(w, f->floors.items[i].origin, t), f->floors.items[i].count);
	json_end_array(t);
}

void wire_writer_end(struct wire_writer *w, const struct fragment *f, struct text *t)
{
	begin(w, t);
	meet(w, f, t);
	name_origins(w, t);
	json_object(t);
	write_ranges(w, f, t);
	write_vector(w, f, t);
	write_floors(w, f, t);
	put_hex(t, "h", (struct origin_id){f->digest.sums[0], f->digest.sums[1]});
	if (f->clock != w->latest || w->latest == 0)
		json_put_uint(t, "clk", f->clock);
	json_put_uint(t, "lines", w->lines);
	add_to_sum(w, t);
	json_key(t, "sum");
	put_half(t, XXH64_digest(&w->sum));
	json_end_object(t);
	end_line(t);
}

void wire_write(const struct fragment *f, const struct wire_sender *sender, struct text *t)
{
	struct wire_writer *w = NULL;

	if (wire_writer_new(sender, &w) != ERR_OK) {
		t->failed = true;
		return;
	}
	wire_writer_begin(w, f, t);
	wire_writer_piece(w, f, t);
	wire_writer_end(w, f, t);
	wire_writer_free(w);
}

#include "api/wire.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/wire_json.h"
#include "api/wire_origins.h"

void wire_request_fini(struct wire_request *q)
{
	poll_fini(&q->poll);
	block_sums_fini(&q->blocks);
}

/* ---- writing ---- */

static void put_origin(struct text *t, struct origin_id id)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(id, hex);
	json_string(t, hex);
}

static void put_half(struct text *t, uint64_t value)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex((struct origin_id){0, value}, hex);
	json_string(t, hex + 16);
}

static void write_vector(
	struct text *t, const char *name, const struct vector *v, const struct vector *table)
{
	struct wire_walk walk = {.vector = v, .table = table};
	struct vector_item item;

	json_key(t, name);
	json_array(t);
	while (wire_walk_next(&walk, &item)) {
		json_array(t);
		put_origin(t, item.origin);
		json_uint(t, item.count);
		json_end_array(t);
	}
	json_end_array(t);
}

static void write_want(struct text *t, const struct poll *p)
{
	json_key(t, "want");
	if (p->all || p->origin_count == 0) {
		json_string(t, p->all ? "*" : "own");
		return;
	}
	json_array(t);
	for (size_t i = 0; i < p->origin_count; i++)
		put_origin(t, p->origins[i]);
	json_end_array(t);
}

static void write_own(struct text *t, const struct poll *p)
{
	if (p->own_seq == 0)
		return;
	json_key(t, "own");
	json_array(t);
	json_uint(t, p->own_seq);
	put_half(t, p->own_chain);
	json_end_array(t);
}

static void write_run(struct text *t, const struct block_sums *b, const struct block_run *run)
{
	json_array(t);
	put_origin(t, run->origin);
	json_uint(t, run->shift);
	json_array(t);
	for (size_t i = run->first; i < run->first + run->count; i++) {
		json_array(t);
		json_uint(t, b->sums[i].index);
		put_half(t, b->sums[i].sum);
		json_end_array(t);
	}
	json_end_array(t);
	json_end_array(t);
}

static void write_blocks(struct text *t, const struct wire_request *q)
{
	if (!q->digest)
		return;
	json_key(t, "blocks");
	json_array(t);
	for (size_t i = 0; i < q->blocks.run_count; i++)
		write_run(t, &q->blocks, &q->blocks.runs[i]);
	json_end_array(t);
	if (q->repair)
		json_put_bool(t, "repair", true);
}

void wire_request_write(const struct wire_request *q, const struct vector *retired, struct text *t)
{
	const struct vector *table = q->compact ? retired : NULL;

	json_object(t);
	json_put_string(t, "link", q->link);
	json_put_uint(t, "n", q->n);
	json_put_uint(t, "seen", q->seen);
	write_vector(t, "after", &q->poll.after, table);
	if (vector_equal(&q->poll.after, &q->poll.ack))
		json_put_string(t, "ack", "=");
	else
		write_vector(t, "ack", &q->poll.ack, table);
	write_want(t, &q->poll);
	json_put_int(t, "wait_ms", q->wait_ms);
	if (q->retired_hash) {
		json_key(t, "rt");
		put_half(t, q->retired_hash);
	}
	if (q->compact)
		json_put_bool(t, "compact", true);
	write_own(t, &q->poll);
	write_blocks(t, q);
	json_end_object(t);
}

/* ---- reading ---- */

/* An integer from 0 to `most`. */
static bool read_number(const json_t *v, int64_t most, uint64_t *ret)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > most)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

struct reading {
	struct wire_request *q;
	const struct vector *table; /* that is under the vectors, or NULL */
};

/* An array that is there, and not too long. */
static enum err check_array(const json_t *array, size_t most)
{
	if (!json_is_array(array))
		return ERR_MALFORMED;
	return json_array_size(array) > most ? ERR_LIMIT : ERR_OK;
}

/* Pairs [hex, count]. Zeros say something only of what is in the table. */
static enum err read_vector(const struct reading *r, const json_t *array, struct vector *ret)
{
	size_t count = json_array_size(array), used = 0;
	struct vector_item *items;
	enum err e = check_array(array, WIRE_ORIGINS_MAX);

	if (e != ERR_OK)
		return e;
	items = calloc(count + 1, sizeof(*items));
	if (!items)
		return ERR_NO_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < count; i++) {
		const json_t *item = json_array_get(array, i);

		if (json_array_size(item) != 2 ||
			!wire_json_origin(json_array_get(item, 0), &items[used].origin) ||
			!read_number(json_array_get(item, 1), INT64_MAX, &items[used].count))
			e = ERR_MALFORMED;
		used += items[used].count > 0 || !r->q->stale;
	}
	if (e == ERR_OK)
		e = wire_overlay(items, used, r->table, ret);
	free(items);
	return e;
}

static enum err read_vectors(const struct reading *r, const json_t *o)
{
	const json_t *ack = json_object_get(o, "ack");
	struct poll *p = &r->q->poll;
	enum err e = read_vector(r, json_object_get(o, "after"), &p->after);

	if (e != ERR_OK)
		return e;
	if (json_is_string(ack))
		return strcmp(json_string_value(ack), "=") == 0 ? vector_copy(&p->after, &p->ack)
								: ERR_MALFORMED;
	return read_vector(r, ack, &p->ack);
}

static enum err read_wanted(const json_t *array, struct poll *p)
{
	size_t count = json_array_size(array);
	enum err e = check_array(array, WIRE_ORIGINS_MAX);

	if (e != ERR_OK)
		return e;
	p->origins = calloc(count + 1, sizeof(*p->origins));
	if (!p->origins)
		return ERR_NO_MEMORY;
	for (; p->origin_count < count; p->origin_count++)
		if (!wire_json_origin(
			    json_array_get(array, p->origin_count), &p->origins[p->origin_count]))
			return ERR_MALFORMED;
	return ERR_OK;
}

static enum err read_want(const json_t *want, struct poll *p)
{
	const char *word = json_string_value(want);

	if (!word)
		return read_wanted(want, p);
	p->all = strcmp(word, "*") == 0;
	return p->all || strcmp(word, "own") == 0 ? ERR_OK : ERR_MALFORMED;
}

static enum err read_own(const json_t *own, struct poll *p)
{
	if (!own)
		return ERR_OK;
	if (json_array_size(own) != 2 ||
		!read_number(json_array_get(own, 0), INT64_MAX, &p->own_seq) ||
		!wire_json_half(json_array_get(own, 1), false, &p->own_chain))
		return ERR_MALFORMED;
	return ERR_OK;
}

/* ---- block sums ---- */

static bool read_sum(const json_t *item, struct block_sum *ret)
{
	return json_array_size(item) == 2 &&
	       read_number(json_array_get(item, 0), INT64_MAX, &ret->index) &&
	       wire_json_half(json_array_get(item, 1), false, &ret->sum);
}

/* The sums of one run, at least one, by growing index, behind those that are there. */
static enum err read_sums(const json_t *array, struct block_run *run, struct block_sums *b)
{
	if (json_array_size(array) == 0)
		return ERR_MALFORMED;
	run->first = b->sum_count;
	for (; run->count < json_array_size(array); run->count++) {
		struct block_sum *sum = &b->sums[b->sum_count];

		/* The last seq of a block must be a number too. */
		if (!read_sum(json_array_get(array, run->count), sum) ||
			sum->index >= (uint64_t)INT64_MAX >> run->shift ||
			(run->count > 0 && sum[-1].index >= sum->index))
			return ERR_MALFORMED;
		b->sum_count++;
	}
	return ERR_OK;
}

static enum err read_run(const json_t *item, struct block_sums *b)
{
	struct block_run *run = &b->runs[b->run_count];
	uint64_t shift;

	if (json_array_size(item) != 3 ||
		!wire_json_origin(json_array_get(item, 0), &run->origin) ||
		!read_number(json_array_get(item, 1), BLOCK_SHIFT_MAX, &shift) ||
		(b->run_count > 0 && origin_compare(run[-1].origin, run->origin) >= 0))
		return ERR_MALFORMED;
	run->shift = (unsigned)shift;
	b->run_count++;
	return read_sums(json_array_get(item, 2), run, b);
}

static enum err count_sums(const json_t *array, size_t *ret_count)
{
	enum err e = check_array(array, WIRE_ORIGINS_MAX);

	*ret_count = 0;
	for (size_t i = 0; e == ERR_OK && i < json_array_size(array); i++) {
		const json_t *sums = json_array_get(json_array_get(array, i), 2);

		e = check_array(sums, WIRE_BLOCKS_MAX);
		*ret_count += json_array_size(sums);
		if (*ret_count > WIRE_BLOCKS_MAX)
			e = ERR_LIMIT;
	}
	return e;
}

static enum err read_blocks(const json_t *array, struct wire_request *q)
{
	struct block_sums *b = &q->blocks;
	size_t count;
	enum err e;

	if (!array)
		return q->repair ? ERR_MALFORMED : ERR_OK;
	q->digest = true;
	e = count_sums(array, &count);
	if (e != ERR_OK)
		return e;
	b->runs = calloc(json_array_size(array) + 1, sizeof(*b->runs));
	b->sums = calloc(count + 1, sizeof(*b->sums));
	if (!b->runs || !b->sums)
		return ERR_NO_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < json_array_size(array); i++)
		e = read_run(json_array_get(array, i), b);
	return e;
}

/* ---- the whole ---- */

static bool read_words(const json_t *o, struct wire_request *q)
{
	const json_t *link = json_object_get(o, "link");
	uint64_t wait_ms;

	if (!json_is_string(link) || json_string_length(link) > WIRE_LINK_BYTES_MAX ||
		!read_number(json_object_get(o, "n"), INT64_MAX, &q->n) ||
		!read_number(json_object_get(o, "seen"), INT64_MAX, &q->seen) ||
		!read_number(json_object_get(o, "wait_ms"), WIRE_WAIT_MS_MAX, &wait_ms) ||
		!wire_json_half(json_object_get(o, "rt"), true, &q->retired_hash) ||
		!wire_json_flag(json_object_get(o, "compact"), &q->compact) ||
		!wire_json_flag(json_object_get(o, "repair"), &q->repair))
		return false;
	strcpy(q->link, json_string_value(link));
	q->wait_ms = (int64_t)wait_ms;
	return true;
}

static enum err read_request(const json_t *o, const struct vector *retired, uint64_t retired_hash,
	struct wire_request *q)
{
	struct reading r = {.q = q};
	enum err e;

	if (!read_words(o, q))
		return ERR_MALFORMED;
	q->stale = q->compact && q->retired_hash != retired_hash;
	if (q->compact && !q->stale)
		r.table = retired;
	e = read_vectors(&r, o);
	if (e == ERR_OK)
		e = read_want(json_object_get(o, "want"), &q->poll);
	if (e == ERR_OK)
		e = read_own(json_object_get(o, "own"), &q->poll);
	if (e == ERR_OK)
		e = read_blocks(json_object_get(o, "blocks"), q);
	return e;
}

enum err wire_request_load(const struct json_t *json, const struct vector *retired,
	uint64_t retired_hash, struct wire_request *ret_request)
{
	struct wire_request q = {.n = 0};
	enum err e = read_request(json, retired, retired_hash, &q);

	if (e == ERR_OK)
		*ret_request = q;
	else
		wire_request_fini(&q);
	return e;
}

enum err wire_request_read(const char *json, size_t bytes, const struct vector *retired,
	uint64_t retired_hash, struct wire_request *ret_request)
{
	json_t *o = NULL;
	enum err e;

	if (bytes > WIRE_REQUEST_BYTES_MAX)
		return ERR_LIMIT;
	e = json_read(json, bytes, JSON_REJECT_DUPLICATES, &o);
	if (e != ERR_OK)
		return e;
	e = wire_request_load(o, retired, retired_hash, ret_request);
	json_decref(o);
	return e;
}

/*
 * Questions about many names: selectEntries, countSelect, lookupKeys. A walk over a large registry
 * goes on over many turns of the loop, so that others have theirs in between.
 */
#include <stdlib.h>
#include <string.h>

#include "api/projection.h"
#include "api/queries.h"
#include "api/registry.h"
#include "api/scan.h"
#include "api/schema.h"

struct query { /* what a walk remembers between its turns */
	struct match match;
	struct scan scan;
	bool projects;
	struct projection projection;
	struct page page;
	struct text body;
	uint64_t found;
	char last[KEY_BYTES_MAX]; /* the key of the last row */
	size_t last_bytes;
	size_t lost_count;
	struct origin_id lost[MEMBERS_MAX]; /* nodes of stale entries */
};

static void free_query(void *state)
{
	struct query *q = state;

	text_fini(&q->body);
	free(q);
}

bool queries_compile(struct exchange *x, struct match *m)
{
	struct faults *faults = exchange_faults(x);

	faults_begin(faults, "/match");
	return match_compile(m, json_object_get(exchange_body(x), "match"), faults) == ERR_OK;
}

void queries_refuse(struct exchange *x)
{
	exchange_problem(x, PROBLEM_INVALID_SPEC, "the body says what cannot be asked");
}

static bool read_select(struct exchange *x, struct query *q)
{
	const json_t *select = json_object_get(exchange_body(x), "select");
	struct faults *faults = exchange_faults(x);

	q->projects = select != NULL;
	faults_begin(faults, "/select");
	return !select || projection_read(&q->projection, select, faults) == ERR_OK;
}

/* The exchange's state from now on; NULL: a problem was answered. */
static struct query *begin(struct exchange *x)
{
	struct query *q;
	bool match, select;

	if (!resource_registry(x))
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	exchange_state_set(x, q, free_query);
	match = queries_compile(x, &q->match);
	select = read_select(x, q);
	if (!match || !select) {
		queries_refuse(x);
		return NULL;
	}
	scan_begin(&q->scan, &q->match, entry_family(x), exchange_path(x, "reg"), NULL, 0);
	return q;
}

static void note_lost(struct query *q, const struct horde *h, const struct entry *e)
{
	struct entry_record r;

	if (!entry_name(e, &r) || !horde_entry_stale(h, e))
		return;
	for (size_t i = 0; i < q->lost_count; i++)
		if (origin_equal(q->lost[i], r.node))
			return;
	if (q->lost_count < MEMBERS_MAX)
		q->lost[q->lost_count++] = r.node;
}

/* Those that are out of reach now, at the end of the walk. */
static void put_lost(struct exchange *x, struct query *q)
{
	const struct horde *h = resource_horde(x);
	struct unreachable u = {.count = 0};

	for (size_t i = 0; i < q->lost_count; i++) {
		const struct member *m = horde_member_by_id(h, q->lost[i]);

		if (m && !member_reachable(m))
			unreachable_add(&u, m);
	}
	unreachable_put(&q->body, &u);
}

/* In this turn; FOUND: `take` wants no more. */
static enum scan_result walk(struct exchange *x, struct query *q,
	bool (*take)(struct exchange *x, struct query *q, const struct entry *e))
{
	size_t steps = SCAN_TURN_STEPS;
	const struct entry *e;
	enum scan_result r;

	do
		r = scan_next(&q->scan, resource_horde(x), &steps, &e);
	while (r == SCAN_FOUND && take(x, q, e));
	return r;
}

void queries_yield(struct exchange *x)
{
	exchange_park(x, exchange_now_ms(x) + 1);
}

/* ---- selectEntries ---- */

static void write_row(struct query *q, const struct horde *h, const struct entry *e)
{
	struct etag etag = entry_etag(h, e);

	if (q->projects) {
		json_object(&q->body);
		projection_put(&q->body, &q->projection, h, e);
	} else {
		entry_open(&q->body, h, e);
		etag_put(&q->body, &etag);
	}
	json_end_object(&q->body);
}

/* The row that is beyond the limit says only that there is one. */
static bool take_row(struct exchange *x, struct query *q, const struct entry *e)
{
	const char *key;

	if (q->found == q->page.limit || q->body.used >= QUERY_PAGE_BYTES)
		return false;
	write_row(q, resource_horde(x), e);
	note_lost(q, resource_horde(x), e);
	q->found++;
	key = scan_key(&q->scan, &q->last_bytes);
	memcpy(q->last, key, q->last_bytes);
	return true;
}

static struct query *begin_select(struct exchange *x)
{
	struct query *q = begin(x);

	if (!q || !page_begin(x, &q->page))
		return NULL;
	if (q->page.resumed)
		scan_begin(&q->scan, &q->match, entry_family(x), exchange_path(x, "reg"),
			q->page.after, q->page.after_length);
	json_object(&q->body);
	json_key(&q->body, "items");
	json_array(&q->body);
	return q;
}

static void end_select(struct exchange *x, struct query *q, bool more)
{
	json_end_array(&q->body);
	put_lost(x, q);
	page_end(x, &q->page, &q->body, q->last, q->last_bytes, more);
	json_end_object(&q->body);
	exchange_reply(x, 200, &q->body);
}

static void select_entries(struct exchange *x)
{
	struct query *q = exchange_state(x);
	enum scan_result r;
	const char *key;

	if (!q && !(q = begin_select(x)))
		return;
	r = walk(x, q, take_row);
	if (r == SCAN_FAILED) {
		exchange_fail(x, ERR_NO_MEMORY);
	} else if (r == SCAN_PAUSED && q->scan.looked < QUERY_PAGE_ENTRIES) {
		queries_yield(x);
	} else if (r == SCAN_PAUSED) {
		/* Nobody knows yet what follows: the next page begins where this one has come to.
		 */
		key = scan_key(&q->scan, &q->last_bytes);
		memcpy(q->last, key, q->last_bytes);
		end_select(x, q, true);
	} else {
		end_select(x, q, r == SCAN_FOUND);
	}
}

/* ---- countSelect ---- */

static bool take_one(struct exchange *x, struct query *q, const struct entry *e)
{
	note_lost(q, resource_horde(x), e);
	q->found++;
	return true;
}

static void count_select(struct exchange *x)
{
	struct query *q = exchange_state(x);
	enum scan_result r;

	if (!q && !(q = begin(x)))
		return;
	r = walk(x, q, take_one);
	if (r == SCAN_FAILED) {
		exchange_fail(x, ERR_NO_MEMORY);
		return;
	}
	if (r == SCAN_PAUSED) {
		queries_yield(x);
		return;
	}
	json_object(&q->body);
	json_put_uint(&q->body, "count", q->found);
	put_lost(x, q);
	json_end_object(&q->body);
	exchange_reply(x, 200, &q->body);
}

/* ---- lookupKeys ---- */

/* Its entry, or the first of several. */
static const struct entry *entry_named(
	const struct exchange *x, const char *name, char ret_prefix[KEY_BYTES_MAX + 1])
{
	if (entry_shared(x))
		return entry_first_of(x, name, ret_prefix);
	return map_get(resource_map(x), ret_prefix,
		resource_key(ret_prefix, "entry", exchange_path(x, "reg"), name));
}

static void put_found(
	struct text *out, const struct horde *h, const struct entry *e, struct unreachable *lost)
{
	struct etag etag = entry_etag(h, e);
	struct entry_record r;

	entry_open(out, h, e);
	etag_put(out, &etag);
	json_end_object(out);
	if (entry_name(e, &r) && horde_entry_stale(h, e))
		unreachable_add(lost, horde_member_by_id(h, r.node));
}

/* All owners' entries of one key, up to `most`. */
static size_t put_key(struct text *out, const struct exchange *x, const char *key, size_t most,
	struct unreachable *lost)
{
	char prefix[KEY_BYTES_MAX + 1];
	const struct entry *e = entry_named(x, key, prefix);
	size_t count = 0;

	for (; e && count < most; count++) {
		put_found(out, resource_horde(x), e, lost);
		e = entry_shared(x) ? entry_next_of(x, prefix, e) : NULL;
	}
	return count;
}

static void put_missing(struct text *out, const struct exchange *x, const json_t *keys)
{
	json_key(out, "missing");
	json_array(out);
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));
		char prefix[KEY_BYTES_MAX + 1];

		if (!entry_named(x, key, prefix))
			json_string(out, key);
	}
	json_end_array(out);
}

static void lookup_keys(struct exchange *x)
{
	const json_t *keys = json_object_get(exchange_body(x), "keys");
	struct unreachable lost = {.count = 0};
	struct text body = TEXT_INIT;
	size_t left = LOOKUP_ENTRIES_MAX;

	if (!resource_registry(x))
		return;
	json_object(&body);
	json_key(&body, "items");
	json_array(&body);
	for (size_t i = 0; i < json_array_size(keys); i++)
		left -= put_key(&body, x, json_string_value(json_array_get(keys, i)), left, &lost);
	json_end_array(&body);
	if (left == 0)
		json_put_bool(&body, "truncated", true);
	put_missing(&body, x, keys);
	unreachable_put(&body, &lost);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

const struct binding queries_bindings[] = {
	{"selectEntries", select_entries},
	{"countSelect", count_select},
	{"lookupKeys", lookup_keys},
	{NULL, NULL},
};

/* Lists of keys, in their byte order: listEntries, countEntries, listOwnerKeys, listMeta. */
#include <stdio.h>
#include <string.h>

#include "api/child.h"
#include "api/entry.h"
#include "api/registry.h"
#include "api/scan.h"
#include "server/core/digest.h"

/* A key of the map, or where its registry begins with what a cursor says behind that. */
#define PREFIX_BYTES_MAX (KEY_BYTES_MAX + 1 + PAGE_KEY_BYTES_MAX)

struct filter {
	char prefix[PREFIX_BYTES_MAX]; /* of map keys, family included */
	size_t length;
	size_t outside; /* bytes of it that are no part of the key */
	bool owned;
	struct owner owner;
	bool by_ready;
	bool ready;
	bool select; /* by labels of the owner */
	struct selector labels;
};

struct listing {
	struct page page;
	struct filter filter;
	struct unreachable unreachable;
	struct text body;
	uint64_t sum; /* over the rows, for the ETag */
	uint64_t count;
};

static bool read_labels(struct exchange *x, struct filter *f)
{
	const char *text = exchange_query(x, "label_selector");

	f->select = text && *text;
	if (!f->select || selector_parse(text, &f->labels) == ERR_OK)
		return true;
	exchange_problem(x, PROBLEM_BAD_QUERY,
		"label_selector is not a list of terms such as app=web,tier!=db");
	return false;
}

static bool read_filter(struct exchange *x, struct filter *f, const char *family,
	const char *registry, const char *owner)
{
	const char *prefix = exchange_query(x, "prefix");

	f->outside = resource_key(f->prefix, family, registry, "");
	f->length =
		f->outside + (size_t)snprintf(f->prefix + f->outside,
				     sizeof(f->prefix) - f->outside, "%s", prefix ? prefix : "");
	f->owned = owner && *owner;
	if (f->owned && owner_parse(owner, &f->owner) != ERR_OK) {
		exchange_problem(x, PROBLEM_BAD_QUERY,
			"owner must be child:<supervisor>/<id>, lease:<id> or static:<name>");
		return false;
	}
	if (f->length >= sizeof(f->prefix)) {
		exchange_problem(x, PROBLEM_BAD_QUERY, "the prefix is too long");
		return false;
	}
	f->by_ready = exchange_query(x, "ready") != NULL;
	f->ready = exchange_query_bool(x, "ready", true);
	return read_labels(x, f);
}

static bool node_matches(const struct exchange *x, const struct entry_record *r)
{
	const struct horde *h = resource_horde(x);
	const char *name = exchange_query_at(x, "node", 0);

	if (!name)
		return true;
	for (size_t i = 0; r && !origin_is_zero(r->node) && name;
		name = exchange_query_at(x, "node", ++i)) {
		if (strcmp(horde_member_name(h, r->node), name) == 0)
			return true;
	}
	return false;
}

/* Names that no child owns have no labels, and are not meant either. */
static bool labels_match(const struct exchange *x, const struct filter *f, const struct entry *e)
{
	const struct entry *spec = f->select ? entry_owner_spec(resource_horde(x), e) : NULL;

	return !f->select || (spec && child_labels_match(spec, &f->labels));
}

static bool matches(const struct exchange *x, const struct filter *f, const struct entry *e)
{
	struct entry_record r;
	bool known = entry_name(e, &r);

	if (f->owned &&
		(!known || r.owner_kind != f->owner.kind || strcmp(r.owner_id, f->owner.id) != 0))
		return false;
	if (f->by_ready && horde_entry_ready(resource_horde(x), e) != f->ready)
		return false;
	return node_matches(x, known ? &r : NULL) && labels_match(x, f, e);
}

/* Whose entries are looked at; NULL: everybody's. */
static const struct owner *of(const struct filter *f)
{
	return f->owned ? &f->owner : NULL;
}

static const struct entry *first_entry(const struct exchange *x, const struct listing *l)
{
	char key[PREFIX_BYTES_MAX];

	if (!l->page.resumed)
		return entry_from(
			resource_map(x), of(&l->filter), l->filter.prefix, l->filter.length);
	memcpy(key, l->filter.prefix, l->filter.outside);
	memcpy(key + l->filter.outside, l->page.after, l->page.after_length);
	return entry_after(
		resource_map(x), of(&l->filter), key, l->filter.outside + l->page.after_length);
}

static bool within(const struct entry *e, const struct filter *f)
{
	return e && e->key_bytes >= f->length && memcmp(e->key, f->prefix, f->length) == 0;
}

static void add_row(
	struct listing *l, const struct horde *h, const struct entry *e, uint64_t content)
{
	struct entry_record r;

	l->sum += hash_pair(digest_content(e->key, e->key_bytes), content);
	l->count++;
	if (entry_name(e, &r) && horde_entry_stale(h, e))
		unreachable_add(&l->unreachable, horde_member_by_id(h, r.node));
}

enum rows { ROWS_ENTRIES, ROWS_KEYS, ROWS_META };

static void write_entry(struct listing *l, const struct horde *h, const struct entry *e)
{
	struct etag etag = entry_etag(h, e);

	entry_open(&l->body, h, e);
	etag_put(&l->body, &etag);
	json_end_object(&l->body);
	add_row(l, h, e, entry_hash(h, e));
}

/* A list of keys does not change with their values. */
static void write_key(struct listing *l, const struct horde *h, const struct entry *e)
{
	json_object(&l->body);
	entry_put_key(&l->body, e);
	json_end_object(&l->body);
	add_row(l, h, e, 0);
}

static void write_meta(struct listing *l, const struct entry *e)
{
	struct etag etag = meta_etag(e);

	meta_open(&l->body, e);
	etag_put(&l->body, &etag);
	json_end_object(&l->body);
	l->sum += hash_pair(digest_content(e->key, e->key_bytes), entry_content(e));
	l->count++;
}

static void write_row(
	struct listing *l, const struct horde *h, const struct entry *e, enum rows rows)
{
	if (rows == ROWS_META)
		write_meta(l, e);
	else if (rows == ROWS_KEYS)
		write_key(l, h, e);
	else
		write_entry(l, h, e);
}

/*
 * Writes the rows of one page; the page goes up to `ret_last`, and there is more behind it or not.
 * A list is made in one turn of the loop, so where few entries match it ends before it is full.
 */
static bool write_rows(
	struct exchange *x, struct listing *l, enum rows rows, const struct entry **ret_last)
{
	const struct entry *e = first_entry(x, l);
	size_t steps = SCAN_LIST_STEPS,
	       each = SCAN_ENTRY_STEPS + (l->filter.select ? SCAN_PART_STEPS : 0);

	for (; within(e, &l->filter);
		e = entry_after(resource_map(x), of(&l->filter), e->key, e->key_bytes)) {
		if (steps < each)
			return true;
		steps -= each;
		if (rows == ROWS_META || matches(x, &l->filter, e)) {
			if (l->count == l->page.limit)
				return true;
			write_row(l, resource_horde(x), e, rows);
			*ret_last = e;
		} else if (l->count < l->page.limit) {
			*ret_last = e;
		}
	}
	return false;
}

/* The page, and what follows it. */
static void write_page(struct exchange *x, struct listing *l, enum rows rows)
{
	const struct entry *last = NULL;
	bool more;

	json_object(&l->body);
	json_key(&l->body, "items");
	json_array(&l->body);
	more = write_rows(x, l, rows, &last);
	json_end_array(&l->body);
	unreachable_put(&l->body, &l->unreachable);
	if (last)
		page_end(x, &l->page, &l->body, last->key + l->filter.outside,
			last->key_bytes - l->filter.outside, more);
	json_end_object(&l->body);
}

static void watch(struct exchange *x, const struct filter *f, enum rows rows)
{
	exchange_watch_prefix(x, f->prefix, f->length);
	exchange_watch_prefix(x, "member/", strlen("member/"));
	if (f->by_ready || rows == ROWS_ENTRIES)
		exchange_watch_prefix(x, "status/", strlen("status/")); /* who is ready */
	if (f->select)
		exchange_watch_prefix(x, "spec/", strlen("spec/"));
}

static void list(struct exchange *x, const char *family, enum rows rows, const char *owner)
{
	const char *registry = resource_registry(x);
	struct listing l = {.sum = 0};
	struct etag etag;

	if (!registry || !page_begin(x, &l.page) ||
		!read_filter(x, &l.filter, family, registry, owner))
		return;
	watch(x, &l.filter, rows);
	write_page(x, &l, rows);
	etag = etag_of(hash_pair(l.page.filter, l.sum));
	if (resource_settled(x, &etag, unreachable_hash(&l.unreachable)))
		text_fini(&l.body);
	else
		reads_reply(x, &l.body, &etag);
}

static void list_entries(struct exchange *x)
{
	bool keys = exchange_query_bool(x, "keys_only", false);

	list(x, entry_family(x), keys ? ROWS_KEYS : ROWS_ENTRIES, exchange_query(x, "owner"));
}

static void list_owner_keys(struct exchange *x)
{
	list(x, entry_family(x), ROWS_KEYS, exchange_path(x, "owner"));
}

static void list_meta(struct exchange *x)
{
	list(x, "meta", ROWS_META, NULL);
}

/* Nothing but a prefix is asked for. */
static bool is_plain(const struct exchange *x, const struct filter *f)
{
	return !f->owned && !f->by_ready && !f->select && !exchange_query(x, "node");
}

/* Without a walk; so every member that is out of reach may be one that owns something. */
static void count_at_once(const struct exchange *x, struct listing *l)
{
	const struct horde *h = resource_horde(x);

	l->count = map_count_prefix(resource_map(x), l->filter.prefix, l->filter.length);
	for (size_t i = 0; l->count > 0 && i < horde_member_count(h); i++) {
		const struct member *m = horde_member_at(h, i);

		if (!member_reachable(m) && strcmp(member_status(m), "left") != 0)
			unreachable_add(&l->unreachable, m);
	}
}

static void count_matching(const struct exchange *x, struct listing *l)
{
	const struct map *m = resource_map(x);
	const struct entry *e = entry_from(m, of(&l->filter), l->filter.prefix, l->filter.length);

	for (; within(e, &l->filter); e = entry_after(m, of(&l->filter), e->key, e->key_bytes))
		if (matches(x, &l->filter, e))
			add_row(l, resource_horde(x), e, entry_content(e));
}

static void count_entries(struct exchange *x)
{
	const char *registry = resource_registry(x);
	struct listing l = {.sum = 0};
	struct etag etag;

	if (!registry ||
		!read_filter(x, &l.filter, entry_family(x), registry, exchange_query(x, "owner")))
		return;
	watch(x, &l.filter, ROWS_KEYS);
	if (is_plain(x, &l.filter))
		count_at_once(x, &l);
	else
		count_matching(x, &l);
	/* A count is the same however its entries changed. */
	etag = etag_of(hash_pair(digest_content(l.filter.prefix, l.filter.length), l.count));
	if (resource_settled(x, &etag, unreachable_hash(&l.unreachable)))
		return;
	json_object(&l.body);
	json_put_uint(&l.body, "count", l.count);
	unreachable_put(&l.body, &l.unreachable);
	json_end_object(&l.body);
	reads_reply(x, &l.body, &etag);
}

const struct binding registry_list_bindings[] = {
	{"listEntries", list_entries},
	{"countEntries", count_entries},
	{"listOwnerKeys", list_owner_keys},
	{"listMeta", list_meta},
	{NULL, NULL},
};

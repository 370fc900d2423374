/* Lists of keys, in their byte order: listEntries, countEntries, listMeta. */
#include <stdio.h>
#include <string.h>

#include "api/entry.h"
#include "api/registry.h"
#include "server/core/digest.h"

/* A key of the map, or where its registry begins with what a cursor says behind that. */
#define PREFIX_BYTES_MAX (KEY_BYTES_MAX + 1 + PAGE_KEY_BYTES_MAX)

struct filter {
	char prefix[PREFIX_BYTES_MAX]; /* of map keys, family included */
	size_t length;
	size_t outside; /* bytes of it that are no part of the key */
	bool owned;
	struct owner owner;
};

struct listing {
	struct page page;
	struct filter filter;
	struct unreachable unreachable;
	struct text body;
	uint64_t sum; /* over the rows, for the ETag */
	uint64_t count;
};

static bool read_filter(
	struct exchange *x, struct filter *f, const char *family, const char *registry)
{
	const char *prefix = exchange_query(x, "prefix");
	const char *owner = exchange_query(x, "owner");

	f->outside = resource_key(f->prefix, family, registry, "");
	f->length =
		f->outside + (size_t)snprintf(f->prefix + f->outside,
				     sizeof(f->prefix) - f->outside, "%s", prefix ? prefix : "");
	f->owned = owner && *owner;
	if (f->owned && owner_parse(owner, &f->owner) != ERR_OK) {
		exchange_problem(x, PROBLEM_BAD_QUERY,
			"owner must be child:<supervisor>/<id> or static:<name>");
		return false;
	}
	if (f->length >= sizeof(f->prefix)) {
		exchange_problem(x, PROBLEM_BAD_QUERY, "the prefix is too long");
		return false;
	}
	return true;
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

static bool matches(const struct exchange *x, const struct filter *f, const struct entry *e)
{
	struct entry_record r;
	bool known = entry_name(e, &r);

	if (f->owned &&
		(!known || r.owner_kind != f->owner.kind || strcmp(r.owner_id, f->owner.id) != 0))
		return false;
	return node_matches(x, known ? &r : NULL);
}

static const struct entry *first_entry(const struct exchange *x, const struct listing *l)
{
	char key[PREFIX_BYTES_MAX];

	if (!l->page.resumed)
		return map_from(resource_map(x), l->filter.prefix, l->filter.length);
	memcpy(key, l->filter.prefix, l->filter.outside);
	memcpy(key + l->filter.outside, l->page.after, l->page.after_length);
	return map_after(resource_map(x), key, l->filter.outside + l->page.after_length);
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

static void write_entry(struct exchange *x, struct listing *l, const struct entry *e)
{
	bool key_only = exchange_query_bool(x, "keys_only", false);
	struct etag etag = entry_etag(e);

	if (key_only) {
		json_object(&l->body);
		json_put_string(&l->body, "key", entry_key(e));
	} else {
		entry_open(&l->body, resource_horde(x), e);
		etag_put(&l->body, &etag);
	}
	json_end_object(&l->body);
	/* A list of keys does not change with their values. */
	add_row(l, resource_horde(x), e, key_only ? 0 : entry_content(e));
}

static void write_meta(struct listing *l, const struct entry *e)
{
	struct etag etag = entry_etag(e);

	meta_open(&l->body, e);
	etag_put(&l->body, &etag);
	json_end_object(&l->body);
	l->sum += hash_pair(digest_content(e->key, e->key_bytes), entry_content(e));
	l->count++;
}

/* Writes the rows of one page and what follows them. */
static void write_page(struct exchange *x, struct listing *l, bool meta)
{
	const struct entry *e = first_entry(x, l), *last = NULL;
	bool more = false;

	json_object(&l->body);
	json_key(&l->body, "items");
	json_array(&l->body);
	for (; within(e, &l->filter); e = map_after(resource_map(x), e->key, e->key_bytes)) {
		if (!meta && !matches(x, &l->filter, e))
			continue;
		more = l->count == l->page.limit;
		if (more)
			break;
		if (meta)
			write_meta(l, e);
		else
			write_entry(x, l, e);
		last = e;
	}
	json_end_array(&l->body);
	unreachable_put(&l->body, &l->unreachable);
	if (last)
		page_end(x, &l->page, &l->body, last->key + l->filter.outside,
			last->key_bytes - l->filter.outside, more);
	json_end_object(&l->body);
}

static void list(struct exchange *x, const char *family, bool meta)
{
	const char *registry = resource_registry(x);
	struct listing l = {.sum = 0};
	struct etag etag;

	if (!registry || !page_begin(x, &l.page) || !read_filter(x, &l.filter, family, registry))
		return;
	exchange_watch_prefix(x, l.filter.prefix, l.filter.length);
	exchange_watch_prefix(x, "member/", strlen("member/"));
	write_page(x, &l, meta);
	etag = etag_of(hash_pair(l.page.filter, l.sum));
	if (resource_settled(x, &etag, unreachable_hash(&l.unreachable)))
		text_fini(&l.body);
	else
		reads_reply(x, &l.body, &etag);
}

static void list_entries(struct exchange *x)
{
	list(x, "entry", false);
}

static void list_meta(struct exchange *x)
{
	list(x, "meta", true);
}

static void count_entries(struct exchange *x)
{
	const char *registry = resource_registry(x);
	struct listing l = {.sum = 0};
	const struct entry *e;
	struct etag etag;

	if (!registry || !read_filter(x, &l.filter, "entry", registry))
		return;
	exchange_watch_prefix(x, l.filter.prefix, l.filter.length);
	exchange_watch_prefix(x, "member/", strlen("member/"));
	e = map_from(resource_map(x), l.filter.prefix, l.filter.length);
	for (; within(e, &l.filter); e = map_after(resource_map(x), e->key, e->key_bytes)) {
		if (matches(x, &l.filter, e))
			add_row(&l, resource_horde(x), e, entry_content(e));
	}
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
	{"listMeta", list_meta},
	{NULL, NULL},
};

/* This node and its fellow members: getNode, listMembers, getMember; the rest is elsewhere. */
#include "api/cluster.h"

#include <string.h>

#include "api/resource.h"
#include "server/core/digest.h"
#include "server/core/report.h"

#define ASSIGN_PREFIX "assign/"

/* ---- how many children each has ---- */

/* The children assigned to each member, by its place in the list; NULL: 503 was answered. */
static uint64_t *count_assigned(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	size_t members = horde_member_count(h);
	uint64_t *counts = exchange_alloc(x, (members + 1) * sizeof(*counts));
	const struct entry *e = map_from(resource_map(x), ASSIGN_PREFIX, strlen(ASSIGN_PREFIX));

	if (!counts) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	memset(counts, 0, (members + 1) * sizeof(*counts));
	for (; e && strncmp(e->key, ASSIGN_PREFIX, strlen(ASSIGN_PREFIX)) == 0;
		e = map_after(resource_map(x), e->key, e->key_bytes)) {
		for (size_t i = 0; e->record && i < members; i++) {
			if (origin_equal(e->record->assign.node, horde_member_at(h, i)->node_id))
				counts[i]++;
		}
	}
	return counts;
}

/* ---- members ---- */

static const struct entry *member_entry(const struct exchange *x, const struct member *m)
{
	char key[sizeof("member/") + ORIGIN_HEX_BYTES];

	memcpy(key, "member/", strlen("member/"));
	origin_to_hex(m->node_id, key + strlen("member/"));
	return map_get(resource_map(x), key, strlen(key));
}

/* Of what the member says of itself, and of its children; not of what is thought of it here. */
static uint64_t member_hash(const struct exchange *x, const struct member *m, uint64_t children)
{
	const struct entry *e = member_entry(x, m);

	return hash_pair(e ? entry_content(e) : 0, children);
}

/* The opinion, which is no part of the ETag. */
static uint64_t member_opinion(const struct member *m)
{
	const char *status = member_status(m);

	return hash_pair(m->node_id.lo, digest_content(status, strlen(status)));
}

static void open_member(
	struct exchange *x, struct text *out, const struct member *m, uint64_t children)
{
	struct peer_report r;

	json_object(out);
	json_put_origin(out, "node_id", m->node_id);
	json_put_string(out, "name", m->record->name);
	json_put_origin(out, "incarnation", m->record->incarnation);
	json_put_string(out, "url", m->record->url);
	json_put_string(out, "status", member_status(m));
	json_put_time(out, "started_at", clock_ms(m->record->started));
	json_put_uint(out, "children", children);
	if (m->self)
		json_put_int(out, "last_seen_ms", 0);
	else if (m->seen_ms > 0)
		json_put_int(out, "last_seen_ms", exchange_now_ms(x) - m->seen_ms);
	if (horde_report_peer(resource_horde(x), m, &r))
		json_put_count(out, "lag", r.behind);
}

static void watch_members(struct exchange *x)
{
	exchange_watch_prefix(x, "member/", strlen("member/"));
	exchange_watch_prefix(x, ASSIGN_PREFIX, strlen(ASSIGN_PREFIX));
}

/* The first place behind the name that the last page ended with. */
static size_t first_place(const struct horde *h, const struct page *page)
{
	size_t at = 0;

	if (!page->resumed)
		return 0;
	for (; at < horde_member_count(h); at++) {
		const struct member *m = horde_member_at(h, at);
		const char *name = m->recorded ? m->record->name : "";
		size_t length = strlen(name);
		size_t common = length < page->after_length ? length : page->after_length;
		int order = memcmp(name, page->after, common);

		if (order > 0 || (order == 0 && length > page->after_length))
			break;
	}
	return at;
}

struct members_page {
	struct page page;
	struct text body;
	uint64_t sum;
	uint64_t opinion;
};

static void write_members(struct exchange *x, struct members_page *p, const uint64_t *children)
{
	const struct horde *h = resource_horde(x);
	const char *last = "";
	size_t count = 0;
	bool more = false;

	json_object(&p->body);
	json_key(&p->body, "items");
	json_array(&p->body);
	for (size_t i = first_place(h, &p->page); i < horde_member_count(h); i++) {
		const struct member *m = horde_member_at(h, i);
		struct etag etag;

		if (!m->recorded)
			continue;
		more = count == p->page.limit;
		if (more)
			break;
		etag = etag_of(member_hash(x, m, children[i]));
		open_member(x, &p->body, m, children[i]);
		etag_put(&p->body, &etag);
		json_end_object(&p->body);
		p->sum += hash_pair(m->node_id.lo, member_hash(x, m, children[i]));
		p->opinion += member_opinion(m);
		last = m->record->name;
		count++;
	}
	json_end_array(&p->body);
	page_end(x, &p->page, &p->body, last, strlen(last), more);
	json_end_object(&p->body);
}

static void list_members(struct exchange *x)
{
	struct members_page p = {.sum = 0};
	const uint64_t *children;
	struct etag etag;

	if (!page_begin(x, &p.page))
		return;
	watch_members(x);
	children = count_assigned(x);
	if (!children)
		return;
	write_members(x, &p, children);
	etag = etag_of(hash_pair(p.page.filter, p.sum));
	if (resource_settled(x, &etag, p.opinion))
		text_fini(&p.body);
	else
		reads_reply(x, &p.body, &etag);
}

/* By name, else by node id. */
static const struct member *find_member(const struct horde *h, const char *name)
{
	const struct member *m = horde_member_by_name(h, name);
	struct origin_id id;

	if (!m && origin_from_hex(name, &id))
		m = horde_member_by_id(h, id);
	return m && m->recorded ? m : NULL;
}

static void get_member(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	const struct member *m = find_member(h, exchange_path(x, "member"));
	uint64_t children = 0, *counts;
	struct text body = TEXT_INIT;
	struct etag etag;

	watch_members(x);
	if (!m) {
		reads_absent(x, PROBLEM_MEMBER_NOT_FOUND, "there is no member '%s'",
			exchange_path(x, "member"));
		return;
	}
	counts = count_assigned(x);
	if (!counts)
		return;
	for (size_t i = 0; i < horde_member_count(h); i++)
		children = horde_member_at(h, i) == m ? counts[i] : children;
	etag = etag_of(member_hash(x, m, children));
	if (resource_settled(x, &etag, member_opinion(m)))
		return;
	open_member(x, &body, m, children);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* ---- this node ---- */

static const struct member *self_of(const struct horde *h)
{
	for (size_t i = 0; i < horde_member_count(h); i++) {
		if (horde_member_at(h, i)->self)
			return horde_member_at(h, i);
	}
	return NULL;
}

static void put_quorum(struct text *out, const struct horde *h)
{
	struct quorum q = horde_quorum(h);

	json_key(out, "quorum");
	json_object(out);
	json_put_bool(out, "has_quorum", q.has);
	json_put_uint(out, "alive", q.alive);
	json_put_uint(out, "total", q.total);
	json_end_object(out);
}

static uint64_t running_here(const struct exchange *x)
{
	const struct entry *e = map_from(resource_map(x), "status/", strlen("status/"));
	uint64_t count = 0;

	for (; e && strncmp(e->key, "status/", strlen("status/")) == 0;
		e = map_after(resource_map(x), e->key, e->key_bytes))
		count += horde_child_process(resource_horde(x), key_rest(e->key));
	return count;
}

static void put_counts(struct exchange *x, struct text *out)
{
	const struct map *map = resource_map(x);

	json_key(out, "counts");
	json_object(out);
	json_put_uint(out, "members", map_count(map, FAMILY_MEMBER));
	json_put_uint(out, "children", map_count(map, FAMILY_SPEC));
	json_put_uint(out, "running_here", running_here(x));
	json_put_uint(out, "entries", map_count(map, FAMILY_ENTRY));
	json_put_uint(out, "meta", map_count(map, FAMILY_META));
	json_end_object(out);
}

static void get_node(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	const struct member *self = self_of(h);
	struct text body = TEXT_INIT;
	struct etag etag;
	struct hello hello;

	exchange_watch_prefix(x, "", 0);
	horde_hello(h, &hello);
	json_object(&body);
	json_put_origin(&body, "node_id", hello.node_id);
	json_put_string(&body, "name", hello.name);
	json_put_origin(&body, "incarnation", hello.incarnation);
	json_put_string(&body, "url", hello.url);
	json_put_string(&body, "cluster", hello.cluster);
	if (!origin_is_zero(hello.cluster_id))
		json_put_origin(&body, "cluster_id", hello.cluster_id);
	json_put_string(&body, "state",
		self && self->recorded ? member_state_name(self->record->state) : "joining");
	json_put_string(&body, "version", resource_service(x)->version);
	json_put_time(&body, "started_at", clock_ms(hello.started));
	put_quorum(&body, h);
	put_counts(x, &body);
	json_end_object(&body);
	/* It is this node's own answer, so all of it is content, the opinions in `quorum` too. */
	etag = etag_of(text_ok(&body) ? digest_content(body.bytes, body.used) : 0);
	if (reads_settled(x, &etag))
		text_fini(&body);
	else
		reads_reply(x, &body, &etag);
}

const struct binding cluster_bindings[] = {
	{"getNode", get_node},
	{"listMembers", list_members},
	{"getMember", get_member},
	{"joinCluster", join_cluster},
	{"getConvergence", get_convergence},
	{NULL, NULL},
};

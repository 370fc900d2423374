/* Reading children: getChild, getChildHistory, listChildren, countChildren, waitChild. All from
 * this node's map. */
#include "api/children.h"

#include <stdio.h>
#include <string.h>

#include "api/child.h"
#include "server/core/digest.h"

#define WAIT_CHILD_MS 30000 /* the default of waitChild */

/* A child as GET answers it: reads_reply adds the etag. */
static void get_child(struct exchange *x)
{
	struct text body = TEXT_INIT;
	struct child c;
	struct etag etag;

	if (!resource_supervisor(x))
		return;
	child_of_path(x, &c);
	child_watch(x, &c);
	if (!c.view.spec) {
		reads_absent(x, PROBLEM_CHILD_NOT_FOUND,
			"there is no child '%s' in supervisor '%s'", c.id, c.sup);
		return;
	}
	etag = child_etag(&c);
	if (resource_settled(x, &etag, c.view.state == CHILD_LOST))
		return;
	child_open(&body, resource_horde(x), &c);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

static void get_history(struct exchange *x)
{
	struct text body = TEXT_INIT;
	struct child c;
	struct etag etag;

	if (!resource_supervisor(x))
		return;
	child_of_path(x, &c);
	child_watch(x, &c);
	if (!c.view.spec) {
		reads_absent(x, PROBLEM_CHILD_NOT_FOUND,
			"there is no child '%s' in supervisor '%s'", c.id, c.sup);
		return;
	}
	etag = etag_of(c.view.status ? entry_content(c.view.status) : 0);
	if (resource_settled(x, &etag, false))
		return;
	json_object(&body);
	child_put_history(&body, resource_horde(x), &c);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* ---- lists ---- */

struct child_filter {
	unsigned states; /* bits 1 << state; 0: any */
	const char *prefix;
	bool select;
	struct selector selector;
};

static bool read_filter(struct exchange *x, struct child_filter *f)
{
	const char *text = exchange_query(x, "label_selector"), *state;

	f->states = 0;
	f->prefix = exchange_query(x, "prefix");
	f->prefix = f->prefix ? f->prefix : "";
	for (size_t i = 0; (state = exchange_query_at(x, "state", i)) != NULL; i++)
		f->states |= 1u << child_state_from(state);
	f->select = text && *text;
	if (f->select && selector_parse(text, &f->selector) != ERR_OK) {
		exchange_problem(x, PROBLEM_BAD_QUERY,
			"label_selector is not a list of terms such as app=web,tier!=db");
		return false;
	}
	return true;
}

/* Does the child's node have one of the names that the query asks for? */
static bool node_matches(const struct exchange *x, const struct child *c)
{
	const char *name = exchange_query_at(x, "node", 0);
	const struct member *m = c->view.node;

	if (!name)
		return true;
	for (size_t i = 0; m && m->recorded && name; name = exchange_query_at(x, "node", ++i)) {
		if (strcmp(m->record->name, name) == 0)
			return true;
	}
	return false;
}

static bool filter_matches(
	const struct exchange *x, const struct child_filter *f, const struct child *c)
{
	if (f->states && !(f->states & 1u << c->view.state))
		return false;
	return node_matches(x, c) && (!f->select || child_labels_match(c->view.spec, &f->selector));
}

/* The child of a spec entry; false when its key has no shape that this version writes. */
static bool child_of_entry(const struct exchange *x, const struct entry *e, struct child *ret)
{
	const char *sup = exchange_path(x, "sup"), *id = key_rest(key_rest(e->key));

	if (strlen(sup) + 1 + strlen(id) >= REF_BYTES_MAX)
		return false;
	child_look(x, sup, id, ret);
	return ret->view.spec != NULL;
}

static bool within(const struct entry *e, const char *prefix, size_t length)
{
	return e && e->key_bytes >= length && memcmp(e->key, prefix, length) == 0;
}

static void watch_children(struct exchange *x)
{
	static const char *const families[] = {"spec", "assign", "status"};
	char key[KEY_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		exchange_watch_prefix(
			x, key, resource_key(key, families[i], exchange_path(x, "sup"), ""));
	exchange_watch_prefix(x, "member/", strlen("member/"));
}

struct listing {
	struct page page;
	struct child_filter filter;
	struct unreachable unreachable;
	struct text body;
	uint64_t sum; /* over the rows, for the ETag */
};

static const struct entry *first_entry(const struct exchange *x, const struct listing *l)
{
	char key[KEY_BYTES_MAX + 1 + PAGE_KEY_BYTES_MAX];
	size_t length = resource_key(key, "spec", exchange_path(x, "sup"), "");

	if (l->page.resumed) {
		memcpy(key + length, l->page.after, l->page.after_length);
		return map_after(resource_map(x), key, length + l->page.after_length);
	}
	memcpy(key + length, l->filter.prefix, strlen(l->filter.prefix));
	return map_from(resource_map(x), key, length + strlen(l->filter.prefix));
}

/* Writes the rows of one page and what follows them. */
static void write_page(struct exchange *x, struct listing *l)
{
	char prefix[KEY_BYTES_MAX + 1];
	const struct entry *e = first_entry(x, l);
	struct child c;
	const char *last = "";
	size_t count = 0, length;
	bool more = false;

	length = resource_key(prefix, "spec", exchange_path(x, "sup"), l->filter.prefix);
	json_object(&l->body);
	json_key(&l->body, "items");
	json_array(&l->body);
	for (; within(e, prefix, length); e = map_after(resource_map(x), e->key, e->key_bytes)) {
		if (!child_of_entry(x, e, &c) || !filter_matches(x, &l->filter, &c))
			continue;
		more = count == l->page.limit;
		if (more)
			break;
		child_write(&l->body, resource_horde(x), &c);
		l->sum += hash_pair(digest_content(c.id, strlen(c.id)), child_hash(&c));
		if (c.view.state == CHILD_LOST)
			unreachable_add(&l->unreachable, c.view.node);
		last = key_rest(key_rest(e->key));
		count++;
	}
	json_end_array(&l->body);
	unreachable_put(&l->body, &l->unreachable);
	page_end(x, &l->page, &l->body, last, strlen(last), more);
	json_end_object(&l->body);
}

static void list_children(struct exchange *x)
{
	struct listing l = {.sum = 0};
	struct etag etag;

	if (!resource_supervisor(x) || !page_begin(x, &l.page) || !read_filter(x, &l.filter))
		return;
	watch_children(x);
	write_page(x, &l);
	etag = etag_of(hash_pair(l.page.filter, l.sum));
	if (resource_settled(x, &etag, unreachable_hash(&l.unreachable)))
		text_fini(&l.body);
	else
		reads_reply(x, &l.body, &etag);
}

/* ---- counts ---- */

struct counts {
	uint64_t specs;
	uint64_t by_state[CHILD_STATE_COUNT];
	uint64_t *by_node; /* by place in the list of members */
	struct unreachable unreachable;
	uint64_t sum;
};

static void count_one(const struct horde *h, const struct child *c, struct counts *counts)
{
	counts->specs++;
	counts->by_state[c->view.state]++;
	counts->sum += hash_pair(digest_content(c->id, strlen(c->id)), child_hash(c));
	if (c->view.state == CHILD_LOST)
		unreachable_add(&counts->unreachable, c->view.node);
	for (size_t i = 0; c->view.node && i < horde_member_count(h); i++) {
		if (horde_member_at(h, i) == c->view.node)
			counts->by_node[i]++;
	}
}

static void write_counts(struct text *body, const struct horde *h, const struct counts *counts)
{
	json_object(body);
	json_put_uint(body, "specs", counts->specs);
	/* With a live process: one that is stopping has it still. */
	json_put_uint(
		body, "active", counts->by_state[CHILD_RUNNING] + counts->by_state[CHILD_STOPPING]);
	json_put_uint(body, "workers", counts->specs);
	json_put_uint(body, "supervisors", 0);
	json_key(body, "by_state");
	json_object(body);
	for (int s = 0; s < CHILD_STATE_COUNT; s++) {
		if (counts->by_state[s])
			json_put_uint(
				body, child_state_name((enum child_state)s), counts->by_state[s]);
	}
	json_end_object(body);
	json_key(body, "by_node");
	json_object(body);
	for (size_t i = 0; i < horde_member_count(h); i++) {
		const struct member *m = horde_member_at(h, i);

		if (counts->by_node[i] && m->recorded)
			json_put_uint(body, m->record->name, counts->by_node[i]);
	}
	json_end_object(body);
	unreachable_put(body, &counts->unreachable);
	json_end_object(body);
}

static void count_children(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	struct counts counts = {.sum = 0};
	struct text body = TEXT_INIT;
	const struct entry *e;
	char prefix[KEY_BYTES_MAX + 1];
	size_t length;
	struct etag etag;
	struct child c;

	if (!resource_supervisor(x))
		return;
	watch_children(x);
	counts.by_node = exchange_alloc(x, (horde_member_count(h) + 1) * sizeof(uint64_t));
	if (!counts.by_node) {
		exchange_fail(x, ERR_NO_MEMORY);
		return;
	}
	memset(counts.by_node, 0, (horde_member_count(h) + 1) * sizeof(uint64_t));
	length = resource_key(prefix, "spec", exchange_path(x, "sup"), "");
	e = map_from(resource_map(x), prefix, length);
	for (; within(e, prefix, length); e = map_after(resource_map(x), e->key, e->key_bytes)) {
		if (child_of_entry(x, e, &c))
			count_one(h, &c, &counts);
	}
	etag = etag_of(hash_pair(counts.specs, counts.sum));
	if (resource_settled(x, &etag, unreachable_hash(&counts.unreachable)))
		return;
	write_counts(&body, h, &counts);
	reads_reply(x, &body, &etag);
}

/* ---- waiting for a state ---- */

/* By itself: not what was told of an earlier spec, since the present one is about to be started. */
static bool has_ended(const struct child *c)
{
	enum child_state s = c->view.state;

	if (s == CHILD_STOPPED)
		return true;
	return (s == CHILD_EXITED || s == CHILD_FAILED) &&
	       (c->view.current || !c->view.spec->record);
}

static bool holds(const struct child *c, const char *state, size_t length)
{
	if (length == strlen("deleted") && memcmp(state, "deleted", length) == 0)
		return child_gone(c);
	if (!c->view.spec)
		return false;
	if (length == strlen("exited") && memcmp(state, "exited", length) == 0)
		return has_ended(c);
	if (length == strlen("ready") && memcmp(state, "ready", length) == 0)
		return child_is_ready(c) && c->view.current;
	return c->view.state == CHILD_RUNNING && c->view.current;
}

/* The first state of the comma-separated list that holds, or NULL. */
static const char *first_that_holds(const struct child *c, const char *until, size_t *ret_length)
{
	while (*until) {
		size_t length = strcspn(until, ",");

		if (holds(c, until, length)) {
			*ret_length = length;
			return until;
		}
		until += length + (until[length] == ',');
	}
	return NULL;
}

static void reply_reached(
	struct exchange *x, const struct child *c, const char *reached, size_t length)
{
	struct text body = TEXT_INIT;

	json_object(&body);
	json_put_string(&body, "id", c->id);
	json_put_string(&body, "supervisor", c->sup);
	json_key(&body, "reached");
	json_string_n(&body, reached, length);
	if (c->view.spec)
		child_put_status(&body, resource_horde(x), c);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

static void wait_child(struct exchange *x)
{
	const char *until = exchange_query(x, "until"), *reached;
	int64_t deadline = resource_deadline_ms(x, WAIT_CHILD_MS);
	struct child c;
	size_t length;

	until = until ? until : "running,exited,deleted";
	child_of_path(x, &c);
	reached = first_that_holds(&c, until, &length);
	if (reached) {
		reply_reached(x, &c, reached, length);
		return;
	}
	if (!resource_supervisor(x))
		return; /* it may have been deleted with its children, which was looked at first */
	if (!c.view.spec && !strstr(until, "deleted")) {
		child_not_found(x, &c);
		return;
	}
	if (resource_late(x, deadline)) {
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT, "child '%s' is %s", c.id,
			child_state_name(c.view.state));
		return;
	}
	child_watch(x, &c);
	exchange_park(x, deadline);
}

const struct binding children_bindings[] = {
	{"getChild", get_child},
	{"getChildHistory", get_history},
	{"listChildren", list_children},
	{"countChildren", count_children},
	{"waitChild", wait_child},
	{NULL, NULL},
};

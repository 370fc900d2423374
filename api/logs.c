#include "api/logs.h"

#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/json_text.h"

/* ---- a page from here ---- */

static void put_range(struct text *out, const struct logs_range *r)
{
	json_put_count(out, "next_after", r->next);
	json_put_count(out, "first", r->first);
	json_put_count(out, "end", r->end);
	json_put_count(out, "dropped_bytes", r->dropped_bytes);
	if (r->runs)
		json_put_count(out, "process_start", r->process_start);
}

static void not_kept(struct exchange *x, const struct logs_query *q, const struct logs_range *r)
{
	json_put_count(exchange_extra(x), "first", r->first);
	json_put_count(exchange_extra(x), "end", r->end);
	exchange_problem(x, PROBLEM_BAD_RANGE, "offset %llu is not kept: %llu to %llu are",
		(unsigned long long)q->after, (unsigned long long)r->first,
		(unsigned long long)r->end);
}

static void only_printed(struct exchange *x)
{
	const char *node = horde_config(resource_horde(x))->name;

	exchange_problem(x, PROBLEM_LOGS_NOT_KEPT,
		"node '%s' runs with --logs stdout: what its children print is on its stdout",
		node);
}

/* Until there is more, or the child is another one. */
static void park(struct exchange *x, const struct child *c, int64_t deadline_ms)
{
	char key[REF_BYTES_MAX + sizeof("logs/")];

	child_watch(x, c);
	exchange_watch_key(x, key, (size_t)snprintf(key, sizeof(key), "logs/%s", c->ref));
	exchange_park(x, deadline_ms);
}

bool logs_here(struct exchange *x, const struct child *c, const struct logs_query *q,
	int64_t deadline_ms, struct text *out)
{
	const struct service *service = resource_service(x);
	struct text items = TEXT_INIT;
	struct logs_range r = {0};
	enum err e;

	if (!c->view.spec) {
		child_not_found(x, c);
		return false;
	}
	e = service->logs(service->node, c->ref, q, LOGS_PAGE_BYTES, &items, &r);
	if (e == ERR_LIMIT)
		not_kept(x, q, &r);
	else if (e == ERR_WRONG_STATE)
		only_printed(x);
	else if (e != ERR_OK)
		exchange_fail(x, e);
	else if (r.count == 0 && !resource_late(x, deadline_ms))
		park(x, c, deadline_ms);
	if (e == ERR_OK && (r.count || resource_late(x, deadline_ms))) {
		json_key(out, "items");
		json_array(out);
		json_raw(out, items.bytes ? items.bytes : "", items.used);
		json_end_array(out);
		put_range(out, &r);
		text_fini(&items);
		return true;
	}
	text_fini(&items);
	return false;
}

/* ---- where the lives of the child were ---- */

static void put_segment(struct text *out, const struct horde *h, const struct transition *x)
{
	const struct member *m = horde_member_by_id(h, x->node);
	bool available = m && (m->self || member_reachable(m));

	json_object(out);
	json_put_string(out, "node", horde_member_name(h, x->node));
	json_put_uint(out, "epoch", x->epoch);
	json_put_bool(out, "available", available);
	if (!available)
		json_put_string(
			out, "reason", m ? "the node does not answer" : "the node is no member");
	json_end_object(out);
}

static void put_segments(struct text *out, const struct horde *h, const struct child *c)
{
	const struct status_record *s = child_status(c);
	const struct trail *t = s ? &s->trail : NULL;

	json_key(out, "segments");
	json_array(out);
	for (uint32_t i = 0; t && i < t->count; i++)
		if (i == 0 || t->items[i].epoch != t->items[i - 1].epoch ||
			!origin_equal(t->items[i].node, t->items[i - 1].node))
			put_segment(out, h, &t->items[i]);
	json_end_array(out);
}

/* ---- getChildLogs ---- */

struct logs_query logs_query_of(const struct exchange *x)
{
	bool from_offset = exchange_query(x, "after") != NULL;

	return (struct logs_query){.stream = exchange_query(x, "stream"),
		.from_offset = from_offset,
		.after = from_offset ? (uint64_t)exchange_query_int(x, "after", 0) : 0,
		.tail = (unsigned)exchange_query_int(x, "tail", LOGS_LIMIT_DEFAULT),
		.limit = (unsigned)exchange_query_int(
			x, "limit", from_offset ? LOGS_LIMIT_DEFAULT : LOGS_LIMIT_MAX)};
}

/* Which node is asked: the one that is named, or the child's own. NULL: it has none, so this one.
 */
static bool find_node(
	struct exchange *x, const struct child *c, const char *name, const struct member **ret)
{
	*ret = c->view.node;
	if (!name)
		return true;
	*ret = horde_member_by_name(resource_horde(x), name);
	if (!*ret)
		exchange_problem(x, PROBLEM_MEMBER_NOT_FOUND, "there is no member '%s'", name);
	return *ret != NULL;
}

/* The members that the other node has written, as it wrote them. */
bool logs_members_there(struct exchange *x, struct text *out)
{
	size_t bytes, count;
	const char *answer = call_answer(x, &bytes);
	const char *page = answer ? json_member(answer, bytes, "logs", &count) : NULL;

	if (!page || count < 2 || page[0] != '{') {
		exchange_problem(x, PROBLEM_OWNER_UNREACHABLE, "the node's answer is no page");
		return false;
	}
	json_raw(out, page + 1, count - 2);
	return true;
}

static void get_logs(struct exchange *x)
{
	struct logs_query q = logs_query_of(x);
	int64_t deadline_ms = resource_deadline_ms(x, 0);
	struct text body = TEXT_INIT;
	const struct member *m;
	struct child c;
	bool ready;

	if (!resource_supervisor(x))
		return;
	child_of_path(x, &c);
	if (!find_node(x, &c, exchange_query(x, "node"), &m))
		return;
	json_object(&body);
	if (!m || m->self) {
		ready = logs_here(x, &c, &q, deadline_ms, &body);
	} else {
		struct call call = {.op = CALL_LOGS,
			.supervisor = c.sup,
			.child = c.id,
			.logs = &q,
			.node = m,
			.wait_ms = deadline_ms - exchange_started_ms(x)};

		ready = call_done(x, &call) && logs_members_there(x, &body);
	}
	if (ready) {
		json_put_string(&body, "node",
			m && m->recorded ? m->record->name : horde_config(resource_horde(x))->name);
		put_segments(&body, resource_horde(x), &c);
		json_end_object(&body);
		exchange_reply(x, 200, &body);
	}
	text_fini(&body);
}

const struct binding logs_bindings[] = {
	{"getChildLogs", get_logs},
	{NULL, NULL},
};

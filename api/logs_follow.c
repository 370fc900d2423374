/*
 * What a child prints, as it comes (streamChildLogs): page after page of logs.h from the node that
 * runs the child, each waiting for its first entry, over restarts and takeovers.
 */
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "api/call.h"
#include "api/follow.h"
#include "api/json_read.h"
#include "api/json_text.h"
#include "api/logs.h"

/* Before a node that does not answer is asked again. */
#define RETRY_MS 500
/* Before one that has not started is looked at again. */
#define START_MS 50
/* Pages that show nothing, in one run. */
#define ROUNDS_MAX 8

struct following {
	bool is_text;
	int64_t beat_ms;
	struct logs_query q;
	bool has_node;
	struct origin_id node; /* that is read */
	bool looks;            /* asks only what there is: it is new here, or lost its place */
	bool lost;             /* it is the latter */
	int64_t retry_ms;
};

static bool wants_text(const char *accept)
{
	return accept && strstr(accept, "text/plain") && !strstr(accept, "ndjson");
}

static struct following *state_of(struct exchange *x)
{
	struct following *f = exchange_follow_data(x);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	f->is_text = wants_text(exchange_header(x, "Accept"));
	f->beat_ms = exchange_query_ms(x, "heartbeat", LOGS_BEAT_MS);
	if (f->beat_ms < LOGS_BEAT_MS_MIN)
		f->beat_ms = LOGS_BEAT_MS_MIN;
	f->q = logs_query_of(x);
	f->q.limit = LOGS_STREAM_LIMIT;
	exchange_follow_data_set(x, f, free);
	return f;
}

/* ---- what the client is sent ---- */

/* A line about the stream itself; plain text has none. */
static struct text *begin_event(struct exchange *x, const struct following *f, const char *event)
{
	struct text *out = exchange_follow_out(x);

	if (f->is_text)
		return NULL;
	json_object(out);
	json_put_string(out, "event", event);
	return out;
}

static void end_event(struct text *out)
{
	json_end_object(out);
	text_adds(out, "\n");
}

static void put_segment(struct exchange *x, const struct following *f, uint64_t offset)
{
	struct text *out = begin_event(x, f, "segment");

	if (!out)
		return;
	json_put_string(out, "node", horde_member_name(resource_horde(x), f->node));
	json_put_count(out, "offset", offset);
	end_event(out);
}

static void put_gap(struct exchange *x, const struct following *f, uint64_t from, uint64_t to)
{
	struct text *out = begin_event(x, f, "gap");

	if (!out)
		return;
	json_put_count(out, "from", from);
	json_put_count(out, "to", to);
	end_event(out);
}

static void put_end(struct exchange *x, const struct following *f, enum problem_code code)
{
	struct text *out = begin_event(x, f, "end");

	if (out) {
		json_put_string(out, "reason", problem_slug(code));
		end_event(out);
	}
	exchange_follow_end(x);
}

/* Its data as bytes. Errors: NO_MEMORY, MALFORMED. */
static enum err put_bytes(struct text *out, const char *item, size_t count)
{
	const char *bytes;
	json_t *entry, *data;
	enum err e = json_read(item, count, 0, &entry);

	if (e != ERR_OK)
		return e;
	data = json_object_get(entry, "data");
	bytes = json_string_value(data);
	if (json_object_get(entry, "encoding"))
		base64_decode(out, bytes ? bytes : "", json_string_length(data));
	else
		text_add(out, bytes ? bytes : "", json_string_length(data));
	if (!json_is_true(json_object_get(entry, "partial")))
		text_adds(out, "\n");
	json_decref(entry);
	return ERR_OK;
}

static enum err put_line(struct text *out, const char *item, size_t count)
{
	text_add(out, item, count);
	text_adds(out, "\n");
	return ERR_OK;
}

/* ---- pages ---- */

struct logs_page { /* the members of logs.h, as they were written */
	const char *bytes;
	size_t count;
};

static bool has_number(const struct logs_page *p, const char *name, uint64_t *ret)
{
	size_t count;
	const char *at = json_member(p->bytes, p->count, name, &count);
	char *end = NULL;

	if (at)
		*ret = strtoull(at, &end, 10);
	return at && end == at + count;
}

/* Where what the process prints begins is known once it runs; older lines are of earlier lives. */
static bool is_to_come(const struct child *c)
{
	return c->view.state == CHILD_PENDING || c->view.state == CHILD_STARTING;
}

/* False: it is no page. */
static bool take_place(
	struct exchange *x, struct following *f, const struct child *c, const struct logs_page *p)
{
	uint64_t first, to;

	if (!has_number(p, "first", &first))
		return false;
	if (f->lost) {
		to = first;
		put_gap(x, f, f->q.after, to);
	} else {
		bool runs = has_number(p, "process_start", &to);

		if (!runs && is_to_come(c)) {
			f->retry_ms = exchange_now_ms(x) + START_MS;
			return true;
		}
		to = runs ? to : first;
		put_segment(x, f, to);
	}
	f->q.after = to;
	f->q.from_offset = true;
	f->looks = f->lost = false;
	return true;
}

static bool take_items(struct exchange *x, struct following *f, const struct logs_page *p)
{
	size_t count, at = 0, item_bytes;
	const char *items = json_member(p->bytes, p->count, "items", &count), *item;
	struct text *out = exchange_follow_out(x);
	uint64_t first, next;
	enum err e = ERR_OK;

	if (!items || !has_number(p, "first", &first) || !has_number(p, "next_after", &next))
		return false;
	if (!exchange_following(x))
		put_segment(x, f, first);
	while (e == ERR_OK && (item = json_item(items, count, &at, &item_bytes)))
		e = (f->is_text ? put_bytes : put_line)(out, item, item_bytes);
	if (e != ERR_OK) {
		text_clear(out);
		exchange_fail(x, e);
		return true;
	}
	f->q.after = next;
	f->q.from_offset = true;
	return true;
}

static void take_page(
	struct exchange *x, struct following *f, const struct child *c, struct text *body)
{
	struct logs_page p;

	exchange_state_set(x, NULL, NULL); /* the next call is another one */
	json_end_object(body);
	p = (struct logs_page){text_cstr(body), body->used};
	if (!p.bytes)
		exchange_fail(x, ERR_NO_MEMORY);
	else if (!(f->looks ? take_place(x, f, c, &p) : take_items(x, f, &p)))
		exchange_problem(x, PROBLEM_OWNER_UNREACHABLE, "the node's answer is no page");
}

/* A page of what there is, or, once it goes on, as soon as there is something. */
static bool ask(struct exchange *x, struct following *f, const struct child *c,
	const struct member *m, struct text *body)
{
	bool waits = exchange_following(x) && !f->looks;
	int64_t wait_ms = waits ? f->beat_ms : 0;
	struct logs_query look = {.stream = f->q.stream, .limit = 1};
	const struct logs_query *q = f->looks ? &look : &f->q;
	struct call call = {.op = CALL_LOGS,
		.supervisor = c->sup,
		.child = c->id,
		.logs = q,
		.node = m,
		.wait_ms = wait_ms};

	json_object(body);
	if (!m || m->self)
		return logs_here(x, c, q, exchange_started_ms(x) + wait_ms, body);
	return call_done(x, &call) && logs_members_there(x, body);
}

/* ---- where to read ---- */

static const struct member *find_node(
	struct exchange *x, struct following *f, const struct child *c)
{
	const struct horde *h = resource_horde(x);
	const struct member *m = c->view.node;

	/* Between two nodes it stays with the last one. */
	if (!m && f->has_node)
		return horde_member_by_id(h, f->node);
	if (!m)
		m = horde_member_by_name(h, horde_config(h)->name);
	if (m && f->has_node && !origin_equal(m->node_id, f->node))
		f->looks = true;
	if (m)
		f->node = m->node_id;
	f->has_node = m != NULL;
	return m;
}

/* A problem in the midst of it: one that passes, one that loses some entries, or the end. */
static void on_problem(struct exchange *x, struct following *f)
{
	enum problem_code code;

	if (!exchange_following(x) || !exchange_follow_problem(x, &code))
		return;
	exchange_state_set(x, NULL, NULL);
	switch ((int)code) {
	case PROBLEM_BAD_RANGE:
		f->looks = f->lost = true;
		break;
	case PROBLEM_OWNER_UNREACHABLE:
	case PROBLEM_NOT_READY:
	case PROBLEM_OVERLOADED:
	case PROBLEM_SHUTTING_DOWN: /* of the other node; this one's ends all by itself */
		f->retry_ms = exchange_now_ms(x) + RETRY_MS;
		break;
	default:
		put_end(x, f, code);
	}
}

static void beat(struct exchange *x, const struct following *f)
{
	if (!f->is_text)
		text_adds(exchange_follow_out(x), "\n");
	exchange_follow_renew(x);
}

static void await(struct exchange *x, const struct following *f, const struct child *c)
{
	child_watch(x, c);
	exchange_park(x, f->retry_ms);
}

/* One page. True: nothing came of it, and it has not parked either. */
static bool step(struct exchange *x, struct following *f)
{
	struct text body = TEXT_INIT;
	const struct member *m;
	struct child c;
	bool idle;

	if (!resource_supervisor(x)) {
		on_problem(x, f);
		return false;
	}
	child_of_path(x, &c);
	if (exchange_now_ms(x) < f->retry_ms) {
		await(x, f, &c);
		return false;
	}
	/* While a call is under way it is that node's. */
	m = exchange_state(x) ? horde_member_by_id(resource_horde(x), f->node)
			      : find_node(x, f, &c);
	idle = ask(x, f, &c, m, &body);
	if (idle)
		take_page(x, f, &c, &body);
	text_fini(&body);
	if (exchange_replied(x)) {
		on_problem(x, f);
		idle = exchange_following(x);
	}
	return idle;
}

static void stream_logs(struct exchange *x)
{
	struct following *f = state_of(x);
	const struct text *out = exchange_follow_out(x);

	if (!f)
		return;
	if (!exchange_following(x)) {
		if (step(x, f) && !exchange_replied(x))
			exchange_follow(x, f->is_text ? "text/plain" : "application/x-ndjson");
		return;
	}
	for (int i = 0; i < ROUNDS_MAX && step(x, f) && !exchange_replied(x) && !out->used; i++)
		if (resource_late(x, exchange_started_ms(x) + f->beat_ms))
			beat(x, f);
}

const struct binding logs_follow_bindings[] = {
	{"streamChildLogs", stream_logs},
	{NULL, NULL},
};

/*
 * What a child prints, as it comes (streamChildLogs): page after page of logs.h from the node that
 * runs the child, each waiting for its first entry, over restarts and takeovers.
 */
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "api/call.h"
#include "api/follow.h"
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

static void put_text(struct text *out, const json_t *item)
{
	const json_t *data = json_object_get(item, "data");
	const char *bytes = json_string_value(data);

	if (json_object_get(item, "encoding"))
		base64_decode(out, bytes ? bytes : "", json_string_length(data));
	else
		text_add(out, bytes ? bytes : "", json_string_length(data));
	if (!json_is_true(json_object_get(item, "partial")))
		text_adds(out, "\n");
}

static void put_line(struct text *out, const json_t *item)
{
	char *line = json_dumps(item, JSON_COMPACT);

	text_adds(out, line ? line : "");
	text_adds(out, "\n");
	free(line);
}

/* ---- pages ---- */

static uint64_t number_of(const json_t *page, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(page, name));
}

/* Where what the process prints begins is known once it runs; older lines are of earlier lives. */
static bool is_to_come(const struct child *c, const json_t *page)
{
	return !json_object_get(page, "process_start") &&
	       (c->view.state == CHILD_PENDING || c->view.state == CHILD_STARTING);
}

static void take_place(
	struct exchange *x, struct following *f, const struct child *c, const json_t *page)
{
	uint64_t to = number_of(page, "first");

	if (!f->lost && is_to_come(c, page)) {
		f->retry_ms = exchange_now_ms(x) + START_MS;
		return;
	}
	if (f->lost)
		put_gap(x, f, f->q.after, to);
	else if (json_object_get(page, "process_start"))
		to = number_of(page, "process_start");
	if (!f->lost)
		put_segment(x, f, to);
	f->q.after = to;
	f->q.from_offset = true;
	f->looks = f->lost = false;
}

static void take_items(struct exchange *x, struct following *f, const json_t *page)
{
	const json_t *items = json_object_get(page, "items");
	struct text *out = exchange_follow_out(x);

	if (!exchange_following(x))
		put_segment(x, f, number_of(page, "first"));
	for (size_t i = 0; i < json_array_size(items); i++)
		(f->is_text ? put_text : put_line)(out, json_array_get(items, i));
	f->q.after = number_of(page, "next_after");
	f->q.from_offset = true;
}

static void take_page(
	struct exchange *x, struct following *f, const struct child *c, struct text *body)
{
	json_t *page;

	exchange_state_set(x, NULL, NULL); /* the next call is another one */
	json_end_object(body);
	page = text_ok(body) ? json_loadb(body->bytes, body->used, 0, NULL) : NULL;
	if (!page)
		exchange_fail(x, ERR_NO_MEMORY);
	else if (f->looks)
		take_place(x, f, c, page);
	else
		take_items(x, f, page);
	json_decref(page);
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
	if (!idle && exchange_replied(x)) {
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

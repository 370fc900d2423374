/* Server side of hello, call, renew and goodbye. A body that does not fit changes nothing. */
#include "api/peer.h"

#include <string.h>

#include "api/call.h"
#include "api/logs.h"

/* ---- reading: shapes were checked by the schema, bounds are checked here once more ---- */

static bool fault(struct exchange *x, const char *pointer, const char *detail)
{
	exchange_fault(x, pointer, "invalid", "%s", detail);
	exchange_problem(x, PROBLEM_INVALID_SPEC, "what the peer says has a fault");
	return false;
}

static bool read_text(struct exchange *x, const char *pointer, size_t bytes_max, char *ret_text)
{
	const json_t *value = json_object_get(exchange_body(x), pointer + 1);
	size_t length = json_string_length(value);

	if (length == 0 || length > bytes_max || strlen(json_string_value(value)) != length)
		return fault(x, pointer, "it is too long, or no text");
	memcpy(ret_text, json_string_value(value), length + 1);
	return true;
}

static bool read_origin(struct exchange *x, const char *pointer, struct origin_id *ret_id)
{
	const char *hex = json_string_value(json_object_get(exchange_body(x), pointer + 1));

	if (!hex || !origin_from_hex(hex, ret_id) || origin_is_zero(*ret_id))
		return fault(x, pointer, "it must be 32 hexadecimal digits, not all zero");
	return true;
}

static bool read_cluster_id(struct exchange *x, struct origin_id *ret_id)
{
	const char *hex = json_string_value(json_object_get(exchange_body(x), "cluster_id"));

	if (hex && strcmp(hex, "none") == 0)
		return true;
	return read_origin(x, "/cluster_id", ret_id);
}

static uint64_t number(const struct exchange *x, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(exchange_body(x), name));

	return value > 0 ? (uint64_t)value : 0;
}

/* ---- hello ---- */

static bool read_hello(struct exchange *x, struct hello *h)
{
	memset(h, 0, sizeof(*h));
	h->virgin = json_is_true(json_object_get(exchange_body(x), "virgin"));
	h->protocol_min = (uint32_t)number(x, "protocol_min");
	h->protocol_max = (uint32_t)number(x, "protocol_max");
	h->started = number(x, "started");
	h->clock = number(x, "clk");
	return read_text(x, "/cluster", NAME_BYTES_MAX, h->cluster) &&
	       read_text(x, "/name", NAME_BYTES_MAX, h->name) &&
	       read_text(x, "/url", URL_BYTES_MAX, h->url) && read_cluster_id(x, &h->cluster_id) &&
	       read_origin(x, "/node_id", &h->node_id) &&
	       read_origin(x, "/incarnation", &h->incarnation);
}

static void reply_hello(struct exchange *x)
{
	struct text body = TEXT_INIT;
	struct hello h;

	horde_hello(resource_horde(x), &h);
	json_object(&body);
	json_put_string(&body, "cluster", h.cluster);
	if (origin_is_zero(h.cluster_id))
		json_put_string(&body, "cluster_id", "none");
	else
		json_put_origin(&body, "cluster_id", h.cluster_id);
	json_put_origin(&body, "node_id", h.node_id);
	json_put_string(&body, "name", h.name);
	json_put_origin(&body, "incarnation", h.incarnation);
	json_put_string(&body, "url", h.url);
	json_put_bool(&body, "virgin", h.virgin);
	json_put_uint(&body, "protocol_min", h.protocol_min);
	json_put_uint(&body, "protocol_max", h.protocol_max);
	json_put_uint(&body, "started", h.started);
	json_put_uint(&body, "clk", h.clock);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

static enum err step(struct exchange *x, struct event *e)
{
	const struct service *service = resource_service(x);
	struct command_result result;

	return service->command(service->node, e, &result);
}

static void peer_hello(struct exchange *x)
{
	struct event event = {.kind = EVENT_HELLO};
	struct hello hello;
	enum err e;

	if (!read_hello(x, &hello))
		return;
	event.hello = &hello;
	e = step(x, &event);
	if (e == ERR_OK)
		reply_hello(x);
	else if (e == ERR_CLUSTER_MISMATCH)
		exchange_problem(x, PROBLEM_CLUSTER_MISMATCH, "this node is not of cluster '%s'%s",
			hello.cluster,
			strcmp(hello.cluster, horde_config(resource_horde(x))->cluster) == 0
				? " with that id"
				: "");
	else if (e == ERR_NAME_TAKEN)
		exchange_problem(x, PROBLEM_NAME_TAKEN, "a live member is named '%s'", hello.name);
	else if (e == ERR_PROTOCOL)
		exchange_problem(x, PROBLEM_UNSUPPORTED, "this node speaks protocol version %d",
			PROTOCOL_VERSION);
	else
		exchange_fail(x, e);
}

/* ---- goodbye ---- */

static void peer_goodbye(struct exchange *x)
{
	const char *reason = json_string_value(json_object_get(exchange_body(x), "reason"));
	struct event event = {.kind = EVENT_GOODBYE};
	enum err e;

	if (!read_origin(x, "/node_id", &event.goodbye.node_id) ||
		!read_origin(x, "/incarnation", &event.goodbye.incarnation))
		return;
	event.goodbye.reason =
		reason && strcmp(reason, "restart") == 0 ? GOODBYE_RESTART : GOODBYE_LEAVE;
	event.goodbye.back_within_ms = (int64_t)number(x, "back_within_ms");
	e = step(x, &event);
	if (e == ERR_OK)
		exchange_reply_empty(x, 204);
	else if (e == ERR_NOT_FOUND)
		exchange_problem(x, PROBLEM_NOT_A_MEMBER, "no member here has this node_id");
	else
		exchange_fail(x, e);
}

/* ---- call ---- */

static void reply_called(struct exchange *x, const struct call *call)
{
	struct text body = TEXT_INIT;
	struct child c;

	child_look(x, call->supervisor, call->child, &c);
	json_object(&body);
	json_put_string(&body, "node",
		c.view.node && c.view.node->recorded ? c.view.node->record->name
						     : horde_config(resource_horde(x))->name);
	if (c.view.assign && c.view.assign->record)
		json_put_uint(&body, "epoch", c.view.assign->record->assign.epoch);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

/* Its logs are asked of this very node, so they are not asked for elsewhere. */
static void reply_logs(struct exchange *x, const char *supervisor, const char *child)
{
	const json_t *body = exchange_body(x);
	struct logs_query q = {
		.stream = json_string_value(json_object_get(body, "stream")),
		.from_offset = json_object_get(body, "after") != NULL,
		.after = (uint64_t)number(x, "after"),
		.tail = (unsigned)number(x, "tail"),
		.limit = (unsigned)number(x, "limit"),
	};
	int64_t deadline_ms = exchange_started_ms(x) + (int64_t)number(x, "wait_ms");
	struct text out = TEXT_INIT;
	struct child c;

	child_look(x, supervisor, child, &c);
	json_object(&out);
	json_put_string(&out, "node", horde_config(resource_horde(x))->name);
	json_key(&out, "logs");
	json_object(&out);
	if (logs_here(x, &c, &q, deadline_ms, &out)) {
		json_end_object(&out);
		json_end_object(&out);
		exchange_reply(x, 200, &out);
	}
	text_fini(&out);
}

static void peer_call(struct exchange *x)
{
	const json_t *body = exchange_body(x);
	const char *op = json_string_value(json_object_get(body, "op"));
	struct call call = {.op = op && strcmp(op, "restart") == 0 ? CALL_RESTART : CALL_SIGNAL,
		.supervisor = json_string_value(json_object_get(body, "supervisor")),
		.child = json_string_value(json_object_get(body, "child")),
		.signal = json_string_value(json_object_get(body, "signal")),
		.group = json_is_true(json_object_get(body, "group")),
		.hops = (int)number(x, "hops")};
	const struct entry *e;

	if (!horde_supervisor(resource_horde(x), call.supervisor, &e)) {
		exchange_problem(x, PROBLEM_SUPERVISOR_NOT_FOUND, "there is no such supervisor");
		return;
	}
	if (op && strcmp(op, "logs") == 0) {
		reply_logs(x, call.supervisor, call.child);
		return;
	}
	if (call.op == CALL_SIGNAL && !call.signal) {
		fault(x, "/signal", "a signal needs its name");
		return;
	}
	if (call_done(x, &call))
		reply_called(x, &call);
}

/* ---- renew ---- */

static void peer_renew_lease(struct exchange *x)
{
	const char *id = json_string_value(json_object_get(exchange_body(x), "lease"));
	struct event event = {.kind = EVENT_RENEW_LEASE};
	struct command_result result;
	const struct service *service = resource_service(x);
	struct text lost = TEXT_INIT, body = TEXT_INIT;
	enum err e;

	event.lease.id = id;
	event.lease.ret_lost = &lost;
	e = service->command(service->node, &event, &result);
	json_object(&body);
	json_key(&body, "lost");
	json_array(&body);
	text_add(&body, lost.bytes, lost.used);
	json_end_array(&body);
	json_end_object(&body);
	text_fini(&lost);
	if (e == ERR_OK)
		exchange_reply(x, 200, &body);
	else if (e == ERR_NOT_FOUND)
		exchange_problem(x, PROBLEM_LEASE_EXPIRED, "lease '%s' is over", id);
	else if (e == ERR_ELSEWHERE)
		exchange_problem(x, PROBLEM_WRONG_STATE, "lease '%s' is held elsewhere", id);
	else
		exchange_fail(x, e);
	text_fini(&body);
}

const struct binding peer_bindings[] = {
	{"peerHello", peer_hello},
	{"peerDeltas", peer_deltas},
	{"peerDigest", peer_digest},
	{"peerCall", peer_call},
	{"peerRenewLease", peer_renew_lease},
	{"peerGoodbye", peer_goodbye},
	{NULL, NULL},
};

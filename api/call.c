#include "api/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/signals.h"

#define TICKET_KEY_BYTES 32

static void free_state(void *state)
{
	struct calling *s = state;

	if (s->under_way)
		s->service->call_end(s->service->node, s->ticket);
	free(s);
}

const struct calling *call_state(const struct exchange *x)
{
	return exchange_state(x);
}

static struct calling *new_state(struct exchange *x, const struct child *c)
{
	struct calling *s = calloc(1, sizeof(*s));

	if (!s) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	s->service = resource_service(x);
	s->before = c->view.status ? entry_content(c->view.status) : 0;
	exchange_state_set(x, s, free_state);
	return s;
}

const char *call_answer(const struct exchange *x, size_t *ret_bytes)
{
	const struct calling *s = exchange_state(x);
	const char *answer;
	unsigned status;

	if (!s || !s->under_way ||
		s->service->call_result(s->service->node, s->ticket, &status, &answer, ret_bytes) !=
			CALL_ANSWERED)
		return NULL;
	return answer;
}

static enum err run_here(const struct service *service, const struct call *call, const char *ref)
{
	struct command_result result;
	struct event e = {.kind = EVENT_RESTART_CHILD};

	if (call->op == CALL_LOGS)
		return ERR_ELSEWHERE;
	e.signal.ref = ref;
	if (call->op == CALL_SIGNAL) {
		e.kind = EVENT_SIGNAL_CHILD;
		e.signal.number = signal_from_name(call->signal);
		e.signal.group = call->group;
	}
	return service->command(service->node, &e, &result);
}

/* ---- calling the owner ---- */

static void write_logs(struct text *body, const struct call *call)
{
	const struct logs_query *q = call->logs;

	if (q->stream)
		json_put_string(body, "stream", q->stream);
	if (q->from_offset)
		json_put_count(body, "after", q->after);
	json_put_int(body, "tail", q->tail);
	json_put_int(body, "limit", q->limit);
	json_put_int(body, "wait_ms", call->wait_ms);
}

static void write_call(struct text *body, const struct call *call)
{
	static const char *const ops[] = {
		[CALL_SIGNAL] = "signal", [CALL_RESTART] = "restart", [CALL_LOGS] = "logs"};

	json_object(body);
	json_put_string(body, "op", ops[call->op]);
	json_put_string(body, "supervisor", call->supervisor);
	json_put_string(body, "child", call->child);
	if (call->op == CALL_SIGNAL) {
		json_put_string(body, "signal", call->signal);
		json_put_bool(body, "group", call->group);
	}
	if (call->op == CALL_LOGS)
		write_logs(body, call);
	json_put_int(body, "hops", call->hops + 1);
	json_end_object(body);
}

/* Who is asked: for logs the one that has them, else the child's owner. */
static const struct member *target(const struct call *call, const struct child *c)
{
	return call->node ? call->node : c->view.node;
}

static void unreachable(struct exchange *x, const struct call *call, const struct child *c)
{
	const struct member *m = target(call, c);

	exchange_problem(x, PROBLEM_OWNER_UNREACHABLE, "node '%s', which has %schild '%s', %s",
		m && m->recorded ? m->record->name : "?", call->op == CALL_LOGS ? "logs of " : "",
		c->id, "does not answer");
}

/* Asks the owner; false when a problem was answered. */
static bool ask_owner(
	struct exchange *x, struct calling *s, const struct call *call, const struct child *c)
{
	const struct member *m = target(call, c);
	struct text body = TEXT_INIT;
	enum err e = ERR_NO_MEMORY;

	if (!m || m->self || !m->recorded || !member_reachable(m) || call->hops >= CALL_HOPS_MAX) {
		unreachable(x, call, c);
		return false;
	}
	write_call(&body, call);
	if (text_ok(&body))
		e = s->service->call(s->service->node, m->record->url, "/peer/v1/call", body.bytes,
			body.used, CALL_TIMEOUT_MS + call->wait_ms, &s->ticket);
	text_fini(&body);
	s->under_way = e == ERR_OK;
	if (e != ERR_OK)
		exchange_fail(x, e);
	return e == ERR_OK;
}

/* Problems of the owner that are the caller's to know; anything else is an owner out of reach. */
static void relay_problem(struct exchange *x, const struct call *call, const struct child *c,
	const char *answer, size_t bytes)
{
	static const enum problem_code relayed[] = {PROBLEM_CHILD_NOT_FOUND, PROBLEM_WRONG_STATE,
		PROBLEM_NOT_READY, PROBLEM_SHUTTING_DOWN, PROBLEM_OVERLOADED, PROBLEM_BAD_RANGE,
		PROBLEM_LOGS_NOT_KEPT};
	static const char *const members[] = {"first", "end"}; /* of a bad range */
	json_t *problem = json_loadb(answer, bytes, 0, NULL);
	const char *code = json_string_value(json_object_get(problem, "code"));
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *member = json_object_get(problem, members[i]);

		if (json_is_integer(member))
			json_put_int(exchange_extra(x), members[i], json_integer_value(member));
	}
	for (size_t i = 0; code && i < sizeof(relayed) / sizeof(relayed[0]); i++) {
		if (!exchange_replied(x) && strcmp(code, problem_slug(relayed[i])) == 0)
			exchange_problem(x, relayed[i], "%s", detail ? detail : code);
	}
	json_decref(problem);
	if (!exchange_replied(x))
		unreachable(x, call, c);
}

/* True when the owner has done it. */
static bool look_at_answer(
	struct exchange *x, struct calling *s, const struct call *call, const struct child *c)
{
	/* The call ends by itself in time; this is for a call that does not. */
	int64_t deadline = exchange_started_ms(x) + 2 * CALL_TIMEOUT_MS + call->wait_ms;
	char key[TICKET_KEY_BYTES];
	const char *answer;
	unsigned status;
	size_t bytes;
	int length;

	switch (s->service->call_result(s->service->node, s->ticket, &status, &answer, &bytes)) {
	case CALL_PENDING:
		if (resource_late(x, deadline))
			break;
		length = snprintf(key, sizeof(key), "call/%llu", (unsigned long long)s->ticket);
		exchange_watch_key(x, key, (size_t)length);
		exchange_park(x, deadline);
		return false;
	case CALL_ANSWERED:
		if (status / 100 == 2)
			return true;
		relay_problem(x, call, c, answer, bytes);
		return false;
	case CALL_FAILED:
		break;
	}
	unreachable(x, call, c);
	return false;
}

/* ---- both ---- */

/* The first run; true when it was done here. False: it is under way, or a problem was answered. */
static bool begin(struct exchange *x, const struct call *call, const struct child *c)
{
	struct calling *s = new_state(x, c);
	enum err e;

	if (!s)
		return false;
	e = run_here(s->service, call, c->ref);
	if (e == ERR_ELSEWHERE) {
		if (ask_owner(x, s, call, c))
			look_at_answer(x, s, call, c);
		return false;
	}
	s->done = e == ERR_OK;
	if (e == ERR_NOT_FOUND)
		child_not_found(x, c);
	else if (e == ERR_WRONG_STATE)
		exchange_problem(x, PROBLEM_WRONG_STATE, "child '%s' is %s", c->id,
			child_state_name(c->view.state));
	else if (e != ERR_OK)
		resource_fail(x, e);
	return s->done;
}

bool call_done(struct exchange *x, const struct call *call)
{
	struct calling *s = exchange_state(x);
	struct child c;

	child_look(x, call->supervisor, call->child, &c);
	if (!s)
		return begin(x, call, &c);
	if (s->done)
		return true;
	s->done = look_at_answer(x, s, call, &c);
	return s->done;
}

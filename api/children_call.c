/* What only the owner of a child can do: restartChild, signalChild. */
#include "api/call.h"
#include "api/children.h"

static void signal_child(struct exchange *x)
{
	const json_t *body = exchange_body(x);
	struct call call = {.op = CALL_SIGNAL,
		.supervisor = exchange_path(x, "sup"),
		.child = exchange_path(x, "child"),
		.signal = json_string_value(json_object_get(body, "signal")),
		.group = json_is_true(json_object_get(body, "group"))};

	if (resource_supervisor(x) && call_done(x, &call))
		exchange_reply_empty(x, 204);
}

/* A new life has begun, or failed to: the status is another one than before the call. */
static bool has_restarted(const struct child *c, uint64_t before)
{
	return c->view.current && c->view.state != CHILD_STOPPING &&
	       c->view.state != CHILD_STARTING && c->view.status &&
	       entry_content(c->view.status) != before;
}

static void restart_child(struct exchange *x)
{
	int64_t deadline = resource_deadline_ms(x, WAIT_START_MS);
	struct call call = {.op = CALL_RESTART,
		.supervisor = exchange_path(x, "sup"),
		.child = exchange_path(x, "child")};
	struct child c;

	if (!resource_supervisor(x) || !call_done(x, &call))
		return;
	child_of_path(x, &c);
	if (!c.view.spec) {
		child_not_found(x, &c);
	} else if (has_restarted(&c, call_state(x)->before)) {
		child_reply(x, 200, &c, NULL);
	} else if (resource_late(x, deadline)) {
		child_reply(x, 202, &c, NULL);
	} else {
		child_watch(x, &c);
		exchange_park(x, deadline);
	}
}

const struct binding children_call_bindings[] = {
	{"restartChild", restart_child},
	{"signalChild", signal_child},
	{NULL, NULL},
};

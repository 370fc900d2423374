/*
 * The way out of a process that is to end: first its status says that it stops and is not ready,
 * so that whoever asks for its names goes elsewhere, then, `shutdown.delay_ms` later, it is told.
 * (Kubernetes does so by hand, with a sleep in a preStop hook.) What it is stopped for is not
 * looked at again meanwhile; but a conflict ends it at once.
 */
#include "server/core/view.h"

void child_withdraw(struct horde *h, struct child *c, enum stop_reason why)
{
	bool seen = registry_names(h, c->ref) || c->stop_delay_ms > 0;

	if (c->process != PROCESS_RUNNING || c->withdrawn || !seen) {
		child_stop(h, c, INT64_MAX, why);
		return;
	}
	c->withdrawn = true;
	c->withdraw_why = why;
	c->withdraw_ms = h->now_ms + c->stop_delay_ms;
	if (c->withdraw_ms < h->withdraw_ms)
		h->withdraw_ms = c->withdraw_ms;
	child_mark_it(h, c);
}

enum decision withdraw_decide(const struct horde *h, struct child *c, const struct situation *s)
{
	if (c->process != PROCESS_RUNNING || s->assigned != ASSIGNED_HERE)
		c->withdrawn = false;
	if (!c->withdrawn)
		return reconcile(s);
	if (!s->status_right)
		return DECISION_WRITE_STATUS;
	return h->now_ms >= c->withdraw_ms ? DECISION_STOP_WITHDRAWN : DECISION_NOTHING;
}

void withdraw_tick(struct horde *h)
{
	if (h->now_ms < h->withdraw_ms)
		return;
	h->withdraw_ms = INT64_MAX;
	for (struct child *c = h->all; c; c = c->next) {
		if (!c->withdrawn)
			continue;
		if (h->now_ms >= c->withdraw_ms)
			child_mark_it(h, c);
		else if (c->withdraw_ms < h->withdraw_ms)
			h->withdraw_ms = c->withdraw_ms;
	}
}

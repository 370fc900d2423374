/* What the map says of one child, and what its status ought to say. */
#include "server/core/view.h"

#include <string.h>

static bool finished_state(enum child_state s, enum reason r)
{
	return s == CHILD_EXITED || s == CHILD_FAILED ||
	       (s == CHILD_STOPPED && r == REASON_NAME_CONFLICT);
}

bool view_process_current(const struct child *c, const struct view *v)
{
	if (!v->spec)
		return false;
	if (v->spec->restart.type == RESTART_TEMPORARY)
		return c->own_process_hash == v->spec_entry->record->spec.process_hash;
	return c->process_hash == v->spec->process_hash;
}

bool view_finished(const struct child *c, const struct view *v)
{
	const struct status_record *s = v->status;

	if (!v->spec)
		return false;
	if (v->assigned == ASSIGNED_HERE)
		return c->process == PROCESS_NONE && c->epoch == v->assign->epoch &&
		       finished_state(c->state, c->reason);
	return s && (!v->assign || s->epoch >= v->assign->epoch) && s->spec_hash == v->spec->hash &&
	       finished_state(s->state, s->reason);
}

struct status_record view_life(const struct horde *h, const struct child *c)
{
	return (struct status_record){
		.state = c->state,
		.reason = c->reason,
		.node = h->config.node_id,
		.incarnation = h->config.incarnation,
		.epoch = c->epoch,
		.spec_hash = c->spec_hash,
		.restarts = c->restarts,
		.started_at_ms = c->started_wall_ms,
		.last_exit = c->last_exit,
		.exit_tail = c->exit_tail,
		.ports = c->ports,
	};
}

/* What is shown of this life has ended, and it waits for its turn to start again. */
static bool waits_anew(const struct child *c, const struct view *v)
{
	const struct status_record *s = v->status;

	return c->queued && s && s->epoch == v->assign->epoch && s->state != CHILD_PENDING &&
	       s->state != CHILD_STOPPED;
}

static void show_health(const struct child *c, struct status_record *ret)
{
	ret->ready = probe_ready(c);
	if (!c->health)
		return;
	ret->ready_at_ms = ret->ready ? c->health->ready_wall_ms : 0;
	ret->text = c->health->text;
}

/* A text that is not to be told yet is no reason to tell anything. */
static bool health_right(
	const struct child *c, const struct status_record *s, const struct status_record *want)
{
	const char *told = s->text ? s->text : "", *text = want->text ? want->text : "";

	if (s->ready != want->ready)
		return false;
	return strcmp(told, text) == 0 || (c->health && c->health->text_untold);
}

bool view_status(const struct horde *h, const struct child *c, const struct view *v,
	struct status_record *ret)
{
	if (!v->assign || c->process == PROCESS_STARTING || c->process == PROCESS_STOPPING)
		return false;
	*ret = view_life(h, c);
	ret->epoch = v->assign->epoch;
	if (c->process == PROCESS_RUNNING) {
		ret->state = CHILD_RUNNING;
		ret->reason = REASON_NONE;
		ret->pid = c->pid;
		ret->process_epoch = c->process_epoch != ret->epoch ? c->process_epoch : 0;
		show_health(c, ret);
		if (c->withdrawn) {
			ret->state = CHILD_STOPPING;
			ret->ready = false;
		}
	} else if (!v->spec) {
		ret->state = CHILD_FAILED;
		ret->reason = REASON_INVALID_SPEC;
	} else if (!v->spec->desired_running) {
		ret->state = CHILD_STOPPED;
		ret->reason = REASON_TERMINATED;
		ret->spec_hash = v->spec->hash;
	} else if (c->state == CHILD_PENDING && !waits_anew(c, v)) {
		return false;
	}
	if (ret->state == CHILD_BACKOFF)
		ret->retry_at_ms = c->retry_wall_ms;
	return true;
}

bool view_status_right(const struct horde *h, const struct child *c, const struct view *v)
{
	const struct status_record *s = v->status;
	struct status_record want;

	if (!view_status(h, c, v, &want))
		return true;
	return s && s->state == want.state && s->reason == want.reason && s->epoch == want.epoch &&
	       s->process_epoch == want.process_epoch && origin_equal(s->node, want.node) &&
	       origin_equal(s->incarnation, want.incarnation) && s->spec_hash == want.spec_hash &&
	       s->pid == want.pid && s->restarts == want.restarts &&
	       s->retry_at_ms == want.retry_at_ms && s->last_exit.at_ms == want.last_exit.at_ms &&
	       health_right(c, s, &want);
}

bool view_of_another(const struct horde *h, const struct child *c, const struct status_record *s)
{
	return !origin_equal(s->incarnation, h->config.incarnation) || s->epoch != c->epoch;
}

/* A write with the same content is the same spec, as it is for a process that runs. */
static bool ran(const struct status_record *s, const struct view *v)
{
	bool stopped = s->state == CHILD_STOPPED && s->reason != REASON_NAME_CONFLICT;

	return !stopped && s->spec_hash == v->spec->hash;
}

bool view_ran_elsewhere(const struct horde *h, const struct child *c, const struct view *v)
{
	if (!v->spec)
		return false;
	for (const struct entry *e = v->status_entry; e; e = e->sibling)
		if (e->record && view_of_another(h, c, &e->record->status) &&
			ran(&e->record->status, v))
			return true;
	return false;
}

/*
 * One child's process on this node, as a table: what each event does in each state.
 *
 *	          start      started   stop       ended
 *	NONE      STARTING   -         -          -
 *	STARTING  -          RUNNING   STOPPING   NONE, counted
 *	RUNNING   -          -         STOPPING   NONE, counted
 *	STOPPING  -          STOPPING  (hurry)    NONE, not counted
 *
 * "Counted": the end is the child's own, and its restart type, budget and back-off decide. What was
 * stopped on purpose (deleted, replaced, a conflict, the node's end) never counts.
 */
#include "server/core/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum process_event { PROCESS_START, PROCESS_STARTED, PROCESS_STOP, PROCESS_ENDED, PROCESS_EVENTS };

#define STAYS PROCESS_STATES

static const enum process_state table[PROCESS_STATES][PROCESS_EVENTS] = {
	[PROCESS_NONE] = {PROCESS_STARTING, STAYS, STAYS, STAYS},
	[PROCESS_STARTING] = {STAYS, PROCESS_RUNNING, PROCESS_STOPPING, PROCESS_NONE},
	[PROCESS_RUNNING] = {STAYS, STAYS, PROCESS_STOPPING, PROCESS_NONE},
	[PROCESS_STOPPING] = {STAYS, PROCESS_STOPPING, STAYS, PROCESS_NONE},
};
_Static_assert(sizeof(table) / sizeof(table[0]) == PROCESS_STATES, "a row for each state");

/* The one place that writes `process`. False: the event is stale, and ignored. */
static bool process_turn(struct child *c, enum process_event e)
{
	enum process_state next = table[c->process][e];

	if (next == STAYS)
		return false;
	c->process = next;
	return true;
}

struct child *child_find(const struct horde *h, const char *ref)
{
	return (struct child *)tree_find(&h->children, ref, strlen(ref));
}

static struct child *child_make(struct horde *h, const char *ref)
{
	size_t bytes = strlen(ref);
	struct child *c = calloc(1, sizeof(*c) + bytes + 1);

	if (!c)
		return NULL;
	memcpy(c->ref, ref, bytes);
	tree_insert(&h->children, &c->node, bytes);
	c->next = h->all;
	if (h->all)
		h->all->previous = c;
	h->all = c;
	return c;
}

void child_bury(struct horde *h, struct child *c)
{
	assert(!c->dirty);
	tree_remove(&h->children, &c->node);
	if (c->previous)
		c->previous->next = c->next;
	else
		h->all = c->next;
	if (c->next)
		c->next->previous = c->previous;
	c->next = h->buried;
	h->buried = c;
}

void children_sweep(struct horde *h)
{
	while (h->buried) {
		struct child *c = h->buried;

		h->buried = c->next;
		budget_fini(&c->budget);
		trail_fini(&c->trail);
		free(c->health);
		free(c->exit_tail);
		ports_fini(&c->ports);
		free(c);
	}
}

void child_mark_it(struct horde *h, struct child *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = h->dirty;
	h->dirty = c;
}

void child_mark(struct horde *h, const char *ref)
{
	struct child *c = child_find(h, ref);

	if (strlen(ref) >= REF_BYTES_MAX)
		return; /* no API takes such a name: a peer's nonsense is kept, not acted upon */
	if (!c)
		c = child_make(h, ref);
	if (c)
		child_mark_it(h, c);
	else
		h->rescan = true;
}

struct child *child_of_name(struct horde *h, const struct entry *e)
{
	struct entry_record name;

	if (!entry_name(e, &name) || name.owner_kind != OWNER_CHILD)
		return NULL;
	child_mark(h, name.owner_id);
	return child_find(h, name.owner_id);
}

void children_mark_all(struct horde *h)
{
	for (struct child *c = h->all; c; c = c->next)
		child_mark_it(h, c);
}

bool children_running(const struct horde *h)
{
	for (const struct child *c = h->all; c; c = c->next)
		if (c->process != PROCESS_NONE)
			return true;
	return false;
}

static void note_ran(struct child *c, struct dot write)
{
	size_t at = 0;

	while (at < RAN_KEPT - 1 && dot_compare(c->ran[at], write) != 0)
		at++;
	memmove(c->ran + 1, c->ran, at * sizeof(*c->ran));
	c->ran[0] = write;
}

/* The epoch is the life's already (supervise.c); without memory the child is looked at again. */
void child_follow(struct child *c, const struct view *v)
{
	if (c->process == PROCESS_NONE || !view_process_current(c, v))
		return;
	c->spec_hash = v->spec->hash;
	c->stop_signal = v->spec->shutdown_signal;
	c->stop_timeout_ms = v->spec->shutdown_timeout_ms;
	c->stop_delay_ms = v->spec->shutdown_delay_ms;
	if (v->spec->restart.type == RESTART_TEMPORARY)
		note_ran(c, entry_dot(v->spec_entry));
}

void child_note(struct horde *h, struct child *c, enum child_state state, enum reason reason)
{
	struct transition x = {
		.at_ms = h->wall_ms,
		.node = h->config.node_id,
		.epoch = c->epoch,
		.state = state,
		.reason = reason,
		.ended = c->ended_untold,
	};

	if (x.ended) {
		x.at_ms = c->last_exit.at_ms;
		x.code = c->last_exit.code;
		x.signal = c->last_exit.signal;
		x.core_dumped = c->last_exit.core_dumped;
		x.oom_killed = c->last_exit.oom_killed;
		x.uptime_ms = c->last_exit.uptime_ms;
		memcpy(x.error, c->last_exit.error, sizeof(x.error));
	}
	c->ended_untold = false;
	trail_add(&c->trail, &x); /* for people: nothing depends on it */
}

void child_follow_trail(struct horde *h, struct child *c, const struct status_record *s)
{
	struct trail copy;

	if (!s || !view_of_another(h, c, s) || !trail_dup(&s->trail, &copy))
		return;
	trail_fini(&c->trail);
	c->trail = copy;
}

/* Whatever comes of it, this is a start of what the spec says now. */
static void begin_start(struct horde *h, struct child *c, const struct view *v)
{
	bool started = process_turn(c, PROCESS_START);

	assert(started); /* reconcile starts only where there is no process */
	if (c->ended_untold)
		child_note(h, c, CHILD_PENDING, c->reason); /* no status told it in between */
	c->replaced = false;
	c->fault = REASON_NONE;
	c->claimed = 0;
	c->names_wait = 0;
	c->process_epoch = c->epoch;
	c->process_hash = v->spec->process_hash;
	c->own_process_hash = v->spec_entry->record->spec.process_hash;
	child_follow(c, v);
	c->started_ms = h->now_ms;
	c->started_wall_ms = h->wall_ms;
}

static void spawn(struct horde *h, struct child *c, const struct view *v)
{
	char **identity = identity_make(h, c, c->epoch);
	bool ready = identity && probe_prepare(c, &v->spec->checks);
	struct action *a = ready ? act(h, ACTION_SPAWN) : NULL;

	if (!a) {
		identity_free(identity);
		h->rescan = true;
		return;
	}
	begin_start(h, c, v);
	a->ref = c->ref;
	a->epoch = c->process_epoch;
	a->spec = &v->spec_entry->record->spec;
	a->defaults = v->defaults;
	a->ports = &c->ports;
	a->identity = identity;
}

/* It cannot have what it asks for here: it goes where it can, or this was a start that failed. */
static void cannot_start(struct horde *h, struct child *c, const struct view *v, const char *why)
{
	const struct process_end none = {.code = -1};

	if (reschedule(h, c, "rescheduled"))
		return;
	begin_start(h, c, v);
	child_ended(h, c, &none, why, v->spec);
}

void child_start(struct horde *h, struct child *c, const struct view *v)
{
	char why[ERROR_BYTES_MAX];
	enum err err = ports_take(h, c, &v->spec->ports, why);

	if (err == ERR_OK)
		spawn(h, c, v);
	else if (err == ERR_LIMIT)
		cannot_start(h, c, v, why);
	else
		h->rescan = true;
}

void child_stop(struct horde *h, struct child *c, int64_t timeout_max_ms, enum stop_reason why)
{
	struct action *a = act(h, ACTION_STOP);

	if (!a) {
		h->rescan = true;
		return;
	}
	process_turn(c, PROCESS_STOP);
	a->ref = c->ref;
	a->epoch = c->process_epoch;
	a->signal = c->stop_signal;
	a->timeout_ms = c->stop_timeout_ms < timeout_max_ms ? c->stop_timeout_ms : timeout_max_ms;
	a->why = why;
	c->replaced = why == STOP_REPLACED;
	say(h, "child.stopping", c->ref, "%s", stop_reason_name(why));
	starts_count(h, c);
	probe_drop(h, c); /* behind all that is said of `a`: an action more may move it */
}

void child_started(struct horde *h, struct child *c, int pid)
{
	if (!process_turn(c, PROCESS_STARTED))
		return;
	c->pid = pid;
	c->port_tries = 0;
	c->started_ms = h->now_ms;
	c->started_wall_ms = h->wall_ms;
	child_mark_it(h, c);
}

static void note_exit(
	struct horde *h, struct child *c, const struct process_end *end, const char *error)
{
	c->last_exit = (struct exit_record){
		.known = true,
		.code = error ? -1 : end->code,
		.signal = error ? 0 : end->signal,
		.core_dumped = !error && end->core_dumped,
		.oom_killed = !error && end->oom_killed,
		.at_ms = h->wall_ms,
		.uptime_ms = error ? 0 : h->now_ms - c->started_ms,
	};
	if (!error && c->fault == REASON_NAME_CONFLICT)
		error = "a name is taken";
	else if (!error && c->fault)
		error = c->health->why;
	if (error)
		snprintf(c->last_exit.error, sizeof(c->last_exit.error), "%s", error);
}

void child_keep_tail(struct child *c, const char *tail)
{
	free(c->exit_tail);
	c->exit_tail = tail && *tail ? strdup(tail) : NULL; /* for people: without memory none */
}

bool child_port_taken(
	struct horde *h, struct child *c, uint16_t port, const struct spec_record *spec)
{
	if (c->process != PROCESS_STARTING || !ports_refused(h, c, port, spec))
		return false;
	process_turn(c, PROCESS_ENDED);
	probe_end(h, c);
	c->state = CHILD_PENDING;
	c->reason = REASON_NONE;
	child_mark_it(h, c);
	return true;
}

static bool is_success(
	const struct spec_record *spec, const struct process_end *end, const char *error)
{
	if (error || end->signal || end->code < 0 || end->code > 255)
		return false;
	return spec->success_exit[end->code / 8] >> (end->code % 8) & 1;
}

static void begin_backoff(struct horde *h, struct child *c, int64_t at_ms)
{
	c->state = at_ms > h->now_ms ? CHILD_BACKOFF : CHILD_PENDING;
	c->retry_ms = at_ms;
	c->retry_wall_ms = h->wall_ms + (at_ms - h->now_ms);
	if (c->state == CHILD_BACKOFF && at_ms < h->retry_ms)
		h->retry_ms = at_ms;
}

/* The end was the child's own: its spec decides what becomes of it. */
static void counted(struct horde *h, struct child *c, bool success, const struct spec_record *spec)
{
	struct restart_decision d = budget_ended(&c->budget, &spec->restart, success,
		c->last_exit.uptime_ms, h->now_ms, c->node.priority);

	c->reason = c->fault                ? c->fault
		    : c->last_exit.error[0] ? REASON_SPAWN_ERROR
		    : c->last_exit.signal   ? REASON_SIGNAL
					    : REASON_EXIT;
	if (d.crash_loop)
		say(h, "child.crash_loop", c->ref, "more than %u restarts in %u s",
			spec->restart.max_restarts, spec->restart.max_seconds);
	if (d.verdict == VERDICT_DONE)
		c->state = CHILD_EXITED;
	if (d.verdict == VERDICT_FAIL || d.verdict == VERDICT_STOP) {
		c->state = CHILD_FAILED;
		c->reason = REASON_MAX_RESTARTS;
	}
	if (d.verdict == VERDICT_STOP)
		supervisor_halt(h, c->ref);
	if (d.verdict != VERDICT_RESTART && d.verdict != VERDICT_MOVE)
		return;
	c->restarts++;
	if (d.verdict == VERDICT_RESTART || !reschedule(h, c, "rescheduled"))
		begin_backoff(h, c, d.at_ms);
}

/* OTP's `ignore`: it had a look, and there is nothing for it to do. */
static bool is_declined(const struct child *c, const struct process_end *end, const char *error,
	const struct spec_record *spec)
{
	return spec && spec->checks.ready && !c->fault && is_success(spec, end, error);
}

static void finish(struct child *c, enum child_state state, enum reason reason)
{
	c->state = state;
	c->reason = reason;
}

/* No failure of its own: it goes on, unless it is one that is never started twice. */
static void guardian_lost(struct child *c, const struct spec_record *spec)
{
	if (spec && spec->restart.type == RESTART_TEMPORARY) {
		c->state = CHILD_EXITED;
		c->reason = REASON_NODE_DEAD;
	}
}

/* It was stopped to go elsewhere. If nobody may have it any more, it starts here again. */
static void moved_on(struct horde *h, struct child *c)
{
	c->reason = REASON_MOVE;
	if (!reschedule(h, c, "moved"))
		c->reason = REASON_NONE;
}

void child_ended(struct horde *h, struct child *c, const struct process_end *end, const char *error,
	const struct spec_record *spec)
{
	bool on_purpose = (c->process == PROCESS_STOPPING || c->withdrawn) && !c->fault;
	bool ready = c->health && c->health->ready;

	if (!process_turn(c, PROCESS_ENDED))
		return;
	note_exit(h, c, end, error);
	if (on_purpose || error || (!c->fault && spec && is_success(spec, end, error)))
		child_keep_tail(c, NULL);
	else
		child_keep_tail(c, end->tail);
	c->ended_untold = true;
	c->withdrawn = false;
	c->pid = 0;
	c->state = CHILD_PENDING;
	c->reason = REASON_NONE;
	if (!on_purpose && !error && end->guardian_lost)
		guardian_lost(c, spec);
	else if (on_purpose && c->moving && spec && spec->desired_running)
		moved_on(h, c);
	else if (!on_purpose && !ready && is_declined(c, end, error, spec))
		finish(c, CHILD_EXITED, REASON_DECLINED);
	else if (c->fault == REASON_NAME_CONFLICT)
		finish(c, CHILD_STOPPED, REASON_NAME_CONFLICT);
	else if (!on_purpose && spec)
		counted(h, c, !c->fault && is_success(spec, end, error), spec);
	c->moving = false;
	probe_end(h, c);
	if (error)
		say(h, "child.start_failed", c->ref, "%s", error);
	else
		say(h, "child.ended", c->ref, "code %d signal %d", end->code, end->signal);
	child_mark_it(h, c);
}

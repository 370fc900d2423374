/*
 * Readiness and health of the processes here: what health.c wants of each becomes actions, and what
 * comes back becomes a status, or the end of a process that counts as a failure of its own.
 */
#include "server/core/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_any(const struct checks *checks)
{
	return checks->ready || checks->health_count > 0 || checks->watchdog_ms > 0;
}

bool probe_prepare(struct child *c, const struct checks *checks)
{
	if (!c->health && has_any(checks))
		c->health = calloc(1, sizeof(*c->health));
	if (c->health)
		c->health->salt = c->node.priority;
	return c->health || !has_any(checks);
}

static void due(struct horde *h, int64_t at_ms)
{
	if (at_ms < h->health_ms)
		h->health_ms = at_ms;
}

void probe_arm(struct horde *h, struct child *c, const struct checks *checks)
{
	if (c->process != PROCESS_RUNNING || (!c->health && !has_any(checks)))
		return;
	if (!probe_prepare(c, checks)) {
		h->rescan = true;
		return;
	}
	health_arm(c->health, checks, h->now_ms, h->wall_ms);
	due(h, health_deadline_ms(c->health, checks));
}

void probe_drop(struct horde *h, struct child *c)
{
	bool trying = false;
	struct action *a;

	for (uint32_t i = 0; c->health && i <= CHECKS_MAX; i++) {
		trying = trying || c->health->trials[i].number != 0;
		c->health->trials[i].number = 0;
	}
	a = trying ? act(h, ACTION_UNPROBE) : NULL;
	if (a)
		a->ref = c->ref; /* else they end by their own time limits */
}

void probe_end(struct horde *h, struct child *c)
{
	probe_drop(h, c);
	free(c->health);
	c->health = NULL;
}

bool probe_ready(const struct child *c)
{
	if (c->process != PROCESS_RUNNING)
		return false;
	return !c->health || (c->health->ready && !c->health->stopping);
}

/* ---- what is to be done ---- */

struct rule { /* by what a child runs now */
	const struct spec_record *own;
	const struct spec_record *defaults;
	struct spec_record effective;
};

/*
 * Its checks are armed by it: a step that ran out of memory may have left them as they were.
 * False: it has no spec that could be understood.
 */
static bool rule_of(struct horde *h, struct child *c, struct rule *ret)
{
	const struct entry *e = get(h, "spec", c->ref);

	if (!e || !e->record)
		return false;
	ret->own = &e->record->spec;
	ret->effective = supervisor_spec(h, c->ref, ret->own, &ret->defaults);
	health_arm(c->health, &ret->effective.checks, h->now_ms, h->wall_ms);
	return true;
}

/* It ends as if it had failed by itself; without memory it is found again by the next tick. */
static void fail(struct horde *h, struct child *c, enum reason reason, const char *why)
{
	child_stop(
		h, c, INT64_MAX, reason == REASON_START_TIMEOUT ? STOP_START_TIMEOUT : STOP_HEALTH);
	if (c->process != PROCESS_STOPPING)
		return;
	c->fault = reason;
	snprintf(c->health->why, sizeof(c->health->why), "%s", why);
}

static void fail_sick(struct horde *h, struct child *c, const struct rule *r, uint32_t check)
{
	const struct check *of = health_check(&r->effective.checks, check);
	char why[HEALTH_WHY_BYTES];

	snprintf(why, sizeof(why), "%s: %.48s", check_kind_name(of->kind), c->health->why);
	fail(h, c, REASON_HEALTH, why);
}

static void fail_late(struct horde *h, struct child *c)
{
	char why[HEALTH_WHY_BYTES];

	snprintf(why, sizeof(why), "not ready: %.48s", c->health->why);
	fail(h, c, REASON_START_TIMEOUT, c->health->why[0] ? why : "not ready in time");
}

static void try(struct horde *h, struct child *c, const struct rule *r, struct health_next next)
{
	char **identity = identity_make(h, c, c->process_epoch);
	struct action *a = identity ? act(h, ACTION_PROBE) : NULL;

	if (!a) {
		identity_free(identity);
		return; /* the try is a failed one then, once it is late */
	}
	a->ref = c->ref;
	a->epoch = c->process_epoch;
	a->spec = r->own;
	a->defaults = r->defaults;
	a->probe = health_check(&r->effective.checks, next.check);
	a->port =
		a->probe->port_name ? ports_number(&c->ports, a->probe->port_name) : a->probe->port;
	a->identity = identity;
	a->check = next.check;
	a->number = next.number;
	a->timeout_ms = a->probe->timeout_ms;
}

static void do_next(struct horde *h, struct child *c, const struct rule *r)
{
	const struct checks *checks = &r->effective.checks;

	while (c->process == PROCESS_RUNNING) {
		struct health_next next = health_next(c->health, checks, h->now_ms);

		if (next.want == HEALTH_TRY)
			try(h, c, r, next);
		else if (next.want == HEALTH_LATE)
			fail_late(h, c);
		else if (next.want == HEALTH_SICK)
			fail_sick(h, c, r, next.check);
		else if (next.want == HEALTH_SILENT)
			fail(h, c, REASON_HEALTH, "watchdog: silent");
		else if (next.want == HEALTH_STUCK)
			fail(h, c, REASON_HEALTH, "it did not stop");
		if (next.want != HEALTH_TRY)
			break;
	}
}

/* Its text may be told now. */
static void tell_text(struct horde *h, struct child *c)
{
	if (!c->health->text_untold || h->now_ms < c->health->text_told_ms + STATUS_TEXT_MS)
		return;
	c->health->text_untold = false;
	c->health->text_told_ms = h->now_ms;
	child_mark_it(h, c);
}

static void look_at(struct horde *h, struct child *c)
{
	struct rule r;
	int64_t at_ms;

	if (!c->health || c->process != PROCESS_RUNNING || !rule_of(h, c, &r))
		return;
	tell_text(h, c);
	do_next(h, c, &r);
	if (!c->health || c->process != PROCESS_RUNNING)
		return;
	at_ms = health_deadline_ms(c->health, &r.effective.checks);
	/* What has no memory now is tried again, and not at once. */
	due(h, at_ms > h->now_ms ? at_ms : h->now_ms + RETRY_NO_MEMORY_MS);
}

void probe_tick(struct horde *h)
{
	if (h->now_ms < h->health_ms)
		return;
	h->health_ms = INT64_MAX;
	for (struct child *c = h->all; c; c = c->next)
		look_at(h, c);
}

/* ---- what comes back ---- */

/* The running process that the event is of, and its rule; NULL: there is none any more. */
static struct child *find(struct horde *h, const char *ref, uint64_t epoch, struct rule *ret_rule)
{
	struct child *c = child_find(h, ref);

	if (!c || !c->health || c->process != PROCESS_RUNNING || c->process_epoch != epoch)
		return NULL;
	return rule_of(h, c, ret_rule) ? c : NULL;
}

static void tell_ready(struct horde *h, struct child *c, bool was_ready)
{
	if (c->health->ready && !was_ready)
		say(h, "child.ready", c->ref, "after %lld ms",
			(long long)(h->now_ms - c->started_ms));
	child_mark_it(h, c);
}

enum err probe_tried(struct horde *h, const struct event *e)
{
	struct rule r;
	struct child *c = find(h, e->probed.ref, e->probed.epoch, &r);
	bool was_ready = c && c->health->ready;
	const char *why = e->probed.why ? e->probed.why : "failed";

	if (!c || !health_tried(c->health, &r.effective.checks, e->probed.check, e->probed.number,
			  e->probed.ok, h->now_ms, h->wall_ms))
		return ERR_OK;
	if (!e->probed.ok) {
		snprintf(c->health->why, sizeof(c->health->why), "%s", why);
		if (e->probed.check != CHECK_READY)
			say(h, "child.unhealthy", c->ref, "check %u: %s", e->probed.check, why);
	}
	if (c->health->ready != was_ready)
		tell_ready(h, c, was_ready);
	look_at(h, c);
	return ERR_OK;
}

enum err probe_notified(struct horde *h, const struct event *e)
{
	struct rule r;
	struct child *c = find(h, e->notified.ref, e->notified.epoch, &r);
	bool was_ready = c && c->health->ready;
	bool was_stopping = c && c->health->stopping;
	const char *text = e->notified.text;

	if (!c)
		return ERR_OK;
	health_notified(c->health, &r.effective.checks, e->notified.what,
		r.effective.shutdown_timeout_ms, h->now_ms, h->wall_ms);
	if (text && strcmp(text, c->health->text) != 0) {
		snprintf(c->health->text, sizeof(c->health->text), "%s", text);
		c->health->text_untold = true;
	}
	if (c->health->ready != was_ready || c->health->stopping != was_stopping)
		tell_ready(h, c, was_ready);
	look_at(h, c);
	return ERR_OK;
}

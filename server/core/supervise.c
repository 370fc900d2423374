/*
 * The children: what the map says of each, what runs here, and carrying out what reconcile decides.
 * Level-triggered: a child that is marked is looked at until there is nothing left to decide.
 */
#include "server/core/view.h"

#include <stdlib.h>
#include <string.h>

static void look_up(struct horde *h, const char *ref, struct view *v)
{
	*v = (struct view){
		.spec_entry = get(h, "spec", ref),
		.assign_entry = get(h, "assign", ref),
		.status_entry = get(h, "status", ref),
	};
	if (v->spec_entry && v->spec_entry->record) {
		v->effective = supervisor_spec(h, ref, &v->spec_entry->record->spec, &v->defaults);
		v->spec = &v->effective;
	}
	if (v->assign_entry && v->assign_entry->record)
		v->assign = &v->assign_entry->record->assign;
	if (v->status_entry && v->status_entry->record)
		v->status = &v->status_entry->record->status;
	v->assigned = classify(h, v->assign);
}

static void life_anew(struct child *c)
{
	budget_reset(&c->budget);
	c->state = CHILD_PENDING;
	c->reason = REASON_NONE;
}

/* This write of a temporary child was started here: another one stood for a while, and is gone. */
static bool ran_already(const struct child *c, const struct view *v)
{
	for (size_t i = 0; i < RAN_KEPT; i++)
		if (dot_compare(c->ran[i], entry_dot(v->spec_entry)) == 0)
			return true;
	return false;
}

/*
 * Stopped: whatever it was, a start begins afresh. But when its supervisor was stopped, and not
 * the child, what had ended has ended, and a temporary child has had its life.
 */
static void unwanted_anew(struct child *c, const struct view *v)
{
	bool halted = v->spec_entry->record->spec.desired_running;
	bool ran = v->spec->restart.type == RESTART_TEMPORARY && ran_already(c, v);

	if (!halted || (c->state != CHILD_EXITED && !ran)) {
		life_anew(c);
	} else if (c->state != CHILD_EXITED) {
		c->state = CHILD_EXITED;
		c->reason = REASON_TERMINATED;
	}
}

/*
 * A temporary child is never started twice: its assign may have lost to ours, and its status to
 * that of an earlier life, but it ran.
 */
static void spare_temporary(struct horde *h, struct child *c, const struct view *v)
{
	if (v->assigned != ASSIGNED_HERE || c->process != PROCESS_NONE || !v->spec ||
		c->state != CHILD_PENDING || v->spec->restart.type != RESTART_TEMPORARY)
		return;
	if (!view_ran_elsewhere(h, c, v))
		return;
	c->state = CHILD_EXITED;
	c->reason = REASON_NODE_DEAD;
}

static void end_anew(struct child *c)
{
	c->state = CHILD_EXITED;
	c->reason = REASON_TERMINATED;
}

/* A new epoch, or a new spec, begins a new life of a child that has no process here. */
static void refresh(struct horde *h, struct child *c, const struct view *v)
{
	bool same_spec = v->spec && c->spec_hash == v->spec->hash;
	const struct status_record *s = v->status;

	if (v->assigned != ASSIGNED_HERE || !v->spec)
		return;
	child_follow(c, v);
	if (view_process_current(c, v))
		probe_arm(h, c, &v->spec->checks);
	if (c->process != PROCESS_NONE)
		return;
	if (!v->spec->desired_running)
		unwanted_anew(c, v);
	if (c->state == CHILD_BACKOFF && !view_process_current(c, v))
		life_anew(c); /* what it waits for may have been mended */
	if (c->replaced && ran_already(c, v))
		end_anew(c);
	if (c->epoch == v->assign->epoch && same_spec)
		return;
	if (!same_spec)
		budget_reset(&c->budget);
	if (c->epoch == 0 && s && s->spec_hash == v->spec->hash) {
		c->restarts = s->restarts; /* it goes on here: its count and its last end too */
		c->last_exit = s->last_exit;
		child_keep_tail(c, s->exit_tail);
	}
	child_follow_trail(h, c, s);
	c->epoch = v->assign->epoch;
	c->spec_hash = v->spec->hash;
	c->state = CHILD_PENDING;
	c->reason = REASON_NONE;
	if (ran_already(c, v))
		end_anew(c);
	if (s && s->epoch == c->epoch && s->spec_hash == c->spec_hash &&
		origin_equal(s->node, h->config.node_id) &&
		(s->state == CHILD_EXITED || s->state == CHILD_FAILED)) {
		c->state = s->state; /* written when its node died: never started twice */
		c->reason = s->reason;
	}
}

bool view_records_ours(struct horde *h, const char *ref, const struct view *v)
{
	struct assign_record ran;

	if (!v->assign && v->status) {
		ran = (struct assign_record){
			.node = v->status->node, .incarnation = v->status->incarnation};
		if (classify(h, &ran) == ASSIGNED_AWAY)
			return false;
		return origin_equal(ran.node, h->config.node_id) || member_first(h, ref);
	}
	switch (v->assigned) {
	case ASSIGNED_HERE:
	case ASSIGNED_FORMERLY:
		return true;
	case ASSIGNED_NOWHERE:
	case ASSIGNED_GONE:
		return member_first(h, ref);
	case ASSIGNED_AWAY:
	case ASSIGNED_COUNT:
		break;
	}
	return false;
}

/*
 * Losing assigns are resolved by the loser itself, when it lost to another node; all that is left
 * of dead losers and of our own former lives, by the winner or the rendezvous-first.
 */
bool view_assign_resolvable(struct horde *h, const char *ref, const struct view *v)
{
	bool others = false; /* a loser that will resolve it itself */

	if (!v->assign_entry || !v->assign_entry->sibling)
		return false;
	for (const struct entry *s = v->assign_entry->sibling; s; s = s->sibling) {
		const struct assign_record *a = s->record ? &s->record->assign : NULL;
		bool ours = a && origin_equal(a->node, h->config.node_id);

		if (ours && v->assigned != ASSIGNED_HERE)
			return true;
		others = others || (a && !ours && classify(h, a) != ASSIGNED_GONE);
	}
	return !others && (v->assigned == ASSIGNED_HERE || member_first(h, ref));
}

static bool resolvable(struct horde *h, const char *ref, const struct view *v)
{
	if (v->assigned == ASSIGNED_HERE && v->status_entry && v->status_entry->sibling)
		return true;
	return view_assign_resolvable(h, ref, v);
}

/* An assign of another node that lost and is there: it says so itself once its process is gone. */
static bool is_lost(struct horde *h, const struct entry *sibling)
{
	const struct assign_record *a = sibling->record ? &sibling->record->assign : NULL;

	return a && !origin_equal(a->node, h->config.node_id) && classify(h, a) == ASSIGNED_AWAY;
}

static bool contested(struct horde *h, struct child *c, const struct view *v)
{
	const struct entry *s = v->assign_entry ? v->assign_entry->sibling : NULL;
	int64_t until_ms;

	while (s && !is_lost(h, s))
		s = s->sibling;
	if (!s || c->process != PROCESS_NONE)
		c->contested_ms = 0;
	else if (c->contested_ms == 0)
		c->contested_ms = h->now_ms;
	if (c->contested_ms == 0)
		return false;
	until_ms = c->contested_ms + CONTEST_MS;
	if (h->now_ms < until_ms && until_ms < h->review_ms)
		h->review_ms = until_ms;
	return h->now_ms < until_ms;
}

static struct situation situation_of(struct horde *h, struct child *c, const struct view *v)
{
	struct situation s = {
		.node_stopping = h->stopping,
		.synced = h->synced,
		.spec = v->spec_entry != NULL,
		.spec_invalid = v->spec_entry && !v->spec,
		.wanted = v->spec_entry && (!v->spec || v->spec->desired_running),
		.temporary = v->spec && v->spec->restart.type == RESTART_TEMPORARY,
		.assigned = v->assigned,
		.assign_stored = v->assign && v->assign->batch <= h->stored,
		.records = v->assign_entry || v->status_entry || get(h, "state", c->ref),
		.finished = view_finished(c, v),
		.planned_here =
			c->planned && supervisor_room_here(h, c->ref) && ports_room_here(h, c->ref),
		.process = c->process,
		.process_current = view_process_current(c, v),
		.process_epoch = v->assign && c->epoch == v->assign->epoch,
		.due = c->process == PROCESS_NONE &&
		       (c->state == CHILD_PENDING ||
			       (c->state == CHILD_BACKOFF && h->now_ms >= c->retry_ms)),
	};
	s.records_ours = s.records && !s.spec && view_records_ours(h, c->ref, v);
	s.resolvable = resolvable(h, c->ref, v);
	s.contested = contested(h, c, v);
	s.expired = retain_over(h, c, v);
	s.turn = starts_turn(h, c, may_start(&s));
	s.status_right = view_status_right(h, c, v); /* by whether it waits */
	return s;
}

/* A child that ended keeps no name; whoever holds its records takes them away. */
static void end_names(
	struct horde *h, struct child *c, const struct view *v, const struct situation *s)
{
	bool ended = !s->spec || !s->wanted || s->finished;
	uint64_t epoch = v->assign ? v->assign->epoch : v->status ? v->status->epoch : UINT64_MAX;

	if (!registry_names(h, c->ref) || !ended || c->process != PROCESS_NONE || !h->synced)
		return;
	if (view_records_ours(h, c->ref, v))
		registry_end(h, OWNER_CHILD, c->ref, epoch);
}

/* Another owner has one of its names: it gives way, and is not started again. */
static void give_way(struct horde *h, struct child *c, const struct entry *e)
{
	struct entry_record owner = {.owner_id = "?"};

	entry_name(e, &owner);
	say(h, "entry.conflict_resolved", c->ref, "%.60s is owned by %.60s", key_rest(e->key),
		owner.owner_id);
	child_stop(h, c, CONFLICT_STOP_MAX_MS, STOP_NAME_CONFLICT);
	if (c->process == PROCESS_STOPPING)
		c->fault = REASON_NAME_CONFLICT;
}

/* What is ready has the names that its spec asks for. */
static void hold_names(struct horde *h, struct child *c, const struct view *v)
{
	const struct entry *taken;

	if (!v->spec || v->spec->claims.count == 0 || !v->spec->desired_running || h->stopping ||
		v->assigned != ASSIGNED_HERE || c->epoch != v->assign->epoch ||
		!view_process_current(c, v) || !probe_ready(c))
		return;
	if (registry_hold(h, c, &v->spec->claims, &taken) != ERR_OK)
		h->rescan = true;
	else if (taken)
		give_way(h, c, taken);
}

static void note_orphan(struct horde *h, struct child *c, const struct situation *s)
{
	bool orphan = is_orphan(s);

	if (orphan && !c->orphan) {
		c->orphan_since_ms = h->now_ms;
		h->plan_now = true;
	}
	c->orphan = orphan;
	c->planned = orphan && c->planned;
	h->orphans = h->orphans || orphan;
}

static void look_at(struct horde *h, struct child *c)
{
	struct view v = {0};
	struct situation s = {0};

	for (int i = 0; i < DECISIONS_MAX; i++) {
		enum decision d;

		look_up(h, c->ref, &v);
		refresh(h, c, &v);
		spare_temporary(h, c, &v);
		ports_follow(h, c, &v);
		hold_names(h, c, &v); /* before it is told that it is ready */
		starts_count(h, c);   /* by its checks as they are armed now */
		s = situation_of(h, c, &v);
		d = withdraw_decide(h, c, &s);
		if (v.spec && v.assigned == ASSIGNED_HERE &&
			supervisor_restore(h, c->ref) != ERR_OK)
			h->rescan = true;
		if (d == DECISION_NOTHING)
			break;
		if (carry_out(h, c, &v, d) != ERR_OK) {
			h->rescan = true;
			break;
		}
	}
	c->waiting = s.assigned == ASSIGNED_HERE && !s.assign_stored;
	c->assigned = v.assign && s.spec ? v.assign->node : (struct origin_id){0};
	c->occupies = supervisor_occupied(h, c->ref);
	note_orphan(h, c, &s);
	end_names(h, c, &v, &s);
	if (!s.spec && !s.records && c->process == PROCESS_NONE && !registry_names(h, c->ref) &&
		!c->dirty)
		child_bury(h, c);
}

void supervise_changes(struct horde *h)
{
	const struct changes *changes = &h->out->changes;

	tell_changes(h);
	for (; h->seen < changes->used; h->seen++) {
		const struct change *change = &changes->items[h->seen];
		const struct entry *e = change->entry;

		if (change->kind != CHANGE_PUT && change->kind != CHANGE_DROP)
			continue;
		switch (family_of(e->key, e->key_bytes)) {
		case FAMILY_MEMBER:
			h->members_stale = true;
			break;
		case FAMILY_SUPERVISOR:
		case FAMILY_HALT:
			supervisor_mark(h, key_rest(e->key));
			break;
		case FAMILY_SPEC:
		case FAMILY_ASSIGN:
		case FAMILY_STATUS:
		case FAMILY_STATE:
			child_mark(h, key_rest(e->key));
			break;
		case FAMILY_ENTRY:
			registries_named(h, change);
			locks_named(h, change);
			registry_lost(h, change);
			leases_named(h, change);
			child_of_name(h, e);
			if (change->kind == CHANGE_DROP)
				registry_wake_standbys(h);
			break;
		case FAMILY_LEASE:
			leases_changed(h, key_rest(e->key));
			break;
		case FAMILY_REGISTRY:
			registries_changed(h, key_rest(e->key));
			break;
		case FAMILY_REPLY:
			replies_changed(h, change);
			break;
		case FAMILY_OTHER:
		case FAMILY_META:
		case FAMILY_COUNT:
			break;
		}
	}
}

void supervise(struct horde *h)
{
	while (h->dirty) {
		struct child *c = h->dirty;

		h->dirty = c->next_dirty;
		c->dirty = false;
		look_at(h, c);
		supervise_changes(h);
	}
}

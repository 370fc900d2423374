/* What the API asks of children, the pass over all of them, and how a child is shown. */
#include "server/core/parts.h"

#include <string.h>

/* Marks every child of the map, after a mark was lost for lack of memory. */
static void rescan(struct horde *h)
{
	const struct entry *e = map_from(h->map, "", 0);
	const char *owner = "";

	h->rescan = false;
	for (; e; e = map_after(h->map, e->key, e->key_bytes)) {
		enum family f = family_of(e->key, e->key_bytes);

		if (f == FAMILY_SPEC || f == FAMILY_ASSIGN || f == FAMILY_STATUS)
			child_mark(h, key_rest(e->key));
	}
	while ((owner = map_owner_after(h->map, OWNER_CHILD, owner)))
		child_mark(h, owner);
	children_mark_all(h);
	leases_look(h);
}

/* Marks what time alone has changed: ended back-offs, stored assigns, patience that ran out. */
void supervise_tick(struct horde *h)
{
	if (h->rescan)
		rescan(h);
	if (h->now_ms >= h->review_ms) {
		h->review_ms = INT64_MAX;
		children_mark_all(h);
		leases_look(h);
	}
	retain_tick(h);
	withdraw_tick(h);
	if (h->now_ms < h->retry_ms)
		return;
	h->retry_ms = INT64_MAX;
	for (struct child *c = h->all; c; c = c->next) {
		if (c->process != PROCESS_NONE || c->state != CHILD_BACKOFF)
			continue;
		if (h->now_ms >= c->retry_ms)
			child_mark_it(h, c);
		else if (c->retry_ms < h->retry_ms)
			h->retry_ms = c->retry_ms;
	}
}

/* A new child, or one that is assigned nowhere, is placed at once; all else is left to the plan. */
static enum err place_new(struct horde *h, const char *ref, bool created)
{
	const struct entry *e = get(h, "assign", ref);
	const struct assign_record *a = e && e->record ? &e->record->assign : NULL;
	const struct member *m = a ? member_by_id(h, a->node) : NULL;
	const char *why = "placed";
	struct origin_id node;

	if (a && !created)
		return ERR_OK;
	if (m && member_eligible(h, m))
		node = m->node_id; /* its predecessor may still be stopping there */
	else if (!orphan_place(h, ref, &node, &why))
		return ERR_OK; /* nobody is eligible: it is pending */
	return supervise_assign(h, ref, node, why);
}

static bool names_are_new(const struct entry *present, const struct record *r)
{
	const struct record *old = present ? present->record : NULL;

	return r && r->spec.claims.count > 0 &&
	       (!old || claims_hash(&old->spec.claims) != claims_hash(&r->spec.claims));
}

enum err supervise_put(struct horde *h, const struct event *e)
{
	const char *ref = key_rest(e->put.key);
	bool wanted = !e->put.record || e->put.record->spec.desired_running;
	const struct entry *present = map_get(h->map, e->put.key, e->put.key_bytes);
	bool created = !present;
	enum applied how = spec_applied(present && present->record ? &present->record->spec : NULL,
		e->put.record ? &e->put.record->spec : NULL);
	enum err err = wanted ? supervisor_room(h, ref) : ERR_OK;

	if (err == ERR_OK && wanted && names_are_new(present, e->put.record))
		err = registry_free(h, ref, &e->put.record->spec.claims);
	if (err == ERR_OK)
		err = map_put(h->map, e->put.key, e->put.key_bytes, e->put.value,
			e->put.value_bytes, e->put.record, stamp(h), &h->out->changes);

	if (err != ERR_OK)
		return err;
	h->out->created = created;
	h->out->applied = how;
	/* What was put over can be read until the step ends. */
	if (present && present->record)
		registry_unlist(h, ref, &present->record->spec.claims,
			e->put.record ? &e->put.record->spec.claims : NULL);
	if (created)
		say(h, "child.created", key_rest(get(h, "spec", ref)->key),
			e->put.record && e->put.record->spec.from_file ? "by the file"
								       : "by the API");
	if (wanted && place_new(h, ref, created) != ERR_OK)
		h->rescan = true; /* the spec stands; it is an orphan until the next plan */
	return ERR_OK;
}

/* The child's assign when it is this node's to act on. */
static enum err must_be_here(struct horde *h, const char *ref, const struct assign_record **ret)
{
	const struct entry *spec = get(h, "spec", ref);
	const struct entry *e = get(h, "assign", ref);
	const struct assign_record *a = e && e->record ? &e->record->assign : NULL;

	if (!spec)
		return ERR_NOT_FOUND;
	if (!a || !spec->record)
		return ERR_WRONG_STATE;
	if (!origin_equal(a->node, h->config.node_id))
		return ERR_ELSEWHERE;
	if (!h->synced)
		return ERR_NOT_READY;
	*ret = a;
	return ERR_OK;
}

static bool is_wanted(const struct horde *h, const char *ref)
{
	const struct spec_record *defaults, *own = &get(h, "spec", ref)->record->spec;

	return supervisor_spec(h, ref, own, &defaults).desired_running;
}

enum err supervise_restart(struct horde *h, const char *ref)
{
	const struct assign_record *a;
	struct child *c = child_find(h, ref);
	enum err err = must_be_here(h, ref, &a);

	if (err != ERR_OK)
		return err;
	if (!c || !is_wanted(h, ref))
		return ERR_WRONG_STATE;
	if (classify(h, a) == ASSIGNED_FORMERLY) {
		err = supervise_assign(h, ref, h->config.node_id, "restart");
		if (err != ERR_OK)
			return err;
	}
	if (c->process == PROCESS_STARTING || c->process == PROCESS_RUNNING) {
		child_withdraw(h, c, STOP_RESTART);
		if (c->process != PROCESS_STOPPING && !c->withdrawn)
			return ERR_NO_MEMORY;
	}
	budget_reset(&c->budget);
	c->fault = REASON_NONE;
	c->state = CHILD_PENDING;
	c->reason = REASON_NONE;
	child_mark_it(h, c);
	return ERR_OK;
}

enum err supervise_signal(struct horde *h, const struct event *e)
{
	const struct assign_record *a;
	struct child *c = child_find(h, e->signal.ref);
	enum err err = must_be_here(h, e->signal.ref, &a);
	struct action *action;

	if (err != ERR_OK)
		return err;
	if (!c || c->process != PROCESS_RUNNING)
		return ERR_WRONG_STATE;
	action = act(h, ACTION_SIGNAL);
	if (!action)
		return ERR_NO_MEMORY;
	action->ref = c->ref;
	action->epoch = c->process_epoch;
	action->signal = e->signal.number;
	action->group = e->signal.group;
	return ERR_OK;
}

/* ---- how a child is shown ---- */

static bool any_eligible(const struct horde *h)
{
	for (size_t i = 0; i < h->member_count; i++)
		if (member_eligible(h, &h->members[i]))
			return true;
	return false;
}

static void show_wanted(const struct horde *h, struct child_view *v, const struct status_record *s,
	const struct assign_record *a)
{
	if (s && (!a || s->epoch >= a->epoch)) {
		v->state = s->state;
		v->reason = s->reason;
		/* `stopped` is of an earlier wish; it is wanted again */
		if (s->state == CHILD_STOPPED && s->reason != REASON_NAME_CONFLICT)
			v->state = CHILD_PENDING;
		return;
	}
	v->state = CHILD_PENDING;
	v->reason = a || any_eligible(h) ? REASON_NONE : REASON_NO_ELIGIBLE_MEMBER;
}

static void show_unwanted(
	struct child_view *v, const struct status_record *s, const struct assign_record *a)
{
	bool dead = v->node && v->node->opinion == OPINION_DEAD; /* and its process with it */
	bool going = !dead && s && a && s->epoch >= a->epoch && s->state != CHILD_STOPPED &&
		     s->state != CHILD_EXITED && s->state != CHILD_FAILED;

	v->state = going ? CHILD_STOPPING : CHILD_STOPPED;
	v->reason = REASON_TERMINATED;
}

static bool ended(enum child_state s)
{
	return s == CHILD_EXITED || s == CHILD_FAILED || s == CHILD_STOPPED;
}

void horde_child(const struct horde *h, const char *ref, struct child_view *ret_view)
{
	struct child_view v = {
		.spec = get(h, "spec", ref),
		.assign = get(h, "assign", ref),
		.status = get(h, "status", ref),
		.state = CHILD_PENDING,
	};
	const struct assign_record *a =
		v.assign && v.assign->record ? &v.assign->record->assign : NULL;
	const struct status_record *s =
		v.status && v.status->record ? &v.status->record->status : NULL;
	const struct spec_record *own = v.spec && v.spec->record ? &v.spec->record->spec : NULL;

	v.wanted = v.spec && (!own || is_wanted(h, ref));

	v.node = a ? horde_member_by_id(h, a->node) : NULL;
	if (!v.spec)
		v.state = a || s ? CHILD_STOPPING : CHILD_STOPPED;
	else if (!v.wanted)
		show_unwanted(&v, s, a);
	else
		show_wanted(h, &v, s, a);
	v.current = s && a && s->epoch >= a->epoch && own && s->spec_hash == own->hash &&
		    v.state == s->state && v.state != CHILD_PENDING;
	if (own && !v.wanted && v.state == CHILD_STOPPED)
		v.current = true;
	if (a && !ended(v.state) && !(v.node && member_reachable(v.node)))
		v.state = CHILD_LOST;
	*ret_view = v;
}

bool horde_child_process(const struct horde *h, const char *ref)
{
	const struct child *c = child_find(h, ref);

	return c && c->process != PROCESS_NONE;
}

bool horde_child_moves(const struct horde *h, const char *ref)
{
	const struct child *c = child_find(h, ref);

	return c && c->moving;
}

bool horde_owner_ready(const struct horde *h, const struct entry_record *r)
{
	const struct entry *e;
	const struct status_record *s;

	if (r->owner_kind != OWNER_CHILD)
		return true;
	e = get(h, "status", r->owner_id);
	s = e && e->record ? &e->record->status : NULL;
	return s && s->state == CHILD_RUNNING && s->ready &&
	       (s->epoch == r->epoch || s->process_epoch == r->epoch);
}

bool horde_entry_ready(const struct horde *h, const struct entry *e)
{
	struct entry_record r;

	return entry_name(e, &r) && horde_owner_ready(h, &r) && !horde_entry_stale(h, e);
}

/* Where the owner is now, as far as is known. */
static struct origin_id node_of(const struct horde *h, const struct entry_record *name)
{
	const struct lease_record *lease =
		name->owner_kind == OWNER_LEASE ? lease_of(h, name->owner_id) : NULL;

	return lease ? lease->node : name->node;
}

bool horde_entry_stale(const struct horde *h, const struct entry *e)
{
	const struct entry *assign;
	const struct member *m;
	struct entry_record name;

	if (!entry_name(e, &name) || name.owner_kind == OWNER_STATIC)
		return false;
	m = horde_member_by_id(h, node_of(h, &name));
	if (!m || !member_reachable(m))
		return true;
	assign = name.owner_kind == OWNER_CHILD ? get(h, "assign", name.owner_id) : NULL;
	return assign && assign->record && !origin_equal(assign->record->assign.node, name.node);
}

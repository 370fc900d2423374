/* What reconcile decided for one child, done: records into the map, actions for the shell. */
#include "server/core/view.h"

/* max(greatest known + 1, clock): it never falls back, not even after a delete and a new put. */
static uint64_t next_epoch(struct horde *h, const char *ref)
{
	uint64_t epoch = (uint64_t)clock_ms(stamp(h));

	for (const struct entry *e = get(h, "assign", ref); e; e = e->sibling)
		if (e->record && e->record->assign.epoch >= epoch)
			epoch = e->record->assign.epoch + 1;
	for (const struct entry *e = get(h, "status", ref); e; e = e->sibling)
		if (e->record && e->record->status.epoch >= epoch)
			epoch = e->record->status.epoch + 1;
	return epoch;
}

enum err supervise_assign(struct horde *h, const char *ref, struct origin_id node, const char *why)
{
	struct avoid avoid[AVOID_MAX];

	return assign_avoiding(h, ref, node, why, avoid, avoided(h, ref, avoid));
}

enum err assign_avoiding(struct horde *h, const char *ref, struct origin_id node, const char *why,
	struct avoid *avoid, uint32_t avoid_count)
{
	const struct member *m = member_by_id(h, node);
	struct record r = {.family = FAMILY_ASSIGN};

	r.assign = (struct assign_record){
		.node = node,
		.incarnation = !m || m->self ? h->config.incarnation : m->incarnation,
		.epoch = next_epoch(h, ref),
		.reason = why,
		.at_ms = h->wall_ms,
		.avoid = avoid,
		.avoid_count = avoid_count,
	};
	return write_record(h, "assign", ref, &r);
}

/* The last of its trail is this state: each process of its own. */
static bool is_told(const struct horde *h, const struct child *c, const struct status_record *s)
{
	const struct transition *last = trail_last(&c->trail);

	return last && last->state == s->state && last->reason == s->reason &&
	       last->epoch == s->epoch && origin_equal(last->node, h->config.node_id) &&
	       (s->state != CHILD_RUNNING || last->at_ms >= s->started_at_ms);
}

static enum err write_status(struct horde *h, struct child *c, const struct view *v)
{
	struct record r = {.family = FAMILY_STATUS};

	if (!view_status(h, c, v, &r.status))
		return ERR_OK;
	if (c->ended_untold || !is_told(h, c, &r.status))
		child_note(h, c, r.status.state, r.status.reason);
	r.status.trail = c->trail;
	return write_record(h, "status", c->ref, &r);
}

enum err child_tell_end(struct horde *h, struct child *c)
{
	struct record r = {.family = FAMILY_STATUS};

	if (c->ended_untold)
		child_note(h, c, c->state, c->reason);
	r.status = view_life(h, c);
	r.status.trail = c->trail;
	return write_record(h, "status", c->ref, &r);
}

/* Its node died; it is written down as ended, and never started twice. */
static enum err finish_dead(struct horde *h, struct child *c, const struct view *v)
{
	struct record r = {.family = FAMILY_STATUS};
	enum err err = supervise_assign(h, c->ref, h->config.node_id, "node_dead");
	const struct entry *assign = get(h, "assign", c->ref);

	if (err != ERR_OK)
		return err;
	child_keep_tail(c, v->status ? v->status->exit_tail : NULL);
	r.status = (struct status_record){
		.state = CHILD_EXITED,
		.reason = REASON_NODE_DEAD,
		.node = h->config.node_id,
		.incarnation = h->config.incarnation,
		.epoch = assign->record->assign.epoch,
		.spec_hash = v->spec->hash,
		.restarts = v->status ? v->status->restarts : 0,
		.last_exit = v->status ? v->status->last_exit : (struct exit_record){0},
		.exit_tail = c->exit_tail,
	};
	child_follow_trail(h, c, v->status);
	c->epoch = r.status.epoch;
	c->spec_hash = r.status.spec_hash;
	c->state = CHILD_EXITED;
	c->reason = REASON_NODE_DEAD;
	c->restarts = r.status.restarts;
	c->last_exit = r.status.last_exit;
	child_note(h, c, c->state, c->reason);
	r.status.trail = c->trail;
	return write_record(h, "status", c->ref, &r);
}

static enum err clear(struct horde *h, struct child *c, const struct view *v)
{
	uint64_t epoch = v->assign ? v->assign->epoch : v->status ? v->status->epoch : UINT64_MAX;
	enum err err = remove_key(h, "status", c->ref);

	if (err == ERR_OK)
		err = remove_key(h, "assign", c->ref);
	if (err == ERR_OK)
		err = remove_key(h, "state", c->ref); /* put while its child was deleted */
	if (err != ERR_OK)
		return err;
	registry_end(h, OWNER_CHILD, c->ref, epoch);
	say(h, "child.deleted", c->ref, "records cleared");
	return ERR_OK;
}

/* Like a delete of the API; what was put at the same moment elsewhere stands. */
static enum err expire(struct horde *h, const struct child *c)
{
	enum err err = spec_remove(h, c->ref);

	if (err == ERR_OK)
		say(h, "child.expired", c->ref, "finished, and kept long enough");
	return err;
}

static enum err resolve(struct horde *h, const struct child *c, const struct view *v)
{
	enum err err = ERR_OK;

	if (v->assigned == ASSIGNED_HERE)
		err = resolve_key(h, "status", c->ref);
	if (err == ERR_OK && view_assign_resolvable(h, c->ref, v))
		err = resolve_key(h, "assign", c->ref);
	return err;
}

static enum err take(struct horde *h, struct child *c, const char *why)
{
	enum err err = supervise_assign(h, c->ref, h->config.node_id, why);

	if (err == ERR_OK) {
		c->planned = false;
		say(h, "child.assigned", c->ref, "%s", why);
	}
	return err;
}

static enum stop_reason why_terminated(const struct horde *h, const struct view *v)
{
	if (h->stopping)
		return h->stop.stop.reason == GOODBYE_LEAVE ? STOP_NODE_LEAVE : STOP_NODE_RESTART;
	return v->spec_entry ? STOP_STOPPED : STOP_DELETED;
}

enum err carry_out(struct horde *h, struct child *c, const struct view *v, enum decision d)
{
	switch (d) {
	case DECISION_START:
		child_start(h, c, v);
		return ERR_OK;
	case DECISION_STOP_TERMINATED:
		child_withdraw(h, c, why_terminated(h, v));
		return ERR_OK;
	case DECISION_STOP_REPLACED:
		child_withdraw(h, c, STOP_REPLACED);
		return ERR_OK;
	case DECISION_STOP_WITHDRAWN:
		child_stop(h, c, INT64_MAX, c->withdraw_why);
		return ERR_OK;
	case DECISION_STOP_CONFLICT:
		child_stop(h, c, CONFLICT_STOP_MAX_MS, STOP_CONFLICT);
		return ERR_OK;
	case DECISION_CLEAR:
		return clear(h, c, v);
	case DECISION_EXPIRE:
		return expire(h, c);
	case DECISION_ADOPT:
		return take(h, c, "adopted");
	case DECISION_TAKE:
		return take(h, c, "takeover");
	case DECISION_FINISH_DEAD:
		return finish_dead(h, c, v);
	case DECISION_RELABEL:
		c->epoch = v->assign->epoch;
		return ERR_OK;
	case DECISION_WRITE_STATUS:
		return write_status(h, c, v);
	case DECISION_RESOLVE:
		return resolve(h, c, v);
	case DECISION_NOTHING:
	case DECISION_COUNT:
		break;
	}
	return ERR_OK;
}

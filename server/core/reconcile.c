#include "server/core/reconcile.h"

static bool process_up(const struct situation *s)
{
	return s->process == PROCESS_STARTING || s->process == PROCESS_RUNNING;
}

/* A deletion is decided at the moment it is written: spec absent now, not when the stop began. */
static enum decision deleted(const struct situation *s)
{
	if (process_up(s))
		return DECISION_STOP_TERMINATED;
	if (s->process == PROCESS_NONE && s->records && s->records_ours)
		return DECISION_CLEAR;
	return DECISION_NOTHING;
}

/* Only the node that the winning assign names writes status, whenever the visible one is not true.
 */
static enum decision tell(const struct situation *s)
{
	if (s->assigned == ASSIGNED_HERE && !s->status_right)
		return DECISION_WRITE_STATUS;
	return s->resolvable ? DECISION_RESOLVE : DECISION_NOTHING;
}

static enum decision unwanted(const struct situation *s)
{
	if (process_up(s))
		return DECISION_STOP_TERMINATED;
	if (s->process == PROCESS_STOPPING)
		return DECISION_NOTHING;
	if (s->assigned == ASSIGNED_FORMERLY)
		return DECISION_ADOPT;
	return tell(s);
}

static enum decision here(const struct situation *s)
{
	if (s->process == PROCESS_STOPPING || s->process == PROCESS_STARTING)
		return DECISION_NOTHING;
	if (s->process == PROCESS_RUNNING) {
		if (!s->process_current)
			return DECISION_STOP_REPLACED;
		return s->process_epoch ? tell(s) : DECISION_RELABEL;
	}
	return s->turn && may_start(s) ? DECISION_START : tell(s);
}

/* The process of a child that another node has, or nobody, is never kept: siblings or not. */
static enum decision elsewhere(const struct situation *s)
{
	if (process_up(s))
		return DECISION_STOP_CONFLICT;
	if (s->process == PROCESS_STOPPING)
		return DECISION_NOTHING;
	if (is_orphan(s) && s->planned_here)
		return s->temporary && s->assigned != ASSIGNED_NOWHERE ? DECISION_FINISH_DEAD
								       : DECISION_TAKE;
	return tell(s);
}

static enum decision formerly(const struct situation *s)
{
	if (process_up(s))
		return DECISION_STOP_CONFLICT;
	if (s->process == PROCESS_STOPPING)
		return DECISION_NOTHING;
	if (s->finished || s->contested)
		return tell(s);
	return s->temporary ? DECISION_FINISH_DEAD : DECISION_ADOPT;
}

enum decision reconcile(const struct situation *s)
{
	if (s->node_stopping)
		return process_up(s) ? DECISION_STOP_TERMINATED : DECISION_NOTHING;
	if (!s->synced)
		return DECISION_NOTHING;
	if (!s->spec)
		return deleted(s);
	if (!s->wanted)
		return unwanted(s);
	if (s->expired && s->finished && s->process == PROCESS_NONE)
		return DECISION_EXPIRE;
	switch (s->assigned) {
	case ASSIGNED_HERE:
		return here(s);
	case ASSIGNED_FORMERLY:
		return formerly(s);
	case ASSIGNED_NOWHERE:
	case ASSIGNED_AWAY:
	case ASSIGNED_GONE:
	case ASSIGNED_COUNT:
		break;
	}
	return elsewhere(s);
}

static bool is_asked_for(const struct situation *s)
{
	return !s->node_stopping && s->synced && s->spec && !s->spec_invalid && s->wanted;
}

bool may_start(const struct situation *s)
{
	return is_asked_for(s) && s->assigned == ASSIGNED_HERE && s->assign_stored &&
	       s->process == PROCESS_NONE && s->due && !s->finished && !s->contested;
}

bool is_orphan(const struct situation *s)
{
	return s->spec && s->wanted && !s->finished &&
	       (s->assigned == ASSIGNED_NOWHERE || s->assigned == ASSIGNED_GONE);
}

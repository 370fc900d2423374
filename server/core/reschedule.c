/*
 * A child that is over its budget on one node goes to another, and not back for a while: what ails
 * it may be of that node alone (on_max_restarts: reschedule). So does one that is sent away: it is
 * stopped here first, and assigned to the other when its process is gone.
 *
 * Where it must not go stands in its assign, and is passed on from one assign to the next.
 */
#include "server/core/parts.h"

#include <string.h>

static bool is_avoided(const struct avoid *avoid, uint32_t count, struct origin_id node)
{
	for (uint32_t i = 0; i < count; i++)
		if (origin_equal(avoid[i].node, node))
			return true;
	return false;
}

uint32_t avoided(const struct horde *h, const char *ref, struct avoid ret[AVOID_MAX])
{
	const struct entry *e = get(h, "assign", ref);
	const struct assign_record *a = e && e->record ? &e->record->assign : NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; a && i < a->avoid_count && count < AVOID_MAX; i++)
		if (a->avoid[i].until_ms > h->wall_ms)
			ret[count++] = a->avoid[i];
	return count;
}

void avoided_bar(const struct horde *h, const char *ref, struct candidate *candidates, size_t count)
{
	struct avoid avoid[AVOID_MAX];
	uint32_t avoids = avoided(h, ref, avoid);
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		left += !candidates[i].barred && !is_avoided(avoid, avoids, candidates[i].node);
	if (left == 0)
		return; /* better there than nowhere */
	for (size_t i = 0; i < count; i++)
		if (is_avoided(avoid, avoids, candidates[i].node))
			candidates[i].barred = true;
}

bool reschedule(struct horde *h, struct child *c, const char *why)
{
	struct candidate candidates[MEMBERS_MAX];
	size_t count = member_candidates(h, candidates);
	struct avoid avoid[AVOID_MAX];
	uint32_t avoids = avoided(h, c->ref, avoid);
	const struct entry *e = get(h, "assign", c->ref);
	struct placement p;

	if (!e || !e->record || classify(h, &e->record->assign) != ASSIGNED_HERE)
		return false; /* somebody else has it already */
	if (avoids == AVOID_MAX)
		avoids--; /* the last to have come is let go */
	avoid[avoids++] = (struct avoid){
		.node = h->config.node_id, .until_ms = h->wall_ms + RESCHEDULE_AVOID_MS};
	supervisor_bar(h, c->ref, candidates, count);
	ports_bar(h, c->ref, candidates, count);
	for (size_t i = 0; i < count; i++)
		if (is_avoided(avoid, avoids, candidates[i].node))
			candidates[i].barred = true;
	if (!place(candidates, count, UINT32_MAX, c->ref, strlen(c->ref), &p) ||
		child_tell_end(h, c) != ERR_OK ||
		assign_avoiding(h, c->ref, candidates[p.index].node, why, avoid, avoids) != ERR_OK)
		return false;
	say(h, "child.assigned", c->ref, "%s", why);
	budget_reset(&c->budget);
	return true;
}

/* It may be stopped here and started elsewhere. */
static bool is_movable(struct horde *h, const struct child *c)
{
	const struct entry *assign = get(h, "assign", c->ref), *e = get(h, "spec", c->ref);
	const struct spec_record *defaults;
	struct spec_record spec;

	if (!assign || !assign->record || !e || !e->record)
		return false;
	spec = supervisor_spec(h, c->ref, &e->record->spec, &defaults);
	return classify(h, &assign->record->assign) == ASSIGNED_HERE && spec.desired_running &&
	       spec.restart.type != RESTART_TEMPORARY && c->state != CHILD_EXITED &&
	       c->state != CHILD_FAILED;
}

void child_move(struct horde *h, struct child *c)
{
	if (!is_movable(h, c))
		return;
	if (c->process == PROCESS_NONE) {
		reschedule(h, c, "moved");
		return;
	}
	if (c->process != PROCESS_STOPPING)
		child_withdraw(h, c, STOP_MOVE);
	c->moving = c->process == PROCESS_STOPPING || c->withdrawn;
}

/*
 * A child that is over its budget on one node goes to another, and not back for a while: what ails
 * it may be of that node alone (on_max_restarts: reschedule).
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

bool reschedule(struct horde *h, struct child *c)
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
	for (size_t i = 0; i < count; i++)
		if (is_avoided(avoid, avoids, candidates[i].node))
			candidates[i].barred = true;
	if (!place(candidates, count, UINT32_MAX, c->ref, strlen(c->ref), &p) ||
		child_tell_end(h, c) != ERR_OK ||
		assign_avoiding(h, c->ref, candidates[p.index].node, "rescheduled", avoid,
			avoids) != ERR_OK)
		return false;
	say(h, "child.assigned", c->ref, "rescheduled");
	budget_reset(&c->budget);
	return true;
}

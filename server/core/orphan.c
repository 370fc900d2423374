/*
 * Who takes what: each node computes the same plan over the orphans from the same map and opinions,
 * and carries out its own share (replication.md part 6, "Orphans"). Different views cost at most a
 * duplicate, which the winner rule ends.
 */
#include "server/core/parts.h"

#include <stdlib.h>
#include <string.h>

/* AWAY until `until_ms`, then GONE: all children are looked at again at that time. */
static enum assigned patient(struct horde *h, int64_t until_ms)
{
	if (h->now_ms >= until_ms)
		return ASSIGNED_GONE;
	if (until_ms < h->review_ms)
		h->review_ms = until_ms;
	return ASSIGNED_AWAY;
}

/* A member that left: for good, unless a new life of it is here, or may be about to be. */
static enum assigned classify_left(struct horde *h, const struct member *m)
{
	int64_t readopt_ms = h->config.restart_grace_ms + READOPT_MS;

	if (!member_left(m))
		return patient(h, m->present_ms + readopt_ms);
	if (!m->contacted)
		return patient(h, h->start_ms + h->config.startup_grace_ms);
	return ASSIGNED_GONE;
}

enum assigned classify(struct horde *h, const struct assign_record *a)
{
	const struct member *m;
	int64_t until_ms;

	if (!a)
		return ASSIGNED_NOWHERE;
	if (origin_equal(a->node, h->config.node_id))
		return origin_equal(a->incarnation, h->config.incarnation) ? ASSIGNED_HERE
									   : ASSIGNED_FORMERLY;
	m = member_by_id(h, a->node);
	if (!m || !m->recorded || m->opinion == OPINION_DEAD)
		return ASSIGNED_GONE;
	if (m->record->state == MEMBER_LEFT)
		return classify_left(h, m);
	if (origin_equal(a->incarnation, m->incarnation))
		return ASSIGNED_AWAY;
	until_ms = m->incarnation_ms + h->config.restart_grace_ms + READOPT_MS;
	if (!m->contacted && until_ms < h->start_ms + h->config.startup_grace_ms)
		until_ms = h->start_ms + h->config.startup_grace_ms; /* not judged so soon */
	return patient(h, until_ms);
}

static uint32_t total_load(const struct horde *h)
{
	uint32_t total = 0;

	for (const struct child *c = h->all; c; c = c->next)
		total += !origin_is_zero(c->assigned) || c->orphan;
	return total;
}

bool orphan_place(
	struct horde *h, const char *ref, struct origin_id *ret_node, const char **ret_why)
{
	struct candidate candidates[MEMBERS_MAX];
	size_t count = member_candidates(h, candidates);
	uint32_t cap = placement_cap(total_load(h) + 1, count);
	struct placement p;

	supervisor_bar(h, ref, candidates, count);
	ports_bar(h, ref, candidates, count);
	avoided_bar(h, ref, candidates, count);
	if (!place(candidates, count, cap, ref, strlen(ref), &p))
		return false;
	*ret_node = candidates[p.index].node;
	*ret_why = p.over_capacity ? "over_capacity" : "placed";
	return true;
}

static int by_hash(const void *a, const void *b)
{
	const struct child *x = *(struct child *const *)a, *y = *(struct child *const *)b;

	if (x->node.priority != y->node.priority)
		return x->node.priority < y->node.priority ? -1 : 1;
	return strcmp(x->ref, y->ref);
}

/* The k-th node in rendezvous order takes what is still an orphan after k steps of the ladder. */
static bool ladder(const struct horde *h, const struct candidate *candidates, size_t count,
	const struct child *c)
{
	size_t rank = rendezvous_rank(candidates, count, c->ref, strlen(c->ref), h->config.node_id);

	return h->now_ms - c->orphan_since_ms > LADDER_STEP_MS * ((int64_t)rank + 1);
}

static bool is_barred(const struct horde *h, const struct candidate *candidates, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (origin_equal(candidates[i].node, h->config.node_id))
			return candidates[i].barred;
	return true;
}

static void plan_one(
	struct horde *h, struct candidate *candidates, size_t count, uint32_t cap, struct child *c)
{
	struct placement p;

	supervisor_bar(h, c->ref, candidates, count);
	ports_bar(h, c->ref, candidates, count);
	avoided_bar(h, c->ref, candidates, count);
	c->planned = false;
	if (!place(candidates, count, cap, c->ref, strlen(c->ref), &p)) {
		c->orphan_since_ms = h->now_ms; /* nobody could: nobody is late either */
		return;
	}
	if (is_barred(h, candidates, count))
		return;
	c->planned = origin_equal(candidates[p.index].node, h->config.node_id) ||
		     ladder(h, candidates, count, c);
	if (c->planned)
		child_mark_it(h, c);
}

void orphans_plan(struct horde *h)
{
	struct candidate candidates[MEMBERS_MAX];
	size_t count = member_candidates(h, candidates), orphans = 0;
	const struct member *self = member_by_id(h, h->config.node_id);
	uint32_t cap = placement_cap(total_load(h), count);
	struct child **list;

	h->plan_now = false;
	h->plan_ms = h->now_ms + PLAN_EVERY_MS;
	for (struct child *c = h->all; c; c = c->next)
		orphans += c->orphan;
	h->orphans = orphans > 0;
	if (orphans == 0 || !self || !member_eligible(h, self))
		return;
	list = malloc(orphans * sizeof(struct child *));
	if (!list)
		return; /* the next plan is a second away */
	orphans = 0;
	for (struct child *c = h->all; c; c = c->next)
		if (c->orphan)
			list[orphans++] = c;
	qsort(list, orphans, sizeof(struct child *), by_hash);
	for (size_t i = 0; i < orphans; i++)
		plan_one(h, candidates, count, cap, list[i]);
	free(list);
}

/* Who wins among the concurrent entries of one key (replication.md 1.4). */
#include "server/core/replica.h"

#include <string.h>

static int compare_u64(uint64_t a, uint64_t b)
{
	return a == b ? 0 : (a < b ? -1 : 1);
}

/* The last word, in all families: the hybrid clock, then the dot. */
static int compare_age(const struct entry *a, const struct entry *b)
{
	int order = compare_u64(a->clock, b->clock);

	return order != 0 ? order : dot_compare(entry_dot(a), entry_dot(b));
}

static int compare_members(const struct member_record *a, const struct member_record *b)
{
	int order = compare_u64(a->started, b->started);

	return order != 0 ? order : origin_compare(a->incarnation, b->incarnation);
}

/*
 * What was asked for with a majority beats what was not. Where the first owner wins it is the one
 * that had the key first; a name of before the registry said so comes after those.
 */
static int compare_names(const struct entry *a, const struct entry *b)
{
	struct entry_record x, y;
	int order = b->outranked - a->outranked;

	if (order != 0 || !entry_name(a, &x) || !entry_name(b, &y))
		return order;
	if (x.voted != y.voted)
		return x.voted - y.voted;
	if (x.first != y.first)
		return x.first - y.first;
	return x.first ? compare_u64(y.created, x.created) : 0;
}

/* Between two decoded values of one family, before their age is looked at. */
static int compare_records(const struct entry *a, const struct entry *b)
{
	const struct record *x = a->record, *y = b->record;
	bool left = entry_decoded(a), right = entry_decoded(b);

	if (!left || !right)
		return left - right;
	switch (entry_node(a)->family) {
	case FAMILY_MEMBER:
		return compare_members(&x->member, &y->member);
	case FAMILY_ASSIGN:
		return compare_u64(x->assign.epoch, y->assign.epoch);
	case FAMILY_STATUS:
		return compare_u64(x->status.epoch, y->status.epoch);
	case FAMILY_ENTRY:
		return compare_names(a, b);
	case FAMILY_SUPERVISOR:
		return compare_u64(
			x->supervisor.created_at_ms != 0, y->supervisor.created_at_ms != 0);
	case FAMILY_STATE:
		return compare_u64(x->state.epoch, y->state.epoch);
	case FAMILY_LEASE:
		return compare_u64(x->lease.epoch, y->lease.epoch);
	case FAMILY_SPEC:
	case FAMILY_REGISTRY:
	case FAMILY_META:
	case FAMILY_HALT:
	case FAMILY_REPLY:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return 0;
}

static bool before(const struct entry *a, const struct entry *b)
{
	int order = compare_records(a, b);

	return (order != 0 ? order : compare_age(a, b)) > 0;
}

static bool same_owner(const struct entry_record *a, const struct entry_record *b)
{
	return a->owner_kind == b->owner_kind && strcmp(a->owner_id, b->owner_id) == 0;
}

/*
 * Of each owner only the greatest epoch competes. This looks at the whole set, since "same owner:
 * epoch, else: clock" between pairs alone is not transitive and would depend on the order of
 * arrival.
 */
static bool outranks(const struct entry_record *a, const struct entry_record *b)
{
	return a->epoch > b->epoch && same_owner(a, b);
}

static void mark_outranked(struct key_node *n)
{
	struct entry_record theirs, ours;

	for (struct entry *l = n->winner; l; l = l->sibling) {
		l->outranked = false;
		if (!entry_name(l, &ours))
			continue;
		for (struct entry *o = n->winner; o && !l->outranked; o = o->sibling)
			l->outranked = entry_name(o, &theirs) && outranks(&theirs, &ours);
	}
}

void siblings_rank(struct key_node *n)
{
	struct entry *rest = n->winner, *next;

	if (n->family == FAMILY_ENTRY && rest && rest->sibling)
		mark_outranked(n);
	n->winner = NULL;
	for (; rest; rest = next) {
		struct entry **at = &n->winner;

		next = rest->sibling;
		while (*at && before(*at, rest))
			at = &(*at)->sibling;
		rest->sibling = *at;
		*at = rest;
	}
}

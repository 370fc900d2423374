/*
 * The oracle of retention: a node removes a spec by itself only when its child has exited, runs no
 * more here, and was kept as long as it says; and what was kept long enough does not stay.
 */
#include "tests/sim/sim.h"

#include <string.h>

#define LATE_MS 10000 /* so long after its time a record may stay: its owner may have died */

/* Removals that somebody has asked for are none of a node's own. */
static bool is_asked_for(const struct event *e)
{
	return e->kind == EVENT_REMOVE_SPEC || e->kind == EVENT_REMOVE_SUPERVISOR ||
	       e->kind == EVENT_PUT_SPEC;
}

static int64_t ended_ms(const struct status_record *s)
{
	const struct transition *last = trail_last(&s->trail);

	return last ? last->at_ms : s->last_exit.at_ms;
}

static bool allows(const struct world *w, const struct node *n, const struct spec_record *spec,
	const struct status_record *s)
{
	return spec->desired_running && spec->retain_ms > 0 && s->state == CHILD_EXITED &&
	       s->spec_hash == spec->hash && ended_ms(s) + spec->retain_ms <= wall_of(w, n);
}

static bool is_drop(const struct change *c, enum family family, const char *ref)
{
	return c->kind == CHANGE_DROP && c->entry && c->entry->record &&
	       family_of(c->entry->key, c->entry->key_bytes) == family &&
	       strcmp(key_rest(c->entry->key), ref) == 0;
}

/* Its records go in the same step as its spec; of siblings it is enough that one allows it. */
static bool justified(const struct world *w, const struct node *n, const char *ref)
{
	const struct changes *all = &n->actions.changes;

	for (size_t i = 0; i < all->used; i++) {
		if (!is_drop(&all->items[i], FAMILY_SPEC, ref))
			continue;
		for (size_t k = 0; k < all->used; k++)
			if (is_drop(&all->items[k], FAMILY_STATUS, ref) &&
				allows(w, n, &all->items[i].entry->record->spec,
					&all->items[k].entry->record->status))
				return true;
	}
	return false;
}

/* Who killed it in this step: an event of this node's own that puts nothing in its place? */
static bool removed_here(const struct node *n, const struct change *drop)
{
	const struct changes *all = &n->actions.changes;
	struct dot killer = {0};

	for (size_t i = 0; i < all->used; i++)
		if (all->items[i].kind == CHANGE_KILL &&
			dot_compare(all->items[i].victim, drop->dot) == 0)
			killer = all->items[i].dot;
	for (size_t i = 0; i < all->used; i++)
		if (all->items[i].kind == CHANGE_PUT && dot_compare(all->items[i].dot, killer) == 0)
			return false;
	return origin_equal(killer.origin, n->incarnation);
}

void retains_check(struct world *w, struct node *n, const struct event *e)
{
	for (size_t i = 0; !is_asked_for(e) && i < n->actions.changes.used; i++) {
		const struct change *c = &n->actions.changes.items[i];
		const char *ref = c->entry ? key_rest(c->entry->key) : "";

		if (!is_drop(c, FAMILY_SPEC, ref) || !removed_here(n, c))
			continue;
		w->expired++;
		if (proc_find(n, ref))
			fail(w, "%s removes %s, which runs there", n->name, ref);
		else if (!justified(w, n, ref))
			fail(w, "%s removes %s before its time", n->name, ref);
	}
}

void retains_end(struct world *w, struct node *judge, const char *ref)
{
	struct child_view v;
	int64_t due_ms;

	horde_child(judge->h, ref, &v);
	if (w->faults.on[FAULT_SKEW] || w->faults.on[FAULT_JUMP] || !v.spec || !v.spec->record ||
		!v.status || !v.status->record || v.state != CHILD_EXITED || !v.wanted)
		return;
	due_ms = ended_ms(&v.status->record->status) + v.spec->record->spec.retain_ms;
	if (v.spec->record->spec.retain_ms > 0 && wall_of(w, judge) > due_ms + LATE_MS)
		fail(w, "%s was to go %lld ms ago", ref, (long long)(wall_of(w, judge) - due_ms));
}

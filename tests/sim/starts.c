/*
 * The oracle of processes. A node decides by what it knows, and different views cost at most a
 * duplicate that the winner rule ends (design.md, "One life of a child"). So what is judged is what
 * it did against its knowledge; and, where nothing keeps the nodes apart, what it did not know in
 * time.
 */
#include "tests/sim/sim.h"

#include <string.h>

#define TOLD_MS 1000 /* by then a write is known to all, if nothing keeps them apart */

static const struct record *record_of(const struct entry *e)
{
	return e ? e->record : NULL;
}

static bool any_on(const struct world *w, const enum fault *faults, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (w->faults.on[faults[i]])
			return true;
	return false;
}

/* Nodes, clocks and disks may fail, but each message arrives, and nobody claims to be another. */
static bool all_is_told(const struct world *w)
{
	static const enum fault parting[] = {FAULT_LOSS, FAULT_CUT, FAULT_CLOG, FAULT_FREEZE,
		FAULT_OLD_STORE, FAULT_OTHER_STORE, FAULT_UNSYNCED, FAULT_TWIN, FAULT_RESUME,
		FAULT_FULL_DISK, FAULT_IO};

	return !any_on(w, parting, sizeof(parting) / sizeof(parting[0]));
}

/*
 * Two that claim to be one node are told apart by who knows the one and hears of the other. Where
 * messages are late or lost, or nodes begin anew, somebody may know one of them alone: a copy that
 * meets nobody else runs what its original runs, and its end is taken for the end of both. Only a
 * lock on a directory that they share could stop that.
 */
static bool indistinct(const struct world *w, const struct node *n, const struct node *other)
{
	static const enum fault hiding[] = {FAULT_LOSS, FAULT_CUT, FAULT_CLOG, FAULT_FREEZE,
		FAULT_CRASH, FAULT_BODY, FAULT_SLOW_DISK};
	struct origin_id doubled = w->twin ? w->twin->node_id : (struct origin_id){0};

	if (!any_on(w, hiding, sizeof(hiding) / sizeof(hiding[0])))
		return false;
	return origin_equal(doubled, n->node_id) || origin_equal(doubled, other->node_id);
}

/*
 * One write of a spec runs on two nodes at once only when neither knew of the other. Who takes the
 * place of an assign that it knows may do so only once the process of that is gone; what was
 * started since is another matter: the other did not know yet that it had lost.
 */
static void check_overlap(struct world *w, struct node *n, const char *ref, const struct proc *p)
{
	for (int i = 0; i < w->count; i++) {
		struct node *other = &w->nodes[i];
		struct proc *o = other != n && other->up ? proc_find(other, ref) : NULL;
		bool old;

		if (!o || dot_compare(o->spec, p->spec) != 0 || indistinct(w, n, other))
			continue;
		if (oracle_took(p->assign, o->assign) && oracle_minted_ms(p->assign) >= o->start_ms)
			fail(w, "%s has taken %s, which runs on %s", n->name, ref, other->name);
		old = w->now_ms - oracle_minted_ms(o->assign) > TOLD_MS;
		if (old && all_is_told(w))
			fail(w, "%s starts %s, which runs on %s", n->name, ref, other->name);
	}
}

static struct first *first_of(struct world *w, const char *ref)
{
	return &w->first[ref[strlen(ref) - 1] - '0'];
}

void starts_told(struct world *w, struct node *n, const struct proc *p)
{
	struct first *first = first_of(w, p->ref);
	struct dot last = {n->incarnation, vector_get(&n->before, n->incarnation)};

	if (p->temporary && first->known.seq == 0 && dot_compare(first->spec, p->spec) == 0)
		first->known = last;
}

void starts_refused(struct world *w, const struct proc *p)
{
	if (p->temporary)
		*first_of(w, p->ref) = p->before;
}

/*
 * One write of a temporary child is started once, if its node can know of the first time: that it
 * was assigned says nothing, since an assign outlives writes of the spec.
 */
static void check_temporary(struct world *w, struct node *n, const char *ref, struct proc *p)
{
	struct first *first = first_of(w, ref);
	bool again = dot_compare(first->spec, p->spec) == 0;

	if (again && first->known.seq && vector_has(map_vector(horde_map(n->h)), first->known))
		fail(w, "%s starts temporary %s a second time, and knows of the first", n->name,
			ref);
	else if (again && all_is_told(w))
		fail(w, "%s starts temporary %s a second time", n->name, ref);
	p->before = *first;
	*first = (struct first){.spec = p->spec};
}

/* A takeover is no stampede. What is told to stop while it starts has given its place away. */
static void check_parallel(struct world *w, struct node *n, const char *ref)
{
	uint32_t starting = 1;

	for (const struct proc *p = n->procs; p; p = p->next)
		starting += !p->started && !p->stopping;
	if (w->start_parallel && starting > w->start_parallel)
		fail(w, "%s starts %s, and %u are starting already", n->name, ref, starting - 1);
}

/* No number twice on a node, nor one that it may not give. */
static void check_ports(struct world *w, struct node *n, const struct action *a)
{
	for (uint32_t i = 0; i < a->ports->count; i++) {
		uint16_t number = a->ports->items[i].number;

		if (number != PORT && (number < PORT_FIRST || number > PORT_LAST))
			fail(w, "%s gives %s port %u", n->name, a->ref, number);
		for (const struct proc *p = n->procs; p; p = p->next)
			if (ports_with(&p->ports, number))
				fail(w, "%s gives %s port %u, which %s has", n->name, a->ref,
					number, p->ref);
	}
}

void starts_check(struct world *w, struct node *n, const struct action *a, struct proc *p)
{
	struct child_view view;
	const struct record *assign;

	check_parallel(w, n, a->ref);
	check_ports(w, n, a);
	horde_child(n->h, a->ref, &view);
	assign = record_of(view.assign);
	if (proc_find(n, a->ref))
		fail(w, "%s starts %s twice", n->name, a->ref);
	if (!record_of(view.spec) || !view.wanted)
		fail(w, "%s starts %s, which nobody wants", n->name, a->ref);
	if (!assign || !origin_equal(assign->assign.incarnation, n->incarnation) ||
		assign->assign.epoch != a->epoch)
		fail(w, "%s starts %s, which is not assigned to it", n->name, a->ref);
	else if (view.assign->record->assign.batch > n->stored)
		fail(w, "%s starts %s before its assign is on disk", n->name, a->ref);
	if (!view.spec || !view.assign)
		return;
	p->spec = entry_dot(view.spec);
	p->assign = entry_dot(view.assign);
	p->start_ms = w->now_ms;
	if (w->forked)
		return; /* a dot may name two writes */
	check_overlap(w, n, a->ref, p);
	p->temporary = spec_inherit(a->spec, a->defaults).restart.type == RESTART_TEMPORARY;
	if (w->resumed)
		return; /* a snapshot of a machine would hold the children as well; this one does
			   not */
	if (p->temporary && !w->faults.on[FAULT_RESTARTS])
		check_temporary(w, n, a->ref, p);
}

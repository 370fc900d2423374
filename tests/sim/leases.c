/*
 * Clients with leases, and what they are promised: no node ends a lease before a full time to live
 * has passed there since it was renewed, taken over or held again; one that is renewed is there;
 * and of one that ended no name is left. The last lease is renewed until the end, wherever it is
 * held; the others are as chance has it.
 */
#include "tests/sim/sim.h"

#include <string.h>

#define RENEW_EVERY_MS 300
#define SETTLED_MS 8000 /* after the healing: from then on what is renewed must be there */

static const char *id_of(unsigned i)
{
	static const char *const ids[LEASES] = {"lease-a", "lease-b", "lease-kept"};

	return ids[i];
}

static unsigned index_of(const char *id)
{
	unsigned i = 0;

	while (i < LEASES && strcmp(id_of(i), id) != 0)
		i++;
	return i;
}

static int64_t ttl_of(unsigned i)
{
	return 1000 + 500 * (int64_t)i;
}

static void note(struct world *w, const struct node *n, unsigned i)
{
	w->leased[n->index][i] = (struct leased){n->life, clock_of(w, n)};
}

static enum err ask(struct world *w, struct node *n, enum event_kind kind, unsigned i, bool take)
{
	static const unsigned char secret[LEASE_SECRET_BYTES] = {1};
	struct event e = {.kind = kind};
	enum err err;

	e.lease.id = id_of(i);
	e.lease.ttl_ms = ttl_of(i);
	e.lease.secret = secret;
	e.lease.take = take;
	err = node_step(w, n, &e);
	if (err == ERR_OK && kind != EVENT_REMOVE_LEASE)
		note(w, n, i);
	tracef(w, "client asks %d of %s at %s: %s", (int)kind, id_of(i), n->name, err_text(err));
	return err;
}

static const struct lease_record *record_of(const struct node *n, unsigned i)
{
	char key[64];
	int bytes = snprintf(key, sizeof(key), "lease/%s", id_of(i));
	const struct entry *e = map_get(horde_map(n->h), key, (size_t)bytes);

	return e && e->record ? &e->record->lease : NULL;
}

/* Who is asked sends it on to the holder; when that does not answer, he takes it over. */
static enum err renew(struct world *w, struct node *n, unsigned i)
{
	enum err err = ask(w, n, EVENT_RENEW_LEASE, i, false);
	const struct lease_record *r = record_of(n, i);

	if (err != ERR_ELSEWHERE)
		return err;
	for (int k = 0; k < w->count; k++) {
		struct node *to = &w->nodes[k];

		if (!origin_equal(to->node_id, r->node) || !to->up || to->frozen_ms > w->now_ms ||
			w->cut[n->index][k] || w->cut[k][n->index])
			continue;
		err = ask(w, to, EVENT_RENEW_LEASE, i, false);
		if (err == ERR_OK || err == ERR_NOT_FOUND)
			return err;
	}
	return ask(w, n, EVENT_RENEW_LEASE, i, true);
}

void leases_client(struct world *w, struct node *n)
{
	unsigned i = (unsigned)below(w, LEASES);
	uint64_t what = below(w, 100);

	if (what < 40)
		ask(w, n, EVENT_PUT_LEASE, i, false);
	else if (what < 90)
		renew(w, n, i);
	else
		ask(w, n, EVENT_REMOVE_LEASE, i, false);
}

const char *leases_owner(struct world *w)
{
	return id_of((unsigned)below(w, LEASES));
}

void leases_keep(struct world *w)
{
	struct node *n = any_up(w);
	const unsigned kept = LEASES - 1;
	enum err err;

	schedule(w, RENEW_EVERY_MS, AT_RENEW, 0);
	if (!n)
		return;
	err = renew(w, n, kept);
	if (err == ERR_NOT_FOUND && w->now_ms < CHAOS_MS + SETTLED_MS)
		ask(w, n, EVENT_PUT_LEASE, kept, false);
	else if (err == ERR_NOT_FOUND)
		fail(w, "%s was renewed, and is not there at %s", id_of(kept), n->name);
}

static bool is_kind(const struct change *c, enum change_kind kind)
{
	return c->kind == kind && c->entry->record &&
	       family_of(c->entry->key, c->entry->key_bytes) == FAMILY_LEASE;
}

/* It was put away by an event of this node that puts nothing in its place. */
static bool ended_here(const struct node *n, const struct change *drop)
{
	const struct changes *all = &n->actions.changes;
	bool ours = false;

	for (size_t i = 0; i < all->used; i++)
		if (all->items[i].kind == CHANGE_KILL &&
			dot_compare(all->items[i].victim, drop->dot) == 0)
			ours = ours || origin_equal(all->items[i].dot.origin, n->incarnation);
	return ours && !map_get(horde_map(n->h), drop->entry->key, drop->entry->key_bytes);
}

void leases_check(struct world *w, struct node *n, const struct event *e)
{
	for (size_t k = 0; k < n->actions.changes.used; k++) {
		const struct change *c = &n->actions.changes.items[k];
		bool put = is_kind(c, CHANGE_PUT), drop = is_kind(c, CHANGE_DROP);
		unsigned i = put || drop ? index_of(key_rest(c->entry->key)) : LEASES;
		const struct leased *since;

		if (i == LEASES)
			continue;
		if (put && origin_equal(c->dot.origin, n->incarnation))
			note(w, n, i);
		if (!drop || e->kind == EVENT_REMOVE_LEASE || !ended_here(n, c))
			continue;
		w->leases_ended++;
		since = &w->leased[n->index][i];
		if (clock_of(w, n) - (since->life == n->life ? since->clock_ms : n->clock_ms) <
			ttl_of(i))
			fail(w, "%s ends %s before its time", n->name, id_of(i));
	}
}

static bool is_leased(const struct entry *e, struct entry_record *ret)
{
	return entry_name(e, ret) && ret->owner_kind == OWNER_LEASE;
}

static void check_name(struct world *w, struct node *judge, const struct entry *e)
{
	struct entry_record r, loser;
	bool leased = is_leased(e, &r);

	if (leased && !record_of(judge, index_of(r.owner_id)))
		fail(w, "%s still belongs to %s, which is gone", e->key, r.owner_id);
	for (const struct entry *s = e->sibling; s; s = s->sibling)
		if (is_leased(s, &loser) && !(leased && strcmp(r.owner_id, loser.owner_id) == 0))
			fail(w, "%s was lost by %s, and stands", e->key, loser.owner_id);
}

void leases_end(struct world *w, struct node *judge)
{
	const struct map *m = horde_map(judge->h);
	const struct entry *e = map_from(m, "entry/", 6);

	for (unsigned i = 0; i < LEASES; i++)
		if ((record_of(judge, i) != NULL) != (i == LEASES - 1))
			fail(w, "%s is%s there", id_of(i), i == LEASES - 1 ? " not" : "");
	for (; e && family_of(e->key, e->key_bytes) == FAMILY_ENTRY;
		e = map_after(m, e->key, e->key_bytes))
		check_name(w, judge, e);
}

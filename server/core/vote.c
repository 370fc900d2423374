/*
 * Registering with a majority: among concurrent callers at different nodes at most one is told that
 * it has the key, and no registration that did not ask the others takes it from that one.
 *
 * A caller waits until more than half of the members have its entry on disk, and then until this
 * node knows all that those had with it. Two majorities share a member; whichever entry came there
 * second, its caller has then seen the first one. Who sees another owner's entry beside its own
 * takes its own away, for the other may have been told already. Both may see each other: then
 * nobody has the key, and they try again. (Lamport, "The part-time parliament", 1998: the shared
 * member of two quorums.)
 */
#include "server/core/parts.h"

#include <string.h>

/* The live entry of this dot among those of a key, or NULL. */
static const struct entry *find(const struct entry *winner, struct dot dot)
{
	while (winner && dot_compare(entry_dot(winner), dot) != 0)
		winner = winner->sibling;
	return winner;
}

static bool same_owner(const struct entry *a, const struct entry *b)
{
	struct entry_record x, y;

	return entry_name(a, &x) && entry_name(b, &y) && x.owner_kind == y.owner_kind &&
	       strcmp(x.owner_id, y.owner_id) == 0;
}

static bool contested(const struct entry *winner, const struct entry *own)
{
	for (const struct entry *e = winner; e; e = e->sibling)
		if (!same_owner(e, own))
			return true;
	return false;
}

enum err vote_confirm(struct horde *h, const struct event *e)
{
	const struct entry *winner = map_get(h->map, e->entry.key, e->entry.key_bytes);
	const struct entry *own = find(winner, e->entry.dot);

	if (!own)
		return ERR_NOT_FOUND;
	h->out->created = !contested(winner, own);
	if (h->out->created)
		return ERR_OK;
	return map_withdraw(
		h->map, e->entry.key, e->entry.key_bytes, e->entry.dot, stamp(h), &h->out->changes);
}

enum err horde_known_with(const struct horde *h, struct dot d, struct vector *ret_known)
{
	struct vector known = VECTOR_INIT;
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < h->member_count; i++)
		if (!h->members[i].self && vector_has(&h->members[i].ack, d))
			err = vector_join(&known, &h->members[i].ack);
	if (err == ERR_OK)
		*ret_known = known;
	else
		vector_fini(&known);
	return err;
}

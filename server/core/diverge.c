/*
 * What must not happen, and is mended (replication.md part 6, "Forks"): one origin with two
 * histories, as a cloned memory or a restored one makes it, and replicas that know the same events
 * and do not hold the same entries.
 *
 *	sync.forked     this process goes on under a fresh origin
 *	sync.diverged   both keep what they have in a file; the one with the lesser incarnation
 *	                writes every entry of either side anew, so that nothing is lost
 */
#include "server/core/parts.h"

#include <string.h>

/* ---- forks ---- */

bool diverge_forked(const struct horde *h, const struct poll *p)
{
	struct dot own = map_last_dot(h->map);
	uint64_t chain;

	if (vector_get(&p->after, own.origin) > own.seq)
		return true;
	if (p->own_seq == 0 || p->own_chain == 0)
		return false;
	own.seq = p->own_seq;
	chain = map_chain(h->map, own);
	return chain != 0 && chain != p->own_chain;
}

void diverge_renew(struct horde *h, struct origin_id fresh)
{
	char hex[ORIGIN_HEX_BYTES];

	if (origin_is_zero(fresh) || map_renew(h->map, fresh) != ERR_OK)
		return; /* it is found out again with the next exchange */
	origin_to_hex(h->config.incarnation, hex);
	say(h, "sync.forked", h->config.name, "origin %s is used twice: a fresh one is taken", hex);
	h->config.incarnation = fresh;
	h->announced = false;
	h->started = 0;
	h->cut_count = 0;
	h->stored_seq = h->ack_seq = 0;
	for (size_t i = 0; i < h->link_count; i++)
		if (h->links[i].state != LINK_DONE)
			link_anew(h, &h->links[i], h->links[i].url);
	children_mark_all(h);
	h->plan_now = true;
}

/* ---- divergence ---- */

static bool same(struct digest a, struct digest b)
{
	return a.sums[0] == b.sums[0] && a.sums[1] == b.sums[1];
}

static void agree(struct horde *h, struct link *l)
{
	if (l->diverged)
		say(h, "sync.recovered", l->name, "equal digests again");
	l->diverged = false;
	l->mismatches = 0;
}

/* Twice in a row, since a vector and a digest of one answer could still be of two cluster ids. */
void diverge_compare(struct horde *h, struct link *l, const struct fragment *f)
{
	l->vectors_equal = vector_equal(map_vector(h->map), &f->vector);
	l->digests_equal = same(map_digest(h->map), f->digest);
	if (!l->vectors_equal)
		return;
	if (l->digests_equal) {
		agree(h, l);
		return;
	}
	if (++l->mismatches < 2 || l->diverged)
		return;
	l->diverged = true;
	l->diverged_ms = l->repair_ms = h->now_ms;
	say(h, "sync.diverged", l->name, "equal vectors, different digests");
	act(h, ACTION_WAKE);
}

bool diverge_due(const struct horde *h, const struct link *l)
{
	return l->diverged && h->now_ms >= l->repair_ms;
}

void diverge_answered(struct horde *h, struct link *l, struct fragment *f_take)
{
	struct action *a;

	l->repair_ms = h->now_ms + REPAIR_MS;
	if (f_take->mode != FRAGMENT_FULL || !vector_equal(map_vector(h->map), &f_take->vector))
		return; /* something has happened meanwhile: compared anew */
	fragment_fini(&l->answer);
	l->answer = *f_take;
	*f_take = (struct fragment){0};
	a = act(h, ACTION_DUMP);
	if (!a)
		return;
	a->url = l->name;
	a->fragment = &l->answer;
}

/* Not with the first answer, so that the peer has its second look and its own file too. */
static bool is_our_turn(const struct horde *h, const struct link *l)
{
	bool lesser = origin_compare(h->config.incarnation, l->incarnation) < 0;

	return h->now_ms - l->diverged_ms >= (lesser ? REPAIR_MS : REPAIR_OTHER_MS);
}

/* A step after the answer, so that the file shows what was before. */
static void repair(struct horde *h, struct link *l)
{
	size_t before = h->out->changes.used;

	if (is_our_turn(h, l) && vector_equal(map_vector(h->map), &l->answer.vector) &&
		map_repair(h->map, &l->answer, &h->clock, h->wall_ms, &h->out->changes) == ERR_OK)
		say(h, "sync.repaired", l->name, "%zu changes", h->out->changes.used - before);
	fragment_fini(&l->answer);
}

void diverge_tick(struct horde *h)
{
	for (size_t i = 0; i < h->link_count && !h->stopping; i++) {
		struct link *l = &h->links[i];

		if (l->answer.mode == FRAGMENT_FULL && h->now_ms >= l->repair_ms - REPAIR_MS)
			repair(h, l);
		else if (l->diverged && l->state == LINK_POLLING && diverge_due(h, l) &&
			 !l->digesting)
			sync_poll(h, l);
	}
}

int64_t diverge_deadline_ms(const struct horde *h)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < h->link_count; i++) {
		const struct link *l = &h->links[i];

		if (l->answer.mode == FRAGMENT_FULL)
			return h->now_ms;
		if (l->diverged && l->state == LINK_POLLING && !l->digesting && l->repair_ms < at)
			at = l->repair_ms;
	}
	return at;
}

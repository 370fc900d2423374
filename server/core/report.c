#include "server/core/report.h"

#include "server/core/parts.h"

static const struct link *link_of(const struct horde *h, const struct member *m)
{
	const struct link *done = NULL;

	for (size_t i = 0; i < h->link_count; i++) {
		if (!origin_equal(h->links[i].node_id, m->node_id))
			continue;
		if (h->links[i].state != LINK_DONE)
			return &h->links[i];
		done = &h->links[i];
	}
	return done;
}

/* A peer may say any number of events. */
static uint64_t sum_of(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Events of `a` that neither `b` nor `c` has. */
static uint64_t count_beyond(const struct vector *a, const struct vector *b, const struct vector *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < a->used; i++) {
		uint64_t most = vector_get(b, a->items[i].origin);
		uint64_t other = vector_get(c, a->items[i].origin);

		most = other > most ? other : most;
		if (a->items[i].count > most)
			sum = sum_of(sum, a->items[i].count - most);
	}
	return sum;
}

/* Both tell of the same events, mostly: each is counted once. */
static uint64_t count_behind(
	const struct vector *ours, const struct vector *answered, const struct vector *polled)
{
	uint64_t sum = count_beyond(answered, ours, ours);

	for (size_t i = 0; i < polled->used; i++) {
		struct origin_id origin = polled->items[i].origin;
		uint64_t counted = vector_get(answered, origin), here = vector_get(ours, origin);

		counted = here > counted ? here : counted;
		if (polled->items[i].count > counted)
			sum = sum_of(sum, polled->items[i].count - counted);
	}
	return sum;
}

static bool is_peer(const struct member *m)
{
	return !m->self && m->recorded && m->record->state != MEMBER_LEFT;
}

bool horde_report_peer(const struct horde *h, const struct member *m, struct peer_report *ret)
{
	static const struct link none = {.state = LINK_WAITING};
	const struct link *l = link_of(h, m);
	const struct vector *ours = map_vector(h->map);
	struct peer_report r = {.node_id = m->node_id};
	int64_t since_ms;

	if (!is_peer(m))
		return false;
	l = l ? l : &none;
	r.name = m->record->name;
	r.connected = link_polls(l) && !l->greeted;
	r.behind = count_behind(ours, &l->theirs, &m->known);
	r.lag_events = sum_of(r.behind, count_beyond(ours, &l->theirs, &m->known));
	r.ahead = count_beyond(ours, &m->ack, &m->ack);
	r.vectors_equal = r.connected && r.lag_events == 0;
	r.digests_equal = r.vectors_equal && l->mismatches == 0;
	r.diverged = l->diverged;
	r.bytes_received = l->bytes_received;
	r.bytes_sent = l->bytes_sent;
	r.synced_ms = l->synced_ms;
	r.held = held_of_link(h->held, l->id, &since_ms);
	*ret = r;
	return true;
}

static bool is_converged(const struct horde *h)
{
	for (size_t i = 0; i < h->member_count; i++) {
		struct peer_report r;

		if (horde_report_peer(h, &h->members[i], &r) && (!r.digests_equal || r.diverged))
			return false;
	}
	return h->synced;
}

void horde_report(const struct horde *h, struct report *ret)
{
	uint64_t hash;

	*ret = (struct report){
		.origins = map_vector(h->map)->used,
		.retired = horde_retired(h, &hash)->used,
		.kill_records = map_kills(h->map),
		.digest = map_digest(h->map),
		.converged = is_converged(h),
	};
}

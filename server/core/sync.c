/*
 * What links carry, as client (replication.md 1.6): slices of the peer's own events on a parked
 * poll, and the full difference as the safe path.
 *
 *	answer   what is done with it                              next request
 *	FULL     applied (lemma 2, 4)                              own slices
 *	SLICE    held until its deps are there, then applied       own slices and grafts
 *	TICK     nothing                                           as before
 *	REDO     below a floor, or not to be read                  full difference
 *	NEED     the vector is below a floor                       block sums
 *
 * Events that a peer knows and that do not come by themselves (`lacks`) are asked for elsewhere:
 * their origin is grafted on a link that has them, and pruned when they come twice.
 */
#include "server/core/parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- requests ---- */

static bool is_grafted(const struct link *l, struct origin_id origin)
{
	return vector_get(&l->grafts, origin) > 0;
}

/* Without memory the origin is not asked for now; whoever lacks it comes again. */
static bool graft(struct link *l, struct origin_id origin)
{
	if (origin_equal(origin, l->incarnation) || is_grafted(l, origin))
		return false;
	return vector_raise(&l->grafts, origin, 1) == ERR_OK;
}

static void prune(struct link *l, struct origin_id origin)
{
	struct vector_item *items = l->grafts.items;

	for (size_t i = 0; i < l->grafts.used; i++) {
		if (!origin_equal(items[i].origin, origin))
			continue;
		l->grafts.used--;
		memmove(items + i, items + i + 1, (l->grafts.used - i) * sizeof(*items));
		return;
	}
}

static enum err ask_grafts(const struct link *l, struct poll *p)
{
	if (l->grafts.used == 0)
		return ERR_OK;
	p->origins = malloc(l->grafts.used * sizeof(*p->origins));
	if (!p->origins)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < l->grafts.used; i++)
		p->origins[p->origin_count++] = l->grafts.items[i].origin;
	return ERR_OK;
}

static enum err fill(struct horde *h, struct link *l, struct poll *p)
{
	struct dot own = {l->incarnation, vector_get(map_vector(h->map), l->incarnation)};
	enum err e;

	p->all = l->whole || l->digesting;
	e = p->all ? vector_copy(map_vector(h->map), &p->after)
		   : held_cursor(h->held, h->map, &p->after);
	if (e == ERR_OK && !p->all)
		e = ask_grafts(l, p);
	p->own_chain = own.seq > 0 ? map_chain(h->map, own) : 0;
	p->own_seq = p->own_chain ? own.seq : 0;
	return e;
}

static int64_t wait_ms(const struct link *l)
{
	/* The first answer after a hello comes at once, new or not; so does a second look. */
	if (l->greeted || l->digesting || l->mismatches == 1)
		return 0;
	return l->diverged ? REPAIR_MS / 4 : POLL_WAIT_MS;
}

static void request(struct horde *h, struct link *l, bool repair)
{
	struct poll p = {.all = false};
	struct action *a = NULL;

	l->repairing = repair;
	l->digesting = repair || l->digesting;
	if (fill(h, l, &p) == ERR_OK)
		a = act(h, l->digesting ? ACTION_DIGEST : ACTION_POLL);
	if (!a) {
		poll_fini(&p);
		l->state = LINK_WAITING;
		l->retry_ms = h->now_ms + RETRY_NO_MEMORY_MS;
		return;
	}
	poll_fini(&l->poll);
	l->poll = p;
	l->state = LINK_POLLING;
	a->link = l->id;
	a->url = l->url;
	a->poll = &l->poll;
	a->repair = repair;
	a->timeout_ms = wait_ms(l);
}

void sync_poll(struct horde *h, struct link *l)
{
	request(h, l, diverge_due(h, l));
}

void sync_begin(struct horde *h, struct link *l)
{
	sync_fini(l);
	l->whole = true;
	l->digesting = l->repairing = false;
	l->redos = 0;
	l->mismatches = 0;
	l->ack_batch = 0;
	l->ack_owed = false;
	sync_poll(h, l);
}

void sync_fini(struct link *l)
{
	poll_fini(&l->poll);
	vector_fini(&l->theirs);
	vector_fini(&l->grafts);
	fragment_fini(&l->answer);
}

/* Asks anew in place of a parked poll; a difference that is on its way is not thrown away. */
static void ask_again(struct horde *h, struct link *l)
{
	if (l->state == LINK_POLLING && !l->poll.all && !l->digesting)
		sync_poll(h, l);
}

/* ---- what is overdue ---- */

static struct lack *lack_of(struct horde *h, struct origin_id origin)
{
	for (size_t i = 0; i < h->lack_count; i++)
		if (origin_equal(h->lacks[i].dot.origin, origin))
			return &h->lacks[i];
	return NULL;
}

/* Takes note of what the peer knows and this node does not. An origin that is new here has no link
 * of its own that would bring it: it is asked for at once. */
static void note_lacks(struct horde *h, struct link *l)
{
	for (size_t i = 0; i < l->theirs.used; i++) {
		const struct vector_item *known = &l->theirs.items[i];
		uint64_t have = vector_get(map_vector(h->map), known->origin);

		if (have == 0 && !l->poll.all)
			graft(l, known->origin);
		if (have >= known->count || lack_of(h, known->origin) || h->lack_count == LACKS_MAX)
			continue;
		h->lacks[h->lack_count++] =
			(struct lack){{known->origin, known->count}, h->now_ms, false};
	}
}

/* What has come is no lack any more; what others know beyond it is a new one. */
static void settle_lacks(struct horde *h)
{
	size_t before = h->lack_count;

	for (size_t i = h->lack_count; i-- > 0;)
		if (vector_has(map_vector(h->map), h->lacks[i].dot))
			h->lacks[i] = h->lacks[--h->lack_count];
	for (size_t i = 0; i < h->link_count && h->lack_count < before; i++)
		if (h->links[i].state == LINK_POLLING)
			note_lacks(h, &h->links[i]);
}

static struct link *link_that_has(struct horde *h, struct dot d, bool grafted)
{
	for (size_t i = 0; i < h->link_count; i++) {
		struct link *l = &h->links[i];

		if (l->state == LINK_POLLING && vector_has(&l->theirs, d) &&
			(grafted || (!is_grafted(l, d.origin) &&
					    !origin_equal(l->incarnation, d.origin))))
			return l;
	}
	return NULL;
}

/* First by a graft; when that does not bring it either, by a full difference. */
static void chase(struct horde *h, struct lack *lack)
{
	struct link *l = lack->grafted ? NULL : link_that_has(h, lack->dot, false);

	if (l && graft(l, lack->dot.origin)) {
		ask_again(h, l);
	} else {
		l = link_that_has(h, lack->dot, true);
		if (l)
			l->whole = true;
		if (l)
			ask_again(h, l);
	}
	lack->grafted = true;
	lack->since_ms = h->now_ms;
}

static int64_t patience_ms(const struct lack *lack)
{
	return lack->grafted ? HELD_WHOLE_MS : GRAFT_MS;
}

static void chase_lacks(struct horde *h)
{
	for (size_t i = 0; i < h->lack_count; i++) {
		struct lack *lack = &h->lacks[i];

		if (h->now_ms >= lack->since_ms + patience_ms(lack))
			chase(h, lack);
	}
}

/* A slice that waits: what it lacks is asked of the same peer, who had it when it answered. */
static void hurry_held(struct horde *h, struct link *l)
{
	int64_t since_ms;
	struct dot d;

	if (held_of_link(h->held, l->id, &since_ms) == 0) {
		l->held_grafted = false;
		return;
	}
	if (h->now_ms >= since_ms + HELD_WHOLE_MS && !l->whole) {
		l->whole = true;
		ask_again(h, l);
	} else if (h->now_ms >= since_ms + HELD_GRAFT_MS && !l->held_grafted) {
		l->held_grafted = true;
		if (held_lacks(h->held, h->map, l->id, &d) && graft(l, d.origin))
			ask_again(h, l);
	}
}

/* ---- answers ---- */

static void note_vector(struct horde *h, struct link *l, struct fragment *f)
{
	vector_fini(&l->theirs);
	if (vector_copy(&f->vector, &l->theirs) == ERR_OK)
		note_lacks(h, l);
}

/* What a graft has brought twice is pruned: its own link brings it. */
static void prune_known(struct horde *h, struct link *l, const struct fragment *f)
{
	for (size_t i = 0; i < f->range_count; i++)
		if (f->ranges[i].upto <= vector_get(map_vector(h->map), f->ranges[i].origin))
			prune(l, f->ranges[i].origin);
}

static void say_forked(struct horde *h, const struct link *l, struct origin_id origin)
{
	char hex[ORIGIN_HEX_BYTES];

	if (origin_is_zero(origin))
		return;
	origin_to_hex(origin, hex);
	say(h, "sync.forked", l->name, "two histories of origin %s", hex);
}

/* What can be applied of the held slices is. A set that is none is gone, and asked for anew. */
static enum err settle_held(struct horde *h, struct link *l)
{
	struct origin_id forked = {0, 0};
	uint32_t culprit = 0;
	size_t applied;
	enum err e = held_settle(h->held, h->map, &h->out->changes, &applied, &forked, &culprit);

	say_forked(h, l, forked);
	if (e == ERR_MALFORMED && culprit != l->id) {
		l->whole = true;
		return ERR_OK;
	}
	return e;
}

static enum err take_full(struct horde *h, struct link *l, struct fragment *f)
{
	struct origin_id forked = {0, 0};
	enum err e = map_apply(h->map, &f, 1, &h->out->changes, &forked);

	say_forked(h, l, forked);
	return e == ERR_OK ? settle_held(h, l) : e;
}

static enum err take_slice(struct horde *h, struct link *l, struct fragment *f)
{
	enum err e;

	prune_known(h, l, f);
	e = held_add(h->held, l->id, f, h->now_ms);
	return e == ERR_OK ? settle_held(h, l) : e;
}

/* What the peer answered; the request that it wants instead is prepared. */
static enum err take(struct horde *h, struct link *l, struct fragment *f)
{
	l->redos = f->mode == FRAGMENT_REDO || f->mode == FRAGMENT_NEED ? l->redos + 1 : 0;
	if (l->redos > REDOS_MAX)
		return ERR_MALFORMED;
	l->whole = f->mode == FRAGMENT_REDO || (l->whole && !l->poll.all);
	l->digesting = f->mode == FRAGMENT_NEED;
	if (f->mode == FRAGMENT_FULL)
		return take_full(h, l, f);
	return f->mode == FRAGMENT_SLICE ? take_slice(h, l, f) : ERR_OK;
}

/* The batch that is to be on disk for an ack of all that is known here; 0: it is there. What an
 * answer brought may have come another way before. */
static uint64_t unstored(const struct horde *h)
{
	uint64_t last = h->out->changes.used > 0 ? h->batch : h->changed_batch;

	return last > h->stored ? last : 0;
}

/*
 * The peer has a writer that waits for our disk: the next request, with the ack, waits for it too.
 * A slice that is held is not known yet; its ack follows when it is (pay_acks).
 */
static void next(struct horde *h, struct link *l, bool ack_wanted)
{
	l->ack_owed = ack_wanted && held_of_link(h->held, l->id, &(int64_t){0}) > 0;
	l->ack_batch = ack_wanted ? unstored(h) : 0;
	if (l->ack_batch == 0 || h->store_error != ERR_OK) {
		sync_poll(h, l);
		return;
	}
	l->state = LINK_STORING;
	l->retry_ms = h->now_ms + ACK_WAIT_MS;
}

/* Held slices whose peers wait for an ack are known now, or were given up. */
static void pay_acks(struct horde *h)
{
	for (size_t i = 0; i < h->link_count; i++) {
		struct link *l = &h->links[i];

		if (!l->ack_owed || held_of_link(h->held, l->id, &(int64_t){0}) > 0)
			continue;
		l->ack_owed = false;
		l->ack_batch = unstored(h);
		if (l->ack_batch == 0)
			ask_again(h, l);
	}
}

void sync_stored(struct horde *h)
{
	for (size_t i = 0; i < h->link_count; i++) {
		struct link *l = &h->links[i];

		if (l->ack_batch == 0 || (l->ack_batch > h->stored && h->store_error == ERR_OK))
			continue;
		l->ack_batch = l->ack_batch > h->stored ? l->ack_batch : 0;
		if (l->state == LINK_STORING)
			sync_poll(h, l);
		else if (l->ack_batch == 0)
			ask_again(h, l); /* it went out without the ack */
	}
}

/* A clock that is far ahead is not adopted; that is said once, until it is right again. */
static void note_clock(struct horde *h, struct link *l, uint64_t clock)
{
	bool skewed = !clock_receive(&h->clock, clock, h->wall_ms);

	if (skewed && !l->skewed)
		say(h, "clock.skew", l->name, "its clock is ahead of ours");
	l->skewed = skewed;
}

static void note_exchange(struct horde *h, struct link *l, const struct event *e)
{
	l->bytes_received += e->bytes_received;
	l->bytes_sent += e->bytes_sent;
	l->synced_ms = h->now_ms;
	l->complained = false;
	link_contact(h, l);
}

void sync_answered(struct horde *h, struct link *l, const struct event *e)
{
	struct fragment *f = e->fragment;
	bool ack_wanted = f->ack_wanted;
	bool asks = f->mode == FRAGMENT_REDO || f->mode == FRAGMENT_NEED;
	enum err err = ERR_OK;

	if (l->state != LINK_POLLING)
		return;
	if (vector_get(&f->vector, h->config.incarnation) > map_last_dot(h->map).seq) {
		diverge_renew(h, e->fresh);
		if (l->state == LINK_POLLING)
			link_again(h, l, RETRY_NO_MEMORY_MS);
		return;
	}
	note_clock(h, l, f->clock);
	note_vector(h, l, f);
	if (l->repairing) {
		l->repairing = l->digesting = false;
		diverge_answered(h, l, f);
	} else {
		err = take(h, l, f);
	}
	if (err == ERR_NO_MEMORY) {
		link_again(h, l, RETRY_NO_MEMORY_MS);
		return;
	}
	if (err != ERR_OK) {
		link_rejected(h, l, err);
		return;
	}
	note_exchange(h, l, e);
	if (!asks) {
		l->tried = h->heard = true;
		l->greeted = false;
		diverge_compare(h, l, f);
	}
	settle_lacks(h);
	next(h, l, ack_wanted);
}

/* ---- time, and lost links ---- */

/* Its peer's events come over two other links until it is back. */
void sync_down(struct horde *h, struct link *l)
{
	size_t grafted = 0;

	for (size_t i = 0; i < h->link_count && grafted < GRAFT_LINKS; i++) {
		struct link *other = &h->links[i];

		if (other == l || other->state != LINK_POLLING || !graft(other, l->incarnation))
			continue;
		grafted++;
		ask_again(h, other);
	}
	l->vectors_equal = l->digests_equal = false;
}

void sync_tick(struct horde *h)
{
	if (h->stopping)
		return;
	held_expire(h->held, h->now_ms);
	settle_lacks(h);
	chase_lacks(h);
	pay_acks(h);
	for (size_t i = 0; i < h->link_count; i++) {
		struct link *l = &h->links[i];

		if (l->state == LINK_STORING && h->now_ms >= l->retry_ms)
			sync_poll(h, l);
		hurry_held(h, l);
	}
}

static int64_t held_deadline_ms(const struct horde *h, const struct link *l)
{
	int64_t since_ms;

	if (held_of_link(h->held, l->id, &since_ms) == 0)
		return INT64_MAX;
	if (!l->held_grafted)
		return since_ms + HELD_GRAFT_MS;
	return l->whole ? since_ms + HELD_MS_MAX + 1 : since_ms + HELD_WHOLE_MS;
}

int64_t sync_deadline_ms(const struct horde *h)
{
	int64_t at = INT64_MAX, other;

	for (size_t i = 0; i < h->lack_count; i++) {
		other = h->lacks[i].since_ms + patience_ms(&h->lacks[i]);
		at = other < at ? other : at;
	}
	for (size_t i = 0; i < h->link_count; i++) {
		other = held_deadline_ms(h, &h->links[i]);
		at = other < at ? other : at;
		if (h->links[i].state == LINK_STORING && h->links[i].retry_ms < at)
			at = h->links[i].retry_ms;
	}
	return at;
}

/*
 * Connections to peers, as client: each link greets, then keeps one poll parked at the peer. What
 * the polls carry is in sync.c.
 *
 *	             tick         answered      fragment     lost         refused, silent, rejected
 *	WAITING      GREETING     -             -            -            -
 *	GREETING     -            POLLING       -            WAITING      WAITING, with back-off
 *	POLLING      -            -             POLLING,     GREETING     WAITING, with back-off
 *	                                        STORING
 *	STORING      POLLING, also once what came is on disk
 *	DONE         leads to this node, to a peer that another link has, or was tried once in vain
 */
#include "server/core/parts.h"

#include <stdio.h>
#include <string.h>

struct link *link_by_id(struct horde *h, uint32_t id)
{
	for (size_t i = 0; i < h->link_count; i++)
		if (h->links[i].id == id)
			return &h->links[i];
	return NULL;
}

struct link *link_by_url(struct horde *h, const char *url)
{
	for (size_t i = 0; i < h->link_count; i++)
		if (strcmp(h->links[i].url, url) == 0)
			return &h->links[i];
	return NULL;
}

struct link *link_by_node(struct horde *h, struct origin_id node_id)
{
	struct link *done = NULL;

	for (size_t i = 0; i < h->link_count; i++) {
		if (!origin_equal(h->links[i].node_id, node_id))
			continue;
		if (h->links[i].state != LINK_DONE)
			return &h->links[i];
		done = &h->links[i];
	}
	return done;
}

static void greet(struct horde *h, struct link *l)
{
	struct action *a = act(h, ACTION_HELLO);

	if (!a) {
		l->state = LINK_WAITING;
		l->retry_ms = h->now_ms + RETRY_NO_MEMORY_MS;
		return;
	}
	l->state = LINK_GREETING;
	l->called = false;
	a->link = l->id;
	a->url = l->url;
}

/* The first of those that are done and that nobody asked to keep: only their result is in it. */
static struct link *link_reuse(struct horde *h)
{
	struct link *l = h->links;
	struct action *a;

	while (l < h->links + h->link_count && (l->state != LINK_DONE || l->keep))
		l++;
	if (l == h->links + h->link_count)
		return NULL;
	a = act(h, ACTION_UNLINK);
	if (a)
		a->link = l->id;
	return l;
}

static struct link *link_make(struct horde *h, const char *url)
{
	struct link *l;

	if (strlen(url) > URL_BYTES_MAX)
		return NULL;
	l = h->link_count < MEMBERS_MAX ? &h->links[h->link_count++] : link_reuse(h);
	if (!l)
		return NULL;
	sync_fini(l);
	*l = (struct link){.id = ++h->link_last, .state = LINK_WAITING, .retry_ms = h->now_ms};
	snprintf(l->url, sizeof(l->url), "%s", url);
	return l;
}

enum err link_join(struct horde *h, const char *url, bool keep)
{
	struct link *l = link_by_url(h, url);

	if (!l) {
		l = link_make(h, url);
		if (!l)
			return ERR_LIMIT;
		l->once = !keep;
	}
	l->keep = l->keep || keep;
	if (!l->joined)
		l->error = ERR_OK; /* of an earlier try */
	if (l->state == LINK_DONE && !l->self && !l->joined)
		l->state = LINK_WAITING;
	if (l->state == LINK_WAITING)
		l->retry_ms = h->now_ms;
	return ERR_OK;
}

/* One that left is asked once, at the start: it may have come back without our knowing. */
static bool worth_a_link(const struct horde *h, const struct member *m)
{
	return m->recorded && !m->self && (m->record->state != MEMBER_LEFT || !h->synced);
}

void links_follow_members(struct horde *h)
{
	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];
		struct link *l = link_by_node(h, m->node_id);

		if (!worth_a_link(h, m))
			continue;
		if (!l)
			l = link_by_url(h, m->record->url);
		if (!l)
			l = link_make(h, m->record->url);
		if (!l || l->self)
			continue;
		if (!origin_is_zero(l->node_id) && !origin_equal(l->node_id, m->node_id))
			continue; /* another node lives at that address now */
		l->node_id = m->node_id;
		l->once = false;
		if (l->state == LINK_DONE) { /* no other link leads there */
			l->state = LINK_WAITING;
			l->retry_ms = h->now_ms;
		}
	}
}

/* Another link that leads there changes places with it if it is done: its peer has moved, or a copy
 * of its peer was here. */
static void lead_to(struct horde *h, struct link *l, const char *url)
{
	struct link *other = link_by_url(h, url);
	bool keep = l->keep;

	if (other == l || (other && (other->state != LINK_DONE || other->self)))
		return;
	if (other) {
		memcpy(other->url, l->url, sizeof(other->url));
		l->keep = other->keep;
		other->keep = keep;
	}
	snprintf(l->url, sizeof(l->url), "%s", url);
}

/* A member that moved is followed: its own record names its new address. */
static void follow_address(struct horde *h, struct link *l)
{
	const struct member *m = member_by_id(h, l->node_id);

	if (m && m->recorded && !l->keep && m->incarnation_ms >= m->present_ms)
		lead_to(h, l, m->record->url);
}

/*
 * A member that left is not called any more, until a new life of it says hello; but for one that
 * has said that our name is taken, and would have us wait for ever.
 */
static bool wanted(struct horde *h, const struct link *l)
{
	const struct member *m = member_by_id(h, l->node_id);

	if (origin_is_zero(l->node_id) || l->keep || !m || !m->recorded)
		return true;
	return !member_left(m) || !l->tried || l->taken;
}

/* The first sync waits for this one: it was not asked yet. Also when its peer has left: it may have
 * come back since, and run what is assigned to us. */
static bool awaited(const struct link *l)
{
	return !l->tried && !l->once;
}

static bool any_synced(const struct horde *h)
{
	for (size_t i = 0; i < h->link_count; i++)
		if (h->links[i].synced_ms != 0)
			return true;
	return false;
}

bool link_blocks(const struct horde *h, const struct link *l, bool patient)
{
	/* What is being sent is waited for, however much it is; and so is what was cut on its way,
	 * when nobody else has sent it. And a copy of a directory whose original still lives must
	 * not run what is assigned to both, for as long as that is so. */
	bool sending = link_polls(l) || (l->joined && !any_synced(h));

	return (awaited(l) && (patient || sending)) || l->taken;
}

void links_tick(struct horde *h)
{
	if (h->stopping)
		return;
	for (size_t i = 0; i < h->link_count; i++) {
		struct link *l = &h->links[i];

		if (l->state != LINK_WAITING || l->retry_ms > h->now_ms)
			continue;
		if (!wanted(h, l)) {
			l->retry_ms = h->now_ms + LINK_RETRY_REJECTED_MS;
			continue;
		}
		follow_address(h, l);
		greet(h, l);
	}
}

int64_t links_deadline_ms(const struct horde *h)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < h->link_count && !h->stopping; i++)
		if (h->links[i].state == LINK_WAITING && h->links[i].retry_ms < least)
			least = h->links[i].retry_ms;
	return least;
}

void links_goodbye(struct horde *h)
{
	for (size_t i = 0; i < h->link_count; i++) {
		struct action *a;

		if (!link_polls(&h->links[i]))
			continue;
		a = act(h, ACTION_GOODBYE);
		if (!a)
			return;
		a->link = h->links[i].id;
		a->url = h->links[i].url;
		a->reason = h->stop.stop.reason;
		a->timeout_ms = h->stop.stop.back_within_ms;
	}
}

void link_retry(struct horde *h, struct link *l, int64_t least_ms)
{
	bool polled = link_polls(l);
	int64_t wait = LINK_RETRY_FIRST_MS << (l->failures < 8 ? l->failures : 8);

	l->failures++;
	if (wait > LINK_RETRY_MAX_MS)
		wait = LINK_RETRY_MAX_MS;
	if (wait < least_ms)
		wait = least_ms;
	l->state = LINK_WAITING;
	l->retry_ms = h->now_ms + wait;
	l->tried = l->tried || !origin_is_zero(h->cluster_id);
	if (polled)
		sync_down(h, l);
}

/* The answer is lost, the peer is not: the first sync with it was not tried yet. */
void link_again(struct horde *h, struct link *l, int64_t least_ms)
{
	bool tried = l->tried;

	link_retry(h, l, least_ms);
	l->tried = tried;
}

/* A link that was asked for once has failed: it stays, done, so that the caller can read why. */
static void give_up(struct horde *h, struct link *l, enum err err)
{
	l->error = err;
	if (l->once && !l->keep && !l->joined) {
		l->state = LINK_DONE;
		act(h, ACTION_WAKE);
	}
}

/* Whatever is under way is dropped, and the peer is greeted before the step ends. */
void link_anew(struct horde *h, struct link *l, const char *url)
{
	struct action *a;

	lead_to(h, l, url);
	a = act(h, ACTION_UNLINK);
	if (a)
		a->link = l->id;
	l->state = LINK_WAITING;
	l->retry_ms = h->now_ms;
}

void link_contact(struct horde *h, struct link *l)
{
	struct member *m = member_make(h, l->node_id);

	l->failures = 0;
	if (!m)
		return;
	m->contacted = true;
	m->seen_ms = h->now_ms;
	m->refused_ms = 0;
	m->silent = false;
}

/* A new life of a peer has said no goodbye; another node at the address means the old one is gone.
 */
static void new_incarnation(struct horde *h, struct link *l, const struct hello *peer)
{
	struct member *m = member_make(h, peer->node_id);
	struct member *old = member_by_id(h, l->node_id);

	if (m)
		member_greeted(h, m, peer->incarnation);
	if (old && old != m && old->refused_ms == 0)
		old->refused_ms = h->now_ms;
	l->node_id = peer->node_id;
	l->incarnation = peer->incarnation;
	memcpy(l->name, peer->name, sizeof(l->name));
}

static void done(struct horde *h, struct link *l)
{
	l->state = LINK_DONE;
	l->joined = true;
	l->tried = true;
	l->taken = false;
	act(h, ACTION_WAKE);
}

/* What is under way is dropped: the same peer has answered elsewhere. */
static void yield_to(struct horde *h, struct link *l, struct link *other)
{
	struct action *a = l->state == LINK_GREETING ? act(h, ACTION_UNLINK) : NULL;

	if (a)
		a->link = l->id;
	other->keep = other->keep || l->keep;
	l->node_id = (struct origin_id){0};
	done(h, l);
}

/*
 * Two links to one peer: one that polls stays, else the one that was answered; the other may lead
 * to an address where the peer is no more, and would have it called dead.
 */
static bool superfluous(struct horde *h, struct link *l, const struct hello *peer)
{
	for (size_t i = 0; i < h->link_count; i++) {
		struct link *other = &h->links[i];

		if (other == l || !origin_equal(other->node_id, peer->node_id))
			continue;
		if (link_polls(other)) {
			other->keep = other->keep || l->keep;
			return true;
		}
		if (other->state != LINK_DONE)
			yield_to(h, other, l);
	}
	return false;
}

void link_answered(struct horde *h, struct link *l, const struct hello *peer)
{
	enum err err;

	if (l->state != LINK_GREETING)
		return;
	if (origin_equal(peer->node_id, h->config.node_id)) {
		l->self = true;
		done(h, l);
		contact_found(h);
		return;
	}
	err = contact_agree(h, peer);
	if (err != ERR_OK) {
		link_rejected(h, l, err);
		return;
	}
	if (superfluous(h, l, peer)) {
		done(h, l);
		return;
	}
	new_incarnation(h, l, peer);
	link_contact(h, l);
	l->taken = false;
	l->none = origin_is_zero(peer->cluster_id);
	clock_receive(&h->clock, peer->clock, h->wall_ms);
	contact_found(h);
	if (origin_is_zero(h->cluster_id) || !origin_equal(peer->cluster_id, h->cluster_id)) {
		link_retry(
			h, l, 0); /* one of us has no id yet, or has just changed it: ask again */
		return;
	}
	l->joined = true;
	l->once = false;
	l->greeted = true;
	l->error = ERR_OK;
	act(h, ACTION_WAKE);
	sync_begin(h, l);
}

/*
 * Whom the end of this link tells of. A seed stays where the operator put it: when its node has
 * begun another life elsewhere, by that one's own record, nothing that happens here is about it,
 * and it gets a link of its own.
 */
static struct member *told_of(struct horde *h, struct link *l)
{
	struct member *m = member_by_id(h, l->node_id);

	if (!m || !m->recorded || !l->keep || m->incarnation_ms < m->present_ms ||
		origin_equal(m->incarnation, l->incarnation) || strcmp(m->record->url, l->url) == 0)
		return m;
	l->node_id = (struct origin_id){0};
	h->members_stale = true;
	return NULL;
}

/* Refused, that is: there was no process, at the moment of the attempt. */
void link_refused(struct horde *h, struct link *l)
{
	struct member *m = told_of(h, l);

	/* If it said that our name is taken, it is gone; so another one's word is as good, and that
	 * one took us in. */
	l->taken = l->taken && !any_synced(h);
	if (l->called) {
		l->state = LINK_WAITING; /* it has come up since, and called: try anew at once */
		l->retry_ms = h->now_ms;
		return;
	}
	if (m && m->refused_ms == 0)
		m->refused_ms = h->now_ms;
	if (m)
		m->silent = false;
	link_retry(h, l, 0);
	give_up(h, l, ERR_UNREACHABLE);
}

/*
 * The parked poll is a tripwire: when it ends, the reconnect that follows at once tells why. A peer
 * that greets well and then cuts the first poll is waited for.
 */
void link_lost(struct horde *h, struct link *l)
{
	if (l->state == LINK_POLLING && !l->greeted && !h->stopping) {
		greet(h, l);
		sync_down(h, l);
	} else if (l->state == LINK_POLLING) {
		link_again(h, l, 0); /* a difference that ended early was none */
	} else {
		link_retry(h, l, 0);
	}
}

void link_silent(struct horde *h, struct link *l)
{
	struct member *m = told_of(h, l);

	if (m) {
		m->silent = true;
		m->refused_ms = 0;
	}
	link_retry(h, l, 0);
	give_up(h, l, ERR_UNREACHABLE);
}

void link_rejected(struct horde *h, struct link *l, enum err err)
{
	if (!l->complained)
		say(h, "peer.rejected", l->url, "%s", err_text(err));
	l->complained = true;
	l->taken = l->taken || err == ERR_NAME_TAKEN;
	link_retry(h, l, err == ERR_NAME_TAKEN ? LINK_RETRY_MAX_MS : LINK_RETRY_REJECTED_MS);
	give_up(h, l, err);
}

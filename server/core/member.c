/* Who is there, and what this node thinks of them. */
#include "server/core/parts.h"

#include <stdlib.h>
#include <string.h>

const char *opinion_name(enum opinion o)
{
	switch (o) {
	case OPINION_UNKNOWN:
		return "unknown";
	case OPINION_ALIVE:
		return "alive";
	case OPINION_SUSPECT:
		return "suspect";
	case OPINION_DEAD:
		return "dead";
	}
	return "?";
}

struct member *member_by_id(struct horde *h, struct origin_id node_id)
{
	for (size_t i = 0; i < h->member_count; i++)
		if (origin_equal(h->members[i].node_id, node_id))
			return &h->members[i];
	return NULL;
}

struct member *member_make(struct horde *h, struct origin_id node_id)
{
	struct member *m = member_by_id(h, node_id);

	if (m || h->member_count == MEMBERS_MAX)
		return m;
	m = &h->members[h->member_count++];
	*m = (struct member){
		.node_id = node_id,
		.self = origin_equal(node_id, h->config.node_id),
		.opinion = OPINION_UNKNOWN,
	};
	if (m->self)
		m->opinion = OPINION_ALIVE;
	return m;
}

static int by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order;

	if (x->recorded != y->recorded)
		return x->recorded ? -1 : 1;
	order = x->recorded ? strcmp(x->record->name, y->record->name) : 0;
	return order ? order : origin_compare(x->node_id, y->node_id);
}

/*
 * What refused was a former life of it. The present one is there, by the word of others; if it is
 * gone again too, the next attempt will be refused.
 */
static void reborn(struct member *m)
{
	if (m->refused_ms == 0 || m->self || origin_equal(m->incarnation, m->present))
		return;
	m->refused_ms = 0;
	m->silent = true;
}

static void refresh_one(struct horde *h, const struct entry *e)
{
	struct origin_id node_id;
	struct member *m;

	if (!e->record || !origin_from_hex(key_rest(e->key), &node_id))
		return;
	m = member_make(h, node_id);
	if (!m)
		return;
	if (!origin_equal(m->incarnation, e->record->member.incarnation)) {
		m->incarnation = e->record->member.incarnation;
		m->incarnation_ms = h->now_ms;
		reborn(m);
		say(h, "member.joined", e->record->member.name, "%s", e->record->member.url);
	}
	m->recorded = true;
	m->record = &e->record->member;
	if (m->self && !origin_equal(m->incarnation, h->config.incarnation))
		h->announced = false; /* a former life outranks us: raise our record above it */
}

void members_refresh(struct horde *h)
{
	static const char prefix[] = "member/";
	const struct entry *e = map_from(h->map, prefix, sizeof(prefix) - 1);

	for (size_t i = 0; i < h->member_count; i++) {
		h->members[i].recorded = false;
		h->members[i].record = NULL;
	}
	for (; e && family_of(e->key, e->key_bytes) == FAMILY_MEMBER;
		e = map_after(h->map, e->key, e->key_bytes))
		refresh_one(h, e);
	qsort(h->members, h->member_count, sizeof(h->members[0]), by_name);
	h->members_stale = false;
	children_mark_all(h);
	leases_look(h);
	h->plan_now = true;
}

/* When a member that refuses connections may be called dead; replication.md 3.3, design.md. */
static int64_t dead_from_ms(const struct horde *h, const struct member *m)
{
	int64_t at = m->refused_ms + h->config.restart_grace_ms;

	if (!m->contacted && at < h->start_ms + h->config.startup_grace_ms)
		at = h->start_ms + h->config.startup_grace_ms;
	if (at < m->goodbye_until_ms)
		at = m->goodbye_until_ms;
	if (m->rival_ms && at < m->rival_ms + RIVAL_MS)
		at = m->rival_ms + RIVAL_MS; /* of two that claim to be it, one is left */
	return at;
}

static enum opinion judge(const struct horde *h, const struct member *m)
{
	if (m->self)
		return OPINION_ALIVE;
	if (m->refused_ms && h->now_ms >= dead_from_ms(h, m))
		return OPINION_DEAD;
	if (m->refused_ms || m->silent)
		return m->contacted ? OPINION_SUSPECT : OPINION_UNKNOWN;
	return m->contacted ? OPINION_ALIVE : OPINION_UNKNOWN;
}

/* Its hello told its name before its record came. */
static const char *name_of(struct horde *h, const struct member *m)
{
	const struct link *l = link_by_node(h, m->node_id);

	if (m->recorded)
		return m->record->name;
	return l ? l->name : "?";
}

/* Another node lives at its address: nobody is there any more who could refuse a connection. */
static bool displaced(const struct horde *h, const struct member *m)
{
	if (m->self || !m->recorded || m->contacted || m->refused_ms)
		return false;
	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *o = &h->members[i];
		bool there = o->self || (o->contacted && o->opinion == OPINION_ALIVE);

		if (o != m && o->recorded && there && strcmp(o->record->url, m->record->url) == 0)
			return true;
	}
	return false;
}

void members_judge(struct horde *h)
{
	static const char *const events[] = {
		"member.unknown", "member.alive", "member.suspect", "member.dead"};

	for (size_t i = 0; i < h->member_count; i++) {
		struct member *m = &h->members[i];
		enum opinion opinion;

		if (displaced(h, m))
			m->refused_ms = h->now_ms;
		opinion = judge(h, m);
		if (opinion == m->opinion)
			continue;
		m->opinion = opinion;
		say(h, events[opinion], name_of(h, m), "%s",
			m->refused_ms ? "refuses connections"
			: m->silent   ? "silent"
				      : "answered");
		act(h, ACTION_WAKE);
		children_mark_all(h);
		leases_look(h);
		h->plan_now = true;
	}
}

int64_t members_deadline_ms(const struct horde *h)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];
		int64_t at = m->refused_ms && m->opinion != OPINION_DEAD ? dead_from_ms(h, m)
									 : INT64_MAX;

		if (at < least)
			least = at;
	}
	return least;
}

bool member_eligible(const struct horde *h, const struct member *m)
{
	if (!m->recorded || m->record->state != MEMBER_ALIVE)
		return false;
	if (m->self)
		return h->synced && !h->stopping;
	return m->opinion == OPINION_ALIVE && !m->leaving && m->goodbye_until_ms <= h->now_ms;
}

size_t member_candidates(const struct horde *h, struct candidate ret[MEMBERS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < h->member_count; i++)
		if (member_eligible(h, &h->members[i]))
			ret[count++] = (struct candidate){.node = h->members[i].node_id};
	for (const struct child *c = h->all; c; c = c->next)
		for (size_t i = 0; i < count; i++)
			if (origin_equal(ret[i].node, c->assigned))
				ret[i].load++;
	return count;
}

/* Its present life has said that it is gone for good. */
bool member_left(const struct member *m)
{
	return m->recorded && m->record->state == MEMBER_LEFT &&
	       (origin_is_zero(m->present) || origin_equal(m->present, m->incarnation));
}

/* A life of it said hello. */
void member_greeted(struct horde *h, struct member *m, struct origin_id incarnation)
{
	m->contacted = true;
	m->seen_ms = h->now_ms;
	m->refused_ms = 0;
	m->silent = false;
	if (origin_equal(m->present, incarnation))
		return;
	m->present = incarnation;
	m->present_ms = h->now_ms;
	m->goodbye_until_ms = 0; /* it was another life that said goodbye */
	m->leaving = false;
}

bool member_first(const struct horde *h, const char *ref)
{
	struct candidate alive[MEMBERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < h->member_count; i++)
		if (h->members[i].opinion == OPINION_ALIVE && !member_left(&h->members[i]))
			alive[count++] = (struct candidate){.node = h->members[i].node_id};
	return rendezvous_rank(alive, count, ref, strlen(ref), h->config.node_id) == 0;
}

/* Our record must win over those of our former lives, whatever their clocks were. */
enum err member_announce(struct horde *h, enum member_state state)
{
	char hex[ORIGIN_HEX_BYTES];
	struct record r = {.family = FAMILY_MEMBER};
	const struct entry *old;

	origin_to_hex(h->config.node_id, hex);
	old = get(h, "member", hex);
	if (h->started == 0)
		h->started = stamp(h);
	if (old && old->record && h->started <= old->record->member.started &&
		!origin_equal(old->record->member.incarnation, h->config.incarnation))
		h->started = old->record->member.started + 1;
	r.member = (struct member_record){
		.name = (char *)(uintptr_t)h->config.name,
		.url = (char *)(uintptr_t)h->config.url,
		.incarnation = h->config.incarnation,
		.started = h->started,
		.state = state,
	};
	return write_record(h, "member", hex, &r);
}

const char *member_status(const struct member *m)
{
	if (!m->recorded)
		return "joining";
	if (m->record->state == MEMBER_LEFT)
		return "left";
	if (m->opinion == OPINION_DEAD)
		return "dead";
	if (m->leaving || m->goodbye_until_ms)
		return "draining"; /* it said goodbye: for good, or to be back soon */
	if (m->opinion != OPINION_ALIVE)
		return "suspect";
	return member_state_name(m->record->state);
}

bool member_reachable(const struct member *m)
{
	return m->recorded && m->record->state != MEMBER_LEFT && m->opinion == OPINION_ALIVE;
}

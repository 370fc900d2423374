/* First contact: whether two nodes are of one cluster (replication.md part 6, "First contact"). */
#include "server/core/parts.h"

#include <string.h>

#include "server/core/digest.h"

bool contact_virgin(const struct horde *h)
{
	const struct entry *e = map_from(h->map, "", 0);
	char hex[ORIGIN_HEX_BYTES];

	if (!e)
		return true;
	origin_to_hex(h->config.node_id, hex);
	return family_of(e->key, e->key_bytes) == FAMILY_MEMBER &&
	       strcmp(key_rest(e->key), hex) == 0 && !map_after(h->map, e->key, e->key_bytes);
}

bool contact_hollow(const struct horde *h)
{
	if (h->heard || !h->config.joins || !contact_virgin(h))
		return false;
	for (size_t i = 0; i < h->link_count; i++)
		if (h->links[i].keep && !h->links[i].self)
			return true;
	return false;
}

static void adopt(struct horde *h, struct origin_id cluster_id)
{
	struct action *a;
	char hex[ORIGIN_HEX_BYTES];

	h->cluster_id = cluster_id;
	h->cluster_batch = h->batch;
	map_rekey(h->map, digest_key(cluster_id));
	a = act(h, ACTION_CLUSTER);
	if (a)
		a->cluster_id = cluster_id;
	origin_to_hex(cluster_id, hex);
	say(h, "cluster.id", h->config.cluster, "%s", hex);
}

/* Between two virgin stores the lesser id is kept, so that crossing hellos agree. */
static bool adopts(const struct horde *h, const struct hello *peer)
{
	if (origin_is_zero(peer->cluster_id))
		return false;
	if (origin_is_zero(h->cluster_id))
		return true;
	return contact_virgin(h) &&
	       (!peer->virgin || origin_compare(peer->cluster_id, h->cluster_id) < 0);
}

enum err contact_agree(struct horde *h, const struct hello *peer)
{
	if (strcmp(peer->cluster, h->config.cluster) != 0)
		return ERR_CLUSTER_MISMATCH;
	if (origin_equal(peer->cluster_id, h->cluster_id) || origin_is_zero(peer->cluster_id))
		return ERR_OK;
	if (adopts(h, peer)) {
		adopt(h, peer->cluster_id);
		return ERR_OK;
	}
	/* A virgin peer will adopt ours when it reads the answer. */
	return peer->virgin ? ERR_OK : ERR_CLUSTER_MISMATCH;
}

/* Every seed has answered that it has no id, or is this node: the least name makes it. */
void contact_found(struct horde *h)
{
	bool seeds = false;

	if (!origin_is_zero(h->cluster_id) || !h->begun)
		return;
	for (size_t i = 0; i < h->link_count; i++) {
		const struct link *l = &h->links[i];

		if (!l->keep)
			continue;
		seeds = true;
		if (l->self)
			continue;
		if (!l->none || strcmp(l->name, h->config.name) < 0)
			return;
	}
	if (!seeds && h->config.joins)
		return;
	adopt(h, h->config.new_cluster_id);
	h->heard = true; /* of a new cluster there is nothing to hear */
}

/* Another live node with the same name, or another life of the same node that still answers. */
static bool name_taken(struct horde *h, const struct hello *peer)
{
	const struct link *l;
	struct member *rival;

	if (strcmp(peer->name, h->config.name) == 0)
		return true;
	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];

		if (m->recorded && strcmp(m->record->name, peer->name) == 0 &&
			!origin_equal(m->node_id, peer->node_id) && m->opinion == OPINION_ALIVE &&
			m->record->state != MEMBER_LEFT)
			return true;
	}
	l = link_by_node(h, peer->node_id);
	if (!l || !link_polls(l) || origin_equal(l->incarnation, peer->incarnation) ||
		strcmp(l->url, peer->url) == 0)
		return false;
	rival = member_by_id(h, peer->node_id);
	if (rival)
		rival->rival_ms = h->now_ms;
	return true;
}

/* The present life of the peer has answered a poll; the next one is parked, with nothing to say. */
static bool answers(const struct link *l, const struct hello *peer)
{
	return link_polls(l) && !l->greeted && origin_equal(l->incarnation, peer->incarnation);
}

/* Its call is a sign of life; a new life of it has said no goodbye. */
static void said_hello(struct horde *h, struct link *l, const struct hello *peer)
{
	struct member *m = member_make(h, peer->node_id);
	struct member *old = member_by_id(h, l->node_id);

	if (old && old != m && old->refused_ms == 0)
		old->refused_ms = h->now_ms; /* another node lives at its address now */
	if (m && !origin_is_zero(l->incarnation) && strcmp(l->url, peer->url) != 0 &&
		!origin_equal(l->incarnation, peer->incarnation))
		m->rival_ms = h->now_ms; /* it moved, or this is a copy: the other may live on */
	if (m)
		member_greeted(h, m, peer->incarnation);
	l->called = true;
	/* It is there, so the first sync waits for what it knows; a parked poll has told that
	 * already. */
	if (!h->synced && !answers(l, peer))
		l->tried = false;
	l->node_id = peer->node_id;
	l->incarnation = peer->incarnation;
	memcpy(l->name, peer->name, sizeof(l->name));
}

enum err contact_hello(struct horde *h, const struct hello *peer)
{
	struct link *l;
	enum err err;
	bool greeting, polls;

	if (peer->protocol_min > PROTOCOL_VERSION || peer->protocol_max < PROTOCOL_VERSION)
		return ERR_PROTOCOL;
	if (origin_equal(peer->node_id, h->config.node_id))
		return origin_equal(peer->incarnation, h->config.incarnation) ? ERR_OK
									      : ERR_NAME_TAKEN;
	if (name_taken(h, peer))
		return ERR_NAME_TAKEN;
	err = contact_agree(h, peer);
	if (err != ERR_OK)
		return err;
	clock_receive(&h->clock, peer->clock, h->wall_ms);
	l = link_by_node(h, peer->node_id);
	if (!l) {
		err = link_join(h, peer->url, false);
		l = link_by_url(h, peer->url);
		if (!l)
			return err == ERR_OK ? ERR_LIMIT : err;
		l->once = false;
	}
	/* A poll that is parked at a former life of the peer may never end. */
	polls = link_polls(l) && origin_equal(l->incarnation, peer->incarnation);
	said_hello(h, l, peer);
	l->none = origin_is_zero(peer->cluster_id);
	greeting = l->state == LINK_GREETING && strcmp(l->url, peer->url) == 0;
	if (!polls && !greeting)            /* else crossing hellos would never end */
		link_anew(h, l, peer->url); /* it is there now: do not wait for the back-off */
	contact_found(h);
	return ERR_OK;
}

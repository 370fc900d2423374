/* Reading a node: what the shell and the handlers may ask. */
#include "server/core/parts.h"

#include <stdio.h>
#include <string.h>

const struct events *horde_events(const struct horde *h)
{
	return h->events;
}

const struct map *horde_map(const struct horde *h)
{
	return h->map;
}

struct map *horde_map_mutable(struct horde *h)
{
	return h->map;
}

const struct horde_config *horde_config(const struct horde *h)
{
	return &h->config;
}

uint64_t horde_clock(const struct horde *h)
{
	return h->clock.stamp;
}

void horde_hello(const struct horde *h, struct hello *ret_hello)
{
	*ret_hello = (struct hello){
		.cluster_id = h->cluster_id,
		.node_id = h->config.node_id,
		.incarnation = h->config.incarnation,
		.virgin = contact_virgin(h),
		.protocol_min = PROTOCOL_VERSION,
		.protocol_max = PROTOCOL_VERSION,
		.started = h->started,
		.clock = h->clock.stamp,
	};
	snprintf(ret_hello->cluster, sizeof(ret_hello->cluster), "%s", h->config.cluster);
	snprintf(ret_hello->name, sizeof(ret_hello->name), "%s", h->config.name);
	snprintf(ret_hello->url, sizeof(ret_hello->url), "%s", h->config.url);
}

struct readiness horde_readiness(const struct horde *h)
{
	return (struct readiness){
		.cluster = !origin_is_zero(h->cluster_id) && h->stored >= h->cluster_batch,
		.synced = h->synced,
		.storing = h->store_error == ERR_OK,
		.running = !h->stopping,
	};
}

const char *horde_silent_at(const struct horde *h, size_t index)
{
	bool hollow = contact_hollow(h);

	for (size_t i = 0; i < h->link_count && !h->synced; i++) {
		const struct link *l = &h->links[i];

		if ((!l->tried || l->taken || hollow) && !l->once && !l->self && !l->none &&
			index-- == 0)
			return l->url;
	}
	return NULL;
}

enum err horde_write_refused(const struct horde *h)
{
	if (h->stopping)
		return ERR_SHUTTING_DOWN;
	if (!h->synced)
		return ERR_NOT_READY;
	return h->store_error;
}

size_t horde_member_count(const struct horde *h)
{
	return h->member_count;
}

const struct member *horde_member_at(const struct horde *h, size_t index)
{
	return index < h->member_count ? &h->members[index] : NULL;
}

const struct member *horde_member_by_id(const struct horde *h, struct origin_id node_id)
{
	for (size_t i = 0; i < h->member_count; i++)
		if (origin_equal(h->members[i].node_id, node_id))
			return &h->members[i];
	return NULL;
}

const struct member *horde_member_by_name(const struct horde *h, const char *name)
{
	const struct member *gone = NULL;

	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];

		if (!m->recorded || strcmp(m->record->name, name) != 0)
			continue;
		if (member_reachable(m))
			return m;
		gone = gone ? gone : m;
	}
	return gone;
}

const char *horde_member_name(const struct horde *h, struct origin_id node_id)
{
	const struct member *m = horde_member_by_id(h, node_id);

	return m && m->recorded ? m->record->name : "?";
}

struct quorum horde_quorum(const struct horde *h)
{
	struct quorum q = {0};
	bool first_alive = false;

	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];

		if (!m->recorded || m->record->state == MEMBER_LEFT)
			continue;
		if (q.total == 0)
			first_alive = member_reachable(m);
		q.total++;
		q.alive += member_reachable(m);
	}
	q.has = 2 * q.alive + (q.total % 2 == 0 && first_alive ? 1 : 0) > q.total;
	return q;
}

enum link_result horde_link_result(const struct horde *h, const char *url, enum err *ret_err)
{
	for (size_t i = 0; i < h->link_count; i++) {
		const struct link *l = &h->links[i];

		if (strcmp(l->url, url) != 0)
			continue;
		if (l->joined)
			return LINK_JOINED;
		if (l->error == ERR_OK)
			return LINK_PENDING;
		*ret_err = l->error;
		return LINK_FAILED;
	}
	*ret_err = ERR_LIMIT;
	return LINK_FAILED;
}

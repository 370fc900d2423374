/* How far back the kill log goes, the chains of origins, and the change to a fresh origin. */
#include "server/core/replica.h"

#include <assert.h>

#include "server/core/naive.h"

uint64_t map_floor(const struct map *m, struct origin_id origin)
{
	const struct history *h = replica_find_history(m, origin);

	return h ? h->floor : 0;
}

uint64_t map_chain(const struct map *m, struct dot at)
{
	const struct history *h = replica_find_history(m, at.origin);

	return h ? history_chain(h, at.seq) : 0;
}

size_t map_kills(const struct map *m)
{
	return m->kills;
}

/* What the floor of `h` may rise to, or 0 when that drops no record. */
static uint64_t floor_for(const struct history *h, uint64_t stable)
{
	uint64_t floor = stable < h->count ? stable : h->count;

	return history_kill_after(h, floor) > h->kill_first ? floor : 0;
}

/* The naive way: a client that has not seen the records gets no digest instead. */
static void forget_records(struct map *m, struct history *h, uint64_t floor)
{
	uint64_t before = h->floor;

	replica_cut(m, h, floor);
	h->floor = before;
}

enum err map_truncate(struct map *m, const struct vector *stable, struct changes *changes)
{
	enum err e;

	if (m->streams > 0 || m->kills == 0)
		return ERR_OK;
	e = changes_reserve(changes, stable->used);
	for (size_t i = 0; e == ERR_OK && i < stable->used && m->kills > 0; i++) {
		struct history *h = replica_find_history(m, stable->items[i].origin);
		uint64_t floor = h ? floor_for(h, stable->items[i].count) : 0;

		if (floor == 0)
			continue;
		if (NAIVE(NOFLOOR)) {
			forget_records(m, h, floor);
			continue;
		}
		replica_cut(m, h, floor);
		changes_add_vector(changes, h);
	}
	return e;
}

enum err map_renew(struct map *m, struct origin_id fresh)
{
	struct history *h = replica_history(m, fresh);

	if (!h)
		return ERR_NO_MEMORY;
	assert(h->count == 0);
	m->self = h;
	m->self_id = fresh;
	return ERR_OK;
}

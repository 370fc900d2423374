/*
 * What members have on disk (replication.md part 6, "Acks"), and what that allows to forget:
 * kill records that all of them have applied, and, on the wire, origins on whose final count all
 * agree (1.7).
 */
#include "server/core/parts.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static bool is_configured(const struct member *m)
{
	return m->recorded && m->record->state != MEMBER_LEFT;
}

/* ---- this node's disk ---- */

/* When there are too many, the last one takes the next one's number: known stored a bit later. */
void acks_cut(struct horde *h, uint64_t batch)
{
	struct cut cut = {batch, map_last_dot(h->map).seq};

	if (h->cut_count == CUTS_MAX)
		h->cut_count--;
	h->cuts[h->cut_count++] = cut;
}

void acks_stored(struct horde *h, uint64_t batch)
{
	size_t done = 0;

	while (done < h->cut_count && h->cuts[done].batch <= batch)
		h->stored_seq = h->cuts[done++].seq;
	h->cut_count -= done;
	memmove(h->cuts, h->cuts + done, h->cut_count * sizeof(*h->cuts));
	if (done > 0)
		act(h, ACTION_ACKED);
}

/* ---- the others' ---- */

/* Is there anything to forget: a kill record, or an origin that no member has any more? */
static bool has_old(const struct horde *h)
{
	return map_kills(h->map) > 0 || map_vector(h->map)->used > h->member_count ||
	       h->retired.used > 0;
}

void acks_changed(struct horde *h)
{
	if (has_old(h) && h->truncate_ms > h->now_ms + TRUNCATE_MS)
		h->truncate_ms = h->now_ms + TRUNCATE_MS;
}

/* `kept` becomes what was `said`; without memory it stays, until it is said again. */
static bool replace(struct vector *kept, const struct vector *said)
{
	size_t bytes = said->used * sizeof(*said->items);
	struct vector copy = VECTOR_INIT;

	if (kept->used == said->used &&
		(bytes == 0 || memcmp(kept->items, said->items, bytes) == 0))
		return false;
	if (vector_copy(said, &copy) != ERR_OK)
		return false;
	vector_fini(kept);
	*kept = copy;
	return true;
}

void acks_received(struct horde *h, struct member *m, const struct poll *p)
{
	replace(&m->known, &p->after);
	if (!replace(&m->ack, &p->ack))
		return;
	act(h, ACTION_ACKED);
	acks_changed(h);
}

static bool on_disk(const struct horde *h, const struct member *m, struct dot d)
{
	if (!m->self)
		return vector_has(&m->ack, d);
	return !origin_equal(d.origin, h->config.incarnation) || d.seq <= h->stored_seq;
}

size_t horde_replicated(const struct horde *h, struct dot d, size_t *ret_members)
{
	size_t count = 0;

	*ret_members = 0;
	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];

		if (!is_configured(m))
			continue;
		(*ret_members)++;
		count += on_disk(h, m, d);
	}
	return count;
}

/* Also of one that has no record yet: what it is told before that is not told again. */
bool acks_wanted(const struct horde *h)
{
	struct dot last = {h->config.incarnation, h->ack_seq};

	for (size_t i = 0; h->ack_seq > 0 && i < h->member_count; i++) {
		const struct member *m = &h->members[i];
		bool left = m->recorded && m->record->state == MEMBER_LEFT;

		if (!m->self && !left && !on_disk(h, m, last))
			return true;
	}
	return false;
}

/* ---- the kill log ---- */

/* What all configured members have on disk, of what is known here. Fills an empty vector. */
static enum err find_stable(const struct horde *h, struct vector *ret_stable)
{
	const struct vector *known = map_vector(h->map);
	enum err e = ERR_OK;

	for (size_t i = 0; i < known->used && e == ERR_OK; i++) {
		uint64_t least = known->items[i].count;

		for (size_t k = 0; k < h->member_count; k++) {
			const struct member *m = &h->members[k];
			uint64_t count = vector_get(&m->ack, known->items[i].origin);

			if (is_configured(m) && !m->self && count < least)
				least = count;
		}
		e = vector_raise(ret_stable, known->items[i].origin, least);
	}
	return e;
}

static void forget_age(struct horde *h)
{
	vector_fini(&h->ages[0].upto);
	h->age_count--;
	memmove(h->ages, h->ages + 1, h->age_count * sizeof(*h->ages));
}

/* Marks what is known now, so that in a while it is known to be old. */
static void mark_age(struct horde *h)
{
	int64_t every_ms = h->config.kill_log_age_ms / AGES_MAX;
	int64_t last_ms = h->age_count ? h->ages[h->age_count - 1].at_ms : INT64_MIN / 2;
	struct age *age;

	if (map_kills(h->map) == 0 || h->now_ms - last_ms < every_ms)
		return;
	if (h->age_count == AGES_MAX)
		forget_age(h);
	age = &h->ages[h->age_count];
	*age = (struct age){.at_ms = h->now_ms};
	if (vector_copy(map_vector(h->map), &age->upto) == ERR_OK)
		h->age_count++;
}

static bool is_old(const struct horde *h)
{
	return h->age_count > 0 && h->now_ms - h->ages[0].at_ms >= h->config.kill_log_age_ms;
}

static bool is_over(const struct horde *h)
{
	return map_kills(h->map) > h->config.kill_log_max;
}

/* The older half of what is left of each origin. */
static enum err halve(struct horde *h)
{
	const struct vector *known = map_vector(h->map);
	struct vector upto = VECTOR_INIT;
	enum err e = ERR_OK;

	for (size_t i = 0; i < known->used && e == ERR_OK; i++) {
		uint64_t floor = map_floor(h->map, known->items[i].origin);
		uint64_t above = known->items[i].count - floor;

		e = vector_raise(&upto, known->items[i].origin, floor + (above + 1) / 2);
	}
	if (e == ERR_OK)
		e = map_truncate(h->map, &upto, &h->out->changes);
	vector_fini(&upto);
	return e;
}

/* A member that does not acknowledge keeps the log from shrinking: it is bounded all the same. */
static void enforce_limits(struct horde *h)
{
	size_t before;

	while (h->age_count > 0 && (is_old(h) || is_over(h))) {
		if (map_truncate(h->map, &h->ages[0].upto, &h->out->changes) != ERR_OK)
			return;
		forget_age(h);
	}
	do {
		before = map_kills(h->map);
	} while (is_over(h) && halve(h) == ERR_OK && map_kills(h->map) < before);
}

/* ---- retired origins ---- */

static bool is_in_use(const struct horde *h, struct origin_id origin)
{
	for (size_t i = 0; i < h->member_count; i++)
		if (origin_equal(h->members[i].incarnation, origin) ||
			origin_equal(h->members[i].present, origin))
			return true;
	return origin_equal(h->config.incarnation, origin);
}

static bool all_agree(const struct horde *h, const struct vector_item *item)
{
	for (size_t i = 0; i < h->member_count; i++) {
		const struct member *m = &h->members[i];

		if (is_configured(m) && !m->self &&
			vector_get(&m->ack, item->origin) != item->count)
			return false;
	}
	return true;
}

/* The table only speaks of what all have on disk, so each node comes to the same one. */
static enum err retire(struct horde *h)
{
	const struct vector *known = map_vector(h->map);
	struct vector table = VECTOR_INIT;
	enum err e = ERR_OK;

	for (size_t i = 0; i < known->used && e == ERR_OK; i++)
		if (!is_in_use(h, known->items[i].origin) && all_agree(h, &known->items[i]))
			e = vector_raise(&table, known->items[i].origin, known->items[i].count);
	if (e != ERR_OK) {
		vector_fini(&table);
		return e;
	}
	vector_fini(&h->retired);
	h->retired = table;
	h->retired_hash =
		table.used ? XXH3_64bits(table.items, table.used * sizeof(*table.items)) : 0;
	return ERR_OK;
}

static enum err forget_stable(struct horde *h)
{
	struct vector stable = VECTOR_INIT;
	enum err e = ERR_OK;

	if (map_kills(h->map) > 0)
		e = find_stable(h, &stable);
	if (e == ERR_OK)
		e = map_truncate(h->map, &stable, &h->out->changes);
	vector_fini(&stable);
	return e;
}

void acks_tick(struct horde *h)
{
	enum err forgotten, retired;

	if (h->now_ms < h->truncate_ms && !is_over(h))
		return;
	h->truncate_ms = INT64_MAX;
	forgotten = forget_stable(h);
	enforce_limits(h);
	mark_age(h);
	retired = retire(h);
	if (map_kills(h->map) > 0) /* they get older by themselves */
		h->truncate_ms = h->now_ms + TRUNCATE_MS + h->config.kill_log_age_ms / AGES_MAX;
	if (forgotten != ERR_OK || retired != ERR_OK) /* without memory */
		h->truncate_ms = h->now_ms + TRUNCATE_MS;
}

void acks_fini(struct horde *h)
{
	while (h->age_count > 0)
		forget_age(h);
	vector_fini(&h->retired);
	for (size_t i = 0; i < h->member_count; i++) {
		vector_fini(&h->members[i].ack);
		vector_fini(&h->members[i].known);
	}
}

#include "server/core/fragment.h"

#include <stdlib.h>

#include "server/core/replica.h"

void fragment_fini(struct fragment *f)
{
	for (size_t i = 0; i < f->put_count && !f->borrowed; i++) {
		free(f->puts[i].key);
		free(f->puts[i].value);
		record_free(f->puts[i].record);
	}
	free(f->ranges);
	free(f->puts);
	free(f->kills);
	free(f->checks);
	free(f->alive);
	vector_fini(&f->floors);
	vector_fini(&f->vector);
	*f = (struct fragment){0};
}

/* Counts what the events of `h` after `after` are in a fragment. */
static void measure(const struct history *h, uint64_t after, struct fragment *f)
{
	if (h->count <= after)
		return;
	f->range_count++;
	f->kill_count += h->kill_used - history_kill_after(h, after);
	for (size_t i = history_slot_after(h, after); i < h->slot_used; i++)
		f->put_count += h->slots[i].live != NULL;
}

static void copy_put(struct fragment *f, const struct live *l)
{
	f->puts[f->put_count++] = (struct fragment_put){
		.dot = l->entry.dot,
		.clock = l->entry.clock,
		.key = (char *)l->entry.key,
		.key_bytes = l->entry.key_bytes,
		.value = (char *)l->entry.value,
		.value_bytes = l->entry.value_bytes,
		.record = l->record,
	};
}

static void copy_events(const struct history *h, uint64_t after, struct fragment *f)
{
	if (h->count <= after)
		return;
	f->ranges[f->range_count++] =
		(struct fragment_range){.origin = h->origin, .after = after, .upto = h->count};
	for (size_t i = history_slot_after(h, after); i < h->slot_used; i++) {
		if (h->slots[i].live)
			copy_put(f, h->slots[i].live);
	}
	for (size_t i = history_kill_after(h, after); i < h->kill_used; i++) {
		const struct kill *k = &h->kills[i];

		f->kills[f->kill_count++] = (struct fragment_kill){
			{h->origin, k->seq}, {k->victim->origin, k->victim_seq}};
	}
}

/* Room for the counts in `f`, which then start again from 0. */
static enum err make_room(struct fragment *f)
{
	/* One more of each, since an allocation of nothing may return NULL. */
	f->ranges = malloc((f->range_count + 1) * sizeof(*f->ranges));
	f->puts = malloc((f->put_count + 1) * sizeof(*f->puts));
	f->kills = malloc((f->kill_count + 1) * sizeof(*f->kills));
	f->range_count = f->put_count = f->kill_count = 0;
	return f->ranges && f->puts && f->kills ? ERR_OK : ERR_NO_MEMORY;
}

enum err map_difference(const struct map *m, const struct vector *after, struct fragment *ret)
{
	struct fragment f = {.from = m->self_id, .borrowed = true, .digest = m->digest};

	if (vector_copy(&m->vector, &f.vector) != ERR_OK)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < m->used; i++)
		measure(m->histories[i], vector_get(after, m->histories[i]->origin), &f);
	f.mode = f.range_count > 0 ? FRAGMENT_FULL : FRAGMENT_TICK;
	if (make_room(&f) != ERR_OK) {
		fragment_fini(&f);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < m->used; i++)
		copy_events(m->histories[i], vector_get(after, m->histories[i]->origin), &f);
	*ret = f;
	return ERR_OK;
}

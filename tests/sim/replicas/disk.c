/* The store of a replica: rows in memory, in the order of their commit, made from the changes
 * alone. */
#include "tests/sim/replicas/parts.h"

#include <stdlib.h>
#include <string.h>

static void disk_reserve(struct disk *d, size_t extra)
{
	if (d->used + extra <= d->size)
		return;
	while (d->size < d->used + extra)
		d->size = d->size ? 2 * d->size : 512;
	d->rows = realloc(d->rows, d->size * sizeof(*d->rows));
	if (!d->rows)
		abort();
}

void disk_copy(struct disk *to, const struct disk *from)
{
	to->used = 0;
	disk_reserve(to, from->used);
	if (from->used)
		memcpy(to->rows, from->rows, from->used * sizeof(*from->rows));
	to->used = from->used;
}

void disk_lose(struct world *w, struct disk *d, unsigned keep_percent)
{
	size_t least = d->used * keep_percent / 100;

	d->used = least + below(w, d->used - least + 1);
	while (d->used > 0 && !d->rows[d->used - 1].last)
		d->used--;
}

void disk_commit(struct world *w, struct disk *d, const struct changes *changes)
{
	char room[ENTRY_ROOM];

	disk_reserve(d, changes->used);
	for (size_t i = 0; i < changes->used; i++) {
		const struct change *c = &changes->items[i];
		struct row *row = &d->rows[d->used++];

		*row = (struct row){.kind = c->kind, .last = i + 1 == changes->used};
		if (c->kind == CHANGE_VECTOR) {
			row->event = past_number(&w->past, c->dot.origin);
			row->count = (unsigned)c->dot.seq;
			row->floor = (unsigned)c->floor;
			row->chain = c->chain;
		} else if (c->kind == CHANGE_KILL) {
			row->event = past_find(&w->past, c->dot);
			row->victim = past_find(&w->past, c->victim);
		} else {
			row->event = past_find_text(&w->past, c->dot, entry_text(c->entry, room));
		}
		if (row->event == 0 && c->kind != CHANGE_VECTOR)
			fail(w, "a change names an event that never was");
	}
}

static void load_entry(struct map *m, const struct past *e)
{
	const char *key = past_key(e->key);
	struct record *record = e->record ? record_dup(e->record) : NULL;

	must(map_load_entry(
		m, e->dot, e->clock, key, strlen(key), e->value, e->value_bytes, record));
}

/* The rows as they stand after the last one: entries by their last row, vectors too. */
void disk_load(struct world *w, const struct disk *d, struct map *m)
{
	static unsigned char there[EVENTS_MAX];
	const struct row *vectors[ORIGINS_MAX] = {0};

	for (size_t i = 0; i < d->used; i++) {
		const struct row *row = &d->rows[i];

		if (row->kind == CHANGE_VECTOR)
			vectors[row->event] = row;
		else if (row->kind != CHANGE_KILL)
			there[row->event] = row->kind == CHANGE_PUT;
	}
	for (size_t i = 0; i < d->used; i++) {
		const struct row *row = &d->rows[i];
		const struct past *e = &w->past.events[row->event];

		if (row->kind == CHANGE_PUT && there[row->event]) {
			there[row->event] = 0;
			load_entry(m, e);
		} else if (row->kind == CHANGE_KILL && e->dot.seq > vectors[e->origin]->floor) {
			must(map_load_kill(m, e->dot, w->past.events[row->victim].dot));
		}
	}
	for (unsigned o = 0; o < w->past.origin_count; o++)
		if (vectors[o])
			must(map_load_vector(m, w->past.origins[o].id, vectors[o]->count,
				vectors[o]->floor, vectors[o]->chain));
}

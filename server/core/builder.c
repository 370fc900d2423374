#include "server/core/builder.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/naive.h"

void builder_init(struct builder *b, const struct map *m)
{
	*b = (struct builder){.f = {.from = m->self_id, .borrowed = true}};
}

void builder_sign(struct builder *b, const struct map *m)
{
	b->f.digest = m->digest;
	if (vector_copy(&m->vector, &b->f.vector) != ERR_OK)
		b->failed = true;
}

/* Room for one more; NULL when there is no memory. */
static void *grow(struct builder *b, void *items, size_t used, size_t *size, size_t item_bytes)
{
	size_t wanted = *size ? 2 * *size : 4;
	void *grown;

	if (used < *size)
		return items;
	grown = realloc(items, wanted * item_bytes);
	if (grown)
		*size = wanted;
	else
		b->failed = true;
	return grown;
}

/* Appends `item` to the array `name` of the fragment, when there is memory. */
#define APPEND(b, name, count, size, item)                                                         \
	do {                                                                                       \
		void *grown =                                                                      \
			grow(b, (b)->f.name, (b)->f.count, &(b)->size, sizeof(*(b)->f.name));      \
                                                                                                   \
		if (grown) {                                                                       \
			(b)->f.name = grown;                                                       \
			(b)->f.name[(b)->f.count++] = item;                                        \
		}                                                                                  \
	} while (0)

void builder_range(struct builder *b, const struct history *h, uint64_t after, uint64_t upto)
{
	struct fragment_range r = {.origin = h->origin,
		.after = after,
		.upto = upto,
		.chain_after = history_chain(h, after),
		.chain_upto = history_chain(h, upto)};

	APPEND(b, ranges, range_count, range_size, r);
}

/* What is kept in another form than its text is made for the put. */
static void make_value(struct builder *b, const struct entry *e, struct fragment_put *p)
{
	char room[ENTRY_ROOM];

	p->made = true;
	p->value = malloc(e->value_bytes + 1);
	p->record = entry_record_dup(e);
	if (!p->value || !p->record)
		b->failed = true;
	else
		memcpy(p->value, entry_text(e, room), e->value_bytes + 1);
}

void builder_put(struct builder *b, const struct entry *e)
{
	struct fragment_put p = {
		.dot = entry_dot(e),
		.clock = e->clock,
		.key = (char *)e->key,
		.key_bytes = e->key_bytes,
		.value_bytes = e->value_bytes,
	};
	size_t before = b->f.put_count;

	if (e->form) {
		make_value(b, e, &p);
	} else {
		p.value = (char *)entry_text(e, NULL);
		p.record = (struct record *)e->record;
	}
	APPEND(b, puts, put_count, put_size, p);
	if (p.made && b->f.put_count == before) {
		free(p.value);
		record_free(p.record);
	}
}

static void add_kill(struct builder *b, const struct history *h, const struct kill *k)
{
	struct fragment_kill kill = {{h->origin, k->seq}, {k->victim->origin, k->victim_seq}};

	APPEND(b, kills, kill_count, kill_size, kill);
}

void builder_events(struct builder *b, const struct history *h, uint64_t after, uint64_t upto,
	const struct vector *known)
{
	for (size_t i = history_slot_after(h, after);
		i < h->slot_used && h->slots[i].seq <= upto && !b->failed; i++)
		if (h->slots[i].live)
			builder_put(b, h->slots[i].live);
	for (size_t i = history_kill_after(h, after);
		i < h->kill_used && h->kills[i].seq <= upto && !b->failed; i++) {
		struct dot victim = {h->kills[i].victim->origin, h->kills[i].victim_seq};

		if (!NAIVE(FILTER) || vector_has(known, victim))
			add_kill(b, h, &h->kills[i]);
	}
}

void builder_check(struct builder *b, const struct history *h, uint64_t after, uint64_t upto)
{
	struct fragment_check c = {
		.origin = h->origin, .after = after, .upto = upto, .first = b->f.alive_count};

	APPEND(b, checks, check_count, check_size, c);
}

void builder_alive(struct builder *b, uint64_t seq)
{
	if (b->failed)
		return;
	APPEND(b, alive, alive_count, alive_size, seq);
	if (!b->failed)
		b->f.checks[b->f.check_count - 1].count++;
}

void builder_floor(struct builder *b, const struct history *h, uint64_t after)
{
	if (after < h->floor && vector_raise(&b->f.floors, h->origin, h->floor) != ERR_OK)
		b->failed = true;
}

enum err builder_end(struct builder *b, struct fragment *ret)
{
	if (b->failed) {
		fragment_fini(&b->f);
		return ERR_NO_MEMORY;
	}
	*ret = b->f;
	return ERR_OK;
}

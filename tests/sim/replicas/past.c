#include "tests/sim/replicas/past.h"

#include <stdlib.h>
#include <string.h>

static void *more(void *items, size_t used, size_t *size, size_t bytes)
{
	if (used < *size)
		return items;
	while (*size <= used)
		*size = *size ? 2 * *size : 256;
	items = realloc(items, *size * bytes);
	if (!items)
		abort();
	return items;
}

void past_reset(struct history_of_all *h)
{
	if (!h->events)
		h->events = calloc(EVENTS_MAX, sizeof(*h->events));
	if (!h->events)
		abort();
	for (size_t i = 1; i < h->used; i++)
		record_free(h->events[i].record);
	for (unsigned i = 0; i < h->origin_count; i++)
		h->origins[i].used = 0;
	h->used = 1;
	h->origin_count = 0;
	h->pool_used = 1; /* place 0 ends the lists of killers */
}

void past_fini(struct history_of_all *h)
{
	past_reset(h);
	for (unsigned i = 0; i < ORIGINS_MAX; i++)
		free(h->origins[i].events);
	free(h->events);
	free(h->pool);
	*h = (struct history_of_all){0};
}

unsigned past_origin(struct history_of_all *h, uint64_t random)
{
	unsigned number = h->origin_count++;

	if (number >= ORIGINS_MAX)
		abort();
	h->origins[number].id = (struct origin_id){random, number + 1};
	return number;
}

unsigned past_number(const struct history_of_all *h, struct origin_id id)
{
	uint64_t number = id.lo - 1;

	if (number >= h->origin_count || h->origins[number].id.hi != id.hi)
		return ORIGINS_MAX;
	return (unsigned)number;
}

unsigned past_find(const struct history_of_all *h, struct dot d)
{
	unsigned o = past_number(h, d.origin);

	if (o == ORIGINS_MAX || d.seq == 0 || d.seq > h->origins[o].used)
		return 0;
	return h->origins[o].events[d.seq - 1];
}

unsigned past_find_text(const struct history_of_all *h, struct dot d, const char *value)
{
	unsigned event = past_find(h, d);

	while (event && (!h->events[event].put || strcmp(h->events[event].value, value) != 0))
		event = h->events[event].twin;
	return event;
}

static unsigned *pool(struct history_of_all *h, size_t count)
{
	unsigned *first;

	h->pool = more(h->pool, h->pool_used + count, &h->pool_size, sizeof(*h->pool));
	first = h->pool + h->pool_used;
	h->pool_used += count;
	return first;
}

unsigned past_add(struct history_of_all *h, struct dot d, unsigned origin, const unsigned *known)
{
	struct lifetime *life = &h->origins[origin];
	unsigned event = (unsigned)h->used++, first = past_find(h, d);
	struct past *e;

	if (event >= EVENTS_MAX)
		abort();
	e = &h->events[event];
	*e = (struct past){.dot = d, .origin = origin};
	e->before = (unsigned)h->pool_used;
	e->before_count = h->origin_count;
	memcpy(pool(h, h->origin_count), known, h->origin_count * sizeof(*known));
	e->kills = (unsigned)h->pool_used;
	if (first) {
		e->twin = h->events[first].twin;
		h->events[first].twin = event;
		return event;
	}
	life->events = more(life->events, life->used, &life->size, sizeof(*life->events));
	life->events[life->used++] = event;
	return event;
}

void past_add_kill(struct history_of_all *h, unsigned event, unsigned victim)
{
	*pool(h, 1) = victim;
	h->events[event].kill_count++;
}

void past_link_kills(struct history_of_all *h, unsigned event)
{
	struct past *e = &h->events[event];

	for (unsigned i = 0; i < e->kill_count; i++) {
		struct past *victim = &h->events[h->pool[e->kills + i]];
		unsigned *place = pool(h, 2);

		place[0] = event;
		place[1] = victim->killer;
		victim->killer = (unsigned)(place - h->pool);
	}
}

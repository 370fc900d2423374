/* Fragments and block sums that outlive the map they were made from. */
#include "tests/sim/replicas/parts.h"

#include <stdlib.h>
#include <string.h>

static void *copy_of(const void *items, size_t count, size_t bytes)
{
	void *copy = malloc(count * bytes + 1);

	if (!copy)
		abort();
	if (count)
		memcpy(copy, items, count * bytes);
	return copy;
}

static char *text_of(const char *text, size_t bytes)
{
	char *copy = copy_of(text, bytes + 1, 1);

	return copy;
}

static void own_put(struct fragment_put *p)
{
	p->key = text_of(p->key, p->key_bytes);
	if (p->made)
		return;
	p->value = text_of(p->value, p->value_bytes);
	if (!p->record)
		return;
	p->record = record_dup(p->record);
	if (!p->record)
		abort();
}

static void unmake(struct fragment_put *p)
{
	free(p->value);
	record_free(p->record);
	p->made = false;
}

void fragment_settle(struct world *w, struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++) {
		struct fragment_put *p = &f->puts[i];
		unsigned event = past_find_text(&w->past, p->dot, p->value);
		struct past *e = &w->past.events[event];

		if (event == 0 || strcmp(past_key(e->key), p->key) != 0 || e->clock != p->clock) {
			fail(w, "a fragment carries an entry that never was");
			f->put_count = i;
			break;
		}
		if (w->faults.owned_texts) {
			own_put(p);
			continue;
		}
		if (p->made)
			unmake(p);
		p->key = (char *)past_key(e->key);
		p->value = e->value;
		p->record = e->record;
	}
	f->borrowed = !w->faults.owned_texts;
}

void fragment_copy(const struct fragment *f, struct fragment *ret)
{
	*ret = *f;
	ret->ranges = copy_of(f->ranges, f->range_count, sizeof(*f->ranges));
	ret->puts = copy_of(f->puts, f->put_count, sizeof(*f->puts));
	ret->kills = copy_of(f->kills, f->kill_count, sizeof(*f->kills));
	ret->checks = copy_of(f->checks, f->check_count, sizeof(*f->checks));
	ret->alive = copy_of(f->alive, f->alive_count, sizeof(*f->alive));
	ret->floors = ret->vector = (struct vector)VECTOR_INIT;
	must(vector_copy(&f->floors, &ret->floors));
	must(vector_copy(&f->vector, &ret->vector));
	for (size_t i = 0; !f->borrowed && i < f->put_count; i++) {
		ret->puts[i].made = false;
		own_put(&ret->puts[i]);
	}
}

void blocks_copy(const struct block_sums *b, struct block_sums *ret)
{
	*ret = *b;
	ret->runs = copy_of(b->runs, b->run_count, sizeof(*b->runs));
	ret->sums = copy_of(b->sums, b->sum_count, sizeof(*b->sums));
}

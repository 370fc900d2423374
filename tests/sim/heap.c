/* Chance, the trace, and the heap of what will happen. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t chance(struct world *w)
{
	uint64_t x = w->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	w->random = x;
	return x * 0x2545F4914F6CDD1Dull;
}

uint64_t below(struct world *w, uint64_t limit)
{
	return (chance(w) >> 16) % limit;
}

bool percent(struct world *w, unsigned p)
{
	return below(w, 100) < p;
}

void mix(struct world *w, uint64_t value)
{
	uint64_t pair[2] = {w->hash, value};

	w->hash = XXH3_64bits(pair, sizeof(pair));
}

void tracef(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace)
		return;
	printf("%8lld ", (long long)w->now_ms);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void fail(struct world *w, const char *format, ...)
{
	va_list args;
	int count;

	if (w->failure[0])
		return;
	count = snprintf(w->failure, sizeof(w->failure), "at %lld ms: ", (long long)w->now_ms);
	va_start(args, format);
	vsnprintf(w->failure + count, sizeof(w->failure) - (size_t)count, format, args);
	va_end(args);
	tracef(w, "FAILED %s", w->failure);
}

static bool earlier(const struct happening *a, const struct happening *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct world *w, size_t a, size_t b)
{
	struct happening *t = w->heap[a];

	w->heap[a] = w->heap[b];
	w->heap[b] = t;
}

static void push(struct world *w, struct happening *e)
{
	size_t i = w->heap_used++;

	if (w->heap_used > w->heap_size) {
		w->heap_size = w->heap_size ? 2 * w->heap_size : 64;
		w->heap = realloc(w->heap, w->heap_size * sizeof(*w->heap));
		if (!w->heap)
			abort();
	}
	e->order = ++w->order;
	w->heap[i] = e;
	for (; i > 0 && earlier(w->heap[i], w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(w, i, (i - 1) / 2);
}

static struct happening *take_free(struct world *w)
{
	struct happening *e = w->free;

	if (!e)
		e = malloc(sizeof(*e));
	else
		w->free = e->next_free;
	if (!e)
		abort();
	return e;
}

/* The entry may still be filled: only its time, which is set, orders it. */
struct happening *schedule(struct world *w, int64_t in_ms, enum what what, int node)
{
	struct happening *e = take_free(w);

	*e = (struct happening){
		.at_ms = w->now_ms + (in_ms > 0 ? in_ms : 0),
		.what = what,
		.node = node,
		.peer = -1,
		.life = w->nodes[node].life,
	};
	push(w, e);
	return e;
}

void postpone(struct world *w, struct happening *e, int64_t at_ms)
{
	e->at_ms = at_ms;
	push(w, e);
}

struct happening *next_happening(struct world *w)
{
	struct happening *first;
	size_t i = 0;

	if (w->heap_used == 0)
		return NULL;
	first = w->heap[0];
	w->heap[0] = w->heap[--w->heap_used];
	for (;;) {
		size_t least = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < w->heap_used; c++)
			if (earlier(w->heap[c], w->heap[least]))
				least = c;
		if (least == i)
			return first;
		swap(w, i, least);
		i = least;
	}
}

void happening_free(struct world *w, struct happening *e)
{
	free(e->bytes);
	vector_fini(&e->asked);
	e->next_free = w->free;
	w->free = e;
}

void heap_fini(struct world *w)
{
	while (w->heap_used > 0)
		happening_free(w, w->heap[--w->heap_used]);
	while (w->free) {
		struct happening *e = w->free;

		w->free = e->next_free;
		free(e);
	}
	free(w->heap);
	w->heap = NULL;
	w->heap_size = 0;
}

/*
 * Who may start now. A node that takes over a thousand heavy programs starts a few at a time; the
 * others stand in a queue, and nobody who may start is overtaken. What is starting is counted by
 * what its process is, so that no end of a start can be missed.
 */
#include "server/core/parts.h"

/* Until it runs or, when its spec says what that means, until it is ready. */
static bool is_starting(const struct child *c)
{
	return c->process == PROCESS_STARTING ||
	       (c->process == PROCESS_RUNNING && c->health && !c->health->ready);
}

/* How many more may start. */
static uint32_t room(const struct horde *h)
{
	return h->starting < h->config.start_parallel ? h->config.start_parallel - h->starting : 0;
}

/* Looks at those for whom there is room. */
static void wake(struct horde *h)
{
	struct child *c = h->queue_first;

	for (uint32_t left = room(h); c && left > 0; left--, c = c->queue_next)
		child_mark_it(h, c);
}

static void enter(struct horde *h, struct child *c)
{
	c->queued = true;
	c->queue_next = NULL;
	c->queue_previous = h->queue_last;
	if (h->queue_last)
		h->queue_last->queue_next = c;
	else
		h->queue_first = c;
	h->queue_last = c;
}

static void leave(struct horde *h, struct child *c)
{
	c->queued = false;
	if (c->queue_previous)
		c->queue_previous->queue_next = c->queue_next;
	else
		h->queue_first = c->queue_next;
	if (c->queue_next)
		c->queue_next->queue_previous = c->queue_previous;
	else
		h->queue_last = c->queue_previous;
	wake(h);
}

void starts_count(struct horde *h, struct child *c)
{
	bool starting = is_starting(c);

	if (starting == c->starting)
		return;
	c->starting = starting;
	if (starting) {
		h->starting++;
		return;
	}
	h->starting--;
	wake(h);
}

bool starts_turn(struct horde *h, struct child *c, bool may_start)
{
	const struct child *first = h->queue_first;

	if (c->queued && !may_start)
		leave(h, c);
	if (!may_start || h->config.start_parallel == 0)
		return may_start;
	if (!c->queued)
		enter(h, c);
	first = h->queue_first;
	for (uint32_t left = room(h); left > 0; left--, first = first->queue_next)
		if (first == c)
			return true;
	return false;
}

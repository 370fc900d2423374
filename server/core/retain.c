/*
 * How long the record of a child that has finished is kept. Whoever would clear its records if it
 * were deleted removes its spec, by the wall clock, which all nodes and all their lives share.
 * Times are rounded up to whole seconds, so that those that end together are removed together.
 */
#include "server/core/view.h"

#define SECOND_MS 1000

/* Its end is written down: not that of an earlier life, and nothing has begun since. */
static bool is_told(const struct horde *h, const struct child *c, const struct view *v)
{
	if (c->process != PROCESS_NONE || !view_finished(c, v) || !v->status)
		return false;
	return v->status->state == CHILD_EXITED &&
	       (v->assigned != ASSIGNED_HERE || view_status_right(h, c, v));
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* By the wall clock of the node that wrote it; without its trail, the last that is known. */
static int64_t ended_ms(const struct view *v)
{
	const struct transition *last = trail_last(&v->status->trail);

	if (last)
		return last->at_ms;
	return later(v->status->last_exit.at_ms, v->assign ? v->assign->at_ms : 0);
}

/* How much longer it is kept; a time that nobody will see is none of a second more. */
static int64_t left_ms(const struct horde *h, const struct view *v)
{
	int64_t due_ms;

	if (__builtin_add_overflow(ended_ms(v), v->spec->retain_ms, &due_ms) ||
		__builtin_add_overflow(due_ms, SECOND_MS - 1, &due_ms))
		return INT64_MAX;
	due_ms -= due_ms % SECOND_MS;
	return due_ms > h->wall_ms ? due_ms - h->wall_ms : 0;
}

bool retain_over(struct horde *h, struct child *c, const struct view *v)
{
	int64_t left;

	c->expires_ms = 0;
	if (!v->spec || !v->spec->desired_running || v->spec->retain_ms == 0 || !is_told(h, c, v) ||
		!view_records_ours(h, c->ref, v))
		return false;
	left = left_ms(h, v);
	if (left == 0)
		return true;
	/* The wall clock may jump, and goes on while the machine sleeps. */
	c->expires_ms = h->now_ms + (left < RETAIN_LOOK_MS ? left : RETAIN_LOOK_MS);
	if (c->expires_ms < h->expiry_ms)
		h->expiry_ms = c->expires_ms;
	return false;
}

void retain_tick(struct horde *h)
{
	if (h->now_ms < h->expiry_ms)
		return;
	h->expiry_ms = INT64_MAX;
	for (struct child *c = h->all; c; c = c->next) {
		if (c->expires_ms == 0)
			continue;
		if (h->now_ms >= c->expires_ms)
			child_mark_it(h, c);
		else if (c->expires_ms < h->expiry_ms)
			h->expiry_ms = c->expires_ms;
	}
}

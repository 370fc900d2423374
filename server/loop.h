/*
 * The one event loop: epoll, timers, and a hook before it sleeps. One thread runs it and owns all
 * state. Nothing called from it may block.
 *
 * Time is the monotonic clock that goes on while the machine sleeps (CLOCK_BOOTTIME), in
 * milliseconds; it is read once a turn, so all work of one turn has one `now`.
 */
#ifndef HORDE_LOOP_H
#define HORDE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/err.h"

struct loop;

/* A descriptor that is watched. Kept by the caller, zero before the first loop_watch. */
struct loop_io {
	int fd;
	bool watched;
	void (*ready)(void *data, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, ... */
	void *data;
};

/* A timer. Kept by the caller, zero before the first use; fires once at `at_ms`. */
struct loop_timer {
	int64_t at_ms;
	void (*fire)(void *data);
	void *data;
	unsigned slot; /* its place in the loop's heap, 0 when it is not set */
};

/* Errors: NO_MEMORY, SYSTEM. */
enum err loop_new(struct loop **ret_loop);
void loop_free(struct loop *l);

/*
 * Watches `fd` for `events`; called again for a watched io it changes the events.
 * loop_unwatch may be called at any time, also from the io's own `ready`, and never closes the fd;
 * after it no further `ready` comes, not even one of this very turn.
 * Errors: NO_MEMORY, SYSTEM.
 */
enum err loop_watch(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	void (*ready)(void *data, uint32_t events), void *data);
void loop_unwatch(struct loop *l, struct loop_io *io);

/* Sets or moves a timer; one in the past fires in the next turn. Errors: NO_MEMORY. */
enum err loop_timer_set(
	struct loop *l, struct loop_timer *t, int64_t at_ms, void (*fire)(void *data), void *data);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/* The present turn's time, and the same read anew. */
int64_t loop_now_ms(const struct loop *l);
int64_t loop_clock_ms(void);
/* Wall time in milliseconds since 1970, for hybrid-clock stamps and what people read. */
int64_t loop_wall_ms(void);

/*
 * Runs turns until loop_stop: `before_sleep` (group commit, wake-ups, deadlines), then epoll, then
 * timers. `before_sleep` returns the longest time to sleep in milliseconds, -1 for no limit.
 */
void loop_run(struct loop *l, int (*before_sleep)(void *data), void *data);
void loop_stop(struct loop *l);

#endif

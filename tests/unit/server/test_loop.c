/* The loop: what is ready is served, what is due fires in order, what is unwatched stays silent. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/loop.h"

#define TIMERS 500

static struct loop *loop;

static void set_up(void)
{
	cr_assert_eq(loop_new(&loop), ERR_OK);
}

static void tear_down(void)
{
	loop_free(loop);
}

TestSuite(loop, .init = set_up, .fini = tear_down, .timeout = 20);

static void stop(void *data)
{
	(void)data;
	loop_stop(loop);
}

/* ---- timers -------------------------------------------------------------------------------- */

static struct loop_timer timers[TIMERS];
static int64_t fired[TIMERS];
static int fired_count;

static void note(void *data)
{
	const struct loop_timer *t = data;
	cr_assert_eq(t->slot, 0, "a timer that fires is not set any more");
	fired[fired_count++] = t->at_ms;
}

Test(loop, timers_fire_in_the_order_of_their_times_and_cancelled_ones_never)
{
	struct loop_timer end = {0};
	int64_t now_ms = loop_now_ms(loop);
	int cancelled = 0;
	srand(7);
	fired_count = 0;
	for (int i = 0; i < TIMERS; i++)
		cr_assert_eq(
			loop_timer_set(loop, &timers[i], now_ms + rand() % 50, note, &timers[i]),
			ERR_OK);
	for (int i = 0; i < TIMERS; i += 3, cancelled++)
		loop_timer_cancel(loop, &timers[i]);
	for (int i = 1; i < TIMERS; i += 3)
		loop_timer_set(loop, &timers[i], now_ms + rand() % 50, note, &timers[i]);
	loop_timer_set(loop, &end, now_ms + 60, stop, NULL);
	loop_run(loop, NULL, NULL);
	cr_assert_eq(fired_count, TIMERS - cancelled);
	for (int i = 1; i < fired_count; i++)
		cr_assert_leq(fired[i - 1], fired[i]);
	cr_assert_geq(loop_clock_ms(), now_ms + 60, "never early");
}

static int rounds;
static int turns;

static void again(void *data)
{
	struct loop_timer *t = data;
	rounds++;
	cr_assert_eq(rounds, turns, "a timer set in the past fires once a turn");
	if (rounds == 5)
		loop_stop(loop);
	else
		loop_timer_set(loop, t, 0, again, t);
}

static int count_turn(void *data)
{
	(void)data;
	turns++;
	return -1;
}

Test(loop, a_timer_in_the_past_fires_in_the_next_turn_and_not_in_this_one)
{
	struct loop_timer t = {0};
	rounds = turns = 0;
	loop_timer_set(loop, &t, 0, again, &t);
	loop_run(loop, count_turn, NULL);
	cr_assert_eq(rounds, 5);
}

static void cancel_other(void *data)
{
	loop_timer_cancel(loop, data);
}

static void never(void *data)
{
	(void)data;
	cr_assert_fail("cancelled");
}

Test(loop, a_timer_cancelled_by_one_that_is_due_at_the_same_time_does_not_fire)
{
	struct loop_timer first = {0}, second = {0}, end = {0};
	int64_t at_ms = loop_now_ms(loop);
	loop_timer_set(loop, &first, at_ms, cancel_other, &second);
	loop_timer_set(loop, &second, at_ms, never, NULL);
	loop_timer_set(loop, &end, at_ms, stop, NULL);
	loop_run(loop, NULL, NULL);
}

static int short_sleep(void *data)
{
	if (++*(int *)data == 3)
		loop_stop(loop);
	return 1;
}

Test(loop, before_sleep_bounds_the_sleep)
{
	int calls = 0;
	loop_run(loop, short_sleep, &calls);
	cr_assert_eq(calls, 3);
}

/* ---- descriptors --------------------------------------------------------------------------- */

struct end {
	struct loop_io io;
	int pipe[2];
	int calls;
	struct end *other;
};

static void read_and_stop(void *data, uint32_t events)
{
	struct end *e = data;
	char byte;
	cr_assert(events & EPOLLIN);
	cr_assert_eq(read(e->pipe[0], &byte, 1), 1);
	e->calls++;
	loop_stop(loop);
}

static void open_end(struct end *e)
{
	*e = (struct end){0};
	cr_assert_eq(pipe(e->pipe), 0);
}

static void close_end(struct end *e)
{
	close(e->pipe[0]);
	close(e->pipe[1]);
}

Test(loop, a_readable_descriptor_is_reported)
{
	struct end e;
	open_end(&e);
	cr_assert_eq(loop_watch(loop, &e.io, e.pipe[0], EPOLLIN, read_and_stop, &e), ERR_OK);
	cr_assert_eq(write(e.pipe[1], "x", 1), 1);
	loop_run(loop, NULL, NULL);
	cr_assert_eq(e.calls, 1);
	close_end(&e);
}

static void unwatch_other(void *data, uint32_t events)
{
	struct end *e = data;
	(void)events;
	e->calls++;
	loop_unwatch(loop, &e->other->io);
	loop_unwatch(loop, &e->io);
	loop_stop(loop);
}

Test(loop, an_unwatched_descriptor_is_silent_even_when_it_was_ready_in_the_same_turn)
{
	struct end a, b;
	open_end(&a);
	open_end(&b);
	a.other = &b;
	b.other = &a;
	loop_watch(loop, &a.io, a.pipe[0], EPOLLIN, unwatch_other, &a);
	loop_watch(loop, &b.io, b.pipe[0], EPOLLIN, unwatch_other, &b);
	cr_assert_eq(write(a.pipe[1], "x", 1), 1);
	cr_assert_eq(write(b.pipe[1], "x", 1), 1);
	loop_run(loop, NULL, NULL);
	cr_assert_eq(a.calls + b.calls, 1);
	close_end(&a);
	close_end(&b);
}

Test(loop, a_watched_descriptor_can_be_changed_paused_and_replaced_under_its_number)
{
	struct end e;
	struct loop_timer end = {0};
	int spare[2];
	open_end(&e);
	loop_watch(loop, &e.io, e.pipe[0], EPOLLIN, read_and_stop, &e);
	loop_watch(loop, &e.io, e.pipe[0], 0, read_and_stop, &e);
	cr_assert_eq(write(e.pipe[1], "x", 1), 1);
	loop_timer_set(loop, &end, loop_clock_ms() + 5, stop, NULL);
	loop_run(loop, NULL, NULL);
	cr_assert_eq(e.calls, 0);
	/* Behind the loop's back another pipe takes the number. */
	cr_assert_eq(pipe(spare), 0);
	cr_assert_eq(dup2(spare[0], e.pipe[0]), e.pipe[0]);
	cr_assert_eq(write(spare[1], "y", 1), 1);
	cr_assert_eq(loop_watch(loop, &e.io, e.pipe[0], EPOLLIN, read_and_stop, &e), ERR_OK);
	loop_run(loop, NULL, NULL);
	cr_assert_eq(e.calls, 1);
	close(spare[0]);
	close(spare[1]);
	close_end(&e);
}

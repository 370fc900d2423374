/*
 * server/loop.h without a kernel: descriptors are watched in name only, and time stands still until
 * it is told to pass. These functions stand before those of server/loop.c.
 */
#ifndef HORDE_TESTS_FUZZ_CLOCK_H
#define HORDE_TESTS_FUZZ_CLOCK_H

#include "server/loop.h"

#define CLOCK_START_MS 1000000
#define CLOCK_WALL_MS 1700000000000 /* when the clock is at 0 */

/* Back to the start; there must be no timer. */
void clock_reset(struct loop *l);
/* Lets time pass, and fires the timers that it brings. */
void clock_pass(struct loop *l, int64_t ms);
/* When the first timer fires; INT64_MAX when there is none. */
int64_t clock_next_ms(const struct loop *l);

#endif

/*
 * The hybrid logical clock: 48 bits of wall milliseconds, 16 bits of counter. It orders concurrent
 * writes for people; causal writes never look at it.
 *
 * Source: Kulkarni et al., "Logical Physical Clocks" (2014). It starts at the wall and nothing of
 * it is persisted: a stamp of a fast clock in the store must not poison every later start.
 */
#ifndef HORDE_CORE_CLOCK_H
#define HORDE_CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_SKEW_MAX_MS 500 /* stamps further ahead of the wall are accepted but not adopted */

struct hybrid_clock {
	uint64_t stamp;  /* the last one given or adopted */
	uint64_t skewed; /* how many received stamps were too far ahead */
};

static inline int64_t clock_ms(uint64_t stamp)
{
	return (int64_t)(stamp >> 16);
}

/* The next stamp, greater than all given and adopted before. */
uint64_t clock_now(struct hybrid_clock *c, int64_t wall_ms);
/* Takes note of a peer's stamp. False: it is more than CLOCK_SKEW_MAX_MS ahead, and was not
 * adopted. */
bool clock_receive(struct hybrid_clock *c, uint64_t stamp, int64_t wall_ms);

#endif

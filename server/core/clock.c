#include "server/core/clock.h"

uint64_t clock_now(struct hybrid_clock *c, int64_t wall_ms)
{
	uint64_t wall = wall_ms > 0 ? (uint64_t)wall_ms << 16 : 0;

	/* A full counter carries into the milliseconds by itself. */
	c->stamp = wall > (c->stamp | 0xffff) ? wall : c->stamp + 1;
	return c->stamp;
}

bool clock_receive(struct hybrid_clock *c, uint64_t stamp, int64_t wall_ms)
{
	if (clock_ms(stamp) > wall_ms + CLOCK_SKEW_MAX_MS) {
		c->skewed++;
		return false;
	}
	if (stamp > c->stamp)
		c->stamp = stamp;
	return true;
}

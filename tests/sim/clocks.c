/* The clocks of a node: each life has a monotonic one with its own start and rate, and a wall. */
#include "tests/sim/sim.h"

#define RATE_ONE 1000
#define RATE_SPREAD 20 /* 2 %, the bound of the leases */
#define WALL_MS 1700000000000

void clock_begin(struct world *w, struct node *n)
{
	bool drifts = faults_strike(w, FAULT_RATE, 80);

	n->booted_ms = w->now_ms;
	n->clock_ms = drifts ? 1 + (int64_t)below(w, 1000000) : w->now_ms;
	n->rate = RATE_ONE;
	if (drifts)
		n->rate += (int64_t)below(w, 2 * RATE_SPREAD + 1) - RATE_SPREAD;
	n->skew_ms = faults_strike(w, FAULT_SKEW, 100) ? (int64_t)below(w, 4000) - 2000 : 0;
}

int64_t clock_of(const struct world *w, const struct node *n)
{
	return n->clock_ms + (w->now_ms - n->booted_ms) * n->rate / RATE_ONE;
}

int64_t clock_when(const struct node *n, int64_t at_ms)
{
	if (at_ms == INT64_MAX)
		return at_ms;
	return n->booted_ms + ((at_ms - n->clock_ms) * RATE_ONE + n->rate - 1) / n->rate;
}

int64_t wall_of(const struct world *w, const struct node *n)
{
	return WALL_MS + n->booted_ms + clock_of(w, n) - n->clock_ms + n->skew_ms;
}

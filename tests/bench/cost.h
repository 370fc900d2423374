/* What processes take, as /proc says, and what passes between daemons, as their relays count. */
#ifndef HORDE_BENCH_COST_H
#define HORDE_BENCH_COST_H

#include "tests/lib/cluster.h"

/* Resident bytes. */
double cost_rss(pid_t pid);

/* What a daemon and its guardian have run so far on any processor, in milliseconds. Their threads
 * last as long as they do. */
double cost_cpu_ms(const struct node *node);

/* Sums over all relays of a proxied cluster. Fails when something passed that is no HTTP. */
struct cost_traffic {
	long requests, answers; /* bytes of bodies */
	long heads;             /* bytes of heads, both ways */
	long exchanges;         /* answers that began */
};

struct cost_traffic cost_traffic(const struct cluster *cluster);
struct cost_traffic cost_traffic_since(
	const struct cluster *cluster, const struct cost_traffic *before);
/* All bytes of it. */
long cost_bytes(const struct cost_traffic *t);
/* The traffic once nothing has passed for a moment: what a write set off is then over. */
struct cost_traffic cost_quiet(const struct cluster *cluster);

#endif

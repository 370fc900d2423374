/* Between the two sides of the simulated network: net.c, the client's, and serve.c. */
#ifndef HORDE_TESTS_SIM_NET_H
#define HORDE_TESTS_SIM_NET_H

#include "tests/sim/sim.h"

int64_t net_delay(struct world *w);
bool net_lost(struct world *w, int from, int to);
/*
 * An event for a link, unless a newer request has made it stale by then: by `from`, or -1 when it
 * is the node's own observation.
 */
void net_tell(struct world *w, int node, uint32_t link, uint32_t generation, enum event_kind kind,
	int from, int64_t in_ms);

void serve_hello(struct world *w, struct node *n, struct happening *e);
void serve_poll(struct world *w, struct node *n, struct happening *e); /* and posted digests */
void serve_parked(struct world *w, struct node *n, const struct happening *e);

#endif

/*
 * Signals and restarts: done here when this node runs the child, else by a call to the node that
 * does (POST /peer/v1/call), which may pass it on when the child has moved meanwhile.
 */
#ifndef HORDE_API_CALL_H
#define HORDE_API_CALL_H

#include "api/child.h"

#define CALL_HOPS_MAX 3      /* how often a call is forwarded before it is given up */
#define CALL_TIMEOUT_MS 5000 /* how long an owner may take to answer */

struct call {
	bool restart; /* else a signal */
	const char *supervisor;
	const char *child;  /* id */
	const char *signal; /* its name */
	bool group;
	int hops; /* how often it was forwarded before */
};

struct calling { /* the exchange's state while a call is made */
	const struct service *service;
	bool under_way;
	uint64_t ticket;
	bool done;
	uint64_t before; /* hash of the child's status before the call */
};

/*
 * Makes the call, once per exchange. True when it is done, here or there. False when the exchange
 * is parked until it is, or when a problem was answered: 404 child-not-found, 409 wrong-state, 502
 * owner-unreachable, or what the owner answered.
 */
bool call_done(struct exchange *x, const struct call *call);
/* The state of an exchange that has called; after call_done was true. */
const struct calling *call_state(const struct exchange *x);

#endif

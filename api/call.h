/*
 * Signals, restarts and logs: done here when this node runs the child, else by a call to the node
 * that does (POST /peer/v1/call), which may pass it on when the child has moved meanwhile.
 */
#ifndef HORDE_API_CALL_H
#define HORDE_API_CALL_H

#include "api/child.h"

#define CALL_HOPS_MAX 3      /* how often a call is forwarded before it is given up */
#define CALL_TIMEOUT_MS 5000 /* how long an owner may take to answer */

enum call_op { CALL_SIGNAL, CALL_RESTART, CALL_LOGS };

struct call {
	enum call_op op;
	const char *supervisor;
	const char *child;  /* id */
	const char *signal; /* its name */
	bool group;
	int hops; /* how often it was forwarded before */
	/* LOGS: always by a call, to `node`, which waits up to `wait_ms` for something to show */
	const struct logs_query *logs;
	const struct member *node;
	int64_t wait_ms;
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
 * owner-unreachable, or what the owner answered (416 bad-range among that).
 */
bool call_done(struct exchange *x, const struct call *call);
/* What the owner answered; NULL when it was done here. Borrowed until the exchange is over. */
const char *call_answer(const struct exchange *x, size_t *ret_bytes);
/* The state of an exchange that has called; after call_done was true. */
const struct calling *call_state(const struct exchange *x);

#endif

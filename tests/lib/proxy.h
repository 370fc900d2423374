/*
 * A TCP relay in front of one daemon's peer address, to cut or tear the line without touching the
 * daemon. It runs in a thread of its own.
 */
#ifndef HORDE_TESTS_PROXY_H
#define HORDE_TESTS_PROXY_H

#include "tests/lib/meter.h"

enum proxy_mode {
	PROXY_FORWARD, /* passes everything */
	PROXY_SILENT,  /* a cut cable: connections stay and new ones are accepted, nothing passes */
	PROXY_TEAR,    /* a peer that dies in mid sentence: closes behind `bytes` of one answer */
	PROXY_ALTER, /* a bad memory chip: the byte of an answer behind the first `bytes` is another
		      */
	PROXY_SLOW   /* about `bytes` a second of answers on each connection */
};

struct proxy;

/* Listens on a free loopback port. Fails the test when it cannot. */
struct proxy *proxy_start(void);

/* The port that stands for the daemon. */
int proxy_port(const struct proxy *proxy);

/* Where to pass it on; until then connections are closed at once. */
void proxy_target(struct proxy *proxy, int port);

/*
 * Changes the mode. Leaving PROXY_SILENT closes the connections that were held, as a line that
 * comes back after a cut would in the end. What `bytes` means is said at each mode.
 */
void proxy_mode(struct proxy *proxy, enum proxy_mode mode, long bytes);

/* How many answers were torn or altered so far. */
int proxy_torn(const struct proxy *proxy);

/* What it has passed on so far, both ways; and all bytes of that. */
struct proxy_traffic {
	struct meter_sum requests, answers;
};
struct proxy_traffic proxy_traffic(struct proxy *proxy);
long proxy_bytes(struct proxy *proxy);

void proxy_stop(struct proxy *proxy);

#endif

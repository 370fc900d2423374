/*
 * The server's side of the long poll (replication.md 1.6): when a parked poll is answered, and with
 * what. Nothing here changes the node.
 */
#ifndef HORDE_CORE_SERVE_H
#define HORDE_CORE_SERVE_H

#include "server/core/fragment.h"

#define SERVE_WINDOW_MIN_MS 2 /* a busy link is answered once a window, a quiet one at once */
#define SERVE_WINDOW_MAX_MS 50
#define SERVE_FLUSH_EVENTS 1000 /* so many end the window early */
#define SERVE_RELAY_MS 1000     /* after so long the client hears that others have news, and asks */

struct horde;

struct poll {                      /* what a peer asks for */
	bool all;                  /* the full difference; else slices */
	struct origin_id *origins; /* of these, besides the server's own */
	size_t origin_count;
	struct vector after; /* what need not be sent again */
	struct vector ack;   /* what is on disk at the client */
	uint64_t own_seq;    /* what the client knows of the server's own origin; 0: not said */
	uint64_t own_chain;  /* and its chain hash there; 0: not known */
};

struct serving {          /* of one parked poll; zero at first */
	int64_t since_ms; /* of the first look */
	int64_t ahead_ms; /* since when only others have news; 0: they have none */
};

void poll_fini(struct poll *p);

/*
 * May it be answered now? False: `deadline_ms`, the end of the client's wait when it comes in, is
 * lowered to when to look again; it is also to be looked at whenever the map grows.
 */
bool horde_serve_due(const struct horde *h, const struct poll *p, struct serving *s, int64_t now_ms,
	int64_t *deadline_ms);

/*
 * The answer: TICK when nothing is new of what was asked for. It borrows from the map, until its
 * next mutation. Errors: NO_MEMORY.
 */
enum err horde_serve(const struct horde *h, const struct poll *p, struct fragment *ret);

/* The answer to vectors that cannot be read: to ask again, with all of them. Errors: NO_MEMORY. */
enum err horde_serve_redo(const struct horde *h, struct fragment *ret);

/* For an answer that was made otherwise (from block sums, or as a stream): clock and ack_wanted. */
void horde_serve_sign(const struct horde *h, struct fragment *f);

/*
 * Origins that the wire leaves out since all members agree on their final count (1.7), and a hash
 * of that table; 0 when it is empty.
 */
const struct vector *horde_retired(const struct horde *h, uint64_t *ret_hash);

#endif

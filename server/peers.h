/*
 * The node as a client of its peers: hello, the parked poll for deltas, goodbye, calls on behalf of
 * a request. All of it is libcurl's multi interface on the one loop: nothing blocks, and a parked
 * poll costs a socket and no thread.
 *
 * A link is the core's number for one peer that it talks to. At most one hello or poll is under way
 * for a link; a newer one, or peers_unlink, takes its place without a word. Otherwise each is
 * answered by exactly one event for that link:
 *
 *	answered as it should be        HELLO_ANSWERED, FRAGMENT
 *	connection refused              LINK_REFUSED    (no process holds the port)
 *	reset, ended early, stuck in
 *	mid-body, 410, or it shuts down LINK_LOST
 *	no answer in time, no route,
 *	or the name does not resolve    LINK_SILENT
 *	a problem, or nonsense          LINK_REJECTED   (with the problem's code; MALFORMED)
 *
 * Events come from the loop or from peers_turn, never from inside another call of this file.
 */
#ifndef HORDE_PEERS_H
#define HORDE_PEERS_H

#include "api/service.h"
#include "server/core/blocks.h"
#include "server/core/event.h"
#include "server/loop.h"

#define PEERS_LINKS_MAX 512               /* members and seeds; one more is answered LINK_SILENT */
#define PEERS_CALLS_MAX 256               /* calls that were not ended */
#define PEERS_REPLY_BYTES_MAX (64 * 1024) /* hello, call and problem bodies */
#define PEERS_CONNECT_MS 1000
#define PEERS_RESOLVED_S 1 /* a name may mean another address then */
#define PEERS_HELLO_MS 3000
#define PEERS_SLACK_MS 5000 /* how much longer than the wait a poll's answer may take to begin */
#define PEERS_STALL_MS 5000 /* and how long it may stand still after that */
#define PEERS_ANSWER_MS_MAX (10 * 60 * 1000) /* the longest answer, its wait included */
#define PEERS_GOODBYE_MS 1000
#define PEERS_CALL_MS_MAX 60000

struct peers;

struct peers_config { /* borrowed, but for the secret's copy in the request headers */
	struct loop *loop;
	const char *secret; /* or NULL */
	/* The event's times are not set. A fragment that it leaves non-empty is freed afterwards.
	 */
	void (*event)(void *data, struct event *e);
	void (*call_ended)(void *data, uint64_t ticket);
	/* horde_retired: what vectors of a request leave out. */
	const struct vector *(*retired)(void *data, uint64_t *ret_hash);
	void *data;
};

/* Errors: NO_MEMORY, SYSTEM. */
enum err peers_new(const struct peers_config *config, struct peers **ret_peers);
/* Drops everything under way, without events. NULL is fine. */
void peers_free(struct peers *p);

/* What the actions of the same names want; a failure comes as an event. */
void peers_hello(struct peers *p, uint32_t link, const char *url, const struct hello *self);
struct peers_ask {
	const struct poll *poll;  /* all but its `ack` */
	const struct vector *ack; /* what this node has on disk */
	int64_t wait_ms;          /* the longest time that it is parked */
	bool digest;              /* post `sums`, of the whole map; NULL: there was no memory */
	const struct block_sums *sums;
	bool repair; /* with digest */
};
void peers_poll(struct peers *p, uint32_t link, const char *url, const struct hello *self,
	const struct peers_ask *ask);
void peers_unlink(struct peers *p, uint32_t link);
/* Best effort, no event. */
void peers_goodbye(struct peers *p, const char *url, const struct hello *self,
	enum goodbye_reason reason, int64_t back_within_ms);
/* Goodbyes that are under way. */
size_t peers_goodbyes(const struct peers *p);

/* See service.h. */
enum err peers_call(struct peers *p, const char *url, const char *path, const char *body,
	size_t body_bytes, int64_t timeout_ms, uint64_t *ret_ticket);
enum call_state peers_call_result(const struct peers *p, uint64_t ticket, unsigned *ret_status,
	const char **ret_body, size_t *ret_bytes);
void peers_call_end(struct peers *p, uint64_t ticket);

/* Once a turn, before the loop sleeps: sends what was asked for, delivers what has ended. */
void peers_turn(struct peers *p);

#endif

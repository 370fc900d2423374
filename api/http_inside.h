/*
 * The inside of the server, and what the files of the kit ask of each other; never for handlers.
 *
 *	http_start.c  documents, router, bindings	request.c  headers, host, token, route
 *	http.c        libmicrohttpd, turns		content.c  parameters, body
 *	wait.c        watches, parking, wakes		reply.c    responses, problems
 *	min_dot.c     Horde-Min-Dot			once.c     Idempotency-Key
 *	share.c       one encoding for many		once_reply.c  what is kept for it
 */
#ifndef HORDE_API_HTTP_INSIDE_H
#define HORDE_API_HTTP_INSIDE_H

#include "api/exchange_type.h"
#include "api/share.h"

/* Some store batches that failed: those in (after, up_to]. */
struct failed_batches {
	uint64_t after, up_to;
	enum err result;
};

#define HTTP_DOCUMENTS_MAX 4
#define HTTP_FAILED_KEPT 32

struct etag;

struct http {
	struct http_config config;
	struct MHD_Daemon *daemon;
	struct loop_io io;
	struct MHD_Response *no_memory; /* made at start, so that it is there when it is needed */

	struct openapi documents[HTTP_DOCUMENTS_MAX];
	size_t document_count;
	struct arena arena;
	struct router router;
	struct text json; /* the first document, rendered when it is first asked for */

	struct exchange *spare;
	size_t spare_count;
	size_t busy;
	size_t body_bytes; /* of all exchanges */
	bool draining;
	uint64_t next_id;

	struct exchange *under_way; /* with an Idempotency-Key; the first of each */
	size_t follows;
	struct shared *shared; /* share.c; NULL before the first */
	size_t shared_count;
	uint64_t share_seed;
	unsigned connections_max, parked_max;
	size_t parked_count;
	struct exchange *parked;
	struct exchange *woken, **woken_end;
	struct watch **buckets;
	size_t bucket_count; /* a power of two */
	size_t watch_count;
	struct exchange *commits, *commits_last; /* by rising number */
	uint64_t settled;
	struct failed_batches failed[HTTP_FAILED_KEPT];
	size_t failed_next;
};

/* request.c: looks at everything but the body. It may answer; the body is then thrown away. */
void request_begin(struct exchange *x);
/* content.c: the body is complete; checks parameters and body. It may answer. */
void content_check(struct exchange *x);
/* Before the first piece of a body that is not kept. False: it was answered. */
bool content_check_first(struct exchange *x);
/* Once, before any JSON is read. */
void content_init(void);

/* reply.c: what a new run of the handler must not see of the last one. */
void reply_forget(struct exchange *x);
/* The media type of this name as reply.c knows it, of JSON alone; else NULL. */
const char *reply_media(const char *name);
/* Queues the response on the connection and lets go of it. */
enum MHD_Result reply_queue(struct exchange *x);
/* Makes `r` (NULL: no memory) the response, with the usual headers. */
void reply_install(
	struct exchange *x, unsigned status, struct MHD_Response *r, const char *media_type);
struct MHD_Response *reply_no_memory(const char *node_name);

/* exchange.c */
/* 16 hex digits and a NUL. */
void hex_put(char out[17], uint64_t value);
struct exchange *exchange_take(struct http *h);
void exchange_release(struct exchange *x);

/* follow.c: there is something to be sent, or it is over. */
bool follow_ready(const struct exchange *x);
/* After a run: the same, and a problem ends it. False for all other exchanges. */
bool follow_settled(struct exchange *x);
void follow_release(struct exchange *x);

/* reads.c: does the client say that it has this version? */
bool reads_known(const struct exchange *x, const struct etag *etag);

/* min_dot.c: does this node have what the client wrote elsewhere? False: answered or parked. */
bool min_dot_covered(struct exchange *x);

/* once.c: is the handler to run? False: answered or parked. */
bool once_begins(struct exchange *x);
/* After its run: keeps what it answered, and parks until that is on disk. */
void once_keep(struct exchange *x);
/* Before its run: it was answered, so there is none any more; the reply goes out, or waits. */
bool once_sent(struct exchange *x);
/* Its client has gone, and will ask again. */
bool once_goes_on(const struct exchange *x);
void once_release(struct exchange *x);
/* once_reply.c: notes what is answered; `bytes` NULL: what cannot be kept. */
void once_note(struct exchange *x, const char *media, const char *bytes, size_t count);
void once_write(struct exchange *x, int64_t expires_ms); /* into x->once.value */
void once_reused(struct exchange *x);
/* Answers what is kept for its key; false: nothing is. */
bool once_replayed(struct exchange *x);

/* wait.c: runs the handler once; afterwards there is a response or the exchange is parked. */
void wait_run(struct exchange *x);
/* Between two pieces of its body: it waits for what it watches, if its receiver asked for that, as
 * one that has parked. False: it did not, or there was no memory, and that was answered. */
bool wait_hold(struct exchange *x);
/* Takes it out of everything it waits in. */
void wait_leave(struct exchange *x);
/* To be run (again) in this turn. */
void wait_wake(struct exchange *x);
void wait_wake_all(struct http *h);
/* The first of the woken ones, taken out; NULL when there is none. */
struct exchange *wait_next(struct http *h);
enum err wait_init(struct http *h);
void wait_fini(struct http *h);

#endif

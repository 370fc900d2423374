/*
 * The inside of an exchange and of the server: shared by the files of the kit, never by handlers.
 *
 *	http_start.c  documents, router, bindings	request.c  headers, host, token, route
 *	http.c        libmicrohttpd, turns		content.c  parameters, body
 *	wait.c        watches, parking, wakes		reply.c    responses, problems
 *	min_dot.c     Horde-Min-Dot
 */
#ifndef HORDE_API_EXCHANGE_TYPE_H
#define HORDE_API_EXCHANGE_TYPE_H

#include <microhttpd.h>
#include <stdalign.h>

#include "api/arena.h"
#include "api/exchange.h"
#include "api/http.h"
#include "api/limits.h"
#include "api/openapi.h"
#include "api/router.h"
#include "api/schema.h"
#include "server/loop.h"

struct pair {
	const char *name;
	const char *value;
};

/* The headers that the kit itself reads, found in one walk. */
struct heads {
	const char *host;
	const char *authorization;
	const char *content_type;
	const char *content_length;
	const char *transfer_encoding;
	const char *expect;
	const char *origin;
	const char *min_dot;
	unsigned hosts;
	unsigned lengths;
	unsigned encodings;
	size_t bytes;
};

struct watch {
	struct exchange *x;
	struct watch *next, **place; /* in its bucket, while the exchange is parked */
	const char *key;
	size_t length;
	size_t hashed; /* how much of the key is hashed: all of it, or a prefix's last folder */
	uint64_t hash;
	bool prefix;
};

struct exchange {
	struct http *http;
	struct exchange *spare_next;
	struct MHD_Connection *connection;

	const char *method_text;
	const char *url;
	const char *authority; /* of a request for "http://host/path", up to its slash; else NULL */
	enum method method;
	const struct operation *operation;
	const char *segments[HTTP_SEGMENTS_MAX];
	size_t segment_count;
	struct pair *queries;
	size_t query_count;
	bool query_broken;
	struct heads heads;
	bool pretty;
	bool close; /* the rest of the body will not be read */
	size_t discarded;
	size_t body_counted;  /* of the server's body_bytes */
	uint64_t body_passed; /* to the operation's receiver */
	struct text body;
	json_t *json;
	int64_t started_ms;
	char request_id[20];

	struct MHD_Response *response;
	unsigned status;
	struct pair headers[HTTP_REPLY_HEADERS_MAX];
	size_t header_count;
	bool starved; /* a header was lost for lack of memory */
	struct faults faults;
	struct text extra;

	void *state;
	void (*free_state)(void *state);

	struct watch watches[HTTP_WATCHES_MAX];
	size_t watch_count;
	bool watches_commit;
	uint64_t commit_number;
	bool watches_everything; /* HTTP_WATCHES_MAX was not enough */
	struct exchange *commit_next, *commit_before;
	bool in_commits;
	bool dots_covered;
	bool applied; /* a problem says so */
	bool wants_park;
	bool parked;    /* it has a slot, a deadline, watches */
	bool suspended; /* for libmicrohttpd */
	bool expired;
	bool gone; /* the client went away while it was parked */
	bool woken;
	int64_t deadline_ms;
	struct exchange *woken_next;
	struct exchange *parked_next, *parked_before;
	struct loop_timer timer;
	struct loop_io io;

	struct arena arena;
	struct arena_mark run_mark; /* what is allocated behind it is one run's */
	alignas(max_align_t) char first[2048];
};

/* Some store batches that failed: those in (after, up_to]. */
struct failed_batches {
	uint64_t after, up_to;
	enum err result;
};

#define HTTP_DOCUMENTS_MAX 4
#define HTTP_FAILED_KEPT 32

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
/* Queues the response on the connection and lets go of it. */
enum MHD_Result reply_queue(struct exchange *x);
struct MHD_Response *reply_no_memory(const char *node_name);

/* exchange.c */
/* 16 hex digits and a NUL. */
void hex_put(char out[17], uint64_t value);
struct exchange *exchange_take(struct http *h);
void exchange_release(struct exchange *x);

/* min_dot.c: does this node have what the client wrote elsewhere? False: answered or parked. */
bool min_dot_covered(struct exchange *x);

/* wait.c: runs the handler once; afterwards there is a response or the exchange is parked. */
void wait_run(struct exchange *x);
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

/*
 * The HTTP server: libmicrohttpd in external epoll mode on the one loop. It loads the embedded
 * OpenAPI documents, builds the router from them and binds handlers by operationId.
 *
 * The owner calls http_turn once per turn of the loop, before it sleeps, and http_wake_... as state
 * changes. Nothing here is safe outside of the loop's thread.
 */
#ifndef HORDE_API_HTTP_H
#define HORDE_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/child_token.h"
#include "api/limits.h"
#include "api/once.h"
#include "server/core/err.h"
#include "server/core/text.h"
#include "server/loop.h"

struct exchange;
struct http;

/* One handler of one operation. Tables end with {NULL, NULL}. */
struct binding {
	const char *operation_id;
	void (*handle)(struct exchange *x);
};

/* Tables end with a NULL operation_id.
 *
 * Takes the body of one operation piece by piece, as it comes, so that it is never held. It is
 * called once parameters and media type have been checked, in the loop's thread, before the handler
 * of that operation; it may answer a problem and is not called again then, nor is the handler.
 * Memory of exchange_alloc and headers that were set are gone when the handler runs; use
 * exchange_state_set. An operation with an empty body never gets here.
 */
struct receiver {
	const char *operation_id;
	void (*receive)(struct exchange *x, const char *bytes, size_t count);
};

/* A document: YAML text. Its `servers` url, when it is a path ("/peer/v1"), stands before each of
 * its paths. */
struct http_document {
	const char *yaml;
	size_t length;
	bool peers; /* its operations ask for the peers' secret, not the users' token */
};

/* Everything is borrowed and must outlive the server, but for `why`. */
struct http_config {
	struct loop *loop;
	int listen_fd; /* bound and listening, non-blocking; the server closes it when it stops */
	const char *node_name;    /* the Horde-Node header */
	const char *const *hosts; /* allowed in Host, without port; ends with NULL */
	const char *token;        /* users' bearer token, or NULL: none asked for */
	const char *secret;       /* peers' bearer secret, or NULL: none asked for */
	/* Whose token is this? Errors: MALFORMED (nobody's), STALE_EPOCH, AHEAD, as
	 * horde_credential; `ret` is filled for these too. NULL: children have none. */
	enum err (*credential)(void *service, const char *token, struct child_credential *ret);
	bool cgroup;   /* this node can limit what children have together (schema.h) */
	void *service; /* exchange_service() */
	const struct binding *const *tables;     /* tables of bindings; ends with NULL */
	const struct receiver *const *receivers; /* NULL, or tables of them; ends with NULL */
	/* NULL: the two embedded documents; else these (tests). Ends with a NULL yaml. */
	const struct http_document *documents;
	/* Does this node have all these dots (the text of Horde-Min-Dot)? Errors: MALFORMED.
	 * NULL: the header is ignored. */
	enum err (*covered)(void *service, const char *dots, bool *ret_covered);
	const struct reply_keeper *keeper; /* NULL: Idempotency-Key is ignored */
	/* One line per answered request, or NULL. */
	void (*answered)(void *service, const char *method, const char *path, unsigned status,
		const char *request_id, int64_t took_ms);
};

/*
 * Starts to serve. On failure `why` says what to mend (an operation without a handler, a handler
 * without an operation, a fault in a document with its line), and the listen_fd stays the caller's.
 * Errors: NO_MEMORY, MALFORMED (document), NOT_FOUND (binding), SYSTEM.
 */
enum err http_start(
	const struct http_config *config, struct http **ret_http, char why[HTTP_WHY_BYTES]);

/* Runs woken handlers, then libmicrohttpd. The longest time to sleep in ms, -1 for no limit. */
int http_turn(struct http *h);

/* A map key changed: its watchers run in this turn or the next. Cheap when nobody watches. */
void http_wake_key(struct http *h, const char *key, size_t length);
/* All store batches after the last settled one, up to `number`, are settled with `result`. */
void http_wake_commit(struct http *h, uint64_t number, enum err result);

/* The users' document as JSON, rendered when first asked for; `failed` when there was no memory. */
const struct text *http_json(struct http *h);

/* Parked requests now. */
size_t http_parked(const struct http *h);
/* Answers every parked request with 503 `shutting-down`, and every later one; then http_turn until
 * http_busy is 0, or as long as the owner likes. */
void http_drain(struct http *h);
/* Requests that are being read, handled or answered. */
size_t http_busy(const struct http *h);
/* Stops at once and frees; parked requests are answered as by http_drain first. NULL is fine. */
void http_stop(struct http *h);

#endif

/*
 * Every error this API can answer: one list of code, status and title (RFC 9457, problem details).
 * `code` is the contract; type is "/problems/<code>".
 */
#ifndef HORDE_API_PROBLEM_H
#define HORDE_API_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/err.h"
#include "server/core/text.h"

#define HORDE_PROBLEMS(X)                                                                          \
	X(BAD_REQUEST, 400, "bad-request", "The request is malformed")                             \
	X(BAD_JSON, 400, "bad-json", "The body is not JSON")                                       \
	X(BAD_ESCAPE, 400, "bad-escape", "The URL has a broken escape or is no UTF-8 text")        \
	X(BAD_QUERY, 400, "bad-query", "A query parameter is wrong")                               \
	X(BAD_HEADER, 400, "bad-header", "A header is wrong")                                      \
	X(BAD_KEY, 400, "bad-key", "The key is not acceptable")                                    \
	X(BAD_CURSOR, 400, "bad-cursor", "The cursor does not belong to this list")                \
	X(UNAUTHORIZED, 401, "unauthorized", "A bearer token is needed")                           \
	X(FORBIDDEN, 403, "forbidden", "The credentials are refused")                              \
	X(HOST_NOT_ALLOWED, 403, "host-not-allowed", "The Host header names another server")       \
	X(NO_SUCH_ROUTE, 404, "no-such-route", "There is nothing at this path")                    \
	X(CHILD_NOT_FOUND, 404, "child-not-found", "There is no such child")                       \
	X(KEY_NOT_FOUND, 404, "key-not-found", "There is no such key")                             \
	X(SUPERVISOR_NOT_FOUND, 404, "supervisor-not-found", "There is no such supervisor")        \
	X(REGISTRY_NOT_FOUND, 404, "registry-not-found", "There is no such registry")              \
	X(MEMBER_NOT_FOUND, 404, "member-not-found", "There is no such member")                    \
	X(SNAPSHOT_NOT_FOUND, 404, "snapshot-not-found", "There is no such snapshot on this node") \
	X(LEASE_NOT_FOUND, 404, "lease-not-found", "There is no such lease")                       \
	X(METHOD_NOT_ALLOWED, 405, "method-not-allowed", "The method is not possible here")        \
	X(NOT_ACCEPTABLE, 406, "not-acceptable", "The wanted media type is not offered")           \
	X(ALREADY_REGISTERED, 409, "already-registered", "The key has another owner")              \
	X(NOT_OWNER, 409, "not-owner", "The caller does not own the key")                          \
	X(WRONG_STATE, 409, "wrong-state", "Not possible in the present state")                    \
	X(LOGS_NOT_KEPT, 409, "logs-not-kept", "The node prints logs and keeps none")              \
	X(NAME_TAKEN, 409, "name-taken", "Somebody else has the name")                             \
	X(DRAINING, 409, "draining", "The node is draining")                                       \
	X(CLUSTER_MISMATCH, 409, "cluster-mismatch", "The other node is of another cluster")       \
	X(CONFLICT_LOST, 409, "conflict-lost", "Another writer won")                               \
	X(NOT_A_MEMBER, 409, "not-a-member", "This node was removed from the cluster")             \
	X(STALE_EPOCH, 409, "stale-epoch", "A later assignment exists")                            \
	X(NOT_REACHED, 409, "not-reached", "The wanted state was not reached")                     \
	X(MAX_CHILDREN, 409, "max-children", "The supervisor is full")                             \
	X(MAX_SNAPSHOTS, 409, "max-snapshots", "The node keeps no more snapshots")                 \
	X(NO_ENDPOINT, 409, "no-endpoint", "The owner has no endpoint")                            \
	X(REPLY_NOT_KEPT, 409, "reply-not-kept", "The reply was too large to be kept")             \
	X(STORE_EPOCH, 409, "store-epoch", "The store was replaced")                               \
	X(EVENTS_EXPIRED, 410, "events-expired", "These events are no longer kept")                \
	X(LEASE_EXPIRED, 410, "lease-expired", "The lease is over")                                \
	X(UNKNOWN_LINK, 410, "unknown-link", "The link is unknown: say hello first")               \
	X(ETAG_MISMATCH, 412, "etag-mismatch", "The resource is not the expected version")         \
	X(BODY_TOO_LARGE, 413, "body-too-large", "The body, or a part of it, is too large")        \
	X(URI_TOO_LONG, 414, "uri-too-long", "The URL is too long")                                \
	X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported-media-type", "The content type is wrong")      \
	X(BAD_RANGE, 416, "bad-range", "The offset is outside of what is kept")                    \
	X(INVALID_SPEC, 422, "invalid-spec", "The request has not the documented shape")           \
	X(KEY_REUSED, 422, "idempotency-key-reused", "The key was used for another request")       \
	X(INVALID_SNAPSHOT, 422, "invalid-snapshot", "The file is no snapshot, or a damaged one")  \
	X(UNSUPPORTED, 422, "unsupported", "Not supported by this version")                        \
	X(TOO_MANY, 429, "too-many-requests", "Too many requests")                                 \
	X(HEADERS_TOO_LARGE, 431, "headers-too-large", "The headers are too large")                \
	X(INTERNAL, 500, "internal", "The server failed")                                          \
	X(OWNER_UNREACHABLE, 502, "owner-unreachable", "The owning node does not answer")          \
	X(PEER_UNREACHABLE, 502, "peer-unreachable", "No address answered")                        \
	X(NO_QUORUM, 503, "no-quorum", "This node sees no majority")                               \
	X(NO_ELIGIBLE_MEMBER, 503, "no-eligible-member", "No member can run it")                   \
	X(SHUTTING_DOWN, 503, "shutting-down", "The node is shutting down")                        \
	X(NOT_READY, 503, "not-ready", "The node is not ready yet")                                \
	X(OVERLOADED, 503, "overloaded", "The node has no room for this request now")              \
	X(CLOCK_SKEW, 503, "clock-skew", "The clocks of the nodes differ too much")                \
	X(WATCH_SLOTS, 503, "watch-slots-exhausted", "Too many requests wait already")             \
	X(STORAGE_READ_ONLY, 503, "storage-read-only", "The store cannot be written")              \
	X(NOT_YET_REPLICATED, 504, "not-yet-replicated",                                           \
		"The write has not come as far as was asked for")                                  \
	X(WAIT_TIMEOUT, 504, "wait-timeout", "It did not happen in time")                          \
	X(STORAGE_FULL, 507, "storage-full", "No space is left for the store")                     \
	X(LOOP_DETECTED, 508, "loop-detected", "The request goes round in circles")

enum problem_code {
#define X(name, status, code, title) PROBLEM_##name,
	HORDE_PROBLEMS(X)
#undef X
		PROBLEM_COUNT
};

unsigned problem_status(enum problem_code p);
const char *problem_slug(enum problem_code p); /* "bad-json" */
const char *problem_title(enum problem_code p);
/* The code for an expected failure of a lower floor; INTERNAL for what no client caused. */
enum problem_code problem_of(enum err e);

/* What a problem document says. Everything is borrowed; NULL leaves a member out. */
struct problem_facts {
	const char *detail;
	const char *instance; /* the request's path, as it was sent */
	const char *request_id;
	const char *node;
	const struct text *faults; /* items of `errors`, a JSON array's inside */
	const struct text *extra;  /* further members, an object's inside */
};

/* Appends the whole document to `out`. */
void problem_write(struct text *out, enum problem_code p, const struct problem_facts *facts);

#endif

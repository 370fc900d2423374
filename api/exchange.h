/*
 * One request and its reply: everything a handler sees. A handler is called once the kit has
 * checked host, token, route, method, content type, sizes, JSON, body schema and all parameters
 * against the OpenAPI document; what it then reads here has the documented shape.
 *
 * A handler ends in one of three ways: it replies (exactly once), it answers a problem, or it parks
 * (wait.h) and is called again, from its beginning. All pointers that are returned live until the
 * reply is sent, unless said otherwise. Only the loop's thread may call any of this.
 */
#ifndef HORDE_API_EXCHANGE_H
#define HORDE_API_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/json.h"
#include "api/problem.h"
#include "server/core/err.h"
#include "server/core/text.h"

struct credential;
struct exchange;
struct faults;

/* ---- who asks what ---- */

void *exchange_service(const struct exchange *x); /* http_config.service: the node */
struct http *exchange_http(const struct exchange *x);
const char *exchange_operation(const struct exchange *x); /* operationId */
const char *exchange_method(const struct exchange *x);    /* as sent; HEAD runs the GET handler */
const char *exchange_url(const struct exchange *x);       /* the path, as sent */
const char *exchange_request_id(const struct exchange *x);
int64_t exchange_now_ms(const struct exchange *x);     /* loop_now_ms */
int64_t exchange_started_ms(const struct exchange *x); /* when the request was complete */

/* The process that asks, by its own token; NULL: somebody who may do everything. */
const struct credential *exchange_child(const struct exchange *x);

/* A path parameter, decoded (%2F is part of it); asserts that the route has it. It is valid UTF-8
 * without control characters, so its length is strlen. */
const char *exchange_path(const struct exchange *x, const char *name);

/* The first value of a query parameter, decoded, or NULL. `?force` without a value is "". */
const char *exchange_query(const struct exchange *x, const char *name);
/* All values of a repeatable one: from = 0, 1, ... until NULL. */
const char *exchange_query_at(const struct exchange *x, const char *name, size_t index);
bool exchange_query_bool(const struct exchange *x, const char *name, bool fallback);
int64_t exchange_query_int(const struct exchange *x, const char *name, int64_t fallback);
/* A duration in milliseconds: `30s`, `250ms`, or a bare number of milliseconds. */
int64_t exchange_query_ms(const struct exchange *x, const char *name, int64_t fallback);

/* A request header (name in any case) or NULL. */
const char *exchange_header(const struct exchange *x, const char *name);

/* The parsed JSON body, borrowed; NULL when the operation has none, it was left out, or it is no
 * JSON media type. Read-only members may be present and are to be ignored. */
json_t *exchange_body(const struct exchange *x);
/* The body's bytes as they came (not NUL-terminated); `ret_length` 0 when there is none. */
const char *exchange_body_text(const struct exchange *x, size_t *ret_length);
/* How many bytes of the body its receiver was given (http.h); those are not kept. */
uint64_t exchange_body_passed(const struct exchange *x);
/* The exact text of one member of the top-level object, without surrounding space, so that a value
 * is stored as it was written; NULL when it is absent. */
const char *exchange_body_member_raw(
	const struct exchange *x, const char *member, size_t *ret_length);

/* ---- the reply: exactly one of these, once ---- */

/* JSON. `_take`: the text's bytes are taken over and `body` is empty afterwards. A text that failed
 * for lack of memory becomes a 503. */
void exchange_reply(struct exchange *x, unsigned status, struct text *body_take);
/* No body: 204, 304, and the like. */
void exchange_reply_empty(struct exchange *x, unsigned status);
/* Another media type, taken over (NDJSON, plain text). */
void exchange_reply_text(
	struct exchange *x, unsigned status, const char *media_type, struct text *body_take);
/* Bytes that outlive the request (static ones); not copied. */
void exchange_reply_static(struct exchange *x, unsigned status, const char *media_type,
	const char *bytes, size_t count);

/* A file's content from its beginning, read as it is sent, so that it is never held. The descriptor
 * is taken over. */
void exchange_reply_file(
	struct exchange *x, unsigned status, const char *media_type, int fd_take, uint64_t count);

/* A body that is made while it is sent, and never held as a whole. */
struct reply_source {
	/* Fills in up to `size` bytes and says how many; 0: that was all; -1: it breaks off, and so
	 * does the connection. Called once or twice a turn of the loop, as the client reads. */
	ssize_t (*read)(void *data, char *bytes, size_t size);
	/* Once, when the reply is over in whatever way; maybe before this request is, or after. */
	void (*close)(void *data);
	void *data;
};
void exchange_reply_source(struct exchange *x, unsigned status, const char *media_type,
	const struct reply_source *source_take);

/* A problem. Every 429 and 503 gets `Retry-After: 1` unless that header was set. Faults and extra
 * members that were given before become part of it. `format` may be NULL: no detail. */
void exchange_problem(struct exchange *x, enum problem_code p, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for the failure of a lower floor; the detail is err_text(e). */
void exchange_fail(struct exchange *x, enum err e);

/* What the request wants written has been written, whatever comes now: each problem from here on
 * says so, with `applied`. */
void exchange_applied_set(struct exchange *x);
/* The reply tells a secret, which is kept nowhere: with an Idempotency-Key too the request is
 * carried out again when it is sent again. */
void exchange_secret_set(struct exchange *x);

/* In a PATCH: checks what its merge patch makes as if it were the body of a PUT there. False: a
 * problem was answered. */
bool exchange_check_merged(struct exchange *x, const json_t *merged);

/* Before exchange_problem: one item of `errors`. `pointer` is a JSON pointer into the body. */
void exchange_fault(struct exchange *x, const char *pointer, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* The same list, for what notes faults of a value wherever that comes from. */
struct faults *exchange_faults(struct exchange *x);
/* Before exchange_problem: a text to write further members into, with json_key and so on
 * (`json_key(exchange_extra(x), "owner")`, then the value). */
struct text *exchange_extra(struct exchange *x);

/* A header for the reply; both are copied. At most HTTP_REPLY_HEADERS_MAX; a later one of the same
 * name replaces. Forgotten when the handler parks. */
void exchange_header_set(struct exchange *x, const char *name, const char *value);
bool exchange_replied(const struct exchange *x);

/* ---- memory ---- */

/* Bytes that live until the reply is sent; NULL when there are none left. */
void *exchange_alloc(struct exchange *x, size_t bytes);

/* What a handler remembers between its runs; NULL at first. `free_state` (or NULL) is called when
 * the exchange is over, also when the client went away while parked. Setting replaces and frees. */
void *exchange_state(const struct exchange *x);
void exchange_state_set(struct exchange *x, void *state, void (*free_state)(void *state));

#endif

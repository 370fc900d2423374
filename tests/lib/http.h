/*
 * A small HTTP client on libcurl and jansson, for tests and the bench.
 *
 * Replies are kept in a list of their own and freed together by http_forget_all(), so a test need
 * not free each; a loop with many calls frees each with http_reply_free(). One thread only.
 */
#ifndef HORDE_TESTS_HTTP_H
#define HORDE_TESTS_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_HEADERS_MAX = 6,    /* extra headers a request can carry */
	HTTP_TIMEOUT_MS = 20000, /* the client's own patience when the request names none */
	HTTP_REPLY_BYTES_MAX = 64 * 1024 * 1024,
	HTTP_ALL_MAX = 512 /* requests in one http_send_all() */
};

struct http_request {
	const char *method; /* default GET, or POST when there is a body */
	const char *url;
	const char *body;                      /* NULL: none */
	size_t body_size;                      /* 0: strlen(body) */
	const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; a body is application/json unless
						  said here; "Name:" drops a header */
	long timeout_ms;                       /* 0: HTTP_TIMEOUT_MS */
};

struct http_reply {
	struct http_reply *next;
	long status; /* 0: no answer, then `error` says why */
	char error[256];
	char *body; /* always ends with a NUL that body_size does not count */
	size_t body_size;
	char *head; /* the header lines of the last response */
	size_t head_size;
	json_t *json; /* NULL when the body is not JSON */
	double ms;    /* how long it took */
	char url[1024];
	char method[16];
};

/* Sends and waits. Never NULL. */
struct http_reply *http_send(const struct http_request *request);

/* The same, all at once, each on a connection of its own; `ret_replies[i]` answers `requests[i]`.
 */
void http_send_all(const struct http_request *requests, struct http_reply **ret_replies, int count);

/*
 * The same in two halves, for what happens while requests are parked: http_begin() sends them,
 * http_parked() looks for `ms` and says whether all are still unanswered, http_finish() waits for
 * the answers. The requests' texts must live until then.
 */
struct http_flight;
struct http_flight *http_begin(const struct http_request *requests, int count);
bool http_parked(struct http_flight *flight, long ms);
void http_finish(struct http_flight *flight, struct http_reply **ret_replies);

/* What has come so far of one of them. */
const struct http_reply *http_coming(const struct http_flight *flight, int index);
/*
 * Goes on until its body has `text` from `*at` on, and moves that behind it. False: the reply has
 * ended before. Fails the test when neither is so within `ms` (already scaled by check_ms()).
 */
bool http_comes(struct http_flight *flight, int index, const char *text, size_t *at, long ms);
/* Hangs up on all of them. */
void http_drop(struct http_flight *flight);

/* The value of a response header (case does not matter), or NULL; valid until the next call. */
const char *http_header(const struct http_reply *reply, const char *name);

void http_reply_free(struct http_reply *reply);
void http_forget_all(void);

/* Percent-encodes as one path segment or query value. Valid until 8 calls later. */
const char *http_escape(const char *text);

/*
 * Writes `bytes` to 127.0.0.1:port as they are and reads until the peer closes, `size` is full or
 * the time is over. Returns how many bytes came (a NUL follows them), or -1 without a connection.
 */
long http_raw(int port, const char *bytes, size_t bytes_size, char *out, size_t size, long ms);

/* What a wait looks for. */
typedef bool http_predicate(const struct http_reply *reply, const void *argument);

/*
 * Reads `url` until the predicate holds, parking with `since` and `wait` between reads. Fails the
 * test with `what` and the last reply when that is not so within `ms` (already scaled by
 * check_ms()).
 */
struct http_reply *http_until(
	const char *url, http_predicate *holds, const void *argument, long ms, const char *what);

/* Common waits, each on a dotted path into the body such as "status.state". */
struct http_reply *http_until_str(const char *url, const char *path, const char *value, long ms);
struct http_reply *http_until_int(const char *url, const char *path, long long value, long ms);
struct http_reply *http_until_status(const char *url, long status, long ms);

/* A dotted path into JSON ("items.0.id"); NULL when there is none. A missing text is "", a missing
 * number is -1. */
json_t *json_at(const json_t *json, const char *path);
const char *json_str(const json_t *json, const char *path);
long long json_number_at(const json_t *json, const char *path);

#endif

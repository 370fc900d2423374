/*
 * What every GET shares: ETags, blocking reads, pages. A GET handler is:
 *
 *	exchange_watch_key(x, key, length);		what would change the answer
 *	struct etag etag = etag_of(hash);		a hash over the content, without volatile
 *members if (reads_settled(x, &etag)) return;		304, or parked until it differs
 *	... write the body ...
 *	reads_reply(x, &body, &etag);
 *
 * reads_settled serves `If-None-Match`, `?wait=`, `Prefer: wait=`, `?since=`. The kit itself serves
 * `Horde-Min-Dot` before the handler runs, and HEAD.
 */
#ifndef HORDE_API_READS_H
#define HORDE_API_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/exchange.h"
#include "api/limits.h"

/* An ETag without its quotes: one part of 16 hex digits, or two parts joined by '-'. */
struct etag {
	char text[36];
};

struct etag etag_of(uint64_t hash);
struct etag etag_pair(uint64_t spec_hash, uint64_t status_hash);
/* Writes the member "etag", for items of lists. */
void etag_put(struct text *out, const struct etag *etag);

/* How long the client wants to wait: `?wait=`, else `Prefer: wait=` (RFC 7240, in seconds), else
 * the fallback; at most HTTP_WAIT_MS_MAX. */
int64_t reads_wait_ms(const struct exchange *x, int64_t fallback_ms);

/* True when the exchange is done with for this run: 304 answered, or parked because the client has
 * this version and asked to wait. False: build the body and answer it. */
bool reads_settled(struct exchange *x, const struct etag *etag);

/* 200 with ETag; adds "etag" as the last member of the JSON object in `body` (taken). */
void reads_reply(struct exchange *x, struct text *body_take, const struct etag *etag);
/* The same for a bare JSON value that has no room for a member. */
void reads_reply_value(struct exchange *x, struct text *body_take, const struct etag *etag);
/*
 * What is asked for is not there: the problem with the ETag of absence. With `wait`, and either no
 * version given or that of absence, it parks first: one can wait for something to appear. Declare
 * the watches before.
 */
void reads_absent(struct exchange *x, enum problem_code p, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * If-Match and If-None-Match of a write. `current` is NULL when the resource does not exist. False:
 * 412 was answered, with the current ETag. An ETag of two parts is matched by its first part alone,
 * so that a restart of a child does not break an update of its spec.
 */
bool writes_allowed(struct exchange *x, const struct etag *current);

/* ---- pages ---- */

struct page {
	size_t limit;                   /* at most so many items */
	bool resumed;                   /* a cursor was given: */
	size_t after_length;            /* begin behind this key */
	char after[PAGE_KEY_BYTES_MAX]; /* (any bytes) */
	uint64_t filter;                /* hash of path and filters; part of a list's ETag */
};

/* Reads `limit` and `cursor`. False: 400 `bad-cursor` was answered. */
bool page_begin(struct exchange *x, struct page *ret_page);
/*
 * Call inside the open reply object, behind "items": writes "next_cursor" and sets `Link` when
 * `more` items follow behind the key `last`; else nothing.
 */
void page_end(struct exchange *x, const struct page *page, struct text *body, const char *last,
	size_t last_length, bool more);

#endif

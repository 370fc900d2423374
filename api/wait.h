/*
 * Waiting inside a handler. It says what it watches and until when, and returns without a reply;
 * when something it watches changes, or the deadline passes, the same handler is called again from
 * its beginning (level-triggered: it looks at the present state and decides anew). Wakes are
 * collected: many changes within one turn of the loop are one run.
 *
 *	void wait_child(struct exchange *x)
 *	{
 *		... if (reached) { exchange_reply(...); return; }
 *		if (exchange_expired(x)) { exchange_problem(x, PROBLEM_WAIT_TIMEOUT, NULL); return;
 *} exchange_watch_key(x, key, key_length); exchange_park(x, exchange_started_ms(x) +
 *exchange_query_ms(x, "wait", 5000));
 *	}
 *
 * Watches are forgotten before each run, and cost next to nothing unless the handler parks.
 */
#ifndef HORDE_API_WAIT_H
#define HORDE_API_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/exchange.h"
#include "server/core/err.h"

/* Wakes on http_wake_key of exactly this key. Any bytes: a handler that waits for a forwarded call
 * may watch a name of its own ("call/17") and have it woken. Bytes are copied. */
void exchange_watch_key(struct exchange *x, const char *key, size_t length);
/* Wakes on every key that begins with these bytes; "" is every key. */
void exchange_watch_prefix(struct exchange *x, const char *prefix, size_t length);
/* Wakes when the store batch `number` is settled, well or not. */
void exchange_watch_commit(struct exchange *x, uint64_t number);

/*
 * True when the store batch `number` is settled; *ret_err then says how (OK, STORAGE_FULL, ...).
 * So a durable write is: apply; if not stored, watch the commit, park; else reply or exchange_fail.
 */
bool exchange_stored(const struct exchange *x, uint64_t number, enum err *ret_err);

/* Parks until a watch fires or `deadline_ms` (loop time; at most 10 minutes on). With no slot left
 * (HTTP_PARKED_MAX) it answers 503 `watch-slots-exhausted` to a GET instead. */
void exchange_park(struct exchange *x, int64_t deadline_ms);
/*
 * Is there a slot left to park in? False: 503 `watch-slots-exhausted` was answered. A write that is
 * going to wait for other nodes asks this before it is applied, since it is never refused after.
 */
bool exchange_has_room(struct exchange *x);
/* This run is, at the latest, the deadline's: waiting any longer was not asked for. */
bool exchange_expired(const struct exchange *x);

#endif

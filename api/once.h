/*
 * Idempotency-Key: a POST that is sent again, through any node and for 24 hours, is not carried out
 * again but answered as it was the first time, with `Idempotent-Replayed: true`.
 *
 * The kit does it around the handler of each operation whose document names the header. What the
 * handler answered is put into the map and is on disk before it leaves:
 *
 *	idem/{SHA-256 of the key and of the child that asks}
 *	{"request":<SHA-256 of method, path, query without `pretty`, and body>,"expires_at":<wall
 *	 ms>,"status","headers":{...},"type":<media type>,"body":<its text, as a string>}
 *
 * - The same key with another request is 422 `idempotency-key-reused`.
 * - While the first one is under way at this node, a second one waits for it, and goes its own way
 *   if that leaves nothing to repeat. The first one goes on when its client hangs up.
 * - Kept is what a handler answers, but for 5xx and 429, after which one is to try again. What was
 *   refused before it got there (no JSON, a wrong shape) was not begun, and its key is free.
 * - A reply that tells a secret is not kept: who repeats that request is told another one.
 * - A reply above REPLY_KEPT_BYTES_MAX, or of another type than JSON, is kept without its body: who
 *   repeats it gets 409 `reply-not-kept`, and nothing is done twice.
 * - The reply is kept once the request was carried out. A crash in between, or two nodes that are
 *   asked at the same moment, carry it out twice: therefore what a POST names gets its name from
 *   the key (resource_new_id), and the second time is the same write.
 */
#ifndef HORDE_API_ONCE_H
#define HORDE_API_ONCE_H

#include <stddef.h>
#include <stdint.h>

#include "api/exchange.h"

#define ONCE_KEEP_MS (24 * 3600 * 1000)

/* Where replies are kept, of which the kit knows nothing (api/replies.c). */
struct reply_keeper {
	/* May one more be kept? Errors: NOT_READY, SHUTTING_DOWN, STORAGE_..., LIMIT. */
	enum err (*room)(void *service);
	/* The value of this key, NUL-terminated, borrowed until anything else is called; or NULL.
	 */
	const char *(*find)(void *service, const char *key, size_t *ret_bytes);
	/* `ret_batch` is the store batch that carries it. Errors: as room; NO_MEMORY. */
	enum err (*keep)(void *service, const char *key, const struct text *value,
		int64_t expires_ms, uint64_t *ret_batch);
};

/* The hash of this request's key, in hex; NULL: it has none, or none that means anything here. */
const char *exchange_once(const struct exchange *x);

#endif

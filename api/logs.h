/*
 * What a child printed: a page of it from this node's files, and the operation that asks the right
 * node for one (getChildLogs).
 */
#ifndef HORDE_API_LOGS_H
#define HORDE_API_LOGS_H

#include "api/child.h"
#include "api/http.h"
#include "api/logs_service.h"

#define LOGS_LIMIT_DEFAULT 100
#define LOGS_LIMIT_MAX 1000
#define LOGS_WAIT_MS_MAX 60000 /* of a request that waits for more to come */
/* Entries in one piece of a stream: so few that hundreds of streams do not hold the loop. */
#define LOGS_STREAM_LIMIT 25
#define LOGS_BEAT_MS_MIN 1000
#define LOGS_BEAT_MS 15000 /* of a stream that has nothing to show */
/* A page of entries ends when its text has so many bytes; a peer's answer has room for 64 KiB. */
#define LOGS_PAGE_BYTES 32768

/*
 * Appends the members of a page from this node. With nothing to show yet it parks until there is
 * something or the time is over. False: it is parked, or a problem was answered (404, 409, 416,
 * 503).
 */
bool logs_here(struct exchange *x, const struct child *c, const struct logs_query *q,
	int64_t deadline_ms, struct text *out);

/* The parameters of both operations. */
struct logs_query logs_query_of(const struct exchange *x);
/* After call_done: appends the members that the other node has written. False: 502 was answered. */
bool logs_members_there(struct exchange *x, struct text *out);

extern const struct binding logs_bindings[];
extern const struct binding logs_follow_bindings[]; /* logs_follow.c */

#endif

/*
 * The handlers of dispatch: a request for the owner of a name is passed on to it, and its reply
 * back (dispatchGet, ...). What is behind: dispatch_service.h.
 */
#ifndef HORDE_API_DISPATCH_H
#define HORDE_API_DISPATCH_H

#include "api/dispatch_service.h"
#include "api/http.h"
#include "api/resource.h"

extern const struct binding dispatch_bindings[];
extern const struct receiver dispatch_receivers[];

/* ---- dispatch_target.c ---- */

struct dispatch_target {
	char name[DISPATCH_HOST_BYTES_MAX + 1]; /* for people: the owner's node, or the host */
	char host[DISPATCH_HOST_BYTES_MAX + 1];
	uint16_t port;
	char base[DISPATCH_BASE_BYTES_MAX + 1]; /* a path before all others, or "" */
};

/* Where the owner of `e` is asked. False: 409 was answered. */
bool dispatch_target(struct exchange *x, const struct entry *e, struct dispatch_target *ret_target);

/* ---- dispatch_head.c ---- */

/* The request's headers as they go out, in lines, each with its NUL. False: a problem was answered,
 * as for one that came through too many nodes. */
bool dispatch_request_head(struct exchange *x, struct text *out);

struct dispatch_reply_head {
	struct text headers; /* names and values in turn, each with its NUL */
	uint64_t length;     /* FOLLOW_UNKNOWN */
};

/* The owner's, as they come back; to be freed. `name` is whose reply it is. */
void dispatch_reply_head(const struct exchange *x, const struct dispatch_view *v, const char *name,
	struct dispatch_reply_head *ret_head);

#endif

/*
 * What the operations that hand out fragments share: the request, read once and kept as the
 * exchange's state, and the reply.
 */
#ifndef HORDE_API_PEER_POLL_H
#define HORDE_API_PEER_POLL_H

#include "api/http.h"
#include "api/resource.h"
#include "api/wire.h"

#define PEER_KEY_BYTES (WIRE_LINK_BYTES_MAX + 8)

struct peer_poll {
	struct peer_poll *next, **place; /* among those under way, while it lasts */
	const struct http *http;
	struct wire_request request;
	struct serving serving;
	bool superseded; /* a later request of its link has come */
};

/*
 * The first run: reads the request, tells the core of it, and ends an older request of its link.
 * NULL when it was answered: with a problem, or with REDO when its vectors cannot be read.
 */
struct peer_poll *peer_poll_begin(struct exchange *x);
/* The key that is woken when the request is superseded; its length. */
size_t peer_poll_key(const struct peer_poll *p, char ret_key[PEER_KEY_BYTES]);

/* What went wrong, as the peer is told. */
void peer_poll_refuse(struct exchange *x, enum err e);
/* The whole body at once; empties `f_take`. */
void peer_poll_reply(struct exchange *x, const struct peer_poll *p, struct fragment *f_take);
/* A tick: this node's vector and digest. */
void peer_poll_tick(struct exchange *x, const struct peer_poll *p);

#endif

/*
 * What a handler needs that passes its request on to somebody else: the request as it was sent, and
 * a say in how fast its body is read. The reply is passed on by follow.h.
 */
#ifndef HORDE_API_PASS_H
#define HORDE_API_PASS_H

#include "api/exchange.h"

#define PASS_CLIENT_BYTES 64
#define PASS_LENGTH_UNKNOWN (-1)

/* Each header, in the order they came; a value may be empty. */
void pass_headers(const struct exchange *x,
	void (*each)(void *data, const char *name, const char *value), void *data);
/* What the operation's rest of the path (x-rest) is, with its slash, and the query, as they were
 * sent: "/a/b?c=d", "/" when there is nothing. */
void pass_target(const struct exchange *x, struct text *out);
/* Who asks, as a node of RFC 7239: 192.0.2.1, "[2001:db8::1]" with the quotes, or unknown. */
void pass_client(const struct exchange *x, char ret_client[PASS_CLIENT_BYTES]);
/* How long its body is said to be, or PASS_LENGTH_UNKNOWN. */
int64_t pass_length(const struct exchange *x);
/* How long the head of its reply may be at least: the connection's memory (HTTP_CONNECTION_BYTES)
 * holds both heads, and one that does not fit would end the connection without a word. */
size_t pass_head_room(const struct exchange *x);

/*
 * In a receiver (http.h), having taken a piece: no more comes before something that it watches
 * (wait.h) happens. A client that does not hear of this is slowed down by its own socket.
 */
void pass_hold(struct exchange *x);
/* The same: the rest of the body is read and thrown away, as behind a problem, but within
 * HTTP_DISCARD_BYTES_MAX; then the handler runs. */
void pass_refuse(struct exchange *x);

#endif

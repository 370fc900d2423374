/*
 * A reply that goes on: its end is not known when it begins, and its handler is run again for each
 * piece of it, as things happen and as the client reads. Its first run may park or answer a problem
 * like any other. Once it has called exchange_follow, each further run adds bytes to
 * exchange_follow_out, or ends it, or parks (wait.h) until there may be some; it is not asked for
 * more before the client has taken what there was, so a slow reader costs one piece.
 *
 * A problem that such a run answers ends the reply, unless the run takes it back; without memory
 * for a piece it is cut off, so that nobody takes it for whole. Who does not read for
 * HTTP_IDLE_SECONDS while there is something for him is cut off; who hangs up is noticed at once,
 * who vanishes within about 80 s. A server that stops ends all of them.
 */
#ifndef HORDE_API_FOLLOW_H
#define HORDE_API_FOLLOW_H

#include "api/exchange.h"

/* Begins it, with what is in exchange_follow_out by then. False: 503 was answered, for there are
 * HTTP_FOLLOWS_MAX already, or no memory. */
bool exchange_follow(struct exchange *x, const char *media_type);

/* The head of somebody else's reply that is passed on. */
struct follow_head {
	unsigned status;
	uint64_t length; /* of its body; FOLLOW_UNKNOWN */
	/* Names and values in turn, each with its NUL; none of those that libmicrohttpd makes. */
	const char *headers;
	size_t headers_bytes;
};
#define FOLLOW_UNKNOWN UINT64_MAX

/* The same for such a reply. It is not one of HTTP_FOLLOWS_MAX; a problem behind its head cuts it
 * off, for its reader has to know that it is not whole. */
bool exchange_follow_pass(struct exchange *x, const struct follow_head *head);
/* Cuts it off, as it is without memory for a piece. */
void exchange_follow_cut(struct exchange *x);

bool exchange_following(const struct exchange *x);
struct text *exchange_follow_out(struct exchange *x);
/* After what is in exchange_follow_out. */
void exchange_follow_end(struct exchange *x);
/* exchange_started_ms is now; it is so by itself when the client has taken a piece. */
void exchange_follow_renew(struct exchange *x);
/* Takes back the problem that was answered in this run; false: none was. */
bool exchange_follow_problem(struct exchange *x, enum problem_code *ret_code);

/* What the handler remembers over all runs, beside exchange_state; freed with the exchange. */
void *exchange_follow_data(const struct exchange *x);
void exchange_follow_data_set(struct exchange *x, void *data, void (*free_data)(void *data));

#endif

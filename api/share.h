/*
 * One encoding for all who wait for the same thing. What a woken read is answered is kept for the
 * rest of the turn, while nothing changes; another one that asks for the same, and has another
 * version of it, gets the same bytes without its handler being run. Heads are each request's own.
 *
 * Only for the kit: reads.c offers an answer that depends on path, query and state alone, wait.c
 * takes one.
 */
#ifndef HORDE_API_SHARE_H
#define HORDE_API_SHARE_H

#include <stdbool.h>
#include <stddef.h>

struct etag;
struct exchange;
struct http;
struct MHD_Response;
struct text;

/* The answer that is given next, of this version, may be shared. */
void share_offer(struct exchange *x, const struct etag *etag);
/* Answers by what was shared; false: nothing was, or not for this one. */
bool share_taken(struct exchange *x);
/* The response to what was offered, and kept for others. NULL: no memory. */
struct MHD_Response *share_response(struct exchange *x, const char *media, struct text *body_take);
/* Something has changed, or the turn is over. Cheap when nothing is shared. */
void share_forget(struct http *h);
void share_free(struct http *h);

#endif

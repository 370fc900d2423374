/*
 * What has happened, as this node has seen it: a page of it (listEvents), and as it happens
 * (streamEvents). The events themselves, and what they say, are the core's (server/core/events.h).
 */
#ifndef HORDE_API_EVENTS_H
#define HORDE_API_EVENTS_H

#include "api/http.h"
#include "api/topics.h"

#define EVENTS_LIMIT_DEFAULT 100
#define EVENTS_LIMIT_MAX 1000
/* A page, and a piece of a stream, end with the event that makes its text so long. */
#define EVENTS_PAGE_BYTES (256u << 10)
#define EVENTS_PIECE_BYTES (32u << 10)
#define EVENTS_BEAT_MS 15000 /* of a stream that has nothing to tell */
#define EVENTS_BEAT_MS_MIN 1000

/* Wakes who listens for those behind `*told`, which becomes the latest. False: there are none. */
bool events_wake(struct http *h, const struct events *ev, uint64_t *told);

extern const struct binding events_bindings[];
extern const struct binding events_follow_bindings[]; /* events_follow.c */

#endif

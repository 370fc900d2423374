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
/* The whole body at once, compressed when it is long and the client takes that; empties `f_take`.
 */
void peer_poll_reply(struct exchange *x, const struct peer_poll *p, struct fragment *f_take);
/* A tick: this node's vector and digest. */
void peer_poll_tick(struct exchange *x, const struct peer_poll *p);

/* ---- peer_stream.c ---- */
#define STREAM_ENTRIES 20000u /* a difference with more entries and kill records is a stream */
#define STREAMS_MAX 8u        /* at a time; one more is answered 503 */
#define STREAM_BYTES 262144u  /* about so many are made at a time, and held */
#define STREAM_PIECE_MIN 16u  /* entries and kill records that are made at a time */
#define STREAM_PIECE_MAX 1024u
/* No kill record is forgotten while a stream is open; the client gives up as early. */
#define STREAM_MS_MAX (10 * 60 * 1000)

/* Is the full difference too large to be written at once? */
bool peer_stream_wanted(const struct exchange *x, const struct peer_poll *p);
/* Answers with it, in pieces, as the client reads. `sums`: what the client has posted, or NULL. */
void peer_stream_reply(
	struct exchange *x, const struct peer_poll *p, const struct block_sums *sums);
/* The streams that are under way, of all servers of this process. */
size_t peer_streams(void);

#endif

/*
 * Every limit of the HTTP kit. Reaching one is an answer (413, 414, 429, 431, 503), never a
 * surprise. A document may lower or raise the body limit of one operation with `x-max-bytes`
 * on its requestBody.
 */
#ifndef HORDE_API_LIMITS_H
#define HORDE_API_LIMITS_H

#include <stdint.h>

/* Bytes of a request body that is kept, and of one that is read and thrown away before a 413. */
#define HTTP_BODY_BYTES_MAX (1024u * 1024u)
#define HTTP_DISCARD_BYTES_MAX (16u * 1024u * 1024u)
/* Bytes of all bodies that are kept at a time; one more request is answered 503. */
#define HTTP_BODIES_BYTES_MAX (128u * 1024u * 1024u)
/* Bytes of a path with its query, and of all request headers together. */
#define HTTP_URL_BYTES_MAX 8192u
#define HTTP_HEADERS_BYTES_MAX 16384u
/* Memory of one connection inside libmicrohttpd; must hold request line, headers and reply head. */
#define HTTP_CONNECTION_BYTES 32768u
#define HTTP_CONNECTIONS_MAX 8192u
/* Parked GETs: below the number of connections, so that plain requests always find one. */
#define HTTP_PARKED_MAX 6144u
/* Open files that are left to everything else. Where the process may not have as many as this and
 * the connections together, there are fewer connections, and parked GETs in proportion. */
#define HTTP_FILES_SPARE 2048u
/* Woken requests that are run before others have their turn. */
#define HTTP_WOKEN_MAX 1024
/* Answers to those who wait that are shared at a time (share.c). A power of two. */
#define HTTP_SHARED_MAX 64u
/* Replies that go on as things happen (follow.h); while one waits it is a parked GET too. */
#define HTTP_FOLLOWS_MAX 256u
/* A connection that says nothing for so long is closed (parked ones have their own deadline). */
#define HTTP_IDLE_SECONDS 30u
/* Bytes of a reply that is kept for an Idempotency-Key; of a longer one only the head is. */
#define REPLY_KEPT_BYTES_MAX (512u * 1024u)
/* Nesting of JSON in a request body. */
#define HTTP_DEPTH_MAX 64
/* Bytes that a reply which is made while it is sent is asked for at a time. */
#define HTTP_SOURCE_BYTES 32768u
/* Segments of a path, parameters in a path, parameters in a query. */
#define HTTP_SEGMENTS_MAX 16
#define HTTP_QUERY_MAX 64
/* Headers a handler may add to a reply; watches one parked request may have. */
#define HTTP_REPLY_HEADERS_MAX 9
#define HTTP_WATCHES_MAX 8
/* Faults listed in one 422; more are counted in the detail only. Where one is, in bytes. */
#define HTTP_FAULTS_MAX 256
#define HTTP_POINTER_BYTES_MAX 1024
/* Idle exchanges kept for reuse, and the largest body buffer that is kept with one. */
#define HTTP_SPARE_MAX 64
#define HTTP_SPARE_BYTES 16384u
/* The longest wait of a blocking read, and how long Horde-Min-Dot waits when no `wait` is given. */
#define HTTP_WAIT_MS_MAX (10 * 60 * 1000)
#define HTTP_MIN_DOT_WAIT_MS 5000
/* Pages. */
#define PAGE_LIMIT_DEFAULT 100
#define PAGE_LIMIT_MAX 1000
#define LOOKUP_ENTRIES_MAX 10000 /* of one lookup of many keys, or of one key with many owners */
#define PAGE_KEY_BYTES_MAX 1024
/* Human text that says why a start was refused. */
#define HTTP_WHY_BYTES 256

#endif

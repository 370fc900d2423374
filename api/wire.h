/*
 * What peers say to each other: fragments as NDJSON, and the request for one (replication.md 1.9).
 *
 *   {"v":1,"from":"n3","inc":"9f3c...","mode":"full","o":["9f3c...","1b22..."],"x":[[0,0,4214]]}
 *   ["p",0,4212,114234567890123,"meta/default/a",{"any":"json"}]     a live entry: o, seq, clock
 *   ["s",0,4213,114234567890124,"meta/default/b","{\n}"]             the same, value has a newline
 *   ["k",0,4214,[[0,4100],[1,17]]]                                   kill records of one event
 *   {"vec":[[0,4214],[1,17]],"h":"<32 hex>","clk":...,"lines":3,"sum":"<16 hex>"}
 *
 * `o` interns the origins, all of the vector, in order; ranges `x` are (exclusive, inclusive].
 * Values are the stored text, byte for byte. `sum` is XXH64 of all bytes of the body before
 * `,"sum"`: a body that was cut or altered on the way is refused. Unknown members of the two
 * objects are ignored.
 */
#ifndef HORDE_API_WIRE_H
#define HORDE_API_WIRE_H

#include "server/core/fragment.h"

#define WIRE_VERSION 1
#define WIRE_LINE_BYTES_MAX (8u << 20) /* the header with all origins is the longest */
#define WIRE_BODY_BYTES_MAX (256u << 20)
#define WIRE_LINES_MAX (8u << 20)
#define WIRE_ORIGINS_MAX 65536u
#define WIRE_NAME_BYTES_MAX 128
#define WIRE_LINK_BYTES_MAX 64
#define WIRE_REQUEST_BYTES_MAX (8u << 20)
#define WIRE_WAIT_MS_MAX 60000

/* Appends the body; `name` is this node's. The text fails when there is no memory (text_ok). */
void wire_write(const struct fragment *f, const char *name, struct text *t);

/*
 * Reads a body as it arrives, in pieces of any size. Each put is decoded (api/records.h) on the
 * way. After an error every later call gives the same one.
 * Errors: NO_MEMORY, LIMIT (a length or count above), PROTOCOL (another version), MALFORMED.
 */
struct wire_reader;
enum err wire_reader_new(struct wire_reader **ret_reader);
void wire_reader_free(struct wire_reader *r);
enum err wire_reader_feed(struct wire_reader *r, const char *bytes, size_t count);
/* The end of the body. The fragment is the caller's; nothing is given unless all of it was there.
 */
enum err wire_reader_end(struct wire_reader *r, struct fragment *ret_fragment);
/* The sender's name as it says, "" before the header was read; lives as long as the reader. */
const char *wire_reader_name(const struct wire_reader *r);

/* The request of one poll: {"link","n","seen","after":[["<hex>",4214]...],"ack":[...],"want":"*",
 * "wait_ms"}. */
struct wire_request {
	char link[WIRE_LINK_BYTES_MAX + 1];
	uint64_t n;          /* number of this request on its link */
	uint64_t seen;       /* number of the last reply that was received */
	struct vector after; /* what need not be sent again */
	struct vector ack;   /* what is on disk at the client */
	int64_t wait_ms;
};

void wire_request_fini(struct wire_request *q);
void wire_request_write(const struct wire_request *q, struct text *t);
/* Errors: NO_MEMORY, LIMIT, PROTOCOL (`want` is not "*"), MALFORMED. */
enum err wire_request_read(const char *json, size_t bytes, struct wire_request *ret_request);

#endif

/*
 * What peers say to each other: fragments as NDJSON, and the request for one (replication.md 1.9,
 * part 6 "The wire").
 *
 *   {"v":2,"inc":"9f3c...","mode":"full","o":["1b22..."],"rt":"<16 hex>"}
 *   ["p",0,4212,114234567890123,"meta/default/a",{"any":"json"}]    a live entry: o, seq, clock
 *   ["s",0,4213,114234567890124,"meta/default/b","{\n}"]            the same, value has a newline
 *   ["o","77ac..."]                                                 further origins
 *   ["k",0,4214,[[0,4100],[2,17]]]                                  kill records of one event
 *   ["c",1,0,64,[3,17]]      of the events (0,64] of origin 1 the server has these live, no others
 *   {"x":[[0,4211,4214,"<16 hex>",""]],"vec":[[0,4214],[1,64],[2,17]],"f":[[2,9]],"h":"<32 hex>",
 *    "clk":...,"lines":4,"sum":"<16 hex>"}
 *
 * Origins are called by a number: 0 is the server (`inc`), then those of `o` and of the "o" lines,
 * as they come. Ranges `x` are (exclusive, inclusive], with the origin's chain hash at both ends or
 * "". A slice has `deps`, the vector but for the origins of `x`, in place of `vec`; `f` are floors.
 * As `+vec` and `+deps` they say only what differs from `after` of the request that is answered: an
 * origin that is left out is as it was there, a 0 says that the server knows none of it. Without
 * `clk` the server's clock is that of the body's latest entry.
 * `rt` is the hash of the server's table of retired origins. `ack`: a writer waits for
 * acknowledgements. Members that say nothing are left out.
 * Values are the stored text, byte for byte. `sum` is XXH64 of all bytes of the body before
 * `,"sum"`: a body that was cut or altered on the way is refused. Unknown members of the two
 * objects are ignored.
 */
#ifndef HORDE_API_WIRE_H
#define HORDE_API_WIRE_H

#include "server/core/blocks.h"
#include "server/core/serve.h"

#define WIRE_VERSION 2
#define WIRE_LINE_BYTES_MAX (16u << 20) /* a trailer with all origins is the longest */
#define WIRE_BODY_BYTES_MAX (1u << 30)  /* decoded */
#define WIRE_LINES_MAX (16u << 20)
#define WIRE_DOTS_MAX (32u << 20)   /* kill records, and live seqs of checks, of a body */
#define WIRE_ORIGINS_MAX (1u << 18) /* that a body names, or a vector of a request */
#define WIRE_LINE_ITEMS_MAX 65536   /* victims, seqs, origins that are written into one line */
#define WIRE_LINK_BYTES_MAX 64
#define WIRE_REQUEST_BYTES_MAX (16u << 20)
#define WIRE_BLOCKS_MAX (1u << 19) /* sums of a request, each of about 64 entries */
#define WIRE_WAIT_MS_MAX 60000

/* How a node writes. */
struct wire_sender {
	uint64_t retired_hash;      /* of its table of retired origins (horde_retired), 0: empty */
	const struct vector *after; /* of the request, when vectors are to be told by it; or NULL */
};

/* Appends a whole body. The text fails when there is no memory (text_ok). */
void wire_write(const struct fragment *f, const struct wire_sender *sender, struct text *t);

/*
 * A body in pieces, each appended to the text that is passed in, which may be emptied in between.
 * begin: mode, `from` and `ack_wanted` of a fragment; piece: its puts, kills and checks, which may
 * be none; end: all the rest. The sender is borrowed until the end, and so is its vector.
 */
struct wire_writer;
enum err wire_writer_new(const struct wire_sender *sender, struct wire_writer **ret_writer);
void wire_writer_free(struct wire_writer *w);
void wire_writer_begin(struct wire_writer *w, const struct fragment *f, struct text *t);
void wire_writer_piece(struct wire_writer *w, const struct fragment *f, struct text *t);
void wire_writer_end(struct wire_writer *w, const struct fragment *f, struct text *t);

/*
 * Reads a body as it arrives, in pieces of any size. Each put is decoded (api/records.h) on the
 * way. After an error every later call gives the same one.
 * Errors: NO_MEMORY, LIMIT (a length or count above), PROTOCOL (another version), MALFORMED.
 */
struct wire_reader;
enum err wire_reader_new(struct wire_reader **ret_reader);
void wire_reader_free(struct wire_reader *r);
enum err wire_reader_feed(struct wire_reader *r, const char *bytes, size_t count);
/*
 * The end of the body, which answers a request with this `after` (NULL: it must not speak of it).
 * The fragment is the caller's; nothing is given unless all of it was there.
 */
enum err wire_reader_end(
	struct wire_reader *r, const struct vector *after, struct fragment *ret_fragment);
/* What the header says, 0 before it was read. */
uint64_t wire_reader_retired(const struct wire_reader *r);

/*
 * The request of one poll: {"link","n","seen","after":[["<hex>",4214]...],"ack":[...] or "=" (the
 * same),"want":"*" or "own" or ["<hex>"...],"wait_ms","rt","compact","own":[seq,"<16 hex>"]}; with
 * "blocks":[["<hex>",shift,[[index,"<16 hex>"]...]]...] and "repair" it posts block sums.
 */
struct wire_request {
	char link[WIRE_LINK_BYTES_MAX + 1];
	uint64_t n;    /* number of this request on its link */
	uint64_t seen; /* number of the last reply that was received */
	int64_t wait_ms;
	uint64_t retired_hash;    /* of the client's table */
	bool compact;             /* vectors leave out what that table has */
	bool stale;               /* read: by another table than one's own; they lack that then */
	bool digest;              /* `blocks` are posted */
	bool repair;              /* with digest */
	struct poll poll;         /* `own_seq` 0: not said */
	struct block_sums blocks; /* with digest */
};

void wire_request_fini(struct wire_request *q);
/* `retired` is the client's table, whose hash is in `q`. */
void wire_request_write(const struct wire_request *q, const struct vector *retired, struct text *t);
/* `retired` is the server's table. Errors: NO_MEMORY, LIMIT, MALFORMED. */
enum err wire_request_read(const char *json, size_t bytes, const struct vector *retired,
	uint64_t retired_hash, struct wire_request *ret_request);
/* The same from JSON that was parsed already (api/json.h). */
struct json_t;
enum err wire_request_load(const struct json_t *json, const struct vector *retired,
	uint64_t retired_hash, struct wire_request *ret_request);

#endif

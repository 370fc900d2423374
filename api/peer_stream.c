/*
 * A large difference as the client reads it: each piece is made when the one before is sent, of the
 * map as it is then (server/core/stream.h), so it costs a buffer and an encoder, and no snapshot.
 */
#include "api/peer_poll.h"

#include <stdlib.h>
#include <string.h>

#include "api/encoding.h"

struct peer_stream {
	const struct horde *horde;
	int64_t until_ms;
	struct wire_sender sender; /* the request is gone before the end: vectors are told whole */
	struct stream *stream;
	struct wire_writer *writer;
	struct encoder *encoder; /* NULL: it goes out as it is */
	size_t most;             /* entries and kill records of the next piece */
	bool begun;
	bool done;
	struct text lines; /* of a piece, when they are to be encoded */
	struct text out;
	size_t sent; /* of `out` */
};

/* Only the loop's thread is here. */
static size_t streams;

size_t peer_streams(void)
{
	return streams;
}

/* ---- pieces ---- */

/* Large values make small pieces. */
static void adapt(struct peer_stream *s, size_t bytes)
{
	if (bytes > STREAM_BYTES && s->most > STREAM_PIECE_MIN)
		s->most /= 2;
	else if (bytes < STREAM_BYTES / 2 && s->most < STREAM_PIECE_MAX)
		s->most *= 2;
}

static void write_piece(
	struct peer_stream *s, const struct fragment *f, bool last, struct text *lines)
{
	if (!s->begun)
		wire_writer_begin(s->writer, f, lines);
	s->begun = true;
	wire_writer_piece(s->writer, f, lines);
	if (last)
		wire_writer_end(s->writer, f, lines);
}

/* The next piece, as bytes to be sent. Errors: NO_MEMORY, WRONG_STATE: the reply is broken then. */
static enum err make_piece(struct peer_stream *s)
{
	struct text *lines = s->encoder ? &s->lines : &s->out;
	struct fragment f;
	enum err e;

	text_clear(&s->out);
	text_clear(&s->lines);
	s->sent = 0;
	e = stream_next(s->stream, s->most, &f, &s->done);
	if (e != ERR_OK)
		return e;
	horde_serve_sign(s->horde, &f);
	write_piece(s, &f, s->done, lines);
	fragment_fini(&f);
	if (!text_ok(lines))
		return ERR_NO_MEMORY;
	adapt(s, lines->used);
	if (s->encoder)
		e = encoder_add(s->encoder, lines->bytes, lines->used, s->done, &s->out);
	return e;
}

/* ---- the source of a reply ---- */

static ssize_t read_some(void *data, char *bytes, size_t size)
{
	struct peer_stream *s = data;
	size_t left;

	while (s->sent == s->out.used && !s->done)
		if (loop_clock_ms() >= s->until_ms || make_piece(s) != ERR_OK)
			return -1;
	left = s->out.used - s->sent;
	size = size < left ? size : left;
	if (size > 0)
		memcpy(bytes, s->out.bytes + s->sent, size);
	s->sent += size;
	return (ssize_t)size;
}

static void close_stream(void *data)
{
	struct peer_stream *s = data;

	stream_free(s->stream);
	wire_writer_free(s->writer);
	encoder_free(s->encoder);
	text_fini(&s->lines);
	text_fini(&s->out);
	free(s);
	streams--;
}

/* ---- the reply ---- */

bool peer_stream_wanted(const struct exchange *x, const struct peer_poll *p)
{
	return horde_serve_large(resource_horde(x), &p->request.poll.after);
}

static enum err open_stream(struct exchange *x, const struct peer_poll *p,
	const struct block_sums *sums, enum encoding encoding, struct peer_stream **ret_stream)
{
	const struct service *service = resource_service(x);
	struct peer_stream *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return ERR_NO_MEMORY;
	streams++;
	s->horde = service->horde;
	s->until_ms = loop_clock_ms() + STREAM_MS_MAX;
	s->most = STREAM_PIECE_MIN;
	horde_retired(s->horde, &s->sender.retired_hash);
	e = service->stream(service->node, &p->request.poll.after, sums, &s->stream);
	if (e == ERR_OK)
		e = wire_writer_new(&s->sender, &s->writer);
	/* Without memory for the encoder it goes out as it is. */
	if (e == ERR_OK && encoding != ENCODING_NONE)
		(void)encoder_new(encoding, 0, &s->encoder);
	if (e == ERR_OK)
		*ret_stream = s;
	else
		close_stream(s);
	return e;
}

void peer_stream_reply(struct exchange *x, const struct peer_poll *p, const struct block_sums *sums)
{
	enum encoding encoding = encoding_choose(exchange_header(x, "Accept-Encoding"));
	struct peer_stream *s = NULL;
	enum err e;

	if (streams == STREAMS_MAX) {
		exchange_problem(
			x, PROBLEM_OVERLOADED, "%u large answers are under way", STREAMS_MAX);
		return;
	}
	e = open_stream(x, p, sums, encoding, &s);
	if (e != ERR_OK) {
		peer_poll_refuse(x, e);
		return;
	}
	if (s->encoder)
		exchange_header_set(x, "Content-Encoding", encoding_name(encoding));
	exchange_reply_source(
		x, 200, "application/x-ndjson", &(struct reply_source){read_some, close_stream, s});
}

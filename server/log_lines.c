#include "server/log_lines.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "api/base64.h"
#include "api/json.h"
#include "api/utf8.h"
#include "server/log_read.h"
#include "server/logs.h"

/* Of a line, for all but its data: three names, the time, the epoch, and what is around them. */
#define HEAD_BYTES 640
#define DATA_BYTES (PIPE_BUF - HEAD_BYTES)
/* What a record can come to: each byte six, and a head a piece. */
#define RECORD_BYTES (LOG_DATA_BYTES_MAX * 6 + 8 * HEAD_BYTES)
/* Writes in one turn of the loop. */
#define WRITES_PER_TURN 64

struct log_lines {
	struct loop *loop;
	struct loop_io io; /* while something waits for its reader */
	int fd;
	const char *node;
	uint64_t dropped; /* since a line last said so */
	struct text line;
	size_t sent, used; /* of the queue: what waits is between them */
	char queue[LOG_LINES_QUEUE_BYTES];
};

/* ---- the queue ----------------------------------------------------------------------------- */

static size_t waiting(const struct log_lines *l)
{
	return l->used - l->sent;
}

/* After a drop there has to be room for more than the next one, or every second line would tell of
 * one that is missing. */
static bool accepts(const struct log_lines *l)
{
	if (l->dropped && waiting(l) > LOG_LINES_QUEUE_BYTES / 2)
		return false;
	return waiting(l) + RECORD_BYTES + HEAD_BYTES <= LOG_LINES_QUEUE_BYTES;
}

static void put_line(struct log_lines *l)
{
	if (!text_ok(&l->line)) {
		l->dropped++;
		text_fini(&l->line);
		return;
	}
	if (l->used + l->line.used > LOG_LINES_QUEUE_BYTES) {
		memmove(l->queue, l->queue + l->sent, waiting(l));
		l->used -= l->sent;
		l->sent = 0;
	}
	memcpy(l->queue + l->used, l->line.bytes, l->line.used);
	l->used += l->line.used;
}

/* What a line stands for when it is lost: itself, or those that it tells of. */
static uint64_t worth(const struct log_lines *l, const char *line)
{
	static const char told[] = "\",\"dropped\":";
	size_t before = strlen("{'at':'2026-11-27T10:20:03.123Z','node':'") + strlen(l->node);

	for (size_t i = 0; i < before; i++)
		if (line[i] == '\n')
			return 1;
	if (strncmp(line + before, told, sizeof told - 1) != 0)
		return 1;
	return strtoull(line + before + sizeof told - 1, NULL, 10);
}

static void forget_queue(struct log_lines *l)
{
	const char *at = l->queue + l->sent, *end = l->queue + l->used, *newline;

	for (; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
		l->dropped += worth(l, at);
	l->sent = l->used = 0;
}

static void tell_dropped(struct log_lines *l)
{
	struct text at = TEXT_INIT;
	uint64_t dropped = l->dropped;

	if (!dropped)
		return;
	logs_add_time(&at);
	text_clear(&l->line);
	json_object(&l->line);
	json_put_string(&l->line, "at", text_cstr(&at));
	json_put_string(&l->line, "node", l->node);
	json_put_uint(&l->line, "dropped", dropped);
	json_end_object(&l->line);
	text_adds(&l->line, "\n");
	text_fini(&at);
	if (!text_ok(&l->line))
		return;
	l->dropped = 0;
	put_line(l);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Whole lines, as many as a pipe takes at once. */
static size_t next_bytes(const struct log_lines *l)
{
	size_t count = waiting(l);
	const char *end;

	if (count <= PIPE_BUF)
		return count;
	end = memrchr(l->queue + l->sent, '\n', PIPE_BUF);
	return end ? (size_t)(end + 1 - (l->queue + l->sent)) : PIPE_BUF;
}

/*
 * One write, which does not block: a pipe that is ready has room for PIPE_BUF bytes. False: the
 * reader is to be waited for.
 */
static bool write_once(struct log_lines *l, int wait_ms)
{
	struct pollfd out = {.fd = l->fd, .events = POLLOUT};
	ssize_t count;

	if (poll(&out, 1, wait_ms) != 1)
		return false;
	count = write(l->fd, l->queue + l->sent, next_bytes(l));
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (count <= 0)
		forget_queue(l); /* nobody is there, or the disk is full */
	else
		l->sent += (size_t)count;
	if (l->sent == l->used)
		l->sent = l->used = 0;
	return true;
}

static void on_writable(void *data, uint32_t events);

static void flush(struct log_lines *l)
{
	int writes = 0;

	while (waiting(l) && writes++ < WRITES_PER_TURN && write_once(l, 0))
		;
	if (!waiting(l)) {
		loop_unwatch(l->loop, &l->io);
		return;
	}
	if (l->io.watched || loop_watch(l->loop, &l->io, l->fd, EPOLLOUT, on_writable, l) == ERR_OK)
		return;
	/* A file is not to be watched, and always ready. */
	while (waiting(l) && write_once(l, 0))
		;
	forget_queue(l);
}

static void on_writable(void *data, uint32_t events)
{
	struct log_lines *l = data;
	uint64_t dropped = l->dropped;

	(void)events;
	flush(l);
	/* What was lost now was lost to an error: that is told with what comes next. */
	if (waiting(l) || !dropped || l->dropped != dropped)
		return;
	tell_dropped(l);
	flush(l);
}

/* ---- records ------------------------------------------------------------------------------- */

struct record {
	const char *ref;
	uint64_t epoch;
	const char *at;
	const char *stream;
	bool partial;
	bool is_text;
	const char *data;
	size_t bytes;
};

/* How many bytes of JSON the character at `p` may take, and how many it is. */
static size_t cost(const char *p, size_t count, size_t *ret_bytes)
{
	unsigned char c = (unsigned char)*p;

	*ret_bytes = c < 0x80 ? 1 : utf8_sequence((const unsigned char *)p, count);
	if (c < 0x20 || c == 0x7f)
		return 6;
	return c == '"' || c == '\\' || c == '/' ? 2 : c < 0x80 ? 1 : 3 * *ret_bytes;
}

/* How much of the data goes into one line. */
static size_t piece(const struct record *r)
{
	size_t used = 0, at = 0, bytes;

	if (!r->is_text)
		return r->bytes < DATA_BYTES / 4 * 3 ? r->bytes : DATA_BYTES / 4 * 3;
	while (at < r->bytes) {
		used += cost(r->data + at, r->bytes - at, &bytes);
		if (used > DATA_BYTES)
			break;
		at += bytes;
	}
	return at;
}

static void write_line(struct log_lines *l, const struct record *r, size_t bytes)
{
	const char *slash = strchr(r->ref, '/');
	struct text *out = &l->line;

	text_clear(out);
	json_object(out);
	json_key(out, "at");
	json_string_n(out, r->at, 24);
	json_put_string(out, "node", l->node);
	json_key(out, "supervisor");
	json_string_n(out, r->ref, (size_t)(slash - r->ref));
	json_put_string(out, "child", slash + 1);
	json_put_uint(out, "epoch", r->epoch);
	json_key(out, "stream");
	json_string_n(out, r->stream, 6);
	json_key(out, "data");
	if (r->is_text)
		json_string_n(out, r->data, bytes);
	else
		base64_string(out, r->data, bytes);
	if (!r->is_text)
		json_put_string(out, "encoding", "base64");
	if (r->partial || bytes < r->bytes)
		json_put_bool(out, "partial", true);
	json_end_object(out);
	text_adds(out, "\n");
}

static void add_record(struct log_lines *l, struct record *r)
{
	if (!accepts(l))
		flush(l);
	if (!accepts(l)) {
		l->dropped++;
		return;
	}
	tell_dropped(l);
	r->is_text = log_is_text(r->data, r->bytes);
	do {
		size_t bytes = piece(r);

		write_line(l, r, bytes);
		put_line(l);
		r->data += bytes;
		r->bytes -= bytes;
	} while (r->bytes);
}

void log_lines_add(
	struct log_lines *l, const char *ref, uint64_t epoch, const char *records, size_t count)
{
	const char *end = records + count, *newline;

	for (; (newline = memchr(records, '\n', (size_t)(end - records))); records = newline + 1) {
		struct record r = {.ref = ref,
			.epoch = epoch,
			.at = records,
			.stream = records + 25,
			.partial = records[LOG_HEAD_BYTES - 2] == 'P',
			.data = records + LOG_HEAD_BYTES,
			.bytes = (size_t)(newline - records) - LOG_HEAD_BYTES};

		add_record(l, &r);
	}
	if (!l->io.watched)
		flush(l);
}

uint64_t log_lines_dropped(const struct log_lines *l)
{
	return l->dropped;
}

/* ---- beginning and end --------------------------------------------------------------------- */

enum err log_lines_new(struct loop *l, int fd, const char *node, struct log_lines **ret)
{
	/* Memory that is not used is not there yet. */
	struct log_lines *lines = calloc(1, sizeof *lines);

	if (!lines)
		return ERR_NO_MEMORY;
	lines->loop = l;
	lines->fd = fd;
	lines->node = node;
	*ret = lines;
	return ERR_OK;
}

void log_lines_free(struct log_lines *l)
{
	int64_t until_ms = loop_clock_ms() + LOG_LINES_END_MS, left_ms;

	if (!l)
		return;
	while (waiting(l) && (left_ms = until_ms - loop_clock_ms()) > 0)
		write_once(l, (int)left_ms);
	loop_unwatch(l->loop, &l->io);
	text_fini(&l->line);
	free(l);
}

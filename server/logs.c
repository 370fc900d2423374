#include "server/logs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "server/core/text.h"

/* ---- records ------------------------------------------------------------------------------- */

void logs_add_time(struct text *out)
{
	static time_t second = -1;
	static char text[24];
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		gmtime_r(&second, &parts);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
	}
	text_addf(out, "%s.%03dZ", text, (int)(now.tv_nsec / 1000000));
}

/* The part that waits, and `bytes` behind it. */
static void add_record(
	struct log_stream *s, struct text *out, char flag, const char *bytes, size_t count)
{
	logs_add_time(out);
	text_addf(out, " %s %c ", s->name, flag);
	if (s->part)
		text_add(out, s->part, s->part_bytes);
	text_add(out, bytes, count);
	text_add(out, "\n", 1);
	free(s->part);
	s->part = NULL;
	s->part_bytes = 0;
}

static void keep_tail(struct log_tail *t, const char *records, size_t count)
{
	const char *end = records + count, *newline;

	for (; (newline = memchr(records, '\n', (size_t)(end - records))); records = newline + 1) {
		bool partial = records[LOG_HEAD_BYTES - 2] == 'P';

		records += LOG_HEAD_BYTES;
		log_tail_push(t, records, (size_t)(newline - records) + !partial);
	}
}

static void keep(struct log_stream *s, struct text *out)
{
	if (s->file && text_ok(out))
		log_file_append(s->file, out->bytes, out->used);
	else if (s->file)
		s->file->dropped_bytes += out->used;
	if (s->lines && text_ok(out))
		log_lines_add(s->lines, s->ref, s->epoch, out->bytes, out->used);
	if (s->tail && text_ok(out))
		keep_tail(s->tail, out->bytes, out->used);
	text_fini(out);
	if (s->grown)
		s->grown(s->data);
}

static void on_part_old(void *data)
{
	struct log_stream *s = data;
	struct text out = TEXT_INIT;

	if (!s->part)
		return;
	add_record(s, &out, 'P', "", 0);
	keep(s, &out);
}

/* The beginning of a line; it waits for the rest, but not for long. */
static void add_part(struct log_stream *s, struct text *out, const char *bytes, size_t count)
{
	bool waits = s->part != NULL;

	if (!waits)
		s->part = malloc(LOG_DATA_BYTES_MAX);
	if (!s->part || (!waits && loop_timer_set(s->loop, &s->timer,
					   loop_now_ms(s->loop) + LOGS_PART_MS, on_part_old, s))) {
		free(s->part);
		s->part = NULL;
		add_record(s, out, 'P', bytes, count);
		return;
	}
	memcpy(s->part + s->part_bytes, bytes, count);
	s->part_bytes += count;
}

/* Cuts what was read into lines. */
static void take(struct log_stream *s, const char *bytes, size_t count)
{
	struct text out = TEXT_INIT;

	while (count) {
		const char *end = memchr(bytes, '\n', count);
		size_t line = end ? (size_t)(end - bytes) : count;
		size_t room = LOG_DATA_BYTES_MAX - s->part_bytes;

		if (line > room) {
			add_record(s, &out, 'P', bytes, room);
			line = room;
		} else if (end) {
			add_record(s, &out, 'F', bytes, line++);
		} else {
			add_part(s, &out, bytes, line);
		}
		bytes += line;
		count -= line;
	}
	if (out.used || !text_ok(&out))
		keep(s, &out);
}

/* ---- streams ------------------------------------------------------------------------------- */

/* What is left of a line has no end. */
static void take_end(struct log_stream *s)
{
	struct text out = TEXT_INIT;

	if (!s->part)
		return;
	add_record(s, &out, 'F', "", 0);
	keep(s, &out);
}

static void stop_reading(struct log_stream *s)
{
	loop_unwatch(s->loop, &s->io);
	loop_timer_cancel(s->loop, &s->timer);
	close(s->fd);
	s->fd = -1;
	take_end(s);
}

/* Returns what was read, 0 when there is nothing now, -1 at the end. */
static ssize_t read_some(struct log_stream *s)
{
	char bytes[LOGS_READ_BYTES];
	ssize_t count;
	do
		count = read(s->fd, bytes, sizeof bytes);
	while (count < 0 && errno == EINTR);
	if (count > 0 && (s->file || s->lines || s->tail))
		take(s, bytes, (size_t)count);
	if (count < 0 && errno == EAGAIN)
		return 0;
	return count > 0 ? count : -1;
}

static void on_output(void *data, uint32_t events)
{
	struct log_stream *s = data;
	(void)events;
	if (read_some(s) < 0)
		stop_reading(s);
}

enum err log_stream_open(struct log_stream *s, struct loop *l, int fd)
{
	s->loop = l;
	s->fd = fd;
	s->io = (struct loop_io){0};
	enum err e = loop_watch(l, &s->io, fd, EPOLLIN, on_output, s);
	if (e) {
		close(fd);
		s->fd = -1;
	}
	return e;
}

void log_stream_close(struct log_stream *s)
{
	ssize_t count = 1;
	if (s->fd < 0)
		return;
	for (size_t total = 0; count > 0 && total < LOGS_DRAIN_BYTES_MAX; total += (size_t)count)
		count = read_some(s);
	stop_reading(s);
}

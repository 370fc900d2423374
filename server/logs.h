/*
 * What the children print: their stdout and stderr, read on the loop, cut into lines, each with its
 * time, and kept in one sequence of files a child (log_file.h). A child never waits for a full
 * disk: what cannot be written is dropped and counted.
 */
#ifndef HORDE_LOGS_H
#define HORDE_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/core/text.h"
#include "server/log_file.h"
#include "server/log_lines.h"
#include "server/log_tail.h"
#include "server/loop.h"

/* Read from one stream in one turn of the loop, so that a chatty child does not starve the rest. */
#define LOGS_READ_BYTES 65536
/* Read from a stream that ends; more can only come from someone outside the child's group. */
#define LOGS_DRAIN_BYTES_MAX (1024 * 1024)
/* How long the beginning of a line waits for its end before it is kept as a part. */
#define LOGS_PART_MS 1000

/* A pipe that is read into a file. */
struct log_stream {
	struct loop *loop;
	struct loop_io io;
	struct loop_timer timer; /* while there is a part of a line */
	/* Where it goes; nowhere at all when all three are NULL. */
	struct log_file *file;
	struct log_lines *lines;
	struct log_tail *tail;
	const char *ref; /* for the lines */
	uint64_t epoch;
	const char *name; /* "stdout" or "stderr" */
	int fd;           /* -1 once closed */
	char *part;       /* of a line, LOG_DATA_BYTES_MAX bytes; NULL: none */
	size_t part_bytes;
	void (*grown)(void *data); /* after more was kept; may be NULL */
	void *data;
};

/*
 * Starts to read `fd` (non-blocking), which it owns from now on, also when it fails, into `file`,
 * `lines` and `tail`, which must outlive it. All above `fd` but `loop`, `io` and `timer`, and
 * `grown` and `data` are set by the caller, all else is zero. The stream must not move in memory.
 * Errors: NO_MEMORY, SYSTEM.
 */
enum err log_stream_open(struct log_stream *s, struct loop *l, int fd);
/* Reads what is there, LOGS_DRAIN_BYTES_MAX at most, and closes the pipe. May be called twice. */
void log_stream_close(struct log_stream *s);

/* The present time, as records have it. */
void logs_add_time(struct text *out);

#endif

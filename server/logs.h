/*
 * What the children print: their stdout and stderr, read on the loop and kept in capped files
 *
 *   LOGS_DIR/SUPERVISOR/CHILD.stdout.log      the newest, appended to
 *   LOGS_DIR/SUPERVISOR/CHILD.stdout.log.1    the one before, and so on up to .(files_max - 1)
 *
 * and the same for stderr. A file never grows past its cap, so a child takes at most
 * 2 * files_max * bytes_max. A child never waits for a full disk: what cannot be written is
 * dropped and counted. A file is open only while it is written to, so ten thousand silent children
 * cost no descriptor here, and files may be moved away or deleted at any time.
 */
#ifndef HORDE_LOGS_H
#define HORDE_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/loop.h"

/* Read from one stream in one turn of the loop, so that a chatty child does not starve the rest. */
#define LOGS_READ_BYTES 65536
/* Read from a stream that ends; more can only come from someone outside the child's group. */
#define LOGS_DRAIN_BYTES_MAX (1024 * 1024)
/* Used where a cap is given as 0; files are at most LOGS_FILES_MAX. */
#define LOGS_BYTES_DEFAULT (10 * 1024 * 1024)
#define LOGS_FILES_DEFAULT 3
#define LOGS_FILES_MAX 100

/* A capped file. */
struct log_file {
	char *path;
	uint64_t bytes_max;
	unsigned files_max;
	uint64_t dropped_bytes; /* since log_file_init */
};

/*
 * `ref` is "supervisor/child", `stream` is "stdout" or "stderr". Creates nothing yet.
 * Errors: NO_MEMORY; MALFORMED: `ref` is not two file names.
 */
enum err log_file_init(struct log_file *f, const char *logs_dir, const char *ref,
	const char *stream, uint64_t bytes_max, unsigned files_max);
void log_file_fini(struct log_file *f);
/* Appends, rotating as needed; what cannot be written is counted in dropped_bytes. */
void log_file_append(struct log_file *f, const char *bytes, size_t count);

/* A pipe that is read into a file. */
struct log_stream {
	struct loop *loop;
	struct loop_io io;
	struct log_file file;
	int fd; /* -1 once closed */
};

/*
 * Takes the file as initialised and starts to read `fd` (non-blocking), which it owns from now on,
 * also when it fails. The stream must not move in memory. Errors: NO_MEMORY, SYSTEM.
 */
enum err log_stream_open(struct log_stream *s, struct loop *l, int fd);
/* Reads what is there, LOGS_DRAIN_BYTES_MAX at most, and closes the pipe. May be called twice. */
void log_stream_close(struct log_stream *s);

#endif

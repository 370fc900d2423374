/*
 * What children print as lines of JSON on the daemon's stdout (--logs stdout, both): one object a
 * record of log_file.h,
 *
 *   {"at":"2026-11-27T10:20:03.123Z","node":"n1","supervisor":"default","child":"web",
 *    "epoch":1740830400000,"stream":"stdout","data":"what it printed"}
 *
 * (on one line), with "partial":true when the rest of the line is in the next one of that stream,
 * and "encoding":"base64" when `data` is no UTF-8 text or has a NUL. A line is at most PIPE_BUF
 * bytes, so it goes into a pipe as a whole, and the daemon's own lines never get into it, also
 * where stdout and stderr are one pipe; a longer record becomes several, each `partial` but the
 * last.
 *
 * Nothing here blocks. What a slow reader has not taken waits, up to LOG_LINES_QUEUE_BYTES; more is
 * dropped, record by record, and a line says so where they would have been:
 *
 *   {"at":"2026-11-27T10:20:04.000Z","node":"n1","dropped":17}
 */
#ifndef HORDE_LOG_LINES_H
#define HORDE_LOG_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "server/loop.h"

#define LOG_LINES_QUEUE_BYTES (4 * 1024 * 1024)
/* How long log_lines_free goes on for a reader that reads. */
#define LOG_LINES_END_MS 1000

struct log_lines;

/* `fd` and `node` (this node's name) are borrowed and outlive it. Errors: NO_MEMORY. */
enum err log_lines_new(struct loop *l, int fd, const char *node, struct log_lines **ret);
void log_lines_free(struct log_lines *l);

/* Whole records of `ref`, "supervisor/child"; `count` bytes. */
void log_lines_add(
	struct log_lines *l, const char *ref, uint64_t epoch, const char *records, size_t count);
/* Records that were dropped and not told of yet. */
uint64_t log_lines_dropped(const struct log_lines *l);

#endif

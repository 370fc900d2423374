/*
 * What all log files of this node hold together, and the end of the oldest when it is too much.
 *
 * The files (log_file.h) are counted by walking once; from then on each is told of as it grows, is
 * closed or goes. A file is charged in blocks of LOG_BLOCK_BYTES, as a disk does, so a million
 * short logs are as much as they cost. Closed ones, those that were rotated and those of children
 * that do not run here, stand in the order in which they were closed, and go in that order, whose
 * they are aside. What a running child writes to is never taken away from under it; when there is
 * nothing else, it ends its file early instead (log_file.c).
 *
 * Of a child that may come back here an empty file stays, so that no offset ever comes twice; of
 * one that is deleted nothing does, and its folder goes too. Files that somebody else took away
 * count until it would have been their turn.
 */
#ifndef HORDE_LOG_TOTAL_H
#define HORDE_LOG_TOTAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"

#define LOG_BLOCK_BYTES 4096
#define LOG_TOTAL_BUCKETS 16384
/* Files that are known at a time: about 100 bytes of memory each. */
#define LOG_TOTAL_FILES_MAX 262144

struct log_known; /* a file */

struct log_total {
	char *logs_dir;
	uint64_t bytes_max;
	unsigned files_max;
	/* Whether the child may come back; NULL: each may. Called from log_total_sweep. */
	bool (*needed)(void *data, const char *ref);
	void *data;
	uint64_t bytes; /* as charged */
	unsigned files;
	unsigned swept;                    /* since log_total_new */
	bool incomplete;                   /* memory was short: some file is not known */
	struct log_known *oldest, *newest; /* of the closed ones */
	struct log_known *buckets[LOG_TOTAL_BUCKETS];
};

/* Counts what is there; deletes nothing. Errors: NO_MEMORY. */
enum err log_total_new(
	const char *logs_dir, uint64_t bytes_max, unsigned files_max, struct log_total **ret);
void log_total_free(struct log_total *t);

/*
 * `ref` is "supervisor/child", `start` names the file; `t` may be NULL. A file that is written to,
 * and how much is in it now; it counts as open until it is closed.
 */
void log_total_open(struct log_total *t, const char *ref, uint64_t start, uint64_t bytes);
/* Nobody writes to it any more. */
void log_total_close(struct log_total *t, const char *ref, uint64_t start);
/* It was deleted. */
void log_total_gone(struct log_total *t, const char *ref, uint64_t start);

/* There is no room for `count` bytes, and no file that could make some. */
bool log_total_short(const struct log_total *t, size_t count);
/* Deletes what is too much, as far as closed files go. */
void log_total_sweep(struct log_total *t);

#endif

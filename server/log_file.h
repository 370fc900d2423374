/*
 * What a child printed, kept in capped files of whole records
 *
 *   LOGS_DIR/SUPERVISOR/CHILD/<offset>.log
 *
 * each named by the offset of its first byte in all that was ever kept of this child here (16 hex
 * digits), so that an offset means the same bytes for as long as they are there, over rotations,
 * new processes and new daemons. The greatest is appended to. A record is a line
 *
 *   2026-11-27T10:20:03.123Z stdout F what it printed
 *
 * with F for a whole line and P for a part of one, as the container runtimes of Kubernetes have it
 * (CRI logging format). A file is open only while it is written to, so ten thousand silent
 * children cost no descriptor, and files may be moved away or deleted at any time.
 */
#ifndef HORDE_LOG_FILE_H
#define HORDE_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/log_total.h"

/* The longest record: what a process printed, and the head before it. */
#define LOG_DATA_BYTES_MAX 4000
#define LOG_HEAD_BYTES 34
#define LOG_RECORD_BYTES_MAX (LOG_HEAD_BYTES + LOG_DATA_BYTES_MAX + 1)
/* Used where a cap is given as 0; files are at most LOG_FILES_MAX. */
#define LOG_BYTES_DEFAULT (10 * 1024 * 1024)
#define LOG_FILES_DEFAULT 3
#define LOG_FILES_MAX 100
/* From here on a file ends early when the total of the node is reached by such files alone. */
#define LOG_EARLY_BYTES (64 * 1024)
#define LOG_PATH_BYTES (PATH_MAX + 32)

struct log_file {
	char *folder;
	const char *ref;         /* the end of it */
	struct log_total *total; /* is told of its files, once set; or NULL */
	uint64_t bytes_max;      /* of a file, at least a record */
	unsigned files_max;
	bool known;             /* where it ends */
	uint64_t start;         /* of the newest file */
	uint64_t used;          /* of the newest file */
	uint64_t dropped_bytes; /* since log_file_init */
};

/*
 * `ref` is "supervisor/child". Creates nothing yet.
 * Errors: NO_MEMORY; MALFORMED: `ref` is not two file names.
 */
enum err log_file_init(struct log_file *f, const char *logs_dir, const char *ref,
	uint64_t bytes_max, unsigned files_max);
/* What it has written to is closed. */
void log_file_fini(struct log_file *f);
/* The offset of what will be appended next. */
uint64_t log_file_end(struct log_file *f);
/* Appends whole records; what cannot be written is counted in dropped_bytes. */
void log_file_append(struct log_file *f, const char *records, size_t count);

/* The files of one child, in the order of their offsets. */
struct log_files {
	uint64_t starts[LOG_FILES_MAX + 1];
	unsigned count; /* 0: there is none; of too many the oldest are left out */
};
void log_files_list(const char *folder, struct log_files *ret);
/* The path of the file that begins at `start`; false when it is too long. */
bool log_files_path(const char *folder, uint64_t start, char ret_path[LOG_PATH_BYTES]);
/* Where the files of `ref` are; the caller's to free. Errors: as log_file_init. */
enum err log_folder(const char *logs_dir, const char *ref, char **ret_folder);

#endif

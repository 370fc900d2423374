/*
 * Reading back what a child printed (log_file.h), a page at a time, by offset. Nothing is kept
 * open between pages, and a page reads a bounded number of bytes.
 */
#ifndef HORDE_LOG_READ_H
#define HORDE_LOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/log_file.h"

/* How far back the last entries are looked for. */
#define LOG_TAIL_BYTES_MAX (4 * 1024 * 1024)
/* Read for one page; entries of another stream count too. */
#define LOG_PAGE_BYTES_MAX (1024 * 1024)

struct log_entry {
	const char *at; /* 24 characters; not NUL-terminated */
	bool is_stderr;
	bool partial;    /* the rest of its line is another entry */
	uint64_t offset; /* of the entry */
	const char *data;
	size_t bytes;
};

struct log_query {
	const char *folder; /* log_folder */
	const char *stream; /* "stdout", "stderr", or NULL: both */
	bool from_offset;   /* `after` holds; else `tail` does */
	uint64_t after;     /* what begins there and later; within an entry: the next one */
	unsigned tail;      /* the last so many */
	/* Each entry in turn; false: no more on this page. The entry is borrowed. */
	bool (*each)(void *data, const struct log_entry *entry);
	void *data;
};

struct log_page {
	uint64_t first; /* the first offset that there is */
	uint64_t end;   /* the first that there is not yet */
	uint64_t next;  /* `after` of the next page */
};

/* Errors: NO_MEMORY, SYSTEM (errno), LIMIT: `after` is not there (any more): `ret_page` says what
 * is. */
enum err log_read(const struct log_query *q, struct log_page *ret_page);

/* Whether any reader of JSON understands it; what is not goes as base64. */
bool log_is_text(const char *bytes, size_t count);

/*
 * The last bytes that a process printed to one stream since `from`, with newlines between lines:
 * at most `size`. How many.
 */
size_t log_read_tail(
	const char *folder, uint64_t from, const char *stream, char *ret_bytes, size_t size);

#endif

/* What the handlers of logs ask of the node (service.h): a page of what a child printed here. */
#ifndef HORDE_API_LOGS_SERVICE_H
#define HORDE_API_LOGS_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/core/text.h"

struct logs_query {
	const char *stream; /* "stdout", "stderr", or NULL: both */
	bool from_offset;   /* `after` holds; else `tail` does */
	uint64_t after;
	unsigned tail;
	unsigned limit; /* entries of the page */
};

struct logs_range {
	uint64_t first; /* the first offset that is kept */
	uint64_t end;   /* where the next entry will begin */
	uint64_t next;  /* `after` of the next page */
	unsigned count; /* entries that were written */
	uint64_t dropped_bytes;
	bool runs;              /* it has a process here */
	uint64_t process_start; /* where what that one printed begins */
};

/*
 * Appends the entries, JSON objects, as far as `size` bytes go; `ref` is "supervisor/child". The
 * key "logs/<ref>" is woken when there is more.
 * Errors: NO_MEMORY, SYSTEM, LIMIT: `after` is not kept (`ret_range` says what is), WRONG_STATE:
 * this node keeps no logs, they go to its stdout.
 */
typedef enum err logs_read_fn(void *node, const char *ref, const struct logs_query *q, size_t size,
	struct text *out, struct logs_range *ret_range);

#endif

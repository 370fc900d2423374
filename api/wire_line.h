/* The lines of a fragment on the wire between its header and its trailer. Only wire_read.c uses it.
 */
#ifndef HORDE_API_WIRE_LINE_H
#define HORDE_API_WIRE_LINE_H

#include <stdbool.h>

#include "server/core/fragment.h"

struct wire_cursor {
	const char *at;
	const char *end;
	bool ok;
};

struct wire_kills { /* the victims of one line, read one by one */
	struct wire_cursor cursor;
	const struct origin_id *origins;
	size_t origin_count;
	bool first;
	bool done;
};

/*
 * A "p" or "s" line. Key and value are new memory for the caller to free, also on error.
 * Errors: NO_MEMORY, LIMIT (key or value too long), MALFORMED.
 */
enum err wire_line_put(const char *line, size_t count, const struct origin_id *origins,
	size_t origin_count, struct fragment_put *ret_put);

/* A "k" line: the killer, then the victims while there are any, then whether all of it was right.
 */
enum err wire_line_kills(struct wire_kills *k, const char *line, size_t count,
	const struct origin_id *origins, size_t origin_count, struct dot *ret_killer);
bool wire_line_victim(struct wire_kills *k, struct dot *ret_victim);
bool wire_line_kills_ok(const struct wire_kills *k);

#endif

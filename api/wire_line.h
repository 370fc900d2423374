/* The lines of a fragment on the wire between its header and its trailer. Only wire_read.c uses it.
 */
#ifndef HORDE_API_WIRE_LINE_H
#define HORDE_API_WIRE_LINE_H

#include <stdbool.h>

#include "api/wire_origins.h"
#include "server/core/fragment.h"

struct wire_cursor {
	const char *at;
	const char *end;
	bool ok;
};

struct wire_list { /* the items of the array at the end of a line, read one by one */
	struct wire_cursor cursor;
	const struct wire_origins *origins;
	bool first;
	bool done;
};

/*
 * A "p" or "s" line. Key and value are new memory for the caller to free, also on error.
 * Errors: NO_MEMORY, LIMIT (key or value too long), MALFORMED.
 */
enum err wire_line_put(const char *line, size_t count, const struct wire_origins *origins,
	struct fragment_put *ret_put);

/* A "k" line: the killer, then the victims while there are any, then whether all of it was right.
 */
enum err wire_line_kills(struct wire_list *l, const char *line, size_t count,
	const struct wire_origins *origins, struct dot *ret_killer);
bool wire_line_victim(struct wire_list *l, struct dot *ret_victim);

/* A "c" line: its range, then the seqs. `first` and `count` are not set. */
enum err wire_line_check(struct wire_list *l, const char *line, size_t count,
	const struct wire_origins *origins, struct fragment_check *ret_check);
bool wire_line_seq(struct wire_list *l, uint64_t *ret_seq);

/* An "o" line: then the origins. */
enum err wire_line_origins(struct wire_list *l, const char *line, size_t count);
bool wire_line_origin(struct wire_list *l, struct origin_id *ret_origin);

/* After the last item: was that all of the line? */
bool wire_line_ok(const struct wire_list *l);

#endif

/*
 * What a query wants of each entry that it finds: parts, or paths into them (match.h), each written
 * under the name that it was asked for by. Values are cut out of their text as they were written.
 */
#ifndef HORDE_API_PROJECTION_H
#define HORDE_API_PROJECTION_H

#include "api/entry.h"

#define PROJECTION_PATHS_MAX 32
#define PROJECTION_PATH_BYTES_MAX 1024 /* 256 characters */

struct projection {
	size_t count;
	struct {
		const char *path; /* borrowed */
		enum match_part part;
	} paths[PROJECTION_PATHS_MAX];
};

/*
 * Of an array of texts, whose shape was checked. Errors: MALFORMED: all faults were noted, below
 * the pointer where `faults` is.
 */
enum err projection_read(struct projection *p, const json_t *select, struct faults *faults);
/* One member for each path that leads to something. */
void projection_put(
	struct text *out, const struct projection *p, const struct horde *h, const struct entry *e);

#endif

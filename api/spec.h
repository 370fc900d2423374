/*
 * The text of child specs. A spec is kept as it was asked for: without the members that are
 * read-only, its keys sorted, without space, so that equal specs have equal texts and hashes.
 *
 * The value of the map's key spec/SUP/CHILD is
 *	{"created_at":<wall ms>,"desired":"running|stopped","source":"file","spec":{...}}
 *
 * without `source` when it came through the API.
 */
#ifndef HORDE_API_SPEC_H
#define HORDE_API_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/json.h"
#include "server/core/err.h"
#include "server/core/text.h"

/* Limits of a spec as a whole, which a merge patch could creep past. */
#define SPEC_TEXT_BYTES_MAX 131072u /* of all of `command`, and of all of `env` */
#define SPEC_ENV_MAX 1024u
#define SPEC_LABELS_MAX 64u

/* How specs are dumped. 15 digits bring every short decimal back as it was written; 17 would make
 * 0.1 unreadable. */
#define SPEC_DUMP_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15))

struct spec_parts { /* borrowed from the value's text */
	int64_t created_at_ms;
	bool running;   /* desired */
	bool from_file; /* a node's configuration file said it last, nobody else since */
	const char *spec;
	size_t spec_bytes;
};

/* Appends the canonical text of a spec object. Errors: NO_MEMORY. */
enum err spec_canonical(const json_t *spec, struct text *out);
/* The same without what is no part of a life: how long its record is kept. */
enum err spec_life(const json_t *spec, struct text *out);
/* The same of a supervisor's options. */
enum err options_canonical(const json_t *options, struct text *out);
/* Appends a whole value. */
void spec_value(const struct spec_parts *parts, struct text *out);
/* Takes a value apart. Errors: MALFORMED (it is none that this version wrote). */
enum err spec_split(const char *value, size_t value_bytes, struct spec_parts *ret_parts);

/* A copy of `target` with the merge patch `patch` (RFC 7396) applied; to be released by
 * json_decref. Errors: NO_MEMORY. */
enum err spec_merge(const json_t *target, const json_t *patch, json_t **ret_merged);
/* The member that breaks a limit of the whole, as a JSON pointer, or NULL. */
const char *spec_over_limit(const json_t *spec);

#endif

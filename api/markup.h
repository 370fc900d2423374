/*
 * A YAML document as a tree, for OpenAPI documents: libyaml's events, plain scalars typed by the
 * YAML 1.2 core schema (so `no` and `on` are strings, and `022` is 22), quoted ones always strings.
 * What would make two readers disagree is refused: duplicate keys, anchors and aliases, other tags.
 */
#ifndef HORDE_API_MARKUP_H
#define HORDE_API_MARKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/arena.h"
#include "api/limits.h"
#include "server/core/err.h"
#include "server/core/text.h"

enum markup_kind {
	MARKUP_NULL,
	MARKUP_BOOL,
	MARKUP_INT,
	MARKUP_REAL,
	MARKUP_STRING,
	MARKUP_LIST,
	MARKUP_MAP,
};

struct markup;

struct markup_member {
	const char *name; /* NULL in lists */
	const struct markup *value;
};

struct markup {
	enum markup_kind kind;
	unsigned line;    /* from 1 */
	const char *text; /* a scalar as it was written, without quotes; else NULL */
	bool truth;
	int64_t integer;
	double real; /* also set for MARKUP_INT */
	size_t count;
	const struct markup_member *members; /* of maps and lists, in the document's order */
};

/* The tree lives in `arena`. On failure `why` names the line. Errors: MALFORMED, NO_MEMORY. */
enum err markup_load(struct arena *arena, const char *yaml, size_t length,
	const struct markup **ret_root, char why[HTTP_WHY_BYTES]);

/* A member of a map; NULL when it is absent, or `map` is NULL or no map. */
const struct markup *markup_get(const struct markup *map, const char *name);
/* A string member, or NULL when it is absent or no string. */
const char *markup_string(const struct markup *map, const char *name);
bool markup_bool(const struct markup *map, const char *name, bool fallback);
int64_t markup_int(const struct markup *map, const char *name, int64_t fallback);
/* What a `$ref` of "#/a/b" points to, or NULL. */
const struct markup *markup_follow(const struct markup *root, const char *ref);
/* Appends the tree as JSON. */
void markup_json(struct text *out, const struct markup *m);

#endif

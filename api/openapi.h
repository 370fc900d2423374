/*
 * An OpenAPI 3.0 document as the server uses it: its operations with their parameters, body and
 * compiled schemas. What the document cannot mean is an error that names its line.
 *
 * Understood: paths, the operations of a path, operationId, parameters (path, query, header; of a
 * path and of an operation; $ref; x-error-status; x-rest), requestBody ($ref; required; content;
 * x-max-bytes), security: [] (an operation anybody may call) and a
 * scheme `child` (one that a child may call with its own token), servers (a first url that is a
 * path stands before all paths).
 */
#ifndef HORDE_API_OPENAPI_H
#define HORDE_API_OPENAPI_H

#include <stdbool.h>
#include <stddef.h>

#include "api/arena.h"
#include "api/limits.h"
#include "api/markup.h"
#include "api/schema.h"
#include "server/core/err.h"
#include "server/core/text.h"

struct exchange;

enum method {
	METHOD_GET,
	METHOD_PUT,
	METHOD_POST,
	METHOD_DELETE,
	METHOD_PATCH,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_COUNT,
};

enum parameter_place {
	PARAMETER_PATH,
	PARAMETER_QUERY,
	PARAMETER_HEADER,
};

struct parameter {
	const char *name;
	enum parameter_place place;
	bool required;
	bool joined;           /* explode: false, one text with commas */
	int segment;           /* of a path parameter: which segment of the path it is, from 0 */
	bool rest;             /* it is the last one, and all that is left of the path, undecoded */
	unsigned error_status; /* x-error-status: 400 or 422 */
	const struct schema *schema;
};

enum body_kind {
	BODY_NONE,
	BODY_JSON,  /* parsed, checked by `body`; application/json or ...+json */
	BODY_BYTES, /* any other media type: handed over as it is */
};

struct operation {
	const char *id;
	const char *path; /* with the server's path before it */
	enum method method;
	bool peers;     /* it asks for the peers' secret */
	bool open;      /* it asks for nothing */
	bool children;  /* a child may call it with its own token */
	bool rest;      /* its last path parameter has x-rest */
	bool any_query; /* it takes any query parameters, by one that is an object */
	const struct parameter *parameters;
	size_t parameter_count;
	enum body_kind body_kind;
	bool body_required;
	const struct markup *body_content; /* its names are the media types that are taken */
	size_t body_bytes_max;
	const struct schema *body;
	unsigned line;
	void (*handle)(struct exchange *x); /* bound later */
	/* Bound later, or NULL: takes the body in pieces instead of it being kept. */
	void (*receive)(struct exchange *x, const char *bytes, size_t count);
};

struct openapi {
	struct arena arena;
	const struct markup *root;
	struct schema_set schemas;
	struct operation *operations;
	size_t operation_count;
};

/* Fills `ret` (to be emptied with openapi_fini). Errors: MALFORMED, NO_MEMORY. */
enum err openapi_load(
	struct openapi *ret, const char *yaml, size_t length, bool peers, char why[HTTP_WHY_BYTES]);
void openapi_fini(struct openapi *o);

/* METHOD_COUNT when it is none of ours. */
enum method method_of(const char *name);
const char *method_name(enum method m);

#endif

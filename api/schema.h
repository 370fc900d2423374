/*
 * The shape of a value, compiled from a schema of an OpenAPI document, and the check of JSON
 * bodies and of parameters against it. The check goes on after a fault: all of them are collected.
 *
 * Known keywords: type, nullable, enum, minimum, maximum, minLength, maxLength (code points),
 * pattern (POSIX extended), minItems, maxItems, items, properties, required, additionalProperties,
 * minProperties, maxProperties, readOnly, format: duration, x-max-bytes, x-bytes-max, x-max-ms,
 * x-key-pattern (of the names that additionalProperties takes), x-needs-cgroup (a member that is
 * refused by a node that has none), $ref; annotations (default,
 * description, example, ...) are passed over. Any other keyword is an error, so that a document
 * cannot promise what nobody checks.
 */
#ifndef HORDE_API_SCHEMA_H
#define HORDE_API_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "api/arena.h"
#include "api/json.h"
#include "api/limits.h"
#include "api/markup.h"
#include "server/core/err.h"
#include "server/core/text.h"

struct schema;

/* All schemas of one document; each place in it is compiled once, recursion is fine. */
struct schema_set {
	struct arena *arena;
	const struct markup *root; /* for $ref */
	struct schema *all;
};

void schema_set_init(struct schema_set *set, struct arena *arena, const struct markup *root);
/* Frees the regular expressions; the rest is the arena's. */
void schema_set_fini(struct schema_set *set);
/* Errors: MALFORMED, NO_MEMORY; `why` names the line. */
enum err schema_compile(struct schema_set *set, const struct markup *from,
	const struct schema **ret_schema, char why[HTTP_WHY_BYTES]);

/* Faults: the items of `errors` in a problem document. */
struct faults {
	struct text items;   /* JSON objects with commas between */
	size_t count;        /* also those beyond HTTP_FAULTS_MAX, which are not listed */
	bool too_large;      /* one of them is a raw value over its x-max-bytes: a 413 */
	size_t unsupported;  /* so many are of members that are right, and not supported here */
	struct text pointer; /* where the check is now */
};

void faults_fini(struct faults *f);
void faults_clear(struct faults *f);
/* One fault at a JSON pointer, of which the first HTTP_POINTER_BYTES_MAX are shown. */
void faults_add(struct faults *f, const char *pointer, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* One where the check is now. */
void faults_add_here(struct faults *f, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Begins there, wherever the check was. */
void faults_begin(struct faults *f, const char *pointer);
/* Goes down to a member or an item, whose name is escaped (RFC 6901); returns what
 * faults_leave() is given to come back. */
size_t faults_enter(struct faults *f, const char *name);
size_t faults_enter_item(struct faults *f, size_t index);
void faults_leave(struct faults *f, size_t here);
/* One fault of a parameter: {"parameter": name, ...}. */
void faults_add_parameter(struct faults *f, const char *name, const char *code, const char *detail);

struct schema_check {
	const char *raw; /* the body's text, to measure untyped members byte by byte */
	size_t raw_length;
	bool cgroup; /* this node has one: what x-needs-cgroup marks is no fault */
};

/* Appends what is wrong with `value`. */
void schema_check_body(const struct schema *s, const json_t *value, const struct schema_check *how,
	struct faults *faults);

/* What is wrong with the text of a parameter: a code, and a detail (in `detail`); NULL if nothing.
 * For an array, each of its texts is checked on its own (`joined`: split at commas first). */
const char *schema_check_text(
	const struct schema *s, const char *text, bool joined, char detail[HTTP_WHY_BYTES]);

/* Facts about a schema that the request needs. */
bool schema_is_array(const struct schema *s);

#endif

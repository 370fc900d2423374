/*
 * The children that a node's configuration file declares: its member `children`, a list of
 *
 *	- id: web
 *	  supervisor: default		# this one when it is absent
 *	  spec: {command: [/bin/sleep, "1000"]}
 *
 * in the shape of x-configuration-children of openapi.yaml (how many there may be, too), each
 * spec under all the rules of one that a request puts.
 */
#ifndef HORDE_API_DECLARED_H
#define HORDE_API_DECLARED_H

#include <stddef.h>

#include "server/core/err.h"
#include "server/core/text.h"

#define DECLARED_DIGEST_BYTES 33 /* 128 bits in hex, with a NUL */

struct declared_child {
	char *ref; /* "default/web" */
	char digest[DECLARED_DIGEST_BYTES];
	char *spec; /* its canonical text, or NULL where only the digest is remembered */
};

/* Zero: empty. Sorted by ref, each once. */
struct declared {
	struct declared_child *items;
	size_t count, size;
};

void declared_fini(struct declared *d);
/* NULL: it is not among them. */
const struct declared_child *declared_find(const struct declared *d, const char *ref);
/* Adds it without a spec, or replaces its digest; a longer one is cut. Errors: NO_MEMORY. */
enum err declared_set(struct declared *d, const char *ref, const char *digest);
void declared_remove(struct declared *d, const char *ref);

/*
 * Reads the whole of a file that has the member `children`. On failure `faults` has a line for each
 * fault, "POINTER: DETAIL", the first HTTP_FAULTS_MAX of them.
 * Errors: MALFORMED (see `faults`), NO_MEMORY.
 */
enum err declared_read(
	const char *yaml, size_t bytes, struct declared *ret_declared, struct text *faults);

#endif

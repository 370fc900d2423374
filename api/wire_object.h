/* The two objects around the lines of a body: header and trailer. Only wire_read.c uses it. */
#ifndef HORDE_API_WIRE_OBJECT_H
#define HORDE_API_WIRE_OBJECT_H

#include "api/wire.h"
#include "api/wire_origins.h"

struct wire_envelope {
	uint64_t retired_hash;
	struct vector_item *items; /* of the vector, as they were written */
	size_t item_count;
	bool by_after; /* they are laid over the request's `after` */
};

/* What a vector is called in the trailer. */
const char *wire_vector_key(bool slice, bool by_after);

/* Into mode, from and ack_wanted of `f`, the envelope, and the origins. Errors: NO_MEMORY, LIMIT,
 * PROTOCOL, MALFORMED. */
enum err wire_header_read(const char *line, size_t count, struct wire_envelope *e,
	struct wire_origins *origins, struct fragment *f);

/* Into ranges, floors, digest and clock of `f`, and the envelope. Errors: NO_MEMORY, MALFORMED. */
enum err wire_trailer_read(const char *line, size_t count, const struct wire_origins *origins,
	size_t lines, struct wire_envelope *e, struct fragment *f);

/*
 * Makes the vector, over `after` of the request (or NULL), and checks what depends on it.
 * Errors: NO_MEMORY, MALFORMED.
 */
enum err wire_envelope_close(
	struct wire_envelope *e, const struct vector *after, struct fragment *f);

#endif

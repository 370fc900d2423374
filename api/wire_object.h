/* The two objects around the lines of a body: header and trailer. Only wire_read.c uses it. */
#ifndef HORDE_API_WIRE_OBJECT_H
#define HORDE_API_WIRE_OBJECT_H

#include "api/wire.h"
#include "api/wire_origins.h"

struct wire_envelope {
	char name[WIRE_NAME_BYTES_MAX + 1];
	uint64_t retired_hash;
	bool compact;
	struct vector_item *items; /* of `vec` or `deps`, as they were written */
	size_t item_count;
};

/* Into mode, from and ack_wanted of `f`, the envelope, and the origins. Errors: NO_MEMORY, LIMIT,
 * PROTOCOL, MALFORMED. */
enum err wire_header_read(const char *line, size_t count, struct wire_envelope *e,
	struct wire_origins *origins, struct fragment *f);

/* Into ranges, floors, digest and clock of `f`, and the envelope. Errors: NO_MEMORY, MALFORMED. */
enum err wire_trailer_read(const char *line, size_t count, const struct wire_origins *origins,
	size_t lines, struct wire_envelope *e, struct fragment *f);

/*
 * Makes the vector, with the reader's own table of retired origins, and checks what depends on it.
 * Errors: NO_MEMORY, MALFORMED, STALE.
 */
enum err wire_envelope_close(struct wire_envelope *e, const struct vector *retired,
	uint64_t retired_hash, struct fragment *f);

#endif

/* Bodies on the wire, as targets write and read them: in the name of a node, in one piece. */
#ifndef HORDE_TESTS_FUZZ_BODY_H
#define HORDE_TESTS_FUZZ_BODY_H

#include "api/wire.h"

/* The table of retired origins that readers and writers have here, and its hash. */
#define BODY_RETIRED_HASH 0x0123456789abcdef
const struct vector *body_retired(void);

/* `by_after`: vectors leave out what that vector has. To be freed by text_fini. */
struct text body_write(const struct fragment *f, bool by_after);
/* Fills an empty `ret`. Counted as read or refused. Errors: those of the reader, not NO_MEMORY. */
enum err body_read(const char *bytes, size_t count, struct fragment *ret);
/* The same, by a reader whose request had no vector. */
enum err body_read_unasked(const char *bytes, size_t count, struct fragment *ret);
/* The same in pieces of at most `most` bytes, each alone in its memory, drawn from `random`. */
enum err body_read_pieces(
	const char *bytes, size_t count, size_t most, uint64_t *random, struct fragment *ret);

#endif

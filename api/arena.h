/*
 * Memory that is given back all at once: a bump allocator over chunks, the first of which may be
 * the caller's own, so that a small user never calls malloc.
 */
#ifndef HORDE_API_ARENA_H
#define HORDE_API_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	char *first; /* the caller's own chunk, or NULL */
	size_t first_size;
	size_t first_used;
	struct arena_chunk *chunks; /* the newest first */
};

struct arena_mark {
	size_t first_used;
	struct arena_chunk *chunk;
	size_t chunk_used;
};

/* `first` may be NULL with `size` 0; it stays the caller's and must be aligned for any type. */
void arena_init(struct arena *a, void *first, size_t size);
void arena_fini(struct arena *a);
/* Aligned for any type, not cleared; NULL when there is no memory. */
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_zero(struct arena *a, size_t bytes);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *a, const char *bytes, size_t count);
/* What was allocated since the mark is gone. */
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

#endif

#include "api/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 4096u

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, void *first, size_t size)
{
	*a = (struct arena){.first = first, .first_size = size};
}

static void free_until(struct arena *a, const struct arena_chunk *stop)
{
	while (a->chunks && a->chunks != stop) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
}

void arena_fini(struct arena *a)
{
	free_until(a, NULL);
	a->first_used = 0;
}

static struct arena_chunk *grow(struct arena *a, size_t bytes)
{
	size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
	struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->next = a->chunks;
	chunk->size = size;
	chunk->used = 0;
	a->chunks = chunk;
	return chunk;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t need = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_chunk *chunk = a->chunks;
	void *place;

	if (!chunk && a->first_size - a->first_used >= need) {
		place = a->first + a->first_used;
		a->first_used += need;
		return place;
	}
	if (!chunk || chunk->size - chunk->used < need)
		chunk = grow(a, need);
	if (!chunk)
		return NULL;
	place = chunk->bytes + chunk->used;
	chunk->used += need;
	return place;
}

void *arena_zero(struct arena *a, size_t bytes)
{
	void *place = arena_alloc(a, bytes);

	if (place)
		memset(place, 0, bytes);
	return place;
}

char *arena_copy(struct arena *a, const char *bytes, size_t count)
{
	char *copy = arena_alloc(a, count + 1);

	if (!copy)
		return NULL;
	if (count)
		memcpy(copy, bytes, count);
	copy[count] = '\0';
	return copy;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){.first_used = a->first_used,
		.chunk = a->chunks,
		.chunk_used = a->chunks ? a->chunks->used : 0};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
	free_until(a, mark.chunk);
	a->first_used = mark.first_used;
	if (a->chunks)
		a->chunks->used = mark.chunk_used;
}

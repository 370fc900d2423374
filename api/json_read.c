#include "api/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * jansson 2.14 does not look whether the buffer of the token at hand could grow: without memory it
 * goes on with a string cut short, and may copy beyond its end. So when memory runs out it is given
 * some from a spare block, taken beforehand, and the text ends for it a few bytes later; what it
 * made by then is thrown away.
 */
#define PIECE_BYTES 16u /* jansson is fed so much at a time, and asks for memory in between */
#define SPARE_EXTRA_BYTES                                                                          \
	8192u /* for all that one piece can ask for, beside the token's buffer                     \
	       */

struct reading {
	const char *at;
	size_t left;
	char *spare;
	size_t spare_used;
	size_t spare_size;
	bool out_of_memory;
};

static __thread struct reading *current;

static void *allocate(size_t bytes)
{
	void *memory = malloc(bytes);
	size_t place;

	if (memory || !current)
		return memory;
	current->out_of_memory = true;
	place = (current->spare_used + 15) & ~(size_t)15;
	if (bytes > current->spare_size || place > current->spare_size - bytes)
		return NULL;
	current->spare_used = place + bytes;
	return current->spare + place;
}

static void release(void *memory)
{
	uintptr_t at = (uintptr_t)memory, spare = current ? (uintptr_t)current->spare : 0;

	if (!current || at < spare || at - spare >= current->spare_size)
		free(memory);
}

static size_t next_piece(void *buffer, size_t size, void *reading)
{
	struct reading *r = reading;
	size_t count = r->left < PIECE_BYTES ? r->left : PIECE_BYTES;

	if (r->out_of_memory || count > size)
		return 0;
	memcpy(buffer, r->at, count);
	r->at += count;
	r->left -= count;
	return count;
}

enum err json_read(const char *bytes, size_t count, size_t flags, json_t **ret_json)
{
	struct reading r = {
		.at = bytes, .left = count, .spare_size = 3 * count + SPARE_EXTRA_BYTES};
	enum err e = ERR_OK;
	json_t *tree;

	r.spare = malloc(r.spare_size);
	if (!r.spare)
		return ERR_NO_MEMORY;
	/* To say so every time costs two stores, and needs no one to remember it at the start. */
	json_set_alloc_funcs(allocate, release);
	current = &r;
	tree = json_load_callback(next_piece, &r, flags, NULL);
	if (!tree)
		e = ERR_MALFORMED;
	if (r.out_of_memory) {
		json_decref(tree);
		e = ERR_NO_MEMORY;
	}
	current = NULL;
	free(r.spare);
	if (e == ERR_OK)
		*ret_json = tree;
	return e;
}

json_t *json_whole(json_t *copy, const json_t *of)
{
	if (copy && json_equal(copy, of))
		return copy;
	json_decref(copy);
	return NULL;
}

/*
 * What the fuzz targets share. A target is one file, fuzz_NAME.c, that defines
 * LLVMFuzzerTestOneInput; libFuzzer (clang's -fsanitize=fuzzer) has the main function and calls it
 * with one input after the other. See README.md.
 *
 * A target is a pure function of its input: all that it draws is drawn from the input's hash, so an
 * input that failed fails again.
 */
#ifndef HORDE_TESTS_FUZZ_H
#define HORDE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- libFuzzer's side ---- */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t size, unsigned seed);
/* Its own mutations, for a custom mutator to build on. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t size);

/* Ends the run when it does not hold; the text says what must. */
#define must(holds, what)                                                                          \
	do {                                                                                       \
		if (!(holds))                                                                      \
			fuzz_failed(__FILE__, __LINE__, #holds, what);                             \
	} while (0)

__attribute__((noreturn)) static inline void fuzz_failed(
	const char *file, int line, const char *holds, const char *what)
{
	fprintf(stderr, "%s:%d: %s: !(%s)\n", file, line, what, holds);
	abort();
}

/* Numbers that look random and depend on a seed alone (splitmix64). */
static inline uint64_t fuzz_draw(uint64_t *state, uint64_t below)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % below;
}

static inline uint64_t fuzz_seed(const void *bytes, size_t count)
{
	return XXH3_64bits(bytes, count);
}

/* A copy of exactly this size, so that a read beyond its end is seen. To be freed. */
static inline char *fuzz_copy(const void *bytes, size_t count)
{
	char *copy = malloc(count ? count : 1);

	if (!copy)
		abort();
	if (count)
		memcpy(copy, bytes, count);
	return copy;
}

/* The same with a NUL behind it. */
static inline char *fuzz_string(const void *bytes, size_t count)
{
	char *copy = malloc(count + 1);

	if (!copy)
		abort();
	if (count)
		memcpy(copy, bytes, count);
	copy[count] = '\0';
	return copy;
}

#endif

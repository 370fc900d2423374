/*
 * Makes the n-th allocation fail. To be included by one file of a test: it defines the allocators
 * of the whole binary, which go on to the C library's (or the sanitizer's) unless armed.
 */
#ifndef HORDE_TESTS_FAILING_H
#define HORDE_TESTS_FAILING_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static __thread long failing_left = -1; /* allocations until one fails; negative: none will */
static __thread bool failing_failed;

/* From now on the allocation number `n`, counted from 0, fails, and only that one. */
static inline void failing_arm(long n)
{
	failing_left = n;
	failing_failed = false;
}

/* Ends it; true when an allocation did fail. */
static inline bool failing_disarm(void)
{
	failing_left = -1;
	return failing_failed;
}

static bool failing_now(void)
{
	if (failing_left < 0)
		return false;
	if (failing_left-- > 0)
		return false;
	failing_failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t bytes)
{
	static void *(*next)(size_t);

	if (failing_now())
		return NULL;
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "malloc");
	return next(bytes);
}

void *realloc(void *old, size_t bytes)
{
	static void *(*next)(void *, size_t);

	if (failing_now())
		return NULL;
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "realloc");
	return next(old, bytes);
}

void *calloc(size_t count, size_t bytes)
{
	static void *(*next)(size_t, size_t);

	if (failing_now())
		return NULL;
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "calloc");
	return next(count, bytes);
}

/* The C library's strdup would allocate behind our back under a sanitizer. */
char *strdup(const char *s)
{
	size_t bytes = strlen(s) + 1;
	char *copy = malloc(bytes);

	return copy ? memcpy(copy, s, bytes) : NULL;
}

#endif

/*
 * What went wrong, for a person: which file, and the way out. The code beside it (`enum err`) is
 * for the program. Written only when a function fails; a NULL pointer means nobody wants it.
 */
#ifndef HORDE_STORAGE_PROBLEM_H
#define HORDE_STORAGE_PROBLEM_H

#include "server/core/err.h"

#define STORE_PROBLEM_BYTES 512

struct store_problem {
	char detail[STORE_PROBLEM_BYTES]; /* one English sentence or two; cut when it does not fit
					   */
};

/* Sets the text as printf does and returns `e`, so that a failure is one statement. */
enum err problem_set(struct store_problem *p, enum err e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The meaning of an errno of a file operation: a full disk (also a quota or a file size limit) is
 * STORAGE_FULL, a file that may not be written is STORAGE_READ_ONLY, ENOMEM is NO_MEMORY, anything
 * else is IO.
 */
enum err problem_from_errno(int error);

#endif

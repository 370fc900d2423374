/*
 * `${HORDE_NAME}` in what a spec says of a process: its command, environment, directory, checks and
 * names. Only this exact form is one; `$$` is a dollar, and any other dollar stays as it is, so
 * that a shell's own variables reach the shell.
 */
#ifndef HORDE_CORE_EXPAND_H
#define HORDE_CORE_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/text.h"

/*
 * Appends `s` with what `variables` say ("NAME=value", ended by NULL) to `out`; with `json`, `s` is
 * JSON, and values are escaped to stand within its strings. What is not known stays as it is, and
 * makes the answer false.
 */
bool expand(const char *s, char *const *variables, bool json, struct text *out);

/* The next `${HORDE_NAME}` from `s` on, or NULL; `ret_bytes` is the length of its NAME, which
 * begins two bytes behind. */
const char *expand_next(const char *s, size_t *ret_bytes);
/* There is something in `s` that would not stay as it is. */
bool expands(const char *s);

#endif

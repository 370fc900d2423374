/*
 * A pattern of a schema: a POSIX extended regular expression, compiled once. The two shapes that
 * nearly every request meets do not cost a run of the regex engine (1 to 2 microseconds): a single
 * bracket that is repeated, `^[...]*$`, is a table of bytes; and the text that matched last time
 * (an id such as `default`) is remembered.
 */
#ifndef HORDE_API_PATTERN_H
#define HORDE_API_PATTERN_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#define PATTERN_LAST_BYTES 64

struct pattern {
	const char *text; /* borrowed; NULL: no pattern */
	bool simple;      /* the table says it all */
	bool table[256];
	regex_t regex;
	char last[PATTERN_LAST_BYTES]; /* matched; "" is none */
};

/* 0, or the code of regcomp; `p` is then to be left alone. */
int pattern_compile(struct pattern *p, const char *text);
void pattern_fini(struct pattern *p);
/* `p` changes only in what it remembers. */
bool pattern_matches(struct pattern *p, const char *string);

#endif

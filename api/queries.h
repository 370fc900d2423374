/* What the operations that ask by a match spec share. */
#ifndef HORDE_API_QUERIES_H
#define HORDE_API_QUERIES_H

#include "api/exchange.h"
#include "api/match.h"

/* A page of what was selected ends with the first of these: its rows, in bytes; entries looked at,
 * or so many as one turn of the loop looks at more. */
#define QUERY_PAGE_BYTES (1024u * 1024u)
#define QUERY_PAGE_ENTRIES 100000u

/* Compiles the body's `match`; false: faults were noted, and are to be answered. */
bool queries_compile(struct exchange *x, struct match *m);
void queries_refuse(struct exchange *x);
/* Parks: the handler goes on in the next turn of the loop, after all others. */
void queries_yield(struct exchange *x);

#endif

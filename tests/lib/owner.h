/*
 * An owner of a name that speaks HTTP, for the children of helper.h (step `owner PORT DIR`). Many
 * connections at once, each for one request; what it does follows from the path. DIR is for files.
 *
 *	/head		answers with the request's head as it came, behind its body
 *	/echo		answers with the request's body, once it is whole
 *	/count		answers with the number of the body's bytes and their sum
 *	/take		the same, but reads nothing of it before there is a file DIR/go
 *	/hit		adds a line to DIR/hits
 *	/big/N		answers with N bytes (owner_byte); how many are out is in DIR/sent
 *	/chunked/N	the same in chunks
 *	/half/N		says 2N, gives N and stays; DIR/left once the other side has gone
 *	/torn/N		gives N in chunks, and stays before the last one
 *	/stall		reads on and says nothing; DIR/left the same, DIR/stalled when it begins
 *	/heads/N	answers with a head whose lines have N bytes, each with one for its end
 *	/hop		answers with headers that go no further, and X-Kept
 *	/early		answers 413 and reads nothing of the body
 *	/status/N	answers N with a problem that is not Horde's
 */
#ifndef HORDE_TESTS_OWNER_H
#define HORDE_TESTS_OWNER_H

#include <stdint.h>

/* Listens and serves for ever. */
void owner_serve(int port, const char *dir);
/* The byte at this place of what it sends. */
static inline char owner_byte(uint64_t at)
{
	return (char)('a' + (at * 7 + at / 1000) % 26);
}
/* The sum of one more byte. */
static inline uint64_t owner_sum(uint64_t sum, unsigned char byte)
{
	return (sum ^ byte) * 1099511628211u;
}

#endif

/*
 * What passes on one direction of an HTTP/1.1 connection, told apart: heads and bodies. It follows
 * Content-Length and chunks as they pass, in pieces of any size, and keeps nothing.
 */
#ifndef HORDE_TESTS_METER_H
#define HORDE_TESTS_METER_H

#include <stdbool.h>
#include <stddef.h>

enum { METER_LINE_BYTES = 128 };

struct meter_sum {
	long heads;    /* first lines and headers, and what frames chunks */
	long bodies;   /* as sent, so compressed ones count compressed */
	long messages; /* requests or responses that began */
	bool lost;     /* something passed that is no HTTP; it is counted among the bodies */
};

/* Zero bytes are a meter at the start of a connection. */
struct meter {
	enum {
		METER_FIRST_LINE,
		METER_HEADER,
		METER_BODY,
		METER_CHUNK_LINE,
		METER_CHUNK,
		METER_CHUNK_END,
		METER_TRAILER,
		METER_TO_THE_END, /* a body without a length ends with the connection */
	} state;
	char line[METER_LINE_BYTES]; /* the present line; a longer one is cut */
	size_t line_bytes;
	long left; /* bytes of the body or chunk that are still to come */
	bool response, chunked, sized, bodiless;
};

/* Adds `count` bytes to `sum`. */
void meter_pass(struct meter *m, const char *bytes, size_t count, struct meter_sum *sum);

#endif

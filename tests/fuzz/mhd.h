/*
 * The calls of libmicrohttpd that api/ makes, without sockets: a request is taken apart from its
 * text, a reply is kept for whoever looks at it. What the real one refuses (a header value with a
 * line's end in it) is refused here too. These names stand before those of the library.
 */
#ifndef HORDE_TESTS_FUZZ_MHD_H
#define HORDE_TESTS_FUZZ_MHD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#define MHD_FIELDS_MAX 96

struct mhd_field {
	const char *name;
	const char *value; /* NULL: a query parameter without '=' */
};

struct MHD_Response {
	size_t references;
	const char *bytes;
	size_t count;
	bool owned;
	MHD_ContentReaderFreeCallback bytes_free; /* or this frees them */
	void *bytes_data;
	MHD_ContentReaderCallback source; /* or this gives the body, once */
	MHD_ContentReaderFreeCallback source_free;
	void *source_data;
	struct mhd_field headers[32]; /* copies */
	size_t header_count;
};

struct MHD_Connection {
	char *text;   /* what all pointers below point into */
	char *method; /* as sent */
	char *url;    /* without the query */
	char *body;   /* exactly `body_count` bytes, so that a read beyond them is seen */
	size_t body_count;
	size_t body_at; /* how much of it was taken */
	struct mhd_field headers[MHD_FIELDS_MAX];
	size_t header_count;
	struct mhd_field arguments[MHD_FIELDS_MAX];
	size_t argument_count;
	union MHD_ConnectionInfo info; /* a descriptor that says nothing */
	struct MHD_Response *response; /* queued */
	unsigned status;
	bool suspended;
	void *context; /* con_cls of the access handler */
	bool begun;
	bool closed; /* the access handler gave it up */
};

/*
 * Takes the text of a request apart: a line "METHOD URL ...", header lines, an empty line, the
 * body. False when libmicrohttpd would not pass it on.
 */
bool mhd_open(struct MHD_Connection *c, const char *text, size_t count, int fd);
void mhd_close(struct MHD_Connection *c);
/* Has the source of a reply, if it has one, give the whole body. */
void mhd_drain(struct MHD_Response *r);
/* A header of the reply, or NULL. */
const char *mhd_header(const struct MHD_Response *r, const char *name);

#endif

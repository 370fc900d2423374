/*
 * Where the owner of a name can be reached. Only a child has such a place: its node's host, and a
 * port, which is that of the name's value ({"port":8080}) or else one of the child's own: that
 * called `http`, or the first.
 */
#ifndef HORDE_API_ENDPOINT_H
#define HORDE_API_ENDPOINT_H

#include "api/resource.h"

struct endpoint {
	const char *node;
	char host[URL_BYTES_MAX + 1]; /* of the node's own URL, an IPv6 address without its [] */
	uint16_t port;
};

/* False: it has none, or its node or port is not known. */
bool endpoint_of(const struct horde *h, const struct entry *e, struct endpoint *ret_endpoint);
/* The members `ready` and, where there is one, `endpoint`. */
void endpoint_put(struct text *out, const struct horde *h, const struct entry *e);
/* A hash of what those say, but for the node's address; 0 for what no child owns. */
uint64_t endpoint_hash(const struct horde *h, const struct entry *e);
/* What they depend on, besides the entry, wakes the exchange. */
void endpoint_watch(struct exchange *x, const struct entry *e);

#endif

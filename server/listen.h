/* The listening socket, and under which names it is reached. */
#ifndef HORDE_LISTEN_H
#define HORDE_LISTEN_H

#include "server/options.h"

#define LISTEN_BACKLOG 1024
#define LISTEN_PATIENCE_MS 1000 /* so long an address may still be in use */
#define LISTEN_RETRY_MS 10
#define LISTEN_URL_BYTES 300
#define LISTEN_WHY_BYTES 400
#define LISTEN_HOSTS_MAX 512

struct listener {
	int fd;                           /* non-blocking; the caller's to close */
	char local_url[LISTEN_URL_BYTES]; /* for programs on this machine */
	char public_url[LISTEN_URL_BYTES +
			300]; /* for peers: --advertise, or made of the address */
	const char **hosts;   /* allowed in Host, without port and brackets; ends with NULL */
};

/*
 * Binds the address of the options and listens; waits up to LISTEN_PATIENCE_MS for it, since the
 * guardian of a daemon that was killed holds it until the children are gone. On failure `why` says
 * what is in the way. Errors: SYSTEM, NO_MEMORY.
 */
enum err listener_open(
	const struct options *o, struct listener *ret_listener, char why[LISTEN_WHY_BYTES]);
/* Frees the names; the descriptor is not closed. */
void listener_fini(struct listener *l);

#endif

/*
 * Tries of readiness and health checks: a connection to a port, a GET, or a command. The first two
 * are libcurl's on the one loop, a command is a process of the guardian's; none blocks, and each is
 * over when its time is.
 *
 *	tcp     well when the port takes the connection; nothing is sent
 *	http    well when a status from 200 to 399 comes; a redirect is not followed, the body not
 *read
 *	exec    well when the command, run as the child is, ends with code 0; it is killed when its
 *	        time is over, or the child ends
 *
 * For each probes_begin there comes exactly one event, from the loop or from probes_turn, never
 *from inside a call of this file, unless probes_drop takes it back.
 */
#ifndef HORDE_PROBES_H
#define HORDE_PROBES_H

#include "server/core/action.h"
#include "server/loop.h"

#define PROBES_MAX 256      /* under way at a time; others wait, within their own time */
#define PROBES_WHY_BYTES 48 /* "status 503" */

struct probes;

struct probes_config {
	struct loop *loop;
	/* EVENT_PROBED; its times are not set. */
	void (*event)(void *data, struct event *e);
	/* Starts the command of `a` under `name`; its end is told by probes_ended. */
	enum err (*exec)(void *data, const char *name, const struct action *a);
	/* Ends it at once. */
	void (*kill)(void *data, const char *name, uint64_t epoch);
	void *data;
};

/* Errors: NO_MEMORY. */
enum err probes_new(const struct probes_config *config, struct probes **ret_probes);
/* Drops everything under way, without events. NULL is fine. */
void probes_free(struct probes *p);

/* What ACTION_PROBE wants; what it points to is copied. Errors: NO_MEMORY (there is no event). */
enum err probes_begin(struct probes *p, const struct action *a);
/* Takes back all that is under way for `ref`. */
void probes_drop(struct probes *p, const char *ref);
/* Is this the name of a command, and not that of a child? */
bool probes_own(const char *name);
/* A command has ended, or could not be started; `why` is NULL when it went well. From the loop. */
void probes_ended(struct probes *p, const char *name, const char *why);
/* Once a turn, before the loop sleeps. */
void probes_turn(struct probes *p);

#endif

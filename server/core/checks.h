/*
 * What a spec says about readiness and health: how a child tells that it is ready, what is asked of
 * it from then on, and how long it may be silent. How that goes on is in health.h.
 */
#ifndef HORDE_CORE_CHECKS_H
#define HORDE_CORE_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/names.h"

#define CHECKS_MAX 8          /* health checks of one child */
#define CHECK_MS_MIN 100      /* between two tries, and for one, whatever a peer's spec says */
#define CHECK_MS_MAX 86400000 /* a day */

struct check {
	enum check_kind kind;
	uint16_t port; /* TCP, HTTP; 0: that of `port_name` */
	char *port_name;
	char *host;     /* TCP, HTTP; NULL: 127.0.0.1 */
	char *path;     /* HTTP; NULL: / */
	char **command; /* EXEC; NULL-terminated */
	int64_t period_ms;
	int64_t timeout_ms; /* of one try */
	int64_t limit_ms;   /* readiness: of all tries together */
	int64_t grace_ms;   /* health: from readiness to the first try */
	uint32_t threshold; /* health: so many failures in a row end the process */
};

struct checks {              /* all zero: none */
	struct check *ready; /* NULL: it is ready when it runs */
	struct check *health;
	uint32_t health_count;
	int64_t watchdog_ms; /* 0: none */
};

void checks_fini(struct checks *c);
/* A copy for the caller's checks_fini; false without memory, with what could be copied. */
bool checks_dup(const struct checks *c, struct checks *ret_copy);
/* The process is given a socket to tell of itself. */
bool checks_notify(const struct checks *c);
/* Of what one check asks, and how; `c` may be NULL. */
uint64_t check_hash(const struct check *c);

#endif

/*
 * What a process says of itself, one datagram of sd_notify(3): lines of NAME=value.
 *
 * READY=1, STOPPING=1, WATCHDOG=1, WATCHDOG=trigger and STATUS=text are understood; all other names
 * are ignored, as the protocol asks for. Of the text control characters become spaces, and what is
 * no UTF-8 becomes question marks.
 */
#ifndef HORDE_NOTICE_H
#define HORDE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/health.h"

#define NOTICE_BYTES_MAX 4096 /* a longer datagram is ignored as a whole */

struct notice {
	unsigned what; /* NOTIFIED_..., of health.h */
	bool told;     /* there is a text; it may be empty */
	char text[STATUS_TEXT_MAX + 1];
};

/* Adds what a datagram says; false: nothing that is understood. */
bool notice_read(struct notice *n, const char *bytes, size_t count);

#endif

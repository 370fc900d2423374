/*
 * Whether a port of this machine is free for a process that is about to be started. A look, not a
 * hold: the process binds it itself, and fails by itself when somebody was faster.
 */
#ifndef HORDE_PORT_FREE_H
#define HORDE_PORT_FREE_H

#include "server/core/ports.h"

/* The first of them that somebody has, at any address of IPv4, or NULL. */
const struct port *port_taken(const struct ports *p);

#endif

/*
 * Signals by name, as requests and specs write them: "TERM", without SIG.
 */
#ifndef HORDE_API_SIGNALS_H
#define HORDE_API_SIGNALS_H

/* The number of a signal on this machine, or 0 when there is none of that name. */
int signal_from_name(const char *name);
/* The name of a number, or NULL. Not to be freed. */
const char *signal_name(int number);

#endif

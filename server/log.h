/*
 * The daemon's own log: one line an event on stderr, in logfmt,
 *
 *	at=2026-02-03T04:05:06.789Z level=info node=n1 event=child.started subject=default/web
 *	detail="pid 4242"
 *
 * (on one line). A secret never gets here: callers pass names and states, never tokens or headers.
 * The log never blocks the loop: when nobody reads stderr, lines are dropped and the next line that
 * is written says how many (dropped=N).
 */
#ifndef HORDE_LOG_H
#define HORDE_LOG_H

#include "server/options.h"

/* Longer lines are cut. It is below PIPE_BUF, so a line goes whole into a pipe or not at all. */
#define LOG_LINE_BYTES_MAX 2048

/* What every line says, and the least important level that is printed. `node` is borrowed. */
void log_setup(const char *node, enum log_level least);
bool log_wants(enum log_level level);

/* `subject` (what it is about) and `format` may be NULL. */
void log_event(enum log_level level, const char *event, const char *subject, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* The level by the event's name, for those that the core names. */
enum log_level log_level_of(const char *event);

#endif

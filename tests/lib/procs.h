/*
 * Who runs: a look at /proc, for tests that must know that nothing is left.
 */
#ifndef HORDE_TESTS_PROCS_H
#define HORDE_TESTS_PROCS_H

#include <stdbool.h>
#include <sys/types.h>

enum { PROCS_MAX = 8192 };

/* True while `pid` exists and is no zombie. */
bool procs_alive(pid_t pid);

/* Fills `out` with the live descendants of `root`, itself left out; returns how many (at most cap).
 */
int procs_descendants(pid_t root, pid_t *out, int cap);

/* Its direct live children only. */
int procs_children(pid_t parent, pid_t *out, int cap);

/* All below `parent`, zombies too; -1 when it is gone. */
int procs_offspring(pid_t parent);
/* Waits until there are this many. */
void procs_until_offspring(pid_t parent, int count, long ms);
/* The guardian of a daemon: its one child. */
pid_t procs_guardian(pid_t daemon);

/* Live members of process group `group`. */
int procs_in_group(pid_t group);

/* A line of /proc/PID/status in kB, such as "VmHWM" (the most memory it ever had); 0 when gone. */
long procs_status_kb(pid_t pid, const char *name);

/* The command line with spaces between its words, for messages; "?" when gone. */
const char *procs_command(pid_t pid);

#endif

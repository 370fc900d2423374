/*
 * The end of everything below this process. The guardian uses it when its daemon has vanished,
 * the daemon when its guardian has.
 *
 * Both are subreapers, so every descendant has a chain of parents that ends at the caller, however
 * often it forked or made itself a session; /proc tells the chain.
 */
#ifndef HORDE_DESCENDANTS_H
#define HORDE_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * One round: sends SIGKILL to every descendant of the calling process, reaps those that are its
 * own dead children, and returns how many descendants it saw, 0 when there was none. A process
 * that forked meanwhile is seen by the next round, so call it again, after a moment, until it
 * returns 0. One round takes about 5 us for each process on the machine.
 * Returns -1 when it cannot know (no memory, no /proc): call it again.
 */
int descendants_kill(void);

/*
 * What one supervised child left behind: sends SIGKILL to those direct children of the caller that
 * are not `known` (by `known(data, pid)`) and were started with `mark` ("NAME=value") in their
 * environment. A process that made itself a session leaves its group, but when its parents die it
 * becomes a child of the caller. Returns how many it saw; call it again until it returns 0.
 */
int descendants_kill_marked(bool (*known)(void *data, pid_t pid), void *data, const char *mark);

#endif

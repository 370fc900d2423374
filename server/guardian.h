/*
 * The guardian: the small process between a daemon and its children. It starts them, is the parent
 * of whatever they leave behind, and sees to it that none outlives the daemon. It has no policy:
 * it keeps deadlines, reports what happened, and obeys the messages of guardian_wire.h.
 *
 *   - It is a session of its own, ignores TERM, INT and HUP, and is a subreaper.
 *   - It holds duplicates of the listening socket and of the lock on the data directory until its
 *     last descendant is gone, so "connection refused" proves that no child is left, and no second
 *     daemon gets the directory before. (The lock must belong to the open file, as that of flock.)
 *   - When the daemon vanishes (end of file on the socket) it waits `hold_ms` (0 unless told
 *     otherwise), kills every descendant and exits.
 *   - When the first process of a child ends, the rest of its process group is killed; the exit is
 *     reported when nothing of the group is left, or GUARDIAN_GROUP_WAIT_MS later.
 *
 * The idea is that of Erlang's erl_child_setup and of s6-supervise.
 */
#ifndef HORDE_GUARDIAN_H
#define HORDE_GUARDIAN_H

#include <sys/resource.h>
#include <sys/types.h>

#include "server/core/err.h"

/* Children at a time; one more is refused with EAGAIN at the step "limit". */
#define GUARDIAN_CHILDREN_MAX 20000
/* Answers that the daemon has not taken yet; with so many, no further request is read. */
#define GUARDIAN_ANSWERS_MAX 1024
/* How long a killed group may take to go (a process in an uninterruptible wait) before its child's
 * exit is reported all the same. */
#define GUARDIAN_GROUP_WAIT_MS 2000

struct guardian_options {
	int socket_fd;      /* the guardian's end of wire_pair() */
	int listen_fd;      /* -1 for none */
	int lock_fd;        /* -1 for none */
	rlim_t open_files;  /* soft limit on open files for the children */
	const char *cgroup; /* a directory of cgroup_prepare, or NULL */
};

/* Runs in the calling process, closes all descriptors but its own, and never returns. */
_Noreturn void guardian_run(const struct guardian_options *options);

/*
 * The same for a program that was executed as {"horde-guardian", "--guardian", "S,L,K,N", DIR}:
 * the members of the options in decimal, and the directory if there is one. main() calls it first
 * of all when argv[1] is "--guardian"; it returns, with the exit code 2, only when the arguments
 * make no sense.
 */
int guardian_main(int argc, char **argv);

/*
 * The daemon's side of that: executes `executable` as a guardian without copying the caller's
 * memory, however large. `socket_fd` of the options is ignored; the daemon's end of the pair is
 * returned. The descriptors stay the caller's.
 * Errors: NO_MEMORY, SYSTEM (errno says more).
 */
enum err guardian_start(const char *executable, const struct guardian_options *options,
	int *ret_socket_fd, pid_t *ret_pid);

#endif

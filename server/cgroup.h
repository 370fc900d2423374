/*
 * Limits of a child's processes together: its memory, its processor time, how many they are. By
 * control groups, version 2 (the kernel's admin-guide/cgroup-v2), in a directory that is this
 * daemon's own:
 *
 *	DIR/daemon	the daemon and its guardian, if they were started in DIR itself: a group
 *			that hands out controllers has no processes
 *	DIR/child-N	one for each process of a child with such limits, while it lives
 *
 * DIR is an absolute path: the guardian has another working directory than the daemon. The daemon
 * prepares it, the guardian does the rest. All of it blocks, on files of the kernel alone.
 */
#ifndef HORDE_CGROUP_H
#define HORDE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/core/setup.h"

#define CGROUP_DIR_BYTES_MAX 3072 /* what is below it fits in a path */
#define CGROUP_WHY_BYTES 512
#define CGROUP_LIMITS (1U << SETUP_MEMORY | 1U << SETUP_CPU_MILLIS | 1U << SETUP_PIDS)

/*
 * Makes DIR if it is not there, hands its controllers down, and removes what an earlier guardian
 * has left. Before the guardian is started. Errors: SYSTEM (`ret_why` says what is to be mended).
 */
enum err cgroup_prepare(const char *dir, char ret_why[CGROUP_WHY_BYTES]);

/* The first of those limits that is given; one is. */
enum setup_limit cgroup_first(uint32_t limits_given);
/*
 * A group with those of the limits that are for it. Returns a descriptor: who writes "0" there goes
 * into it. -1: errno, and `ret_limit` is the one that could not be set; nothing is left of it.
 */
int cgroup_make(const char *dir, unsigned number, uint32_t limits_given,
	const int64_t limits[SETUP_LIMIT_COUNT], enum setup_limit *ret_limit);
/* Somebody in it was killed for lack of memory: that of the group, or that of the machine. */
bool cgroup_out_of_memory(const char *dir, unsigned number);
/* Kills what is in it, and removes it; false: there is still something in it. */
bool cgroup_remove(const char *dir, unsigned number);
/* All of them that are empty. */
void cgroup_sweep(const char *dir);

#endif

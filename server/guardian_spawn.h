/*
 * One child process, as the guardian starts it: a session of its own, stdin from /dev/null, stdout
 * and stderr into pipes, its limits, its mask (022 by default), its user and groups, its working
 * directory (entered as that user), default signal dispositions, no signal blocked, dying with the
 * guardian, and nothing inherited: neither descriptor nor environment.
 *
 * The guardian stands still until the program runs or could not be executed (clone with CLONE_VM
 * and CLONE_VFORK), so the result is known at once and is never a guess. On the machine where it
 * was measured this spawns twice as fast as fork.
 */
#ifndef HORDE_GUARDIAN_SPAWN_H
#define HORDE_GUARDIAN_SPAWN_H

#include <sys/resource.h>
#include <sys/types.h>

#include "server/guardian_wire.h"

/* More groups than any login needs; one who is in more is refused. */
#define GUARDIAN_GROUPS_MAX 256

struct guardian_identity { /* who the child is to be */
	bool user;         /* it gets these ids and groups; else it keeps the guardian's user */
	bool group;        /* it gets `gid`; true with every user */
	uid_t uid;
	gid_t gid;
	int group_count;
	gid_t groups[GUARDIAN_GROUPS_MAX];
};

struct guardian_spawn {
	const struct wire_message *request; /* its limits and its mask */
	const struct wire_spec *spec;
	struct guardian_identity identity;
	int null_fd;
	int cgroup_fd;     /* of a control group that it goes into (cgroup.h), or -1 */
	rlim_t open_files; /* the soft limit that the child gets */
	/* Results. */
	pid_t pid;
	int output[2]; /* read ends of stdout and stderr, non-blocking, the caller's to close */
	int error;     /* an errno, and where it happened */
	enum wire_step step;
};

/*
 * Looks up the user and the group of `spec`; false with `error` and `step` set: ENOENT for a name
 * that nobody has, EPERM for a group that the user is no member of. Reads the system's databases,
 * which the child itself must not.
 */
bool guardian_identify(struct guardian_spawn *s);
/* By the system call, since the C library keeps two signals to itself that are inherited too. */
void guardian_reset_signal(int number);
/* True when the program runs; false with `error` and `step` set, and no process left. */
bool guardian_spawn(struct guardian_spawn *s);

#endif

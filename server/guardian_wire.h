/*
 * What daemon and guardian say to each other, over one SOCK_SEQPACKET pair on one machine. Every
 * message is one `struct wire_message`; a SPAWN request is followed by its spec, in the same packet
 * or, when it is big, in a memory file that travels with it.
 *
 *   - SPAWN asks with ref, epoch and spec; answered with ref, epoch, pid, started_ms and two
 *     descriptors (the read ends of stdout and stderr), or with error and step.
 *   - SIGNAL asks with ref, epoch, signal, group and kill_after_ms. No answer: a child that is
 *     gone, or of another epoch, is not touched, and its EXIT was sent or will be.
 *   - EXIT is told unasked, once nothing of the group is left: ref, epoch, pid, code or signal,
 *     core, oom, started_ms, ended_ms.
 *   - LIST is answered with a message a child (ref, epoch, pid, started_ms), then one with `last`.
 *   - GIVE asks with ref and epoch; answered with the same two descriptors again, or with error.
 *   - HOLD says hold_ms: how long to wait before killing when the daemon vanishes, 0 at first. No
 *     answer.
 *   - CLOSE drops the listening socket at once. No answer.
 *
 * Both sides check `version` first. A reader that meets another version, or a packet that is no
 * message, answers EPROTO (guardian) or takes the guardian for lost (daemon).
 */
#ifndef HORDE_GUARDIAN_WIRE_H
#define HORDE_GUARDIAN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/core/err.h"
#include "server/core/setup.h"

#define WIRE_VERSION 3
/* "supervisor/spec:instance" with its NUL: three names of 128, rounded up. */
#define WIRE_REF_SIZE 392
/* A spec up to this size travels in the packet, a bigger one in a memory file. */
#define WIRE_INLINE_BYTES_MAX 16384
/* Command and environment are at most 128 KiB each; the rest is for cwd and what we add. */
#define WIRE_SPEC_BYTES_MAX (512 * 1024)
/* Asked of the kernel for each direction; it gives less when its own limit is lower. */
#define WIRE_SOCKET_BYTES (1024 * 1024)

#define WIRE_VERBS(X) X(SPAWN) X(SIGNAL) X(EXIT) X(LIST) X(GIVE) X(HOLD) X(CLOSE)

enum wire_verb {
#define X(verb) WIRE_##verb,
	WIRE_VERBS(X)
#undef X
		WIRE_VERB_COUNT
};

/* Where a spawn failed; the texts are what people read next to the errno. */
#define WIRE_STEPS(X)                                                                              \
	X(NONE, "none")                                                                            \
	X(REQUEST, "request")                                                                      \
	X(LIMIT, "limit")                                                                          \
	X(PIPE, "pipe")                                                                            \
	X(FORK, "fork")                                                                            \
	X(CGROUP, "cgroup")                                                                        \
	X(SESSION, "session")                                                                      \
	X(USER, "user")                                                                            \
	X(GROUP, "group")                                                                          \
	X(DESCRIPTORS, "descriptors")                                                              \
	X(CHDIR, "chdir")                                                                          \
	X(EXEC, "exec")

enum wire_step {
#define X(step, text) WIRE_STEP_##step,
	WIRE_STEPS(X)
#undef X
		WIRE_STEP_COUNT,
	WIRE_STEP_LIMITS = WIRE_STEP_COUNT, /* and the setup_limit */
	WIRE_STEP_END = WIRE_STEP_LIMITS + SETUP_LIMIT_COUNT
};

struct wire_message {
	uint32_t version;
	uint32_t verb;
	char ref[WIRE_REF_SIZE];
	uint64_t epoch;
	int64_t started_ms; /* CLOCK_BOOTTIME */
	int64_t ended_ms;
	int64_t kill_after_ms; /* SIGNAL: KILL for the group after it, 0 at once, -1 never */
	int64_t hold_ms;
	int32_t pid;
	int32_t signal; /* SIGNAL: 0 for none; EXIT: what ended it, 0 when it exited itself */
	int32_t code;   /* EXIT: the exit code when `signal` is 0 */
	int32_t error;  /* an errno, 0 for success */
	int32_t step;   /* enum wire_step */
	uint32_t limits_given; /* SPAWN: as in struct setup */
	int64_t limits[SETUP_LIMIT_COUNT];
	int32_t umask; /* SPAWN; -1: not given */
	uint32_t
		argument_count; /* SPAWN: what follows is cwd, user, group, arguments, variables, */
	uint32_t variable_count; /* each ended by a NUL, */
	uint32_t spec_bytes;     /* all in all this many bytes */
	uint8_t group;
	uint8_t core;
	uint8_t oom; /* EXIT: one of its control group was killed for lack of memory */
	uint8_t last;
	uint8_t reserved[4];
};

/* A spec taken apart; the strings lie in the block that it was made of. */
struct wire_spec {
	char *cwd;
	char *user;  /* "" for none */
	char *group; /* "" for none */
	char **argv;
	char **envp;
};

struct wire_message wire_message(enum wire_verb verb, const char *ref, uint64_t epoch);

/* A connected pair, both ends close-on-exec and non-blocking. Errors: SYSTEM. */
enum err wire_pair(int ret_fds[2]);

/*
 * Sends one message, its spec (`spec_bytes` of it, may be NULL when that is 0), and `fd_count`
 * descriptors, which stay the caller's. Never blocks.
 * Errors: NOT_READY (the peer does not keep up: wait for EPOLLOUT), NO_MEMORY (a moment later it
 * may work), IO (the peer is gone).
 */
enum err wire_send(int socket_fd, const struct wire_message *m, const void *spec, const int *fds,
	unsigned fd_count);

/*
 * Takes one message. A SPAWN's spec is returned in an allocated block that the caller frees (NULL
 * for every other verb), descriptors in ret_fds, the caller's to close; -1 where there was
 * none, or where this process has no room for one.
 * Errors: NOT_READY (nothing there), IO (the peer is gone), PROTOCOL (not a message of this
 * version; *ret_message is filled as far as it can be), NO_MEMORY (the spec did not fit: the
 * message was taken and is lost, *ret_message is filled).
 */
enum err wire_recv(
	int socket_fd, struct wire_message *ret_message, char **ret_spec, int ret_fds[2]);

/*
 * Packs a spec and sets the counts, limits and mask of `m`; `setup` may be NULL; the block is the
 * caller's to free. Errors: NO_MEMORY, LIMIT (larger than WIRE_SPEC_BYTES_MAX), MALFORMED (no
 * command).
 */
enum err wire_pack(struct wire_message *m, const char *cwd, const struct setup *setup,
	const char *const *argv, const char *const *envp, char **ret_spec);
/*
 * The reverse: *ret is one allocated block that the caller frees, pointing into `spec`.
 * Errors: NO_MEMORY, MALFORMED (the counts and the bytes disagree).
 */
enum err wire_unpack(const struct wire_message *m, char *spec, struct wire_spec **ret);

const char *wire_step_text(int step);

#endif

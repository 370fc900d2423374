/*
 * What a process is set up with before its program runs, beside its words, its environment and its
 * directory: who it is, its file mode mask, and its limits (setrlimit(2), setresuid(2), umask(2)).
 */
#ifndef HORDE_CORE_SETUP_H
#define HORDE_CORE_SETUP_H

#include <stdbool.h>
#include <stdint.h>

/* In the units of setrlimit(2), and then those of a control group (server/cgroup.h), which holds
 * all processes of the child together; the names are those of the API. */
#define SETUP_LIMITS(X)                                                                            \
	X(NOFILE, "nofile")                                                                        \
	X(NPROC, "nproc")                                                                          \
	X(CORE, "core_bytes")                                                                      \
	X(FSIZE, "file_bytes")                                                                     \
	X(DATA, "data_bytes")                                                                      \
	X(STACK, "stack_bytes")                                                                    \
	X(AS, "address_space_bytes")                                                               \
	X(MEMLOCK, "locked_bytes")                                                                 \
	X(CPU, "cpu_seconds")                                                                      \
	X(MEMORY, "memory_bytes")                                                                  \
	X(CPU_MILLIS, "cpu_millis")                                                                \
	X(PIDS, "pids")

enum setup_limit {
#define X(code, name) SETUP_##code,
	SETUP_LIMITS(X)
#undef X
		SETUP_LIMIT_COUNT,
	SETUP_RLIMIT_COUNT = SETUP_MEMORY /* those before it are of setrlimit(2) */
};

#define SETUP_UNLIMITED (-1)

struct setup {       /* all zero: nothing is said */
	char *user;  /* a name; NULL: the daemon's own */
	char *group; /* a name; NULL: the user's own */
	bool umask_given;
	uint16_t umask;
	uint32_t limits_given; /* a bit for each setup_limit */
	int64_t limits[SETUP_LIMIT_COUNT];
};

const char *setup_limit_name(enum setup_limit limit);

/* What `defaults` says of what `own` leaves open; borrows. `defaults` may be NULL. */
struct setup setup_left(const struct setup *own, const struct setup *defaults);
/* `own`, and what `left` says of the rest; borrows from both. */
struct setup setup_with(const struct setup *own, const struct setup *left);
/* `hash` with what is said mixed into it; as it was, when nothing is said. */
uint64_t setup_mix(uint64_t hash, const struct setup *s);

/* Makes the pointers of the flat copy `copy` its own; false, with those made freed by setup_fini,
 * when there is no memory. */
bool setup_dup(const struct setup *s, struct setup *copy);
void setup_fini(struct setup *s);

#endif

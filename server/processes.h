/*
 * The processes of this node, seen from the daemon: started, signalled and ended through the
 * guardian (guardian.h), their output read into capped files (logs.h). It keeps no policy: what to
 * start, when to start it again and whether an end counts is the core's to say.
 *
 * A process is named by `ref`, "supervisor/child", and the epoch of its assignment; a call for
 * another epoch than the running one is NOT_FOUND, so a late decision never hits a successor.
 * For every processes_spawn that returned OK there comes exactly one `started` or `failed`, and
 * after `started` exactly one `exited`. Once `failed` or `exited` was called the ref is free again,
 * also for a processes_spawn from inside the event.
 *
 * All of it runs on the loop's thread and never blocks, except processes_await and processes_free.
 */
#ifndef HORDE_PROCESSES_H
#define HORDE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "server/core/setup.h"
#include "server/log_lines.h"
#include "server/loop.h"

/* Requests that wait for the guardian to take them; one more is LIMIT. */
#define PROCESSES_QUEUE_MAX 65536
/* Bytes of specs that the guardian has not answered yet; more is LIMIT. */
#define PROCESSES_SPEC_BYTES_MAX (64 * 1024 * 1024)
/* The longest time a process has to end by itself; more is taken for this. */
#define PROCESSES_STOP_MS_MAX 86400000
/* How long processes_await waits for the guardian to answer. */
#define PROCESSES_START_MS 10000
/* How long processes_free waits for the guardian to have killed everything. */
#define PROCESSES_FREE_MS 5000
/* Of what a process printed last on stderr, told with its exit. */
#define PROCESSES_TAIL_BYTES 4096

struct processes;

/* All borrowed for the call. argv[0] is looked up in the PATH of envp, or in a default one. */
struct process_spec {
	const char *const *argv; /* ended by NULL, at least one; 128 KiB in all */
	const char *const
		*envp;   /* "NAME=value", ended by NULL: all that the process sees; or NULL */
	const char *cwd; /* NULL: / */
	const struct setup *setup; /* NULL: nothing is said */
	uint64_t log_bytes_max;    /* a file; 0: LOG_BYTES_DEFAULT */
	unsigned log_files_max;    /* of a child; 0: LOG_FILES_DEFAULT */
	bool quiet;                /* its output is thrown away */
};

struct process_exit {
	int pid;
	int signal;         /* what ended it, 0 when it exited by itself */
	int code;           /* its exit code when `signal` is 0 */
	bool core;          /* it left a core dump */
	bool oom;           /* one of its control group was killed for lack of memory */
	bool guardian_lost; /* it was killed because the guardian had gone: not its fault */
	int64_t started_ms; /* on the clock of loop.h */
	int64_t ended_ms;
	const char *tail; /* what it printed last on stderr, as it did; borrowed */
	size_t tail_bytes;
};

/*
 * Called from the loop, never from inside a call of this file. The strings are borrowed.
 * `failed`: no such process came to be; errno_value says why and `step` where: "chdir", "exec",
 * "pipe", "fork", "session", "user", "group", "limits.nofile" (and the others), "descriptors",
 * "limit" (too many), "request" (not understood). `guardian_lost`: once, when all that the lost
 * guardian had left behind is dead; the `exited` of every child that was running follow at once.
 * Starts that were under way are made again under the new guardian, and nothing is said about them.
 */
struct processes_events {
	void (*started)(void *data, const char *ref, uint64_t epoch, int pid);
	void (*failed)(
		void *data, const char *ref, uint64_t epoch, int errno_value, const char *step);
	void (*exited)(
		void *data, const char *ref, uint64_t epoch, const struct process_exit *exit);
	void (*guardian_lost)(void *data);
	void (*printed)(void *data, const char *ref); /* it printed something, which is kept */
	/* Whether the child may come to run here again; may be called from inside any call. */
	bool (*needed)(void *data, const char *ref);
	void *data;
};

/*
 * Starts the guardian by executing `executable` (the daemon: "/proc/self/exe"; its main calls
 * guardian_main). To be called before the first thread, and before the
 * limit on open files is raised: this call raises it to the hard limit, and the children get back
 * the one they would have had.
 *
 * Makes the calling process a subreaper. It must have no other child processes: when the guardian
 * is lost, everything below the daemon is killed.
 *
 * `listen_fd` and `lock_fd` (-1 for none) are duplicated and stay the caller's. The lock must be
 * one of the open file (flock), not of the process (fcntl). `cgroup` is a directory that
 * cgroup_prepare has prepared, and outlives the processes, or NULL: children with limits of a
 * control group cannot start then. Errors: NO_MEMORY, SYSTEM (no guardian; errno says more).
 */
enum err processes_start(struct loop *l, const char *executable, const char *logs_dir,
	int listen_fd, int lock_fd, const char *cgroup, const struct processes_events *events,
	struct processes **ret_processes);

/*
 * Waits until the guardian answers. Once, before the loop runs: one that is lost later is replaced.
 * Errors: SYSTEM (it ended, or says nothing).
 */
enum err processes_await(struct processes *p);

/*
 * Counts the logs, and keeps them below so many bytes from now on (log_total.h). Once, before the
 * first processes_spawn and when `needed` can answer. Errors: NO_MEMORY.
 */
enum err processes_limit_logs(struct processes *p, uint64_t bytes_max);

/* From now on what new processes print goes to `lines` (borrowed), and to files too or not. */
void processes_print_logs(struct processes *p, struct log_lines *lines, bool files);

/*
 * Ends the guardian and with it every process, without any event; returns when all are gone, or
 * after PROCESSES_FREE_MS (the guardian then goes on killing, and holds the lock). Never from
 * inside an event.
 */
void processes_free(struct processes *p);

/*
 * Errors: EXISTS (the ref has a process), MALFORMED (ref or spec), LIMIT (spec too large, or too
 * many requests under way), NO_MEMORY.
 */
enum err processes_spawn(
	struct processes *p, const char *ref, uint64_t epoch, const struct process_spec *spec);

/* Sends `signo` to the first process, or to its whole group. Errors: NOT_FOUND, NO_MEMORY, LIMIT.
 */
enum err processes_signal(
	struct processes *p, const char *ref, uint64_t epoch, int signo, bool group);

/*
 * Ends a process: `signo` to its whole group, KILL to the group after `timeout_ms` (kept by the
 * guardian, so it holds whatever happens here); 0 kills at once and sends no `signo`. When the
 * first process is gone the rest of its group is killed in any case. A second stop can bring the
 * end forward, never put it off. `exited` tells that it is over. It needs no memory.
 * Errors: NOT_FOUND.
 */
enum err processes_stop(
	struct processes *p, const char *ref, uint64_t epoch, int signo, int64_t timeout_ms);

/* Makes the guardian drop the listening socket now, for a clean stop. */
void processes_close_listener(struct processes *p);

/* How many refs are taken: starting or running. */
unsigned processes_count(const struct processes *p);

/* Bytes of output that could not be written to the logs, over the life of `p`. */
uint64_t processes_dropped_bytes(const struct processes *p);
/* The same of the process of `ref` alone; 0 when there is none. */
uint64_t processes_log_dropped(struct processes *p, const char *ref);

/* Where what the process of `ref` printed begins in its log; false when there is none. */
bool processes_log_start(struct processes *p, const char *ref, uint64_t *ret_offset);

/* The guardian's pid, 0 while there is none. */
int processes_guardian_pid(const struct processes *p);

#endif

/*
 * The guardian's inside, shared by its files only: guardian.c (turns, requests, the last act) and
 * guardian_children.c (children, their ends, the answers that wait for the daemon).
 */
#ifndef HORDE_GUARDIAN_STATE_H
#define HORDE_GUARDIAN_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/guardian.h"
#include "server/guardian_wire.h"
#include "server/loop.h"

#define GUARDIAN_BUCKETS 4096
/* Answers sent before requests are read again. */
#define GUARDIAN_ANSWERS_PER_TURN 64
/* When memory or the kernel's buffers are short: how soon to try again. */
#define GUARDIAN_RETRY_MS 10
/* Between two looks at what is dying; it doubles up to the second. */
#define GUARDIAN_RECHECK_MIN_MS 1
#define GUARDIAN_RECHECK_MAX_MS 20

struct answer {
	struct wire_message message;
	int fds[2]; /* -1 or the answer's own, closed once sent */
	struct answer *next;
};

/*
 * A child is "running" until its first process was reaped (`ended`), then waits for its group,
 * then becomes its own EXIT: `exit` comes first, so a report never lacks memory.
 */
struct child {
	struct answer exit;
	pid_t pid;
	bool ended;
	unsigned cgroup; /* the number of its control group, or 0 */
	int output[2];
	int64_t recheck_ms;
	struct loop_timer timer; /* running: the deadline; ended: the next look at the group */
	struct guardian *guardian;
	struct child *next_by_ref;
	struct child *next_by_pid;
};

struct guardian {
	struct loop *loop;
	int socket_fd;
	int listen_fd;
	int lock_fd;
	int null_fd;
	rlim_t open_files;
	const char *cgroup; /* where control groups are made, or NULL */
	unsigned last_cgroup;
	int64_t hold_ms;
	uint32_t events; /* what the socket is watched for */
	bool hung_up;    /* the daemon is gone; what it said before is still being read */
	bool ending;
	int64_t recheck_ms;
	struct loop_io requests;
	struct loop_io deaths;
	/* Retry; later hold, then the rounds of killing. Always set, so moving it needs no memory.
	 */
	struct loop_timer timer;
	struct child *by_ref[GUARDIAN_BUCKETS];
	struct child *by_pid[GUARDIAN_BUCKETS];
	unsigned child_count;
	struct answer *first;
	struct answer **last;
	unsigned answer_count;
	/* A request is taken only when there is memory to answer it. */
	struct answer *spare;
};

/* NULL when there is none; `ended` ones are found too. */
struct child *guardian_child_by_ref(struct guardian *g, const char *ref);
/* Not yet in the table; NULL when out of memory. */
struct child *guardian_child_new(struct guardian *g, const struct wire_message *request);
void guardian_child_add(struct guardian *g, struct child *c);
void guardian_child_remove(struct guardian *g, struct child *c);
/* Reaps all that is dead, children and orphans; queues the EXITs. */
void guardian_reap(struct guardian *g);

struct answer *guardian_answer_new(const struct wire_message *request);
void guardian_answer_add(struct guardian *g, struct answer *a);
/* Drops the first answer, with its descriptors. */
void guardian_answer_done(struct guardian *g);
/* Errors: NOT_READY and NO_MEMORY, with answers left. */
enum err guardian_send_answers(struct guardian *g);
/* The answer to the request that is being served, queued; its memory was set aside before. */
struct answer *guardian_reply(struct guardian *g, const struct wire_message *request);
void guardian_refuse(
	struct guardian *g, const struct wire_message *request, int error, enum wire_step step);

#endif

/*
 * The inside of processes.h, shared by its files only: processes.c, processes_queue.c (the
 * table and the requests that wait for the guardian) and processes_logs.c (what they print).
 */
#ifndef HORDE_PROCESSES_STATE_H
#define HORDE_PROCESSES_STATE_H

#include "server/guardian.h"
#include "server/guardian_wire.h"
#include "server/logs.h"
#include "server/processes.h"

#define PROCESSES_BUCKETS 4096
/* When memory or descriptors are short: how soon to try again. */
#define PROCESSES_RETRY_MS 100

/* Something to tell the guardian. Most are part of their process and need no memory of their own.
 */
struct request {
	struct request *next;
	struct process *process; /* NULL when it is about none */
	enum wire_verb verb;
	int signal;
	bool group;
	bool queued;
	bool allocated; /* freed once sent */
	int64_t kill_after_ms;
};

struct process {
	struct processes *of;
	char ref[WIRE_REF_SIZE];
	uint64_t epoch;
	bool running; /* false: starting */
	bool stop_asked;
	bool blind; /* a pipe could not be taken: asked for again */
	int pid;
	int64_t started_ms;
	struct wire_message counts; /* of `spec`, as wire_pack made them */
	char *spec;                 /* kept until the guardian has answered */
	struct request start;       /* SPAWN; later GIVE */
	struct request stop;
	struct log_file log;
	uint64_t log_from;    /* where the log ended when it started */
	struct log_tail tail; /* of its stderr, where no file has it */
	struct log_stream output[2];
	struct process *next;
};

enum state {
	GUARDED, /* there is a guardian */
	KILLING, /* it is lost: what it left behind is being killed */
	ALONE,   /* all is dead, a new one could not be started yet */
};

struct processes {
	struct loop *loop;
	struct processes_events events;
	char *executable;
	char *logs_dir;
	struct log_total *logs_total; /* NULL: there is no limit */
	struct log_lines *lines;      /* NULL: they are not printed */
	bool no_files;
	struct guardian_options options;
	enum state state;
	pid_t guardian_pid;
	bool answered; /* the present guardian has said something */
	int64_t recheck_ms;
	int socket_fd;
	uint32_t watched;
	struct loop_io io;
	struct loop_timer timer; /* always set, so that moving it needs no memory */
	struct request hello;
	struct request close;
	struct request *first;
	struct request **last;
	unsigned queue_count;
	uint64_t spec_bytes;
	uint64_t dropped_bytes;
	struct process *buckets[PROCESSES_BUCKETS];
	unsigned count;
};

struct process *processes_find(struct processes *p, const char *ref);
struct process *processes_find_epoch(struct processes *p, const char *ref, uint64_t epoch);
void processes_table_add(struct processes *p, struct process *one);
void processes_table_remove(struct processes *p, struct process *one);

/* Queues a request and sends what can be sent. */
void processes_queue_add(struct processes *p, struct request *r);
/* Queues it only. */
void processes_queue_put(struct processes *p, struct request *r);
/* Takes out the requests about `one`, or all of them when it is NULL. */
void processes_queue_forget(struct processes *p, const struct process *one);
void processes_send_queue(struct processes *p);
/* Brings the timer forward; it is never put off. */
void processes_try_later(struct processes *p, int64_t after_ms);

/* ---- processes_logs.c ---- */
/* Before anything is read. Errors: as log_file_init. */
enum err processes_logs_open(
	struct processes *p, struct process *one, const struct process_spec *s);
/* Reads and keeps what is left. */
void processes_logs_close(struct processes *p, struct process *one);
/* The last of what it printed on stderr; closes its pipes. */
size_t processes_logs_tail(struct process *one, char ret_tail[PROCESSES_TAIL_BYTES]);

/* The socket's and the timer's callbacks, in processes.c. */
void processes_on_message(void *data, uint32_t events);
void processes_on_timer(void *data);

#endif

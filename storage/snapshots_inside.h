/* What the snapshots*.c files share; nobody else includes it. */
#ifndef HORDE_STORAGE_SNAPSHOTS_INSIDE_H
#define HORDE_STORAGE_SNAPSHOTS_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "storage/snapshots.h"

/* A dot, the id, and the longest ending. */
#define SNAPSHOT_NAME_SIZE (SNAPSHOT_ID_SIZE + 16)

enum job_kind {
	JOB_CREATE, /* copy the store */
	JOB_TAKE,   /* check and keep what was received */
	JOB_LOAD,   /* hand one to `load` */
};

struct snapshots_job {
	struct snapshots_job *next; /* in the queue, then among the finished ones */
	struct snapshots *owner;
	enum job_kind kind;
	uint64_t ticket;
	struct snapshot snapshot;            /* its id; the rest once it is made */
	char wanted[SNAPSHOT_CHECKSUM_SIZE]; /* TAKE: "" when none was said */
	enum err (*load)(void *data, struct store store);
	void *data;
	void (*free_data)(void *data);
	enum err result;
	bool done;     /* collected */
	bool released; /* nobody asks for it */
};

struct snapshots_upload {
	struct snapshots_upload *next;
	struct snapshots *owner;
	char id[SNAPSHOT_ID_SIZE];
	int fd;
	uint64_t bytes;
};

struct snapshots {
	char *store;            /* the path of the store */
	char *folder;           /* the path of the snapshots */
	struct snapshot *items; /* by id; room for SNAPSHOTS_MAX, or what was there at the start */
	size_t count;
	struct snapshots_upload *uploads;
	uint64_t tickets;
	int event_fd;

	bool threaded;
	pthread_t thread;
	pthread_mutex_t mutex; /* over the queue and the finished ones */
	pthread_cond_t wake;
	struct snapshots_job *queue; /* the first one may be running */
	struct snapshots_job *finished;
	bool running;
	size_t jobs; /* not collected */
	atomic_bool stopping;
};

/* The name of a file of this id: "" or "." before it, and an ending. */
void snapshot_name(char out[SNAPSHOT_NAME_SIZE], bool hidden, const char *id, const char *ending);
/* Its path, for whoever takes no descriptor. Errors: LIMIT. */
enum err snapshot_path(const struct snapshots *s, const char *name, char *out, size_t size);
/* Opens the folder. Errors: as problem_from_errno. */
enum err snapshots_folder(const struct snapshots *s, bool make, int *ret_fd);
/* The checksum that stands beside a snapshot. Errors: NOT_FOUND. */
enum err snapshot_read_checksum(
	int folder_fd, const char *id, char ret_checksum[SNAPSHOT_CHECKSUM_SIZE]);
/* Adds or replaces it in the list, which has room: see snapshots_full. */
void snapshots_add(struct snapshots *s, const struct snapshot *made);

/* An upload or a job that makes `id` is under way. */
bool snapshots_under_way(const struct snapshots *s, const char *id);

/* snapshots_jobs.c: an empty job, in no queue. */
struct snapshots_job *snapshots_job_new(struct snapshots *s, enum job_kind kind, const char *id);
void snapshots_job_free(struct snapshots_job *job);
/* Queues it; on failure it is freed, its data are not. Errors: LIMIT, SYSTEM. */
enum err snapshots_submit(struct snapshots_job *job, struct snapshots_job **ret_job);
/* Ends the thread and all jobs. */
void snapshots_stop(struct snapshots *s);

/* snapshots_make.c, on the thread. */
enum err snapshot_run(struct snapshots_job *job);

#endif

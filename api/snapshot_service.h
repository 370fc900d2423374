/*
 * What the handlers of snapshots ask of the node (service.h): its snapshots, and the jobs that
 * make, check and load them on a thread of their own.
 */
#ifndef HORDE_API_SNAPSHOT_SERVICE_H
#define HORDE_API_SNAPSHOT_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/dot.h"
#include "server/core/err.h"

struct snapshots_job;
struct snapshots_upload;

struct snapshot_view { /* borrowed until the next turn */
	const char *id;
	int64_t created_ms;
	uint64_t bytes;
	const char *checksum; /* 32 hexadecimal digits */
};

struct restore_step { /* of a restore: what it has done so far */
	uint64_t added;
	uint64_t removed;
	uint64_t batch; /* the store batch of this step, when it wrote anything */
	bool wrote;
	bool finished;
};

struct snapshot_service { /* `node` is the service's */
	/* The one at `index`, by id; false: there are no more. */
	bool (*at)(void *node, size_t index, struct snapshot_view *ret_view);
	bool (*find)(void *node, const char *id, struct snapshot_view *ret_view);
	/* One more would be too many. The key "snapshots" is woken when one comes or goes. */
	bool (*full)(void *node);
	/* Errors: NOT_FOUND, WRONG_STATE (one is being received under this id), STORAGE_*, IO. */
	enum err (*remove)(void *node, const char *id);
	/* A descriptor of its file, the caller's. Errors: NOT_FOUND, NO_MEMORY, IO. */
	enum err (*read)(void *node, const char *id, int *ret_fd);

	/*
	 * Jobs. When one is done the key "snapshot-job/<ticket>" is woken; `job` then says true,
	 * and how it ended. `release` in any case, also while it is under way.
	 */
	enum err (*create)(void *node, const char *id, struct snapshots_job **ret_job);
	enum err (*receive)(void *node, const char *id, struct snapshots_upload **ret_upload);
	enum err (*write)(struct snapshots_upload *u, const void *bytes, size_t count);
	/* Frees the upload, on success only. `checksum` may be NULL. */
	enum err (*finish)(
		struct snapshots_upload *u, const char *checksum, struct snapshots_job **ret_job);
	void (*abort)(struct snapshots_upload *u);
	/* Errors: NOT_FOUND, NOT_READY, LIMIT, ... Of the job: CLUSTER_MISMATCH, STORAGE_CORRUPT,
	 * STORAGE_VERSION, NOT_FOUND, ... */
	enum err (*restore)(void *node, const char *id, bool reput, struct snapshots_job **ret_job);
	bool (*job)(const struct snapshots_job *job, enum err *ret_err);
	uint64_t (*ticket)(const struct snapshots_job *job);
	void (*release)(struct snapshots_job *job);
	/*
	 * The next piece of a restore whose job is done: all of a merge, some keys of a reput;
	 * `step` goes on from one call to the next. Errors: as those of writes (NOT_READY,
	 * STORAGE_*, LIMIT,
	 * ...), STORAGE_CORRUPT.
	 */
	enum err (*step)(void *node, struct snapshots_job *job, struct restore_step *step);
};

#endif

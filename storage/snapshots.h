/*
 * Snapshots of the store: whole copies in DIR/snapshots, made while the store goes on.
 *
 *	<id>.db      the copy: one file, State(its own vector), opens as any store does
 *	<id>.xxh128  its checksum, for `xxh128sum -c`
 *	.<id>.*      what is being made; what a crash left of it is removed at the start
 *
 * All that takes long is done by one thread, one job after the other: copying, checking, loading.
 *
 *	create, or receive + finish, or load -> [ waiting ] -> thread -> [ done ] ->
 *snapshots_collect
 *
 * The functions are for one thread (the loop's), and none of them waits for a disk to sync. A
 * snapshot exists once its job was collected. Files that were put there by hand have no checksum
 *and are left alone.
 */
#ifndef HORDE_STORAGE_SNAPSHOTS_H
#define HORDE_STORAGE_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/problem.h"
#include "storage/store.h"

#define SNAPSHOTS_DIRECTORY "snapshots"
/* Kept at a time, with those that are being made; jobs and uploads under way. */
#define SNAPSHOTS_MAX 16
#define SNAPSHOTS_JOBS_MAX 8
/* The longest id: what the contract takes for one. */
#define SNAPSHOT_ID_SIZE 129
#define SNAPSHOT_CHECKSUM_SIZE 33
/* The longest file that is taken from outside. */
#define SNAPSHOT_BYTES_MAX ((uint64_t)4 << 30)

struct snapshot {
	char id[SNAPSHOT_ID_SIZE];
	int64_t created_ms; /* wall; when this node had made or received it */
	uint64_t bytes;
	char checksum[SNAPSHOT_CHECKSUM_SIZE]; /* XXH3, 128 bits, hexadecimal */
};

struct snapshots;
struct snapshots_job;
struct snapshots_upload;

/*
 * The snapshots of the data directory at `path`. Makes no directory and no thread before they are
 * needed. Errors: NO_MEMORY, SYSTEM, LIMIT (the path), IO.
 */
enum err snapshots_open(const char *path, struct snapshots **ret_snapshots);
/* Stops the job under way, forgets the others and the uploads; jobs end with it. NULL is fine. */
void snapshots_close(struct snapshots *s);

/* ---- what there is, by id; borrowed until the next delete or collect ---- */
size_t snapshots_count(const struct snapshots *s);
const struct snapshot *snapshots_at(const struct snapshots *s, size_t index);
const struct snapshot *snapshots_find(const struct snapshots *s, const char *id);
/* One more would be too many (SNAPSHOTS_MAX). */
bool snapshots_full(const struct snapshots *s);
/* True for a text that can be an id: as the names of members. */
bool snapshot_id_valid(const char *id);

/* Errors: NOT_FOUND, WRONG_STATE (one is being received under this id), STORAGE_READ_ONLY, IO. */
enum err snapshots_delete(struct snapshots *s, const char *id);
/* A descriptor of its file, for reading; the caller's. Errors: NOT_FOUND, NO_MEMORY, IO. */
enum err snapshots_read(const struct snapshots *s, const char *id, int *ret_fd);

/* ---- jobs ---- */

/*
 * Makes a snapshot of the store beside it. Errors, at once: LIMIT (SNAPSHOTS_JOBS_MAX, or it is
 * full), WRONG_STATE (the id is there already), MALFORMED (the id), NO_MEMORY, SYSTEM,
 * STORAGE_FULL, STORAGE_READ_ONLY, IO. Of the job: those of sqlite_backup.
 */
enum err snapshots_create(struct snapshots *s, const char *id, struct snapshots_job **ret_job);

/*
 * Receives a file, piece by piece, in place of what has that id. The first pieces go to a file that
 * nobody sees; finish checks it, against `checksum` too unless that is NULL. Finish and abort free
 * the upload, finish on success only.
 * Errors: LIMIT, WRONG_STATE (one is under way for this id), MALFORMED, NO_MEMORY, STORAGE_FULL,
 * STORAGE_READ_ONLY, IO; write: LIMIT (SNAPSHOT_BYTES_MAX). Of the job: those of
 * sqlite_open_snapshot, and MALFORMED (another checksum).
 */
enum err snapshots_receive(
	struct snapshots *s, const char *id, struct snapshots_upload **ret_upload);
enum err snapshots_write(struct snapshots_upload *u, const void *bytes, size_t count);
enum err snapshots_finish(
	struct snapshots_upload *u, const char *checksum, struct snapshots_job **ret_job);
void snapshots_abort(struct snapshots_upload *u);

/*
 * Opens a snapshot and calls `load` on the thread. `data` is the job's, freed by `free_data` with
 * it. Errors: NOT_FOUND, LIMIT, NO_MEMORY, SYSTEM; `data` is then the caller's. Of the job:
 * STORAGE_CORRUPT (also when the checksum is not that of its making), those of sqlite_open_snapshot
 * and of `load`.
 */
enum err snapshots_load(struct snapshots *s, const char *id,
	enum err (*load)(void *data, struct store store), void *data, void (*free_data)(void *data),
	struct snapshots_job **ret_job);

/* Readable when jobs are done. Owned by `s`; watch it for EPOLLIN. */
int snapshots_fd(const struct snapshots *s);
/* Takes what is done: afterwards snapshots_job_done says so. `done` is called for each. */
void snapshots_collect(
	struct snapshots *s, void (*done)(void *data, struct snapshots_job *job), void *data);

/* False while it waits or runs. */
bool snapshots_job_done(const struct snapshots_job *job, enum err *ret_err);
/* A number of its own, never 0. */
uint64_t snapshots_job_ticket(const struct snapshots_job *job);
const char *snapshots_job_id(const struct snapshots_job *job);
/* What was given to snapshots_load. */
void *snapshots_job_data(const struct snapshots_job *job);
/* Nobody asks for it any more. It goes on all the same, but for a load that has not begun. */
void snapshots_job_release(struct snapshots_job *job);

#endif

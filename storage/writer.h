/*
 * The one thread that owns the store, so that no commit ever blocks the loop.
 *
 * Batches go in numbered, are written in that order, several in one transaction when they have
 * piled up, and come back as results through an eventfd. A commit that fails is kept and tried
 * again every WRITER_RETRY_MS, before any later one; nothing is lost and nothing overtakes.
 *
 *   submit -> [ queued ] --commit--> [ stored ] -> collect: (number, OK)
 *                 |  ^ retry
 *                 fails                            collect: (number, why), once; OK comes later
 *
 * The functions are for one thread (the loop's); only the writer's own thread runs beside it.
 */
#ifndef HORDE_STORAGE_WRITER_H
#define HORDE_STORAGE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/err.h"
#include "storage/store.h"

#define WRITER_QUEUE_MAX 256                      /* batches that were not collected yet */
#define WRITER_QUEUE_BYTES_MAX ((size_t)64 << 20) /* their weight; one alone may be heavier */
#define WRITER_MERGE_MAX 64                       /* batches in one transaction */
#define WRITER_RETRY_MS 250

struct writer;

/* Takes the store, on success only; its content must have been loaded. Errors: NO_MEMORY, SYSTEM.
 */
enum err writer_start(struct store store, struct writer **ret_writer);

/*
 * Queues a batch under a number of the caller's choice, which must grow. On success the batch is
 * taken and `*batch` is empty; else it is untouched, and the caller may add to it and come again.
 * Errors: LIMIT (collect first).
 */
enum err writer_submit(struct writer *w, struct store_batch *batch, uint64_t number);

/* Readable when there is something to collect. Owned by the writer; watch it for EPOLLIN. */
int writer_fd(const struct writer *w);

/*
 * Calls `done` for every result since the last call, in the order of the numbers. A failure is
 * told once per number, at once also to batches that queue behind the failing one, and is followed
 * by OK when a retry stored it; one that was overcome before it was collected is told as OK only.
 * `done` may submit.
 */
void writer_collect(
	struct writer *w, void (*done)(void *data, uint64_t number, enum err e), void *data);

/* Why the last commit failed, OK once one has succeeded again. */
enum err writer_trouble(struct writer *w);
/* Batches that are not stored yet. */
size_t writer_pending(struct writer *w);

/*
 * Stores what is queued, retrying for at most `flush_ms` (a commit that is under way is waited
 * for), ends the thread, closes the store and frees the writer. Results not collected before are
 * given to `done` (may be NULL); what could not be stored is told with its failure, even if it was
 * told before. That `done` must not submit. Returns OK when everything is stored, else why not.
 * NULL is OK.
 */
enum err writer_stop(struct writer *w, int flush_ms,
	void (*done)(void *data, uint64_t number, enum err e), void *data);

#endif

/*
 * A store in memory for tests and the simulator: deterministic, no I/O, with faults on demand.
 *
 * The disk outlives the stores that are opened on it, as a file outlives a process: a node that
 * crashes closes its store, memory_disk_crash takes what was not synced, and the next life opens a
 * new store on what is left.
 */
#ifndef HORDE_STORAGE_MEMORY_H
#define HORDE_STORAGE_MEMORY_H

#include <stddef.h>

#include "server/core/err.h"
#include "storage/store.h"

struct memory_disk;

/* Errors: NO_MEMORY. */
enum err memory_disk_new(struct memory_disk **ret_disk);
void memory_disk_free(struct memory_disk *d);

/* A store on that disk; closing it leaves the disk alone. One at a time. */
struct store memory_open(struct memory_disk *d);

/*
 * The n-th next commit (1 is the very next) and the `times - 1` after it fail with `e` and change
 * nothing; the ones after that succeed again. A new call replaces the plan, `times` 0 ends it.
 */
void memory_disk_fail(struct memory_disk *d, unsigned n, unsigned times, enum err e);
/*
 * From now on the last `commits` commits are seen by loads but would be lost in a crash. 0, the
 * default, is a disk that keeps its word; more than `commits` still held back are synced at once.
 * Errors: NO_MEMORY; the limit is then as it was.
 */
enum err memory_disk_unsynced(struct memory_disk *d, size_t commits);
/* The machine stops: the commits that are not synced are gone, a plan of failures too. */
void memory_disk_crash(struct memory_disk *d);
/* A backup of everything a load would show. Errors: NO_MEMORY. */
enum err memory_disk_dup(const struct memory_disk *d, struct memory_disk **ret_copy);
/* Puts a backup back in place of the content. Errors: NO_MEMORY; the content is then as it was. */
enum err memory_disk_restore(struct memory_disk *d, const struct memory_disk *backup);

#endif

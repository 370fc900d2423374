/*
 * A directory for each process, while it is there: DATA_DIR/run/SUPERVISOR/CHILD, which the process
 * knows as HORDE_RUN_DIR. It is empty at each start, belongs to the process's user (mode 0700), and
 * goes with the process. Before a process is asked to end, `stop_reason` in it says why.
 *
 * The loop does all of it, so none of it may take long. A reason is a further name of a file that
 * was written at the daemon's start (DATA_DIR/run/.reasons): that is whole or not there, takes a
 * hundredth of a new file's time, and no room of a disk that is full. A directory stays for a
 * process that follows at once, and empty ones are kept for others (DATA_DIR/run/.spare). A heap of
 * files is removed a few at a time: what is not gone at once is moved to DATA_DIR/run/.gone, and so
 * is all that an earlier life of the daemon has left.
 *
 * What a process puts there is its own business, so nothing here follows a symbolic link or relies
 * on what stands there. None of it is worth a process: every failure is an answer, and the caller
 * goes on without. So is a place that is NULL, where no directory can be made.
 */
#ifndef HORDE_RUN_DIRS_H
#define HORDE_RUN_DIRS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "server/core/err.h"
#include "server/core/names.h"

/* Files that one run_dirs_sweep removes at most. */
#define RUN_DIRS_SWEEP_MAX 256
/* Empty directories that are made ahead, and that are kept at most. */
#define RUN_DIRS_SPARES_MIN 64
#define RUN_DIRS_SPARES_MAX 1024
/* Sweeps of run_dirs_close; what is left then is for the next life. */
#define RUN_DIRS_CLOSE_SWEEPS 16
/* What a uid or gid that stays as it is looks like, as for chown. */
#define RUN_DIR_SAME ((uid_t)-1)

struct run_dirs;

/* Moves what an earlier life has left out of the way. Errors: NO_MEMORY, SYSTEM (no such place). */
enum err run_dirs_open(const char *data_dir, struct run_dirs **ret_dirs);
void run_dirs_close(struct run_dirs *r);
/* Where they are, or would be: the absolute path of their folder; false when there is none. */
bool run_dirs_place(const char *data_dir, char ret_path[PATH_MAX]);

/*
 * Makes the directory of `ref`, "supervisor/child", empty, and writes its absolute path. `uid` and
 * `gid` are its owner's, or RUN_DIR_SAME.
 * Errors: MALFORMED (`ref` is not two file names), LIMIT (the path), SYSTEM (errno says why).
 */
enum err run_dir_make(
	struct run_dirs *r, const char *ref, uid_t uid, gid_t gid, char ret_path[PATH_MAX]);
/* The path that it has, or would have. Errors: LIMIT, SYSTEM (there is no place for any). */
enum err run_dir_path(const struct run_dirs *r, const char *ref, char ret_path[PATH_MAX]);
/* Its `stop_reason` is this word and a newline. Errors: MALFORMED, SYSTEM (errno). */
enum err run_dir_tell(struct run_dirs *r, const char *ref, enum stop_reason why);
/* Its process is gone, and so is the directory. None is fine. */
void run_dir_drop(struct run_dirs *r, const char *ref);

/* Removes some of what is to be removed, and makes some ahead; true: come again soon. */
bool run_dirs_sweep(struct run_dirs *r);

#endif

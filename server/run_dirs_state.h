/* What the run_dirs*.c files share; nobody else includes it. */
#ifndef HORDE_RUN_DIRS_STATE_H
#define HORDE_RUN_DIRS_STATE_H

#include <fcntl.h>
#include <stdint.h>

#include "server/run_dirs.h"

#define RUN_DIRS_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define RUN_DIRS_REASON "stop_reason" /* in the directory of a process */

struct run_dirs {
	char path[PATH_MAX]; /* absolute */
	int fd;              /* DATA_DIR/run */
	int gone_fd;         /* DATA_DIR/run/.gone */
	int reasons_fd;      /* DATA_DIR/run/.reasons: a file for each reason, of its name */
	int spare_fd;        /* DATA_DIR/run/.spare: empty directories, "0" to "<spares - 1>" */
	unsigned spares;
	bool filled;   /* there were RUN_DIRS_SPARES_MIN of them once, or no more can be made */
	uint64_t last; /* name in .gone */
	bool dirty;    /* something is there that can be removed */
};

/* ---- run_dirs_clean.c ---- */
/*
 * Does `each` with what stands in the directory `fd`, which is closed, until it did something with
 * `most` entries; returns with how many. `ret_whole`: there was no more.
 */
int run_dirs_for_each(struct run_dirs *r, int fd, int most,
	int (*each)(struct run_dirs *r, int at, const char *name, int most), bool *ret_whole);
/* A file or an empty directory goes, any other is moved to .gone. */
bool run_dirs_take_away(struct run_dirs *r, int at, const char *name);
bool run_dirs_holds_nothing(struct run_dirs *r, int fd); /* closes it; false for -1 too */
/* It is of this owner and mode 0700, and holds nothing but perhaps a reason, which goes. */
bool run_dirs_is_empty(struct run_dirs *r, int at, const char *name, uid_t uid, gid_t gid);
bool run_dirs_clean(struct run_dirs *r); /* a few of what is to be removed; true: there is more */

/* ---- run_dirs_spare.c ---- */
void run_dirs_count_spares(struct run_dirs *r); /* an earlier life has left some */
/* One of them becomes `name`; false: there is none. */
bool run_dirs_take_spare(struct run_dirs *r, int at, const char *name);
/* The empty directory `name` becomes one of them; false: there are enough. */
bool run_dirs_keep_spare(struct run_dirs *r, int at, const char *name);
bool run_dirs_fill_spares(struct run_dirs *r); /* a few at a time; true: there will be more */

/* ---- run_dirs_reason.c ---- */
void run_dirs_write_reasons(struct run_dirs *r); /* those that are not there as they should be */
/* In the directory `fd`. Errors: SYSTEM. */
enum err run_dirs_link_reason(const struct run_dirs *r, int fd, enum stop_reason why);

#endif

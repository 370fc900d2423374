/*
 * Directories that are empty and kept for the next process: a new one takes a file system as long
 * as thirty moved ones, and far longer where many were removed a moment ago (ext4 looks at each).
 */
#include "server/run_dirs_state.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILL_AT_ONCE 4

static void name_of(unsigned number, char ret_name[16])
{
	snprintf(ret_name, 16, "%u", number);
}

void run_dirs_count_spares(struct run_dirs *r)
{
	char name[16];

	for (r->spares = 0; r->spares < RUN_DIRS_SPARES_MAX; r->spares++) {
		name_of(r->spares, name);
		if (faccessat(r->spare_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	r->filled = r->spares >= RUN_DIRS_SPARES_MIN;
}

bool run_dirs_take_spare(struct run_dirs *r, int at, const char *name)
{
	char spare[16];

	while (r->spares > 0) {
		name_of(--r->spares, spare);
		if (renameat(r->spare_fd, spare, at, name) < 0)
			return false;
		/* Who had it before may still have put something there. */
		if (run_dirs_is_empty(r, at, name, RUN_DIR_SAME, RUN_DIR_SAME))
			return true;
		if (!run_dirs_take_away(r, at, name))
			return false;
	}
	return false;
}

bool run_dirs_keep_spare(struct run_dirs *r, int at, const char *name)
{
	char spare[16];

	if (r->spares == RUN_DIRS_SPARES_MAX)
		return false;
	name_of(r->spares, spare);
	if (renameat(at, name, r->spare_fd, spare) < 0)
		return false;
	r->spares++;
	return true;
}

bool run_dirs_fill_spares(struct run_dirs *r)
{
	char name[16];

	for (int i = 0; i < FILL_AT_ONCE && !r->filled; i++) {
		name_of(r->spares, name);
		if (mkdirat(r->spare_fd, name, 0700) == 0 || errno == EEXIST)
			r->spares++;
		else
			r->filled = true; /* a full disk: starts make their own, or go without */
		r->filled = r->filled || r->spares >= RUN_DIRS_SPARES_MIN;
	}
	return !r->filled;
}

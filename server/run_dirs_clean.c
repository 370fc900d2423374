/* Removing what processes have left, a few entries at a time, whatever it is. */
#include "server/run_dirs_state.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_TRIES 16

/* Moves a directory that is not empty to a name of its own in .gone. */
static bool put_away(struct run_dirs *r, int at, const char *name)
{
	char gone[24];

	for (int i = 0; i < NAME_TRIES; i++) {
		snprintf(gone, sizeof gone, "%llx", (unsigned long long)++r->last);
		if (renameat(at, name, r->gone_fd, gone) == 0) {
			r->dirty = true;
			return true;
		}
		/* To move a directory takes the right to write to it; who owns it can have that. */
		if (errno == EACCES && i == 0)
			fchmodat(at, name, 0700, 0);
		else if (errno != ENOTEMPTY && errno != EEXIST)
			return false;
	}
	return false;
}

bool run_dirs_take_away(struct run_dirs *r, int at, const char *name)
{
	if (unlinkat(at, name, 0) == 0 || unlinkat(at, name, AT_REMOVEDIR) == 0)
		return true;
	return (errno == ENOTEMPTY || errno == EEXIST) && at != r->gone_fd && put_away(r, at, name);
}

/* The directory `name`, which its owner may have locked; -1. */
static int open_folder(int at, const char *name)
{
	int fd = openat(at, name, RUN_DIRS_FOLDER);

	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = openat(at, name, RUN_DIRS_FOLDER);
	if (fd >= 0)
		fchmod(fd, 0700);
	return fd;
}

int run_dirs_for_each(struct run_dirs *r, int fd, int most,
	int (*each)(struct run_dirs *r, int at, const char *name, int most), bool *ret_whole)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e = NULL;
	int done = 0;

	if (!d && fd >= 0)
		close(fd);
	while (d && done < most && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			done += each(r, dirfd(d), e->d_name, most - done);
	if (d)
		closedir(d);
	*ret_whole = d && !e;
	return done;
}

static int remove_one(struct run_dirs *r, int at, const char *name, int most)
{
	(void)most;
	return run_dirs_take_away(r, at, name);
}

/* An entry of .gone: its own entries first. */
static int remove_gone(struct run_dirs *r, int at, const char *name, int most)
{
	bool whole;
	int done;

	if (run_dirs_take_away(r, r->gone_fd, name))
		return 1;
	done = run_dirs_for_each(r, open_folder(at, name), most, remove_one, &whole);
	return done + (whole && unlinkat(at, name, AT_REMOVEDIR) == 0);
}

bool run_dirs_clean(struct run_dirs *r)
{
	bool whole;
	int done;

	if (!r->dirty)
		return false;
	done = run_dirs_for_each(r, openat(r->gone_fd, ".", RUN_DIRS_FOLDER), RUN_DIRS_SWEEP_MAX,
		remove_gone, &whole);
	/* What cannot be removed is left alone until more is to be. */
	r->dirty = done > 0;
	return r->dirty;
}

static int count_one(struct run_dirs *r, int at, const char *name, int most)
{
	(void)r, (void)at, (void)name, (void)most;
	return 1;
}

static bool belongs_to(int fd, uid_t uid, gid_t gid)
{
	struct stat s;

	return fstat(fd, &s) == 0 && (s.st_mode & 07777) == 0700 &&
	       s.st_uid == (uid == RUN_DIR_SAME ? geteuid() : uid) &&
	       s.st_gid == (gid == RUN_DIR_SAME ? getegid() : gid);
}

bool run_dirs_holds_nothing(struct run_dirs *r, int fd)
{
	bool whole;

	return run_dirs_for_each(r, fd, 1, count_one, &whole) == 0 && whole;
}

bool run_dirs_is_empty(struct run_dirs *r, int at, const char *name, uid_t uid, gid_t gid)
{
	int fd = openat(at, name, RUN_DIRS_FOLDER);

	if (fd < 0)
		return false;
	if (!belongs_to(fd, uid, gid)) {
		close(fd);
		return false;
	}
	unlinkat(fd, RUN_DIRS_REASON, 0);
	return run_dirs_holds_nothing(r, fd);
}

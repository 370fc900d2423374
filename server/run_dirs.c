#include "server/run_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GONE ".gone" /* no supervisor's name begins with a dot */
#define TOLD ".reasons"
#define REASON "stop_reason"
#define REASON_BYTES_MAX 32
#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_TRIES 16

struct run_dirs {
	char path[PATH_MAX]; /* absolute */
	int fd;              /* DATA_DIR/run */
	int gone_fd;         /* DATA_DIR/run/.gone */
	int reasons_fd;      /* DATA_DIR/run/.reasons: a file for each reason, of its name */
	uint64_t last;       /* name in .gone */
	bool dirty;          /* something is there that can be removed */
};

/* ---- removing ---- */

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

/* One step towards its end: a file or an empty directory goes, any other is put away. */
static bool take_away(struct run_dirs *r, int at, const char *name)
{
	if (unlinkat(at, name, 0) == 0 || unlinkat(at, name, AT_REMOVEDIR) == 0)
		return true;
	return (errno == ENOTEMPTY || errno == EEXIST) && at != r->gone_fd && put_away(r, at, name);
}

/* The directory `name`, which its owner may have locked; -1. */
static int open_folder(int at, const char *name)
{
	int fd = openat(at, name, FOLDER);

	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = openat(at, name, FOLDER);
	if (fd >= 0)
		fchmod(fd, 0700);
	return fd;
}

/*
 * Does `each` with what stands in the directory `fd`, which is closed, `most` entries at most;
 * returns how many it did something with. `ret_whole`: there was no more.
 */
static int for_each(struct run_dirs *r, int fd, int most,
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
	return take_away(r, at, name);
}

/* An entry of .gone: its own entries first. */
static int remove_gone(struct run_dirs *r, int at, const char *name, int most)
{
	bool whole;
	int done;

	if (take_away(r, r->gone_fd, name))
		return 1;
	done = for_each(r, open_folder(at, name), most, remove_one, &whole);
	return done + (whole && unlinkat(at, name, AT_REMOVEDIR) == 0);
}

bool run_dirs_sweep(struct run_dirs *r)
{
	bool whole;
	int done;

	if (!r || !r->dirty)
		return false;
	done = for_each(
		r, openat(r->gone_fd, ".", FOLDER), RUN_DIRS_SWEEP_MAX, remove_gone, &whole);
	/* What cannot be removed is left alone until more is to be. */
	r->dirty = done > 0;
	return r->dirty;
}

/* ---- the place ---- */

/* Passable for the users of children, whatever the daemon's umask. */
static int make_folder(int at, const char *name)
{
	bool made = mkdirat(at, name, 0711) == 0;
	int fd = made || errno == EEXIST ? openat(at, name, FOLDER) : -1;

	if (made && fd >= 0)
		fchmod(fd, 0711);
	return fd;
}

static int put_old_away(struct run_dirs *r, int at, const char *name, int most)
{
	(void)most;
	if (strcmp(name, GONE) == 0 || strcmp(name, TOLD) == 0)
		return 0;
	return take_away(r, at, name);
}

/* ---- reasons ---- */

static int line_of(enum stop_reason why, char ret_line[REASON_BYTES_MAX])
{
	return snprintf(ret_line, REASON_BYTES_MAX, "%s\n", stop_reason_name(why));
}

/* A process of our own user could have written to it through its own name. */
static bool is_good(const struct run_dirs *r, enum stop_reason why)
{
	char line[REASON_BYTES_MAX], is[REASON_BYTES_MAX];
	int bytes = line_of(why, line);
	int fd = openat(r->reasons_fd, stop_reason_name(why), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat s;
	bool good;

	if (fd < 0)
		return false;
	good = fstat(fd, &s) == 0 && (s.st_mode & 07777) == 0444 && s.st_uid == geteuid() &&
	       read(fd, is, sizeof is) == bytes && memcmp(is, line, (size_t)bytes) == 0;
	close(fd);
	return good;
}

/* A new file; whoever has the old one keeps that. */
static bool write_reason(const struct run_dirs *r, enum stop_reason why)
{
	const char *name = stop_reason_name(why);
	char line[REASON_BYTES_MAX];
	int bytes = line_of(why, line), fd;
	bool written;

	unlinkat(r->reasons_fd, name, 0);
	fd = openat(r->reasons_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return false;
	written = write(fd, line, (size_t)bytes) == bytes && fchmod(fd, 0444) == 0;
	return close(fd) == 0 && written;
}

static enum err open_all(struct run_dirs *r, const char *data_dir)
{
	int data_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *real = realpath(data_dir, NULL);
	int bytes = real ? snprintf(r->path, sizeof r->path, "%s/run", real) : -1;
	bool whole;

	free(real);
	if (data_fd >= 0) {
		r->fd = make_folder(data_fd, "run");
		close(data_fd);
	}
	if (bytes < 0 || bytes >= (int)sizeof r->path || r->fd < 0)
		return ERR_SYSTEM;
	r->gone_fd = make_folder(r->fd, GONE);
	r->reasons_fd = make_folder(r->fd, TOLD);
	if (r->gone_fd < 0 || r->reasons_fd < 0)
		return ERR_SYSTEM;
	for (int why = 0; why < STOP_REASON_COUNT; why++)
		if (!is_good(r, why))
			write_reason(r, why); /* tried again when it is needed */
	for_each(r, openat(r->fd, ".", FOLDER), INT_MAX, put_old_away, &whole);
	r->dirty = true; /* an earlier life may not have come to the end of it */
	return ERR_OK;
}

enum err run_dirs_open(const char *data_dir, struct run_dirs **ret_dirs)
{
	struct run_dirs *r = calloc(1, sizeof *r);
	struct timespec now;
	enum err e;

	if (!r)
		return ERR_NO_MEMORY;
	r->fd = r->gone_fd = r->reasons_fd = -1;
	/* Other names than those of an earlier life. */
	clock_gettime(CLOCK_REALTIME, &now);
	r->last = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	e = open_all(r, data_dir);
	if (e == ERR_OK)
		*ret_dirs = r;
	else
		run_dirs_close(r);
	return e;
}

void run_dirs_close(struct run_dirs *r)
{
	if (!r)
		return;
	for (int i = 0; i < RUN_DIRS_CLOSE_SWEEPS && run_dirs_sweep(r); i++)
		;
	if (r->reasons_fd >= 0)
		close(r->reasons_fd);
	if (r->gone_fd >= 0)
		close(r->gone_fd);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

/* ---- one directory ---- */

struct place {
	char supervisor[NAME_MAX + 1];
	const char *child;
};

/* Two names, none of which is hidden, or leads elsewhere. */
static bool split(const char *ref, struct place *ret)
{
	const char *slash = strchr(ref, '/');
	size_t bytes = slash ? (size_t)(slash - ref) : 0;

	if (bytes == 0 || bytes > NAME_MAX || ref[0] == '.' || slash[1] == '.' || !slash[1] ||
		strchr(slash + 1, '/') || strlen(slash + 1) > NAME_MAX)
		return false;
	memcpy(ret->supervisor, ref, bytes);
	ret->supervisor[bytes] = '\0';
	ret->child = slash + 1;
	return true;
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

/* One that a process has left behind empty, but for its reason, serves the next. */
static bool is_empty(struct run_dirs *r, int at, const char *name, uid_t uid, gid_t gid)
{
	int fd = openat(at, name, FOLDER);
	bool whole;

	if (fd < 0)
		return false;
	if (!belongs_to(fd, uid, gid)) {
		close(fd);
		return false;
	}
	unlinkat(fd, REASON, 0);
	return for_each(r, fd, 1, count_one, &whole) == 0 && whole;
}

static int make_child(struct run_dirs *r, int at, const char *name, uid_t uid, gid_t gid)
{
	if (mkdirat(at, name, 0700) < 0) {
		if (errno != EEXIST)
			return -1;
		if (is_empty(r, at, name, uid, gid))
			return 0;
		if (!take_away(r, at, name) || mkdirat(at, name, 0700) < 0)
			return -1;
	}
	if (uid == RUN_DIR_SAME && gid == RUN_DIR_SAME)
		return 0;
	return fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

enum err run_dir_make(
	struct run_dirs *r, const char *ref, uid_t uid, gid_t gid, char ret_path[PATH_MAX])
{
	struct place p;
	int bytes, at, made;

	if (!r)
		return ERR_SYSTEM;
	if (!split(ref, &p))
		return ERR_MALFORMED;
	bytes = snprintf(ret_path, PATH_MAX, "%s/%s", r->path, ref);
	if (bytes < 0 || bytes >= PATH_MAX)
		return ERR_LIMIT;
	at = make_folder(r->fd, p.supervisor);
	if (at < 0)
		return ERR_SYSTEM;
	made = make_child(r, at, p.child, uid, gid);
	close(at);
	return made < 0 ? ERR_SYSTEM : ERR_OK;
}

/* The directory of `p`, or -1. */
static int open_child(const struct run_dirs *r, const struct place *p)
{
	int at = openat(r->fd, p->supervisor, FOLDER), fd;

	if (at < 0)
		return -1;
	fd = openat(at, p->child, FOLDER);
	close(at);
	return fd;
}

/* What the process has put in its place goes. */
static bool link_reason(const struct run_dirs *r, int at, const char *name)
{
	if (linkat(r->reasons_fd, name, at, REASON, 0) == 0)
		return true;
	return errno == EEXIST && unlinkat(at, REASON, 0) == 0 &&
	       linkat(r->reasons_fd, name, at, REASON, 0) == 0;
}

enum err run_dir_tell(struct run_dirs *r, const char *ref, enum stop_reason why)
{
	const char *name = stop_reason_name(why);
	struct place p;
	int fd;
	bool told;

	if (!r)
		return ERR_SYSTEM;
	if (!split(ref, &p))
		return ERR_MALFORMED;
	fd = open_child(r, &p);
	if (fd < 0)
		return ERR_SYSTEM;
	told = is_good(r, why) && link_reason(r, fd, name);
	/* It was tampered with, or has as many names as a file may have. */
	if (!told)
		told = write_reason(r, why) && link_reason(r, fd, name);
	close(fd);
	return told ? ERR_OK : ERR_SYSTEM;
}

void run_dir_drop(struct run_dirs *r, const char *ref)
{
	struct place p;
	int at, fd;

	if (!r || !split(ref, &p))
		return;
	fd = open_child(r, &p);
	if (fd >= 0) {
		unlinkat(fd, REASON, 0); /* all that most of them hold */
		close(fd);
	}
	at = openat(r->fd, p.supervisor, FOLDER);
	if (at < 0)
		return;
	take_away(r, at, p.child);
	close(at);
	unlinkat(r->fd, p.supervisor, AT_REMOVEDIR); /* unless it has others */
}

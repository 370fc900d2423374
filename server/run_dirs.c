#include "server/run_dirs_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_MODE 0711 /* passable for the users of children */

/* ---- the place ---- */

/* Whatever the daemon's umask. */
static int make_folder(int at, const char *name)
{
	bool made = mkdirat(at, name, FOLDER_MODE) == 0;
	int fd = made || errno == EEXIST ? openat(at, name, RUN_DIRS_FOLDER) : -1;

	if (made && fd >= 0)
		fchmod(fd, FOLDER_MODE);
	return fd;
}

static int put_old_away(struct run_dirs *r, int at, const char *name, int most)
{
	(void)most;
	if (name[0] == '.')
		return 0; /* no supervisor's name begins so: it is our own */
	return run_dirs_take_away(r, at, name);
}

bool run_dirs_place(const char *data_dir, char ret_path[PATH_MAX])
{
	char *real = realpath(data_dir, NULL);
	int bytes = real ? snprintf(ret_path, PATH_MAX, "%s/run", real) : -1;

	free(real);
	return bytes >= 0 && bytes < PATH_MAX;
}

static enum err open_all(struct run_dirs *r, const char *data_dir)
{
	int data_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool placed = run_dirs_place(data_dir, r->path), whole;

	if (data_fd >= 0) {
		r->fd = make_folder(data_fd, "run");
		close(data_fd);
	}
	if (!placed || r->fd < 0)
		return ERR_SYSTEM;
	r->gone_fd = make_folder(r->fd, ".gone");
	r->reasons_fd = make_folder(r->fd, ".reasons");
	r->spare_fd = make_folder(r->fd, ".spare");
	if (r->gone_fd < 0 || r->reasons_fd < 0 || r->spare_fd < 0)
		return ERR_SYSTEM;
	run_dirs_write_reasons(r);
	run_dirs_count_spares(r);
	run_dirs_for_each(r, openat(r->fd, ".", RUN_DIRS_FOLDER), INT_MAX, put_old_away, &whole);
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
	r->fd = r->gone_fd = r->reasons_fd = r->spare_fd = -1;
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

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void run_dirs_close(struct run_dirs *r)
{
	if (!r)
		return;
	for (int i = 0; i < RUN_DIRS_CLOSE_SWEEPS && run_dirs_clean(r); i++)
		;
	close_one(r->spare_fd);
	close_one(r->reasons_fd);
	close_one(r->gone_fd);
	close_one(r->fd);
	free(r);
}

bool run_dirs_sweep(struct run_dirs *r)
{
	if (!r)
		return false;
	return run_dirs_clean(r) || run_dirs_fill_spares(r);
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

/* The supervisor's, which are made of spare ones too, for those that come and go. */
static int open_supervisor(struct run_dirs *r, const char *name)
{
	int at = openat(r->fd, name, RUN_DIRS_FOLDER);

	if (at >= 0 || errno != ENOENT)
		return at;
	if (!run_dirs_take_spare(r, r->fd, name))
		return make_folder(r->fd, name);
	at = openat(r->fd, name, RUN_DIRS_FOLDER);
	if (at >= 0)
		fchmod(at, FOLDER_MODE);
	return at;
}

/* Its last child's has gone. */
static void drop_supervisor(struct run_dirs *r, const char *name, int at)
{
	fchmod(at, 0700);
	if (!run_dirs_keep_spare(r, r->fd, name))
		unlinkat(r->fd, name, AT_REMOVEDIR);
}

static bool exists(int at, const char *name)
{
	return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int make_child(struct run_dirs *r, int at, const char *name, uid_t uid, gid_t gid)
{
	if (run_dirs_is_empty(r, at, name, uid, gid))
		return 0; /* a process has just left it */
	if (exists(at, name) && !run_dirs_take_away(r, at, name))
		return -1;
	if (!run_dirs_take_spare(r, at, name) && mkdirat(at, name, 0700) < 0)
		return -1;
	if (uid == RUN_DIR_SAME && gid == RUN_DIR_SAME)
		return 0;
	return fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

enum err run_dir_path(const struct run_dirs *r, const char *ref, char ret_path[PATH_MAX])
{
	int bytes;

	if (!r)
		return ERR_SYSTEM;
	bytes = snprintf(ret_path, PATH_MAX, "%s/%s", r->path, ref);
	return bytes < 0 || bytes >= PATH_MAX ? ERR_LIMIT : ERR_OK;
}

enum err run_dir_make(
	struct run_dirs *r, const char *ref, uid_t uid, gid_t gid, char ret_path[PATH_MAX])
{
	struct place p;
	int at, made;
	enum err e = run_dir_path(r, ref, ret_path);

	if (e)
		return e;
	if (!split(ref, &p))
		return ERR_MALFORMED;
	at = open_supervisor(r, p.supervisor);
	if (at < 0)
		return ERR_SYSTEM;
	made = make_child(r, at, p.child, uid, gid);
	close(at);
	return made < 0 ? ERR_SYSTEM : ERR_OK;
}

/* The directory of `p`, or -1. */
static int open_child(const struct run_dirs *r, const struct place *p)
{
	int at = openat(r->fd, p->supervisor, RUN_DIRS_FOLDER), fd;

	if (at < 0)
		return -1;
	fd = openat(at, p->child, RUN_DIRS_FOLDER);
	close(at);
	return fd;
}

enum err run_dir_tell(struct run_dirs *r, const char *ref, enum stop_reason why)
{
	struct place p;
	enum err e;
	int fd;

	if (!r)
		return ERR_SYSTEM;
	if (!split(ref, &p))
		return ERR_MALFORMED;
	fd = open_child(r, &p);
	if (fd < 0)
		return ERR_SYSTEM;
	e = run_dirs_link_reason(r, fd, why);
	close(fd);
	return e;
}

void run_dir_drop(struct run_dirs *r, const char *ref)
{
	struct place p;
	int at;

	if (!r || !split(ref, &p))
		return;
	at = openat(r->fd, p.supervisor, RUN_DIRS_FOLDER);
	if (at < 0)
		return;
	if (!run_dirs_is_empty(r, at, p.child, RUN_DIR_SAME, RUN_DIR_SAME) ||
		!run_dirs_keep_spare(r, at, p.child))
		run_dirs_take_away(r, at, p.child);
	if (run_dirs_holds_nothing(r, dup(at)))
		drop_supervisor(r, p.supervisor, at);
	close(at);
}

#include "server/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CHILD "child-"
#define PERIOD_US 100000 /* the kernel's own default */

static const char *const controllers[] = {"cpu", "memory", "pids"};

/* ---- files ---- */

__attribute__((format(printf, 2, 3))) static void path_of(
	char ret_path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_path, PATH_MAX, format, args);
	va_end(args);
}

/* Each of these files takes a text by one write. False: errno. */
static bool put(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	ssize_t written;
	int fd, error;

	path_of(path, "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return written == (ssize_t)strlen(text);
}

/* ---- the daemon's part ---- */

static bool is_in(const char *dir)
{
	char path[PATH_MAX], line[32];
	bool found = false;
	FILE *in;

	path_of(path, "%s/cgroup.procs", dir);
	in = fopen(path, "re");
	while (in && !found && fgets(line, sizeof line, in))
		found = strtol(line, NULL, 10) == getpid();
	if (in)
		fclose(in);
	return found;
}

static bool step_aside(const char *dir)
{
	char path[PATH_MAX];

	path_of(path, "%s/daemon", dir);
	return (mkdir(path, 0755) == 0 || errno == EEXIST) && put(path, "cgroup.procs", "0");
}

static bool is_cgroup(const char *dir)
{
	struct statfs fs;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return false;
	if (statfs(dir, &fs) < 0)
		return false;
	errno = ENOTSUP;
	return fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The group above may hand them down already, or may be another's: then this changes nothing. */
static void ask_above(const char *dir, const char *controller)
{
	char path[PATH_MAX];

	path_of(path, "%s/..", dir);
	put(path, "cgroup.subtree_control", controller);
}

static bool hand_down(const char *dir, const char *name)
{
	char controller[16];

	snprintf(controller, sizeof controller, "+%s", name);
	ask_above(dir, controller);
	return put(dir, "cgroup.subtree_control", controller);
}

enum err cgroup_prepare(const char *dir, char ret_why[CGROUP_WHY_BYTES])
{
	if (dir[0] != '/' || strlen(dir) > CGROUP_DIR_BYTES_MAX) {
		snprintf(ret_why, CGROUP_WHY_BYTES,
			"--cgroup: '%.256s' is no absolute path of at most %d bytes", dir,
			CGROUP_DIR_BYTES_MAX);
		return ERR_SYSTEM;
	}
	if (!is_cgroup(dir)) {
		snprintf(ret_why, CGROUP_WHY_BYTES, "%.256s is no directory of cgroup v2: %s", dir,
			strerror(errno));
		return ERR_SYSTEM;
	}
	if (is_in(dir) && !step_aside(dir)) {
		snprintf(ret_why, CGROUP_WHY_BYTES, "cannot go into %.256s/daemon: %s", dir,
			strerror(errno));
		return ERR_SYSTEM;
	}
	for (size_t i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
		if (hand_down(dir, controllers[i]))
			continue;
		snprintf(ret_why, CGROUP_WHY_BYTES, "%.256s cannot limit %s: %s", dir,
			controllers[i], strerror(errno));
		return ERR_SYSTEM;
	}
	cgroup_sweep(dir);
	return ERR_OK;
}

/* ---- one child ---- */

static bool set_one(const char *group, enum setup_limit limit, int64_t value)
{
	char text[64];

	if (limit == SETUP_CPU_MILLIS)
		snprintf(
			text, sizeof text, "%" PRId64 " %d", value * (PERIOD_US / 1000), PERIOD_US);
	else
		snprintf(text, sizeof text, "%" PRId64, value);
	if (limit != SETUP_MEMORY)
		return put(group, limit == SETUP_PIDS ? "pids.max" : "cpu.max", text);
	/* All of them end together, as the child that they are; and swap is memory too, where a
	 * kernel has any. */
	return put(group, "memory.max", text) && put(group, "memory.oom.group", "1") &&
	       (put(group, "memory.swap.max", "0") || errno == ENOENT);
}

static bool set_all(const char *group, uint32_t limits_given,
	const int64_t limits[SETUP_LIMIT_COUNT], enum setup_limit *ret_limit)
{
	for (int i = 0; i < SETUP_LIMIT_COUNT; i++) {
		*ret_limit = (enum setup_limit)i;
		if (limits_given & CGROUP_LIMITS & 1U << i &&
			!set_one(group, *ret_limit, limits[i]))
			return false;
	}
	return true;
}

enum setup_limit cgroup_first(uint32_t limits_given)
{
	return (enum setup_limit)__builtin_ctz(limits_given & CGROUP_LIMITS);
}

int cgroup_make(const char *dir, unsigned number, uint32_t limits_given,
	const int64_t limits[SETUP_LIMIT_COUNT], enum setup_limit *ret_limit)
{
	char group[PATH_MAX], procs[PATH_MAX];
	int fd = -1, error;

	path_of(group, "%s/" CHILD "%u", dir, number);
	*ret_limit = cgroup_first(limits_given);
	if (mkdir(group, 0755) < 0)
		return -1;
	path_of(procs, "%s/" CHILD "%u/cgroup.procs", dir, number);
	if (set_all(group, limits_given, limits, ret_limit))
		fd = open(procs, O_WRONLY | O_CLOEXEC);
	error = errno;
	if (fd < 0)
		rmdir(group);
	errno = error;
	return fd;
}

bool cgroup_out_of_memory(const char *dir, unsigned number)
{
	char path[PATH_MAX], line[128];
	uint64_t kills = 0;
	FILE *in;

	path_of(path, "%s/" CHILD "%u/memory.events", dir, number);
	in = fopen(path, "re");
	while (in && kills == 0 && fgets(line, sizeof line, in))
		if (sscanf(line, "oom_kill %" SCNu64, &kills) != 1)
			kills = 0;
	if (in)
		fclose(in);
	return kills > 0;
}

bool cgroup_remove(const char *dir, unsigned number)
{
	char group[PATH_MAX];

	path_of(group, "%s/" CHILD "%u", dir, number);
	if (rmdir(group) == 0 || errno == ENOENT)
		return true;
	put(group, "cgroup.kill", "1");
	return rmdir(group) == 0;
}

void cgroup_sweep(const char *dir)
{
	DIR *all = opendir(dir);
	const struct dirent *one;
	char path[PATH_MAX];

	while (all && (one = readdir(all))) {
		if (strncmp(one->d_name, CHILD, strlen(CHILD)) != 0)
			continue;
		path_of(path, "%s/%s", dir, one->d_name);
		rmdir(path);
	}
	if (all)
		closedir(all);
}

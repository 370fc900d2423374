#include "storage/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum err fail(struct store_problem *problem, const char *doing, const char *path,
	const char *name, int error)
{
	return problem_set(problem, problem_from_errno(error), "cannot %s %s%s%s: %s", doing, path,
		*name ? "/" : "", name, strerror(error));
}

/* ---- files --------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		length -= (size_t)written;
	}
	return true;
}

/* Written aside, synced, renamed: a reader or a crash sees the old file or the new one whole. */
static int replace_file(int directory_fd, const char *name, const char *text)
{
	char aside[64];
	int fd, error = 0;

	(void)snprintf(aside, sizeof aside, ".%s.tmp", name);
	fd = openat(
		directory_fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	if (!write_all(fd, text, strlen(text)) || fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	if (!error && (renameat(directory_fd, aside, directory_fd, name) || fsync(directory_fd)))
		error = errno;
	if (error)
		(void)unlinkat(directory_fd, aside, 0);
	return error;
}

/* Reads at most `size - 1` bytes and ends them with a NUL. */
static ssize_t read_file(int directory_fd, const char *name, char *text, size_t size)
{
	int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, size - 1);
	if (length >= 0)
		text[length] = 0;
	(void)close(fd);
	return length;
}

/* ---- the directory and its lock ------------------------------------------------------------ */

static int make_with_parents(const char *path)
{
	char partial[DIRECTORY_PATH_MAX + 1];
	size_t length = strlen(path);

	memcpy(partial, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i])
			continue;
		partial[i] = 0;
		if (mkdir(partial, 0700) && errno != EEXIST)
			return errno;
		partial[i] = path[i];
	}
	return 0;
}

static enum err open_path(struct directory *d, struct store_problem *problem)
{
	int error = 0, parent;

	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0 && errno == ENOENT) {
		error = make_with_parents(d->path);
		if (error)
			return fail(problem, "make", d->path, "", error);
		d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		parent = d->fd < 0 ? -1 : openat(d->fd, "..", O_RDONLY | O_CLOEXEC);
		if (parent >= 0) {
			/* The new name in its parent must be as durable as what comes inside. */
			(void)fsync(parent);
			(void)close(parent);
		}
	}
	return d->fd < 0 ? fail(problem, "open", d->path, "", errno) : ERR_OK;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&pause, NULL);
}

static enum err refuse_locked(const struct directory *d, struct store_problem *problem)
{
	char pid[24] = "";

	if (read_file(d->fd, "lock", pid, sizeof pid) <= 0)
		memcpy(pid, "unknown", 8);
	pid[strcspn(pid, "\n")] = 0;
	return problem_set(problem, ERR_LOCKED,
		"the data directory %s is in use by another daemon or its guardian (daemon's pid: "
		"%s): stop it, or name another data directory",
		d->path, pid);
}

static enum err take_lock(struct directory *d, int wait_ms, struct store_problem *problem)
{
	int64_t until = clock_ms() + wait_ms;
	char pid[24];

	d->lock_fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock_fd < 0)
		return fail(problem, "open", d->path, "lock", errno);
	while (flock(d->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(problem, "lock", d->path, "lock", errno);
		if (clock_ms() >= until)
			return refuse_locked(d, problem);
		pause_ms(DIRECTORY_POLL_MS);
	}
	/* The pid is a help for people only; a full disk must not keep the daemon from starting. */
	(void)snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (!ftruncate(d->lock_fd, 0))
		(void)write_all(d->lock_fd, pid, strlen(pid));
	return ERR_OK;
}

/* ---- the node's identity ------------------------------------------------------------------- */

static enum err draw_node_id(struct directory *d, struct store_problem *problem)
{
	unsigned char random[16];
	char text[DIRECTORY_NODE_ID_SIZE + 1];
	int error;

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return problem_set(problem, ERR_SYSTEM, "no random bytes: %s", strerror(errno));
	for (size_t i = 0; i < sizeof random; i++)
		(void)snprintf(d->node_id + 2 * i, 3, "%02x", random[i]);
	(void)snprintf(text, sizeof text, "%s\n", d->node_id);
	error = replace_file(d->fd, "node_id", text);
	return error ? fail(problem, "write", d->path, "node_id", error) : ERR_OK;
}

/* An id that cannot be read must not be replaced: the node would become a stranger to its peers. */
static enum err find_node_id(struct directory *d, struct store_problem *problem)
{
	char text[64];
	ssize_t length = read_file(d->fd, "node_id", text, sizeof text);

	if (length < 0 && errno == ENOENT)
		return draw_node_id(d, problem);
	if (length < 0)
		return fail(problem, "read", d->path, "node_id", errno);
	if (length == DIRECTORY_NODE_ID_SIZE && text[length - 1] == '\n')
		text[--length] = 0;
	if (length != DIRECTORY_NODE_ID_SIZE - 1 ||
		strspn(text, "0123456789abcdef") != DIRECTORY_NODE_ID_SIZE - 1)
		return problem_set(problem, ERR_STORAGE_CORRUPT,
			"%s/node_id is damaged: it is to hold 32 hexadecimal digits. It was left "
			"as it "
			"is; put the id back, or move it aside to become a new node",
			d->path);
	memcpy(d->node_id, text, DIRECTORY_NODE_ID_SIZE);
	return ERR_OK;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void release(struct directory *d)
{
	if (d->lock_fd >= 0)
		(void)close(d->lock_fd);
	if (d->fd >= 0)
		(void)close(d->fd);
	free(d->path);
	*d = (struct directory){.fd = -1, .lock_fd = -1};
}

enum err directory_open(const char *path, int wait_ms, struct directory *ret_directory,
	struct store_problem *ret_problem)
{
	struct directory d = {.fd = -1, .lock_fd = -1};
	enum err e;

	if (!*path || strlen(path) > DIRECTORY_PATH_MAX)
		return problem_set(ret_problem, ERR_LIMIT,
			"a data directory's path has 1 to %d bytes", DIRECTORY_PATH_MAX);
	d.path = strdup(path);
	if (!d.path)
		return problem_set(ret_problem, ERR_NO_MEMORY, "%s", err_text(ERR_NO_MEMORY));
	e = open_path(&d, ret_problem);
	if (!e)
		e = take_lock(&d, wait_ms, ret_problem);
	if (!e)
		e = find_node_id(&d, ret_problem);
	if (e) {
		release(&d);
		return e;
	}
	(void)unlinkat(d.fd, "url", 0);
	*ret_directory = d;
	return ERR_OK;
}

void directory_close(struct directory *d)
{
	if (d->fd >= 0)
		(void)unlinkat(d->fd, "url", 0);
	release(d);
}

enum err directory_write_url(const struct directory *d, const char *url)
{
	size_t length = strlen(url);
	char *line = malloc(length + 2);
	int error;

	if (!line)
		return ERR_NO_MEMORY;
	memcpy(line, url, length);
	memcpy(line + length, "\n", 2);
	error = replace_file(d->fd, "url", line);
	free(line);
	return error ? problem_from_errno(error) : ERR_OK;
}

#include "server/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files --------------------------------------------------------------------------------- */

/* Two names, neither of which leads anywhere else. */
static bool is_ref(const char *ref)
{
	const char *slash = strchr(ref, '/');
	return slash && slash > ref && slash[1] && !strchr(slash + 1, '/') && ref[0] != '.' &&
	       slash[1] != '.';
}

enum err log_file_init(struct log_file *f, const char *logs_dir, const char *ref,
	const char *stream, uint64_t bytes_max, unsigned files_max)
{
	char *path;
	if (!is_ref(ref))
		return ERR_MALFORMED;
	if (asprintf(&path, "%s/%s.%s.log", logs_dir, ref, stream) < 0)
		return ERR_NO_MEMORY;
	*f = (struct log_file){.path = path,
		.bytes_max = bytes_max ? bytes_max : LOGS_BYTES_DEFAULT,
		.files_max = files_max ? files_max : LOGS_FILES_DEFAULT};
	if (f->files_max > LOGS_FILES_MAX)
		f->files_max = LOGS_FILES_MAX;
	return ERR_OK;
}

void log_file_fini(struct log_file *f)
{
	free(f->path);
	f->path = NULL;
}

/* Makes the supervisor's folder, and LOGS_DIR itself when that is missing too. */
static void make_folders(const char *path)
{
	char folder[PATH_MAX];
	size_t count = strlen(path);
	if (count >= sizeof folder)
		return;
	memcpy(folder, path, count + 1);
	*strrchr(folder, '/') = 0;
	if (mkdir(folder, 0700) == 0 || errno != ENOENT)
		return;
	char *slash = strrchr(folder, '/');
	if (!slash)
		return;
	*slash = 0;
	mkdir(folder, 0700);
	*slash = '/';
	mkdir(folder, 0700);
}

/* O_NOFOLLOW and O_NONBLOCK: a link or a pipe laid in our way is an error, not a trap. */
static int open_file(const char *path, uint64_t *ret_bytes)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	struct stat status;
	int fd = open(path, flags, 0600);
	if (fd < 0 && errno == ENOENT) {
		make_folders(path);
		fd = open(path, flags, 0600);
	}
	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		*ret_bytes = (uint64_t)status.st_size;
	return fd;
}

static bool shift(const char *path, unsigned from)
{
	char old[PATH_MAX], new[PATH_MAX];
	int old_count = from ? snprintf(old, sizeof old, "%s.%u", path, from)
			     : snprintf(old, sizeof old, "%s", path);
	int new_count = snprintf(new, sizeof new, "%s.%u", path, from + 1);
	if (old_count >= (int)sizeof old || new_count >= (int)sizeof new)
		return false;
	return rename(old, new) == 0 || errno == ENOENT;
}

/* Oldest first; the last one is overwritten by its successor, so the number stays bounded. */
static bool rotate(const struct log_file *f)
{
	bool done = true;
	if (f->files_max == 1)
		return truncate(f->path, 0) == 0;
	for (unsigned i = f->files_max - 1; i-- > 0;)
		done = shift(f->path, i) && done;
	return done;
}

/* Writes as much as the present file has room for; 0 when nothing can be written. */
static size_t append_once(struct log_file *f, const char *bytes, size_t count)
{
	uint64_t used;
	int fd = open_file(f->path, &used);
	if (fd >= 0 && used >= f->bytes_max) {
		close(fd);
		fd = rotate(f) ? open_file(f->path, &used) : -1;
	}
	if (fd < 0 || used >= f->bytes_max) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	if (count > f->bytes_max - used)
		count = (size_t)(f->bytes_max - used);
	ssize_t written;
	do
		written = write(fd, bytes, count);
	while (written < 0 && errno == EINTR);
	close(fd);
	return written < 0 ? 0 : (size_t)written;
}

void log_file_append(struct log_file *f, const char *bytes, size_t count)
{
	while (count) {
		size_t written = append_once(f, bytes, count);
		if (!written)
			break;
		bytes += written;
		count -= written;
	}
	f->dropped_bytes += count;
}

/* ---- streams ------------------------------------------------------------------------------- */

static void stop_reading(struct log_stream *s)
{
	loop_unwatch(s->loop, &s->io);
	close(s->fd);
	s->fd = -1;
}

/* Returns what was read, 0 when there is nothing now, -1 at the end. */
static ssize_t read_some(struct log_stream *s)
{
	char bytes[LOGS_READ_BYTES];
	ssize_t count;
	do
		count = read(s->fd, bytes, sizeof bytes);
	while (count < 0 && errno == EINTR);
	if (count > 0)
		log_file_append(&s->file, bytes, (size_t)count);
	if (count < 0 && errno == EAGAIN)
		return 0;
	return count > 0 ? count : -1;
}

static void on_output(void *data, uint32_t events)
{
	struct log_stream *s = data;
	(void)events;
	if (read_some(s) < 0)
		stop_reading(s);
}

enum err log_stream_open(struct log_stream *s, struct loop *l, int fd)
{
	s->loop = l;
	s->fd = fd;
	s->io = (struct loop_io){0};
	enum err e = loop_watch(l, &s->io, fd, EPOLLIN, on_output, s);
	if (e) {
		close(fd);
		s->fd = -1;
	}
	return e;
}

void log_stream_close(struct log_stream *s)
{
	ssize_t count = 1;
	if (s->fd < 0)
		return;
	for (size_t total = 0; count > 0 && total < LOGS_DRAIN_BYTES_MAX; total += (size_t)count)
		count = read_some(s);
	stop_reading(s);
}

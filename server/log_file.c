#include "server/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".log"
#define DIGITS 16

/* ---- names --------------------------------------------------------------------------------- */

/* Two names, neither of which leads anywhere else. */
static bool is_ref(const char *ref)
{
	const char *slash = strchr(ref, '/');
	return slash && slash > ref && slash[1] && !strchr(slash + 1, '/') && ref[0] != '.' &&
	       slash[1] != '.';
}

enum err log_folder(const char *logs_dir, const char *ref, char **ret_folder)
{
	char *folder;

	if (!is_ref(ref))
		return ERR_MALFORMED;
	if (asprintf(&folder, "%s/%s", logs_dir, ref) < 0)
		return ERR_NO_MEMORY;
	*ret_folder = folder;
	return ERR_OK;
}

bool log_files_path(const char *folder, uint64_t start, char ret_path[LOG_PATH_BYTES])
{
	return snprintf(ret_path, LOG_PATH_BYTES, "%s/%016llx" SUFFIX, folder,
		       (unsigned long long)start) < LOG_PATH_BYTES;
}

/* The offset that a file is named by; false: it is none of ours. */
static bool read_name(const char *name, uint64_t *ret_start)
{
	if (strspn(name, "0123456789abcdef") != DIGITS || strcmp(name + DIGITS, SUFFIX) != 0)
		return false;
	*ret_start = strtoull(name, NULL, 16);
	return true;
}

static void insert(struct log_files *files, uint64_t start)
{
	const unsigned most = sizeof files->starts / sizeof files->starts[0];
	unsigned at = files->count;

	while (at > 0 && files->starts[at - 1] > start)
		at--;
	if (files->count == most) {
		if (at == 0)
			return;
		memmove(files->starts, files->starts + 1, (--at) * sizeof files->starts[0]);
		files->starts[at] = start;
		return;
	}
	memmove(files->starts + at + 1, files->starts + at,
		(files->count - at) * sizeof files->starts[0]);
	files->starts[at] = start;
	files->count++;
}

void log_files_list(const char *folder, struct log_files *ret)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t start;

	ret->count = 0;
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (read_name(entry->d_name, &start))
			insert(ret, start);
	closedir(dir);
}

enum err log_file_init(struct log_file *f, const char *logs_dir, const char *ref,
	uint64_t bytes_max, unsigned files_max)
{
	char *folder;
	enum err e = log_folder(logs_dir, ref, &folder);

	if (e)
		return e;
	*f = (struct log_file){.folder = folder,
		.ref = folder + strlen(folder) - strlen(ref),
		.bytes_max = bytes_max ? bytes_max : LOG_BYTES_DEFAULT,
		.files_max = files_max ? files_max : LOG_FILES_DEFAULT};
	if (f->bytes_max < LOG_RECORD_BYTES_MAX)
		f->bytes_max = LOG_RECORD_BYTES_MAX;
	if (f->files_max > LOG_FILES_MAX)
		f->files_max = LOG_FILES_MAX;
	return ERR_OK;
}

void log_file_fini(struct log_file *f)
{
	if (f->folder && f->known)
		log_total_close(f->total, f->ref, f->start);
	free(f->folder);
	f->folder = NULL;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* The child's folder, its supervisor's, and LOGS_DIR itself, as far as they are missing. */
static void make_folders(const char *folder)
{
	char path[PATH_MAX];
	size_t count = strlen(folder), end[3] = {count, 0, 0};

	if (count >= sizeof path)
		return;
	memcpy(path, folder, count + 1);
	for (int i = 1; i < 3; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return;
		*slash = '\0';
		end[i] = (size_t)(slash - path);
	}
	for (int i = 2; i >= 0; i--) {
		memcpy(path, folder, end[i]);
		path[end[i]] = '\0';
		mkdir(path, 0700);
	}
}

/* O_NOFOLLOW and O_NONBLOCK: a link or a pipe laid in our way is an error, not a trap. */
static int open_at(const struct log_file *f, int more, uint64_t *ret_used)
{
	char path[LOG_PATH_BYTES];
	struct stat status;
	int fd;

	if (!log_files_path(f->folder, f->start, path))
		return -1;
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more, 0600);
	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		*ret_used = (uint64_t)status.st_size;
	return fd;
}

/* Where an earlier process, or daemon, left off. */
static void know(struct log_file *f)
{
	struct log_files files;
	char path[LOG_PATH_BYTES];
	struct stat status;

	if (f->known)
		return;
	log_files_list(f->folder, &files);
	f->start = files.count ? files.starts[files.count - 1] : 0;
	f->used = 0;
	if (files.count && log_files_path(f->folder, f->start, path) && stat(path, &status) == 0)
		f->used = (uint64_t)status.st_size;
	f->known = true;
	if (files.count)
		log_total_open(f->total, f->ref, f->start, f->used);
}

uint64_t log_file_end(struct log_file *f)
{
	know(f);
	return f->start + f->used;
}

/* The files beyond the number that may be, oldest first. */
static void drop_oldest(const struct log_file *f)
{
	struct log_files files;
	char path[LOG_PATH_BYTES];

	log_files_list(f->folder, &files);
	for (unsigned i = 0; i + f->files_max < files.count; i++)
		if (log_files_path(f->folder, files.starts[i], path)) {
			unlink(path);
			log_total_gone(f->total, f->ref, files.starts[i]);
		}
}

/* The next file begins where the present one ends. */
static int open_next(struct log_file *f)
{
	uint64_t used = 0;
	int fd;

	log_total_close(f->total, f->ref, f->start);
	f->start += f->used;
	f->used = 0;
	fd = open_at(f, O_CREAT, &used);
	if (fd < 0 && errno == ENOENT) {
		make_folders(f->folder);
		fd = open_at(f, O_CREAT, &used);
	}
	f->used = fd >= 0 ? used : 0;
	if (fd < 0)
		return fd;
	log_total_open(f->total, f->ref, f->start, f->used);
	drop_oldest(f);
	return fd;
}

/* At its cap, or it has to make room for itself. */
static bool is_full(const struct log_file *f, size_t count)
{
	return f->used + count > f->bytes_max ||
	       (f->used >= LOG_EARLY_BYTES && log_total_short(f->total, count));
}

static int open_present(struct log_file *f, size_t count)
{
	uint64_t used = 0;
	int fd;

	know(f);
	if (is_full(f, count))
		return open_next(f);
	fd = open_at(f, 0, &used);
	if (fd < 0)
		return errno == ENOENT ? open_next(f) : -1; /* somebody took it away */
	f->used = used;
	return fd;
}

/* As many whole records as fit, at least one. */
static size_t fitting(const struct log_file *f, const char *records, size_t count)
{
	const char *end;

	if (count <= f->bytes_max)
		return count;
	end = memrchr(records, '\n', f->bytes_max);
	return end ? (size_t)(end - records) + 1 : count;
}

/* False when it could not be written as a whole; then none of it is there. */
static bool append_once(struct log_file *f, const char *records, size_t count)
{
	int fd = open_present(f, count);
	ssize_t written;

	if (fd < 0)
		return false;
	do
		written = write(fd, records, count);
	while (written < 0 && errno == EINTR);
	if (written >= 0 && (size_t)written < count && ftruncate(fd, (off_t)f->used) < 0)
		f->known = false;
	close(fd);
	if (written < 0 || (size_t)written < count)
		return false;
	f->used += count;
	log_total_open(f->total, f->ref, f->start, f->used);
	log_total_sweep(f->total);
	return true;
}

void log_file_append(struct log_file *f, const char *records, size_t count)
{
	while (count) {
		size_t some = fitting(f, records, count);

		if (!append_once(f, records, some))
			break;
		records += some;
		count -= some;
	}
	f->dropped_bytes += count;
}

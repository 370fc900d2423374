#include "storage/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/snapshots_inside.h"
#include "storage/sqlite.h"

/* ---- names --------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool snapshot_id_valid(const char *id)
{
	size_t length = strlen(id);

	for (size_t i = 0; i < length; i++)
		if (!is_plain(id[i]) && (i == 0 || i == length - 1 || !strchr("._-", id[i])))
			return false;
	return length > 0 && length < SNAPSHOT_ID_SIZE;
}

void snapshot_name(char out[SNAPSHOT_NAME_SIZE], bool hidden, const char *id, const char *ending)
{
	(void)snprintf(out, SNAPSHOT_NAME_SIZE, "%s%s%s", hidden ? "." : "", id, ending);
}

enum err snapshot_path(const struct snapshots *s, const char *name, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%s/%s", s->folder, name) < size ? ERR_OK : ERR_LIMIT;
}

enum err snapshots_folder(const struct snapshots *s, bool make, int *ret_fd)
{
	int fd;

	if (make && mkdir(s->folder, 0700) && errno != EEXIST)
		return problem_from_errno(errno);
	fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : problem_from_errno(errno);
	*ret_fd = fd;
	return ERR_OK;
}

enum err snapshot_read_checksum(
	int folder_fd, const char *id, char ret_checksum[SNAPSHOT_CHECKSUM_SIZE])
{
	char name[SNAPSHOT_NAME_SIZE], text[SNAPSHOT_CHECKSUM_SIZE] = "";
	ssize_t length = 0;
	int fd;

	snapshot_name(name, false, id, ".xxh128");
	fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		length = read(fd, text, sizeof text - 1);
		(void)close(fd);
	}
	if (length != sizeof text - 1 || strspn(text, "0123456789abcdef") != sizeof text - 1)
		return ERR_NOT_FOUND;
	memcpy(ret_checksum, text, sizeof text);
	return ERR_OK;
}

/* ---- what there is ------------------------------------------------------------------------- */

size_t snapshots_count(const struct snapshots *s)
{
	return s->count;
}

const struct snapshot *snapshots_at(const struct snapshots *s, size_t index)
{
	return index < s->count ? &s->items[index] : NULL;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct snapshot *)a)->id, ((const struct snapshot *)b)->id);
}

static struct snapshot *find(const struct snapshots *s, const char *id)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->items[i].id, id))
			return &s->items[i];
	return NULL;
}

const struct snapshot *snapshots_find(const struct snapshots *s, const char *id)
{
	return find(s, id);
}

void snapshots_add(struct snapshots *s, const struct snapshot *made)
{
	struct snapshot *known = find(s, made->id);

	if (known) {
		*known = *made;
		return;
	}
	s->items[s->count++] = *made;
	qsort(s->items, s->count, sizeof *s->items, compare_ids);
}

/* How many are on their way under ids that are new, `id` (may be NULL) being one of those asked. */
struct under_way {
	size_t fresh;
	bool found;
};

static void look_at(struct under_way *w, const struct snapshots *s, const char *id, const char *is)
{
	w->found |= id && !strcmp(id, is);
	w->fresh += !find(s, is);
}

static struct under_way under_way(const struct snapshots *s, const char *id)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&s->mutex;
	struct under_way w = {0, false};

	for (const struct snapshots_upload *u = s->uploads; u; u = u->next)
		look_at(&w, s, id, u->id);
	(void)pthread_mutex_lock(mutex);
	for (const struct snapshots_job *job = s->queue; job; job = job->next)
		if (job->kind != JOB_LOAD)
			look_at(&w, s, id, job->snapshot.id);
	for (const struct snapshots_job *job = s->finished; job; job = job->next)
		if (job->kind != JOB_LOAD)
			look_at(&w, s, id, job->snapshot.id);
	(void)pthread_mutex_unlock(mutex);
	return w;
}

bool snapshots_under_way(const struct snapshots *s, const char *id)
{
	return under_way(s, id).found;
}

bool snapshots_full(const struct snapshots *s)
{
	return s->count + under_way(s, NULL).fresh >= SNAPSHOTS_MAX;
}

/* ---- the start ----------------------------------------------------------------------------- */

/* True for "<id>.db" with a checksum beside it; then `ret` says all. */
static bool read_snapshot(int folder, const char *name, struct snapshot *ret)
{
	size_t length = strlen(name);
	struct stat status;

	if (length < 4 || length - 3 >= sizeof ret->id || strcmp(name + length - 3, ".db"))
		return false;
	memcpy(ret->id, name, length - 3);
	ret->id[length - 3] = 0;
	if (!snapshot_id_valid(ret->id) || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) ||
		!S_ISREG(status.st_mode) || snapshot_read_checksum(folder, ret->id, ret->checksum))
		return false;
	ret->bytes = (uint64_t)status.st_size;
	ret->created_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
	return true;
}

/* A crash leaves hidden files, and a checksum whose copy did not get its name, or lost it. */
static bool is_leftover(int folder, const char *name)
{
	static const char ending[] = ".xxh128";
	size_t length = strlen(name);
	char copy[SNAPSHOT_NAME_SIZE];
	struct stat status;

	if (name[0] == '.')
		return strcmp(name, ".") && strcmp(name, "..");
	if (length < sizeof ending || length >= SNAPSHOT_NAME_SIZE ||
		strcmp(name + length + 1 - sizeof ending, ending))
		return false;
	(void)snprintf(copy, sizeof copy, "%.*s.db", (int)(length + 1 - sizeof ending), name);
	return fstatat(folder, copy, &status, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

/* Room for one more; beyond SNAPSHOTS_MAX only for files that are there already. */
static enum err reserve(struct snapshots *s)
{
	size_t size = s->count < SNAPSHOTS_MAX ? SNAPSHOTS_MAX : s->count + 1;
	struct snapshot *items = realloc(s->items, size * sizeof *items);

	if (!items)
		return ERR_NO_MEMORY;
	s->items = items;
	return ERR_OK;
}

static enum err scan(struct snapshots *s, DIR *dir)
{
	enum err e = reserve(s);
	struct snapshot one;
	struct dirent *item;

	while (!e && (item = readdir(dir))) {
		if (is_leftover(dirfd(dir), item->d_name)) {
			(void)unlinkat(dirfd(dir), item->d_name, 0);
		} else if (read_snapshot(dirfd(dir), item->d_name, &one)) {
			e = reserve(s);
			if (!e)
				snapshots_add(s, &one);
		}
	}
	return e;
}

static enum err read_folder(struct snapshots *s)
{
	int fd;
	enum err e = snapshots_folder(s, false, &fd);
	DIR *dir;

	if (e == ERR_NOT_FOUND)
		return reserve(s);
	if (e)
		return e;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return ERR_NO_MEMORY;
	}
	e = scan(s, dir);
	(void)closedir(dir);
	return e;
}

static char *join(const char *path, const char *name)
{
	char *joined = NULL;

	return asprintf(&joined, "%s/%s", path, name) < 0 ? NULL : joined;
}

enum err snapshots_open(const char *path, struct snapshots **ret_snapshots)
{
	struct snapshots *s = calloc(1, sizeof *s);
	enum err e = ERR_NO_MEMORY;

	if (!s)
		return e;
	(void)pthread_mutex_init(&s->mutex, NULL);
	(void)pthread_cond_init(&s->wake, NULL);
	s->store = join(path, SQLITE_FILE);
	s->folder = join(path, SNAPSHOTS_DIRECTORY);
	s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->store && s->folder)
		e = s->event_fd < 0                                          ? ERR_SYSTEM
		    : strlen(s->folder) + SNAPSHOT_NAME_SIZE + 1 >= PATH_MAX ? ERR_LIMIT
									     : read_folder(s);
	if (e)
		snapshots_close(s);
	else
		*ret_snapshots = s;
	return e;
}

void snapshots_close(struct snapshots *s)
{
	if (!s)
		return;
	snapshots_stop(s);
	while (s->uploads)
		snapshots_abort(s->uploads);
	if (s->event_fd >= 0)
		(void)close(s->event_fd);
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_mutex_destroy(&s->mutex);
	free(s->items);
	free(s->folder);
	free(s->store);
	free(s);
}

int snapshots_fd(const struct snapshots *s)
{
	return s->event_fd;
}

/* ---- reading and deleting ------------------------------------------------------------------ */

enum err snapshots_read(const struct snapshots *s, const char *id, int *ret_fd)
{
	char name[SNAPSHOT_NAME_SIZE];
	int folder, fd;
	enum err e = find(s, id) ? snapshots_folder(s, false, &folder) : ERR_NOT_FOUND;

	if (e)
		return e;
	snapshot_name(name, false, id, ".db");
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		e = errno == ENOENT ? ERR_NOT_FOUND : problem_from_errno(errno);
	else
		*ret_fd = fd;
	(void)close(folder);
	return e;
}

static void forget(struct snapshots *s, struct snapshot *item)
{
	size_t at = (size_t)(item - s->items);

	s->count--;
	memmove(item, item + 1, (s->count - at) * sizeof *item);
}

/* The copy first: one without a checksum would stay for ever, the other way it is a leftover. */
enum err snapshots_delete(struct snapshots *s, const char *id)
{
	char name[SNAPSHOT_NAME_SIZE], sum[SNAPSHOT_NAME_SIZE];
	int folder;
	enum err e = find(s, id) ? snapshots_folder(s, false, &folder) : ERR_NOT_FOUND;

	if (e)
		return e;
	snapshot_name(name, false, id, ".db");
	snapshot_name(sum, false, id, ".xxh128");
	if (snapshots_under_way(s, id))
		e = ERR_WRONG_STATE;
	else if (unlinkat(folder, name, 0) && errno != ENOENT)
		e = problem_from_errno(errno);
	if (!e) {
		(void)unlinkat(folder, sum, 0);
		forget(s, find(s, id));
	}
	(void)close(folder);
	return e;
}

/* ---- jobs ---------------------------------------------------------------------------------- */

enum err snapshots_create(struct snapshots *s, const char *id, struct snapshots_job **ret_job)
{
	struct snapshots_job *job;

	if (!snapshot_id_valid(id))
		return ERR_MALFORMED;
	if (find(s, id) || snapshots_under_way(s, id))
		return ERR_WRONG_STATE;
	if (snapshots_full(s))
		return ERR_LIMIT;
	job = snapshots_job_new(s, JOB_CREATE, id);
	return job ? snapshots_submit(job, ret_job) : ERR_NO_MEMORY;
}

enum err snapshots_load(struct snapshots *s, const char *id,
	enum err (*load)(void *data, struct store store), void *data, void (*free_data)(void *data),
	struct snapshots_job **ret_job)
{
	struct snapshots_job *job;

	if (!find(s, id))
		return ERR_NOT_FOUND;
	job = snapshots_job_new(s, JOB_LOAD, id);
	if (!job)
		return ERR_NO_MEMORY;
	job->load = load;
	job->data = data;
	job->free_data = free_data;
	return snapshots_submit(job, ret_job);
}

/* What takes long, on the thread: copies, checks, checksums, loads. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/snapshots_inside.h"
#include "storage/sqlite.h"

#define READ_BYTES ((size_t)1 << 18)

/* A daemon that ends does not wait for it. */
static bool unwanted(void *data)
{
	const struct snapshots_job *job = data;

	return atomic_load(&job->owner->stopping);
}

static enum err hash_file(struct snapshots_job *job, int fd, char ret_text[SNAPSHOT_CHECKSUM_SIZE])
{
	XXH3_state_t *state = XXH3_createState();
	char *bytes = malloc(READ_BYTES);
	enum err e = state && bytes ? ERR_OK : ERR_NO_MEMORY;
	XXH128_hash_t sum;
	off_t at = 0;

	if (!e)
		(void)XXH3_128bits_reset(state);
	while (!e) {
		ssize_t count = pread(fd, bytes, READ_BYTES, at);

		if (count == 0)
			break;
		if (count < 0)
			e = errno == EINTR ? ERR_OK : problem_from_errno(errno);
		else if (unwanted(job))
			e = ERR_SHUTTING_DOWN;
		else
			(void)XXH3_128bits_update(state, bytes, (size_t)count);
		at += count > 0 ? count : 0;
	}
	if (!e) {
		sum = XXH3_128bits_digest(state);
		(void)snprintf(ret_text, SNAPSHOT_CHECKSUM_SIZE, "%016llx%016llx",
			(unsigned long long)sum.high64, (unsigned long long)sum.low64);
	}
	XXH3_freeState(state);
	free(bytes);
	return e;
}

/* What is known of the finished file, which is on the disk then. */
static enum err measure(struct snapshots_job *job, int fd)
{
	struct stat status;
	enum err e = hash_file(job, fd, job->snapshot.checksum);

	if (e)
		return e;
	if (fsync(fd) || fstat(fd, &status))
		return problem_from_errno(errno);
	job->snapshot.bytes = (uint64_t)status.st_size;
	job->snapshot.created_ms =
		(int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
	return ERR_OK;
}

static enum err write_checksum(const struct snapshots_job *job, int folder, const char *name)
{
	char line[SNAPSHOT_CHECKSUM_SIZE + SNAPSHOT_NAME_SIZE + 8];
	int length = snprintf(
		line, sizeof line, "%s  %s.db\n", job->snapshot.checksum, job->snapshot.id);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum err e = ERR_OK;

	if (fd < 0)
		return problem_from_errno(errno);
	if (write(fd, line, (size_t)length) != length)
		e = ERR_STORAGE_FULL;
	else if (fsync(fd))
		e = problem_from_errno(errno);
	(void)close(fd);
	return e;
}

/* The checksum first: a copy without one is none of ours, so a crash between the two leaves none.
 */
static enum err publish(const struct snapshots_job *job, int folder)
{
	const char *id = job->snapshot.id;
	char made[SNAPSHOT_NAME_SIZE], sum[SNAPSHOT_NAME_SIZE];
	char final[SNAPSHOT_NAME_SIZE], final_sum[SNAPSHOT_NAME_SIZE];
	enum err e;

	snapshot_name(made, true, id, ".db");
	snapshot_name(sum, true, id, ".xxh128");
	snapshot_name(final, false, id, ".db");
	snapshot_name(final_sum, false, id, ".xxh128");
	e = write_checksum(job, folder, sum);
	if (!e && (renameat(folder, sum, folder, final_sum) ||
			  renameat(folder, made, folder, final) || fsync(folder)))
		e = problem_from_errno(errno);
	if (e)
		(void)unlinkat(folder, sum, 0);
	return e;
}

static enum err copy_store(struct snapshots_job *job, int folder, const char *name)
{
	char path[PATH_MAX];
	enum err e = snapshot_path(job->owner, name, path, sizeof path);
	int fd;

	if (e)
		return e;
	fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return problem_from_errno(errno);
	(void)close(fd);
	return sqlite_backup(job->owner->store, path, unwanted, job);
}

static enum err check_received(struct snapshots_job *job, const char *name)
{
	char path[PATH_MAX];
	struct store store;
	enum err e = snapshot_path(job->owner, name, path, sizeof path);

	if (!e)
		e = sqlite_open_snapshot(path, &store);
	if (!e)
		store_close(store);
	return e;
}

static enum err measure_named(struct snapshots_job *job, int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum err e = fd < 0 ? problem_from_errno(errno) : measure(job, fd);

	if (fd >= 0)
		(void)close(fd);
	return e;
}

static enum err make(struct snapshots_job *job, int folder)
{
	char name[SNAPSHOT_NAME_SIZE];
	enum err e = ERR_OK;

	snapshot_name(name, true, job->snapshot.id, ".db");
	if (job->kind == JOB_CREATE)
		e = copy_store(job, folder, name);
	if (!e)
		e = measure_named(job, folder, name);
	if (!e && job->wanted[0] && strcmp(job->wanted, job->snapshot.checksum))
		e = ERR_MALFORMED;
	if (!e && job->kind == JOB_TAKE)
		e = check_received(job, name);
	if (!e)
		e = publish(job, folder);
	if (e)
		(void)unlinkat(folder, name, 0);
	return e;
}

/* It is what was made: a disk may have forgotten since. */
static enum err compare_checksum(struct snapshots_job *job, int folder, const char *name)
{
	char known[SNAPSHOT_CHECKSUM_SIZE];
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum err e;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : problem_from_errno(errno);
	e = snapshot_read_checksum(folder, job->snapshot.id, known);
	if (!e)
		e = hash_file(job, fd, job->snapshot.checksum);
	if (!e && strcmp(known, job->snapshot.checksum))
		e = ERR_STORAGE_CORRUPT;
	(void)close(fd);
	return e;
}

static enum err load(struct snapshots_job *job, int folder)
{
	char name[SNAPSHOT_NAME_SIZE], path[PATH_MAX];
	struct store store;
	enum err e;

	snapshot_name(name, false, job->snapshot.id, ".db");
	e = snapshot_path(job->owner, name, path, sizeof path);
	if (!e)
		e = compare_checksum(job, folder, name);
	if (!e)
		e = sqlite_open_snapshot(path, &store);
	if (e)
		return e;
	e = job->load(job->data, store);
	store_close(store);
	return e;
}

enum err snapshot_run(struct snapshots_job *job)
{
	int folder;
	enum err e = snapshots_folder(job->owner, job->kind != JOB_LOAD, &folder);

	if (e)
		return e;
	e = job->kind == JOB_LOAD ? load(job, folder) : make(job, folder);
	(void)close(folder);
	return e;
}

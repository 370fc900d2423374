/* Files that come from outside, piece by piece. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/snapshots_inside.h"

static enum err open_upload(struct snapshots_upload *u)
{
	char name[SNAPSHOT_NAME_SIZE];
	int folder;
	enum err e = snapshots_folder(u->owner, true, &folder);

	if (e)
		return e;
	snapshot_name(name, true, u->id, ".db");
	u->fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (u->fd < 0)
		e = problem_from_errno(errno);
	(void)close(folder);
	return e;
}

static size_t upload_count(const struct snapshots *s)
{
	size_t count = 0;

	for (const struct snapshots_upload *u = s->uploads; u; u = u->next)
		count++;
	return count;
}

enum err snapshots_receive(
	struct snapshots *s, const char *id, struct snapshots_upload **ret_upload)
{
	struct snapshots_upload *u;
	enum err e;

	if (!snapshot_id_valid(id))
		return ERR_MALFORMED;
	if (snapshots_under_way(s, id))
		return ERR_WRONG_STATE;
	if (upload_count(s) >= SNAPSHOTS_JOBS_MAX || (!snapshots_find(s, id) && snapshots_full(s)))
		return ERR_LIMIT;
	u = calloc(1, sizeof *u);
	if (!u)
		return ERR_NO_MEMORY;
	u->owner = s;
	memcpy(u->id, id, strlen(id) + 1);
	e = open_upload(u);
	if (e) {
		free(u);
		return e;
	}
	u->next = s->uploads;
	s->uploads = u;
	*ret_upload = u;
	return ERR_OK;
}

enum err snapshots_write(struct snapshots_upload *u, const void *bytes, size_t count)
{
	const char *at = bytes;

	if (count > SNAPSHOT_BYTES_MAX - u->bytes)
		return ERR_LIMIT;
	while (count) {
		ssize_t written = write(u->fd, at, count);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return problem_from_errno(errno);
		at += written;
		count -= (size_t)written;
		u->bytes += (uint64_t)written;
	}
	return ERR_OK;
}

/* It is no upload any more; its file stays. */
static void end_upload(struct snapshots_upload *u)
{
	struct snapshots_upload **place = &u->owner->uploads;

	while (*place != u)
		place = &(*place)->next;
	*place = u->next;
	(void)close(u->fd);
	free(u);
}

enum err snapshots_finish(
	struct snapshots_upload *u, const char *checksum, struct snapshots_job **ret_job)
{
	struct snapshots_job *job = snapshots_job_new(u->owner, JOB_TAKE, u->id);
	enum err e;

	if (!job)
		return ERR_NO_MEMORY;
	if (checksum)
		(void)snprintf(job->wanted, sizeof job->wanted, "%s", checksum);
	e = snapshots_submit(job, ret_job);
	if (!e)
		end_upload(u);
	return e;
}

void snapshots_abort(struct snapshots_upload *u)
{
	char name[SNAPSHOT_NAME_SIZE];
	int folder;

	if (!snapshots_folder(u->owner, false, &folder)) {
		snapshot_name(name, true, u->id, ".db");
		(void)unlinkat(folder, name, 0);
		(void)close(folder);
	}
	end_upload(u);
}

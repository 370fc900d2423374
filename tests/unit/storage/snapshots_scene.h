/* A store that is written to, and what is kept of it: the scene of the snapshots' tests. */
#ifndef HORDE_TESTS_UNIT_STORAGE_SNAPSHOTS_SCENE_H
#define HORDE_TESTS_UNIT_STORAGE_SNAPSHOTS_SCENE_H

#include <criterion/criterion.h>
#include <poll.h>

#include "storage/snapshots.h"
#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

static char *directory;
static struct store store;
static struct snapshots *snapshots;
static uint64_t commits;

static inline void open_snapshots(void)
{
	cr_assert_eq(snapshots_open(directory, &snapshots), ERR_OK);
}

static inline void set_up(void)
{
	directory = make_directory();
	MUST(!sqlite_open(path_in(directory, SQLITE_FILE), &store, NULL));
	open_snapshots();
}

static inline void tear_down(void)
{
	snapshots_close(snapshots);
	store_close(store);
	remove_directory(directory);
}

static inline void commit(void)
{
	struct store_batch b = {0};

	numbered_batch(&b, ++commits, 3000);
	MUST(!commit_one(store, &b));
	batch_fini(&b);
}

static inline void ignore(void *data, struct snapshots_job *job)
{
	(void)job;
	++*(int *)data;
}

/* Waits for the job; commits meanwhile when told to. Releases it. */
static inline enum err finish_job(struct snapshots_job *job, bool committing)
{
	struct pollfd ready = {snapshots_fd(snapshots), POLLIN, 0};
	enum err e = ERR_OK;
	int done = 0;

	while (!snapshots_job_done(job, &e)) {
		if (committing)
			commit();
		MUST(poll(&ready, 1, committing ? 0 : 30000) >= 0);
		snapshots_collect(snapshots, ignore, &done);
	}
	snapshots_job_release(job);
	return e;
}

static inline enum err create(const char *id)
{
	struct snapshots_job *job;
	enum err e = snapshots_create(snapshots, id, &job);

	return e ? e : finish_job(job, false);
}

static inline const char *file_of(const char *name)
{
	static char paths[4][4600];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/" SNAPSHOTS_DIRECTORY "/%s", directory, name);
	return path;
}

static inline char *read_file_of(const char *name, size_t *ret_length)
{
	char *bytes = read_whole(file_of(name), ret_length);

	cr_assert_not_null(bytes, "there is no %s", name);
	return bytes;
}

/* How many files are in their folder. */
static inline int files(void)
{
	return count_files(path_in(directory, SNAPSHOTS_DIRECTORY));
}

#endif

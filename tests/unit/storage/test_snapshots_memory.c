/* Out of memory while snapshots are made, received and loaded: the n-th allocation fails. */
#include <criterion/criterion.h>

#include "storage/snapshots_inside.h"
#include "storage/sqlite.h"
#include "tests/unit/core/failing.h"
#include "tests/unit/storage/support.h"

static char *directory;
static struct store store;
static struct snapshots *snapshots;

static void set_up(void)
{
	struct store_batch b = {0};

	directory = make_directory();
	MUST(!sqlite_open(path_in(directory, SQLITE_FILE), &store, NULL));
	numbered_batch(&b, 1, 100);
	MUST(!commit_one(store, &b));
	batch_fini(&b);
	MUST(!snapshots_open(directory, &snapshots));
}

static void tear_down(void)
{
	snapshots_close(snapshots);
	store_close(store);
	remove_directory(directory);
}

TestSuite(snapshots_memory, .init = set_up, .fini = tear_down, .timeout = 60);

static int files(void)
{
	return count_files(path_in(directory, SNAPSHOTS_DIRECTORY));
}

/* What the thread does, here. */
static enum err run(struct snapshots_job *job, long n, bool *ret_failed)
{
	enum err e;

	failing_arm(n);
	e = snapshot_run(job);
	*ret_failed = failing_disarm();
	return e;
}

Test(snapshots_memory, a_job_that_finds_none_fails_and_leaves_nothing)
{
	bool failed = true;
	int errors = 0;

	for (long n = 0; failed; n++) {
		struct snapshots_job *job = snapshots_job_new(snapshots, JOB_CREATE, "a");
		enum err e = run(job, n, &failed);

		/* SQLite can do without some of it. */
		cr_assert(e == ERR_OK || (failed && e == ERR_NO_MEMORY), "allocation %ld: %s", n,
			err_text(e));
		cr_assert_eq(files(), e ? 0 : 2, "allocation %ld", n);
		errors += e != ERR_OK;
		if (!e) {
			snapshots_add(snapshots, &job->snapshot);
			cr_assert_eq(snapshots_delete(snapshots, "a"), ERR_OK);
		}
		snapshots_job_free(job);
	}
	cr_assert_gt(errors, 20);
}

static enum err count_load(void *data, struct store s)
{
	struct store_visitor all = {0};

	++*(int *)data;
	return store_load(s, &all);
}

Test(snapshots_memory, a_load_that_finds_none_fails_and_can_be_repeated)
{
	struct snapshots_job *made = snapshots_job_new(snapshots, JOB_CREATE, "a");
	bool failed = true;
	int loads = 0, errors = 0;

	cr_assert_eq(snapshot_run(made), ERR_OK);
	snapshots_add(snapshots, &made->snapshot);
	snapshots_job_free(made);
	for (long n = 0; failed; n++) {
		struct snapshots_job *job = snapshots_job_new(snapshots, JOB_LOAD, "a");
		enum err e;

		job->load = count_load;
		job->data = &loads;
		e = run(job, n, &failed);
		cr_assert(e == ERR_OK || (failed && e == ERR_NO_MEMORY), "allocation %ld: %s", n,
			err_text(e));
		errors += e != ERR_OK;
		snapshots_job_free(job);
	}
	cr_assert_gt(loads, 0);
	cr_assert_gt(errors, 20);
	cr_assert_eq(files(), 2);
}

static enum err begin(struct snapshots_job **ret_job)
{
	struct snapshots_upload *u;
	enum err e = snapshots_receive(snapshots, "a", &u);

	if (e)
		return e;
	e = snapshots_write(u, "x", 1);
	if (!e)
		e = snapshots_finish(u, NULL, ret_job);
	if (e)
		snapshots_abort(u);
	return e;
}

Test(snapshots_memory, what_cannot_begin_leaves_nothing_under_way)
{
	struct snapshots_job *job = NULL;
	bool failed = true;

	for (long n = 0; failed; n++) {
		enum err e;

		failing_arm(n);
		e = begin(&job);
		failed = failing_disarm();
		/* A thread that finds none says that there are too many. */
		cr_assert(failed ? e == ERR_NO_MEMORY || e == ERR_SYSTEM : e == ERR_OK, "%s",
			err_text(e));
		if (failed)
			cr_assert_eq(files(), 0);
	}
	snapshots_job_release(job);
	failed = true;
	for (long n = 0; failed; n++) {
		struct snapshots *other;
		enum err e;

		failing_arm(n);
		e = snapshots_open(directory, &other);
		failed = failing_disarm();
		/* The C library may do without. */
		cr_assert(e == ERR_OK || (failed && e == ERR_NO_MEMORY), "%s", err_text(e));
		if (!e)
			snapshots_close(other);
	}
}

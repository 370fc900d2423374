/*
 * Every write, sync and truncation that a commit makes fails once, with each errno a disk may give.
 * A layer between SQLite and the system injects them, so it needs no special file system or user.
 */
#include <criterion/criterion.h>
#include <sqlite3.h>

#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

static long calls_left = -1; /* until the failures begin; -1 for never */
static long failures_left;
static int fault;
static long failures;

static bool fails_now(void)
{
	if (calls_left < 0)
		return false;
	if (calls_left > 0) {
		calls_left--;
		return false;
	}
	if (!failures_left)
		return false;
	failures_left--;
	failures++;
	errno = fault;
	return true;
}

/* ---- a file that passes everything on, except what shall fail ------------------------------- */

/* The database locks and shares memory, its logs do not, so they have different methods: [1], [0].
 */
static sqlite3_io_methods methods[2];
static const sqlite3_io_methods *reals[2];

static const sqlite3_io_methods *real_of(sqlite3_file *f)
{
	return reals[f->pMethods == &methods[1]];
}

static int failing_write(sqlite3_file *f, const void *bytes, int count, sqlite3_int64 at)
{
	if (!fails_now())
		return real_of(f)->xWrite(f, bytes, count, at);
	return fault == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int failing_sync(sqlite3_file *f, int flags)
{
	return fails_now() ? SQLITE_IOERR_FSYNC : real_of(f)->xSync(f, flags);
}

static int failing_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return fails_now() ? SQLITE_IOERR_TRUNCATE : real_of(f)->xTruncate(f, size);
}

static int failing_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return fails_now() ? SQLITE_IOERR_SHMMAP : real_of(f)->xShmMap(f, page, size, extend, ret);
}

static int control(sqlite3_file *f, int what, void *argument)
{
	if (what != SQLITE_FCNTL_LAST_ERRNO)
		return real_of(f)->xFileControl(f, what, argument);
	*(int *)argument = fault;
	return SQLITE_OK;
}

static sqlite3_vfs layer, *beneath;

static int open_layer(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	int code = beneath->xOpen(beneath, name, f, flags, ret_flags);
	int i = (flags & SQLITE_OPEN_MAIN_DB) != 0;

	(void)v;
	if (code || !f->pMethods)
		return code;
	reals[i] = f->pMethods;
	methods[i] = *reals[i];
	methods[i].xWrite = failing_write;
	methods[i].xSync = failing_sync;
	methods[i].xTruncate = failing_truncate;
	methods[i].xFileControl = control;
	if (reals[i]->xShmMap)
		methods[i].xShmMap = failing_map;
	f->pMethods = &methods[i];
	return code;
}

static int last_error(sqlite3_vfs *v, int length, char *text)
{
	(void)v;
	(void)length;
	(void)text;
	return fault;
}

static char *directory;

static void set_up(void)
{
	directory = make_directory();
	beneath = sqlite3_vfs_find(NULL);
	layer = *beneath;
	layer.zName = "faults";
	layer.xOpen = open_layer;
	layer.xGetLastError = last_error;
	MUST(!sqlite3_vfs_register(&layer, 1));
}

static void tear_down(void)
{
	remove_directory(directory);
}

TestSuite(sqlite_faults, .init = set_up, .fini = tear_down);

/* The n-th call and the `times - 1` after it fail; true when the commit did not reach it any more.
 */
static bool commit_with_fault(
	const char *file, long n, long times, int error, enum err wanted, uint64_t *number)
{
	struct store_batch b = {0};
	struct store s;
	enum err e;

	cr_assert_eq(sqlite_open(file, &s, NULL), ERR_OK);
	numbered_batch(&b, *number + 1, 9000);
	/*
	 * An origin that the store has not met: its number must be forgotten with the failed
	 * commit. Otherwise the next one leaves a gap in the file, and the opening below refuses
	 * that.
	 */
	MUST(!batch_drop(&b, dot_of(*number + 1000, 1)));
	failures = 0;
	calls_left = n;
	failures_left = times;
	fault = error;
	e = commit_one(s, &b);
	calls_left = -1;
	/* What fails after the commit was durable is only the tidying up of the log. */
	cr_assert(e == wanted || e == ERR_OK, "n %ld: %s", n, err_text(e));
	cr_assert(e == ERR_OK || failures);
	cr_assert_eq(numbered_state(s), e ? *number : *number + 1);
	MUST(!batch_drop(&b, dot_of(*number + 100000, 1)));
	if (e)
		cr_assert_eq(commit_one(s, &b), ERR_OK, "n %ld: the retry", n);
	++*number;
	cr_assert_eq(numbered_state(s), *number);
	store_close(s);
	cr_assert_eq(sqlite_open(file, &s, NULL), ERR_OK);
	cr_assert_eq(numbered_state(s), *number);
	store_close(s);
	batch_fini(&b);
	return !failures;
}

Test(sqlite_faults, each_failing_call_leaves_the_previous_commit_and_a_retry_succeeds)
{
	static const struct {
		int error;
		enum err wanted;
	} rows[] = {
		{ENOSPC, ERR_STORAGE_FULL},
		{EDQUOT, ERR_STORAGE_FULL},
		{EROFS, ERR_STORAGE_READ_ONLY},
		{EACCES, ERR_STORAGE_READ_ONLY},
		{EIO, ERR_IO},
	};
	const char *file = path_in(directory, SQLITE_FILE);
	uint64_t number = 0;
	char name[8192];

	(void)snprintf(name, sizeof name, "%s", file);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (long times = 1; times < 100; times += 98) {
			enum err wanted = rows[i].wanted;
			long n = 0;

			while (!commit_with_fault(name, n, times, rows[i].error, wanted, &number))
				n++;
			cr_assert_gt(n, 4, "so few calls cannot have been all");
		}
}

Test(sqlite_faults, a_file_that_could_not_be_made_can_be_made_later)
{
	bool reached = true;

	for (long n = 0; reached; n++) {
		char name[64];
		struct store s;
		enum err e;

		(void)snprintf(name, sizeof name, "%ld.db", n);
		failures = 0;
		calls_left = n;
		failures_left = 1;
		fault = ENOSPC;
		e = sqlite_open(path_in(directory, name), &s, NULL);
		calls_left = -1;
		reached = failures;
		cr_assert(reached || n > 4);
		cr_assert(e == ERR_OK || (reached && e == ERR_STORAGE_FULL) || e == ERR_IO,
			"n %ld: %s", n, err_text(e));
		if (e)
			cr_assert_eq(sqlite_open(path_in(directory, name), &s, NULL), ERR_OK);
		cr_assert_eq(numbered_state(s), 0);
		store_close(s);
	}
}

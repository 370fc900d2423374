/*
 * A process that commits in a loop, and one that makes snapshots beside that, are killed at a
 * random moment, a hundred times on one file.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "storage/snapshots.h"
#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

#define KILLS 100

/* Shared with the child: the number of the last commit that returned OK. */
static volatile uint64_t *answered;
static char *directory;
static const char *file;

static void set_up(void)
{
	directory = make_directory();
	file = strdup(path_in(directory, SQLITE_FILE));
	answered = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(answered != MAP_FAILED);
}

static void tear_down(void)
{
	remove_directory(directory);
	free((char *)file);
}

TestSuite(sqlite_kill, .init = set_up, .fini = tear_down, .timeout = 100);

static void commit(struct store s, uint64_t n, size_t value_length)
{
	struct store_batch b = {0};

	numbered_batch(&b, n, value_length);
	MUST(!commit_one(s, &b));
	*answered = n;
	batch_fini(&b);
}

static void commit_for_ever(uint64_t n)
{
	struct store s;

	MUST(!sqlite_open(file, &s, NULL));
	for (n++;; n++)
		commit(s, n, (size_t)(n % 4) * 3000);
}

static void ignore(void *data, struct snapshots_job *job)
{
	(void)data;
	(void)job;
}

/* Commits go on while each is made. */
static void make_snapshots_for_ever(uint64_t n)
{
	struct snapshots *snapshots;
	struct snapshots_job *job;
	struct store s;
	char id[32];

	MUST(!sqlite_open(file, &s, NULL) && !snapshots_open(directory, &snapshots));
	for (;;) {
		enum err e = ERR_OK;

		snprintf(id, sizeof id, "at-%llu", (unsigned long long)n);
		MUST(!snapshots_create(snapshots, id, &job));
		while (!snapshots_job_done(job, &e)) {
			n++;
			commit(s, n, (size_t)(n % 4) * 3000);
			snapshots_collect(snapshots, ignore, NULL);
		}
		MUST(!e);
		snapshots_job_release(job);
		MUST(!snapshots_delete(snapshots, id) || n % 3);
	}
}

/* Waits until the child has committed something, then for a random part of some milliseconds. */
static void wait_for_progress(uint64_t before, unsigned *seed)
{
	struct timespec moment = {0, 200000};

	for (int i = 0; *answered == before; i++) {
		MUST(i < 50000);
		(void)nanosleep(&moment, NULL);
	}
	moment.tv_nsec = rand_r(seed) % 20000000;
	(void)nanosleep(&moment, NULL);
}

/* One life of a child: at its end the store opens and holds what was answered, or one more. */
static uint64_t live_and_die(void (*live)(uint64_t n), uint64_t state, unsigned *seed)
{
	struct store s;
	int status;
	pid_t child = fork();

	MUST(child >= 0);
	if (!child)
		live(state);
	wait_for_progress(state, seed);
	MUST(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cr_assert_eq(sqlite_open(file, &s, NULL), ERR_OK);
	state = numbered_state(s);
	cr_assert(state == *answered || state == *answered + 1, "%llu answered, %llu stored",
		(unsigned long long)*answered, (unsigned long long)state);
	*answered = state;
	store_close(s);
	return state;
}

Test(sqlite_kill, leaves_the_last_answered_commit_or_the_one_after_it)
{
	unsigned seed = 118;
	uint64_t state = 0;

	for (int i = 0; i < KILLS; i++)
		state = live_and_die(commit_for_ever, state, &seed);
	cr_assert_gt(state, KILLS);
}

/* In the folder of snapshots. A name that begins with a dot is of one that was under way. */
static int files(bool hidden)
{
	DIR *dir = opendir(path_in(directory, SNAPSHOTS_DIRECTORY));
	struct dirent *item;
	int count = hidden ? -2 : 0;

	MUST(dir);
	while ((item = readdir(dir)))
		count += (item->d_name[0] == '.') == hidden;
	closedir(dir);
	return count;
}

/* All that the next life lists is whole; then it goes. */
static void check_snapshots(uint64_t state)
{
	struct snapshots *snapshots;

	cr_assert_eq(snapshots_open(directory, &snapshots), ERR_OK);
	cr_assert_eq(files(true), 0);
	while (snapshots_count(snapshots)) {
		char id[SNAPSHOT_ID_SIZE], path[4096];
		struct store s;

		strcpy(id, snapshots_at(snapshots, 0)->id);
		snprintf(path, sizeof path, "%s/%s/%s.db", directory, SNAPSHOTS_DIRECTORY, id);
		cr_assert_eq(sqlite_open_snapshot(path, &s), ERR_OK, "%s", id);
		cr_assert_leq(numbered_state(s), state);
		store_close(s);
		cr_assert_eq(snapshots_delete(snapshots, id), ERR_OK);
	}
	snapshots_close(snapshots);
	cr_assert_eq(files(false), 0);
}

Test(sqlite_kill, leaves_whole_snapshots_and_the_same_store_when_one_is_being_made)
{
	unsigned seed = 1180;
	uint64_t state = 1;
	struct store s;
	int in_the_middle = 0;

	/* Large enough for most kills to fall into a copy. */
	MUST(!sqlite_open(file, &s, NULL));
	commit(s, 1, (size_t)4 << 20);
	store_close(s);
	for (int i = 0; i < KILLS; i++) {
		state = live_and_die(make_snapshots_for_ever, state, &seed);
		in_the_middle += files(true) > 0;
		check_snapshots(state);
	}
	cr_assert_gt(in_the_middle, KILLS / 4);
}

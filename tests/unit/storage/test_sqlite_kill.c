/* A process that commits in a loop is killed at a random moment, thirty times on one file. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "storage/sqlite.h"
#include "tests/unit/storage/support.h"

#define KILLS 30

/* Shared with the child: the number of the last commit that returned OK. */
static volatile uint64_t *answered;

static void commit_for_ever(const char *file, uint64_t n)
{
	struct store s;

	MUST(!sqlite_open(file, &s, NULL));
	for (;;) {
		struct store_batch b = {0};

		n++;
		numbered_batch(&b, n, (size_t)(n % 4) * 3000);
		MUST(!commit_one(s, &b));
		*answered = n;
		batch_fini(&b);
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

Test(sqlite_kill, leaves_the_last_answered_commit_or_the_one_after_it, .timeout = 100)
{
	char *directory = make_directory();
	char *file = strdup(path_in(directory, SQLITE_FILE));
	unsigned seed = 118;
	uint64_t state = 0;

	answered = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(answered != MAP_FAILED);
	for (int i = 0; i < KILLS; i++) {
		struct store s;
		int status;
		pid_t child = fork();

		MUST(child >= 0);
		if (!child)
			commit_for_ever(file, state);
		wait_for_progress(state, &seed);
		MUST(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		cr_assert_eq(sqlite_open(file, &s, NULL), ERR_OK);
		state = numbered_state(s);
		cr_assert(state == *answered || state == *answered + 1,
			"%llu answered, %llu stored", (unsigned long long)*answered,
			(unsigned long long)state);
		*answered = state;
		store_close(s);
	}
	cr_assert_gt(state, KILLS);
	remove_directory(directory);
	free(file);
}

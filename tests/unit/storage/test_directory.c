#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "storage/directory.h"
#include "tests/unit/storage/support.h"

static char *base;
static const char *path;
static struct store_problem problem;

static void set_up(void)
{
	base = make_directory();
	path = strdup(path_in(base, "state/horde"));
}

static void tear_down(void)
{
	remove_directory(base);
	free((char *)path);
}

TestSuite(directory, .init = set_up, .fini = tear_down);

static struct directory open_it(int wait_ms)
{
	struct directory d;
	enum err e = directory_open(path, wait_ms, &d, &problem);

	cr_assert_eq(e, ERR_OK, "%s: %s", err_text(e), problem.detail);
	return d;
}

Test(directory, is_made_with_its_parents_for_its_owner_only)
{
	struct directory d = open_it(0);
	struct stat status;

	MUST(!stat(path, &status));
	cr_assert_eq(status.st_mode & 07777, 0700);
	MUST(!stat(path_in(base, "state"), &status));
	cr_assert_eq(status.st_mode & 07777, 0700);
	MUST(!stat(path_in(path, "node_id"), &status));
	cr_assert_eq(status.st_mode & 07777, 0600);
	directory_close(&d);
}

Test(directory, an_existing_ones_mode_is_left_alone)
{
	struct stat status;
	struct directory d;

	MUST(!chmod(base, 0755));
	cr_assert_eq(directory_open(base, 0, &d, NULL), ERR_OK);
	MUST(!stat(base, &status));
	cr_assert_eq(status.st_mode & 07777, 0755);
	directory_close(&d);
}

Test(directory, the_node_id_is_drawn_once)
{
	struct directory d = open_it(0), other;
	char id[DIRECTORY_NODE_ID_SIZE];

	cr_assert_eq(strlen(d.node_id), 32);
	cr_assert_eq(strspn(d.node_id, "0123456789abcdef"), 32);
	strcpy(id, d.node_id);
	directory_close(&d);
	d = open_it(0);
	cr_assert_str_eq(d.node_id, id);
	cr_assert_eq(directory_open(base, 0, &other, NULL), ERR_OK);
	cr_assert_str_neq(other.node_id, id);
	directory_close(&other);
	directory_close(&d);
}

Test(directory, a_damaged_node_id_is_refused_and_kept)
{
	static const char *const damaged[] = {"", "\n", "0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0", "0123456789ABCDEF0123456789ABCDEF",
		"0123456789abcdef0123456789abcdef\n\n", "0123456789abcdef0123456789abcdeg",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"};
	struct directory d = open_it(0);
	char name[4400];

	(void)snprintf(name, sizeof name, "%s", path_in(path, "node_id"));
	directory_close(&d);
	for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
		size_t length;
		char *kept;

		write_whole(name, damaged[i], strlen(damaged[i]));
		cr_assert_eq(directory_open(path, 0, &d, &problem), ERR_STORAGE_CORRUPT);
		cr_assert_not_null(strstr(problem.detail, name));
		kept = read_whole(name, &length);
		cr_assert_str_eq(kept, damaged[i]);
		free(kept);
	}
	/* The refusals kept no lock, and an id put back by hand may lack its newline. */
	write_whole(name, "0123456789abcdef0123456789abcdef", 32);
	d = open_it(0);
	cr_assert_str_eq(d.node_id, "0123456789abcdef0123456789abcdef");
	directory_close(&d);
}

Test(directory, a_second_lock_is_refused_and_the_holder_named)
{
	struct directory d = open_it(0), second;
	char pid[32];

	cr_assert_eq(directory_open(path, 0, &second, &problem), ERR_LOCKED);
	(void)snprintf(pid, sizeof pid, "pid: %d)", (int)getpid());
	cr_assert_not_null(strstr(problem.detail, pid), "%s", problem.detail);
	cr_assert_not_null(strstr(problem.detail, path));
	cr_assert_eq(directory_open(path, 30, &second, NULL), ERR_LOCKED);
	directory_close(&d);
	d = open_it(0);
	directory_close(&d);
}

/* A forked guardian: it holds the lock after its daemon has closed it, until it ends itself. */
static pid_t fork_holder(const struct directory *d, int *ret_end)
{
	int ends[2];
	char byte;
	pid_t child;

	MUST(d->lock_fd >= 0 && !pipe(ends));
	child = fork();
	MUST(child >= 0);
	if (!child) {
		(void)close(ends[1]);
		while (read(ends[0], &byte, 1) > 0)
			;
		_exit(0);
	}
	(void)close(ends[0]);
	*ret_end = ends[1];
	return child;
}

Test(directory, the_lock_lasts_as_long_as_a_forked_holder)
{
	struct directory d = open_it(0);
	int end, status;
	pid_t holder = fork_holder(&d, &end);

	directory_close(&d);
	cr_assert_eq(directory_open(path, 0, &d, NULL), ERR_LOCKED);
	(void)close(end);
	/* It is going away now, so waiting for it succeeds. */
	d = open_it(10000);
	MUST(waitpid(holder, &status, 0) == holder);
	directory_close(&d);
}

Test(directory, an_executed_program_does_not_hold_the_lock)
{
	struct directory d = open_it(0);
	int ends[2], status;
	pid_t child;
	char byte;

	MUST(!pipe(ends));
	child = fork();
	MUST(child >= 0);
	if (!child) {
		MUST(dup2(ends[1], 1) == 1 && !close(ends[0]) && !close(ends[1]));
		execl("/bin/sh", "sh", "-c", "echo; exec sleep 60", (char *)NULL);
		_exit(127);
	}
	MUST(read(ends[0], &byte, 1) == 1);
	directory_close(&d);
	d = open_it(0);
	directory_close(&d);
	MUST(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
}

Test(directory, the_url_appears_whole_and_goes_with_the_daemon)
{
	struct directory d = open_it(0);
	size_t length;
	char *url;

	cr_assert_eq(directory_write_url(&d, "http://127.0.0.1:1"), ERR_OK);
	cr_assert_eq(directory_write_url(&d, "http://127.0.0.1:47500"), ERR_OK);
	url = read_whole(path_in(path, "url"), &length);
	cr_assert_str_eq(url, "http://127.0.0.1:47500\n");
	free(url);
	cr_assert(access(path_in(path, ".url.tmp"), F_OK));
	directory_close(&d);
	cr_assert(access(path_in(path, "url"), F_OK));
	write_whole(path_in(path, "url"), "stale", 5);
	d = open_it(0);
	cr_assert(access(path_in(path, "url"), F_OK));
	directory_close(&d);
}

Test(directory, says_why_it_cannot_be_opened)
{
	struct directory d;
	char *endless = malloc(5000);

	MUST(endless);
	memset(endless, 'a', 4999);
	endless[4999] = 0;
	cr_assert_eq(directory_open(endless, 0, &d, &problem), ERR_LIMIT);
	cr_assert_eq(directory_open("", 0, &d, &problem), ERR_LIMIT);
	write_whole(path_in(base, "file"), "x", 1);
	cr_assert_eq(directory_open(path_in(base, "file"), 0, &d, &problem), ERR_IO);
	cr_assert_not_null(strstr(problem.detail, "file"));
	cr_assert_eq(directory_open(path_in(base, "file/in"), 0, &d, &problem), ERR_IO);
	cr_assert_eq(directory_open("/proc/nowhere", 0, &d, &problem), ERR_IO);
	free(endless);
}

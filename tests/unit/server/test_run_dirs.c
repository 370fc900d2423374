/* Each process has a directory of its own, empty at its start, and nothing of it stays. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/run_dirs.h"

#define OWN 3 /* entries of run/: .gone, .reasons, .spare */

static char dir[64];
static struct run_dirs *dirs;
static char path[PATH_MAX];

static void set_up(void)
{
	strcpy(dir, "/tmp/horde-run-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(run_dirs_open(dir, &dirs), ERR_OK);
}

static void tear_down(void)
{
	char command[128];

	run_dirs_close(dirs);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(run_dirs, .init = set_up, .fini = tear_down, .timeout = 60);

static void make(const char *ref)
{
	cr_assert_eq(run_dir_make(dirs, ref, RUN_DIR_SAME, RUN_DIR_SAME, path), ERR_OK);
}

/* Below the data directory. */
static const char *at(const char *below)
{
	static char text[PATH_MAX];

	snprintf(text, sizeof text, "%s/%s", dir, below);
	return text;
}

/* Within the directory that was made last. */
static const char *in(const char *below)
{
	static char text[2 * PATH_MAX];

	snprintf(text, sizeof text, "%s/%s", path, below);
	return text;
}

static void put(const char *where, const char *what)
{
	FILE *f = fopen(where, "we");

	cr_assert(f, "%s: %s", where, strerror(errno));
	fputs(what, f);
	fclose(f);
}

static const char *content(const char *where)
{
	static char text[256];
	FILE *f = fopen(where, "re");
	size_t bytes = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (!f)
		return "absent";
	fclose(f);
	text[bytes] = '\0';
	return text;
}

static int entries(const char *where)
{
	DIR *d = opendir(where);
	struct dirent *e;
	int count = 0;

	if (!d)
		return -1;
	while ((e = readdir(d)))
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return count;
}

/* How many sweeps it takes until nothing is left; fails when something stays. */
static int sweep_all(void)
{
	int sweeps = 0;

	while (run_dirs_sweep(dirs))
		cr_assert_lt(++sweeps, 10000);
	cr_assert_eq(entries(at("run/.gone")), 0);
	return sweeps;
}

Test(run_dirs, it_is_made_empty_and_for_its_owner_alone)
{
	struct stat s;

	make("team/web");
	cr_assert_eq(path[0], '/');
	cr_assert_eq(lstat(at("run/team/web"), &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0700);
	cr_assert_eq(entries(path), 0);
	cr_assert_eq(lstat(at("run/team"), &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0711, "others may pass, and not look");
}

Test(run_dirs, each_start_finds_it_empty)
{
	make("default/web");
	put(in("a"), "x");
	cr_assert_eq(mkdir(in("b"), 0700), 0);
	put(in("b/c"), "x");
	make("default/web");
	cr_assert_eq(entries(path), 0);
	sweep_all();
}

Test(run_dirs, it_goes_with_its_process_and_so_does_its_supervisor_s)
{
	make("default/web");
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_DELETED), ERR_OK);
	make("default/other");
	run_dir_drop(dirs, "default/web");
	cr_assert_eq(entries(at("run/default")), 1);
	run_dir_drop(dirs, "default/other");
	cr_assert_eq(entries(at("run")), OWN, "nothing of a child");
	run_dir_drop(dirs, "default/other");
	run_dir_drop(dirs, "nobody/knows");
	cr_assert_eq(entries(at("run/.gone")), 0, "nothing was put away");
}

Test(run_dirs, the_reason_is_one_line_and_replaces_the_one_before)
{
	struct stat s;

	make("default/web");
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_RESTART), ERR_OK);
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_DELETED), ERR_OK);
	cr_assert_str_eq(content(in("stop_reason")), "deleted\n");
	cr_assert_eq(entries(path), 1);
	cr_assert_eq(stat(in("stop_reason"), &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0444);
	for (enum stop_reason why = 0; why < STOP_REASON_COUNT; why++) {
		char line[64];

		snprintf(line, sizeof line, "%s\n", stop_reason_name(why));
		cr_assert_eq(run_dir_tell(dirs, "default/web", why), ERR_OK);
		cr_assert_str_eq(content(in("stop_reason")), line);
	}
}

Test(run_dirs, what_a_process_makes_of_its_reason_is_not_told_to_another)
{
	make("default/web");
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_DELETED), ERR_OK);
	cr_assert_eq(chmod(in("stop_reason"), 0666), 0);
	put(in("stop_reason"), "something else");
	make("default/other");
	cr_assert_eq(run_dir_tell(dirs, "default/other", STOP_DELETED), ERR_OK);
	cr_assert_str_eq(content(in("stop_reason")), "deleted\n");
	cr_assert_eq(unlink(in("stop_reason")), 0);
	put(in("stop_reason"), "its own");
	cr_assert_eq(run_dir_tell(dirs, "default/other", STOP_DELETED), ERR_OK);
	cr_assert_str_eq(content(in("stop_reason")), "deleted\n");
}

Test(run_dirs, a_reason_has_as_many_readers_as_there_are)
{
	char name[32];

	make("default/web");
	for (int i = 0; i < 66000; i++) { /* ext4 gives a file 65000 names */
		cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_DELETED), ERR_OK, "%d: %s", i,
			strerror(errno));
		snprintf(name, sizeof name, "%d", i);
		cr_assert_eq(renameat(AT_FDCWD, in("stop_reason"), AT_FDCWD, at(name)), 0);
	}
	cr_assert_str_eq(content(at("65999")), "deleted\n");
}

Test(run_dirs, one_that_was_left_empty_serves_the_next_process_of_its_owner)
{
	struct stat first, next;

	make("default/web");
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_RESTART), ERR_OK);
	cr_assert_eq(stat(path, &first), 0);
	make("default/web");
	cr_assert_eq(stat(path, &next), 0);
	cr_assert_eq(first.st_ino, next.st_ino);
	cr_assert_eq(entries(path), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	make("default/web");
	cr_assert_eq(stat(path, &next), 0);
	cr_assert_eq(next.st_mode & 07777, 0700);
}

Test(run_dirs, no_link_leads_out_of_it)
{
	char victim[96];

	snprintf(victim, sizeof victim, "%s/victim", dir);
	put(victim, "mine");
	make("default/web");
	cr_assert_eq(symlink(victim, in("stop_reason")), 0);
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_DELETED), ERR_OK);
	cr_assert_str_eq(content(victim), "mine");
	cr_assert_str_eq(content(in("stop_reason")), "deleted\n");
	cr_assert_eq(unlink(in("stop_reason")), 0);
	cr_assert_eq(symlink(victim, in("file")), 0);
	cr_assert_eq(symlink(dir, in("folder")), 0);
	run_dir_drop(dirs, "default/web");
	sweep_all();
	cr_assert_str_eq(content(victim), "mine");
}

Test(run_dirs, one_that_is_a_link_itself_is_not_followed)
{
	char other[96];

	snprintf(other, sizeof other, "%s/other", dir);
	cr_assert_eq(mkdir(other, 0700), 0);
	make("default/web");
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(symlink(other, path), 0);
	cr_assert_eq(run_dir_tell(dirs, "default/web", STOP_DELETED), ERR_SYSTEM);
	run_dir_drop(dirs, "default/web");
	cr_assert_eq(entries(other), 0);
	make("default/web");
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(symlink(other, path), 0);
	make("default/web");
	cr_assert_eq(entries(path), 0);
	put(in("a"), "x");
	cr_assert_eq(entries(other), 0);
}

Test(run_dirs, a_name_that_leads_elsewhere_is_refused)
{
	static const char *const bad[] = {
		"a", "", "/a", "a/", "../a", "a/..", "a/.b", ".a/b", "a/b/c", "./b"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_expect_eq(run_dir_make(dirs, bad[i], RUN_DIR_SAME, RUN_DIR_SAME, path),
			ERR_MALFORMED, "%s", bad[i]);
		cr_expect_eq(run_dir_tell(dirs, bad[i], STOP_DELETED), ERR_MALFORMED);
		run_dir_drop(dirs, bad[i]);
	}
	cr_assert_eq(entries(at("run")), OWN);
}

Test(run_dirs, many_files_are_removed_a_few_at_a_time)
{
	char name[32];
	int sweeps;

	sweep_all();
	make("default/web");
	for (int i = 0; i < 3 * RUN_DIRS_SWEEP_MAX; i++) {
		snprintf(name, sizeof name, "f%d", i);
		put(in(name), "");
	}
	run_dir_drop(dirs, "default/web");
	cr_assert_eq(entries(at("run")), OWN, "out of sight at once");
	sweeps = sweep_all();
	cr_assert(sweeps >= 3 && sweeps <= 5, "%d", sweeps);
}

Test(run_dirs, a_deep_tree_goes_too)
{
	char command[PATH_MAX + 200];

	make("default/web");
	snprintf(command, sizeof command,
		"cd '%s' && for i in $(seq 300); do mkdir a b && cd b && mkdir c && echo >c/f; "
		"done",
		path);
	cr_assert_eq(system(command), 0);
	run_dir_drop(dirs, "default/web");
	cr_assert_gt(sweep_all(), 1);
}

/* As a user to whom modes mean something; the exit status of `body`. */
static int as_nobody(void (*body)(void))
{
	int status;
	pid_t pid;

	cr_assert_eq(chmod(dir, 0777), 0);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(99);
		body();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void locked(void)
{
	char data[96];

	snprintf(data, sizeof data, "%s/data", dir);
	if (mkdir(data, 0700) < 0 || run_dirs_open(data, &dirs) != ERR_OK ||
		run_dir_make(dirs, "default/web", RUN_DIR_SAME, RUN_DIR_SAME, path) != ERR_OK)
		_exit(1);
	mkdir(in("a"), 0700);
	mkdir(in("a/b"), 0700);
	put(in("a/b/c"), "x");
	put(in("a/d"), "x");
	chmod(in("a/b"), 0);
	chmod(in("a"), 0500);
	chmod(path, 0);
	run_dir_drop(dirs, "default/web");
	for (int i = 0; i < 100 && run_dirs_sweep(dirs); i++)
		;
	if (entries(at("data/run")) != OWN || entries(at("data/run/.gone")) != 0)
		_exit(2);
}

Test(run_dirs, what_was_locked_by_its_owner_goes_too)
{
	cr_assert_eq(as_nobody(locked), 0);
}

Test(run_dirs, what_an_earlier_life_has_left_is_removed)
{
	make("default/a");
	put(in("f"), "x");
	make("team/b");
	make("team/c");
	put(in("f"), "x");
	run_dir_drop(dirs, "team/c"); /* into .gone */
	run_dirs_close(dirs);
	dirs = NULL;
	cr_assert_eq(run_dirs_open(dir, &dirs), ERR_OK);
	cr_assert_eq(entries(at("run")), OWN);
	make("default/a");
	cr_assert_eq(entries(path), 0);
	sweep_all();
	cr_assert_eq(entries(at("run/default")), 1);
}

Test(run_dirs, it_is_given_to_its_user)
{
	struct stat s;

	if (geteuid() != 0)
		cr_skip_test("only root may give away");
	cr_assert_eq(run_dir_make(dirs, "default/web", 65534, 65533, path), ERR_OK);
	cr_assert_eq(lstat(path, &s), 0);
	cr_assert_eq(s.st_uid, 65534);
	cr_assert_eq(s.st_gid, 65533);
	cr_assert_eq(s.st_mode & 07777, 0700);
}

static void stubborn(void)
{
	char data[96];

	snprintf(data, sizeof data, "%s/data", dir);
	if (run_dirs_open(data, &dirs) != ERR_OK)
		_exit(1);
	for (int i = 0; run_dirs_sweep(dirs); i++)
		if (i == 100)
			_exit(2); /* it never rests */
	if (run_dir_make(dirs, "default/web", RUN_DIR_SAME, RUN_DIR_SAME, path) != ERR_OK)
		_exit(3);
	run_dir_drop(dirs, "default/web");
	_exit(entries(at("data/run/.gone")) == 1 ? 0 : 4);
}

static bool is_spare(unsigned number)
{
	char name[32];

	snprintf(name, sizeof name, "run/.spare/%u", number);
	return access(at(name), F_OK) == 0;
}

Test(run_dirs, some_are_made_ahead_and_taken)
{
	struct stat s;

	sweep_all();
	cr_assert_eq(entries(at("run/.spare")), RUN_DIRS_SPARES_MIN);
	make("default/web");
	cr_assert_eq(entries(at("run/.spare")), RUN_DIRS_SPARES_MIN - 2, "its supervisor's too");
	cr_assert_eq(entries(path), 0);
	cr_assert_eq(stat(path, &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0700);
	cr_assert_eq(stat(at("run/default"), &s), 0);
	cr_assert_eq(s.st_mode & 07777, 0711);
	cr_assert_not(run_dirs_sweep(dirs), "that was at the start only");
	run_dir_drop(dirs, "default/web");
	cr_assert_eq(entries(at("run/.spare")), RUN_DIRS_SPARES_MIN);
	cr_assert_eq(entries(at("run")), OWN);
}

Test(run_dirs, those_that_are_spare_are_of_use_to_the_next_life)
{
	sweep_all();
	make("default/web");
	run_dirs_close(dirs);
	cr_assert_eq(run_dirs_open(dir, &dirs), ERR_OK);
	sweep_all();
	make("default/web");
	make("default/other");
	cr_assert(is_spare(0) && !is_spare(RUN_DIRS_SPARES_MIN - 1));
}

Test(run_dirs, one_that_somebody_has_put_something_into_is_not_spare)
{
	sweep_all();
	cr_assert_eq(rmdir(at("run/.spare/63")), 0);
	put(at("run/.spare/63"), "a file in a directory's place");
	put(at("run/.spare/62/f"), "x");
	put(at("run/.spare/61/f"), "x");
	make("default/web");
	cr_assert_eq(entries(path), 0);
	cr_assert_eq(entries(at("run/default")), 1);
	cr_assert(is_spare(57));
}

Test(run_dirs, no_more_are_kept_than_are_of_use)
{
	char ref[32];

	for (int i = 0; i < RUN_DIRS_SPARES_MAX + 10; i++) {
		snprintf(ref, sizeof ref, "default/%d", i);
		make(ref);
	}
	for (int i = 0; i < RUN_DIRS_SPARES_MAX + 10; i++) {
		snprintf(ref, sizeof ref, "default/%d", i);
		run_dir_drop(dirs, ref);
	}
	cr_assert_eq(entries(at("run/.spare")), RUN_DIRS_SPARES_MAX);
	cr_assert_eq(entries(at("run")), OWN);
	for (int i = 0; i < RUN_DIRS_SPARES_MAX + 10; i++) {
		snprintf(ref, sizeof ref, "default/%d", i);
		make(ref);
	}
	cr_assert_eq(entries(at("run/.spare")), 0);
}

Test(run_dirs, what_cannot_be_removed_is_left_alone)
{
	char command[512];

	if (geteuid() != 0)
		cr_skip_test("only root has what others cannot remove");
	snprintf(command, sizeof command,
		"cd '%s' && mkdir -p data/run/.gone/1 && echo >data/run/.gone/1/f && "
		"chown 65534 data data/run data/run/.gone",
		dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(as_nobody(stubborn), 0);
}

Test(run_dirs, without_a_place_there_is_none)
{
	struct run_dirs *none = NULL;

	cr_assert_eq(run_dirs_open(at("nowhere"), &none), ERR_SYSTEM);
	cr_assert_null(none);
	cr_assert_eq(run_dir_make(none, "a/b", RUN_DIR_SAME, RUN_DIR_SAME, path), ERR_SYSTEM);
	cr_assert_eq(run_dir_tell(none, "a/b", STOP_DELETED), ERR_SYSTEM);
	run_dir_drop(none, "a/b");
	cr_assert_not(run_dirs_sweep(none));
	run_dirs_close(none);
}

/*
 * The daemon's side, with a real guardian: this program executed anew. The violent tests fork a
 * daemon of their own and kill it, or kill its guardian.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/guardian.h"
#include "server/loop.h"
#include "server/log_read.h"
#include "server/processes.h"

#define PATIENCE_MS 20000
#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

/* The test runner has its own main(), so the guardian branches off before that. */
static __attribute__((constructor)) void become_guardian(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--guardian") == 0)
		_exit(guardian_main(argc, argv));
}

/* ---- a daemon ------------------------------------------------------------------------------ */

static struct loop *loop;
static struct processes *processes;
static char dir[64];

static struct seen {
	unsigned started, failed, exited, lost;
	int pid;
	int error;
	char step[32];
	char ref[64];
	uint64_t epoch;
	struct process_exit exit;
	char tail[PROCESSES_TAIL_BYTES];
} seen;

static bool respawn; /* start it again from inside `exited` */
static const char *script = "exec sleep 1000";

static enum err spawn(const char *ref, uint64_t epoch, const char *text)
{
	static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
	struct process_spec spec = {.argv = SHELL(text), .envp = envp};
	return processes_spawn(processes, ref, epoch, &spec);
}

static void on_started(void *data, const char *ref, uint64_t epoch, int pid)
{
	(void)data;
	(void)ref;
	seen.started++;
	seen.pid = pid;
	seen.epoch = epoch;
}

static void on_failed(
	void *data, const char *ref, uint64_t epoch, int errno_value, const char *step)
{
	(void)data;
	(void)ref;
	(void)epoch;
	seen.failed++;
	seen.error = errno_value;
	snprintf(seen.step, sizeof seen.step, "%s", step);
}

static void on_exited(void *data, const char *ref, uint64_t epoch, const struct process_exit *exit)
{
	(void)data;
	seen.exited++;
	seen.exit = *exit;
	if (exit->tail_bytes)
		memcpy(seen.tail, exit->tail, exit->tail_bytes);
	seen.epoch = epoch;
	snprintf(seen.ref, sizeof seen.ref, "%s", ref);
	if (respawn)
		cr_assert_eq(spawn(ref, epoch + 1, script), ERR_OK, "the ref is free again");
}

static void on_guardian_lost(void *data)
{
	(void)data;
	cr_assert_eq(seen.exited, 0, "said before the exits");
	seen.lost++;
}

static void start_daemon(void)
{
	static const struct processes_events events = {
		on_started, on_failed, on_exited, on_guardian_lost, NULL, NULL, NULL};
	cr_assert_eq(loop_new(&loop), ERR_OK);
	errno = 0;
	cr_assert_eq(processes_start(loop, "/proc/self/exe", dir, -1, -1, NULL, &events, &processes),
		ERR_OK, "%s", strerror(errno));
	cr_assert_eq(processes_await(processes), ERR_OK);
}

static void make_dir(void)
{
	strcpy(dir, "/tmp/horde-processes-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

static void set_up(void)
{
	make_dir();
	start_daemon();
}

static void tear_down(void)
{
	processes_free(processes);
	loop_free(loop);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no child process of the daemon is left");
	remove_dir();
}

TestSuite(processes, .init = set_up, .fini = tear_down, .timeout = 60);

static const unsigned *awaited;
static unsigned awaited_count;
static int64_t give_up_ms;

static int stop_when_reached(void *data)
{
	(void)data;
	if (*awaited >= awaited_count)
		loop_stop(loop);
	cr_assert_lt(loop_clock_ms(), give_up_ms, "waited in vain");
	return 100;
}

static void await(const unsigned *counter, unsigned count)
{
	awaited = counter;
	awaited_count = count;
	give_up_ms = loop_clock_ms() + PATIENCE_MS;
	loop_run(loop, stop_when_reached, NULL);
}

/* What a child printed to one stream, as it printed it. */
static char *log_text(const char *ref, const char *stream)
{
	static char text[4096];
	char folder[256];
	snprintf(folder, sizeof folder, "%s/%s", dir, ref);
	text[log_read_tail(folder, 0, stream, text, sizeof text - 1)] = 0;
	return text;
}

/* ---- one process --------------------------------------------------------------------------- */

Test(processes, a_process_starts_prints_into_its_logs_and_ends)
{
	cr_assert_eq(spawn("default/web", 3, "echo out; echo err >&2; exit 7"), ERR_OK);
	cr_assert_eq(processes_count(processes), 1);
	await(&seen.exited, 1);
	cr_assert_eq(seen.started, 1);
	cr_assert_str_eq(seen.ref, "default/web");
	cr_assert_eq(seen.epoch, 3);
	cr_assert_eq(seen.exit.pid, seen.pid);
	cr_assert_eq(seen.exit.code, 7);
	cr_assert_eq(seen.exit.signal, 0);
	cr_assert_not(seen.exit.guardian_lost);
	cr_assert_eq(processes_count(processes), 0);
	cr_assert_eq(seen.exit.tail_bytes, 4);
	cr_assert_eq(memcmp(seen.tail, "err\n", 4), 0);
	cr_assert_str_eq(log_text("default/web", "stdout"), "out\n");
	cr_assert_str_eq(log_text("default/web", "stderr"), "err\n");
	cr_assert_eq(processes_dropped_bytes(processes), 0);
}

Test(processes, a_ref_has_one_process_at_a_time_and_is_free_when_exited_is_called)
{
	respawn = true;
	cr_assert_eq(spawn("default/web", 1, "exit 1"), ERR_OK);
	cr_assert_eq(spawn("default/web", 2, "exit 1"), ERR_EXISTS);
	await(&seen.started, 2);
	respawn = false;
	cr_assert_eq(spawn("default/web", 3, "exit 1"), ERR_EXISTS);
	cr_assert_eq(processes_count(processes), 1);
}

Test(processes, a_failed_start_is_reported_once_and_frees_the_ref)
{
	struct process_spec spec = {.argv = (const char *const[]){"no-such-program", NULL}};
	for (unsigned i = 1; i <= 3; i++) {
		cr_assert_eq(processes_spawn(processes, "default/web", i, &spec), ERR_OK);
		await(&seen.failed, i);
		cr_assert_eq(seen.error, ENOENT);
		cr_assert_str_eq(seen.step, "exec");
	}
	spec.argv = (const char *const[]){"/bin/true", NULL};
	spec.cwd = "/no/such/folder";
	cr_assert_eq(processes_spawn(processes, "default/web", 4, &spec), ERR_OK);
	await(&seen.failed, 4);
	cr_assert_str_eq(seen.step, "chdir");
	cr_assert_eq(seen.started + seen.exited, 0);
	cr_assert_eq(processes_count(processes), 0);
}

Test(processes, what_cannot_be_a_process_is_refused)
{
	static char word[128 * 1024], *many[8] = {word, word, word, word, word};
	static char long_ref[500] = "default/";
	struct process_spec spec = {.argv = (const char *const[]){NULL}};
	memset(word, 'w', sizeof word - 1);
	memset(long_ref + 8, 'x', sizeof long_ref - 9);
	cr_assert_eq(processes_spawn(processes, "default/web", 1, &spec), ERR_MALFORMED);
	spec.argv = (const char *const *)many;
	cr_assert_eq(processes_spawn(processes, "default/web", 1, &spec), ERR_LIMIT);
	cr_assert_eq(spawn("default/../x", 1, "exit"), ERR_MALFORMED);
	cr_assert_eq(spawn(long_ref, 1, "exit"), ERR_MALFORMED);
	cr_assert_eq(processes_count(processes), 0);
}

Test(processes, stop_ends_a_stubborn_group_within_its_time_and_only_of_its_epoch)
{
	cr_assert_eq(spawn("default/web", 5, "trap '' TERM; echo up; sleep 1000"), ERR_OK);
	await(&seen.started, 1);
	cr_assert_eq(processes_stop(processes, "default/web", 4, SIGTERM, 0), ERR_NOT_FOUND);
	cr_assert_eq(processes_stop(processes, "default/db", 5, SIGTERM, 0), ERR_NOT_FOUND);
	cr_assert_eq(processes_stop(processes, "default/web", 5, SIGTERM, 200), ERR_OK);
	await(&seen.exited, 1);
	/* The shell may have been hit before it said `trap`; then it died of TERM. */
	cr_assert(seen.exit.signal == SIGKILL || seen.exit.signal == SIGTERM);
	cr_assert_eq(kill(-seen.exit.pid, 0), -1);
}

Test(processes, a_stop_asked_before_the_start_was_answered_holds)
{
	cr_assert_eq(spawn("default/web", 1, "exec sleep 1000"), ERR_OK);
	cr_assert_eq(processes_stop(processes, "default/web", 1, SIGTERM, 0), ERR_OK);
	await(&seen.exited, 1);
	cr_assert_eq(seen.started, 1);
	cr_assert_eq(seen.exit.signal, SIGKILL);
}

Test(processes, a_signal_reaches_the_process)
{
	cr_assert_eq(processes_signal(processes, "default/web", 1, SIGUSR1, false), ERR_NOT_FOUND);
	cr_assert_eq(spawn("default/web", 1, "exec sleep 1000"), ERR_OK);
	cr_assert_eq(processes_signal(processes, "default/web", 1, SIGUSR1, false), ERR_OK);
	await(&seen.exited, 1);
	cr_assert_eq(seen.exit.signal, SIGUSR1);
}

Test(processes, a_flood_of_output_is_capped_and_does_not_stop_the_loop)
{
	static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
	struct process_spec spec = {.argv = SHELL("exec yes"),
		.envp = envp,
		.log_bytes_max = 100000,
		.log_files_max = 2};
	struct log_files files;
	struct stat status;
	char path[128], file[LOG_PATH_BYTES];
	cr_assert_eq(processes_spawn(processes, "default/yes", 1, &spec), ERR_OK);
	await(&seen.started, 1);
	for (unsigned i = 1; i <= 20; i++) {
		cr_assert_eq(spawn("default/web", i, "exit"), ERR_OK);
		await(&seen.exited, i);
	}
	processes_stop(processes, "default/yes", 1, SIGTERM, 1000);
	await(&seen.exited, 21);
	snprintf(path, sizeof path, "%s/default/yes", dir);
	log_files_list(path, &files);
	cr_assert_eq(files.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(log_files_path(path, files.starts[i], file));
		cr_assert_eq(stat(file, &status), 0);
		cr_assert_leq(status.st_size, 100000);
	}
}

Test(processes, logs_that_cannot_be_written_stop_nobody)
{
	remove_dir();
	cr_assert_eq(symlink("/nowhere/at/all", dir), 0);
	cr_assert_eq(spawn("default/web", 1, "head -c 200000 /dev/zero; exit 5"), ERR_OK);
	await(&seen.exited, 1);
	cr_assert_eq(seen.exit.code, 5);
	/* With the heads of the records. */
	cr_assert_eq(processes_dropped_bytes(processes), 200000 + 50 * (LOG_HEAD_BYTES + 1));
}

Test(processes, a_process_whose_pipes_found_no_room_is_read_once_there_is_some)
{
	struct rlimit limit, none;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert_eq(spawn("default/web", 1, "echo late; exec sleep 1000"), ERR_OK);
	await(&seen.started, 1);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned i = 0; !*log_text("default/web", "stdout"); i++) {
		cr_assert_lt(i, 100);
		seen.exited = 0;
		spawn("default/other", i, "sleep 0.02");
		await(&seen.exited, 1);
	}
	cr_assert_str_eq(log_text("default/web", "stdout"), "late\n");
}

/* ---- many ---------------------------------------------------------------------------------- */

Test(processes, hundreds_start_and_end_and_each_is_reported_once)
{
	enum { MANY = 500 };
	char ref[32];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(ref, sizeof ref, "default/%u", i);
		cr_assert_eq(spawn(ref, 1, "exec sleep 1000"), ERR_OK);
	}
	await(&seen.started, MANY);
	cr_assert_eq(processes_count(processes), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(ref, sizeof ref, "default/%u", i);
		cr_assert_eq(processes_stop(processes, ref, 1, SIGTERM, 5000), ERR_OK);
	}
	await(&seen.exited, MANY);
	cr_assert_eq(seen.started, MANY);
	cr_assert_eq(seen.failed, 0);
	cr_assert_eq(processes_count(processes), 0);
}

/* ---- violence ------------------------------------------------------------------------------ */

/* A child, a grandchild in its own session, and one that forked itself away from both. */
#define FAMILY                                                                                     \
	"trap '' HUP TERM; echo $$; (setsid sh -c 'echo $$; setsid sleep 1000 & echo $!; wait' "   \
	"&) & "                                                                                    \
	"exec sleep 1000"
#define FAMILIES 5

static bool read_family(unsigned i, pid_t pids[3])
{
	char ref[32];
	snprintf(ref, sizeof ref, "default/%u", i);
	return sscanf(log_text(ref, "stdout"), "%d %d %d", &pids[0], &pids[1], &pids[2]) == 3;
}

static unsigned families;

static int stop_when_families_are_complete(void *data)
{
	pid_t pids[3];
	(void)data;
	for (families = 0; families < FAMILIES && read_family(families, pids); families++)
		;
	if (families == FAMILIES)
		loop_stop(loop);
	return 5;
}

static void start_families(void)
{
	char ref[32];
	for (unsigned i = 0; i < FAMILIES; i++) {
		snprintf(ref, sizeof ref, "default/%u", i);
		cr_assert_eq(spawn(ref, 1, FAMILY), ERR_OK);
	}
	loop_run(loop, stop_when_families_are_complete, NULL);
}

static void check_families(bool live)
{
	pid_t pids[3];
	for (unsigned i = 0; i < FAMILIES; i++) {
		cr_assert(read_family(i, pids));
		for (int k = 0; k < 3; k++)
			cr_assert_eq(kill(pids[k], 0) == 0, live, "family %u, process %d", i, k);
	}
}

Test(killed, a_killed_daemon_leaves_no_descendant, .init = make_dir, .fini = remove_dir,
	.timeout = 60)
{
	int ready[2];
	char byte;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	cr_assert_eq(pipe(ready), 0);
	pid_t daemon = fork();
	if (daemon == 0) {
		start_daemon();
		start_families();
		(void)!write(ready[1], "x", 1);
		loop_run(loop, NULL, NULL);
		_exit(1);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	check_families(true);
	int64_t killed_ms = loop_clock_ms();
	kill(daemon, SIGKILL);
	cr_assert_eq(waitpid(daemon, NULL, 0), daemon);
	/* The guardian is ours now, and the last to go. */
	cr_assert_gt(waitpid(-1, NULL, 0), 0);
	cr_assert_leq(loop_clock_ms() - killed_ms, 1000);
	check_families(false);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "nothing but the guardian came to us");
}

Test(processes, a_killed_guardian_takes_all_with_it_and_is_replaced)
{
	start_families();
	cr_assert_eq(seen.started, FAMILIES);
	int guardian = processes_guardian_pid(processes);
	int64_t killed_ms = loop_clock_ms();
	kill(guardian, SIGKILL);
	await(&seen.exited, FAMILIES);
	cr_assert_leq(loop_clock_ms() - killed_ms, 1000);
	check_families(false);
	cr_assert_eq(seen.lost, 1);
	cr_assert_eq(seen.exited, FAMILIES);
	cr_assert(seen.exit.guardian_lost);
	cr_assert_neq(processes_guardian_pid(processes), guardian);
	cr_assert_eq(spawn("default/0", 2, "exit 4"), ERR_OK);
	await(&seen.exited, FAMILIES + 1);
	cr_assert_eq(seen.exit.code, 4);
	cr_assert_not(seen.exit.guardian_lost);
}

Test(processes, starts_under_way_when_the_guardian_dies_are_made_again)
{
	enum { MANY = 100 };
	char ref[32];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(ref, sizeof ref, "default/%u", i);
		cr_assert_eq(spawn(ref, 1, "exec sleep 1000"), ERR_OK);
	}
	cr_assert_eq(processes_stop(processes, "default/99", 1, SIGTERM, 0), ERR_OK);
	kill(processes_guardian_pid(processes), SIGKILL);
	await(&seen.lost, 1);
	unsigned died = seen.exited;
	cr_assert_eq(spawn("default/new", 1, "exec sleep 1000"), ERR_OK);
	await(&seen.started, MANY + 1);
	await(&seen.exited, died + 1);
	cr_assert_str_eq(seen.ref, "default/99", "it was to be stopped, and was");
	cr_assert_eq(seen.failed, 0);
	cr_assert_eq(processes_count(processes), MANY + 1 - died - 1);
}

Test(processes, a_guardian_may_die_again_and_again)
{
	respawn = false;
	for (unsigned i = 1; i <= 5; i++) {
		seen.exited = 0;
		cr_assert_eq(spawn("default/web", i, "exec sleep 1000"), ERR_OK);
		await(&seen.started, i);
		kill(processes_guardian_pid(processes), SIGKILL);
		await(&seen.exited, 1);
		cr_assert_eq(seen.lost, i);
	}
}

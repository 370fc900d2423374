/* The guardian and one child: what it sees, how a start fails, how a child ends. */
#include "tests/unit/server/guardian_talk.h"

TestSuite(guardian, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- what a child sees --------------------------------------------------------------------- */

static void check_output(const char *script, const char *expected)
{
	struct heard h = run(script);
	cr_assert_str_eq(read_text(h.fds[0], false), expected, "%s", script);
	forget(&h);
	hear(WIRE_EXIT);
}

Test(guardian, a_child_gets_what_its_spec_says_and_nothing_else)
{
	setenv("SECRET", "of the daemon", 1);
	check_output("tr '\\0' ' ' </proc/$$/environ", "PATH=/usr/bin:/bin ");
	check_output("umask", "0022");
	check_output("ulimit -n", "777");
	check_output("pwd", "/");
	check_output("readlink /proc/$$/fd/0", "/dev/null");
	/* The fourth is the folder that ls itself has open. */
	check_output("exec ls /proc/self/fd", "0\n1\n2\n3");
	check_output("exec grep -E '^Sig(Blk|Ign)' /proc/self/status",
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000");
	check_output("set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 = $6 && echo session",
		"session");
	check_output("echo out; echo err >&2", "out");
}

Test(guardian, words_reach_the_child_unchanged)
{
	const char *const argv[] = {"printf", "%s|", "a b", "", "\xc3\xbc\n*", "$HOME", NULL};
	const char *const envp[] = {"PATH=/nowhere:/usr/bin", NULL};
	spawn("default/x", 1, "/tmp", argv, envp);
	struct heard h = started();
	cr_assert_str_eq(read_text(h.fds[0], false), "a b||\xc3\xbc\n*|$HOME|");
	forget(&h);
}

Test(guardian, a_large_spec_arrives_whole)
{
	enum { WORD = 100000 };
	char *word = malloc(WORD + 1), *variable = malloc(WORD + 5);
	memset(word, 'w', WORD);
	word[WORD] = 0;
	sprintf(variable, "BIG=%s", word);
	const char *const argv[] = {"/bin/sh", "-c", "echo ${#1} ${#BIG}", "sh", word, NULL};
	const char *const envp[] = {variable, NULL};
	spawn("default/x", 1, "/", argv, envp);
	struct heard h = started();
	cr_assert_str_eq(read_text(h.fds[0], false), "100000 100000");
	forget(&h);
	free(word);
	free(variable);
}

/* ---- failures ------------------------------------------------------------------------------ */

static void check_failure(const char *cwd, const char *program, int error, enum wire_step step)
{
	spawn("default/x", 1, cwd, (const char *const[]){program, NULL}, plain_env);
	struct heard h = hear(WIRE_SPAWN);
	cr_assert_eq(h.m.error, error, "%s: %s", program, strerror(h.m.error));
	cr_assert_eq(h.m.step, (int)step, "%s: %s", program, wire_step_text(h.m.step));
	cr_assert(h.fds[0] < 0 && h.fds[1] < 0);
}

Test(guardian, a_failed_start_says_why_and_is_followed_by_no_exit)
{
	check_failure("/", "/no/such/program", ENOENT, WIRE_STEP_EXEC);
	check_failure("/", "no-such-program", ENOENT, WIRE_STEP_EXEC);
	check_failure("/", "/etc/passwd", EACCES, WIRE_STEP_EXEC);
	check_failure("/", "/etc/passwd/x", ENOTDIR, WIRE_STEP_EXEC);
	check_failure("/no/such/folder", "/bin/true", ENOENT, WIRE_STEP_CHDIR);
	say(&(struct wire_message){.version = WIRE_VERSION, .verb = WIRE_LIST}, NULL);
	cr_assert(hear(WIRE_LIST).m.last, "nothing was left, and no exit came in between");
}

Test(guardian, what_is_no_request_is_answered_with_an_error_and_changes_nothing)
{
	struct wire_message m = wire_message(WIRE_SPAWN, "default/x", 1);
	struct heard h;
	say(&m, NULL);
	cr_assert_eq(hear(WIRE_SPAWN).m.error, ENOMEM, "no spec at all");
	m.version = WIRE_VERSION + 1;
	say(&m, NULL);
	cr_assert_eq(hear(WIRE_SPAWN).m.error, EPROTO);
	m = wire_message(WIRE_SPAWN, "default/x", 1);
	m.spec_bytes = 4;
	m.argument_count = 9;
	say(&m, "/\0a");
	cr_assert_eq(hear(WIRE_SPAWN).m.error, EINVAL);
	cr_assert_eq(send(sock, "junk", 4, 0), 4);
	cr_assert(hear_within(&h, PATIENCE_MS));
	cr_assert_eq(h.m.error, EPROTO);
	h = run("exec sleep 1000");
	forget(&h);
	spawn("default/x", 2, "/", SHELL("exit"), plain_env);
	cr_assert_eq(hear(WIRE_SPAWN).m.error, EEXIST);
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void check_end(const char *script, int code, int signo)
{
	int64_t before_ms = loop_clock_ms();
	struct heard h = run(script), end = hear(WIRE_EXIT);
	forget(&h);
	cr_assert_eq(end.m.pid, h.m.pid);
	cr_assert_eq(end.m.epoch, 1);
	cr_assert_str_eq(end.m.ref, "default/x");
	cr_assert_eq(end.m.code, code, "%s", script);
	cr_assert_eq(end.m.signal, signo, "%s", script);
	cr_assert_leq(before_ms, end.m.started_ms);
	cr_assert_leq(end.m.started_ms, end.m.ended_ms);
	cr_assert_not(alive(-h.m.pid), "something of its group is left");
}

Test(guardian, an_exit_tells_code_or_signal)
{
	check_end("exit 0", 0, 0);
	check_end("exit 42", 42, 0);
	check_end("kill -KILL $$", 0, SIGKILL);
	check_end("kill -TERM $$", 0, SIGTERM);
}

Test(guardian, when_the_leader_ends_the_rest_of_its_group_is_killed_first)
{
	struct heard h = run("trap 'exit 3' USR1; "
			     "(trap '' USR1 TERM HUP; sleep 1000 & echo $!; wait) & "
			     "while :; do sleep 0.01; done");
	pid_t rest = read_pid(&h);
	cr_assert_gt(rest, 0);
	struct wire_message m = signal_message(SIGUSR1, false, -1);
	say(&m, NULL);
	cr_assert_eq(hear(WIRE_EXIT).m.code, 3);
	cr_assert_not(alive(rest));
	forget(&h);
}

Test(guardian, a_signal_reaches_the_leader_or_the_whole_group)
{
	struct heard h = run("trap 'echo got' USR1; (trap 'echo too' USR1; echo up; "
			     "while :; do sleep 0.01; done) & while :; do sleep 0.01; done");
	cr_assert_str_eq(read_text(h.fds[0], true), "up");
	struct wire_message m = signal_message(SIGUSR1, false, -1);
	say(&m, NULL);
	cr_assert_str_eq(read_text(h.fds[0], true), "got");
	m.epoch = 2;
	m.kill_after_ms = 0;
	say(&m, NULL);
	m = signal_message(SIGTERM, true, -1);
	say(&m, NULL);
	cr_assert_eq(hear(WIRE_EXIT).m.signal, SIGTERM, "another epoch's kill does not hit");
	forget(&h);
}

Test(guardian, the_group_is_killed_when_its_deadline_is_over)
{
	struct heard h = run("trap '' TERM; (trap '' TERM; sleep 1000 & echo $!; wait) & wait");
	pid_t rest = read_pid(&h);
	struct wire_message m = signal_message(SIGTERM, true, 60000);
	say(&m, NULL);
	m.kill_after_ms = 100;
	int64_t asked_ms = loop_clock_ms();
	say(&m, NULL);
	struct heard end = hear(WIRE_EXIT);
	cr_assert_eq(end.m.signal, SIGKILL);
	cr_assert_geq(
		end.m.ended_ms, asked_ms + 99, "after %ld ms", (long)(end.m.ended_ms - asked_ms));
	cr_assert_not(alive(rest));
	forget(&h);
}

Test(guardian, no_time_means_killed_at_once)
{
	struct heard h = run("trap '' TERM; echo up; while :; do sleep 0.01; done");
	cr_assert_str_eq(read_text(h.fds[0], true), "up");
	struct wire_message m = signal_message(SIGTERM, true, 0);
	say(&m, NULL);
	cr_assert_eq(hear(WIRE_EXIT).m.signal, SIGKILL);
	forget(&h);
}

Test(guardian, a_daemon_that_does_not_listen_for_a_while_misses_no_answer)
{
	enum { MANY = 400 };
	static bool seen[MANY];
	int starts = 0, exits = 0;
	char ref[32];
	char path[] = "/tmp/horde-guardian-XXXXXX", script[64];
	struct stat status;
	int file = mkstemp(path);
	tear_down();
	buffer_bytes = 16384;
	start_guardian(-1, -1);
	snprintf(script, sizeof script, "echo >>%s", path);
	for (int i = 0; i < MANY; i++) {
		snprintf(ref, sizeof ref, "default/%d", i);
		spawn(ref, 1, "/", SHELL(script), plain_env);
	}
	/* All have run before the first answer is taken; the socket holds but a few. */
	for (int64_t end_ms = loop_clock_ms() + PATIENCE_MS;; poll(NULL, 0, 1)) {
		cr_assert_eq(fstat(file, &status), 0);
		if (status.st_size == MANY)
			break;
		cr_assert_lt(loop_clock_ms(), end_ms, "only %ld ran", (long)status.st_size);
	}
	close(file);
	unlink(path);
	while (exits < MANY) {
		struct heard h;
		cr_assert(hear_within(&h, PATIENCE_MS), "%d starts, %d exits", starts, exits);
		int i = atoi(h.m.ref + strlen("default/"));
		cr_assert_eq(h.m.error, 0);
		cr_assert_eq(seen[i], h.m.verb == WIRE_EXIT, "started, then exited");
		seen[i] = true;
		starts += h.m.verb == WIRE_SPAWN;
		exits += h.m.verb == WIRE_EXIT;
		if (h.m.verb == WIRE_SPAWN)
			forget(&h);
	}
	cr_assert_eq(starts, MANY);
}

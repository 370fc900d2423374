/* The guardian's protocol, spoken to directly: what a child sees, how it ends, who is left over. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/guardian.h"
#include "server/guardian_wire.h"
#include "server/loop.h"

#define PATIENCE_MS 15000
#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static int sock = -1;
static pid_t guardian;
static int buffer_bytes; /* of the guardian's socket, when not 0 */
static const char *const plain_env[] = {"PATH=/usr/bin:/bin", NULL};

static void start_guardian(int listen_fd, int lock_fd)
{
	int pair[2];
	cr_assert_eq(wire_pair(pair), ERR_OK);
	if (buffer_bytes)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
	guardian = fork();
	cr_assert_geq(guardian, 0);
	if (guardian == 0) {
		struct guardian_options o = {pair[1], listen_fd, lock_fd, 777};
		guardian_run(&o);
	}
	close(pair[1]);
	sock = pair[0];
}

static void set_up(void)
{
	/* What a test leaves behind comes to us, not to an init that may not exist. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start_guardian(-1, -1);
}

static void hang_up(void)
{
	if (sock >= 0)
		close(sock);
	sock = -1;
}

static void tear_down(void)
{
	hang_up();
	waitpid(guardian, NULL, 0);
}

TestSuite(guardian, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- speaking ------------------------------------------------------------------------------ */

struct heard {
	struct wire_message m;
	int fds[2];
};

static void say(const struct wire_message *m, const char *spec)
{
	enum err e;
	while ((e = wire_send(sock, m, spec, NULL, 0)) == ERR_NOT_READY)
		poll(&(struct pollfd){.fd = sock, .events = POLLOUT}, 1, PATIENCE_MS);
	cr_assert_eq(e, ERR_OK);
}

static void spawn(const char *ref, uint64_t epoch, const char *cwd, const char *const *argv,
	const char *const *envp)
{
	struct wire_message m = wire_message(WIRE_SPAWN, ref, epoch);
	char *spec;
	cr_assert_eq(wire_pack(&m, cwd, argv, envp, &spec), ERR_OK);
	say(&m, spec);
	free(spec);
}

static bool hear_within(struct heard *h, int wait_ms)
{
	char *spec;
	enum err e;
	while ((e = wire_recv(sock, &h->m, &spec, h->fds)) == ERR_NOT_READY)
		if (poll(&(struct pollfd){.fd = sock, .events = POLLIN}, 1, wait_ms) == 0)
			return false;
	cr_assert_eq(e, ERR_OK, "%s", err_text(e));
	cr_assert_null(spec);
	return true;
}

static struct heard hear(enum wire_verb verb)
{
	struct heard h;
	cr_assert(hear_within(&h, PATIENCE_MS), "silence");
	cr_assert_eq(h.m.verb, (uint32_t)verb, "verb %u, error %d", h.m.verb, h.m.error);
	return h;
}

static struct heard started(void)
{
	struct heard h = hear(WIRE_SPAWN);
	cr_assert_eq(h.m.error, 0, "%s at %s", strerror(h.m.error), wire_step_text(h.m.step));
	cr_assert_gt(h.m.pid, 0);
	cr_assert(h.fds[0] >= 0 && h.fds[1] >= 0);
	return h;
}

static struct heard run(const char *script)
{
	spawn("default/x", 1, "/", SHELL(script), plain_env);
	return started();
}

static void forget(struct heard *h)
{
	close(h->fds[0]);
	close(h->fds[1]);
}

/* Reads a line, or everything to the end, without its last newline. */
static char *read_text(int fd, bool line)
{
	static char text[65536];
	size_t used = 0;
	while (used < sizeof text - 1) {
		ssize_t n = read(fd, text + used, line ? 1 : sizeof text - 1 - used);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd more = {.fd = fd, .events = POLLIN};
			cr_assert_gt(poll(&more, 1, PATIENCE_MS), 0, "no output");
			continue;
		}
		if (n <= 0 || (line && text[used] == '\n'))
			break;
		used += (size_t)n;
	}
	if (used && text[used - 1] == '\n')
		used--;
	text[used] = 0;
	return text;
}

static pid_t read_pid(struct heard *h)
{
	return atoi(read_text(h->fds[0], true));
}

static bool alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static struct wire_message signal_message(int signo, bool group, int64_t kill_after_ms)
{
	struct wire_message m = wire_message(WIRE_SIGNAL, "default/x", 1);
	m.signal = signo;
	m.group = group;
	m.kill_after_ms = kill_after_ms;
	return m;
}

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

/* ---- LIST, GIVE, CLOSE, HOLD --------------------------------------------------------------- */

Test(guardian, list_tells_what_runs_and_give_hands_its_output_over_again)
{
	spawn("default/a", 7, "/", SHELL("read x; echo never"), plain_env);
	struct heard a = started();
	forget(&a);
	hear(WIRE_EXIT);
	spawn("default/b", 8, "/", SHELL("trap 'echo again' USR1; while :; do sleep 0.01; done"),
		plain_env);
	struct heard b = started(), row, last;
	forget(&b);
	say(&(struct wire_message){.version = WIRE_VERSION, .verb = WIRE_LIST}, NULL);
	row = hear(WIRE_LIST);
	last = hear(WIRE_LIST);
	cr_assert(!row.m.last && last.m.last);
	cr_assert_str_eq(row.m.ref, "default/b");
	cr_assert_eq(row.m.epoch, 8);
	cr_assert_eq(row.m.pid, b.m.pid);
	cr_assert_eq(row.m.started_ms, b.m.started_ms);
	struct wire_message m = wire_message(WIRE_GIVE, "default/b", 8);
	say(&m, NULL);
	struct heard given = hear(WIRE_GIVE);
	cr_assert_eq(given.m.error, 0);
	while (poll(&(struct pollfd){.fd = given.fds[0], .events = POLLIN}, 1, 20) == 0)
		kill(b.m.pid, SIGUSR1);
	cr_assert_str_eq(read_text(given.fds[0], true), "again");
	forget(&given);
	m.epoch = 9;
	say(&m, NULL);
	cr_assert_eq(hear(WIRE_GIVE).m.error, ESRCH);
}

static int listening(struct sockaddr_in *ret_address)
{
	socklen_t size = sizeof *ret_address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*ret_address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cr_assert_eq(bind(fd, (struct sockaddr *)ret_address, size), 0);
	cr_assert_eq(listen(fd, 4096), 0);
	getsockname(fd, (struct sockaddr *)ret_address, &size);
	return fd;
}

static bool refused(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool no = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return no;
}

Test(guardian, close_drops_the_listening_socket_at_once)
{
	struct sockaddr_in address;
	int fd = listening(&address);
	tear_down();
	start_guardian(fd, -1);
	close(fd);
	struct heard h = run("exec sleep 1000");
	cr_assert_not(refused(&address), "the guardian holds it");
	say(&(struct wire_message){.version = WIRE_VERSION, .verb = WIRE_CLOSE}, NULL);
	say(&(struct wire_message){.version = WIRE_VERSION, .verb = WIRE_LIST}, NULL);
	hear(WIRE_LIST);
	cr_assert(refused(&address));
	cr_assert(alive(h.m.pid));
	forget(&h);
}

Test(guardian, the_listening_socket_and_the_lock_are_held_until_the_last_descendant_is_gone)
{
	struct sockaddr_in address;
	char path[] = "/tmp/horde-lock-XXXXXX";
	int fd = listening(&address), lock = mkstemp(path), second = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
	tear_down();
	start_guardian(fd, lock);
	close(fd);
	close(lock);
	/* Held for 300 ms, and the child for as long: when the refusal comes, it must be gone. */
	struct heard h = run("trap '' HUP TERM; exec sleep 1000");
	struct wire_message hold = wire_message(WIRE_HOLD, NULL, 0);
	hold.hold_ms = 300;
	say(&hold, NULL);
	int64_t gone_ms = loop_clock_ms();
	hang_up();
	cr_assert_lt(flock(second, LOCK_EX | LOCK_NB), 0);
	while (!refused(&address)) {
		cr_assert_lt(loop_clock_ms(), gone_ms + PATIENCE_MS);
		poll(NULL, 0, 1);
	}
	cr_assert_not(alive(h.m.pid));
	cr_assert_geq(loop_clock_ms(), gone_ms + 299, "HOLD was obeyed");
	cr_assert_eq(flock(second, LOCK_EX), 0);
	close(second);
	unlink(path);
	forget(&h);
}

/* ---- the end of the daemon ----------------------------------------------------------------- */

Test(guardian, when_the_daemon_vanishes_every_descendant_dies_and_then_the_guardian)
{
	struct heard h = run("trap '' HUP; echo $$; "
			     "(setsid sh -c 'echo $$; setsid sleep 1000 & echo $!; wait' &) & "
			     "exec sleep 1000");
	pid_t pids[3];
	for (int i = 0; i < 3; i++)
		cr_assert(alive(pids[i] = read_pid(&h)));
	int64_t gone_ms = loop_clock_ms();
	hang_up();
	cr_assert_eq(waitpid(guardian, NULL, 0), guardian);
	cr_assert_lt(loop_clock_ms(), gone_ms + 1000);
	for (int i = 0; i < 3; i++)
		cr_assert_not(alive(pids[i]), "process %d of 3", i + 1);
	forget(&h);
}

Test(guardian, term_int_and_hup_do_not_end_it)
{
	/* With its first answer it has come so far as to ignore them. */
	struct heard h = run("exec sleep 1000");
	kill(guardian, SIGTERM);
	kill(guardian, SIGINT);
	kill(guardian, SIGHUP);
	say(&(struct wire_message){.version = WIRE_VERSION, .verb = WIRE_LIST}, NULL);
	hear(WIRE_LIST);
	cr_assert_eq(getsid(guardian), guardian);
	forget(&h);
}

Test(guardian, a_direct_child_dies_with_its_guardian)
{
	int status;
	struct heard h = run("trap '' HUP TERM; exec sleep 1000");
	kill(guardian, SIGKILL);
	cr_assert_eq(waitpid(guardian, NULL, 0), guardian);
	/* It was handed to us, and no other hand has killed it. */
	cr_assert_eq(waitpid(h.m.pid, &status, 0), h.m.pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	forget(&h);
}

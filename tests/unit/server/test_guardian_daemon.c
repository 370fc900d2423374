/* The guardian and its daemon: LIST, GIVE, CLOSE, HOLD, and what is left when either dies. */
#include "tests/unit/server/guardian_talk.h"

TestSuite(guardian_daemon, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- LIST, GIVE, CLOSE, HOLD --------------------------------------------------------------- */

Test(guardian_daemon, list_tells_what_runs_and_give_hands_its_output_over_again)
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

Test(guardian_daemon, close_drops_the_listening_socket_at_once)
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

Test(guardian_daemon, the_listening_socket_and_the_lock_are_held_until_the_last_descendant_is_gone)
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

Test(guardian_daemon, when_the_daemon_vanishes_every_descendant_dies_and_then_the_guardian)
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

Test(guardian_daemon, term_int_and_hup_do_not_end_it)
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

Test(guardian_daemon, a_direct_child_dies_with_its_guardian)
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

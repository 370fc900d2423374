/*
 * Speaking to a guardian directly, for the tests of its protocol. It is forked off the test, which
 * becomes its daemon: one socket, one guardian at a time.
 */
#ifndef HORDE_TESTS_GUARDIAN_TALK_H
#define HORDE_TESTS_GUARDIAN_TALK_H

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

static inline void start_guardian(int listen_fd, int lock_fd)
{
	int pair[2];
	cr_assert_eq(wire_pair(pair), ERR_OK);
	if (buffer_bytes)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
	guardian = fork();
	cr_assert_geq(guardian, 0);
	if (guardian == 0) {
		struct guardian_options o = {pair[1], listen_fd, lock_fd, 777, NULL};
		guardian_run(&o);
	}
	close(pair[1]);
	sock = pair[0];
}

static inline void set_up(void)
{
	/* What a test leaves behind comes to us, not to an init that may not exist. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start_guardian(-1, -1);
}

static inline void hang_up(void)
{
	if (sock >= 0)
		close(sock);
	sock = -1;
}

static inline void tear_down(void)
{
	hang_up();
	waitpid(guardian, NULL, 0);
}

/* ---- speaking ------------------------------------------------------------------------------ */

struct heard {
	struct wire_message m;
	int fds[2];
};

static inline void say(const struct wire_message *m, const char *spec)
{
	enum err e;
	while ((e = wire_send(sock, m, spec, NULL, 0)) == ERR_NOT_READY)
		poll(&(struct pollfd){.fd = sock, .events = POLLOUT}, 1, PATIENCE_MS);
	cr_assert_eq(e, ERR_OK);
}

static inline void spawn_as(const char *ref, uint64_t epoch, const char *cwd,
	const struct setup *setup, const char *const *argv, const char *const *envp)
{
	struct wire_message m = wire_message(WIRE_SPAWN, ref, epoch);
	char *spec;
	cr_assert_eq(wire_pack(&m, cwd, setup, argv, envp, &spec), ERR_OK);
	say(&m, spec);
	free(spec);
}

static inline void spawn(const char *ref, uint64_t epoch, const char *cwd, const char *const *argv,
	const char *const *envp)
{
	spawn_as(ref, epoch, cwd, NULL, argv, envp);
}

static inline bool hear_within(struct heard *h, int wait_ms)
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

static inline struct heard hear(enum wire_verb verb)
{
	struct heard h;
	cr_assert(hear_within(&h, PATIENCE_MS), "silence");
	cr_assert_eq(h.m.verb, (uint32_t)verb, "verb %u, error %d", h.m.verb, h.m.error);
	return h;
}

static inline struct heard started(void)
{
	struct heard h = hear(WIRE_SPAWN);
	cr_assert_eq(h.m.error, 0, "%s at %s", strerror(h.m.error), wire_step_text(h.m.step));
	cr_assert_gt(h.m.pid, 0);
	cr_assert(h.fds[0] >= 0 && h.fds[1] >= 0);
	return h;
}

static inline struct heard run(const char *script)
{
	spawn("default/x", 1, "/", SHELL(script), plain_env);
	return started();
}

static inline void forget(struct heard *h)
{
	close(h->fds[0]);
	close(h->fds[1]);
}

/* Reads a line, or everything to the end, without its last newline. */
static inline char *read_text(int fd, bool line)
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

static inline pid_t read_pid(struct heard *h)
{
	return atoi(read_text(h->fds[0], true));
}

static inline bool alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static inline struct wire_message signal_message(int signo, bool group, int64_t kill_after_ms)
{
	struct wire_message m = wire_message(WIRE_SIGNAL, "default/x", 1);
	m.signal = signo;
	m.group = group;
	m.kill_after_ms = kill_after_ms;
	return m;
}

#endif

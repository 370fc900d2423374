#include "server/guardian_state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/cgroup.h"
#include "server/descendants.h"
#include "server/guardian_spawn.h"

/* ---- requests ------------------------------------------------------------------------------ */

/* The daemon gets duplicates; the originals stay here for a daemon to come. */
static void give_output(struct answer *a, const struct child *c)
{
	for (int i = 0; i < 2; i++)
		a->fds[i] = fcntl(c->output[i], F_DUPFD_CLOEXEC, 3);
	if (a->fds[0] >= 0 && a->fds[1] >= 0)
		return;
	a->message.error = errno;
	a->message.step = WIRE_STEP_PIPE;
	for (int i = 0; i < 2; i++) {
		if (a->fds[i] >= 0)
			close(a->fds[i]);
		a->fds[i] = -1;
	}
}

/* Before the process, whatever becomes of it. False: `s` says why. */
static bool enclose(struct guardian *g, struct guardian_spawn *s, struct child *c)
{
	const struct wire_message *m = s->request;
	enum setup_limit limit;

	if (!(m->limits_given & CGROUP_LIMITS))
		return true;
	limit = cgroup_first(m->limits_given);
	errno = EOPNOTSUPP;
	if (g->cgroup)
		do /* one that a lost guardian has left may still be in the way */
			s->cgroup_fd = cgroup_make(
				g->cgroup, ++g->last_cgroup, m->limits_given, m->limits, &limit);
		while (s->cgroup_fd < 0 && errno == EEXIST);
	if (s->cgroup_fd >= 0)
		c->cgroup = g->last_cgroup;
	s->error = errno;
	s->step = (enum wire_step)(WIRE_STEP_LIMITS + (int)limit);
	return s->cgroup_fd >= 0;
}

static bool spawn_enclosed(struct guardian *g, struct guardian_spawn *s, struct child *c)
{
	bool born = guardian_identify(s) && enclose(g, s, c) && guardian_spawn(s);

	if (s->cgroup_fd >= 0)
		close(s->cgroup_fd);
	if (!born && c->cgroup)
		cgroup_remove(g->cgroup, c->cgroup);
	return born;
}

static void start(struct guardian *g, const struct wire_message *m, const struct wire_spec *spec)
{
	struct guardian_spawn s = {.request = m,
		.spec = spec,
		.null_fd = g->null_fd,
		.cgroup_fd = -1,
		.open_files = g->open_files};
	struct child *c = guardian_child_new(g, m);
	if (!c) {
		guardian_refuse(g, m, ENOMEM, WIRE_STEP_REQUEST);
		return;
	}
	int64_t started_ms = loop_clock_ms();
	if (!spawn_enclosed(g, &s, c)) {
		free(c);
		guardian_refuse(g, m, s.error, s.step);
		return;
	}
	c->pid = c->exit.message.pid = s.pid;
	c->exit.message.started_ms = started_ms;
	memcpy(c->output, s.output, sizeof c->output);
	guardian_child_add(g, c);
	struct answer *a = guardian_reply(g, m);
	a->message.pid = s.pid;
	a->message.started_ms = started_ms;
	give_output(a, c);
	if (!a->message.error)
		return;
	/* It runs, but nobody could read it: failed, as a whole. */
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (c->cgroup)
		cgroup_remove(g->cgroup, c->cgroup);
	guardian_child_remove(g, c);
	close(c->output[0]);
	close(c->output[1]);
	free(c);
}

static void serve_spawn(struct guardian *g, const struct wire_message *m, char *spec)
{
	struct wire_spec *strings;
	if (g->hung_up)
		return;
	if (guardian_child_by_ref(g, m->ref)) {
		guardian_refuse(g, m, EEXIST, WIRE_STEP_REQUEST);
	} else if (g->child_count >= GUARDIAN_CHILDREN_MAX) {
		guardian_refuse(g, m, EAGAIN, WIRE_STEP_LIMIT);
	} else {
		enum err e = spec ? wire_unpack(m, spec, &strings) : ERR_NO_MEMORY;
		if (e) {
			guardian_refuse(
				g, m, e == ERR_NO_MEMORY ? ENOMEM : EINVAL, WIRE_STEP_REQUEST);
			return;
		}
		start(g, m, strings);
		free(strings);
	}
}

static void on_deadline(void *data)
{
	struct child *c = data;
	kill(-c->pid, SIGKILL);
}

static void serve_signal(struct guardian *g, const struct wire_message *m)
{
	struct child *c = guardian_child_by_ref(g, m->ref);
	if (!c || c->ended || c->exit.message.epoch != m->epoch)
		return;
	if (m->kill_after_ms == 0) {
		kill(-c->pid, SIGKILL);
		return;
	}
	if (m->signal > 0)
		kill(m->group ? -c->pid : c->pid, m->signal);
	if (m->kill_after_ms < 0)
		return;
	int64_t at_ms = loop_clock_ms() + m->kill_after_ms;
	/* A deadline can be brought forward, never put off. */
	if (c->timer.slot && c->timer.at_ms <= at_ms)
		return;
	if (loop_timer_set(g->loop, &c->timer, at_ms, on_deadline, c))
		kill(-c->pid, SIGKILL);
}

static void serve_list(struct guardian *g, const struct wire_message *m)
{
	struct answer *end = g->spare;
	g->spare = NULL;
	end->message = wire_message(WIRE_LIST, NULL, 0);
	end->message.last = 1;
	for (unsigned i = 0; i < GUARDIAN_BUCKETS; i++) {
		for (struct child *c = g->by_ref[i]; c; c = c->next_by_ref) {
			struct answer *a = c->ended ? NULL : guardian_answer_new(&c->exit.message);
			if (!a && !c->ended)
				end->message.error = ENOMEM;
			if (!a)
				continue;
			a->message.verb = m->verb;
			a->message.pid = c->pid;
			a->message.started_ms = c->exit.message.started_ms;
			guardian_answer_add(g, a);
		}
	}
	guardian_answer_add(g, end);
}

static void serve_give(struct guardian *g, const struct wire_message *m)
{
	struct child *c = guardian_child_by_ref(g, m->ref);
	if (!c || c->exit.message.epoch != m->epoch) {
		guardian_refuse(g, m, ESRCH, WIRE_STEP_REQUEST);
		return;
	}
	struct answer *a = guardian_reply(g, m);
	a->message.pid = c->pid;
	a->message.started_ms = c->exit.message.started_ms;
	give_output(a, c);
}

static void serve_close(struct guardian *g)
{
	if (g->listen_fd >= 0)
		close(g->listen_fd);
	g->listen_fd = -1;
}

static void serve(struct guardian *g, const struct wire_message *m, char *spec)
{
	switch ((enum wire_verb)m->verb) {
	case WIRE_SPAWN:
		serve_spawn(g, m, spec);
		break;
	case WIRE_SIGNAL:
		serve_signal(g, m);
		break;
	case WIRE_LIST:
		serve_list(g, m);
		break;
	case WIRE_GIVE:
		serve_give(g, m);
		break;
	case WIRE_HOLD:
		g->hold_ms = m->hold_ms < 0 ? 0 : m->hold_ms;
		break;
	case WIRE_CLOSE:
		serve_close(g);
		break;
	case WIRE_EXIT:
	case WIRE_VERB_COUNT:
		guardian_refuse(g, m, EPROTO, WIRE_STEP_REQUEST);
		break;
	}
}

/* ---- the end of the daemon ----------------------------------------------------------------- */

/* The last act: what we held (listening socket, lock) is let go by the exit itself. */
static void end_round(void *data)
{
	struct guardian *g = data;
	if (descendants_kill() == 0) {
		if (g->cgroup)
			cgroup_sweep(g->cgroup);
		_exit(0);
	}
	g->recheck_ms = g->recheck_ms >= GUARDIAN_RECHECK_MAX_MS / 2 ? GUARDIAN_RECHECK_MAX_MS
								     : 2 * g->recheck_ms;
	loop_timer_set(g->loop, &g->timer, loop_clock_ms() + g->recheck_ms, end_round, g);
}

static void end(void *data)
{
	struct guardian *g = data;
	g->ending = true;
	g->recheck_ms = GUARDIAN_RECHECK_MIN_MS;
	for (unsigned i = 0; i < GUARDIAN_BUCKETS; i++)
		for (struct child *c = g->by_pid[i]; c; c = c->next_by_pid)
			if (!c->ended)
				kill(-c->pid, SIGKILL);
	end_round(g);
}

static void vanish(struct guardian *g)
{
	loop_unwatch(g->loop, &g->requests);
	close(g->socket_fd);
	g->socket_fd = -1;
	if (g->hold_ms == 0)
		end(g);
	else
		loop_timer_set(g->loop, &g->timer, loop_clock_ms() + g->hold_ms, end, g);
}

static void on_death(void *data, uint32_t events)
{
	struct guardian *g = data;
	struct signalfd_siginfo ignored[16];
	(void)events;
	while (read(g->deaths.fd, ignored, sizeof ignored) > 0)
		;
	guardian_reap(g);
	if (g->ending)
		end_round(g);
}

/* ---- turns --------------------------------------------------------------------------------- */

static void on_retry(void *data)
{
	struct guardian *g = data;
	loop_timer_set(g->loop, &g->timer, INT64_MAX, on_retry, g);
}

static void retry_later(struct guardian *g)
{
	loop_timer_set(g->loop, &g->timer, loop_clock_ms() + GUARDIAN_RETRY_MS, on_retry, g);
}

/* One request a turn: a spawn takes long, and exits must not wait behind a burst of them. */
static void on_request(void *data, uint32_t events)
{
	struct guardian *g = data;
	struct wire_message m;
	char *spec;
	int fds[2];
	if (events & EPOLLHUP)
		g->hung_up = true;
	if (!g->spare)
		return;
	enum err e = wire_recv(g->socket_fd, &m, &spec, fds);
	if (e == ERR_NOT_READY)
		return;
	if (e == ERR_IO)
		vanish(g);
	else if (e == ERR_PROTOCOL)
		guardian_refuse(g, &m, EPROTO, WIRE_STEP_REQUEST);
	else
		serve(g, &m, spec);
	free(spec);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int before_sleep(void *data)
{
	struct guardian *g = data;
	if (g->socket_fd < 0) {
		while (g->first)
			guardian_answer_done(g);
		return -1;
	}
	enum err e = guardian_send_answers(g);
	if (!g->spare)
		g->spare = guardian_answer_new(&(struct wire_message){0});
	uint32_t events = g->spare && g->answer_count < GUARDIAN_ANSWERS_MAX ? EPOLLIN : 0;
	if (g->first && e != ERR_NO_MEMORY)
		events |= EPOLLOUT;
	if (e == ERR_NO_MEMORY || !g->spare)
		retry_later(g);
	if (events != g->events &&
		!loop_watch(g->loop, &g->requests, g->socket_fd, events, on_request, g))
		g->events = events;
	return -1;
}

/* ---- the beginning ------------------------------------------------------------------------- */

static void leave_the_daemon(void)
{
	sigset_t deaths;
	setsid();
	if (chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "horde-guardian");
	/* Whatever was ignored on the way here (by a shell, by make) is not ignored by a child. */
	for (int number = 1; number < NSIG; number++)
		guardian_reset_signal(number);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&deaths);
	sigaddset(&deaths, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &deaths, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		_exit(1);
}

/* Standard error stays, for what an assertion has to say; everything else goes. */
static void keep_descriptors(const int kept[3])
{
	unsigned from = 3;
	for (int round = 0; round < 3; round++) {
		int next = -1;
		for (int i = 0; i < 3; i++)
			if (kept[i] >= (int)from && (next < 0 || kept[i] < next))
				next = kept[i];
		if (next < 0)
			break;
		fcntl(next, F_SETFD, FD_CLOEXEC);
		if (next > (int)from)
			close_range(from, (unsigned)next - 1, 0);
		from = (unsigned)next + 1;
	}
	close_range(from, ~0U, 0);
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(1);
	if (fcntl(2, F_GETFD) < 0 && dup2(null, 2) < 0)
		_exit(1);
	if (null > 2)
		close(null);
}

/* Two descriptors a child are kept here: take what the hard limit allows. */
static void raise_open_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool watch_deaths(struct guardian *g)
{
	sigset_t deaths;
	sigemptyset(&deaths);
	sigaddset(&deaths, SIGCHLD);
	int fd = signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 && !loop_watch(g->loop, &g->deaths, fd, EPOLLIN, on_death, g);
}

_Noreturn void guardian_run(const struct guardian_options *options)
{
	const int kept[3] = {options->socket_fd, options->listen_fd, options->lock_fd};
	assert(kept[0] > 2 && (kept[1] < 0 || kept[1] > 2) && (kept[2] < 0 || kept[2] > 2));
	leave_the_daemon();
	keep_descriptors(kept);
	raise_open_files();
	struct guardian *g = calloc(1, sizeof *g);
	if (!g || loop_new(&g->loop))
		_exit(1);
	g->socket_fd = kept[0];
	g->listen_fd = kept[1];
	g->lock_fd = kept[2];
	g->null_fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	g->open_files = options->open_files;
	g->cgroup = options->cgroup;
	g->last = &g->first;
	if (g->null_fd < 0 || !watch_deaths(g) ||
		loop_timer_set(g->loop, &g->timer, INT64_MAX, on_retry, g))
		_exit(1);
	if (g->cgroup)
		cgroup_sweep(g->cgroup);
	loop_run(g->loop, before_sleep, g);
	_exit(1);
}

int guardian_main(int argc, char **argv)
{
	struct guardian_options o;
	unsigned long long open_files;
	if (argc < 3 || argc > 4 ||
		sscanf(argv[2], "%d,%d,%d,%llu", &o.socket_fd, &o.listen_fd, &o.lock_fd,
			&open_files) != 4 ||
		o.socket_fd < 3) {
		fprintf(stderr, "%s: --guardian is for the daemon's own use\n", argv[0]);
		return 2;
	}
	o.open_files = (rlim_t)open_files;
	o.cgroup = argv[3];
	guardian_run(&o);
}

#include "server/processes_state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/descendants.h"

/* Messages taken from the guardian in one turn. */
#define MESSAGES_PER_TURN 64
/* Between two looks at what a lost guardian left behind; it doubles up to the second. */
#define RECHECK_MIN_MS 1
#define RECHECK_MAX_MS 20
/* Before a new guardian is started in place of one that never answered. */
#define RESTART_MS 1000

/* ---- one process --------------------------------------------------------------------------- */

static void spec_done(struct processes *p, struct process *one)
{
	if (one->spec)
		p->spec_bytes -= one->counts.spec_bytes;
	free(one->spec);
	one->spec = NULL;
}

static void process_free(struct processes *p, struct process *one)
{
	processes_queue_forget(p, one);
	spec_done(p, one);
	processes_logs_close(p, one);
	free(one);
}

static enum err process_fill(
	struct processes *p, struct process *one, const char *ref, const struct process_spec *s)
{
	one->of = p;
	memcpy(one->ref, ref, strlen(ref) + 1);
	one->counts = wire_message(WIRE_SPAWN, ref, one->epoch);
	one->start = (struct request){.process = one, .verb = WIRE_SPAWN};
	one->stop = (struct request){.process = one, .verb = WIRE_SIGNAL};
	enum err e = processes_logs_open(p, one, s);
	if (e)
		return e;
	e = wire_pack(&one->counts, s->cwd ? s->cwd : "/", s->setup, s->argv, s->envp, &one->spec);
	if (!e)
		p->spec_bytes += one->counts.spec_bytes;
	return e;
}

enum err processes_spawn(
	struct processes *p, const char *ref, uint64_t epoch, const struct process_spec *spec)
{
	if (strlen(ref) >= WIRE_REF_SIZE)
		return ERR_MALFORMED;
	if (processes_find(p, ref))
		return ERR_EXISTS;
	if (p->queue_count >= PROCESSES_QUEUE_MAX || p->spec_bytes >= PROCESSES_SPEC_BYTES_MAX)
		return ERR_LIMIT;
	struct process *one = calloc(1, sizeof *one);
	if (!one)
		return ERR_NO_MEMORY;
	one->epoch = epoch;
	enum err e = process_fill(p, one, ref, spec);
	if (e) {
		process_free(p, one);
		return e;
	}
	processes_table_add(p, one);
	processes_queue_add(p, &one->start);
	return ERR_OK;
}

enum err processes_signal(
	struct processes *p, const char *ref, uint64_t epoch, int signo, bool group)
{
	struct process *one = processes_find_epoch(p, ref, epoch);
	if (!one)
		return ERR_NOT_FOUND;
	if (p->queue_count >= PROCESSES_QUEUE_MAX)
		return ERR_LIMIT;
	struct request *r = calloc(1, sizeof *r);
	if (!r)
		return ERR_NO_MEMORY;
	*r = (struct request){.process = one,
		.verb = WIRE_SIGNAL,
		.signal = signo,
		.group = group,
		.kill_after_ms = -1,
		.allocated = true};
	processes_queue_add(p, r);
	return ERR_OK;
}

enum err processes_stop(
	struct processes *p, const char *ref, uint64_t epoch, int signo, int64_t timeout_ms)
{
	struct process *one = processes_find_epoch(p, ref, epoch);
	if (!one)
		return ERR_NOT_FOUND;
	struct request *r = &one->stop;
	if (timeout_ms < 0)
		timeout_ms = 0;
	/* A peer's spec may ask for more; the guardian adds it to its clock. */
	if (timeout_ms > PROCESSES_STOP_MS_MAX)
		timeout_ms = PROCESSES_STOP_MS_MAX;
	if (!one->stop_asked || timeout_ms < r->kill_after_ms)
		r->kill_after_ms = timeout_ms;
	r->signal = signo;
	r->group = true;
	one->stop_asked = true;
	if (!r->queued)
		processes_queue_add(p, r);
	return ERR_OK;
}

/* ---- what the guardian says ---------------------------------------------------------------- */

static void take_output(struct processes *p, struct process *one, int fds[2])
{
	one->blind = false;
	for (int i = 0; i < 2; i++) {
		if (one->output[i].fd >= 0)
			continue;
		if (fds[i] < 0 || log_stream_open(&one->output[i], p->loop, fds[i]))
			one->blind = true;
		fds[i] = -1;
	}
	if (one->blind)
		processes_try_later(p, PROCESSES_RETRY_MS);
}

static void on_spawned(struct processes *p, const struct wire_message *m, int fds[2])
{
	struct process *one = processes_find_epoch(p, m->ref, m->epoch);
	if (!one || one->running)
		return;
	if (m->error) {
		processes_table_remove(p, one);
		process_free(p, one);
		p->events.failed(
			p->events.data, m->ref, m->epoch, m->error, wire_step_text(m->step));
		return;
	}
	spec_done(p, one);
	one->running = true;
	one->log_from = one->log.folder ? log_file_end(&one->log) : 0;
	one->pid = m->pid;
	one->started_ms = m->started_ms;
	one->start.verb = WIRE_GIVE;
	take_output(p, one, fds);
	p->events.started(p->events.data, m->ref, m->epoch, m->pid);
}

static void on_given(struct processes *p, const struct wire_message *m, int fds[2])
{
	struct process *one = processes_find_epoch(p, m->ref, m->epoch);
	if (one && one->running && one->blind)
		take_output(p, one, fds);
}

static void on_exited(struct processes *p, const struct wire_message *m)
{
	struct process *one = processes_find_epoch(p, m->ref, m->epoch);
	if (!one || !one->running)
		return;
	char tail[PROCESSES_TAIL_BYTES];
	size_t tail_bytes = processes_logs_tail(one, tail);
	processes_table_remove(p, one);
	process_free(p, one);
	struct process_exit end = {.tail = tail,
		.tail_bytes = tail_bytes,
		.pid = m->pid,
		.signal = m->signal,
		.code = m->code,
		.core = m->core,
		.oom = m->oom,
		.started_ms = m->started_ms,
		.ended_ms = m->ended_ms};
	p->events.exited(p->events.data, m->ref, m->epoch, &end);
}

static enum err take_message(struct processes *p)
{
	struct wire_message m;
	char *spec;
	int fds[2];
	enum err e = wire_recv(p->socket_fd, &m, &spec, fds);
	if (e)
		return e;
	p->answered = true;
	if (m.verb == WIRE_SPAWN)
		on_spawned(p, &m, fds);
	else if (m.verb == WIRE_GIVE)
		on_given(p, &m, fds);
	else if (m.verb == WIRE_EXIT)
		on_exited(p, &m);
	free(spec);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ERR_OK;
}

/* ---- the guardian's own death -------------------------------------------------------------- */

static void guardian_gone(struct processes *p)
{
	loop_unwatch(p->loop, &p->io);
	close(p->socket_fd);
	p->socket_fd = -1;
	p->watched = 0;
	p->state = KILLING;
	p->recheck_ms = RECHECK_MIN_MS;
	/* It may live and only have talked nonsense. */
	kill(p->guardian_pid, SIGKILL);
	loop_timer_set(p->loop, &p->timer, 0, processes_on_timer, p);
}

/* What had not been answered is asked of the next guardian, the rest was for the dead. */
static void queue_again(struct processes *p)
{
	processes_queue_forget(p, NULL);
	for (unsigned i = 0; i < PROCESSES_BUCKETS; i++) {
		for (struct process *one = p->buckets[i]; one; one = one->next) {
			if (one->running)
				continue;
			processes_queue_put(p, &one->start);
			if (one->stop_asked)
				processes_queue_put(p, &one->stop);
		}
	}
}

/* Events may change the table, so those that ran are taken out first. */
static struct process *take_running(struct processes *p)
{
	struct process *list = NULL;
	for (unsigned i = 0; i < PROCESSES_BUCKETS; i++) {
		for (struct process **at = &p->buckets[i], *one; (one = *at);) {
			if (!one->running) {
				at = &one->next;
				continue;
			}
			*at = one->next;
			p->count--;
			one->next = list;
			list = one;
		}
	}
	return list;
}

static void report_lost(struct processes *p, struct process *list)
{
	int64_t now_ms = loop_clock_ms();
	p->events.guardian_lost(p->events.data);
	while (list) {
		struct process *one = list;
		list = one->next;
		struct process_exit end = {.pid = one->pid,
			.signal = SIGKILL,
			.guardian_lost = true,
			.started_ms = one->started_ms,
			.ended_ms = now_ms};
		struct wire_message name = wire_message(WIRE_EXIT, one->ref, one->epoch);
		process_free(p, one);
		p->events.exited(p->events.data, name.ref, name.epoch, &end);
	}
}

static void guardian_new(struct processes *p)
{
	enum err e = guardian_start(p->executable, &p->options, &p->socket_fd, &p->guardian_pid);
	if (e) {
		p->state = ALONE;
		p->socket_fd = -1;
		p->guardian_pid = 0;
		processes_try_later(p, RESTART_MS);
		return;
	}
	p->state = GUARDED;
	p->answered = false;
	/* An answer to this tells a guardian that works from one that dies at once. */
	processes_queue_add(p, &p->hello);
	processes_send_queue(p);
}

static void kill_round(struct processes *p)
{
	if (descendants_kill() != 0) {
		processes_try_later(p, p->recheck_ms);
		p->recheck_ms =
			p->recheck_ms >= RECHECK_MAX_MS / 2 ? RECHECK_MAX_MS : 2 * p->recheck_ms;
		return;
	}
	p->guardian_pid = 0;
	p->state = ALONE;
	struct process *list = take_running(p);
	queue_again(p);
	if (!p->answered) {
		/* Nothing ran under this one. */
		assert(!list);
		processes_try_later(p, RESTART_MS);
		return;
	}
	guardian_new(p);
	report_lost(p, list);
}

/* ---- turns --------------------------------------------------------------------------------- */

static void ask_again(struct processes *p)
{
	for (unsigned i = 0; i < PROCESSES_BUCKETS; i++)
		for (struct process *one = p->buckets[i]; one; one = one->next)
			if (one->blind && !one->start.queued)
				processes_queue_add(p, &one->start);
}

void processes_on_timer(void *data)
{
	struct processes *p = data;
	loop_timer_set(p->loop, &p->timer, INT64_MAX, processes_on_timer, p);
	if (p->state == KILLING) {
		kill_round(p);
	} else if (p->state == ALONE) {
		guardian_new(p);
	} else {
		ask_again(p);
		processes_send_queue(p);
	}
}

void processes_on_message(void *data, uint32_t events)
{
	struct processes *p = data;
	enum err e = ERR_OK;
	(void)events;
	for (int i = 0; i < MESSAGES_PER_TURN && !e; i++)
		e = take_message(p);
	if (e == ERR_IO || e == ERR_PROTOCOL)
		guardian_gone(p);
	else
		processes_send_queue(p);
}

/* ---- beginning and end --------------------------------------------------------------------- */

enum err processes_await(struct processes *p)
{
	int64_t until_ms = loop_clock_ms() + PROCESSES_START_MS, left_ms;
	enum err e;
	while ((e = take_message(p)) == ERR_NOT_READY) {
		struct pollfd ready = {.fd = p->socket_fd, .events = POLLIN};
		left_ms = until_ms - loop_clock_ms();
		if (left_ms <= 0 || (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR))
			return ERR_SYSTEM;
	}
	return e ? ERR_SYSTEM : ERR_OK;
}

static void raise_open_files(struct processes *p)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	p->options.open_files = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static enum err keep(int fd, int *ret_fd)
{
	*ret_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd >= 0 && *ret_fd < 0 ? ERR_SYSTEM : ERR_OK;
}

enum err processes_start(struct loop *l, const char *executable, const char *logs_dir,
	int listen_fd, int lock_fd, const char *cgroup, const struct processes_events *events,
	struct processes **ret_processes)
{
	struct processes *p = calloc(1, sizeof *p);
	if (!p)
		return ERR_NO_MEMORY;
	p->loop = l;
	p->events = *events;
	p->last = &p->first;
	p->socket_fd = p->options.listen_fd = p->options.lock_fd = -1;
	p->options.cgroup = cgroup;
	p->hello = (struct request){.verb = WIRE_LIST};
	p->close = (struct request){.verb = WIRE_CLOSE};
	p->executable = strdup(executable);
	p->logs_dir = strdup(logs_dir);
	raise_open_files(p);
	enum err e = p->executable && p->logs_dir ? ERR_OK : ERR_NO_MEMORY;
	if (!e)
		e = loop_timer_set(l, &p->timer, INT64_MAX, processes_on_timer, p);
	if (!e && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		e = ERR_SYSTEM;
	if (!e)
		e = keep(listen_fd, &p->options.listen_fd);
	if (!e)
		e = keep(lock_fd, &p->options.lock_fd);
	if (!e)
		e = guardian_start(executable, &p->options, &p->socket_fd, &p->guardian_pid);
	if (e) {
		processes_free(p);
		return e;
	}
	processes_queue_add(p, &p->hello);
	*ret_processes = p;
	return ERR_OK;
}

static void await_end(pid_t pid)
{
	int fd = pidfd_open(pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	int64_t until_ms = loop_clock_ms() + PROCESSES_FREE_MS;
	while (waitpid(pid, NULL, WNOHANG) == 0 && loop_clock_ms() < until_ms)
		poll(&ended, 1, fd < 0 ? RECHECK_MAX_MS : (int)(until_ms - loop_clock_ms()) + 1);
	if (fd >= 0)
		close(fd);
}

static void finish_killing(void)
{
	int64_t until_ms = loop_clock_ms() + PROCESSES_FREE_MS;
	while (descendants_kill() != 0 && loop_clock_ms() < until_ms)
		poll(NULL, 0, RECHECK_MIN_MS);
}

void processes_free(struct processes *p)
{
	if (!p)
		return;
	loop_timer_cancel(p->loop, &p->timer);
	loop_unwatch(p->loop, &p->io);
	if (p->socket_fd >= 0)
		close(p->socket_fd);
	if (p->state == KILLING)
		finish_killing();
	else if (p->guardian_pid > 0)
		await_end(p->guardian_pid);
	processes_queue_forget(p, NULL);
	for (unsigned i = 0; i < PROCESSES_BUCKETS; i++) {
		for (struct process *one; (one = p->buckets[i]);) {
			processes_table_remove(p, one);
			process_free(p, one);
		}
	}
	if (p->options.listen_fd >= 0)
		close(p->options.listen_fd);
	if (p->options.lock_fd >= 0)
		close(p->options.lock_fd);
	log_total_free(p->logs_total);
	free(p->executable);
	free(p->logs_dir);
	free(p);
}

void processes_close_listener(struct processes *p)
{
	if (p->options.listen_fd < 0)
		return;
	close(p->options.listen_fd);
	p->options.listen_fd = -1;
	if (p->state == GUARDED)
		processes_queue_add(p, &p->close);
}

int processes_guardian_pid(const struct processes *p)
{
	return p->guardian_pid;
}

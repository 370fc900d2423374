#include "server/guardian_state.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/cgroup.h"
#include "server/descendants.h"

/* ---- children ------------------------------------------------------------------------------ */

static struct child **ref_bucket(struct guardian *g, const char *ref)
{
	uint32_t hash = 2166136261U;
	for (; *ref; ref++)
		hash = (hash ^ (uint8_t)*ref) * 16777619U;
	return &g->by_ref[hash % GUARDIAN_BUCKETS];
}

static struct child **pid_bucket(struct guardian *g, pid_t pid)
{
	return &g->by_pid[(unsigned)pid % GUARDIAN_BUCKETS];
}

struct child *guardian_child_by_ref(struct guardian *g, const char *ref)
{
	struct child *c = *ref_bucket(g, ref);
	while (c && strcmp(c->exit.message.ref, ref) != 0)
		c = c->next_by_ref;
	return c;
}

static struct child *child_by_pid(struct guardian *g, pid_t pid)
{
	struct child *c = *pid_bucket(g, pid);
	while (c && c->pid != pid)
		c = c->next_by_pid;
	return c;
}

struct child *guardian_child_new(struct guardian *g, const struct wire_message *request)
{
	struct child *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->guardian = g;
	c->exit.message = wire_message(WIRE_EXIT, request->ref, request->epoch);
	c->exit.fds[0] = c->exit.fds[1] = -1;
	return c;
}

void guardian_child_add(struct guardian *g, struct child *c)
{
	struct child **by_ref = ref_bucket(g, c->exit.message.ref);
	struct child **by_pid = pid_bucket(g, c->pid);
	c->next_by_ref = *by_ref;
	c->next_by_pid = *by_pid;
	*by_ref = *by_pid = c;
	g->child_count++;
}

void guardian_child_remove(struct guardian *g, struct child *c)
{
	struct child **at;
	for (at = ref_bucket(g, c->exit.message.ref); *at != c; at = &(*at)->next_by_ref)
		;
	*at = c->next_by_ref;
	for (at = pid_bucket(g, c->pid); *at != c; at = &(*at)->next_by_pid)
		;
	*at = c->next_by_pid;
	g->child_count--;
}

/* ---- answers ------------------------------------------------------------------------------- */

void guardian_answer_add(struct guardian *g, struct answer *a)
{
	a->next = NULL;
	*g->last = a;
	g->last = &a->next;
	g->answer_count++;
}

void guardian_answer_done(struct guardian *g)
{
	struct answer *a = g->first;
	g->first = a->next;
	if (!g->first)
		g->last = &g->first;
	g->answer_count--;
	for (int i = 0; i < 2; i++)
		if (a->fds[i] >= 0)
			close(a->fds[i]);
	free(a);
}

enum err guardian_send_answers(struct guardian *g)
{
	for (int i = 0; i < GUARDIAN_ANSWERS_PER_TURN && g->first; i++) {
		struct answer *a = g->first;
		enum err e =
			wire_send(g->socket_fd, &a->message, NULL, a->fds, a->fds[0] < 0 ? 0 : 2);
		if (e == ERR_NOT_READY || e == ERR_NO_MEMORY)
			return e;
		/* The daemon is gone: the end of file will tell, and nobody waits for this. */
		guardian_answer_done(g);
	}
	return ERR_OK;
}

struct answer *guardian_answer_new(const struct wire_message *request)
{
	struct answer *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->message = wire_message(request->verb, request->ref, request->epoch);
	a->fds[0] = a->fds[1] = -1;
	return a;
}

/* The answer to the request that is being served; its memory was set aside before. */
struct answer *guardian_reply(struct guardian *g, const struct wire_message *request)
{
	struct answer *a = g->spare;
	assert(a);
	g->spare = NULL;
	uint32_t verb = request->verb < WIRE_VERB_COUNT ? request->verb : WIRE_LIST;
	a->message = wire_message(verb, request->ref, request->epoch);
	guardian_answer_add(g, a);
	return a;
}

void guardian_refuse(
	struct guardian *g, const struct wire_message *request, int error, enum wire_step step)
{
	struct answer *a = guardian_reply(g, request);
	a->message.error = error;
	a->message.step = (int32_t)step;
}

/* ---- the end of a child -------------------------------------------------------------------- */

static void child_report(struct guardian *g, struct child *c)
{
	loop_timer_cancel(g->loop, &c->timer);
	guardian_child_remove(g, c);
	for (int i = 0; i < 2; i++)
		if (c->output[i] >= 0)
			close(c->output[i]);
	guardian_answer_add(g, &c->exit);
}

static bool is_child(void *data, pid_t pid)
{
	const struct child *c = child_by_pid(data, pid);

	return c && !c->ended;
}

/* What left the group, by a session of its own, is known by the name that it was started with. */
static bool strays_gone(const struct child *c)
{
	char mark[WIRE_REF_SIZE + sizeof "HORDE_CHILD_REF="];

	snprintf(mark, sizeof mark, "HORDE_CHILD_REF=%s", c->exit.message.ref);
	return descendants_kill_marked(is_child, c->guardian, mark) == 0;
}

/* The group was killed; members that still die are zombies of parents that are dying too. */
static void check_group(void *data)
{
	struct child *c = data;
	struct guardian *g = c->guardian;
	bool gone = kill(-c->pid, 0) < 0 && errno == ESRCH && strays_gone(c) &&
		    (!c->cgroup || cgroup_remove(g->cgroup, c->cgroup));
	if (gone || loop_clock_ms() - c->exit.message.ended_ms >= GUARDIAN_GROUP_WAIT_MS) {
		child_report(g, c);
		return;
	}
	c->recheck_ms = c->recheck_ms >= GUARDIAN_RECHECK_MAX_MS / 2 ? GUARDIAN_RECHECK_MAX_MS
								     : 2 * c->recheck_ms;
	if (loop_timer_set(
		    g->loop, &c->timer, loop_now_ms(g->loop) + c->recheck_ms, check_group, c))
		child_report(g, c);
}

/* `status` as of waitpid. The group was killed while its number was still taken by the leader. */
static void child_ended(struct child *c, int status)
{
	struct wire_message *m = &c->exit.message;
	m->ended_ms = loop_clock_ms();
	m->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	m->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	m->core = WIFSIGNALED(status) && WCOREDUMP(status);
	m->oom = c->cgroup && cgroup_out_of_memory(c->guardian->cgroup, c->cgroup);
	c->ended = true;
	c->recheck_ms = GUARDIAN_RECHECK_MIN_MS;
	loop_timer_cancel(c->guardian->loop, &c->timer);
	check_group(c);
}

void guardian_reap(struct guardian *g)
{
	siginfo_t info = {0};
	/* Looking first and reaping then: until it is reaped, its pid names its own group. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		int status = 0;
		struct child *c = child_by_pid(g, info.si_pid);
		/* A zombie is never in the table as `ended`: that one's pid could be anyone's. */
		if (c && c->ended)
			c = NULL;
		if (c)
			kill(-c->pid, SIGKILL);
		pid_t pid = waitpid(info.si_pid, &status, WNOHANG);
		if (c && pid == c->pid)
			child_ended(c, status);
		info.si_pid = 0;
	}
}

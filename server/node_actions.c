#include "server/node_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/utf8.h"
#include "server/log.h"
#include "server/port_free.h"

/* ---- what could not be done at once ---- */

/*
 * A start that failed must be told and a stop must not be forgotten, so this waits for memory when
 * there is none: a supervisor that stands still for a moment is better than one that lost a child.
 */
static struct pending *pending_add(struct node *n, const char *ref, uint64_t epoch)
{
	struct pending *item;

	while (n->pending_count == n->pending_size) {
		size_t size = n->pending_size ? 2 * n->pending_size : 16;
		struct pending *items = reallocarray(n->pending, size, sizeof *items);
		if (items) {
			n->pending = items;
			n->pending_size = size;
		} else {
			log_event(LOG_LEVEL_ERROR, "memory.none", ref, "waiting for some");
			usleep(NODE_RETRY_MS * 1000);
		}
	}
	item = &n->pending[n->pending_count++];
	*item = (struct pending){.epoch = epoch};
	snprintf(item->ref, sizeof item->ref, "%s", ref);
	return item;
}

static void start_failed(
	struct node *n, const char *ref, uint64_t epoch, const char *error, uint16_t port)
{
	struct event e = {.kind = EVENT_START_FAILED};

	e.process.ref = ref;
	e.process.epoch = epoch;
	e.process.error = error;
	e.process.port = port;
	node_step(n, &e);
}

/* One stop; false when it has to be tried again. */
static bool stop(struct node *n, const char *ref, uint64_t epoch, int sig, int64_t timeout_ms)
{
	enum err e = processes_stop(n->processes, ref, epoch, sig, timeout_ms);

	/* Gone already: its exit was told, or is on its way. */
	return e == ERR_OK || e == ERR_NOT_FOUND;
}

bool node_run_pending(struct node *n)
{
	size_t kept = 0;

	/* Telling a failure may add more behind; they are taken in the same pass. */
	for (size_t i = 0; i < n->pending_count; i++) {
		struct pending item = n->pending[i];
		if (item.failed)
			start_failed(n, item.ref, item.epoch, item.error, item.port);
		else if (!stop(n, item.ref, item.epoch, item.signal, item.timeout_ms))
			n->pending[kept++] = item;
	}
	n->pending_count = kept;
	return kept > 0;
}

/* ---- actions ---- */

static void do_spawn(struct node *n, const struct action *a)
{
	const struct port *taken = port_taken(a->ports);
	char error[ERROR_BYTES_MAX];
	struct pending *item;

	if (taken)
		snprintf(error, sizeof error, "ports.%s: EADDRINUSE", taken->name);
	else if (!node_spawn(n, a, error))
		return;
	item = pending_add(n, a->ref, a->epoch);
	item->failed = true;
	item->port = taken ? taken->number : 0;
	snprintf(item->error, sizeof item->error, "%s", error);
}

/* Whatever comes of it, the signal is sent. */
static void tell_why(struct node *n, const struct action *a)
{
	if (a->timeout_ms > 0 && n->run_dirs && run_dir_tell(n->run_dirs, a->ref, a->why))
		log_event(LOG_LEVEL_WARN, "child.stop_reason", a->ref, "could not be told: %s",
			strerror(errno));
}

static void do_stop(struct node *n, const struct action *a)
{
	struct pending *item;

	tell_why(n, a);
	if (stop(n, a->ref, a->epoch, a->signal, a->timeout_ms))
		return;
	item = pending_add(n, a->ref, a->epoch);
	item->signal = a->signal;
	item->timeout_ms = a->timeout_ms;
}

static void do_signal(struct node *n, const struct action *a)
{
	enum err e = processes_signal(n->processes, a->ref, a->epoch, a->signal, a->group);

	if (e && e != ERR_NOT_FOUND)
		log_event(LOG_LEVEL_WARN, "child.signal_lost", a->ref, "%s", err_text(e));
}

/* Without memory no event comes, and the core takes the try for a failed one in time. */
static void do_probe(struct node *n, const struct action *a)
{
	if (probes_begin(n->probes, a))
		log_event(LOG_LEVEL_WARN, "child.probe_lost", a->ref, "no memory");
}

static void do_poll(struct node *n, const struct action *a)
{
	struct peers_ask ask = {.poll = a->poll,
		.ack = &n->acked,
		.wait_ms = a->timeout_ms,
		.digest = a->kind == ACTION_DIGEST,
		.repair = a->repair};
	struct block_sums sums = {0};
	struct hello self;

	horde_hello(n->horde, &self);
	if (ask.digest && map_block_sums(horde_map(n->horde), &sums) == ERR_OK)
		ask.sums = &sums;
	peers_poll(n->peers, a->link, a->url, &self, &ask);
	block_sums_fini(&sums);
}

static void do_hello(struct node *n, const struct action *a)
{
	struct hello self;

	horde_hello(n->horde, &self);
	peers_hello(n->peers, a->link, a->url, &self);
}

static void do_goodbye(struct node *n, const struct action *a)
{
	struct hello self;

	horde_hello(n->horde, &self);
	peers_goodbye(n->peers, a->url, &self, a->reason, a->timeout_ms);
}

/* An opinion shows in members, and in the children and names of a member: all of them watch this.
 */
static void do_wake(struct node *n)
{
	node_wake(n, "member/", strlen("member/"));
}

static void do_exit(struct node *n)
{
	if (n->exiting)
		return;
	n->exiting = true;
	n->exit_ms = loop_now_ms(n->config.loop) + NODE_EXIT_MS;
	/* No child is left, so the guardian need not vouch for any. */
	processes_close_listener(n->processes);
}

static void carry_out(struct node *n, const struct action *a)
{
	switch (a->kind) {
	case ACTION_HELLO:
		do_hello(n, a);
		break;
	case ACTION_POLL:
	case ACTION_DIGEST:
		do_poll(n, a);
		break;
	case ACTION_UNLINK:
		peers_unlink(n->peers, a->link);
		break;
	case ACTION_GOODBYE:
		do_goodbye(n, a);
		break;
	case ACTION_SPAWN:
		do_spawn(n, a);
		break;
	case ACTION_STOP:
		do_stop(n, a);
		break;
	case ACTION_SIGNAL:
		do_signal(n, a);
		break;
	case ACTION_PROBE:
		do_probe(n, a);
		break;
	case ACTION_UNPROBE:
		probes_drop(n->probes, a->ref);
		break;
	case ACTION_CLUSTER:
		node_keep_cluster(n, a->cluster_id);
		break;
	case ACTION_WAKE:
		do_wake(n);
		break;
	case ACTION_ACKED:
		node_wake(n, "ack", strlen("ack"));
		break;
	case ACTION_DUMP:
		node_dump(n, a->url, a->fragment);
		break;
	case ACTION_LOG:
		log_event(log_level_of(a->event), a->event, a->subject, "%s", a->detail);
		break;
	case ACTION_EXIT:
		do_exit(n);
		break;
	}
}

void node_carry_out(struct node *n)
{
	for (size_t i = 0; i < n->actions.used; i++)
		carry_out(n, &n->actions.items[i]);
}

/* ---- what processes report ---- */

static void on_started(void *data, const char *ref, uint64_t epoch, int pid)
{
	struct event e = {.kind = EVENT_STARTED};
	struct node *n = data;

	if (probes_own(ref))
		return;

	e.process.ref = ref;
	e.process.epoch = epoch;
	e.process.pid = pid;
	node_step(n, &e);
	notify_started(n->notify, ref, epoch, pid);
}

/* Unless another one follows at once, which takes it over. */
static void drop_run_dir(struct node *n, const char *ref)
{
	if (!horde_child_process(n->horde, ref))
		run_dir_drop(n->run_dirs, ref);
}

static void on_failed(
	void *data, const char *ref, uint64_t epoch, int errno_value, const char *step)
{
	const char *name = strerrorname_np(errno_value);
	struct node *n = data;
	char error[64];

	snprintf(error, sizeof error, "%s: %s", step, name ? name : "unknown error");
	if (probes_own(ref)) {
		probes_ended(n->probes, ref, error);
		return;
	}
	notify_failed(n->notify, ref, epoch);
	start_failed(n, ref, epoch, error, 0);
	drop_run_dir(n, ref);
}

/* What a helper's end means: success, or why not. */
static void helper_ended(struct node *n, const char *ref, const struct process_exit *exit)
{
	char why[PROBES_WHY_BYTES];

	snprintf(why, sizeof why, exit->signal ? "signal %d" : "exit code %d",
		exit->signal ? exit->signal : exit->code);
	probes_ended(n->probes, ref, exit->signal || exit->code ? why : NULL);
}

/* As text, without its last newline. */
static void mend_tail(const struct process_exit *exit, char ret_tail[EXIT_TAIL_BYTES_MAX + 1])
{
	size_t count =
		exit->tail_bytes < EXIT_TAIL_BYTES_MAX ? exit->tail_bytes : EXIT_TAIL_BYTES_MAX;

	if (count)
		memcpy(ret_tail, exit->tail + exit->tail_bytes - count, count);
	if (count && ret_tail[count - 1] == '\n')
		count--;
	utf8_mend(ret_tail, count);
	ret_tail[count] = '\0';
}

static void on_exited(void *data, const char *ref, uint64_t epoch, const struct process_exit *exit)
{
	struct event e = {.kind = EVENT_EXITED};
	char tail[EXIT_TAIL_BYTES_MAX + 1];
	struct node *n = data;

	if (probes_own(ref)) {
		helper_ended(n, ref, exit);
		return;
	}

	mend_tail(exit, tail);
	notify_ended(n->notify, exit->pid);
	e.process.ref = ref;
	e.process.epoch = epoch;
	e.process.pid = exit->pid;
	e.process.end = (struct process_end){
		.code = exit->signal ? -1 : exit->code,
		.signal = exit->signal,
		.core_dumped = exit->core,
		.oom_killed = exit->oom,
		.guardian_lost = exit->guardian_lost,
		.tail = tail,
	};
	node_step(n, &e);
	drop_run_dir(n, ref);
}

static void on_guardian_lost(void *data)
{
	struct event e = {.kind = EVENT_GUARDIAN_LOST};

	node_step(data, &e);
}

static bool is_needed(void *data, const char *ref)
{
	const struct node *n = data;
	struct child_view view;

	horde_child(n->horde, ref, &view);
	return view.spec != NULL;
}

static void on_printed(void *data, const char *ref)
{
	char key[REF_BYTES_MAX + sizeof "logs/"];
	int bytes = snprintf(key, sizeof key, "logs/%s", ref);

	node_wake(data, key, (size_t)bytes);
}

const struct processes_events node_process_events = {
	.printed = on_printed,
	.needed = is_needed,
	.started = on_started,
	.failed = on_failed,
	.exited = on_exited,
	.guardian_lost = on_guardian_lost,
};

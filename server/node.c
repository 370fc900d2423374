#include "server/node_inside.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "api/events.h"
#include "server/log.h"

#define HOUR_MS (60 * 60 * (int64_t)1000)

void node_wake(struct node *n, const char *key, size_t bytes)
{
	/* The first changes come before there is a server. */
	if (n->http)
		http_wake_key(n->http, key, bytes);
	n->woken = true;
}

static enum err draw(struct origin_id *ret)
{
	return getrandom(ret, sizeof *ret, 0) == (ssize_t)sizeof *ret ? ERR_OK : ERR_SYSTEM;
}

static void wake_listeners(struct node *n)
{
	const struct events *ev = horde_events(n->horde);

	if (!n->http)
		n->events_told = events_last(ev);
	else if (events_wake(n->http, ev, &n->events_told))
		n->woken = true;
}

enum err node_step(struct node *n, struct event *e)
{
	enum err err;

	assert(!n->stepping);
	n->stepping = true;
	e->now_ms = loop_now_ms(n->config.loop);
	e->wall_ms = loop_wall_ms();
	/* Without it a fork is found again by the next exchange. */
	if ((e->kind == EVENT_FRAGMENT || e->kind == EVENT_POLLED) && draw(&e->fresh))
		e->fresh = (struct origin_id){0, 0};
	actions_clear(&n->actions);
	err = horde_step(n->horde, e, &n->actions);
	node_keep_changes(n, &n->actions.changes);
	wake_listeners(n);
	node_carry_out(n);
	n->stepping = false;
	return err;
}

/* ---- a turn of the loop ---- */

static void tick(struct node *n)
{
	struct event e = {.kind = EVENT_TICK};

	if (horde_deadline_ms(n->horde) <= loop_now_ms(n->config.loop))
		node_step(n, &e);
}

/*
 * The core is done: what is left is to store the last batch and to let the peers have it. Their
 * parked polls are answered with it in this turn's http_turn, and the drain then ends what parks
 * anew; a peer that reconnects is refused, which tells it the rest.
 */
static void leave(struct node *n)
{
	bool late = loop_now_ms(n->config.loop) >= n->exit_ms;
	bool told = peers_goodbyes(n->peers) == 0 && writer_pending(n->writer) == 0 &&
		    n->batch.count == 0;

	if ((told || late) && !n->drained) {
		n->drained = true;
		http_drain(n->http);
		n->woken = true;
	} else if (n->drained && (http_busy(n->http) == 0 || late)) {
		loop_stop(n->config.loop);
	}
}

static int least(int64_t a, int64_t b)
{
	if (a < 0 || (b >= 0 && b < a))
		a = b;
	return a > INT32_MAX ? INT32_MAX : (int)a;
}

static int64_t until(int64_t at_ms)
{
	int64_t left = at_ms - loop_clock_ms();

	return left < 0 ? 0 : left;
}

static int node_turn(void *data)
{
	struct node *n = data;
	int64_t declare_ms;
	bool waits;
	int sleep_ms;

	tick(n);
	declare_ms = node_declare(n);
	waits = node_run_pending(n);
	n->woken = false;
	/* Who waits for news is answered first, then the disk gets its work, then the next polls go
	 * out: nobody waits for those. */
	sleep_ms = http_turn(n->http);
	/* Handlers may have called peers, or caused a start that failed. */
	waits = node_run_pending(n) || waits;
	waits = node_commit(n) || waits;
	peers_turn(n->peers);
	probes_turn(n->probes);
	dispatches_turn(n->dispatches);
	waits = node_commit(n) || waits;
	waits = run_dirs_sweep(n->run_dirs) || waits;
	if (n->exiting)
		leave(n);
	if (n->woken)
		return 0;
	if (waits)
		sleep_ms = least(sleep_ms, NODE_RETRY_MS);
	if (n->exiting)
		sleep_ms = least(sleep_ms, until(n->exit_ms));
	if (declare_ms != INT64_MAX)
		sleep_ms = least(sleep_ms, until(declare_ms));
	if (horde_deadline_ms(n->horde) != INT64_MAX)
		sleep_ms = least(sleep_ms, until(horde_deadline_ms(n->horde)));
	return sleep_ms;
}

int node_run(struct node *n)
{
	enum err e;

	loop_run(n->config.loop, node_turn, n);
	loop_unwatch(n->config.loop, &n->stored_io);
	e = writer_stop(n->writer, NODE_FLUSH_MS, NULL, NULL);
	n->writer = NULL;
	if (e)
		log_event(LOG_LEVEL_ERROR, "storage.lost", n->config.directory->path,
			"the last changes could not be stored: %s", err_text(e));
	else
		log_event(LOG_LEVEL_INFO, "node.stopped", NULL, NULL);
	return e ? 1 : 0;
}

void node_terminate(struct node *n)
{
	struct event e = {.kind = EVENT_STOP};

	if (n->terminating) {
		log_event(LOG_LEVEL_WARN, "node.hurry", NULL, "told to stop again: killing");
		loop_stop(n->config.loop);
		return;
	}
	n->terminating = true;
	log_event(LOG_LEVEL_INFO, "node.stopping", NULL, NULL);
	e.stop.reason = n->config.options->on_terminate == ON_TERMINATE_LEAVE ? GOODBYE_LEAVE
									      : GOODBYE_RESTART;
	e.stop.back_within_ms = n->config.options->back_within_ms;
	node_step(n, &e);
}

/* ---- start ---- */

static enum err make_core(struct node *n)
{
	const struct options *o = n->config.options;
	char place[PATH_MAX];
	bool placed = run_dirs_place(n->config.directory->path, place);
	struct horde_config c = {
		.name = o->name,
		.url = n->config.url,
		.cluster = o->cluster,
		.local_url = n->config.local_url,
		.run_dirs = placed ? place : NULL,
		.port_first = o->port_first,
		.port_last = o->port_last,
		.joins = o->join.count > 0,
		.startup_grace_ms = o->startup_grace_ms,
		.restart_grace_ms = o->restart_grace_ms,
		.start_parallel = (uint32_t)o->start_parallel,
		.kill_log_max = (size_t)o->kill_log_max,
		.kill_log_age_ms = o->kill_log_hours * HOUR_MS,
	};

	if (!origin_from_hex(n->config.directory->node_id, &c.node_id))
		return ERR_STORAGE_CORRUPT;
	if (draw(&c.incarnation) || draw(&c.new_cluster_id))
		return ERR_SYSTEM;
	return horde_new(&c, &n->horde);
}

static void on_event(void *data, struct event *e)
{
	node_step(data, e);
}

static const struct vector *retired(void *data, uint64_t *ret_hash)
{
	struct node *n = data;

	return horde_retired(n->horde, ret_hash);
}

static void on_call_ended(void *data, uint64_t ticket)
{
	char key[32];
	int bytes = snprintf(key, sizeof key, "call/%llu", (unsigned long long)ticket);

	node_wake(data, key, (size_t)bytes);
}

static enum err make_peers(struct node *n)
{
	struct peers_config c = {
		.loop = n->config.loop,
		.secret = n->config.options->secret,
		.event = on_event,
		.call_ended = on_call_ended,
		.retired = retired,
		.data = n,
	};

	return peers_new(&c, &n->peers);
}

static enum err on_exec(void *data, const char *name, const struct action *a)
{
	return node_spawn_helper(data, a, name);
}

static void on_kill(void *data, const char *name, uint64_t epoch)
{
	processes_stop(((struct node *)data)->processes, name, epoch, SIGKILL, 0);
}

static enum err make_probes(struct node *n)
{
	struct probes_config c = {.loop = n->config.loop,
		.event = on_event,
		.exec = on_exec,
		.kill = on_kill,
		.data = n};

	return probes_new(&c, &n->probes);
}

static int guardian_pid(void *data)
{
	return processes_guardian_pid(((struct node *)data)->processes);
}

static enum err make_notify(struct node *n, char why[NODE_WHY_BYTES])
{
	struct notify_config c = {
		.loop = n->config.loop, .guardian_pid = guardian_pid, .event = on_event, .data = n};
	enum err e = notify_new(&c, &n->notify);

	if (e)
		snprintf(why, NODE_WHY_BYTES, "cannot make the socket for sd_notify: %s",
			e == ERR_SYSTEM ? strerror(errno) : err_text(e));
	return e;
}

static enum err make_processes(struct node *n, char why[NODE_WHY_BYTES])
{
	struct processes_events events = node_process_events;
	char logs[DIRECTORY_PATH_MAX + 8];
	enum err e;

	events.data = n;
	snprintf(logs, sizeof logs, "%s/logs", n->config.directory->path);
	e = processes_start(n->config.loop, "/proc/self/exe", logs, n->config.listen_fd,
		n->config.directory->lock_fd, n->config.options->cgroup, &events, &n->processes);
	if (e)
		snprintf(why, NODE_WHY_BYTES, "cannot start the guardian: %s", strerror(errno));
	return e;
}

/* Where what children print goes, and how much of it there may be. */
static enum err make_logs(struct node *n, char why[NODE_WHY_BYTES])
{
	const struct options *o = n->config.options;
	enum err e = processes_limit_logs(n->processes, (uint64_t)o->logs_total);

	if (!e && o->logs != LOGS_FILE)
		e = log_lines_new(n->config.loop, STDOUT_FILENO, o->name, &n->lines);
	if (!e)
		processes_print_logs(n->processes, n->lines, o->logs != LOGS_STDOUT);
	else
		snprintf(why, NODE_WHY_BYTES, "cannot make the logs: %s", err_text(e));
	return e;
}

/* Children run without, too. Not before the lock is held: another daemon's stand there until then.
 */
static void make_run_dirs(struct node *n)
{
	if (run_dirs_open(n->config.directory->path, &n->run_dirs))
		log_event(LOG_LEVEL_WARN, "run_dir.none", n->config.directory->path,
			"no place for what children have while they run: %s", strerror(errno));
}

static enum err await_processes(struct node *n, char why[NODE_WHY_BYTES])
{
	enum err e = processes_await(n->processes);

	if (e)
		snprintf(why, NODE_WHY_BYTES, "the guardian does not answer");
	return e;
}

static enum err make_writer(struct node *n)
{
	enum err e = writer_start(n->config.store, &n->writer);

	if (e)
		return e;
	n->config.store = (struct store){0};
	return node_watch_writer(n);
}

static void begin(struct node *n)
{
	struct event e = {.kind = EVENT_START};

	e.start.cluster_id = n->cluster_id;
	node_step(n, &e);
	for (size_t i = 0; i < n->config.options->join.count; i++) {
		e = (struct event){.kind = EVENT_JOIN};
		e.join.url = n->config.options->join.items[i];
		e.join.keep = true;
		node_step(n, &e);
	}
}

/*
 * The guardian first, since it is executed and must not inherit threads; it begins while the rest
 * is made. The server last.
 */
static enum err make_all(struct node *n, char why[NODE_WHY_BYTES])
{
	enum err e = make_processes(n, why);

	if (!e)
		e = make_core(n);
	if (!e)
		e = node_load(n, why);
	if (!e)
		e = make_logs(n, why);
	if (!e)
		e = make_writer(n);
	if (!e)
		e = node_open_snapshots(n, why);
	if (!e)
		e = make_peers(n);
	if (!e)
		e = make_probes(n);
	if (!e)
		e = make_notify(n, why);
	if (!e)
		e = node_make_dispatches(n);
	if (!e)
		e = await_processes(n, why);
	if (!e)
		e = node_serve(n, why);
	if (!e) {
		make_run_dirs(n);
		begin(n);
		node_begin_declared(n);
		e = directory_write_url(n->config.directory, n->config.local_url);
		if (e)
			snprintf(why, NODE_WHY_BYTES, "cannot write %s/url: %s",
				n->config.directory->path, err_text(e));
	}
	return e;
}

enum err node_start(
	const struct node_config *config, struct node **ret_node, char why[NODE_WHY_BYTES])
{
	struct node *n = calloc(1, sizeof *n);
	enum err e;

	why[0] = '\0';
	if (!n) {
		store_close(config->store);
		close(config->listen_fd);
		snprintf(why, NODE_WHY_BYTES, "%s", err_text(ERR_NO_MEMORY));
		return ERR_NO_MEMORY;
	}
	n->config = *config;
	n->batch_number = 1;
	e = make_all(n, why);
	if (e) {
		if (!why[0])
			snprintf(why, NODE_WHY_BYTES, "cannot start: %s", err_text(e));
		node_free(n);
		return e;
	}
	*ret_node = n;
	return ERR_OK;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	loop_unwatch(n->config.loop, &n->stored_io);
	writer_stop(n->writer, NODE_FLUSH_MS, NULL, NULL);
	store_close(n->config.store);
	/* Before the peers: requests that end now give their calls back. */
	if (n->http)
		http_stop(n->http);
	else if (n->config.listen_fd >= 0)
		close(n->config.listen_fd);
	n->http = NULL;
	node_snapshots_fini(n);
	peers_free(n->peers);
	probes_free(n->probes);
	dispatches_free(n->dispatches);
	if (n->processes)
		processes_free(n->processes);
	log_lines_free(n->lines);
	run_dirs_close(n->run_dirs);
	notify_free(n->notify);
	horde_free(n->horde);
	actions_fini(&n->actions);
	node_store_fini(n);
	node_declared_fini(n);
	free(n->pending);
	free(n);
}

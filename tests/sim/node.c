/* One simulated node: boots from its disk, steps the core, carries out what it wants. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/records.h"
#include "storage/changes.h"
#include "storage/store.h"

struct proc *proc_find(struct node *n, const char *ref)
{
	for (struct proc *p = n->procs; p; p = p->next)
		if (strcmp(p->ref, ref) == 0)
			return p;
	return NULL;
}

/* ---- loading ---- */

struct loading {
	struct horde *h;
	struct origin_id cluster_id;
};

static enum err load_setting(
	void *data, const char *name, size_t name_length, const char *text, size_t text_length)
{
	struct loading *l = data;
	char hex[ORIGIN_HEX_BYTES] = "";

	if (name_length == 10 && memcmp(name, "cluster_id", 10) == 0 && text_length == 32) {
		memcpy(hex, text, 32);
		origin_from_hex(hex, &l->cluster_id);
	}
	return ERR_OK;
}

static enum err load_vector(
	void *data, struct origin_id origin, uint64_t count, uint64_t floor, uint64_t chain)
{
	struct loading *l = data;

	return map_load_vector(horde_map_mutable(l->h), origin, count, floor, chain);
}

static enum err load_entry(void *data, struct dot dot, uint64_t clock, const char *key,
	size_t key_length, const char *value, size_t value_length)
{
	struct loading *l = data;
	struct record *r = NULL;
	enum err err = record_decode(key, key_length, value, value_length, &r);

	if (err != ERR_OK)
		return err;
	return map_load_entry(
		horde_map_mutable(l->h), dot, clock, key, key_length, value, value_length, r);
}

static enum err load_kill(void *data, struct dot killer, struct dot victim)
{
	struct loading *l = data;

	return map_load_kill(horde_map_mutable(l->h), killer, victim);
}

static struct origin_id load(struct world *w, struct node *n)
{
	struct loading l = {.h = n->h};
	struct store_visitor visitor = {
		.data = &l,
		.setting = load_setting,
		.vector = load_vector,
		.entry = load_entry,
		.kill = load_kill,
	};

	if (store_load(memory_open(n->disk), &visitor) != ERR_OK ||
		map_load_end(horde_map_mutable(n->h)) != ERR_OK)
		fail(w, "%s cannot load its store", n->name);
	return l.cluster_id;
}

static void join(struct world *w, struct node *n)
{
	for (int i = 0; i < w->count; i++) {
		struct event e = {.kind = EVENT_JOIN, .join = {w->nodes[i].url, true}};

		if (i == n->index || (n->index == 0 && !w->faults.all_join))
			continue;
		if (i == 0 || n->index == 0 || n == w->twin || w->faults.all_join || percent(w, 30))
			node_step(w, n, &e);
	}
}

void node_make(struct world *w, int index, const struct node *twin_of)
{
	struct node *n = &w->nodes[index];

	n->index = index;
	n->node_id = twin_of ? twin_of->node_id : (struct origin_id){chance(w), chance(w)};
	snprintf(n->host, sizeof(n->host), "n%d", (twin_of ? twin_of->index : index) + 1);
	snprintf(n->name, sizeof(n->name), twin_of ? "twin of n%d" : "n%d",
		(twin_of ? twin_of->index : index) + 1);
	snprintf(n->url, sizeof(n->url), "http://10.0.0.%d:4750", index + 1);
	if (memory_disk_new(&n->disk) != ERR_OK)
		abort();
}

/* What was acknowledged as stored in the former life, and is not on the disk of this one. */
static void note_lost_suffix(struct world *w, struct node *n)
{
	if (n->power_lost && !vector_covers(map_vector(horde_map(n->h)), &n->acked)) {
		faults_count(w, FAULT_UNSYNCED);
		tracef(w, "%s has lost its last commits", n->name);
	}
	n->power_lost = false;
}

void node_boot(struct world *w, int index, struct origin_id life)
{
	struct node *n = &w->nodes[index];
	struct horde_config config = {
		.node_id = n->node_id,
		.incarnation = {chance(w), chance(w)},
		.new_cluster_id = {chance(w), chance(w)},
		.name = n->host,
		.url = n->url,
		.cluster = "sim",
		.joins = index != 0 || w->faults.all_join,
		.startup_grace_ms = 3000,
		.start_parallel = w->start_parallel,
		.kill_log_max = w->kill_log_max,
		.kill_log_age_ms = 8000,
	};
	struct event e = {.kind = EVENT_START};

	if (!origin_is_zero(life))
		config.incarnation = life;
	n->incarnation = config.incarnation;
	n->up = true;
	n->life++;
	n->tick_ms = INT64_MAX;
	n->stored = 0;
	clock_begin(w, n);
	vector_fini(&n->before);
	if (horde_new(&config, &n->h) != ERR_OK)
		abort();
	e.start.cluster_id = load(w, n);
	note_lost_suffix(w, n);
	tells_read_all(n);
	vector_fini(&n->acked);
	if (vector_copy(map_vector(horde_map(n->h)), &n->acked) != ERR_OK ||
		vector_copy(map_vector(horde_map(n->h)), &n->before) != ERR_OK)
		abort();
	tracef(w, "%s boots, life %llu", n->name, (unsigned long long)n->life);
	node_step(w, n, &e);
	join(w, n);
}

void proc_free(struct proc *p)
{
	ports_fini(&p->ports);
	free(p);
}

static void drop_procs(struct node *n)
{
	while (n->procs) {
		struct proc *p = n->procs;

		n->procs = p->next;
		proc_free(p);
	}
}

static void drop_pending(struct node *n)
{
	while (n->pending) {
		struct pending *p = n->pending;

		n->pending = p->next;
		batch_fini(&p->batch);
		vector_fini(&p->vector);
		free(p);
	}
	n->storing = false;
	batch_clear(&n->batch);
}

void node_terminate(struct world *w, int index)
{
	struct event e = {.kind = EVENT_STOP};

	e.stop.reason = percent(w, 50) ? GOODBYE_RESTART : GOODBYE_LEAVE;
	e.stop.back_within_ms = 2000;
	tracef(w, "%s is told to %s", w->nodes[index].name,
		e.stop.reason == GOODBYE_LEAVE ? "leave" : "restart");
	node_step(w, &w->nodes[index], &e);
}

/* It has stopped everything: what is left goes to disk, and it is gone. */
static void node_exit(struct world *w, struct node *n)
{
	for (struct pending *p = n->pending; p; p = p->next) {
		const struct store_batch *batch = &p->batch;

		if (store_commit(memory_open(n->disk), &batch, 1) != ERR_OK)
			break; /* a full disk: it ends all the same, and says so */
	}
	if (n->procs)
		fail(w, "%s exits with processes", n->name);
	node_crash(w, n->index);
}

/* What the disk still holds back survives the process, and not a loss of power. */
static void stop_disk(struct node *n)
{
	if (!n->power_lost && (memory_disk_unsynced(n->disk, 0) != ERR_OK ||
				      memory_disk_unsynced(n->disk, n->unsynced) != ERR_OK))
		abort();
	memory_disk_crash(n->disk);
}

/* kill -9: what was not committed is gone, and so are the children. */
void node_crash(struct world *w, int index)
{
	struct node *n = &w->nodes[index];

	tracef(w, "%s is gone", n->name);
	n->up = false;
	n->exiting = false;
	net_forget(w, n);
	drop_procs(n);
	drop_pending(n);
	tells_forget(n);
	horde_free(n->h);
	n->h = NULL;
	n->frozen_ms = 0;
	memset(n->outstanding, 0, sizeof(n->outstanding));
	stop_disk(n);
}

void node_fini(struct node *n)
{
	drop_procs(n);
	drop_pending(n);
	batch_fini(&n->batch);
	tells_forget(n);
	horde_free(n->h);
	actions_fini(&n->actions);
	memory_disk_free(n->disk);
	memory_disk_free(n->backup);
	vector_fini(&n->before);
	vector_fini(&n->acked);
	for (int i = 0; i <= MEMBERS_MAX; i++)
		vector_fini(&n->asked[i]);
	for (size_t i = 0; i < sizeof(n->parked) / sizeof(n->parked[0]); i++)
		poll_fini(&n->parked[i].poll);
}

/* ---- processes ---- */

static void spawn(struct world *w, struct node *n, const struct action *a)
{
	struct proc *p = calloc(1, sizeof(*p));
	struct happening *e;
	bool fails = faults_strike(w, FAULT_FLAKY, 15);

	if (!p)
		abort();
	starts_check(w, n, a, p);
	if (!ports_dup(a->ports, &p->ports))
		abort();
	snprintf(p->ref, sizeof(p->ref), "%s", a->ref);
	p->epoch = a->epoch;
	p->own_process_hash = a->spec->process_hash;
	p->process_hash = spec_inherit(a->spec, a->defaults).process_hash;
	p->pid = ++w->pids;
	p->next = n->procs;
	n->procs = p;
	w->last_start_ms = w->now_ms;
	w->starts++;
	tracef(w, "%s starts %s epoch %llu", n->name, a->ref, (unsigned long long)a->epoch);
	e = schedule(w, 1 + (int64_t)below(w, 20), fails ? AT_START_FAILED : AT_STARTED, n->index);
	snprintf(e->ref, sizeof(e->ref), "%s", a->ref);
	e->epoch = a->epoch;
	e->pid = p->pid;
	if (fails && p->ports.count > 0)
		e->number = p->ports.items[below(w, p->ports.count)].number; /* a stranger has it */
	if (fails || !faults_strike(w, FAULT_FLAKY, 40))
		return;
	p->ending = true;
	e = schedule(w, 30 + (int64_t)below(w, 3000), AT_EXITED, n->index);
	snprintf(e->ref, sizeof(e->ref), "%s", a->ref);
	e->epoch = a->epoch;
	e->pid = p->pid;
}

static void stop(struct world *w, struct node *n, const struct action *a)
{
	struct proc *p = proc_find(n, a->ref);
	struct happening *e;

	if (!p || p->epoch != a->epoch || p->stopping)
		return;
	p->stopping = true;
	tracef(w, "%s stops %s", n->name, a->ref);
	e = schedule(w, 25 + (int64_t)below(w, (uint64_t)a->timeout_ms + 1), AT_EXITED, n->index);
	snprintf(e->ref, sizeof(e->ref), "%s", a->ref);
	e->epoch = a->epoch;
	e->pid = p->pid;
}

/* Nobody answers for a process that is gone by then, and sometimes nobody does at all. */
static void probe(struct world *w, struct node *n, const struct action *a)
{
	const struct proc *p = proc_find(n, a->ref);
	struct happening *e;

	w->probes++;
	if (!p || p->epoch != a->epoch)
		fail(w, "%s tries %s, which does not run there", n->name, a->ref);
	if (!p || faults_strike(w, FAULT_FLAKY, 2))
		return;
	e = schedule(w, 1 + (int64_t)below(w, (uint64_t)a->timeout_ms), AT_PROBED, n->index);
	snprintf(e->ref, sizeof(e->ref), "%s", a->ref);
	e->epoch = a->epoch;
	e->pid = p->pid;
	e->check = a->check;
	e->number = a->number;
	e->ok = !faults_strike(w, FAULT_FLAKY, 50);
	w->sick += !e->ok;
}

/* ---- the step ---- */

static void cut_batch(struct world *w, struct node *n)
{
	struct pending *p, **at;

	if (n->batch.count == 0)
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->batch = n->batch;
	n->batch = (struct store_batch){0};
	p->number = horde_batch_cut(n->h);
	if (vector_copy(map_vector(horde_map(n->h)), &p->vector) != ERR_OK)
		abort();
	for (at = &n->pending; *at; at = &(*at)->next)
		;
	*at = p;
	if (!n->storing) {
		n->storing = true;
		schedule(w, faults_strike(w, FAULT_SLOW_DISK, 100) ? (int64_t)below(w, 300) : 1,
			AT_STORED, n->index);
	}
}

static void carry_out(struct world *w, struct node *n)
{
	for (size_t i = 0; i < n->actions.used; i++) {
		const struct action *a = &n->actions.items[i];
		char hex[ORIGIN_HEX_BYTES];

		switch (a->kind) {
		case ACTION_SPAWN:
			spawn(w, n, a);
			break;
		case ACTION_STOP:
			stop(w, n, a);
			break;
		case ACTION_PROBE:
			probe(w, n, a);
			break;
		case ACTION_CLUSTER:
			origin_to_hex(a->cluster_id, hex);
			if (batch_setting(&n->batch, "cluster_id", hex) != ERR_OK)
				abort();
			break;
		case ACTION_LOG:
			tracef(w, "%s %s %s %s", n->name, a->event, a->subject, a->detail);
			break;
		case ACTION_HELLO:
		case ACTION_POLL:
		case ACTION_DIGEST:
		case ACTION_UNLINK:
		case ACTION_GOODBYE:
			net_action(w, n, a);
			break;
		case ACTION_EXIT:
			n->exiting = true;
			break;
		case ACTION_SIGNAL:
		case ACTION_UNPROBE:
		case ACTION_WAKE:
		case ACTION_ACKED:
		case ACTION_DUMP:
			break;
		}
	}
}

static void plan_tick(struct world *w, struct node *n)
{
	int64_t at = clock_when(n, horde_deadline_ms(n->h));

	if (at == INT64_MAX || at >= n->tick_ms)
		return;
	n->tick_ms = at > w->now_ms ? at : w->now_ms + 1;
	schedule(w, n->tick_ms - w->now_ms, AT_TICK, n->index);
}

/* Did the step bring an event that this node had not known? Cutting the kill log is none. */
static bool minted(const struct node *n)
{
	return !vector_covers(&n->before, map_vector(horde_map(n->h)));
}

enum err node_step(struct world *w, struct node *n, struct event *e)
{
	bool grew;
	enum err err;

	e->now_ms = clock_of(w, n);
	e->wall_ms = wall_of(w, n);
	w->steps++;
	mix(w, (uint64_t)e->kind << 32 | (uint64_t)n->index);
	err = horde_step(n->h, e, &n->actions);
	n->incarnation = horde_config(n->h)->incarnation; /* a fresh one after a fork */
	mix(w, map_digest(horde_map(n->h)).sums[0]);
	grew = n->actions.changes.used > 0;
	if (minted(n))
		w->last_write_ms = w->now_ms;
	if (batch_changes(&n->batch, &n->actions.changes) != ERR_OK)
		abort();
	if (grew)
		oracle_step(w, n);
	retains_check(w, n, e);
	leases_check(w, n, e);
	tells_step(w, n);
	carry_out(w, n);
	cut_batch(w, n);
	if (grew)
		net_wake(w, n);
	if (n->exiting)
		node_exit(w, n);
	else
		plan_tick(w, n);
	return err;
}

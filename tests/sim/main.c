/* horde-sim: runs seeds. A failure prints its seed, and `--seed N --trace` replays it. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void world_init(struct world *w, uint64_t seed, bool trace)
{
	int count;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->random = seed * 0x9E3779B97F4A7C15ull + 1;
	w->trace = trace;
	faults_draw(w);
	count = 3 + (int)below(w, 3);
	w->start_parallel = (uint32_t)below(w, 4); /* 0: no limit */
	w->kill_log_max = percent(w, 50) ? 1000 : below(w, 30);
	for (w->count = 0; w->count < count; w->count++)
		node_make(w, w->count, NULL);
	for (int i = 0; i < w->count; i++)
		node_boot(w, i, (struct origin_id){0});
	schedule(w, 500, AT_CLIENT, 0);
	schedule(w, 1000, AT_FAULT, 0);
	schedule(w, 700, AT_RENEW, 0);
}

static void stored(struct world *w, struct node *n)
{
	struct pending *p = n->pending;
	struct event e = {.kind = EVENT_STORED};
	const struct store_batch *batch = &p->batch;
	enum err err = store_commit(memory_open(n->disk), &batch, 1);

	e.stored.batch = p->number;
	e.stored.err = err;
	n->storing = false;
	if (err == ERR_OK) {
		n->pending = p->next;
		n->stored = p->number;
		vector_fini(&n->acked);
		n->acked = p->vector;
		batch_fini(&p->batch);
		free(p);
	} else {
		e.kind = EVENT_STORE_FAILED;
	}
	if (n->pending) {
		n->storing = true;
		schedule(w, err == ERR_OK ? 1 : 250, AT_STORED, n->index);
	}
	node_step(w, n, &e);
}

static void process_event(struct world *w, struct node *n, struct happening *e)
{
	struct proc *p = proc_find(n, e->ref), **at = &n->procs, old;
	struct event event = {.kind = EVENT_STARTED};

	if (!p || p->pid != e->pid)
		return;
	event.process.ref = e->ref;
	event.process.epoch = e->epoch;
	event.process.pid = e->pid;
	if (e->what == AT_STARTED) {
		p->started = true;
		old = *p;
		node_step(w, n, &event);
		starts_told(w, n, &old);
		return;
	}
	if (e->what == AT_EXITED && w->healed && !p->stopping)
		return; /* after the healing nothing fails any more */
	event.kind = e->what == AT_EXITED ? EVENT_EXITED : EVENT_START_FAILED;
	event.process.error = "exec: ENOENT";
	event.process.port = e->what == AT_START_FAILED ? (uint16_t)e->number : 0;
	event.process.end.code = p->stopping ? -1 : (int)below(w, 2);
	event.process.end.signal = p->stopping ? 15 : 0;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	old = *p;
	proc_free(p);
	tracef(w, "%s: %s ended", n->name, e->ref);
	if (event.process.port)
		starts_refused(w, &old);
	node_step(w, n, &event);
	starts_told(w, n, &old);
}

static void probed(struct world *w, struct node *n, const struct happening *e)
{
	const struct proc *p = proc_find(n, e->ref);
	struct event event = {.kind = EVENT_PROBED};

	event.probed.ref = e->ref;
	event.probed.epoch = e->epoch;
	event.probed.check = e->check;
	event.probed.number = e->number;
	event.probed.ok = e->ok;
	event.probed.why = e->ok ? NULL : "status 503";
	if (p && p->pid == e->pid)
		node_step(w, n, &event);
}

static void ticked(struct world *w, struct node *n)
{
	struct event e = {.kind = EVENT_TICK};

	if (w->now_ms < n->tick_ms)
		return;
	n->tick_ms = INT64_MAX;
	node_step(w, n, &e);
}

static void happen(struct world *w, struct happening *e)
{
	struct node *n = &w->nodes[e->node];

	if (e->what == AT_CLIENT) {
		chaos_client(w);
	} else if (e->what == AT_RENEW) {
		leases_keep(w);
	} else if (e->what == AT_FAULT) {
		faults_next(w);
	} else if (n->up && n->life == e->life) {
		if (e->what == AT_TICK)
			ticked(w, n);
		else if (e->what == AT_STORED)
			stored(w, n);
		else if (e->what == AT_STARTED || e->what == AT_EXITED ||
			 e->what == AT_START_FAILED)
			process_event(w, n, e);
		else if (e->what == AT_PROBED)
			probed(w, n, e);
		else
			net_happened(w, e);
	} else if (e->what == AT_REQUEST_HELLO || e->what == AT_REQUEST_POLL ||
		   e->what == AT_REQUEST_DIGEST) {
		e->kind = EVENT_LINK_REFUSED; /* it went down while the request was under way */
		if (w->nodes[e->peer].up && w->nodes[e->peer].life == e->peer_life) {
			struct happening *told = schedule(w, 1, AT_LINK, e->peer);

			told->link = e->link;
			told->generation = e->generation;
			told->kind = EVENT_LINK_LOST;
		}
	}
}

/* It is put off while its node is frozen, or its way clogged. */
static bool held_up(struct world *w, struct happening *e)
{
	int64_t until_ms;

	w->now_ms = e->at_ms;
	until_ms = faults_hold(w, e);
	if (until_ms == 0)
		return false;
	postpone(w, e, until_ms);
	return true;
}

static void world_run(struct world *w)
{
	struct happening *e;
	bool over = false;

	while (!over && !w->failure[0] && (e = next_happening(w))) {
		if (!w->healed && e->at_ms >= CHAOS_MS) {
			w->now_ms = CHAOS_MS;
			faults_heal(w);
		}
		over = e->at_ms >= CHAOS_MS + HEAL_MS;
		if (!over && held_up(w, e))
			continue;
		if (!over)
			happen(w, e);
		happening_free(w, e);
	}
	w->now_ms = CHAOS_MS + HEAL_MS;
	if (!w->failure[0])
		oracle_end(w);
}

static void world_fini(struct world *w)
{
	for (int i = 0; i < w->count; i++)
		node_fini(&w->nodes[i]);
	heap_fini(w);
	oracle_reset();
}

struct result {
	uint64_t hash, steps, starts, probes, sick, expired, leases_ended, tells, struck[FAULTS];
	char failure[512];
};

static struct result run(uint64_t seed, bool trace)
{
	static struct world w;
	struct result r;

	world_init(&w, seed, trace);
	world_run(&w);
	r = (struct result){.hash = w.hash,
		.steps = w.steps,
		.starts = w.starts,
		.probes = w.probes,
		.sick = w.sick,
		.expired = w.expired,
		.leases_ended = w.leases_ended,
		.tells = w.tells};
	memcpy(r.struck, w.faults.struck, sizeof(r.struck));
	memcpy(r.failure, w.failure, sizeof(r.failure));
	world_fini(&w);
	return r;
}

/* Each seed runs twice, to see that a seed is a run. */
static bool run_seed(uint64_t seed, bool trace, struct result *total)
{
	struct result r = run(seed, trace);

	total->steps += r.steps;
	total->starts += r.starts;
	total->expired += r.expired;
	total->leases_ended += r.leases_ended;
	total->tells += r.tells;
	total->probes += r.probes;
	total->sick += r.sick;
	for (int f = 0; f < FAULTS; f++)
		total->struck[f] += r.struck[f];
	if (!r.failure[0] && run(seed, false).hash != r.hash)
		snprintf(r.failure, sizeof(r.failure), "the same seed ran differently");
	if (r.failure[0])
		printf("seed %llu: %s\n", (unsigned long long)seed, r.failure);
	return !r.failure[0];
}

static void report(uint64_t from, uint64_t to, const struct result *total, uint64_t failed)
{
	printf("sim: seeds %llu to %llu, %llu steps, %llu starts, %llu checks, %llu failed ones, "
	       "%llu expired, %llu leases ended, %llu events",
		(unsigned long long)from, (unsigned long long)to, (unsigned long long)total->steps,
		(unsigned long long)total->starts, (unsigned long long)total->probes,
		(unsigned long long)total->sick, (unsigned long long)total->expired,
		(unsigned long long)total->leases_ended, (unsigned long long)total->tells);
	for (int f = 0; f < FAULTS; f++)
		printf(", %s %llu", fault_text(f), (unsigned long long)total->struck[f]);
	printf(", %llu failed\n", (unsigned long long)failed);
}

int main(int argc, char **argv)
{
	uint64_t from = 1, count = 200, failed = 0;
	bool trace = false;
	struct result total = {0};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			trace = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
			from = strtoull(argv[++i], NULL, 10);
			count = 1;
		} else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			from = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
			count = strtoull(argv[++i], NULL, 10);
	}
	for (uint64_t seed = from; seed < from + count && failed < 20; seed++)
		failed += !run_seed(seed, trace, &total);
	report(from, from + count - 1, &total, failed);
	return failed ? 1 : 0;
}

/* Which faults a seed has, when they strike, and how all is mended. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

const char *fault_text(enum fault f)
{
	static const char *const texts[] = {
#define X(code, chance, text) text,
		SIM_FAULTS(X)
#undef X
	};

	return texts[f];
}

/* A seed has few of them or many: with all at their full chance hardly any would be alone. */
void faults_draw(struct world *w)
{
	static const unsigned chances[] = {
#define X(code, chance, text) chance,
		SIM_FAULTS(X)
#undef X
	};
	unsigned scale = 20 + (unsigned)below(w, 100);

	for (int f = 0; f < FAULTS; f++)
		w->faults.on[f] = percent(w, chances[f] * scale / 100);
	for (int f = 0; f < FAULTS; f++)
		if (w->faults.on[f])
			tracef(w, "this seed has %s", fault_text(f));
	w->faults.all_join = percent(w, 30);
}

bool faults_may(const struct world *w, enum fault f)
{
	return w->faults.on[f] && !w->healed;
}

void faults_count(struct world *w, enum fault f)
{
	w->faults.struck[f]++;
}

bool faults_strike(struct world *w, enum fault f, unsigned chance)
{
	bool strikes = faults_may(w, f) && percent(w, chance);

	w->faults.struck[f] += strikes;
	return strikes;
}

static struct node *any(struct world *w)
{
	return &w->nodes[below(w, (uint64_t)w->count)];
}

/* For some time, but not past the end of all faults. */
static int64_t for_a_while(struct world *w)
{
	int64_t until_ms = w->now_ms + 300 + (int64_t)below(w, percent(w, 70) ? 2500 : 8000);

	return until_ms < CHAOS_MS ? until_ms : CHAOS_MS;
}

/* ---- the network ---- */

static void cut_some(struct world *w)
{
	bool one_way = faults_strike(w, FAULT_ONE_WAY, 40);

	for (int i = 0; i < w->count; i++)
		for (int j = 0; j < i; j++) {
			bool cut = percent(w, 40), there = !one_way || percent(w, 50);

			w->cut[i][j] = cut && there;
			w->cut[j][i] = cut && (!one_way || !there);
		}
	faults_count(w, FAULT_CUT);
	tracef(w, "the network is cut%s", one_way ? " one way" : "");
}

static void mend(struct world *w)
{
	memset(w->cut, 0, sizeof(w->cut));
	tracef(w, "the network is whole");
}

/* One direction delivers nothing, and then everything. */
static void clog_one(struct world *w)
{
	struct node *from = any(w), *to = any(w);

	if (from == to)
		return;
	w->clogged_ms[from->index][to->index] = for_a_while(w);
	faults_count(w, FAULT_CLOG);
	tracef(w, "%s to %s is clogged", from->name, to->name);
}

/* ---- nodes ---- */

/* SIGSTOP, or a paused machine: its children run on, and the world too. */
static void freeze(struct world *w)
{
	struct node *n = any(w);

	if (!n->up || n->frozen_ms > w->now_ms)
		return;
	n->frozen_ms = for_a_while(w);
	faults_count(w, FAULT_FREEZE);
	tracef(w, "%s freezes", n->name);
}

int64_t faults_hold(const struct world *w, const struct happening *e)
{
	const struct node *n = &w->nodes[e->node];
	int64_t until_ms = 0;

	if (e->what == AT_CLIENT || e->what == AT_RENEW || e->what == AT_FAULT)
		return 0;
	if (e->peer >= 0)
		until_ms = w->clogged_ms[e->peer][e->node];
	if (n->up && n->life == e->life && n->frozen_ms > until_ms)
		until_ms = n->frozen_ms;
	return until_ms > w->now_ms ? until_ms : 0;
}

/* An administrator, or a bad time server. Mostly seconds, at times an hour. */
static void jump(struct world *w)
{
	struct node *n = any(w);
	int64_t spread = percent(w, 80) ? 5000 : 3600000;

	n->skew_ms += (int64_t)below(w, (uint64_t)(2 * spread)) - spread;
	faults_count(w, FAULT_JUMP);
	tracef(w, "the wall clock of %s is %lld ms off", n->name, (long long)n->skew_ms);
}

static void crash_or_boot(struct world *w)
{
	struct node *n = any(w);

	if (!n->up) {
		if (!n->gone)
			node_boot(w, n->index, (struct origin_id){0});
	} else if (n->frozen_ms <= w->now_ms && faults_strike(w, FAULT_TERMINATE, 50)) {
		node_terminate(w, n->index);
	} else {
		faults_count(w, FAULT_CRASH);
		n->power_lost = faults_may(w, FAULT_UNSYNCED) && percent(w, 60);
		node_crash(w, n->index);
	}
}

/* ---- disks ---- */

static void back_up(struct world *w)
{
	struct node *n = any(w);

	memory_disk_free(n->backup);
	if (memory_disk_dup(n->disk, &n->backup) != ERR_OK)
		abort();
	n->backup_life = n->up && !n->pending ? n->incarnation : (struct origin_id){0};
}

static void restore(struct node *n, const struct memory_disk *disk)
{
	if (memory_disk_restore(n->disk, disk) != ERR_OK)
		abort();
	n->power_lost = false; /* what it has lost is back, or more is */
}

static void old_store(struct world *w)
{
	struct node *n = any(w);

	if (n->up || n->gone || !n->backup) {
		back_up(w);
		return;
	}
	restore(n, n->backup);
	faults_count(w, FAULT_OLD_STORE);
	tracef(w, "%s gets an old store back", n->name);
	node_boot(w, n->index, (struct origin_id){0});
}

/* The store of one that lives, but not its identity: that is no part of the store. */
static void other_store(struct world *w)
{
	struct node *n = any(w), *of = any(w);

	if (n->up || n->gone || n == of)
		return;
	restore(n, of->disk);
	faults_count(w, FAULT_OTHER_STORE);
	tracef(w, "%s starts on a copy of the store of %s", n->name, of->name);
	node_boot(w, n->index, (struct origin_id){0});
}

static void fail_disk(struct world *w, enum fault f, enum err err)
{
	struct node *n = any(w);

	memory_disk_fail(n->disk, 1, 1 + (unsigned)below(w, 5), err);
	faults_count(w, f);
	tracef(w, "the disk of %s fails: %s", n->name, err_text(err));
}

static void full_disk(struct world *w)
{
	fail_disk(w, FAULT_FULL_DISK, ERR_STORAGE_FULL);
}

static void bad_disk(struct world *w)
{
	fail_disk(w, FAULT_IO, ERR_IO);
}

/*
 * From now on a loss of power takes the last commits. Not before: a first node that loses the id of
 * its cluster makes another one, as it should.
 */
static void stop_syncing(struct world *w)
{
	for (int i = 0; i < w->count; i++) {
		struct node *n = &w->nodes[i];

		if (n->unsynced || !faults_may(w, FAULT_UNSYNCED))
			continue;
		n->unsynced = 1 + below(w, 6);
		if (memory_disk_unsynced(n->disk, n->unsynced) != ERR_OK)
			abort();
	}
}

/* ---- clones ---- */

/* A whole data directory is copied to another machine, which starts while the first lives. */
static void twin(struct world *w)
{
	struct node *of = any(w);

	if (!of->up || w->twin)
		return;
	node_make(w, w->count, of);
	restore(&w->nodes[w->count], of->disk);
	w->twin = &w->nodes[w->count++];
	w->twin_of = of;
	faults_count(w, FAULT_TWIN);
	tracef(w, "%s is a copy of %s", w->twin->name, of->name);
	node_boot(w, w->twin->index, (struct origin_id){0});
}

/* A machine goes on from a snapshot of its memory and disk: the same life, once more. */
static void resume(struct world *w)
{
	struct node *n = any(w);

	if (n->gone || !n->backup || origin_is_zero(n->backup_life)) {
		back_up(w);
		return;
	}
	if (n->up)
		node_crash(w, n->index);
	restore(n, n->backup);
	w->resumed = true;
	faults_count(w, FAULT_RESUME);
	tracef(w, "%s goes on from a snapshot of its memory", n->name);
	node_boot(w, n->index, n->backup_life);
}

/* ---- when ---- */

void faults_next(struct world *w)
{
	static const struct {
		unsigned weight;
		enum fault fault;
		void (*strike)(struct world *w);
	} rows[] = {
		{20, FAULT_CUT, cut_some},
		{20, FAULT_CUT, mend},
		{20, FAULT_CLOG, clog_one},
		{30, FAULT_CRASH, crash_or_boot},
		{15, FAULT_FREEZE, freeze},
		{15, FAULT_JUMP, jump},
		{20, FAULT_OLD_STORE, old_store},
		{20, FAULT_OTHER_STORE, other_store},
		{10, FAULT_FULL_DISK, full_disk},
		{10, FAULT_IO, bad_disk},
		{10, FAULT_TWIN, twin},
		{15, FAULT_RESUME, resume},
	};
	unsigned all = 20, at;

	if (w->healed)
		return;
	schedule(w, 100 + (int64_t)below(w, 1500), AT_FAULT, 0);
	stop_syncing(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		all += faults_may(w, rows[i].fault) ? rows[i].weight : 0;
	at = (unsigned)below(w, all); /* the first twenty are a quiet time */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned weight = faults_may(w, rows[i].fault) ? rows[i].weight : 0;

		if (at < weight) {
			rows[i].strike(w);
			return;
		}
		at -= weight;
	}
}

/* Of two that claim to be one, the administrator ends one. */
static void part_twins(struct world *w)
{
	struct node *ends = percent(w, 50) ? w->twin : w->twin_of;

	ends->gone = true;
	if (ends->up)
		node_crash(w, ends->index);
}

static void mend_node(struct node *n)
{
	memory_disk_fail(n->disk, 0, 0, ERR_OK);
	n->unsynced = 0;
	if (memory_disk_unsynced(n->disk, 0) != ERR_OK)
		abort();
	n->skew_ms = 0;
	n->frozen_ms = 0;
}

void faults_heal(struct world *w)
{
	int up = 0;

	mend(w);
	memset(w->clogged_ms, 0, sizeof(w->clogged_ms));
	w->healed = true;
	tracef(w, "healed");
	if (w->twin)
		part_twins(w);
	for (int i = 0; i < w->count; i++) {
		struct node *n = &w->nodes[i];

		mend_node(n);
		/* A copy that was turned away needs another's word that its original is gone. */
		if (!n->up && !n->gone && (i == 0 || w->twin || percent(w, 60)))
			node_boot(w, i, (struct origin_id){0});
		up += n->up;
	}
	for (int i = 0; i < w->count && up == 0; i++)
		if (!w->nodes[i].gone) {
			node_boot(w, i, (struct origin_id){0});
			up++;
		}
}

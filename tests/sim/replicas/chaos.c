/* What happens next: writes, requests, deliveries, and the faults that this seed has. */
#include "tests/sim/replicas/parts.h"

#include <string.h>

/* The n-th replica that is up, or down, or NULL. */
static struct replica *any(struct world *w, bool up)
{
	int first = (int)below(w, (uint64_t)w->count);

	for (int i = 0; i < w->count; i++) {
		struct replica *r = &w->replicas[(first + i) % w->count];

		if (r->up == up)
			return r;
	}
	return NULL;
}

static int count_up(const struct world *w)
{
	int up = 0;

	for (int i = 0; i < w->count; i++)
		up += w->replicas[i].up;
	return up;
}

static struct replica *other(struct world *w, const struct replica *r)
{
	return &w->replicas[(r->index + 1 + (int)below(w, (uint64_t)w->count - 1)) % w->count];
}

static void request(struct world *w, struct replica *client)
{
	struct replica *server = other(w, client);

	if (!server->up || w->inbox_used + 2 >= INBOX_MAX)
		return;
	network_request(w, client, server, w->faults.whole && percent(w, 20));
	if (!w->faults.stale || !percent(w, 20))
		return;
	vector_fini(&client->stale);
	must(vector_copy(map_vector(client->map), &client->stale));
}

static void cut_some(struct world *w)
{
	bool one_way = percent(w, 40);

	memset(w->cut, 0, sizeof(w->cut));
	if (percent(w, 50))
		return;
	for (int i = 0; i < w->count; i++)
		for (int j = 0; j < i; j++) {
			bool cut = percent(w, 50);

			w->cut[i][j] = cut;
			w->cut[j][i] = cut && !one_way;
		}
	tracef(w, "the network is cut%s", one_way ? " one way" : "");
}

/* Killed: the last transactions were not synced. */
static void crash(struct world *w, struct replica *r)
{
	replica_stop(r);
	disk_lose(w, &r->disk, 70);
	tracef(w, "r%d is killed, %zu rows are left", r->index, r->disk.used);
	w->tally.restores++;
	replica_boot(w, r, false);
}

static void restore_old(struct world *w, struct replica *r)
{
	if (r->backup.used == 0 || percent(w, 50)) {
		disk_copy(&r->backup, &r->disk);
		return;
	}
	replica_stop(r);
	disk_copy(&r->disk, &r->backup);
	tracef(w, "r%d gets an old store back", r->index);
	w->tally.restores++;
	replica_boot(w, r, false);
}

/* Another replica is started on a copy of this one's store. */
static void restore_other(struct world *w, struct replica *r)
{
	struct replica *to = other(w, r);

	if (to->up)
		replica_stop(to);
	disk_copy(&to->disk, &r->disk);
	disk_lose(w, &to->disk, 50);
	tracef(w, "r%d starts on the store of r%d", to->index, r->index);
	w->tally.restores++;
	replica_boot(w, to, false);
}

static void die(struct world *w, struct replica *r)
{
	if (count_up(w) > 2 && percent(w, 50)) {
		tracef(w, "r%d dies", r->index);
		replica_stop(r);
		return;
	}
	r = any(w, false);
	if (r)
		replica_boot(w, r, false);
}

/* A copy of a running machine: two now live the same life. Later ones would hide the first. */
static void fork_life(struct world *w, struct replica *r)
{
	struct replica *to = other(w, r);

	if (w->doubled || w->past.origins[r->self].used == 0)
		return;
	if (to->up)
		replica_stop(to);
	disk_copy(&to->disk, &r->disk);
	to->self = r->self;
	w->doubled = true;
	tracef(w, "r%d goes on as a copy of r%d, in its life", to->index, r->index);
	replica_boot(w, to, true);
}

static void lose_held(struct world *w, struct replica *r)
{
	if (percent(w, 50)) {
		w->now_ms += 5100;
		held_expire(r->held, w->now_ms);
	} else {
		held_drop_link(r->held, (uint32_t)below(w, (uint64_t)w->count));
	}
}

static void fault(struct world *w, struct replica *r)
{
	uint64_t x = below(w, 130);

	if (x < 25 && w->faults.truncate)
		replica_truncate(w, r);
	else if (x >= 25 && x < 40 && w->faults.crash)
		crash(w, r);
	else if (x >= 40 && x < 55 && w->faults.old_store)
		restore_old(w, r);
	else if (x >= 55 && x < 65 && w->faults.other_store)
		restore_other(w, r);
	else if (x >= 65 && x < 80 && w->faults.death)
		die(w, r);
	else if (x >= 80 && x < 95 && w->faults.cut)
		cut_some(w);
	else if (x >= 95 && x < 105 && w->faults.drop_held)
		lose_held(w, r);
	else if (x >= 105 && x < 115 && w->faults.fork)
		fork_life(w, r);
	else if (x >= 115 && w->faults.skew)
		r->skew_ms = (int64_t)below(w, 4000) - 2000;
}

void chaos_step(struct world *w)
{
	uint64_t x = below(w, 100);
	struct replica *r = any(w, true);

	w->now_ms += 1 + (int64_t)below(w, 10);
	if (!r)
		replica_boot(w, &w->replicas[0], false);
	else if (x < 30)
		replica_write(w, r);
	else if (x < 55)
		request(w, r);
	else if (x < 85)
		network_step(w);
	else if (x < 89)
		stream_pump(w, r);
	else
		fault(w, r);
}

/* ---- the end: mended, and all must agree ---- */

static bool agreed(struct world *w)
{
	struct replica *first = NULL;

	for (int i = 0; i < w->count; i++) {
		struct replica *r = &w->replicas[i];

		if (!r->up)
			continue;
		if (held_count(r->held) || (first && !oracle_agree(first, r)))
			return false;
		if (first && r->self == first->self && w->forked)
			return false;
		first = first ? first : r;
	}
	return true;
}

/*
 * A slice may wait for events that a crash took from the only one who had them: in the end it is
 * its age that ends it.
 */
static void heal_round(struct world *w, bool all)
{
	w->now_ms += HEAL_ROUND_MS;
	for (int i = 0; i < w->count; i++)
		if (w->replicas[i].up)
			held_expire(w->replicas[i].held, w->now_ms);
	for (int i = 0; i < w->count; i++)
		for (int j = 0; j < w->count; j++) {
			if (i == j || !w->replicas[i].up || !w->replicas[j].up)
				continue;
			network_request(w, &w->replicas[i], &w->replicas[j], all);
			network_drain(w);
		}
}

void heal(struct world *w)
{
	uint64_t round = 0;

	network_clear(w);
	memset(w->cut, 0, sizeof(w->cut));
	w->healing = true;
	tracef(w, "healed");
	for (; round < HEAL_ROUNDS && !agreed(w) && !w->failure[0]; round++)
		heal_round(w, !w->faults.healthy && round >= HEAL_SLICES);
	if (!w->failure[0] && !agreed(w))
		fail(w, "they do not agree %d rounds after the healing", HEAL_ROUNDS);
	for (int i = 0; i < w->count && !w->failure[0] && !w->forked; i++)
		if (w->replicas[i].up)
			oracle_kill_log(w, &w->replicas[i]);
	if (round > w->tally.rounds_max)
		w->tally.rounds_max = round;
}

/* The client's side of a link: what becomes of an answer. */
#include "tests/sim/replicas/parts.h"

#include <string.h>

/* A life that is lived twice takes a fresh origin; for others it is only an alarm. */
void fork_seen(struct world *w, struct replica *r, struct origin_id forked)
{
	if (!w->forked && !w->doubled)
		fail(w, "r%d sees a fork of origin %u, which nobody forked", r->index,
			past_number(&w->past, forked));
	if (origin_equal(forked, map_last_dot(r->map).origin))
		replica_renew(w, r);
}

static void settle(struct world *w, struct replica *client)
{
	struct origin_id forked = {0};
	size_t applied = 0;
	uint32_t link = 0;

	if (held_settle(client->held, client->map, &client->changes, &applied, &forked, &link) !=
		ERR_OK)
		fail(w, "r%d finds that its held slices are none", client->index);
	w->tally.joint += applied > 1;
	if (held_count(client->held) > w->tally.held_max)
		w->tally.held_max = held_count(client->held);
	if (!origin_is_zero(forked))
		fork_seen(w, client, forked);
}

static void take_slice(struct world *w, struct replica *client, struct message *m)
{
	w->tally.slices++;
	must(held_add(client->held, (uint32_t)m->server, &m->fragment, w->now_ms));
	settle(w, client);
	replica_stepped(w, client, "a slice");
}

/* At equal vectors with different states each re-writes what differs (part 6, "Forks"). */
static void repair(struct world *w, struct replica *client, struct message *m)
{
	struct contents before;

	oracle_contents(w, client, &before);
	must(map_repair(client->map, &m->fragment, &client->clock, w->now_ms + client->skew_ms,
		&client->changes));
	tracef(w, "r%d repairs what differs from r%d", client->index, m->server);
	w->tally.repairs++;
	oracle_minted(w, client, WRITE_REPAIR, 0);
	oracle_repaired(w, client, &before, &m->fragment);
	replica_stepped(w, client, "a repair");
}

static void take_full(struct world *w, struct replica *client, struct message *m)
{
	struct fragment *f = &m->fragment;
	struct origin_id forked = {0};

	if (m->repair && !vector_equal(map_vector(client->map), &f->vector))
		return;
	if (m->repair) {
		repair(w, client, m);
		return;
	}
	w->tally.fulls++;
	w->tally.checks += f->check_count > 0;
	if (map_apply(client->map, &f, 1, &client->changes, &forked) != ERR_OK)
		fail(w, "r%d cannot join a full difference of r%d", client->index, m->server);
	if (!origin_is_zero(forked))
		fork_seen(w, client, forked);
	settle(w, client);
	replica_stepped(w, client, "a full difference");
}

struct told { /* what an answer says of its server; the rest of it may be taken by then */
	unsigned count[ORIGINS_MAX];
	struct digest digest;
};

static struct told told_by(const struct world *w, const struct fragment *f)
{
	struct told t = {.digest = f->digest};

	for (size_t i = 0; i < f->vector.used; i++)
		t.count[past_number(&w->past, f->vector.items[i].origin)] =
			(unsigned)f->vector.items[i].count;
	return t;
}

/* Equal vectors must have equal digests; twice in a row unequal is a divergence. */
static void compare(struct world *w, struct replica *client, int server, const struct told *told)
{
	struct digest d = map_digest(client->map);

	if (memcmp(client->view.count, told->count, sizeof(told->count)) != 0)
		return;
	if (d.sums[0] == told->digest.sums[0] && d.sums[1] == told->digest.sums[1]) {
		client->diverged[server] = 0;
		return;
	}
	if (!w->forked)
		fail(w, "r%d and r%d have equal vectors and different digests", client->index,
			server);
	if (++client->diverged[server] < 2)
		return;
	client->diverged[server] = 0;
	network_post(w, client, server, true);
}

/* What the server is ahead in is asked of it from now on: always when all is well, else by chance.
 */
static void graft(struct world *w, struct replica *client, int server, const struct told *told)
{
	bool steady = w->healing || w->faults.healthy;

	if (!steady && (!w->faults.graft || !percent(w, 30)))
		return;
	for (unsigned o = 0; o < w->past.origin_count; o++)
		if (told->count[o] > client->view.count[o])
			client->grafts[server] |= 1ull << o;
	if (!steady && percent(w, 30))
		client->grafts[server] = 0;
}

void take(struct world *w, struct replica *client, struct message *m)
{
	struct fragment *f = &m->fragment;
	struct told told = told_by(w, f);
	enum fragment_mode mode = f->mode;

	clock_receive(&client->clock, f->clock, w->now_ms + client->skew_ms);
	if (vector_get(&f->vector, map_last_dot(client->map).origin) >
		map_last_dot(client->map).seq)
		fork_seen(w, client, map_last_dot(client->map).origin);
	if (mode == FRAGMENT_SLICE)
		take_slice(w, client, m);
	else if (mode == FRAGMENT_FULL)
		take_full(w, client, m);
	else if (mode == FRAGMENT_REDO)
		network_request(w, client, &w->replicas[m->server], true);
	else if (mode == FRAGMENT_NEED)
		network_post(w, client, m->server, false);
	w->tally.redos += mode == FRAGMENT_REDO;
	w->tally.needs += mode == FRAGMENT_NEED;
	if (w->failure[0])
		return;
	compare(w, client, m->server, &told);
	graft(w, client, m->server, &told);
}

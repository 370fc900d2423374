/* A node as a server of others: hellos, parked polls, and the differences that answer them. */
#include "tests/sim/net.h"

#include <stdlib.h>

#include "api/wire.h"

static struct happening *answer(struct world *w, struct node *n, int to, uint64_t life,
	uint32_t link, uint32_t generation, enum what what)
{
	struct happening *e;

	if (net_lost(w, n->index, to))
		return NULL; /* the client's own time-out ends it: see below */
	e = schedule(w, net_delay(w), what, to);
	e->life = life;
	e->peer = n->index;
	e->link = link;
	e->generation = generation;
	return e;
}

/* An answer is lost: its client finds that nothing moves, long before a parked poll is over. */
static void client_stalls(
	struct world *w, int client, uint64_t life, uint32_t link, uint32_t generation)
{
	if (w->nodes[client].up && w->nodes[client].life == life)
		net_tell(w, client, link, generation, EVENT_LINK_SILENT, -1, RPC_TIMEOUT_MS);
}

void serve_hello(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {.kind = EVENT_HELLO, .hello = &e->hello};
	enum err err = node_step(w, n, &event);
	struct happening *reply;

	if (w->nodes[e->peer].life != e->peer_life)
		return;
	reply = answer(w, n, e->peer, e->peer_life, e->link, e->generation, AT_ANSWER_HELLO);
	if (!reply) {
		client_stalls(w, e->peer, e->peer_life, e->link, e->generation);
		return;
	}
	reply->err = err;
	horde_hello(n->h, &reply->hello);
}

static void send_fragment(struct world *w, struct node *n, const struct parked *p,
	const struct vector *after, struct fragment *f)
{
	struct wire_sender sender = {.after = after};
	struct text t = TEXT_INIT;
	struct happening *e;

	(void)horde_retired(n->h, &sender.retired_hash);
	wire_write(f, &sender, &t);
	fragment_fini(f);
	e = answer(w, n, p->client, p->client_life, p->link, p->generation, AT_ANSWER_POLL);
	if (!e) {
		client_stalls(w, p->client, p->client_life, p->link, p->generation);
		text_fini(&t);
		return;
	}
	e->count = t.used;
	e->bytes = text_take(&t);
	if (faults_strike(w, FAULT_BODY, 4))
		e->count = below(w, e->count); /* the connection breaks in mid-body */
}

/* Answers a parked poll when it may be; else says when to look again. */
static void look(struct world *w, struct node *n, struct parked *p)
{
	int64_t at = clock_of(w, n) + p->until_ms - w->now_ms;
	struct fragment f;
	bool due = horde_serve_due(n->h, &p->poll, &p->serving, clock_of(w, n), &at);

	at = clock_when(n, at);
	if (!due && w->now_ms < p->until_ms) {
		if (p->look_ms <= w->now_ms || at < p->look_ms) {
			p->look_ms = at;
			schedule(w, at - w->now_ms, AT_SERVE, n->index)->pid = (int)(p - n->parked);
		}
		return;
	}
	if (horde_serve(n->h, &p->poll, &f) != ERR_OK)
		abort();
	p->used = false;
	send_fragment(w, n, p, &p->poll.after, &f);
	poll_fini(&p->poll);
}

/* False: the client is not known any more, is another life by now, or was answered. */
static bool polled(struct world *w, struct node *n, struct happening *e, struct wire_request *q)
{
	struct parked client = {.client = e->peer,
		.client_life = e->peer_life,
		.link = e->link,
		.generation = e->generation};
	struct event event = {.kind = EVENT_POLLED,
		.fresh = {chance(w), chance(w)},
		.polled = {w->nodes[e->peer].incarnation, &q->poll}};
	struct fragment f;

	if (w->nodes[e->peer].life != e->peer_life)
		return false;
	if (q->stale) {
		if (horde_serve_redo(n->h, &f) != ERR_OK)
			abort();
		send_fragment(w, n, &client, NULL, &f);
		return false;
	}
	if (node_step(w, n, &event) == ERR_OK)
		return n->up;
	net_tell(w, e->peer, e->link, e->generation, EVENT_LINK_LOST, n->index, net_delay(w));
	return false;
}

/* Keeps the request, in place of an older one of its link. */
static void park(struct world *w, struct node *n, struct happening *e, struct wire_request *q)
{
	struct parked *p = n->parked, *end = p + sizeof(n->parked) / sizeof(n->parked[0]);

	for (struct parked *o = n->parked; o < end; o++)
		if (o->used && o->client == e->peer && o->link == e->link) {
			if (o->client_life == e->peer_life && o->generation > e->generation)
				return; /* it was overtaken */
			o->used = false;
			poll_fini(&o->poll);
		}
	while (p < end && p->used)
		p++;
	if (p == end) {
		fail(w, "%s has more parked polls than clients", n->name);
		return;
	}
	*p = (struct parked){.used = true,
		.client = e->peer,
		.client_life = e->peer_life,
		.link = e->link,
		.generation = e->generation,
		.poll = q->poll,
		.until_ms = w->now_ms + q->wait_ms};
	q->poll = (struct poll){0};
	look(w, n, p);
}

static void digest_posted(
	struct world *w, struct node *n, struct happening *e, struct wire_request *q)
{
	struct parked client = {.client = e->peer,
		.client_life = e->peer_life,
		.link = e->link,
		.generation = e->generation};
	struct fragment f;

	if (map_difference_checked(horde_map(n->h), &q->poll.after, &q->blocks, q->repair, &f) !=
		ERR_OK)
		abort();
	horde_serve_sign(n->h, &f);
	send_fragment(w, n, &client, &q->poll.after, &f);
}

/* The connection breaks in the middle of a request: it is no request. */
static bool broken(struct world *w, struct node *n, struct happening *e)
{
	struct wire_request q;
	uint64_t hash;
	const struct vector *retired = horde_retired(n->h, &hash);

	if (!faults_strike(w, FAULT_BODY, 2))
		return false;
	e->count = below(w, e->count);
	if (wire_request_read(e->bytes, e->count, retired, hash, &q) == ERR_OK)
		fail(w, "%s takes a part of a request: %.*s", n->name, (int)e->count, e->bytes);
	net_tell(w, e->peer, e->link, e->generation, EVENT_LINK_LOST, n->index, net_delay(w));
	return true;
}

void serve_poll(struct world *w, struct node *n, struct happening *e)
{
	struct wire_request q;
	uint64_t hash;
	const struct vector *retired = horde_retired(n->h, &hash);

	if (w->nodes[e->peer].life == e->peer_life && broken(w, n, e))
		return;

	if (wire_request_read(e->bytes, e->count, retired, hash, &q) != ERR_OK) {
		fail(w, "%s cannot read a request: %.*s", n->name, (int)e->count, e->bytes);
		return;
	}
	if (polled(w, n, e, &q)) {
		if (q.digest)
			digest_posted(w, n, e, &q);
		else
			park(w, n, e, &q);
	}
	wire_request_fini(&q);
}

void net_wake(struct world *w, struct node *n)
{
	for (size_t i = 0; i < sizeof(n->parked) / sizeof(n->parked[0]); i++)
		if (n->parked[i].used)
			look(w, n, &n->parked[i]);
}

void serve_parked(struct world *w, struct node *n, const struct happening *e)
{
	struct parked *p = &n->parked[e->pid];

	if (p->used && p->look_ms == w->now_ms)
		look(w, n, p);
}

void net_forget(struct world *w, struct node *n)
{
	for (size_t i = 0; i < sizeof(n->parked) / sizeof(n->parked[0]); i++) {
		struct parked *p = &n->parked[i];

		if (!p->used)
			continue;
		if (w->nodes[p->client].up && w->nodes[p->client].life == p->client_life)
			net_tell(w, p->client, p->link, p->generation, EVENT_LINK_LOST, n->index,
				w->cut[n->index][p->client] ? RPC_TIMEOUT_MS : net_delay(w));
		p->used = false;
		poll_fini(&p->poll);
	}
}

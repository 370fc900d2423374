/* The network between the nodes: hellos and parked polls, lost, cut, late and twice. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "api/wire.h"

static int node_at(const struct world *w, const char *url)
{
	for (int i = 0; i < w->count; i++)
		if (strcmp(w->nodes[i].url, url) == 0)
			return i;
	return -1;
}

static int64_t delay(struct world *w)
{
	return 1 + (int64_t)below(w, w->healed ? 3 : 40);
}

static bool lost(struct world *w, int from, int to)
{
	return w->cut[from][to] || (w->faults.loss && !w->healed && percent(w, 4));
}

/* An event for a link, unless a newer request has made it stale by then. */
static void tell_link(struct world *w, int node, uint32_t link, uint32_t generation,
	enum event_kind kind, enum err err, int64_t in_ms)
{
	struct happening *e = schedule(w, in_ms, AT_LINK, node);

	e->link = link;
	e->generation = generation;
	e->kind = kind;
	e->err = err;
}

static struct happening *send_to(
	struct world *w, struct node *n, const struct action *a, enum what what)
{
	int to = node_at(w, a->url);
	uint32_t generation = ++n->generation[a->link % MEMBERS_MAX];
	struct happening *e;

	if (to < 0 || lost(w, n->index, to)) {
		tell_link(w, n->index, a->link, generation, EVENT_LINK_SILENT, ERR_OK,
			RPC_TIMEOUT_MS);
		return NULL;
	}
	if (!w->nodes[to].up) {
		tell_link(w, n->index, a->link, generation, EVENT_LINK_REFUSED, ERR_OK, delay(w));
		return NULL;
	}
	e = schedule(w, delay(w), what, to);
	e->peer = n->index;
	e->peer_life = n->life;
	e->link = a->link;
	e->generation = generation;
	return e;
}

/* Best effort: no answer is waited for. */
static void say_goodbye(struct world *w, struct node *n, const struct action *a)
{
	int to = node_at(w, a->url);
	struct happening *e;

	if (to < 0 || lost(w, n->index, to) || !w->nodes[to].up)
		return;
	e = schedule(w, delay(w), AT_GOODBYE, to);
	e->goodbye = (struct event){.kind = EVENT_GOODBYE};
	e->goodbye.goodbye.node_id = n->node_id;
	e->goodbye.goodbye.incarnation = n->incarnation;
	e->goodbye.goodbye.reason = a->reason;
	e->goodbye.goodbye.back_within_ms = a->timeout_ms;
}

/* The request as it goes over the wire. */
static void write_request(struct node *n, const struct action *a, struct happening *e)
{
	struct wire_request q = {.n = e->generation,
		.wait_ms = a->timeout_ms,
		.digest = a->kind == ACTION_DIGEST,
		.repair = a->repair,
		.poll = *a->poll};
	const struct vector *retired = horde_retired(n->h, &q.retired_hash);
	struct text t = TEXT_INIT;

	vector_fini(&n->asked[a->link % MEMBERS_MAX]);
	if (vector_copy(&q.poll.after, &n->asked[a->link % MEMBERS_MAX]) != ERR_OK)
		abort();
	q.link[0] = 'l';
	q.poll.ack = n->acked;
	q.compact = q.retired_hash && q.retired_hash == n->retired[a->link % MEMBERS_MAX];
	if (q.digest && map_block_sums(horde_map(n->h), &q.blocks) != ERR_OK)
		abort();
	wire_request_write(&q, retired, &t);
	block_sums_fini(&q.blocks);
	e->count = t.used;
	e->bytes = text_take(&t);
}

static enum what request_of(const struct action *a)
{
	if (a->kind == ACTION_HELLO)
		return AT_REQUEST_HELLO;
	return a->kind == ACTION_POLL ? AT_REQUEST_POLL : AT_REQUEST_DIGEST;
}

void net_action(struct world *w, struct node *n, const struct action *a)
{
	struct happening *e;

	tracef(w, "%s link %u %s %s", n->name, a->link,
		a->kind == ACTION_HELLO    ? "greets"
		: a->kind == ACTION_POLL   ? "polls"
		: a->kind == ACTION_DIGEST ? "posts its blocks to"
					   : "ends",
		a->url ? a->url : "");
	if (a->kind == ACTION_UNLINK) {
		n->generation[a->link % MEMBERS_MAX]++;
		return;
	}
	if (a->kind == ACTION_GOODBYE) {
		say_goodbye(w, n, a);
		return;
	}
	e = send_to(w, n, a, request_of(a));
	if (!e)
		return;
	if (a->kind == ACTION_HELLO)
		horde_hello(n->h, &e->hello);
	else
		write_request(n, a, e);
}

/* ---- the server's side ---- */

static struct happening *answer(struct world *w, struct node *n, int to, uint64_t life,
	uint32_t link, uint32_t generation, enum what what)
{
	struct happening *e;

	if (lost(w, n->index, to))
		return NULL; /* the client's own time-out ends it: see below */
	e = schedule(w, delay(w), what, to);
	e->life = life;
	e->peer = n->index;
	e->link = link;
	e->generation = generation;
	return e;
}

static void client_times_out(struct world *w, const struct happening *e)
{
	struct node *client = &w->nodes[e->peer];

	if (client->up && client->life == e->peer_life)
		tell_link(w, e->peer, e->link, e->generation, EVENT_LINK_SILENT, ERR_OK,
			RPC_TIMEOUT_MS);
}

static void hello_requested(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {.kind = EVENT_HELLO, .hello = &e->hello};
	enum err err = node_step(w, n, &event);
	struct happening *reply;

	if (w->nodes[e->peer].life != e->peer_life)
		return;
	reply = answer(w, n, e->peer, e->peer_life, e->link, e->generation, AT_ANSWER_HELLO);
	if (!reply) {
		client_times_out(w, e);
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
		tell_link(w, p->client, p->link, p->generation, EVENT_LINK_SILENT, ERR_OK,
			RPC_TIMEOUT_MS);
		text_fini(&t);
		return;
	}
	e->count = t.used;
	e->bytes = text_take(&t);
	if (w->faults.cut && !w->healed && percent(w, 3))
		e->count = below(w, e->count); /* the connection breaks in mid-body */
}

/* Answers a parked poll when it may be; else says when to look again. */
static void look(struct world *w, struct node *n, struct parked *p)
{
	int64_t at = p->until_ms;
	struct fragment f;

	if (!horde_serve_due(n->h, &p->poll, &p->serving, w->now_ms, &at) &&
		w->now_ms < p->until_ms) {
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
	tell_link(w, e->peer, e->link, e->generation, EVENT_LINK_LOST, ERR_OK, delay(w));
	return false;
}

/* Keeps the request, in place of an older one of its link. */
static void park(struct world *w, struct node *n, struct happening *e, struct wire_request *q)
{
	struct parked *p = n->parked;

	for (struct parked *o = n->parked; o < n->parked + sizeof(n->parked) / sizeof(*o); o++)
		if (o->used && o->client == e->peer && o->link == e->link) {
			if (o->client_life == e->peer_life && o->generation > e->generation)
				return; /* it was overtaken */
			o->used = false;
			poll_fini(&o->poll);
		}
	while (p->used)
		p++;
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

static void poll_requested(struct world *w, struct node *n, struct happening *e)
{
	struct wire_request q;
	uint64_t hash;
	const struct vector *retired = horde_retired(n->h, &hash);

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

void net_forget(struct world *w, struct node *n)
{
	for (size_t i = 0; i < sizeof(n->parked) / sizeof(n->parked[0]); i++) {
		struct parked *p = &n->parked[i];

		if (!p->used)
			continue;
		if (w->nodes[p->client].up && w->nodes[p->client].life == p->client_life)
			tell_link(w, p->client, p->link, p->generation, EVENT_LINK_LOST, ERR_OK,
				w->cut[n->index][p->client] ? RPC_TIMEOUT_MS : delay(w));
		p->used = false;
		poll_fini(&p->poll);
	}
}

/* ---- the client's side ---- */

static bool stale(struct node *n, const struct happening *e)
{
	return n->generation[e->link % MEMBERS_MAX] != e->generation;
}

static void hello_answered(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {.kind = EVENT_HELLO_ANSWERED, .link = e->link};

	if (stale(n, e))
		return;
	if (e->err == ERR_OK) {
		event.hello = &e->hello;
	} else {
		event.kind = EVENT_LINK_REJECTED;
		event.rejected.err = e->err;
	}
	node_step(w, n, &event);
}

static void poll_answered(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {
		.kind = EVENT_FRAGMENT, .link = e->link, .fresh = {chance(w), chance(w)}};
	struct wire_reader *reader;
	struct fragment f;
	bool twice = w->faults.duplicate && !w->healed && percent(w, 5);

	if (stale(n, e) || wire_reader_new(&reader) != ERR_OK)
		return;
	if (wire_reader_feed(reader, e->bytes, e->count) == ERR_OK &&
		wire_reader_end(reader, &n->asked[e->link % MEMBERS_MAX], &f) == ERR_OK) {
		event.fragment = &f;
		n->retired[e->link % MEMBERS_MAX] = wire_reader_retired(reader);
		node_step(w, n, &event);
		fragment_fini(&f);
	} else {
		event.kind = EVENT_LINK_LOST;
		node_step(w, n, &event);
	}
	wire_reader_free(reader);
	if (twice) { /* the same bytes again, some time later: a join changes nothing then */
		struct happening *again =
			schedule(w, (int64_t)below(w, 200), AT_ANSWER_POLL, e->node);

		again->link = e->link;
		again->generation = n->generation[e->link % MEMBERS_MAX];
		again->peer = e->peer;
		again->bytes = e->bytes;
		again->count = e->count;
		e->bytes = NULL;
	}
}

static void link_told(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {.kind = e->kind, .link = e->link};

	if (stale(n, e))
		return;
	if (e->kind == EVENT_LINK_REJECTED)
		event.rejected.err = e->err;
	node_step(w, n, &event);
}

void net_happened(struct world *w, struct happening *e)
{
	struct node *n = &w->nodes[e->node];

	switch (e->what) {
	case AT_REQUEST_HELLO:
		hello_requested(w, n, e);
		break;
	case AT_ANSWER_HELLO:
		hello_answered(w, n, e);
		break;
	case AT_REQUEST_POLL:
	case AT_REQUEST_DIGEST:
		poll_requested(w, n, e);
		break;
	case AT_SERVE:
		if (n->parked[e->pid].used && n->parked[e->pid].look_ms == w->now_ms)
			look(w, n, &n->parked[e->pid]);
		break;
	case AT_ANSWER_POLL:
		poll_answered(w, n, e);
		break;
	case AT_LINK:
		link_told(w, n, e);
		break;
	case AT_GOODBYE:
		node_step(w, n, &e->goodbye);
		break;
	case AT_TICK:
	case AT_STORED:
	case AT_STARTED:
	case AT_START_FAILED:
	case AT_EXITED:
	case AT_CLIENT:
	case AT_FAULT:
		break;
	}
}

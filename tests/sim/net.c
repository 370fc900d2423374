/* A node as a client of others: its hellos and polls, and what becomes of their answers. */
#include "tests/sim/net.h"

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

int64_t net_delay(struct world *w)
{
	return 1 + (int64_t)below(w, w->healed ? 3 : 40);
}

bool net_lost(struct world *w, int from, int to)
{
	return w->cut[from][to] || faults_strike(w, FAULT_LOSS, 4);
}

void net_tell(struct world *w, int node, uint32_t link, uint32_t generation, enum event_kind kind,
	int from, int64_t in_ms)
{
	struct happening *e = schedule(w, in_ms, AT_LINK, node);

	e->peer = from;
	e->link = link;
	e->generation = generation;
	e->kind = kind;
}

static struct outstanding *outstanding_of(struct node *n, uint32_t link)
{
	return &n->outstanding[link % MEMBERS_MAX];
}

static void look_at(struct world *w, struct node *n, uint32_t link, int64_t at_ms)
{
	outstanding_of(n, link)->look_ms = at_ms;
	schedule(w, at_ms - w->now_ms, AT_TIMEOUT, n->index)->link = link;
}

/* From now on the link waits for an answer to its last request, for so long. */
static void expect(struct world *w, struct node *n, uint32_t link, int64_t wait_ms)
{
	struct outstanding *o = outstanding_of(n, link);

	o->generation = n->generation[link % MEMBERS_MAX];
	o->until_ms = w->now_ms + wait_ms;
	if (o->look_ms == 0 || o->until_ms < o->look_ms)
		look_at(w, n, link, o->until_ms); /* else it looks again when it is too early */
}

/* The client gives up: an answer that still comes is stale. */
static void timed_out(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {.kind = EVENT_LINK_SILENT, .link = e->link};
	struct outstanding *o = outstanding_of(n, e->link);

	if (w->now_ms < o->look_ms)
		return; /* an earlier look was planned since, and has planned another */
	o->look_ms = 0;
	if (o->generation == 0 || o->generation != n->generation[e->link % MEMBERS_MAX])
		return;
	if (w->now_ms < o->until_ms) {
		look_at(w, n, e->link, o->until_ms);
		return;
	}
	o->generation = 0;
	n->generation[e->link % MEMBERS_MAX]++;
	node_step(w, n, &event);
}

static struct happening *send_to(
	struct world *w, struct node *n, const struct action *a, enum what what)
{
	int to = node_at(w, a->url);
	uint32_t generation = ++n->generation[a->link % MEMBERS_MAX];
	struct happening *e;

	if (to < 0 || net_lost(w, n->index, to)) {
		expect(w, n, a->link, RPC_TIMEOUT_MS);
		return NULL;
	}
	if (!w->nodes[to].up) {
		expect(w, n, a->link, CONNECT_TIMEOUT_MS);
		net_tell(w, n->index, a->link, generation, EVENT_LINK_REFUSED, to, net_delay(w));
		return NULL;
	}
	expect(w, n, a->link, RPC_TIMEOUT_MS + (what == AT_REQUEST_POLL ? a->timeout_ms : 0));
	e = schedule(w, net_delay(w), what, to);
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

	if (to < 0 || net_lost(w, n->index, to) || !w->nodes[to].up)
		return;
	e = schedule(w, net_delay(w), AT_GOODBYE, to);
	e->peer = n->index;
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

/* ---- answers ---- */

/* It answers an older request; else the link waits for nothing any more. */
static bool stale(struct node *n, const struct happening *e)
{
	if (n->generation[e->link % MEMBERS_MAX] != e->generation)
		return true;
	outstanding_of(n, e->link)->generation = 0;
	return false;
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

/* The same answer to the same request, some time later: a join changes nothing then. */
static void answer_again(struct world *w, struct node *n, struct happening *e)
{
	struct happening *again = schedule(w, (int64_t)below(w, 200), AT_ANSWER_POLL, e->node);

	again->link = e->link;
	again->generation = n->generation[e->link % MEMBERS_MAX];
	again->peer = e->peer;
	again->bytes = e->bytes;
	again->count = e->count;
	again->asked = e->asked;
	e->bytes = NULL;
	e->asked = (struct vector){0};
}

static void poll_answered(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {
		.kind = EVENT_FRAGMENT, .link = e->link, .fresh = {chance(w), chance(w)}};
	const struct vector *asked = &n->asked[e->link % MEMBERS_MAX];
	struct wire_reader *reader;
	struct fragment f;

	if (stale(n, e) || wire_reader_new(&reader) != ERR_OK)
		return;
	if (e->asked.used == 0 && vector_copy(asked, &e->asked) != ERR_OK)
		abort();
	if (wire_reader_feed(reader, e->bytes, e->count) == ERR_OK &&
		wire_reader_end(reader, &e->asked, &f) == ERR_OK) {
		event.fragment = &f;
		n->retired[e->link % MEMBERS_MAX] = wire_reader_retired(reader);
		node_step(w, n, &event);
		fragment_fini(&f);
	} else {
		event.kind = EVENT_LINK_LOST;
		node_step(w, n, &event);
	}
	wire_reader_free(reader);
	if (faults_strike(w, FAULT_DUPLICATE, 5))
		answer_again(w, n, e);
}

static void link_told(struct world *w, struct node *n, struct happening *e)
{
	struct event event = {.kind = e->kind, .link = e->link};

	if (stale(n, e))
		return;
	node_step(w, n, &event);
}

void net_happened(struct world *w, struct happening *e)
{
	struct node *n = &w->nodes[e->node];

	switch (e->what) {
	case AT_REQUEST_HELLO:
		serve_hello(w, n, e);
		break;
	case AT_ANSWER_HELLO:
		hello_answered(w, n, e);
		break;
	case AT_REQUEST_POLL:
	case AT_REQUEST_DIGEST:
		serve_poll(w, n, e);
		break;
	case AT_SERVE:
		serve_parked(w, n, e);
		break;
	case AT_ANSWER_POLL:
		poll_answered(w, n, e);
		break;
	case AT_TIMEOUT:
		timed_out(w, n, e);
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
	case AT_PROBED:
	case AT_CLIENT:
	case AT_RENEW:
	case AT_FAULT:
		break;
	}
}

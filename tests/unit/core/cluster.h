/*
 * Up to three nodes in one process, joined by a network that delivers at once. A node that is down
 * refuses connections; one that is cut answers nobody, and nobody it. Children start and stop by
 * themselves, and that no child runs twice at a time is counted.
 */
#ifndef HORDE_TESTS_CLUSTER_H
#define HORDE_TESTS_CLUSTER_H

#include <stdlib.h>

#include "server/core/blocks.h"
#include "tests/unit/core/support.h"

#define NODES 3
#define CALLS_MAX 16
#define PROCS_MAX 64

struct call {
	enum action_kind kind; /* HELLO, POLL or DIGEST */
	uint32_t link;
	char url[64];
	bool at_once, repair;
	bool arrived; /* a poll: the server has heard it; answered or parked since */
	struct poll poll;
	struct serving serving;
};

struct proc {
	char ref[64];
	uint64_t epoch;
	bool fresh, stop;
};

struct peer {
	struct node n;
	bool up, cut;
	struct call calls[CALLS_MAX];
	size_t call_count;
	struct proc procs[PROCS_MAX];
	size_t proc_count;
	unsigned spawns;
};

struct cluster {
	struct peer peers[NODES];
	size_t count;
	bool obstinate;    /* children do not end when they are told to */
	unsigned greatest; /* most processes of one child at a time */
};

static inline unsigned cluster_processes(const struct cluster *c, const char *ref)
{
	unsigned count = 0;

	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; k < c->peers[i].proc_count; k++)
			count += strcmp(c->peers[i].procs[k].ref, ref) == 0;
	return count;
}

static inline void drop_call(struct peer *p, uint32_t link)
{
	for (size_t i = 0; i < p->call_count; i++)
		if (p->calls[i].link == link) {
			poll_fini(&p->calls[i].poll);
			p->calls[i] = p->calls[--p->call_count];
			return;
		}
}

static inline void spawn(struct cluster *c, struct peer *p, const struct action *a)
{
	struct proc *x = &p->procs[p->proc_count++];
	unsigned now;

	cr_assert_leq(p->proc_count, PROCS_MAX);
	*x = (struct proc){.epoch = a->epoch, .fresh = true};
	snprintf(x->ref, sizeof(x->ref), "%s", a->ref);
	p->spawns++;
	now = cluster_processes(c, x->ref);
	c->greatest = now > c->greatest ? now : c->greatest;
}

/* As it goes over the wire: everything is on the disk at once here. */
static inline struct poll copy_poll(const struct node *n, const struct poll *p)
{
	struct poll copy = {.all = p->all, .own_seq = p->own_seq, .own_chain = p->own_chain};

	copy.origins = calloc(p->origin_count + 1, sizeof(*copy.origins));
	cr_assert(copy.origins);
	for (size_t i = 0; i < p->origin_count; i++)
		copy.origins[copy.origin_count++] = p->origins[i];
	cr_assert_eq(vector_copy(&p->after, &copy.after), ERR_OK);
	cr_assert_eq(vector_copy(map_vector(horde_map(n->h)), &copy.ack), ERR_OK);
	return copy;
}

/* After each step of a node. */
static inline void note_actions(struct node *n)
{
	struct peer *p = (struct peer *)n; /* its first member */
	struct cluster *c = n->context;

	for (size_t i = 0; i < p->n.actions.used; i++) {
		const struct action *a = &p->n.actions.items[i];

		if (a->kind == ACTION_HELLO || a->kind == ACTION_POLL || a->kind == ACTION_DIGEST) {
			struct call *call;

			drop_call(p, a->link);
			call = &p->calls[p->call_count++];
			cr_assert_leq(p->call_count, CALLS_MAX);
			*call = (struct call){.kind = a->kind,
				.link = a->link,
				.at_once = a->timeout_ms == 0,
				.repair = a->repair};
			if (a->kind != ACTION_HELLO)
				call->poll = copy_poll(n, a->poll);
			snprintf(call->url, sizeof(call->url), "%s", a->url);
		} else if (a->kind == ACTION_UNLINK) {
			drop_call(p, a->link);
		} else if (a->kind == ACTION_SPAWN) {
			spawn(c, p, a);
		}
		for (size_t k = 0; a->kind == ACTION_STOP && k < p->proc_count; k++)
			if (p->procs[k].epoch == a->epoch && !strcmp(p->procs[k].ref, a->ref))
				p->procs[k].stop = true;
	}
}

/* A step of one node, and the stored one that follows. */
static inline enum err peer_does(struct peer *p, struct event *e)
{
	return node_does(&p->n, e);
}

static inline struct peer *peer_at(struct cluster *c, const char *url)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->peers[i].n.h && strcmp(horde_config(c->peers[i].n.h)->url, url) == 0)
			return &c->peers[i];
	return NULL;
}

static inline void deliver_hello(struct peer *p, struct peer *to, uint32_t link)
{
	struct hello mine, theirs;
	struct event e = {.kind = EVENT_HELLO, .hello = &mine};
	enum err err;

	horde_hello(p->n.h, &mine);
	err = peer_does(to, &e);
	horde_hello(to->n.h, &theirs);
	e = (struct event){.kind = EVENT_HELLO_ANSWERED, .link = link, .hello = &theirs};
	if (err != ERR_OK) {
		e.kind = EVENT_LINK_REJECTED;
		e.rejected.err = err;
	}
	peer_does(p, &e);
}

static inline void make_answer(
	struct peer *p, struct peer *to, struct call *call, struct fragment *ret)
{
	struct block_sums sums;

	if (call->kind == ACTION_POLL) {
		cr_assert_eq(horde_serve(to->n.h, &call->poll, ret), ERR_OK);
		return;
	}
	cr_assert_eq(map_block_sums(horde_map(p->n.h), &sums), ERR_OK);
	cr_assert_eq(map_difference_checked(
			     horde_map(to->n.h), &call->poll.after, &sums, call->repair, ret),
		ERR_OK);
	horde_serve_sign(to->n.h, ret);
	block_sums_fini(&sums);
}

/* False: the server does not know the link, and the call is over. */
static inline bool arrive(struct peer *p, struct peer *to, size_t i)
{
	struct call *call = &p->calls[i];
	uint32_t link = call->link;
	struct event e = {.kind = EVENT_POLLED, .fresh = {link, (uint64_t)p->n.now_ms}};

	if (call->kind == ACTION_HELLO || call->arrived)
		return true;
	call->arrived = true;
	e.polled.incarnation = horde_config(p->n.h)->incarnation;
	e.polled.poll = &call->poll;
	if (peer_does(to, &e) == ERR_OK)
		return true;
	drop_call(p, link);
	peer_does(p, &(struct event){.kind = EVENT_LINK_LOST, .link = link});
	return false;
}

static inline char *text_copy(const char *text, size_t bytes)
{
	char *copy = malloc(bytes + 1);

	cr_assert(copy);
	return memcpy(copy, text, bytes + 1);
}

/* As it comes from the wire: it may be held for longer than the server keeps its texts. */
static inline void own_texts(struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++) {
		struct fragment_put *p = &f->puts[i];

		p->key = text_copy(p->key, p->key_bytes);
		if (p->made)
			continue;
		p->value = text_copy(p->value, p->value_bytes);
		p->record = p->record ? record_dup(p->record) : NULL;
	}
	f->borrowed = false;
}

static inline void deliver_fragment(struct peer *p, struct peer *to, struct call *call)
{
	struct fragment f;
	struct event e = {.kind = EVENT_FRAGMENT,
		.link = call->link,
		.fragment = &f,
		.fresh = {call->link, (uint64_t)p->n.now_ms + 1}};

	make_answer(p, to, call, &f);
	own_texts(&f);
	peer_does(p, &e);
	fragment_fini(&f);
}

/* Nobody waits for the window of a busy link here. */
static inline bool is_parked(struct peer *to, struct call *call)
{
	int64_t deadline = INT64_MAX;

	call->serving.since_ms = 1;
	return call->kind == ACTION_POLL && !call->at_once &&
	       !horde_serve_due(to->n.h, &call->poll, &call->serving, to->n.now_ms, &deadline);
}

/* Carries out one call; false when it stays parked. */
static inline bool deliver(struct cluster *c, struct peer *p, size_t i)
{
	struct call call = p->calls[i];
	struct peer *to = peer_at(c, call.url);
	struct event e = {.kind = EVENT_LINK_REFUSED, .link = call.link};
	bool hello = call.kind == ACTION_HELLO;

	if (p->cut || (to && to->cut)) {
		if (!hello)
			return false;
		e.kind = EVENT_LINK_SILENT;
	} else if (to && to->up) {
		if (!arrive(p, to, i))
			return true;
		if (is_parked(to, &p->calls[i]))
			return false;
		p->calls[i].poll = (struct poll){0};
		drop_call(p, call.link);
		if (hello)
			deliver_hello(p, to, call.link);
		else
			deliver_fragment(p, to, &call);
		poll_fini(&call.poll);
		return true;
	} else if (!hello) {
		e.kind = EVENT_LINK_LOST;
	}
	drop_call(p, call.link);
	peer_does(p, &e);
	return true;
}

static inline bool processes_move(struct cluster *c, struct peer *p)
{
	for (size_t k = 0; k < p->proc_count; k++) {
		struct proc x = p->procs[k];
		struct event e = {.kind = EVENT_STARTED};

		e.process.ref = x.ref;
		e.process.epoch = x.epoch;
		e.process.pid = 100;
		if (!x.fresh && (!x.stop || c->obstinate))
			continue;
		p->procs[k].fresh = false;
		if (!x.fresh) {
			e.kind = EVENT_EXITED;
			e.process.end = (struct process_end){.code = -1, .signal = 15};
			p->procs[k] = p->procs[--p->proc_count];
		}
		peer_does(p, &e);
		return true;
	}
	return false;
}

/* Until nothing moves any more. */
static inline void settle_all(struct cluster *c)
{
	bool moved = true;

	for (int turns = 0; moved; turns++) {
		cr_assert_lt(turns, 5000, "the cluster does not come to rest");
		moved = false;
		for (size_t i = 0; i < c->count; i++) {
			struct peer *p = &c->peers[i];

			if (!p->up)
				continue;
			moved = processes_move(c, p) || moved;
			for (size_t k = 0; k < p->call_count && !moved; k++)
				moved = deliver(c, p, k) || moved;
		}
	}
}

static inline void cluster_wait(struct cluster *c, int64_t ms)
{
	for (int64_t left = ms; left >= 0; left -= 50) {
		for (size_t i = 0; i < c->count; i++) {
			struct peer *p = &c->peers[i];

			if (p->up && horde_deadline_ms(p->n.h) <= p->n.now_ms)
				peer_does(p, &(struct event){.kind = EVENT_TICK});
		}
		settle_all(c);
		for (size_t i = 0; i < c->count && left >= 50; i++)
			c->peers[i].n.now_ms += 50;
	}
}

/* All that `old` knows, as a store would bring it back. */
static inline void load(struct horde *h, const struct horde *old)
{
	struct map *m = horde_map_mutable(h);
	struct vector nothing = {0};
	struct fragment f;

	cr_assert_eq(map_difference(horde_map(old), &nothing, &f), ERR_OK);
	for (size_t i = 0; i < f.put_count; i++) {
		struct fragment_put *p = &f.puts[i];

		cr_assert_eq(map_load_entry(m, p->dot, p->clock, p->key, p->key_bytes, p->value,
				     p->value_bytes, p->record ? record_dup(p->record) : NULL),
			ERR_OK);
	}
	for (size_t i = 0; i < f.kill_count; i++)
		cr_assert_eq(map_load_kill(m, f.kills[i].killer, f.kills[i].victim), ERR_OK);
	for (size_t i = 0; i < f.vector.used; i++)
		cr_assert_eq(
			map_load_vector(m, f.vector.items[i].origin, f.vector.items[i].count, 0, 0),
			ERR_OK);
	cr_assert_eq(map_load_end(m), ERR_OK);
	fragment_fini(&f);
}

static inline struct peer *peer_bare(struct cluster *c, size_t i, uint64_t life, bool joins)
{
	static const char *const names[] = {"n1", "n2", "n3"};
	struct horde_config config = config_of(names[i], life);
	int64_t now_ms = c->peers[0].n.now_ms ? c->peers[0].n.now_ms : START_MS;

	config.joins = joins;
	c->peers[i] = (struct peer){.n = node_bare(config), .up = true};
	c->peers[i].n.now_ms = now_ms;
	c->peers[i].n.sees = note_actions;
	c->peers[i].n.context = c;
	return &c->peers[i];
}

static inline void peer_begin(struct cluster *c, size_t i, const char *seed)
{
	struct peer *p = peer_bare(c, i, 0, seed != NULL);
	struct event e = {.kind = EVENT_JOIN};

	e.join.url = seed;
	e.join.keep = true;
	if (seed)
		peer_does(p, &e);
	peer_does(p, &(struct event){.kind = EVENT_START});
}

/* A new life of a node that was killed, from its store. */
static inline void peer_restart(struct cluster *c, size_t i, uint64_t life)
{
	struct node old = c->peers[i].n;
	struct event e = {.kind = EVENT_START};
	struct peer *p = peer_bare(c, i, life, false);
	struct hello hello;

	if (i == 0)
		p->n.now_ms = old.now_ms;
	load(p->n.h, old.h);
	horde_hello(old.h, &hello);
	e.start.cluster_id = hello.cluster_id;
	peer_does(p, &e);
	node_free(&old);
}

/* `count` nodes that know each other. */
static inline void cluster_make(struct cluster *c, size_t count)
{
	*c = (struct cluster){.count = count};
	for (size_t i = 0; i < count; i++)
		peer_begin(c, i, i ? "http://n1" : NULL);
	cluster_wait(c, 2000);
	for (size_t i = 0; i < count; i++) {
		cr_assert(horde_readiness(c->peers[i].n.h).synced);
		cr_assert_eq(horde_member_count(c->peers[i].n.h), count);
		c->peers[i].n.trace[0] = '\0';
	}
}

/* kill -9: the guardian takes the children along. */
static inline void peer_kill(struct cluster *c, size_t i)
{
	struct peer *p = &c->peers[i];

	p->up = false;
	p->proc_count = 0;
	while (p->call_count > 0)
		drop_call(p, p->calls[0].link);
}

static inline void cluster_free(struct cluster *c)
{
	for (size_t i = 0; i < c->count; i++) {
		peer_kill(c, i);
		node_free(&c->peers[i].n);
	}
}

#endif

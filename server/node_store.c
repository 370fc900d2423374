/* The store's side of the node: loading, the turn's batch, and what is known to be on disk. */
#include "server/node_inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "server/core/stream.h"
#include "server/load_map.h"
#include "storage/changes.h"
#include "storage/sqlite.h"

#define DUMP_ITEMS 1000 /* entries and kill records that are copied into a batch at once */

enum err node_load(struct node *n, char why[NODE_WHY_BYTES])
{
	struct map *m = horde_map_mutable(n->horde);
	struct store_problem problem = {0};
	char path[DIRECTORY_PATH_MAX + 32];
	enum err e = load_map(n->config.store, m, true, &n->cluster_id);

	if (!e)
		e = node_load_declared(n);
	if (!e)
		e = vector_join(&n->acked, map_vector(m));
	if (e) {
		snprintf(path, sizeof path, "%s/" SQLITE_FILE, n->config.directory->path);
		sqlite_explain(path, e, &problem);
		snprintf(why, NODE_WHY_BYTES, "%s", problem.detail);
	}
	return e;
}

/* ---- the turn's batch ---- */

/* What is known of each origin, for the `ack` of later polls. */
static enum err keep_vector(struct node *n, const struct changes *changes)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < changes->used && !e; i++)
		if (changes->items[i].kind == CHANGE_VECTOR)
			e = vector_raise(&n->batch_vector, changes->items[i].dot.origin,
				changes->items[i].dot.seq);
	return e;
}

void node_keep_changes(struct node *n, const struct changes *changes)
{
	if (!n->rewrite && (batch_changes(&n->batch, changes) || keep_vector(n, changes)))
		n->rewrite = true;
	for (size_t i = 0; i < changes->used; i++) {
		const struct entry *e = changes->items[i].entry;

		if (e)
			node_wake(n, e->key, e->key_bytes);
	}
	/* Events without a trace in the entries are news for the parked polls all the same. */
	if (changes->used > 0)
		node_wake(n, "vector", strlen("vector"));
}

void node_keep_cluster(struct node *n, struct origin_id cluster_id)
{
	char hex[ORIGIN_HEX_BYTES];

	n->cluster_id = cluster_id;
	origin_to_hex(cluster_id, hex);
	if (!n->rewrite && batch_setting(&n->batch, CLUSTER_SETTING, hex))
		n->rewrite = true;
}

/* ---- writing the whole map, when a batch could not be completed ---- */

static enum err dump_fragment(struct node *n, const struct fragment *f)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < f->kill_count && !e; i++)
		e = batch_kill(&n->batch, f->kills[i].killer, f->kills[i].victim);
	for (size_t i = 0; i < f->put_count && !e; i++)
		e = batch_put(&n->batch, f->puts[i].dot, f->puts[i].clock, f->puts[i].key,
			f->puts[i].key_bytes, f->puts[i].value, f->puts[i].value_bytes);
	return e;
}

static enum err dump_vector(struct node *n)
{
	const struct map *m = horde_map(n->horde);
	const struct vector *v = map_vector(m);
	enum err e = ERR_OK;

	for (size_t i = 0; i < v->used && !e; i++) {
		struct dot top = {v->items[i].origin, v->items[i].count};

		e = batch_vector(&n->batch, top.origin, top.seq, map_floor(m, top.origin),
			map_chain(m, top));
	}
	return e ? e : vector_join(&n->batch_vector, v);
}

/*
 * All that the map holds: each live entry, each kill record above its floor. In pieces, since names
 * are spelled out for it: at once that would take more memory than the map itself.
 */
static enum err dump_contents(struct node *n)
{
	struct vector nothing = VECTOR_INIT;
	struct stream *s = NULL;
	bool last = false;
	enum err e = stream_new(horde_map_mutable(n->horde), &nothing, NULL, &s);

	while (!e && !last) {
		struct fragment piece = {0};

		e = stream_next(s, DUMP_ITEMS, &piece, &last);
		if (!e)
			e = dump_fragment(n, &piece);
		fragment_fini(&piece);
	}
	stream_free(s);
	return e;
}

/* What is on disk goes first, since no record may be left of who killed what is there. */
static enum err dump(struct node *n)
{
	char hex[ORIGIN_HEX_BYTES];
	enum err e;

	batch_clear(&n->batch);
	e = batch_reset(&n->batch);
	if (!e)
		e = dump_contents(n);
	if (!e)
		e = dump_vector(n);
	if (!e)
		e = node_dump_declared(n);
	origin_to_hex(n->cluster_id, hex);
	if (!e && !origin_is_zero(n->cluster_id))
		e = batch_setting(&n->batch, CLUSTER_SETTING, hex);
	if (e)
		batch_fini(&n->batch);
	return e;
}

/* ---- to the writer and back ---- */

bool node_overloaded(const struct node *n)
{
	return n->rewrite || batch_weight(&n->batch) > NODE_BATCH_BYTES_MAX;
}

static void submitted(struct node *n, uint64_t number)
{
	size_t at = (n->commit_first + n->commit_count++) % WRITER_QUEUE_MAX;

	/* The writer takes no more than this before they are collected. */
	assert(n->commit_count <= WRITER_QUEUE_MAX);
	n->commits[at] = (struct commit){number, n->batch_vector};
	n->batch_vector = (struct vector)VECTOR_INIT;
}

bool node_commit(struct node *n)
{
	uint64_t number;

	if (n->rewrite && dump(n))
		return true;
	n->rewrite = false;
	if (n->batch.count == 0)
		return false;
	if (n->commit_count == WRITER_QUEUE_MAX)
		return false; /* the next result makes room, and wakes the loop */
	/* A batch that does not get through keeps growing, and goes under a later number. */
	number = horde_batch_cut(n->horde);
	assert(number >= n->batch_number);
	n->batch_number = number + 1;
	if (writer_submit(n->writer, &n->batch, number) == ERR_OK)
		submitted(n, number);
	return false;
}

static void settle_commits(struct node *n, uint64_t upto)
{
	while (n->commit_count > 0 && n->commits[n->commit_first].number <= upto) {
		struct commit *c = &n->commits[n->commit_first];
		/* Without memory the peers hear of it a commit later: an ack may lag. */
		if (vector_join(&n->acked, &c->vector) && n->commit_count > 1)
			vector_join(&n->commits[(n->commit_first + 1) % WRITER_QUEUE_MAX].vector,
				&c->vector);
		vector_fini(&c->vector);
		n->commit_first = (n->commit_first + 1) % WRITER_QUEUE_MAX;
		n->commit_count--;
	}
}

static void tell(struct node *n, enum event_kind kind, uint64_t number, enum err err)
{
	struct event e = {.kind = kind};

	e.stored.batch = number;
	e.stored.err = err;
	node_step(n, &e);
	http_wake_commit(n->http, number, err);
	n->woken = true;
}

static void tell_stored(struct node *n)
{
	uint64_t number = n->stored;

	if (number == 0)
		return;
	n->stored = 0;
	settle_commits(n, number);
	tell(n, EVENT_STORED, number, ERR_OK);
}

static void on_result(void *data, uint64_t number, enum err e)
{
	struct node *n = data;

	if (!e) {
		n->stored = number;
		return;
	}
	tell_stored(n); /* in the order of the numbers */
	tell(n, EVENT_STORE_FAILED, number, e);
}

static void on_writer(void *data, uint32_t events)
{
	struct node *n = data;

	(void)events;
	writer_collect(n->writer, on_result, n);
	tell_stored(n);
}

enum err node_watch_writer(struct node *n)
{
	return loop_watch(
		n->config.loop, &n->stored_io, writer_fd(n->writer), EPOLLIN, on_writer, n);
}

void node_store_fini(struct node *n)
{
	settle_commits(n, UINT64_MAX);
	batch_fini(&n->batch);
	vector_fini(&n->batch_vector);
	vector_fini(&n->acked);
}

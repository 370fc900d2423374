/*
 * Snapshots and what they bring back. A thread loads the file into a map of its own, without
 * records, since it may share nothing; what it has and this node has not is then found, decoded and
 * applied on the loop, as one event of the core.
 */
#include "server/node_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "api/records.h"
#include "server/core/blocks.h"
#include "server/core/digest.h"
#include "server/load_map.h"
#include "server/log.h"

/* Of one step of a reput: keys that are written, and keys that are looked at. */
#define REPUT_WRITES_MAX 256
#define REPUT_KEYS_MAX 10000

struct restore { /* what a load job is about */
	struct origin_id self;
	struct origin_id cluster_id; /* this node's; the snapshot must say the same */
	bool reput;
	struct map *map;
	/* how far a reput is */
	char after[KEY_BYTES_MAX];
	size_t after_bytes;
};

static void free_restore(void *data)
{
	struct restore *r = data;

	map_free(r->map);
	free(r);
}

/* ---- on the thread ---- */

static enum err load(void *data, struct store store)
{
	struct restore *r = data;
	struct origin_id found = {0, 0};
	enum err e = map_new(r->self, digest_key(r->cluster_id), &r->map);

	if (!e)
		e = load_map(store, r->map, false, &found);
	return e ? e : origin_equal(found, r->cluster_id) ? ERR_OK : ERR_CLUSTER_MISMATCH;
}

static enum err restore(void *node, const char *id, bool reput, struct snapshots_job **ret_job)
{
	struct node *n = node;
	struct restore *r;
	enum err e = horde_write_refused(n->horde);

	if (e)
		return e;
	r = calloc(1, sizeof *r);
	if (!r)
		return ERR_NO_MEMORY;
	r->cluster_id = n->cluster_id;
	r->reput = reput;
	if (getrandom(&r->self, sizeof r->self, 0) == (ssize_t)sizeof r->self)
		e = snapshots_load(n->snapshots, id, load, r, free_restore, ret_job);
	else
		e = ERR_SYSTEM;
	if (e)
		free_restore(r);
	return e;
}

/* ---- merge: one step ---- */

/* The records of a borrowed fragment are the map's, and that one has none: these are ours. */
static enum err decode_puts(struct fragment *f)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < f->put_count && !e; i++) {
		struct fragment_put *p = &f->puts[i];

		e = record_decode_checked(
			p->key, p->key_bytes, p->value, p->value_bytes, &p->record);
	}
	return e == ERR_MALFORMED ? ERR_STORAGE_CORRUPT : e;
}

static void free_records(struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++)
		record_free(f->puts[i].record);
}

static void count_changes(const struct changes *changes, struct restore_step *step)
{
	for (size_t i = 0; i < changes->used; i++) {
		step->added += changes->items[i].kind == CHANGE_PUT;
		step->removed += changes->items[i].kind == CHANGE_DROP;
	}
	step->wrote = changes->used > 0;
}

static enum err join(struct node *n, struct fragment *f, struct restore_step *step)
{
	struct event e = {.kind = EVENT_MERGE, .fragment = f};
	struct command_result result = {0};
	enum err err = decode_puts(f);

	if (!err)
		err = node_command(n, &e, &result);
	if (err)
		return err == ERR_MALFORMED ? ERR_STORAGE_CORRUPT : err;
	count_changes(&n->actions.changes, step);
	step->batch = result.batch;
	step->finished = true;
	return ERR_OK;
}

static enum err merge(struct node *n, struct restore *r, struct restore_step *step)
{
	const struct map *ours = horde_map(n->horde);
	struct block_sums sums = {0};
	struct fragment f = {0};
	enum err e = map_block_sums(ours, &sums);

	if (!e)
		e = map_difference_checked(r->map, map_vector(ours), &sums, false, &f);
	if (!e)
		e = join(n, &f, step);
	free_records(&f);
	fragment_fini(&f);
	block_sums_fini(&sums);
	return e;
}

/* ---- reput: some keys at a time ---- */

static enum err load_entry(struct map *m, const struct entry *e)
{
	char room[ENTRY_ROOM];
	const char *value = entry_text(e, room);
	struct record *record = NULL;
	enum err err = map_load_vector(m, *e->origin, e->seq, 0, 0);

	if (!err)
		err = record_decode_checked(e->key, e->key_bytes, value, e->value_bytes, &record);
	if (err)
		return err;
	err = map_load_entry(
		m, entry_dot(e), e->clock, e->key, e->key_bytes, value, e->value_bytes, record);
	if (err)
		record_free(record);
	return err;
}

/* A map of one key with its records, so that the core's own rules choose among siblings. */
static enum err rank(const struct restore *r, const struct entry *e, struct map **ret_map)
{
	enum err err = map_new(r->self, 0, ret_map);

	for (; e && !err; e = e->sibling)
		err = load_entry(*ret_map, e);
	if (!err)
		err = map_load_end(*ret_map);
	return err == ERR_MALFORMED || err == ERR_LIMIT ? ERR_STORAGE_CORRUPT : err;
}

static enum err put_value(struct node *n, const struct entry *e, enum event_kind kind,
	struct record *record, struct command_result *ret)
{
	struct event event = {.kind = kind};
	enum err err;

	event.put.key = e->key;
	event.put.key_bytes = e->key_bytes;
	event.put.value = entry_text(e, NULL);
	event.put.value_bytes = e->value_bytes;
	event.put.record = record;
	err = node_command(n, &event, ret);
	if (err)
		record_free(record);
	return err;
}

static enum err put_entry(struct node *n, const struct entry *e, const struct entry_record *was,
	struct command_result *ret)
{
	struct event event = {.kind = EVENT_REGISTER};

	event.entry.key = e->key;
	event.entry.key_bytes = e->key_bytes;
	event.entry.owner_given = true;
	event.entry.owner_kind = OWNER_STATIC;
	event.entry.owner_id = was->owner_id;
	event.entry.value = entry_raw(e, &event.entry.value_bytes);
	return node_command(n, &event, ret);
}

/* Writes what was the winner of its key, if a user wrote it. *ret_wrote says whether. */
static enum err put_again(
	struct node *n, const struct entry *e, struct command_result *ret, bool *ret_wrote)
{
	enum family family = family_of(e->key, e->key_bytes);
	struct record *copy;
	struct entry_record was;
	enum err err = ERR_NO_MEMORY;

	*ret_wrote = true;
	if (family == FAMILY_META)
		return put_value(n, e, EVENT_PUT_META, NULL, ret);
	if (family == FAMILY_SPEC && e->record) {
		copy = record_dup(e->record);
		if (copy)
			err = put_value(n, e, EVENT_PUT_SPEC, copy, ret);
		return err;
	}
	if (family == FAMILY_ENTRY && entry_name(e, &was) && was.owner_kind == OWNER_STATIC)
		return put_entry(n, e, &was, ret);
	*ret_wrote = false;
	return ERR_OK;
}

static enum err reput_key(struct node *n, const struct restore *r, const struct entry *e,
	struct restore_step *step, size_t *writes)
{
	struct command_result result = {0};
	struct map *ranked = NULL;
	bool wrote = false;
	enum err err = rank(r, e, &ranked);

	if (!err)
		err = put_again(n, map_get(ranked, e->key, e->key_bytes), &result, &wrote);
	map_free(ranked);
	if (err || !wrote)
		return err;
	step->added++;
	step->batch = result.batch;
	step->wrote = true;
	++*writes;
	return ERR_OK;
}

static bool may_come_back(const struct node *n, const struct entry *e)
{
	enum family family = family_of(e->key, e->key_bytes);

	return (family == FAMILY_META || family == FAMILY_SPEC || family == FAMILY_ENTRY) &&
	       !map_get(horde_map(n->horde), e->key, e->key_bytes);
}

static enum err reput(struct node *n, struct restore *r, struct restore_step *step)
{
	const struct entry *e = NULL;
	size_t writes = 0, keys = 0;
	enum err err = ERR_OK;

	while (!err && writes < REPUT_WRITES_MAX && keys < REPUT_KEYS_MAX) {
		e = map_after(r->map, r->after, r->after_bytes);
		if (!e) {
			step->finished = true;
			return ERR_OK;
		}
		if (may_come_back(n, e))
			err = reput_key(n, r, e, step, &writes);
		memcpy(r->after, e->key, e->key_bytes);
		r->after_bytes = e->key_bytes;
		keys++;
	}
	return err;
}

static enum err next_step(void *node, struct snapshots_job *job, struct restore_step *step)
{
	struct restore *r = snapshots_job_data(job);
	enum err e;

	step->wrote = false;
	e = r->reput ? reput(node, r, step) : merge(node, r, step);
	if (!e && step->finished)
		log_event(LOG_LEVEL_INFO, "snapshot.restored", snapshots_job_id(job),
			"%s: %llu added, %llu removed", r->reput ? "reput" : "merge",
			(unsigned long long)step->added, (unsigned long long)step->removed);
	return e;
}

/* ---- the rest is the store's ---- */

static bool view_of(const struct snapshot *s, struct snapshot_view *ret_view)
{
	if (s)
		*ret_view = (struct snapshot_view){s->id, s->created_ms, s->bytes, s->checksum};
	return s;
}

static bool at(void *node, size_t index, struct snapshot_view *ret_view)
{
	return view_of(snapshots_at(((struct node *)node)->snapshots, index), ret_view);
}

static bool find(void *node, const char *id, struct snapshot_view *ret_view)
{
	return view_of(snapshots_find(((struct node *)node)->snapshots, id), ret_view);
}

static bool full(void *node)
{
	return snapshots_full(((struct node *)node)->snapshots);
}

static enum err remove_one(void *node, const char *id)
{
	enum err e = snapshots_delete(((struct node *)node)->snapshots, id);

	if (!e)
		node_wake(node, "snapshots", strlen("snapshots"));
	return e;
}

static enum err read_one(void *node, const char *id, int *ret_fd)
{
	return snapshots_read(((struct node *)node)->snapshots, id, ret_fd);
}

static enum err create(void *node, const char *id, struct snapshots_job **ret_job)
{
	return snapshots_create(((struct node *)node)->snapshots, id, ret_job);
}

static enum err receive(void *node, const char *id, struct snapshots_upload **ret_upload)
{
	return snapshots_receive(((struct node *)node)->snapshots, id, ret_upload);
}

const struct snapshot_service node_snapshots = {
	.at = at,
	.find = find,
	.full = full,
	.remove = remove_one,
	.read = read_one,
	.create = create,
	.receive = receive,
	.write = snapshots_write,
	.finish = snapshots_finish,
	.abort = snapshots_abort,
	.restore = restore,
	.job = snapshots_job_done,
	.ticket = snapshots_job_ticket,
	.release = snapshots_job_release,
	.step = next_step,
};

static void on_job(void *data, struct snapshots_job *job)
{
	enum err e = ERR_OK;
	char key[48];
	int bytes = snprintf(key, sizeof key, "snapshot-job/%llu",
		(unsigned long long)snapshots_job_ticket(job));

	node_wake(data, key, (size_t)bytes);
	if (snapshots_job_done(job, &e) && e)
		log_event(LOG_LEVEL_WARN, "snapshot.failed", snapshots_job_id(job), "%s",
			err_text(e));
	else
		log_event(LOG_LEVEL_INFO, "snapshot.done", snapshots_job_id(job), NULL);
}

static void on_snapshots(void *data, uint32_t events)
{
	struct node *n = data;

	(void)events;
	snapshots_collect(n->snapshots, on_job, n);
	node_wake(n, "snapshots", strlen("snapshots"));
}

enum err node_open_snapshots(struct node *n, char why[NODE_WHY_BYTES])
{
	const char *path = n->config.directory->path;
	enum err e = snapshots_open(path, &n->snapshots);

	if (e) {
		snprintf(why, NODE_WHY_BYTES, "cannot use %s/" SNAPSHOTS_DIRECTORY ": %s", path,
			err_text(e));
		return e;
	}
	return loop_watch(n->config.loop, &n->snapshots_io, snapshots_fd(n->snapshots), EPOLLIN,
		on_snapshots, n);
}

void node_snapshots_fini(struct node *n)
{
	if (!n->snapshots)
		return;
	loop_unwatch(n->config.loop, &n->snapshots_io);
	snapshots_close(n->snapshots);
}

/*
 * Snapshots of this node's store: listSnapshots, getSnapshot, createSnapshot, deleteSnapshot,
 * downloadSnapshot, uploadSnapshot. All work on the disk is done elsewhere: a handler parks until
 * its job is done.
 */
#include "api/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/restore.h"
#include "server/core/digest.h"

#define SNAPSHOTS_KEY "snapshots"

static const struct snapshot_service *service_of(const struct exchange *x)
{
	return resource_service(x)->snapshots;
}

static void *node_of(const struct exchange *x)
{
	return resource_service(x)->node;
}

/* ---- how one is shown ---- */

static uint64_t hash_of(const struct snapshot_view *v)
{
	return hash_pair(digest_content(v->checksum, strlen(v->checksum)),
		hash_pair(digest_content(v->id, strlen(v->id)), (uint64_t)v->created_ms));
}

static void open_view(struct text *body, const struct exchange *x, const struct snapshot_view *v)
{
	json_object(body);
	json_put_string(body, "id", v->id);
	json_put_string(body, "node", horde_config(resource_horde(x))->name);
	json_put_time(body, "created_at", v->created_ms);
	json_put_uint(body, "size_bytes", v->bytes);
	json_put_string(body, "checksum", v->checksum);
}

static void absent(struct exchange *x, const char *id)
{
	reads_absent(x, PROBLEM_SNAPSHOT_NOT_FOUND, "there is no snapshot '%s' on this node", id);
}

/* What a PUT or POST made. */
static void reply_made(struct exchange *x, const char *id, bool created)
{
	struct snapshot_view v;
	struct text body = TEXT_INIT;
	struct etag etag;
	char location[160], quoted[sizeof(etag.text) + 2];

	if (!service_of(x)->find(node_of(x), id, &v)) {
		exchange_problem(x, PROBLEM_SNAPSHOT_NOT_FOUND,
			"the snapshot '%s' was deleted meanwhile", id);
		return;
	}
	etag = etag_of(hash_of(&v));
	open_view(&body, x, &v);
	etag_put(&body, &etag);
	json_end_object(&body);
	snprintf(quoted, sizeof(quoted), "\"%s\"", etag.text);
	exchange_header_set(x, "ETag", quoted);
	if (created) {
		snprintf(location, sizeof(location), "/v1/storage/snapshots/%s", id);
		exchange_header_set(x, "Location", location);
	}
	exchange_reply(x, created ? 201 : 200, &body);
}

/* ---- listSnapshots, getSnapshot ---- */

struct listing {
	struct page page;
	struct text body;
	uint64_t sum; /* over the rows, for the ETag */
	size_t count;
};

static bool is_before(const struct listing *l, const char *id)
{
	size_t length = strlen(id), shorter = length;
	int order;

	if (!l->page.resumed)
		return false;
	if (l->page.after_length < shorter)
		shorter = l->page.after_length;
	order = memcmp(id, l->page.after, shorter);
	return order < 0 || (order == 0 && length <= l->page.after_length);
}

static void add_row(struct listing *l, const struct exchange *x, const struct snapshot_view *v)
{
	struct etag etag = etag_of(hash_of(v));

	open_view(&l->body, x, v);
	etag_put(&l->body, &etag);
	json_end_object(&l->body);
	l->sum += hash_of(v);
	l->count++;
}

static void write_page(struct exchange *x, struct listing *l)
{
	struct snapshot_view v, last = {0};
	bool more = false;

	json_object(&l->body);
	json_key(&l->body, "items");
	json_array(&l->body);
	for (size_t i = 0; !more && service_of(x)->at(node_of(x), i, &v); i++) {
		if (is_before(l, v.id))
			continue;
		more = l->count == l->page.limit;
		if (more)
			break;
		add_row(l, x, &v);
		last = v;
	}
	json_end_array(&l->body);
	if (last.id)
		page_end(x, &l->page, &l->body, last.id, strlen(last.id), more);
	json_end_object(&l->body);
}

static void list_snapshots(struct exchange *x)
{
	struct listing l = {.sum = 0};
	struct etag etag;

	if (!page_begin(x, &l.page))
		return;
	exchange_watch_key(x, SNAPSHOTS_KEY, strlen(SNAPSHOTS_KEY));
	write_page(x, &l);
	etag = etag_of(hash_pair(l.page.filter, l.sum));
	if (reads_settled(x, &etag))
		text_fini(&l.body);
	else
		reads_reply(x, &l.body, &etag);
}

static void get_snapshot(struct exchange *x)
{
	const char *id = exchange_path(x, "snapshot");
	struct snapshot_view v;
	struct text body = TEXT_INIT;
	struct etag etag;

	exchange_watch_key(x, SNAPSHOTS_KEY, strlen(SNAPSHOTS_KEY));
	if (!service_of(x)->find(node_of(x), id, &v)) {
		absent(x, id);
		return;
	}
	etag = etag_of(hash_of(&v));
	if (reads_settled(x, &etag))
		return;
	open_view(&body, x, &v);
	json_end_object(&body);
	reads_reply(x, &body, &etag);
}

/* ---- deleteSnapshot, downloadSnapshot ---- */

static void delete_snapshot(struct exchange *x)
{
	const char *id = exchange_path(x, "snapshot");
	enum err e = service_of(x)->remove(node_of(x), id);

	if (e == ERR_NOT_FOUND && !exchange_query_bool(x, "missing_ok", false))
		absent(x, id);
	else if (e == ERR_WRONG_STATE)
		exchange_problem(x, PROBLEM_WRONG_STATE, "'%s' is being received", id);
	else if (e != ERR_OK && e != ERR_NOT_FOUND)
		resource_fail(x, e);
	else
		exchange_reply_empty(x, 204);
}

static void download_snapshot(struct exchange *x)
{
	const char *id = exchange_path(x, "snapshot");
	char quoted[sizeof(struct etag) + 2];
	struct snapshot_view v;
	struct etag etag;
	enum err e;
	int fd;

	if (!service_of(x)->find(node_of(x), id, &v)) {
		absent(x, id);
		return;
	}
	etag = etag_of(hash_of(&v));
	if (reads_settled(x, &etag))
		return;
	e = service_of(x)->read(node_of(x), id, &fd);
	if (e == ERR_NOT_FOUND) {
		absent(x, id); /* somebody took the file away */
		return;
	}
	if (e != ERR_OK) {
		exchange_fail(x, e);
		return;
	}
	snprintf(quoted, sizeof(quoted), "\"%s\"", etag.text);
	exchange_header_set(x, "ETag", quoted);
	exchange_header_set(x, "Horde-Checksum", v.checksum);
	exchange_reply_file(x, 200, "application/octet-stream", fd, v.bytes);
}

/* ---- createSnapshot, uploadSnapshot ---- */

struct making { /* the state of an exchange */
	const struct snapshot_service *service;
	struct snapshots_upload *upload;
	struct snapshots_job *job;
	bool replaces;
	char id[UUID_TEXT_BYTES]; /* of createSnapshot */
};

static void free_making(void *state)
{
	struct making *m = state;

	if (m->upload)
		m->service->abort(m->upload);
	if (m->job)
		m->service->release(m->job);
	free(m);
}

static struct making *begin_making(struct exchange *x)
{
	struct making *m = calloc(1, sizeof(*m));

	if (!m) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	m->service = service_of(x);
	exchange_state_set(x, m, free_making);
	return m;
}

static void making_failed(struct exchange *x, enum err e)
{
	if (e == ERR_LIMIT && service_of(x)->full(node_of(x)))
		exchange_problem(x, PROBLEM_MAX_SNAPSHOTS,
			"as many are kept, or being made, as there may be: delete one");
	else if (e == ERR_WRONG_STATE)
		exchange_problem(x, PROBLEM_WRONG_STATE, "one is being received under this id");
	else
		snapshot_fail(x, e);
}

/* There is one already, and no job, when a crash has kept the answer from who asks again. */
static struct making *begin_create(struct exchange *x)
{
	struct making *m = begin_making(x);
	struct snapshot_view v;
	enum err e;

	if (!m)
		return NULL;
	e = resource_new_id(x, 0, m->id);
	if (e == ERR_OK && !m->service->find(node_of(x), m->id, &v))
		e = m->service->create(node_of(x), m->id, &m->job);
	if (e == ERR_OK)
		return m;
	making_failed(x, e);
	return NULL;
}

static void create_snapshot(struct exchange *x)
{
	struct making *m = exchange_state(x);

	if (!m && !(m = begin_create(x)))
		return;
	if (!m->job || snapshot_job_done(x, m->job))
		reply_made(x, m->id, true);
}

static void begin_upload(struct exchange *x)
{
	const char *id = exchange_path(x, "snapshot");
	bool known;
	struct snapshot_view v;
	struct making *m;
	struct etag etag;
	enum err e;

	known = service_of(x)->find(node_of(x), id, &v);
	if (known)
		etag = etag_of(hash_of(&v));
	if (!writes_allowed(x, known ? &etag : NULL) || !(m = begin_making(x)))
		return;
	m->replaces = known;
	e = m->service->receive(node_of(x), id, &m->upload);
	if (e != ERR_OK)
		making_failed(x, e);
}

static void receive_snapshot(struct exchange *x, const char *bytes, size_t count)
{
	struct making *m = exchange_state(x);
	enum err e;

	if (!m) {
		begin_upload(x);
		if (exchange_replied(x))
			return;
		m = exchange_state(x);
	}
	e = m->service->write(m->upload, bytes, count);
	if (e == ERR_LIMIT)
		exchange_problem(x, PROBLEM_BODY_TOO_LARGE, "the file is too large");
	else if (e != ERR_OK)
		resource_fail(x, e);
}

/* All of it is there. */
static void upload_snapshot(struct exchange *x)
{
	struct making *m = exchange_state(x);
	enum err e = ERR_OK;

	if (m->upload) {
		e = m->service->finish(m->upload, exchange_header(x, "Horde-Checksum"), &m->job);
		if (e != ERR_OK) {
			making_failed(x, e);
			return;
		}
		m->upload = NULL;
	}
	if (snapshot_job_done(x, m->job))
		reply_made(x, exchange_path(x, "snapshot"), !m->replaces);
}

const struct binding snapshots_bindings[] = {
	{"listSnapshots", list_snapshots},
	{"createSnapshot", create_snapshot},
	{"getSnapshot", get_snapshot},
	{"deleteSnapshot", delete_snapshot},
	{"downloadSnapshot", download_snapshot},
	{"uploadSnapshot", upload_snapshot},
	{NULL, NULL},
};

const struct receiver snapshots_receivers[] = {{"uploadSnapshot", receive_snapshot}, {NULL, NULL}};

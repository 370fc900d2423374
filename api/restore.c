/*
 * restoreSnapshot. The file is loaded on a thread; what it brings is applied here, in one step when
 * it is merged, some keys at a time when they are put again, each step on disk before the next.
 */
#include "api/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/snapshots.h"

/* A step that had nothing to write gives the loop back for so long. */
#define RESTORE_PAUSE_MS 1

void snapshot_fail(struct exchange *x, enum err e)
{
	if (e == ERR_STORAGE_CORRUPT)
		exchange_problem(x, PROBLEM_INVALID_SNAPSHOT,
			"it is no store of this program, or a damaged one");
	else if (e == ERR_MALFORMED)
		exchange_problem(
			x, PROBLEM_INVALID_SNAPSHOT, "it has another checksum than was said");
	else if (e == ERR_STORAGE_VERSION)
		exchange_problem(x, PROBLEM_UNSUPPORTED, "a newer version wrote it");
	else if (e == ERR_CLUSTER_MISMATCH)
		exchange_problem(x, PROBLEM_CLUSTER_MISMATCH,
			"the snapshot is of another cluster than this node");
	else if (e == ERR_NOT_FOUND)
		exchange_problem(x, PROBLEM_SNAPSHOT_NOT_FOUND, "its file is gone");
	else
		resource_fail(x, e);
}

bool snapshot_job_done(struct exchange *x, const struct snapshots_job *job)
{
	const struct snapshot_service *s = resource_service(x)->snapshots;
	int64_t deadline = exchange_started_ms(x) + SNAPSHOT_JOB_MS_MAX;
	enum err e = ERR_OK;
	char key[48];

	if (s->job(job, &e)) {
		if (e != ERR_OK)
			snapshot_fail(x, e);
		return e == ERR_OK;
	}
	if (resource_late(x, deadline)) {
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT, "it is not done yet and goes on");
		return false;
	}
	snprintf(key, sizeof(key), "snapshot-job/%llu", (unsigned long long)s->ticket(job));
	exchange_watch_key(x, key, strlen(key));
	exchange_park(x, deadline);
	return false;
}

struct restoring { /* the state of an exchange */
	const struct snapshot_service *service;
	struct snapshots_job *job;
	struct restore_step step;
	bool unstored; /* the last step wrote and is not known to be on disk */
};

static void free_restoring(void *state)
{
	struct restoring *r = state;

	if (r->job)
		r->service->release(r->job);
	free(r);
}

static const char *snapshot_of(const struct exchange *x)
{
	return json_string_value(json_object_get(exchange_body(x), "snapshot"));
}

static bool is_reput(const struct exchange *x)
{
	const char *mode = exchange_query(x, "mode");

	return mode && strcmp(mode, "reput") == 0;
}

static struct restoring *begin(struct exchange *x)
{
	struct restoring *r = calloc(1, sizeof(*r));
	enum err e;

	if (!r) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	r->service = resource_service(x)->snapshots;
	exchange_state_set(x, r, free_restoring);
	e = r->service->restore(resource_service(x)->node, snapshot_of(x), is_reput(x), &r->job);
	if (e == ERR_OK)
		return r;
	if (e == ERR_NOT_FOUND)
		exchange_problem(x, PROBLEM_SNAPSHOT_NOT_FOUND,
			"there is no snapshot '%s' on this node", snapshot_of(x));
	else
		resource_fail(x, e);
	return NULL;
}

/* What has been done by now is applied, and stays. */
static void stopped(struct exchange *x, const struct restoring *r, enum err e)
{
	json_put_bool(exchange_extra(x), "applied", r->step.added > 0 || r->step.removed > 0);
	if (e == ERR_OK)
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT, "the disk has not taken all of it yet");
	else
		snapshot_fail(x, e);
}

/* False: it waits for the disk, or that failed and was answered. */
static bool is_stored(struct exchange *x, struct restoring *r)
{
	int64_t deadline = exchange_started_ms(x) + SNAPSHOT_JOB_MS_MAX;
	enum err e = ERR_OK;

	if (!r->unstored)
		return true;
	if (exchange_stored(x, r->step.batch, &e)) {
		r->unstored = false;
		if (e != ERR_OK)
			stopped(x, r, e);
		return e == ERR_OK;
	}
	if (resource_late(x, deadline)) {
		stopped(x, r, ERR_OK);
		return false;
	}
	exchange_watch_commit(x, r->step.batch);
	exchange_park(x, deadline);
	return false;
}

static void reply(struct exchange *x, const struct restoring *r)
{
	struct text body = TEXT_INIT;

	json_object(&body);
	json_put_string(&body, "snapshot", snapshot_of(x));
	json_put_string(&body, "mode", is_reput(x) ? "reput" : "merge");
	json_put_uint(&body, "entries_added", r->step.added);
	json_put_uint(&body, "entries_removed", r->step.removed);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

static void restore_snapshot(struct exchange *x)
{
	struct restoring *r = exchange_state(x);
	enum err e;

	if (!r && !(r = begin(x)))
		return;
	if (!snapshot_job_done(x, r->job) || !is_stored(x, r))
		return;
	if (r->step.finished) {
		reply(x, r);
		return;
	}
	e = r->service->step(resource_service(x)->node, r->job, &r->step);
	if (e != ERR_OK) {
		stopped(x, r, e);
		return;
	}
	r->unstored = r->step.wrote;
	if (!is_stored(x, r))
		return;
	if (r->step.finished)
		reply(x, r);
	else
		exchange_park(x, exchange_now_ms(x) + RESTORE_PAUSE_MS);
}

const struct binding restore_bindings[] = {
	{"restoreSnapshot", restore_snapshot},
	{NULL, NULL},
};

/*
 * Writing children: startChild, putChild, patchChild, terminateChild, stopChild, startStoppedChild.
 * Each writes the spec alone and waits for what the owner then says in the child's status.
 */
#include "api/children.h"

#include <stdio.h>
#include <string.h>

#include "api/child.h"
#include "api/child_put.h"

/* ---- writing a spec ---- */

/* Writes what was prepared; false: a problem was answered, and nothing was written. */
static bool put_prepared(
	struct exchange *x, struct write *w, const char *id, enum err e, struct prepared *prepared)
{
	if (e == ERR_OK)
		e = child_commit(x, w, id, prepared);
	prepared_fini(prepared);
	if (e != ERR_OK)
		child_put_failed(x, e);
	return e == ERR_OK;
}

static bool put_parts(
	struct exchange *x, struct write *w, const char *id, const struct spec_parts *parts)
{
	struct prepared prepared = {0};
	enum err e = child_prepare_parts(x, parts, &prepared);

	return put_prepared(x, w, id, e, &prepared);
}

/* The same for a spec that came as JSON; created_at and desired are those of `parts`. */
static bool put_json(struct exchange *x, struct write *w, const char *id, const json_t *spec,
	const struct spec_parts *parts)
{
	struct prepared prepared = {0};
	enum err e = child_prepare(x, "", spec, parts, &prepared);

	return put_prepared(x, w, id, e, &prepared);
}

/* ---- waiting for what it brings about ---- */

/* The wanted state was not reached; the child says which was. */
static void not_reached(struct exchange *x, const struct child *c, const struct write *w)
{
	struct etag etag = child_etag(c);
	struct text *extra = exchange_extra(x);

	write_headers(x, w, &etag);
	json_key(extra, "child");
	child_open(extra, resource_horde(x), c);
	child_put_warnings(extra, c);
	etag_put(extra, &etag);
	json_end_object(extra);
	exchange_problem(
		x, PROBLEM_NOT_REACHED, "child '%s' is %s", c->id, child_state_name(c->view.state));
}

/* Somebody else deleted it while this request waited for it. */
static void lost_to_delete(struct exchange *x, const struct write *w, const char *id)
{
	write_headers(x, w, NULL);
	exchange_problem(x, PROBLEM_CONFLICT_LOST, "child '%s' was deleted meanwhile", id);
}

/* Replies at the first status of the new spec, or when the time is over. */
static void reply_started(struct exchange *x, const struct write *w, const char *id)
{
	const char *until = exchange_query(x, "until");
	struct child c;
	bool ready = until && strcmp(until, "ready") == 0, reached;

	child_look(x, exchange_path(x, "sup"), id, &c);
	if (!c.view.spec) {
		lost_to_delete(x, w, id);
		return;
	}
	/* A stopped child stays stopped: there is nothing to wait for. */
	reached = (c.view.current && c.view.state != CHILD_STARTING) || !c.view.wanted;
	/* One that runs may still get ready. */
	if (ready && c.view.state == CHILD_RUNNING && !child_is_ready(&c))
		reached = false;
	if (!reached && !resource_late(x, w->deadline_ms)) {
		child_watch(x, &c);
		exchange_park(x, w->deadline_ms);
		return;
	}
	if (until && (!reached || c.view.state != CHILD_RUNNING)) {
		not_reached(x, &c, w);
		return;
	}
	if (w->result.created) {
		char location[sizeof("/v1/supervisors//children/") + REF_BYTES_MAX];

		snprintf(location, sizeof(location), "/v1/supervisors/%s/children/%s", c.sup, id);
		exchange_header_set(x, "Location", location);
	}
	child_reply(x, reached ? (w->result.created ? 201 : 200) : 202, &c, w);
}

/* ---- startChild ---- */

static bool put_unnamed(struct exchange *x, struct write *w, const char *id)
{
	struct prepared prepared = {0};
	struct spec_parts parts;
	struct child c;
	enum err e;

	/* It is there already when a request with an Idempotency-Key was answered by a crash. */
	child_look(x, exchange_path(x, "sup"), id, &c);
	if (!c.view.spec || spec_split(c.value, c.value_bytes, &parts) != ERR_OK)
		parts = (struct spec_parts){.created_at_ms = wall_now_ms(), .running = true};
	e = child_prepare_unnamed(x, "", exchange_body(x), &parts, &prepared);
	return put_prepared(x, w, id, e, &prepared);
}

static struct write *begin_start(struct exchange *x)
{
	struct write *w = write_begin(x, WAIT_START_MS);
	char id[UUID_TEXT_BYTES];

	enum err e;

	if (!w)
		return NULL;
	e = resource_new_id(x, 0, id);
	if (e != ERR_OK) {
		exchange_fail(x, e);
		return NULL;
	}
	if (!write_keep(x, w, id, strlen(id)) || !put_unnamed(x, w, id))
		return NULL;
	w->result.created = true;
	return w;
}

static void start_child(struct exchange *x)
{
	struct write *w = exchange_state(x);

	if (!w && (!resource_supervisor(x) || !(w = begin_start(x))))
		return;
	if (write_settled(x, w))
		reply_started(x, w, w->kept);
}

/* ---- putChild, patchChild ---- */

static struct write *begin_put(struct exchange *x, const char *id)
{
	struct spec_parts parts;
	struct child c;
	struct etag etag;
	struct write *w;

	child_look(x, exchange_path(x, "sup"), id, &c);
	if (c.view.spec)
		etag = child_etag(&c);
	if (!writes_allowed(x, c.view.spec ? &etag : NULL))
		return NULL;
	if (!c.view.spec || spec_split(c.value, c.value_bytes, &parts) != ERR_OK)
		parts = (struct spec_parts){.created_at_ms = wall_now_ms(), .running = true};
	w = write_begin(x, WAIT_START_MS);
	if (!w || !put_json(x, w, id, exchange_body(x), &parts))
		return NULL;
	return w;
}

static void put_child(struct exchange *x)
{
	const char *id = exchange_path(x, "child");
	struct write *w = exchange_state(x);

	if (!w && (!resource_supervisor(x) || !(w = begin_put(x, id))))
		return;
	if (write_settled(x, w))
		reply_started(x, w, id);
}

/* Looks up what is to be changed; false: a problem was answered. */
static bool existing(
	struct exchange *x, const char *id, struct child *ret_child, struct spec_parts *ret_parts)
{
	child_look(x, exchange_path(x, "sup"), id, ret_child);
	if (!ret_child->view.spec) {
		child_not_found(x, ret_child);
		return false;
	}
	if (spec_split(ret_child->value, ret_child->value_bytes, ret_parts) != ERR_OK) {
		exchange_problem(x, PROBLEM_WRONG_STATE,
			"the spec was written by another version; put it anew");
		return false;
	}
	return true;
}

static bool put_patched(
	struct exchange *x, struct write *w, const char *id, struct spec_parts *parts)
{
	json_t *present = json_loadb(parts->spec, parts->spec_bytes, 0, NULL), *merged = NULL;
	bool ok = false;

	if (present && spec_merge(present, exchange_body(x), &merged) == ERR_OK)
		ok = exchange_check_merged(x, merged) && put_json(x, w, id, merged, parts);
	else
		exchange_fail(x, ERR_NO_MEMORY);
	json_decref(merged);
	json_decref(present);
	return ok;
}

static struct write *begin_patch(struct exchange *x, const char *id)
{
	struct spec_parts parts;
	struct child c;
	struct etag etag;
	struct write *w;

	if (!existing(x, id, &c, &parts))
		return NULL;
	etag = child_etag(&c);
	if (!writes_allowed(x, &etag))
		return NULL;
	w = write_begin(x, WAIT_START_MS);
	return w && put_patched(x, w, id, &parts) ? w : NULL;
}

static void patch_child(struct exchange *x)
{
	const char *id = exchange_path(x, "child");
	struct write *w = exchange_state(x);

	if (!w && (!resource_supervisor(x) || !(w = begin_patch(x, id))))
		return;
	if (write_settled(x, w))
		reply_started(x, w, id);
}

/* ---- stopChild, startStoppedChild ---- */

static struct write *begin_desire(struct exchange *x, const char *id, bool running)
{
	struct spec_parts parts;
	struct child c;
	struct write *w;

	if (!resource_supervisor(x) || !existing(x, id, &c, &parts))
		return NULL;
	parts.running = running;
	w = write_begin(x, running ? WAIT_START_MS : WAIT_STOP_MS);
	return w && put_parts(x, w, id, &parts) ? w : NULL;
}

static void start_stopped_child(struct exchange *x)
{
	const char *id = exchange_path(x, "child");
	struct write *w = exchange_state(x);

	if (!w && !(w = begin_desire(x, id, true)))
		return;
	if (write_settled(x, w))
		reply_started(x, w, id);
}

static bool has_stopped(const struct child *c)
{
	enum child_state s = c->view.state;

	return s == CHILD_STOPPED || s == CHILD_EXITED || s == CHILD_FAILED ||
	       (!c->view.assign && !c->view.status);
}

static void stop_child(struct exchange *x)
{
	const char *id = exchange_path(x, "child");
	struct write *w = exchange_state(x);
	struct child c;

	if (!w && !(w = begin_desire(x, id, false)))
		return;
	if (!write_settled(x, w))
		return;
	child_look(x, exchange_path(x, "sup"), id, &c);
	if (!c.view.spec) {
		lost_to_delete(x, w, id);
	} else if (has_stopped(&c)) {
		child_reply(x, 200, &c, w);
	} else if (resource_late(x, w->deadline_ms)) {
		child_reply(x, 202, &c, w);
	} else {
		child_watch(x, &c);
		exchange_park(x, w->deadline_ms);
	}
}

/* ---- terminateChild ---- */

static struct write *begin_terminate(struct exchange *x, const char *id)
{
	struct write *w;
	struct child c;
	enum err e = ERR_NOT_FOUND;

	child_look(x, exchange_path(x, "sup"), id, &c);
	w = write_begin(x, WAIT_STOP_MS);
	if (!w)
		return NULL;
	if (c.view.spec) {
		/* A 202 shows the child, whose spec is gone by then. */
		if (!write_keep(x, w, c.value, c.value_bytes))
			return NULL;
		e = child_remove(x, w, id);
	}
	if (e == ERR_NOT_FOUND && exchange_query_bool(x, "missing_ok", false)) {
		write_missing(w);
		return w;
	}
	if (e == ERR_NOT_FOUND)
		child_not_found(x, &c);
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

/* It is stopping still; the spec that it had is shown with what is known of the process. */
static void reply_stopping(struct exchange *x, struct child *c, const struct write *w)
{
	struct text body = TEXT_INIT;

	if (!c->view.spec) {
		c->value = w->kept;
		c->value_bytes = w->kept_bytes;
	}
	child_open(&body, resource_horde(x), c);
	json_end_object(&body);
	write_headers(x, w, NULL);
	exchange_reply(x, 202, &body);
}

static void terminate_child(struct exchange *x)
{
	const char *id = exchange_path(x, "child");
	struct write *w = exchange_state(x);
	struct child c;

	if (!w && (!resource_supervisor(x) || !(w = begin_terminate(x, id))))
		return;
	if (!write_settled(x, w))
		return;
	child_look(x, exchange_path(x, "sup"), id, &c);
	if (w->missing || child_gone(&c)) {
		write_headers(x, w, NULL);
		exchange_reply_empty(x, 204);
	} else if (c.view.spec || resource_late(x, w->deadline_ms)) {
		/* A spec is there again when somebody has put it anew. */
		reply_stopping(x, &c, w);
	} else {
		child_watch(x, &c);
		exchange_park(x, w->deadline_ms);
	}
}

const struct binding children_write_bindings[] = {
	{"startChild", start_child},
	{"putChild", put_child},
	{"patchChild", patch_child},
	{"terminateChild", terminate_child},
	{"stopChild", stop_child},
	{"startStoppedChild", start_stopped_child},
	{NULL, NULL},
};

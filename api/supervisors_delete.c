/*
 * deleteSupervisor: its end everywhere, with all its children; or, with `scope=local`, its end on
 * this node alone, whose children go on elsewhere (what Horde does when the supervisor of a node
 * shuts down).
 */
#include "api/supervisors.h"

#include <stdio.h>
#include <string.h>

#include "api/json_text.h"
#include "api/resource.h"

static bool is_local(const struct exchange *x)
{
	const char *scope = exchange_query(x, "scope");

	return scope && strcmp(scope, "local") == 0;
}

static enum err command(struct exchange *x, struct write *w)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {
		.kind = is_local(x) ? EVENT_VACATE_SUPERVISOR : EVENT_REMOVE_SUPERVISOR};
	enum err e;

	event.put.key = key;
	event.put.key_bytes =
		(size_t)snprintf(key, sizeof(key), SUPERVISORS "%s", exchange_path(x, "sup"));
	e = write_command(x, &event, w);
	if (e == ERR_OK && is_local(x))
		write_nothing(w); /* what comes of it is written as the processes end */
	return e;
}

static struct write *begin_delete(struct exchange *x)
{
	const char *name = exchange_path(x, "sup");
	struct write *w;
	enum err e;

	if (strcmp(name, DEFAULT_NAME) == 0 && !is_local(x)) {
		exchange_problem(x, PROBLEM_WRONG_STATE, "supervisor '%s' always exists", name);
		return NULL;
	}
	w = write_begin(x, WAIT_STOP_MS);
	if (!w)
		return NULL;
	e = command(x, w);
	if (e == ERR_NOT_FOUND && exchange_query_bool(x, "missing_ok", false)) {
		write_missing(w);
		return w;
	}
	if (e == ERR_NOT_FOUND)
		supervisor_not_found(x);
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

/* Deleted, and its owner has not cleared its assignment yet. */
static bool is_stopping(struct exchange *x, const struct entry *assign)
{
	struct child_view v;

	horde_child(resource_horde(x), key_rest(assign->key), &v);
	return !v.spec;
}

/* Still on its way from this node. */
static bool is_leaving(struct exchange *x, const struct entry *assign)
{
	return horde_child_moves(resource_horde(x), key_rest(assign->key));
}

/* How many are not where they are to be; watches them. */
static size_t count_left(struct exchange *x)
{
	char prefix[KEY_BYTES_MAX + 1];
	size_t bytes = resource_key(prefix, "assign", exchange_path(x, "sup"), ""), count = 0;
	const struct entry *e = map_from(resource_map(x), prefix, bytes);

	for (; e && e->key_bytes >= bytes && memcmp(e->key, prefix, bytes) == 0;
		e = map_after(resource_map(x), e->key, e->key_bytes))
		count += is_local(x) ? is_leaving(x, e) : is_stopping(x, e);
	exchange_watch_prefix(x, prefix, bytes);
	return count;
}

static void delete_supervisor(struct exchange *x)
{
	struct write *w = exchange_state(x);
	struct text body = TEXT_INIT;
	size_t left;

	if ((!w && !(w = begin_delete(x))) || !write_settled(x, w))
		return;
	left = w->missing ? 0 : count_left(x);
	if (left > 0 && !resource_late(x, w->deadline_ms)) {
		exchange_park(x, w->deadline_ms);
		return;
	}
	write_headers(x, w, NULL);
	if (left == 0) {
		exchange_reply_empty(x, 204);
		return;
	}
	json_object(&body);
	json_put_string(&body, "name", exchange_path(x, "sup"));
	json_put_uint(&body, "stopping", left);
	json_end_object(&body);
	exchange_reply(x, 202, &body);
}

const struct binding supervisors_delete_bindings[] = {
	{"deleteSupervisor", delete_supervisor},
	{NULL, NULL},
};

/* What the node offers to the API's handlers (api/service.h), and the server that they run in. */
#include "server/node_inside.h"

#include <stdio.h>
#include <string.h>

#include "api/about.h"
#include "api/children.h"
#include "api/cluster.h"
#include "api/dispatch.h"
#include "api/events.h"
#include "api/health.h"
#include "api/peer.h"
#include "api/registries.h"
#include "api/registry.h"
#include "api/replies.h"
#include "api/lease.h"
#include "api/logs.h"
#include "api/snapshots.h"
#include "api/state.h"
#include "api/supervisors.h"
#include "server/log.h"

static const struct binding *const tables[] = {about_bindings, health_bindings, cluster_bindings,
	peer_bindings, supervisors_bindings, supervisors_delete_bindings, children_bindings,
	children_write_bindings, children_many_bindings, children_call_bindings, logs_bindings,
	logs_follow_bindings, events_bindings, events_follow_bindings, state_bindings,
	lease_bindings, registry_bindings, registry_write_bindings, registry_list_bindings,
	queries_bindings, queries_write_bindings, meta_bindings, registries_bindings,
	dispatch_bindings, snapshots_bindings, restore_bindings, NULL};

static const struct receiver *const receivers[] = {snapshots_receivers, dispatch_receivers, NULL};

/* Only what requests cause is held back; what peers and processes cause has happened already. */
static bool is_write(enum event_kind kind)
{
	return kind == EVENT_PUT_SPEC || kind == EVENT_REMOVE_SPEC || kind == EVENT_REGISTER ||
	       kind == EVENT_UPDATE || kind == EVENT_UNREGISTER || kind == EVENT_PUT_META ||
	       kind == EVENT_REMOVE_META || kind == EVENT_PUT_STATE || kind == EVENT_REMOVE_STATE ||
	       kind == EVENT_PUT_SUPERVISOR || kind == EVENT_REMOVE_SUPERVISOR ||
	       kind == EVENT_START_SUPERVISOR || kind == EVENT_VACATE_SUPERVISOR ||
	       kind == EVENT_PUT_LEASE || kind == EVENT_REMOVE_LEASE || kind == EVENT_MERGE;
}

enum err node_command(void *node, struct event *e, struct command_result *ret)
{
	struct node *n = node;
	enum err err;

	if (is_write(e->kind) && node_overloaded(n))
		return ERR_LIMIT;
	err = node_step(n, e);
	if (!err && ret) {
		ret->batch = n->batch_number;
		ret->dot = n->actions.dot;
		ret->created = n->actions.created;
		ret->applied = n->actions.applied;
	}
	return err;
}

static enum err call(void *node, const char *url, const char *path, const char *body,
	size_t body_bytes, int64_t timeout_ms, uint64_t *ret_ticket)
{
	struct node *n = node;

	return peers_call(n->peers, url, path, body, body_bytes, timeout_ms, ret_ticket);
}

static enum call_state call_result(
	void *node, uint64_t ticket, unsigned *ret_status, const char **ret_body, size_t *ret_bytes)
{
	struct node *n = node;

	return peers_call_result(n->peers, ticket, ret_status, ret_body, ret_bytes);
}

static void call_end(void *node, uint64_t ticket)
{
	struct node *n = node;

	peers_call_end(n->peers, ticket);
}

static enum err stream(void *node, const struct vector *after, const struct block_sums *sums,
	struct stream **ret_stream)
{
	struct node *n = node;

	return stream_new(horde_map_mutable(n->horde), after, sums, ret_stream);
}

static enum err covered(void *service, const char *dots, bool *ret_covered)
{
	const struct service *s = service;
	const struct vector *have = map_vector(horde_map(s->horde));
	bool all = true;
	struct dot d;

	for (;;) {
		size_t bytes;
		dots += strspn(dots, " \t");
		bytes = strcspn(dots, ", \t");
		if (!dot_from_text(dots, bytes, &d))
			return ERR_MALFORMED;
		all = all && vector_has(have, d);
		dots += bytes + strspn(dots + bytes, " \t");
		if (!*dots)
			break;
		if (*dots++ != ',')
			return ERR_MALFORMED;
	}
	*ret_covered = all;
	return ERR_OK;
}

static enum err credential(void *service, const char *token, struct child_credential *ret)
{
	const struct service *s = service;
	struct credential by = {.ref = ret->ref};
	char key[CHILD_KEY_BYTES_MAX];
	enum err e = child_token_read(node_child_key(s->node, key), token, ret);

	by.epoch = ret->epoch;
	return e ? e : horde_credential(s->horde, &by);
}

static void answered(void *service, const char *method, const char *path, unsigned status,
	const char *request_id, int64_t took_ms)
{
	(void)service;
	log_event(LOG_LEVEL_DEBUG, "http.answered", request_id, "%s %s %u %lld ms", method, path,
		status, (long long)took_ms);
}

enum err node_serve(struct node *n, char why[NODE_WHY_BYTES])
{
	char reason[HTTP_WHY_BYTES] = "";
	struct http_config c = {
		.loop = n->config.loop,
		.listen_fd = n->config.listen_fd,
		.node_name = n->config.options->name,
		.hosts = n->config.hosts,
		.token = n->config.options->token,
		.secret = n->config.options->secret,
		.credential = credential,
		.cgroup = n->config.options->cgroup,
		.service = &n->service,
		.tables = tables,
		.receivers = receivers,
		.covered = covered,
		.keeper = &replies_keeper,
		.answered = log_wants(LOG_LEVEL_DEBUG) ? answered : NULL,
	};
	enum err e;

	n->service = (struct service){
		.horde = n->horde,
		.node = n,
		.command = node_command,
		.call = call,
		.call_result = call_result,
		.call_end = call_end,
		.snapshots = &node_snapshots,
		.dispatch = &node_dispatch,
		.logs = node_logs,
		.stream = stream,
		.started_wall_ms = loop_wall_ms(),
		.version = HORDE_VERSION,
	};
	e = http_start(&c, &n->http, reason);
	if (e)
		snprintf(why, NODE_WHY_BYTES, "cannot serve: %s%s%s", err_text(e),
			reason[0] ? ": " : "", reason);
	return e;
}

/*
 * The whole API of n1, one of up to three cores that are joined by a network which delivers when it
 * is told to (core/cluster.h). Server and client are one thread: the server turns only inside of
 * scene_until. What n1 writes is on disk when scene_store says so, and not before.
 */
#ifndef HORDE_TESTS_API_SCENE_H
#define HORDE_TESTS_API_SCENE_H

#include "api/about.h"
#include "api/children.h"
#include "api/cluster.h"
#include "api/dispatch.h"
#include "api/events.h"
#include "api/health.h"
#include "api/lease.h"
#include "api/logs.h"
#include "api/peer.h"
#include "api/registries.h"
#include "api/registry.h"
#include "api/replies.h"
#include "api/service.h"
#include "api/snapshots.h"
#include "api/state.h"
#include "api/supervisors.h"
#include "tests/unit/api/served.h"
#include "tests/unit/core/cluster.h"

#define SCENE_PATIENCE_MS 20000

static const struct binding *const scene_tables[] = {about_bindings, health_bindings,
	cluster_bindings, peer_bindings, supervisors_bindings, supervisors_delete_bindings,
	children_bindings, children_write_bindings, children_many_bindings, children_call_bindings,
	logs_bindings, logs_follow_bindings, events_bindings, events_follow_bindings,
	state_bindings, lease_bindings, registry_bindings, registry_write_bindings,
	registry_list_bindings, queries_bindings, queries_write_bindings, meta_bindings,
	registries_bindings, dispatch_bindings, snapshots_bindings, restore_bindings, NULL};

struct scene {
	struct cluster c;
	struct service service;
	struct loop *loop;
	struct http *http;
	uint64_t events_told;
	bool (*until)(long argument);
	long argument;
	int64_t end_ms;
};

static struct scene scene;

/* ---- the node ---- */

static void scene_sees(struct node *n)
{
	note_actions(n);
	for (size_t i = 0; scene.http && i < n->actions.changes.used; i++) {
		const struct entry *e = n->actions.changes.items[i].entry;

		if (e)
			http_wake_key(scene.http, e->key, e->key_bytes);
		http_wake_key(scene.http, "vector", strlen("vector"));
	}
	if (scene.http)
		events_wake(scene.http, horde_events(n->h), &scene.events_told);
	for (size_t i = 0; scene.http && i < n->actions.used; i++)
		if (n->actions.items[i].kind == ACTION_ACKED)
			http_wake_key(scene.http, "ack", strlen("ack"));
}

static enum err scene_command(void *node, struct event *e, struct command_result *ret)
{
	struct peer *p = node;
	enum err err = peer_does(p, e);

	if (err == ERR_OK && ret)
		*ret = (struct command_result){.batch = horde_batch_cut(p->n.h),
			.dot = p->n.actions.dot,
			.created = p->n.actions.created,
			.applied = p->n.actions.applied};
	return err;
}

/* All that n1 has written by now is on its disk, or was refused by it. */
static void scene_store(enum err result)
{
	struct node *n = &scene.c.peers[0].n;
	struct event e = {.kind = result == ERR_OK ? EVENT_STORED : EVENT_STORE_FAILED};

	e.stored.batch = horde_batch_cut(n->h);
	e.stored.err = result;
	node_step(n, &e);
	http_wake_commit(scene.http, e.stored.batch, result);
}

/* Until nothing moves in the cluster, neither on the lines nor on n1's disk. */
static inline void scene_flow(void)
{
	for (int i = 0; i < 8; i++) {
		settle_all(&scene.c);
		scene_store(ERR_OK);
	}
}

static void scene_start(size_t nodes)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	static const struct receiver *const receivers[] = {
		snapshots_receivers, dispatch_receivers, NULL};
	struct http_config c = {.node_name = "n1",
		.hosts = hosts,
		.service = &scene.service,
		.tables = scene_tables,
		.receivers = receivers,
		.keeper = &replies_keeper};
	char why[HTTP_WHY_BYTES];

	memset(&scene, 0, sizeof(scene));
	cluster_make(&scene.c, nodes);
	scene.c.peers[0].n.sees = scene_sees;
	scene.c.peers[0].n.writes_kept = true;
	scene.service = (struct service){.horde = scene.c.peers[0].n.h,
		.node = &scene.c.peers[0],
		.command = scene_command,
		.version = "0"};
	cr_assert_eq(loop_new(&scene.loop), ERR_OK);
	c.loop = scene.loop;
	c.listen_fd = served_listen(&served.port);
	cr_assert_eq(http_start(&c, &scene.http, why), ERR_OK, "%s", why);
}

static inline void scene_end(void)
{
	http_stop(scene.http);
	loop_free(scene.loop);
	cluster_free(&scene.c);
}

/* ---- the client ---- */

static int scene_turn(void *data)
{
	int ms = http_turn(scene.http);

	(void)data;
	cr_assert_lt(loop_clock_ms(), scene.end_ms, "it does not happen");
	if (!scene.until(scene.argument))
		return ms < 0 || ms > 5 ? 5 : ms;
	loop_stop(scene.loop);
	return 0;
}

static void scene_until(bool (*until)(long argument), long argument)
{
	scene.until = until;
	scene.argument = argument;
	scene.end_ms = loop_clock_ms() + SCENE_PATIENCE_MS;
	loop_run(scene.loop, scene_turn, NULL);
}

static bool is_answered(long fd)
{
	static char bytes[70000];
	ssize_t n = recv((int)fd, bytes, sizeof(bytes) - 1, MSG_PEEK | MSG_DONTWAIT);
	const char *body, *length;

	if (n <= 0)
		return false;
	bytes[n] = '\0';
	body = strstr(bytes, "\r\n\r\n");
	length = strcasestr(bytes, "\r\nContent-Length:");
	return body && (!length || length > body || body + 4 + atol(length + 17) <= bytes + n);
}

static bool are_parked(long count)
{
	return http_parked(scene.http) == (size_t)count;
}

static inline bool is_idle(long count)
{
	return http_busy(scene.http) == (size_t)count;
}

static int scene_send(const char *what, const char *body)
{
	int fd = served_connect();

	send_request(fd, what, "", body);
	return fd;
}

/* Sends what is going to wait. */
static inline int scene_park(const char *what, const char *body)
{
	long before = (long)http_parked(scene.http);
	int fd = scene_send(what, body);

	scene_until(are_parked, before + 1);
	return fd;
}

/* The answer, which is valid until the next one. */
static struct answer *scene_answer(int fd)
{
	struct answer *a;

	scene_until(is_answered, fd);
	a = receive(fd, false);
	close(fd);
	return a;
}

static inline struct answer *scene_ask(const char *what)
{
	return scene_answer(scene_send(what, NULL));
}

#endif

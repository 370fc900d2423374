#include "tests/fuzz/node.h"

#include <string.h>

#include "api/records.h"
#include "tests/fuzz/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/snapshots.h"

#define TODO_MAX 64
#define CHANGED_MAX 256

/* What the core asked for and node_turn does. */
struct todo {
	enum event_kind kind;
	uint32_t link;
	uint64_t epoch;
	char ref[REF_BYTES_MAX];
};

static struct {
	const struct loop *loop;
	struct horde *horde;
	struct actions actions;
	struct service service;
	uint64_t batch; /* the number of this turn's; node_turn ends it */
	struct todo todo[TODO_MAX];
	size_t todo_count;
	char *changed[CHANGED_MAX]; /* keys, until the next turn */
	size_t changed_bytes[CHANGED_MAX];
	size_t changed_count;
	bool wake;
} node;

static void note(enum event_kind kind, const struct action *a)
{
	struct todo *t = &node.todo[node.todo_count];

	if (node.todo_count == TODO_MAX)
		return;
	*t = (struct todo){.kind = kind, .link = a->link, .epoch = a->epoch};
	if (a->ref)
		snprintf(t->ref, sizeof(t->ref), "%s", a->ref);
	node.todo_count++;
}

static void note_actions(void)
{
	for (size_t i = 0; i < node.actions.used; i++) {
		const struct action *a = &node.actions.items[i];

		if (a->kind == ACTION_SPAWN)
			note(EVENT_STARTED, a);
		else if (a->kind == ACTION_STOP)
			note(EVENT_EXITED, a);
		else if (a->kind == ACTION_HELLO || a->kind == ACTION_POLL)
			note(EVENT_LINK_REFUSED, a);
	}
}

static void note_changes(void)
{
	const struct changes *c = &node.actions.changes;

	node.wake = node.wake || c->used > 0;
	for (size_t i = 0; i < c->used && node.changed_count < CHANGED_MAX; i++) {
		const struct entry *e = c->items[i].entry;

		if (!e)
			continue;
		node.changed[node.changed_count] = fuzz_copy(e->key, e->key_bytes);
		node.changed_bytes[node.changed_count++] = e->key_bytes;
	}
}

static enum err step(struct event *e)
{
	enum err err;

	e->now_ms = loop_now_ms(node.loop);
	e->wall_ms = CLOCK_WALL_MS + e->now_ms;
	actions_clear(&node.actions);
	err = horde_step(node.horde, e, &node.actions);
	note_actions();
	note_changes();
	return err;
}

static enum err command(void *data, struct event *e, struct command_result *ret)
{
	enum err err = step(e);

	(void)data;
	if (err == ERR_OK && ret) {
		ret->batch = node.batch;
		ret->dot = node.actions.dot;
		ret->created = node.actions.created;
	}
	return err;
}

static enum err call(void *data, const char *url, const char *path, const char *body,
	size_t body_bytes, int64_t timeout_ms, uint64_t *ret_ticket)
{
	(void)data;
	(void)url;
	(void)path;
	(void)body;
	(void)body_bytes;
	(void)timeout_ms;
	(void)ret_ticket;
	return ERR_LIMIT;
}

static enum call_state call_result(
	void *data, uint64_t ticket, unsigned *ret_status, const char **ret_body, size_t *ret_bytes)
{
	(void)data;
	(void)ticket;
	(void)ret_status;
	(void)ret_body;
	(void)ret_bytes;
	return CALL_FAILED;
}

static void call_end(void *data, uint64_t ticket)
{
	(void)data;
	(void)ticket;
}

/* One line is kept, at 100. */
static enum err read_logs(void *data, const char *ref, const struct logs_query *q, size_t size,
	struct text *out, struct logs_range *ret_range)
{
	(void)data;
	(void)ref;
	(void)size;
	*ret_range = (struct logs_range){.first = 100, .end = 140, .next = 140};
	if (q->from_offset && (q->after < 100 || q->after > 140))
		return ERR_LIMIT;
	if (q->from_offset && q->after > 100)
		return ERR_OK;
	ret_range->count = 1;
	json_object(out);
	json_put_string(out, "data", "line");
	json_end_object(out);
	return ERR_OK;
}

static enum err stream(void *data, const struct vector *after, const struct block_sums *sums,
	struct stream **ret_stream)
{
	(void)data;
	return stream_new(horde_map_mutable(node.horde), after, sums, ret_stream);
}

enum err node_covered(void *service, const char *dots, bool *ret_covered)
{
	const struct service *s = service;
	struct dot d;

	if (!dot_from_text(dots, strcspn(dots, ", \t"), &d))
		return ERR_MALFORMED;
	*ret_covered = vector_has(map_vector(horde_map(s->horde)), d);
	return ERR_OK;
}

static bool allowed(void *service, const char *host, uint16_t port)
{
	(void)service;
	return host[0] != 'x' && port != 1;
}

/* There is nobody to send anything to. */
static enum err begin_dispatch(
	void *service, const struct dispatch_request *r, struct dispatch **ret_dispatch)
{
	(void)service;
	(void)ret_dispatch;
	must(r->target[0] == '/' && !strpbrk(r->target, " \r\n"), "a target is one word");
	for (size_t at = 0; at < r->headers_bytes; at += strlen(r->headers + at) + 1)
		must(!strpbrk(r->headers + at, "\r\n"), "a header is one line");
	return ERR_LIMIT;
}

static const struct dispatch_service dispatch_nowhere = {
	.allowed = allowed, .begin = begin_dispatch};

struct service *node_service(void)
{
	return &node.service;
}

/* ---- a fresh one ---- */

static void put(const char *key, const char *value)
{
	struct event e = {.kind = family_of(key, strlen(key)) == FAMILY_SPEC ? EVENT_PUT_SPEC
									     : EVENT_PUT_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value;
	e.put.value_bytes = strlen(value);
	must(record_decode(key, strlen(key), value, strlen(value), &e.put.record) == ERR_OK &&
			step(&e) == ERR_OK,
		"a fresh node takes a record");
}

static void reg(const char *key, const char *value)
{
	struct event e = {.kind = EVENT_REGISTER};

	e.entry.key = key;
	e.entry.key_bytes = strlen(key);
	e.entry.owner_given = true;
	e.entry.owner_kind = OWNER_CHILD;
	e.entry.owner_id = "default/web";
	e.entry.value = value;
	e.entry.value_bytes = strlen(value);
	must(step(&e) == ERR_OK, "a fresh node takes a name");
}

void node_reset(const struct loop *loop)
{
	struct horde_config c = {
		.node_id = {0x1001, 1},
		.incarnation = {0x2001, 1},
		.new_cluster_id = {0x3001, 1},
		.name = "n1",
		.url = "http://127.0.0.1:4750",
		.cluster = "horde",
		.startup_grace_ms = 5000,
	};

	node_free();
	node.loop = loop;
	snapshots_reset();
	node.batch = 1;
	must(horde_new(&c, &node.horde) == ERR_OK, "there is memory");
	node.service = (struct service){
		.horde = node.horde,
		.command = command,
		.call = call,
		.call_result = call_result,
		.call_end = call_end,
		.snapshots = &snapshots_service,
		.dispatch = &dispatch_nowhere,
		.logs = read_logs,
		.stream = stream,
		.started_wall_ms = CLOCK_WALL_MS,
		.version = "0",
	};
	step(&(struct event){.kind = EVENT_START});
	node_turn(NULL);
	put("spec/default/web",
		"{\"created_at\":1700000000000,\"desired\":\"running\",\"spec\":"
		"{\"command\":[\"/bin/sleep\",\"1\"],\"labels\":{\"app\":\"web\"}}}");
	node_turn(NULL);
	node_turn(NULL);
	put("meta/default/colour", "{\"a\": [1, 2.50]}");
	reg("entry/default/db", "{\"port\":5432}");
	node_turn(NULL);
}

static void forget_changes(void)
{
	for (size_t i = 0; i < node.changed_count; i++)
		free(node.changed[i]);
	node.changed_count = 0;
	node.wake = false;
}

void node_free(void)
{
	snapshots_free();
	horde_free(node.horde);
	actions_fini(&node.actions);
	forget_changes();
	memset(&node, 0, sizeof(node));
}

/* ---- a turn ---- */

static void do_todo(const struct todo *t)
{
	struct event e = {.kind = t->kind, .link = t->link};

	if (t->kind != EVENT_LINK_REFUSED) {
		e.process.ref = t->ref;
		e.process.epoch = t->epoch;
		e.process.pid = 4242;
	}
	step(&e);
}

void node_turn(struct http *http)
{
	struct todo todo[TODO_MAX];
	size_t count = node.todo_count;
	struct event e = {.kind = EVENT_STORED};
	uint64_t stored = horde_batch_cut(node.horde);

	memcpy(todo, node.todo, count * sizeof(*todo));
	node.todo_count = 0;
	for (size_t i = 0; i < count; i++)
		do_todo(&todo[i]);
	node.batch = stored + 1;
	e.stored.batch = stored;
	step(&e);
	if (horde_deadline_ms(node.horde) <= loop_now_ms(node.loop))
		step(&(struct event){.kind = EVENT_TICK});
	for (size_t i = 0; http && i < node.changed_count; i++)
		http_wake_key(http, node.changed[i], node.changed_bytes[i]);
	if (http && node.wake)
		http_wake_key(http, "vector", strlen("vector"));
	if (http)
		http_wake_commit(http, stored, ERR_OK);
	forget_changes();
}

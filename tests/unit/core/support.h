/*
 * One node driven by hand: events in, and what it did as a readable trace. Everything is put down
 * in order: `assign`, `status` and names as the map got them, then the actions.
 *
 *	struct node n = node_make("n1", 0);
 *	node_put(&n, "default/web", plain_spec(1));
 *	cr_trace(&n, "spec web|assign web n1 placed|");
 */
#ifndef HORDE_TESTS_SUPPORT_H
#define HORDE_TESTS_SUPPORT_H

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/core/horde.h"

#define WALL_MS 1700000000000
#define START_MS 1000000

struct node {
	struct horde *h;
	struct actions actions;
	int64_t now_ms;
	int64_t ahead_ms; /* its wall clock */
	bool writes_kept; /* the test says itself when a batch is on disk */
	char trace[16384];
	uint64_t epoch;               /* of the last SPAWN or STOP */
	enum stop_reason why;         /* of the last STOP */
	void (*sees)(struct node *n); /* called after each step, when there is one */
	void *context;
	long fail_at; /* with failing.h: the so many-th allocation of its steps, from 1; 0: none */
};

static inline struct origin_id id_of(uint64_t n)
{
	return (struct origin_id){0x1000 + n, n};
}

__attribute__((format(printf, 2, 3))) static inline void trace(
	struct node *n, const char *form, ...)
{
	size_t used = strlen(n->trace);
	va_list args;

	va_start(args, form);
	vsnprintf(n->trace + used, sizeof(n->trace) - used, form, args);
	va_end(args);
}

/* Without "default/". */
static inline const char *short_ref(const char *ref)
{
	return strncmp(ref, "default/", 8) == 0 ? ref + 8 : ref;
}

/* What stands after "family/default/". */
static inline const char *short_name(const char *key)
{
	return short_ref(key_rest(key));
}

static inline void trace_change(struct node *n, const struct change *c)
{
	const char *key = c->entry ? c->entry->key : "";
	const struct record *r = c->entry ? c->entry->record : NULL;
	enum family f = family_of(key, strlen(key));

	if (c->kind == CHANGE_DROP && map_get(horde_map(n->h), key, strlen(key)) == NULL)
		trace(n, "-%.*s %s|", (int)strcspn(key, "/"), key, short_name(key));
	if (c->kind != CHANGE_PUT || (!entry_decoded(c->entry) && f != FAMILY_SPEC))
		return;
	if (f == FAMILY_SPEC)
		trace(n, "spec %s|", short_name(key));
	else if (f == FAMILY_ASSIGN)
		trace(n, "assign %s %s %s|", short_name(key),
			horde_member_name(n->h, r->assign.node),
			r->assign.reason ? r->assign.reason : "?");
	else if (f == FAMILY_STATUS)
		trace(n, "status %s %s %s|", short_name(key), child_state_name(r->status.state),
			reason_name(r->status.reason));
	else if (f == FAMILY_ENTRY)
		trace(n, "entry %s|", short_name(key));
	else if (f == FAMILY_MEMBER)
		trace(n, "member %s %s|", r->member.name, member_state_name(r->member.state));
}

static inline void trace_action(struct node *n, const struct action *a)
{
	if (a->kind == ACTION_SPAWN)
		trace(n, "SPAWN %s|", short_ref(a->ref));
	else if (a->kind == ACTION_STOP)
		trace(n, "STOP %s %d %" PRId64 "|", short_ref(a->ref), a->signal, a->timeout_ms);
	else if (a->kind == ACTION_SIGNAL)
		trace(n, "SIGNAL %s %d|", short_ref(a->ref), a->signal);
	else if (a->kind == ACTION_EXIT)
		trace(n, "EXIT|");
	if (a->kind == ACTION_STOP)
		n->why = a->why;
	if (a->kind == ACTION_SPAWN || a->kind == ACTION_STOP)
		n->epoch = a->epoch;
}

static inline enum err node_step(struct node *n, struct event *e)
{
	enum err err;

	e->now_ms = n->now_ms;
	e->wall_ms = WALL_MS + n->now_ms + n->ahead_ms;
#ifdef HORDE_TESTS_FAILING_H
	if (n->fail_at > 0)
		failing_arm(n->fail_at - 1);
	err = horde_step(n->h, e, &n->actions);
	n->fail_at = n->fail_at > 0 ? failing_left + 1 : 0; /* 0 once it has failed */
	failing_disarm();
#else
	err = horde_step(n->h, e, &n->actions);
#endif
	for (size_t i = 0; i < n->actions.changes.used; i++)
		trace_change(n, &n->actions.changes.items[i]);
	for (size_t i = 0; i < n->actions.used; i++)
		trace_action(n, &n->actions.items[i]);
	if (n->sees)
		n->sees(n);
	return err;
}

static inline void node_stored(struct node *n)
{
	struct event e = {.kind = EVENT_STORED};

	e.stored.batch = horde_batch_cut(n->h);
	node_step(n, &e);
}

/* A step, and what it wrote is on disk at once unless the test keeps that for itself. */
static inline enum err node_does(struct node *n, struct event *e)
{
	enum err err = node_step(n, e);

	if (!n->writes_kept)
		node_stored(n);
	return err;
}

static inline void node_tick(struct node *n)
{
	node_does(n, &(struct event){.kind = EVENT_TICK});
}

/* Lets time pass, with a tick at each deadline on the way. A deadline that stays is a hang. */
static inline void node_wait(struct node *n, int64_t ms)
{
	int64_t end = n->now_ms + ms;

	for (int turns = 0; horde_deadline_ms(n->h) <= end; turns++) {
		int64_t at = horde_deadline_ms(n->h);

		cr_assert_lt(turns, 10000, "the deadline does not move");
		n->now_ms = at > n->now_ms ? at : n->now_ms;
		node_tick(n);
	}
	n->now_ms = end;
}

static inline struct horde_config config_of(const char *name, uint64_t life)
{
	uint64_t number = (uint64_t)(name[1] - '0');

	return (struct horde_config){
		.node_id = id_of(number),
		.incarnation = id_of(100 * (life + 1) + number),
		.new_cluster_id = id_of(5000 + number),
		.name = name,
		.cluster = "horde",
		.startup_grace_ms = 5000,
		.kill_log_max = 1000,
		.kill_log_age_ms = 3600000,
	};
}

static inline struct node node_bare(struct horde_config config)
{
	struct node n = {.now_ms = START_MS};
	char url[64];

	snprintf(url, sizeof(url), "http://%s", config.name);
	config.url = url;
	cr_assert_eq(horde_new(&config, &n.h), ERR_OK);
	return n;
}

static inline void node_start(struct node *n)
{
	node_does(n, &(struct event){.kind = EVENT_START});
}

/* A node that has started alone, in its n-th life, and its trace is empty. */
static inline struct node node_make(const char *name, uint64_t life)
{
	struct node n = node_bare(config_of(name, life));

	node_start(&n);
	n.trace[0] = '\0';
	return n;
}

static inline void node_free(struct node *n)
{
	horde_free(n->h);
	actions_fini(&n->actions);
}

static inline struct record *plain_spec(uint64_t hash)
{
	struct record *r = calloc(1, sizeof(*r));

	r->family = FAMILY_SPEC;
	r->spec = (struct spec_record){
		.restart = {.type = RESTART_PERMANENT,
			.max_restarts = 3,
			.max_seconds = 5,
			.initial_ms = 200,
			.max_ms = 30000,
			.factor = 2,
			.reset_after_ms = 60000},
		.shutdown_signal = 15,
		.shutdown_timeout_ms = 5000,
		.success_exit = {1},
		.desired_running = true,
		.hash = hash,
		.process_hash = hash,
	};
	return r;
}

static inline struct record *typed_spec(uint64_t hash, enum restart_type type)
{
	struct record *r = plain_spec(hash);

	r->spec.restart.type = type;
	return r;
}

/* Takes `spec`; NULL is a value that nobody could decode. */
static inline enum err node_put(struct node *n, const char *ref, struct record *spec)
{
	char key[KEY_BYTES_MAX];
	struct event e = {.kind = EVENT_PUT_SPEC};
	enum err err;

	snprintf(key, sizeof(key), "spec/%s", ref);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "{}";
	e.put.value_bytes = 2;
	e.put.record = spec;
	err = node_does(n, &e);
	if (err != ERR_OK)
		record_free(spec);
	memset(key, '?', sizeof(key)); /* nothing may point here any more */
	return err;
}

static inline enum err node_remove(struct node *n, const char *ref)
{
	char key[KEY_BYTES_MAX];
	struct event e = {.kind = EVENT_REMOVE_SPEC};

	snprintf(key, sizeof(key), "spec/%s", ref);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	return node_does(n, &e);
}

static inline void node_started(struct node *n, const char *ref, int pid)
{
	struct event e = {.kind = EVENT_STARTED};

	e.process.ref = ref;
	e.process.epoch = n->epoch;
	e.process.pid = pid;
	node_does(n, &e);
}

static inline void node_exited(struct node *n, const char *ref, int code, int number)
{
	struct event e = {.kind = EVENT_EXITED};

	e.process.ref = ref;
	e.process.epoch = n->epoch;
	e.process.end = (struct process_end){.code = number ? -1 : code, .signal = number};
	node_does(n, &e);
}

static inline enum err node_restart(struct node *n, const char *ref)
{
	struct event e = {.kind = EVENT_RESTART_CHILD};

	e.signal.ref = ref;
	return node_does(n, &e);
}

static inline const struct entry *node_get(const struct node *n, const char *key)
{
	return map_get(horde_map(n->h), key, strlen(key));
}

static inline struct child_view node_child(const struct node *n, const char *ref)
{
	struct child_view v;

	horde_child(n->h, ref, &v);
	return v;
}

/* A child that runs, with an empty trace behind it. */
static inline void node_runs(struct node *n, const char *ref, struct record *spec)
{
	cr_assert_eq(node_put(n, ref, spec), ERR_OK);
	node_started(n, ref, 4711);
	cr_assert_eq(node_child(n, ref).state, CHILD_RUNNING);
	n->trace[0] = '\0';
}

#define cr_trace(n, want)                                                                          \
	do {                                                                                       \
		cr_assert_str_eq((n)->trace, want);                                                \
		(n)->trace[0] = '\0';                                                              \
	} while (0)

#endif

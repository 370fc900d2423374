/* Clients that write. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/records.h"

#define SPEC_BYTES 1024

struct node *any_up(struct world *w)
{
	int start = (int)below(w, (uint64_t)w->count);

	for (int i = 0; i < w->count; i++) {
		struct node *n = &w->nodes[(start + i) % w->count];

		if (n->up && n->frozen_ms <= w->now_ms)
			return n;
	}
	return NULL;
}

/* What a child is asked, and the name that it asks for: some have neither. */
static void checks_text(struct world *w, char text[256])
{
	size_t used = 0;

	text[0] = '\0';
	if (percent(w, 30))
		used += (size_t)snprintf(text, 256,
			"\"ready\":{\"kind\":\"tcp\",\"period_ms\":200,\"port\":1,"
			"\"timeout_ms\":1500,\"try_timeout_ms\":%u},",
			100 + (unsigned)below(w, 400));
	if (percent(w, 30))
		used += (size_t)snprintf(text + used, 256 - used,
			"\"health\":[{\"grace_ms\":%u,\"kind\":\"tcp\",\"period_ms\":1000,"
			"\"port\":1,\"threshold\":2,\"timeout_ms\":300}],",
			(unsigned)below(w, 1000));
	if (percent(w, 30))
		snprintf(text + used, 256 - used, "\"register\":[{\"key\":\"k%u\",\"value\":%u}],",
			(unsigned)below(w, KEYS), (unsigned)below(w, 1000));
}

/* What it is to have: a number that others want too, one of the node's, or both. */
static const char *ports_text(struct world *w)
{
	static const char *const texts[] = {"", "\"ports\":[{\"name\":\"own\"}],",
		"\"ports\":[{\"name\":\"known\",\"port\":9000}],",
		"\"ports\":[{\"name\":\"own\"},{\"name\":\"known\",\"port\":9000}],"};

	return texts[percent(w, 50) ? 0 : below(w, 4)];
}

static void spec_text(struct world *w, char text[SPEC_BYTES], bool running)
{
	static const char *const types[] = {"permanent", "permanent", "transient", "temporary"};
	static const char *const policies[] = {"fail_child", "reschedule", "stop_supervisor"};
	char retain[32] = "", checks[256];

	/* Where walls jump, times are over when nobody expects it: an hour is what they jump. */
	if (percent(w, 70))
		snprintf(retain, sizeof(retain), "\"retain_ms\":%u,",
			w->faults.on[FAULT_SKEW] || w->faults.on[FAULT_JUMP]
				? 3600000
				: 1000 + (unsigned)below(w, 2000));
	checks_text(w, checks);
	snprintf(text, SPEC_BYTES,
		"{\"created_at\":1,\"desired\":\"%s\",\"spec\":{\"backoff\":{\"max_ms\":800},"
		"\"command\":[\"/bin/run\",\"%u\"],\"max_seconds\":%u,\"on_max_restarts\":\"%s\","
		"%s\"restart\":\"%s\",%s%s\"shutdown\":{\"timeout_ms\":%u}}}",
		running ? "running" : "stopped", (unsigned)below(w, 3), 1 + (unsigned)below(w, 4),
		percent(w, 80) ? "backoff" : policies[below(w, 3)], ports_text(w),
		types[below(w, 4)], checks, retain, (unsigned)below(w, 500));
}

static const char *scope_of(const char *ref)
{
	return strncmp(ref, TEAM, strlen(TEAM)) == 0 ? TEAM : "default";
}

/* The handler's part: nobody puts a child under a supervisor that he cannot see. */
static bool supervised(const struct node *n, const char *ref)
{
	const struct entry *record;

	return horde_supervisor(n->h, scope_of(ref), &record);
}

static void put_spec(struct world *w, struct node *n, const char *ref)
{
	char key[64], text[SPEC_BYTES];
	struct event e = {.kind = EVENT_PUT_SPEC};
	struct record *r = NULL;

	if (!supervised(n, ref))
		return;
	spec_text(w, text, !percent(w, 15));
	snprintf(key, sizeof(key), "spec/%s", ref);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = text;
	e.put.value_bytes = strlen(text);
	if (record_decode(key, e.put.key_bytes, text, e.put.value_bytes, &r) != ERR_OK || !r)
		abort();
	e.put.record = r;
	if (node_step(w, n, &e) == ERR_OK)
		tracef(w, "client puts %s at %s: %s", ref, n->name, text);
	else
		record_free(r);
}

static void remove_spec(struct world *w, struct node *n, const char *ref)
{
	char key[64];
	struct event e = {.kind = EVENT_REMOVE_SPEC};

	snprintf(key, sizeof(key), "spec/%s", ref);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	if (node_step(w, n, &e) == ERR_OK)
		tracef(w, "client deletes %s at %s", ref, n->name);
}

/* Options that change what its children run by, and some of them what they run. */
static void put_supervisor(struct world *w, struct node *n)
{
	char text[256];
	struct event e = {.kind = EVENT_PUT_SUPERVISOR};
	struct record *r = NULL;

	snprintf(text, sizeof(text),
		"{\"created_at\":1,\"options\":{\"child_defaults\":{\"arguments\":[\"%u\"]},"
		"\"max_children\":%u,\"max_children_per_node\":%u,\"max_restarts\":%u}}",
		(unsigned)below(w, 2), 1 + (unsigned)below(w, CHILDREN), CHILDREN,
		(unsigned)below(w, 4));
	e.put.key = "supervisor/" TEAM;
	e.put.key_bytes = strlen(e.put.key);
	e.put.value = text;
	e.put.value_bytes = strlen(text);
	if (record_decode(e.put.key, e.put.key_bytes, text, e.put.value_bytes, &r) != ERR_OK || !r)
		abort();
	e.put.record = r;
	if (node_step(w, n, &e) == ERR_OK)
		tracef(w, "client puts supervisor " TEAM " at %s: %s", n->name, text);
	else
		record_free(r);
}

static void supervisor(struct world *w, struct node *n)
{
	bool start = percent(w, 60);
	struct event e = {.kind = start ? EVENT_START_SUPERVISOR : EVENT_REMOVE_SUPERVISOR};

	if (percent(w, 50)) {
		put_supervisor(w, n);
		return;
	}
	e.put.key = "supervisor/" TEAM;
	if (start)
		e.put.key = percent(w, 50) ? "halt/" TEAM : "halt/default";
	e.put.key_bytes = strlen(e.put.key);
	if (node_step(w, n, &e) == ERR_OK)
		tracef(w, "client %s %s at %s", start ? "removes" : "deletes", e.put.key, n->name);
}

/* All children of one supervisor are sent away from one node. */
static void vacate(struct world *w, struct node *n)
{
	struct event e = {.kind = EVENT_VACATE_SUPERVISOR};

	e.put.key = percent(w, 50) ? "supervisor/" TEAM : "supervisor/default";
	e.put.key_bytes = strlen(e.put.key);
	if (node_step(w, n, &e) == ERR_OK)
		tracef(w, "client sends the children of %s away from %s", e.put.key, n->name);
}

static void entry(struct world *w, struct node *n, enum event_kind kind, const char *ref)
{
	char key[64], value[32];
	struct event e = {.kind = kind};

	snprintf(key, sizeof(key), "entry/default/k%u", (unsigned)below(w, KEYS));
	snprintf(value, sizeof(value), "%u", (unsigned)below(w, 1000));
	e.entry.key = key;
	e.entry.key_bytes = strlen(key);
	e.entry.owner_given = percent(w, 50);
	e.entry.owner_kind = (enum owner_kind)below(w, OWNER_KIND_COUNT);
	e.entry.owner_id = e.entry.owner_kind == OWNER_CHILD   ? ref
			   : e.entry.owner_kind == OWNER_LEASE ? leases_owner(w)
							       : "someone";
	e.entry.value = value;
	e.entry.value_bytes = strlen(value);
	node_step(w, n, &e);
}

static void meta(struct world *w, struct node *n)
{
	char key[64], value[32];
	struct event e = {.kind = percent(w, 70) ? EVENT_PUT_META : EVENT_REMOVE_META};

	snprintf(key, sizeof(key), "meta/default/m%u", (unsigned)below(w, KEYS));
	snprintf(value, sizeof(value), "%u", (unsigned)below(w, 1000));
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value;
	e.put.value_bytes = strlen(value);
	node_step(w, n, &e);
}

/* What a child leaves for its next life. */
static void state(struct world *w, struct node *n, const char *ref)
{
	char key[64];
	struct event e = {.kind = percent(w, 80) ? EVENT_PUT_STATE : EVENT_REMOVE_STATE};

	snprintf(key, sizeof(key), "state/%s", ref);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "{}";
	e.put.value_bytes = 2;
	node_step(w, n, &e);
}

void chaos_client(struct world *w)
{
	struct node *n = any_up(w);
	char ref[32];
	uint64_t what = below(w, 100);
	struct event e = {.kind = EVENT_RESTART_CHILD, .signal = {ref, 15, false}};

	if (w->healed)
		return;
	schedule(w, 50 + (int64_t)below(w, 400), AT_CLIENT, 0);
	child_ref((unsigned)below(w, CHILDREN), ref);
	if (!n)
		return;
	if (percent(w, 15))
		leases_client(w, n);
	else if (what < 40)
		put_spec(w, n, ref);
	else if (what < 55)
		remove_spec(w, n, ref);
	else if (what < 70)
		entry(w, n, EVENT_REGISTER, ref);
	else if (what < 75)
		entry(w, n, EVENT_UPDATE, ref);
	else if (what < 80)
		entry(w, n, EVENT_UNREGISTER, ref);
	else if (what < 87)
		meta(w, n);
	else if (what < 90)
		state(w, n, ref);
	else if (what < 94)
		supervisor(w, n);
	else if (what < 96)
		vacate(w, n);
	else if (faults_strike(w, FAULT_RESTARTS, 100))
		node_step(w, n, &e);
}

/* How far a write comes before it is answered, for each operation that writes and each `ack`. */
#include "tests/unit/api/scene.h"

#include "api/document.h"
#include "api/openapi.h"

TestSuite(writes, .timeout = 60);

#define META "/v1/registries/default/meta"
#define ENTRIES "/v1/registries/default/entries"
#define LEASE_ID "01926f3e-7c1a-7b52-9d44-5a0c8e2f1b33"
#define CHILDREN "/v1/supervisors/default/children"
#define ALICE "\"owner\":{\"kind\":\"static\",\"id\":\"alice\"}"
#define TEAM "/v1/supervisors/team"
#define SLEEPER "{\"command\":[\"sleep\",\"1000\"]}"

/* In an order in which each finds what it needs. */
static const struct {
	const char *operation, *what, *body;
	int status;
} writes[] = {
	{"putMeta", "PUT " META "/k", "{\"value\":1}", 201},
	{"deleteMeta", "DELETE " META "/k", NULL, 204},
	{"registerKey", "PUT " ENTRIES "/k", "{\"value\":1," ALICE "}", 201},
	{"updateKeyValue", "PATCH " ENTRIES "/k", "{\"value\":2}", 200},
	{"unregisterKey", "DELETE " ENTRIES "/k", NULL, 204},
	{"unregisterSelect", "POST /v1/registries/default/unregister_select",
		"{\"match\":{\"key\":\"found\"}}", 200},
	{"putChild", "PUT " CHILDREN "/web", SLEEPER, 201},
	{"patchChild", "PATCH " CHILDREN "/web", "{\"labels\":{\"a\":\"b\"}}", 200},
	{"putChildState", "PUT " CHILDREN "/web/state", "\001bytes", 204},
	{"deleteChildState", "DELETE " CHILDREN "/web/state", NULL, 204},
	{"stopChild", "POST " CHILDREN "/web/stop", NULL, 200},
	{"startStoppedChild", "POST " CHILDREN "/web/start", NULL, 200},
	{"terminateChild", "DELETE " CHILDREN "/web", NULL, 204},
	{"startChild", "POST " CHILDREN, SLEEPER, 201},
	{"startChildren", "POST " CHILDREN "/batch", "{\"items\":[{\"spec\":" SLEEPER "}]}", 200},
	{"applyChildren", "POST /v1/supervisors/default/apply",
		"{\"items\":[{\"id\":\"a\",\"spec\":" SLEEPER "}]}", 200},
	{"putSupervisor", "PUT " TEAM, "{\"max_children\":1}", 201},
	{"patchSupervisor", "PATCH " TEAM, "{\"max_children\":2}", 200},
	{"startSupervisor", "POST " TEAM "/start", NULL, 200},
	{"deleteSupervisor", "DELETE " TEAM, NULL, 204},
	{"createLease", "POST /v1/leases", "{\"ttl_ms\":86400000}", 201},
	{"deleteLease", "DELETE /v1/leases/" LEASE_ID, NULL, 204},
	{"putRegistry", "PUT /v1/registries/sessions", "{\"meta\":{\"a\":1}}", 201},
	{"deleteRegistry", "DELETE /v1/registries/sessions", NULL, 204},
};

#define WRITES (sizeof(writes) / sizeof(writes[0]))

static const char *asking(const char *what, const char *query)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s?%s", what, query);
	return text;
}

static void put_found(void)
{
	struct event e = {.kind = EVENT_REGISTER};

	e.entry.key = "entry/default/found";
	e.entry.key_bytes = strlen(e.entry.key);
	e.entry.owner_given = true;
	e.entry.owner_kind = OWNER_STATIC;
	e.entry.owner_id = "alice";
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
	scene_flow();
}

static void put_lease(void)
{
	static const unsigned char secret[LEASE_SECRET_BYTES] = {1};
	struct event e = {.kind = EVENT_PUT_LEASE};

	e.lease.id = LEASE_ID;
	e.lease.ttl_ms = 86400000;
	e.lease.secret = secret;
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
	scene_flow();
}

/* What an operation finds: startSupervisor one that its child has stopped. */
static void prepare(size_t i)
{
	struct event e = {.kind = EVENT_PUT_META};

	if (strcmp(writes[i].operation, "unregisterSelect") == 0)
		put_found();
	if (strcmp(writes[i].operation, "deleteLease") == 0)
		put_lease();
	if (strcmp(writes[i].operation, "startSupervisor") != 0)
		return;
	e.put.key = "halt/team";
	e.put.key_bytes = strlen(e.put.key);
	e.put.value = "{\"child\":\"team/a\"}";
	e.put.value_bytes = strlen(e.put.value);
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
	scene_flow();
}

static void cut_off(size_t i, bool cut)
{
	scene.c.peers[i].cut = cut;
}

static void expect_replicated(const struct answer *a, const char *of)
{
	char header[60];

	snprintf(header, sizeof(header), "\r\nHorde-Replicated: %s\r\n", of);
	cr_expect(says(a, header), "not %s: %s", of, a->bytes);
	cr_expect(says(a, "\r\nHorde-Dot: "), "%s", a->bytes);
}

static void expect_not_yet(const struct answer *a, const char *of)
{
	cr_expect_eq(a->status, 504, "%s", a->bytes);
	cr_expect(says(a, "\"code\":\"not-yet-replicated\""), "%s", a->bytes);
	cr_expect(says(a, "\"applied\":true"), "%s", a->bytes);
	expect_replicated(a, of);
}

/* ---- all operations ---- */

static bool takes_ack(const struct operation *op)
{
	for (size_t i = 0; i < op->parameter_count; i++)
		if (strcmp(op->parameters[i].name, "ack") == 0)
			return true;
	return false;
}

Test(writes, each_operation_that_takes_ack_is_tried_here)
{
	struct openapi o;
	char why[HTTP_WHY_BYTES];
	size_t taking = 0;

	cr_assert_eq(openapi_load(&o, document_openapi, document_openapi_length(), false, why),
		ERR_OK, "%s", why);
	for (size_t i = 0; i < o.operation_count; i++) {
		size_t row = 0;

		while (row < WRITES && strcmp(writes[row].operation, o.operations[i].id) != 0)
			row++;
		cr_expect_eq(row < WRITES, takes_ack(&o.operations[i]), "%s", o.operations[i].id);
		taking += takes_ack(&o.operations[i]);
	}
	cr_expect_eq(taking, WRITES);
	openapi_fini(&o);
}

Test(writes, each_of_them_waits_for_the_disks_of_all)
{
	scene_start(3);
	for (size_t i = 0; i < WRITES; i++) {
		int fd;
		struct answer *a;

		prepare(i);
		cut_off(2, true);
		fd = scene_park(asking(writes[i].what, "ack=all&wait=30s"), writes[i].body);
		scene_flow();
		scene_until(are_parked, 1);
		cut_off(2, false);
		scene_flow();
		a = scene_answer(fd);
		cr_expect_eq(a->status, writes[i].status, "%s: %s", writes[i].what, a->bytes);
		expect_replicated(a, "3/3");
	}
	scene_end();
}

Test(writes, each_of_them_stands_when_the_time_is_over)
{
	scene_start(3);
	for (size_t i = 0; i < WRITES; i++) {
		int fd;

		prepare(i);
		cut_off(2, true);
		fd = scene_park(asking(writes[i].what, "ack=all&wait=100ms"), writes[i].body);
		scene_flow();
		expect_not_yet(scene_answer(fd), "2/3");
		cut_off(2, false);
		scene_flow();
	}
	scene_end();
}

/* ---- the levels ---- */

/* With n3 cut off, and n2 too when `cut`; -1: it waits still when all has flowed. */
static void expect_level(const char *query, size_t cut, const char *of)
{
	int fd = scene_send(asking("PUT " META "/k", query), "{\"value\":1}");

	for (size_t i = 0; i < cut; i++)
		cut_off(2 - i, true);
	if (strcmp(query, "ack=memory") != 0) {
		scene_until(are_parked, 1);
		scene_flow();
	}
	if (!of) {
		scene_until(are_parked, 1);
		http_wake_key(scene.http, "ack", 3);
		scene_until(are_parked, 1);
		for (size_t i = 0; i < cut; i++)
			cut_off(2 - i, false);
		scene_flow();
		of = "3/3";
	}
	expect_replicated(scene_answer(fd), of);
	for (size_t i = 0; i < cut; i++)
		cut_off(2 - i, false);
	scene_flow();
}

Test(writes, each_level_waits_for_as_many_as_it_says)
{
	scene_start(3);
	expect_level("ack=memory", 2, "0/3");
	expect_level("ack=disk", 2, "1/3");
	expect_level("pretty", 2, "1/3");
	expect_level("ack=one", 2, NULL);
	expect_level("ack=one", 1, "2/3");
	expect_level("ack=majority", 2, NULL);
	expect_level("ack=majority", 1, "2/3");
	expect_level("ack=all", 1, NULL);
	expect_level("ack=all", 0, "3/3");
	scene_end();
}

/* An event that the others have, but this node's disk has not, is not where it was asked for. */
Test(writes, the_disks_of_others_do_not_stand_for_the_own_one)
{
	int fd;
	struct answer *a;

	scene_start(3);
	fd = scene_park(asking("PUT " META "/k", "ack=one&wait=200ms"), "{\"value\":1}");
	settle_all(&scene.c);
	cr_expect_eq(map_count(horde_map(scene.c.peers[1].n.h), FAMILY_META), 1, "it is there");
	expect_not_yet(scene_answer(fd), "2/3");
	fd = scene_park(asking("PUT " META "/k", "ack=all&wait=30s"), "{\"value\":2}");
	settle_all(&scene.c);
	scene_store(ERR_STORAGE_FULL);
	a = scene_answer(fd);
	cr_expect_eq(a->status, 507, "%s", a->bytes);
	cr_expect(says(a, "\"applied\":true"), "%s", a->bytes);
	scene_end();
}

Test(writes, alone_a_majority_and_all_are_oneself_and_one_is_never_reached)
{
	scene_start(1);
	for (int i = 0; i < 2; i++) {
		int fd = scene_park(
			asking("PUT " META "/k", i ? "ack=all" : "ack=majority"), "{\"value\":1}");

		scene_store(ERR_OK);
		expect_replicated(scene_answer(fd), "1/1");
	}
	for (int i = 0; i < 2; i++) {
		int fd = scene_park(asking("PUT " META "/k", "ack=one&wait=50ms"), "{\"value\":2}");

		if (i)
			scene_store(ERR_OK);
		expect_not_yet(scene_answer(fd), i ? "1/1" : "0/1");
	}
	scene_end();
}

Test(writes, one_is_reached_when_another_member_comes_in_time)
{
	int fd;

	scene_start(1);
	fd = scene_park(asking("PUT " META "/k", "ack=one&wait=30s"), "{\"value\":1}");
	scene_flow();
	scene_until(are_parked, 1);
	scene.c.count = 2;
	peer_begin(&scene.c, 1, "http://n1");
	cluster_wait(&scene.c, 2000);
	scene_flow();
	expect_replicated(scene_answer(fd), "2/2");
	scene_end();
}

/* n3 asks nobody any more, so it has nothing new on its disk; that it left is all that comes. */
Test(writes, who_leaves_is_waited_for_no_more)
{
	struct event leave = {.kind = EVENT_STOP};
	struct peer *n3 = &scene.c.peers[2];
	int fd;

	scene_start(3);
	while (n3->call_count > 0)
		drop_call(n3, n3->calls[0].link);
	fd = scene_park(asking("PUT " META "/k", "ack=all&wait=30s"), "{\"value\":1}");
	scene_flow();
	scene_until(are_parked, 1);
	leave.stop.reason = GOODBYE_LEAVE;
	cr_assert_eq(peer_does(n3, &leave), ERR_OK);
	settle_all(&scene.c);
	expect_replicated(scene_answer(fd), "2/2");
	scene_end();
}

/* ---- those who wait ---- */

Test(writes, a_client_that_hangs_up_frees_its_wait)
{
	int fd;

	scene_start(3);
	cut_off(2, true);
	fd = scene_park(asking("PUT " META "/k", "ack=all&wait=10m"), "{\"value\":1}");
	scene_flow();
	scene_until(are_parked, 1);
	close(fd);
	scene_until(are_parked, 0);
	scene_until(is_idle, 0);
	cr_expect_eq(scene_ask("GET " META "/k")->status, 200, "it stands");
	scene_end();
}

Test(writes, a_write_that_would_wait_without_a_slot_is_refused_before_it_is_applied)
{
	static int fds[HTTP_PARKED_MAX];
	struct answer *a;
	int fd;

	scene_start(1);
	for (unsigned i = 0; i < HTTP_PARKED_MAX; i++)
		fds[i] = scene_park("GET " META "/none?wait=10m", NULL);
	a = scene_answer(scene_send(asking("PUT " META "/k", "ack=majority"), "{\"value\":1}"));
	cr_expect_eq(a->status, 503, "%s", a->bytes);
	cr_expect(says(a, "watch-slots-exhausted") && says(a, "\r\nRetry-After: 1\r\n"));
	cr_expect_not(says(a, "applied"));
	cr_expect_eq(scene_ask("GET " META "/k")->status, 404, "nothing was written");
	fd = scene_park("PUT " META "/k", "{\"value\":1}");
	scene_store(ERR_OK);
	cr_expect_eq(scene_answer(fd)->status, 201, "its own disk is always waited for");
	for (unsigned i = 0; i < HTTP_PARKED_MAX; i++)
		close(fds[i]);
	scene_end();
}

Test(writes, the_limit_is_the_one_that_the_contract_names)
{
	char text[60];

	snprintf(text, sizeof(text), "%u requests wait", HTTP_PARKED_MAX);
	cr_expect(strstr(document_openapi, text), "no '%s'", text);
}

Test(writes, what_is_removed_during_the_wait_was_written_all_the_same)
{
	static const struct {
		const char *put, *body, *delete;
	} rows[] = {{"PUT " META "/k", "{\"value\":1}", "DELETE " META "/k"},
		{"PUT " ENTRIES "/k", "{\"value\":1," ALICE "}", "DELETE " ENTRIES "/k"},
		{"PUT " CHILDREN "/web", SLEEPER, "DELETE " CHILDREN "/web?wait=0"}};

	scene_start(3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int put, delete;
		struct answer *a;

		cut_off(2, true);
		put = scene_park(asking(rows[i].put, "ack=all&wait=30s"), rows[i].body);
		scene_flow();
		delete = scene_park(rows[i].delete, NULL);
		scene_flow();
		cr_expect_lt(scene_answer(delete)->status, 300, "%s", rows[i].delete);
		cut_off(2, false);
		scene_flow();
		a = scene_answer(put);
		cr_expect_eq(a->status, 409, "%s: %s", rows[i].put, a->bytes);
		cr_expect(says(a, "\"code\":\"conflict-lost\""), "%s", a->body);
		cr_expect(says(a, "\"applied\":true"), "%s", a->body);
		expect_replicated(a, "3/3");
	}
	scene_end();
}

Test(writes, all_that_is_wrong_with_the_query_is_said_and_nothing_written)
{
	struct answer *a;

	scene_start(1);
	a = scene_answer(scene_send(
		asking("PUT " META "/k", "ack=most&wait=soon&akc=all&ack=one"), "{\"value\":1}"));
	cr_expect_eq(a->status, 400);
	cr_expect(says(a, "\"code\":\"bad-query\""), "%s", a->body);
	cr_expect(says(a, "{\"pointer\":\"query.ack\",\"code\":\"enum\""), "%s", a->body);
	cr_expect(says(a, "{\"pointer\":\"query.ack\",\"code\":\"repeated\""), "%s", a->body);
	cr_expect(says(a, "{\"pointer\":\"query.wait\","), "%s", a->body);
	cr_expect(says(a, "did you mean 'ack'?"), "%s", a->body);
	cr_expect_eq(scene_ask("GET " META "/k")->status, 404);
	scene_end();
}

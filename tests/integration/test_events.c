/* What has happened, heard from each node: by pages, and as it happens. */
#include "tests/integration/suite.h"
#include "tests/lib/values.h"

#include <arpa/inet.h>
#include <sys/socket.h>

SUITE(events);

#define EVENTS "/v1/events"

struct ear {
	struct http_flight *flight;
	const struct http_reply *reply; /* what has come so far, a line each */
	size_t seen;                    /* of its body: what until() has found lies before */
};

/* Once it returns nothing is missed. `last` is where he was, or NULL. */
static struct ear *listen_at(const struct node *at, const char *query, const char *last)
{
	struct http_request request = {.url = node_url(at, EVENTS "/stream?%s", query),
		.headers = {"Accept: application/x-ndjson",
			last ? text_of("Last-Event-ID: %s", last) : NULL},
		.timeout_ms = 600000};
	struct ear *e = calloc(1, sizeof *e);

	e->flight = http_begin(&request, 1);
	e->reply = http_coming(e->flight, 0);
	CHECK(http_comes(e->flight, 0, "\"type\":\"open\"", &e->seen, check_ms(CLUSTER_SOON_MS)),
		"no stream: %s", e->reply->body);
	return e;
}

static void deaf(struct ear *e)
{
	http_drop(e->flight);
	free(e);
}

/* Behind what was found before. */
static void until_ms(struct ear *e, const char *text, long ms)
{
	CHECK(http_comes(e->flight, 0, text, &e->seen, check_ms(ms)), "it ended before %s: %s",
		text, e->reply->body);
}

static void until(struct ear *e, const char *text)
{
	until_ms(e, text, CLUSTER_SOON_MS);
}

static const char *type_text(const char *type)
{
	return text_of("\"type\":\"%s\"", type);
}

/* The whole line of one type, behind what was found before. */
static json_t *next_of(struct ear *e, const char *type, long ms)
{
	const char *line;
	json_t *json;

	until_ms(e, type_text(type), ms);
	until_ms(e, "\n", ms);
	for (line = e->reply->body + e->seen - 1; line > e->reply->body && line[-1] != '\n'; line--)
		;
	json = json_loadb(
		line, (size_t)(e->reply->body + e->seen - line), JSON_DISABLE_EOF_CHECK, NULL);
	CHECK(json, "no JSON: %s", line);
	CHECK_STR(json_str(json, "type"), type);
	return json;
}

/* All that has come so far but the stream's own, as "TYPE KEY [REASON]|"; ids have to rise by one
 * at least. */
static const char *heard(const struct ear *e)
{
	static char out[16384];
	long long last = -1;

	out[0] = '\0';
	for (const char *line = e->reply->body, *end; (end = strchr(line, '\n')); line = end + 1) {
		json_t *json = json_loadb(line, (size_t)(end - line), 0, NULL);
		const char *type = json_str(json, "type"), *reason = json_str(json, "reason");
		long long number = atoll(strchr(json_str(json, "id"), '-') + 1);
		size_t used = strlen(out);

		CHECK(json, "no JSON: %s", line);
		if (strchr(type, '.')) {
			CHECK(number > last, "%lld comes behind %lld", number, last);
			last = number;
			snprintf(out + used, sizeof out - used, "%s %s%s%s|", type,
				json_str(json, "key"), *reason ? " " : "", reason);
		}
		json_decref(json);
	}
	return out;
}

static const char *latest(const struct node *at)
{
	struct http_reply *r = expect_status(node_call(at, "GET", NULL, EVENTS "?from=now"), 200);

	return json_str(r->json, "next_after");
}

static void put_key(const struct node *at, const char *key, const char *owner, const char *value)
{
	expect_success(node_call(at, "PUT",
		text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"%s\"},\"value\":%s}", owner,
			value),
		ENTRIES "/%s", key));
}

static void free_key(const struct node *at, const char *key)
{
	expect_status(node_call(at, "DELETE", NULL, ENTRIES "/%s", key), 204);
}

/* ---- names ---- */

CLUSTER_TEST(events, s100_each_node_hears_of_each_change_of_a_name_once_and_in_order)
{
	struct cluster *c = cluster_start(3, NULL);
	struct ear *ears[3];

	for (int i = 0; i < 3; i++)
		ears[i] = listen_at(&c->nodes[i], "topics=registry:default/*,meta:*", NULL);
	for (int i = 0; i < 3; i++) {
		const struct node *n = &c->nodes[i], *next = &c->nodes[(i + 1) % 3];

		put_key(n, "web", "one", "1");
		put_key(n, "web", "one", "1");
		for (int k = 0; k < 3; k++)
			until(ears[k], type_text("entry.registered"));
		put_key(next, "web", "one", "{\"port\":8080}");
		for (int k = 0; k < 3; k++)
			until(ears[k], "\"value\":{\"port\":8080}}\n");
		expect_success(node_call(next, "PUT", "{\"value\":null}", META "/m"));
		free_key(next, "web");
		for (int k = 0; k < 3; k++)
			until(ears[k], type_text("entry.unregistered"));
		expect_status(node_call(n, "DELETE", NULL, META "/m"), 204);
		for (int k = 0; k < 3; k++)
			until(ears[k], type_text("meta.deleted"));
	}
	for (int i = 0; i < 3; i++) {
		static const char round[] = "entry.registered web|entry.updated web|meta.put m|"
					    "entry.unregistered web released|meta.deleted m|";

		until(ears[i], "\n");
		CHECK_STR(heard(ears[i]), text_of("%s%s%s", round, round, round));
		deaf(ears[i]);
	}
}

static void all_lines(struct cluster *c, enum proxy_mode mode)
{
	for (int i = 0; i < c->count; i++)
		proxy_mode(c->nodes[i].proxy, mode, 0);
}

CLUSTER_TEST(events, s100_a_conflict_is_unregistered_then_registered_and_names_both)
{
	static const struct cluster_options proxied = {.proxied = true};
	struct cluster *c = cluster_start(2, &proxied);
	struct ear *ears[2];
	json_t *lost;
	int loser;

	for (int i = 0; i < 2; i++)
		ears[i] = listen_at(&c->nodes[i], "topics=registry:*", NULL);
	all_lines(c, PROXY_SILENT);
	put_key(&c->nodes[0], "web", "one", "1");
	put_key(&c->nodes[1], "web", "two", "2");
	all_lines(c, PROXY_FORWARD);
	for (int i = 0; i < 2; i++)
		until_ms(ears[i], type_text("entry.conflict_resolved"), 60000);
	/* The same one at both, and the other is named. */
	loser = strcmp(json_str(node_call(&c->nodes[0], "GET", NULL, ENTRIES "/web")->json,
			       "owner.id"),
			"one") == 0;
	put_key(&c->nodes[loser], "mark", "x", "1");
	for (int i = 0; i < 2; i++)
		until(ears[i], "\"key\":\"mark\"");
	until(ears[0], "\n");
	until(ears[1], "\n");
	CHECK_STR(heard(ears[loser]),
		"entry.registered web|entry.unregistered web conflict|entry.registered web|"
		"entry.conflict_resolved web|entry.registered mark|");
	CHECK_STR(heard(ears[!loser]),
		"entry.registered web|entry.conflict_resolved web|entry.registered mark|");
	for (int i = 0; i < 2; i++) {
		ears[i]->seen = 0;
		lost = next_of(ears[i], "entry.conflict_resolved", CLUSTER_SOON_MS);
		CHECK_STR(json_str(lost, "owner.id"), loser ? "one" : "two");
		CHECK_STR(json_str(lost, "loser.id"), loser ? "two" : "one");
		json_decref(lost);
		deaf(ears[i]);
	}
}

CLUSTER_TEST(events, a_name_goes_with_its_child_and_every_node_says_why)
{
	struct cluster *c = cluster_start(3, NULL);
	struct ear *ears[3];
	char id[64];

	child_start_on(c, &c->nodes[1], "web", SLEEPER, id, sizeof id);
	expect_status(node_call(&c->nodes[0], "PUT",
			      text_of("{\"owner\":{\"kind\":\"child\",\"id\":\"default/"
				      "%s\"},\"value\":1}",
				      id),
			      ENTRIES "/web"),
		201);
	values_mark(c);
	values_arrive(c, CLUSTER_SOON_MS);
	for (int i = 0; i < 3; i++)
		ears[i] = listen_at(&c->nodes[i],
			text_of("topics=child:default/%s,registry:default/web", id), NULL);
	child_delete(c, &c->nodes[2], id);
	for (int i = 0; i < 3; i++) {
		json_t *gone;

		until(ears[i], type_text("child.deleted"));
		gone = next_of(ears[i], "entry.unregistered", CLUSTER_SOON_MS);
		CHECK_STR(json_str(gone, "reason"), "owner_exit");
		CHECK_STR(json_str(gone, "owner.node"), c->nodes[1].name);
		json_decref(gone);
		deaf(ears[i]);
	}
}

/* ---- children and members ---- */

static void hears_of(struct ear *e, const char *type, const struct node *member, long ms)
{
	json_t *json = next_of(e, type, ms);

	CHECK_STR(json_str(json, "member"), member->name);
	json_decref(json);
}

/* The assign of another node may come before this one knows why: two ears, since nothing orders
 * what a node thinks and what others write. */
CLUSTER_TEST(events, a_child_s_life_is_heard_everywhere_over_the_death_of_its_node)
{
	struct cluster *c = cluster_start(3, NULL);
	struct node *dies = &c->nodes[2];
	struct ear *child, *members = listen_at(&c->nodes[0], "topics=member,quorum", NULL);
	json_t *e;
	char id[64];

	child_start_on(c, dies, "web", SLEEPER, id, sizeof id);
	child = listen_at(&c->nodes[0], text_of("from=start&topics=child:default/%s", id), NULL);
	until(child, type_text("child.created"));
	e = next_of(child, "child.assigned", CLUSTER_SOON_MS);
	CHECK_STR(json_str(e, "node"), dies->name);
	json_decref(e);
	e = next_of(child, "child.state_changed", CLUSTER_SOON_MS);
	CHECK_STR(json_str(e, "state"), "running");
	CHECK_STR(json_str(e, "child"), text_of("default/%s", id));
	json_decref(e);
	node_kill(dies);
	hears_of(members, "member.dead", dies, CLUSTER_FAIL_MS);
	e = next_of(child, "child.assigned", CLUSTER_FAIL_MS);
	CHECK(strcmp(json_str(e, "node"), dies->name) != 0, "to the dead one");
	json_decref(e);
	do {
		e = next_of(child, "child.state_changed", CLUSTER_FAIL_MS);
	} while (strcmp(json_str(e, "state"), "running") != 0 && (json_decref(e), true));
	json_decref(e);
	node_start(dies);
	hears_of(members, "member.joined", dies, CLUSTER_START_MS);
	CHECK(!strstr(heard(members), "quorum"), "two of three are a majority");
	deaf(members);
	deaf(child);
}

CLUSTER_TEST(events, a_lost_majority_and_its_return_are_heard)
{
	struct cluster *c = cluster_start(3, NULL);
	struct ear *ear = listen_at(&c->nodes[0], "topics=quorum", NULL);

	node_kill(&c->nodes[1]);
	node_kill(&c->nodes[2]);
	until_ms(ear, type_text("quorum.lost"), CLUSTER_FAIL_MS);
	node_start(&c->nodes[1]);
	until_ms(ear, type_text("quorum.regained"), CLUSTER_START_MS);
	deaf(ear);
}

CLUSTER_TEST(events, a_crash_loop_and_a_lost_guardian_are_heard_where_they_are)
{
	struct cluster *c = cluster_start(1, NULL);
	struct ear *ear = listen_at(&c->nodes[0], "topics=child:default/bad,guardian", NULL);

	child_put(&c->nodes[0], "bad",
		"{\"command\":[\"/bin/false\"],\"max_restarts\":1,\"max_seconds\":60,"
		"\"backoff\":{\"initial_ms\":1}}");
	until_ms(ear, type_text("child.crash_loop"), CLUSTER_FAIL_MS);
	kill(procs_guardian(c->nodes[0].pid), SIGKILL);
	until_ms(ear, type_text("guardian.lost"), CLUSTER_FAIL_MS);
	deaf(ear);
}

/* ---- going on, and what is not there any more ---- */

CLUSTER_TEST(events, who_comes_back_with_his_last_id_has_missed_nothing)
{
	struct cluster *c = cluster_start(2, NULL);
	struct ear *ear = listen_at(&c->nodes[1], "topics=registry:*", NULL);
	json_t *e;
	char last[64];

	put_key(&c->nodes[0], "a", "x", "1");
	e = next_of(ear, "entry.registered", CLUSTER_SOON_MS);
	snprintf(last, sizeof last, "%s", json_str(e, "id"));
	json_decref(e);
	deaf(ear);
	put_key(&c->nodes[0], "b", "x", "1");
	free_key(&c->nodes[0], "a");
	values_mark(c);
	values_arrive(c, CLUSTER_SOON_MS);
	ear = listen_at(&c->nodes[1], "topics=registry:*", last);
	put_key(&c->nodes[0], "c", "x", "1");
	until(ear, "\"key\":\"c\"");
	until(ear, "\n");
	CHECK(!strstr(ear->reply->body, "\"reset\""), "%s", ear->reply->body);
	CHECK(strncmp(heard(ear), "entry.registered b|entry.unregistered a released|",
		      strlen("entry.registered b|entry.unregistered a released|")) == 0,
		"%s", heard(ear));
	deaf(ear);
}

CLUSTER_TEST(events, a_node_that_was_started_again_resets_and_tells_nothing_that_it_had)
{
	struct cluster *c = cluster_start(2, NULL);
	struct node *n = &c->nodes[0];
	struct ear *ear;
	char last[64];

	put_key(n, "a", "x", "1");
	snprintf(last, sizeof last, "%s", latest(n));
	expect_problem(node_call(&c->nodes[1], "GET", NULL, EVENTS "?after=%s", last), 410,
		"events-expired");
	node_kill(n);
	node_start(n);
	cluster_settle(c);
	expect_problem(node_call(n, "GET", NULL, EVENTS "?after=%s", last), 410, "events-expired");
	ear = listen_at(n, "", last);
	CHECK(strstr(ear->reply->body, "\"type\":\"reset\""), "%s", ear->reply->body);
	CHECK(strstr(ear->reply->body, "\"reason\":\"elsewhere\""), "%s", ear->reply->body);
	free_key(n, "a");
	until(ear, type_text("entry.unregistered"));
	deaf(ear);
	ear = listen_at(n, "from=start&topics=registry:*", NULL);
	until(ear, type_text("entry.unregistered"));
	until(ear, "\n");
	CHECK_STR(heard(ear), "entry.unregistered a released|");
	deaf(ear);
}

CLUSTER_TEST(events, a_page_waits_at_one_node_for_what_is_done_at_another)
{
	struct cluster *c = cluster_start(2, NULL);
	struct http_request request = {
		.url = node_url(&c->nodes[1], EVENTS "?wait=60s&from=now&topics=meta:default/mine"),
		.timeout_ms = 90000};
	struct http_flight *flight = http_begin(&request, 1);
	struct http_reply *r;

	CHECK(http_parked(flight, 200), "it waits");
	expect_success(node_call(&c->nodes[0], "PUT", "{\"value\":1}", META "/other"));
	values_mark(c);
	values_arrive(c, CLUSTER_SOON_MS);
	CHECK(http_parked(flight, 0), "what is of no interest does not end it");
	expect_success(node_call(&c->nodes[0], "PUT", "{\"value\":2}", META "/mine"));
	http_finish(flight, &r);
	expect_status(r, 200);
	CHECK_INT(json_array_size(json_at(r->json, "items")), 1);
	CHECK_STR(json_str(r->json, "items.0.key"), "mine");
	CHECK_STR(json_str(r->json, "node"), c->nodes[1].name);
}

/* ---- readers ---- */

static int connect_to(const struct node *n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)n->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, n->host, &a.sin_addr);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0, "cannot connect");
	return fd;
}

/* Reads on until `text` has come; `*at` is how much of `bytes` is filled. */
static void read_until(int fd, char *bytes, size_t size, size_t *at, const char *text)
{
	int64_t end = check_now_ms() + check_ms(20000);
	size_t from = *at;

	while (!strstr(bytes + (from > 200 ? from - 200 : 0), text)) {
		ssize_t n = recv(fd, bytes + *at, size - *at - 1, MSG_DONTWAIT);

		CHECK(n != 0, "the stream ends before %s", text);
		CHECK(check_now_ms() < end, "%s does not come", text);
		if (n < 0) {
			usleep(1000);
			continue;
		}
		from = *at;
		*at += (size_t)n;
		bytes[*at] = '\0';
	}
}

CLUSTER_TEST(events, a_reader_that_is_too_slow_is_reset_and_misses_nothing_behind_that)
{
	enum { SIZE = 128 << 20 };
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	char *bytes = calloc(1, SIZE), request[300];
	const char *reset;
	size_t at = 0;
	int fd = connect_to(n);

	snprintf(request, sizeof request,
		"GET " EVENTS "/stream?topics=registry:* HTTP/1.1\r\nHost: %s:%d\r\n\r\n", n->host,
		n->port);
	CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request), "cannot ask");
	read_until(fd, bytes, SIZE, &at, "event: open");
	for (int i = 0; i < 8; i++)
		names_put(n, "big", 100 * i, 100, 50000);
	read_until(fd, bytes, SIZE, &at, "event: reset");
	reset = strstr(bytes, "event: reset");
	put_key(n, "behind", "x", "1");
	read_until(fd, bytes, SIZE, &at, "\"key\":\"behind\"");
	CHECK(strstr(reset, "\"reason\":\"expired\""), "%s", reset);
	CHECK(!strstr(reset, "\"key\":\"big-"), "what was missed is told in part");
	close(fd);
	free(bytes);
}

CLUSTER_TEST(events, only_so_many_listen_and_who_hangs_up_makes_room)
{
	enum { STREAMS = 256 };
	struct cluster *c = cluster_start(1, NULL);
	struct ear *ears[STREAMS], *again;

	for (int i = 0; i < STREAMS; i++)
		ears[i] = listen_at(&c->nodes[0], "topics=meta:*", NULL);
	expect_problem(node_call(&c->nodes[0], "GET", NULL, EVENTS "/stream"), 503,
		"watch-slots-exhausted");
	expect_success(node_call(&c->nodes[0], "PUT", "{\"value\":1}", META "/m"));
	for (int i = 0; i < STREAMS; i++)
		until(ears[i], type_text("meta.put"));
	for (int i = 0; i < STREAMS; i++)
		deaf(ears[i]);
	again = listen_at(&c->nodes[0], "topics=meta:*", NULL);
	deaf(again);
}

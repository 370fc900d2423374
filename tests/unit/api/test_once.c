/* Requests that are sent again: Idempotency-Key, at one node of a cluster. */
#include "tests/unit/api/scene.h"

#include "api/document.h"
#include "api/openapi.h"
#include "server/core/times.h"

TestSuite(once, .timeout = 60);

#define CHILDREN "/v1/supervisors/default/children"
#define SLEEPER "{\"command\":[\"sleep\",\"1000\"]}"
#define OTHER "{\"command\":[\"sleep\",\"2000\"]}"
#define KEY "Idempotency-Key: k\r\n"
#define REPLAYED "\r\nIdempotent-Replayed: true\r\n"
#define CUT_OFF "POST " CHILDREN "?ack=all&wait=30s"

static int post(const char *what, const char *headers, const char *body)
{
	int fd = served_connect();

	send_request(fd, what, headers, body);
	return fd;
}

/* One that is going to wait. */
static int park(const char *what, const char *body)
{
	long before = (long)http_parked(scene.http);
	int fd = post(what, KEY, body);

	scene_until(are_parked, before + 1);
	return fd;
}

static bool flows(long fd)
{
	scene_flow();
	return is_answered(fd);
}

/* While n1's disk and the lines to the others work; a copy, for the caller to keep. */
static struct answer *answer(int fd)
{
	struct answer *a;

	scene_until(flows, fd);
	a = receive(fd, false);
	close(fd);
	return a;
}

static struct answer *ask_keyed(const char *what, const char *body)
{
	return answer(post(what, KEY, body));
}

static size_t children(void)
{
	return map_count(horde_map(scene.c.peers[0].n.h), FAMILY_SPEC);
}

static void header_of(const struct answer *a, const char *name, char ret[200])
{
	const char *at = strcasestr(a->bytes, name);

	ret[0] = '\0';
	if (at)
		snprintf(ret, 200, "%.*s", (int)strcspn(at, "\r"), at);
}

static void expect_replay_of(const struct answer *a, const struct answer *first)
{
	static const char *const names[] = {"\nLocation: ", "\nHorde-Dot: ", "\nETag: "};
	char one[200], other[200];

	cr_expect_eq(a->status, first->status, "%s", a->bytes);
	cr_expect_str_eq(strstr(a->bytes, "\r\n\r\n"), strstr(first->bytes, "\r\n\r\n"));
	cr_expect(says(a, REPLAYED), "%s", a->bytes);
	for (size_t i = 0; i < 3; i++) {
		header_of(first, names[i], one);
		header_of(a, names[i], other);
		cr_expect_str_eq(one, other);
	}
}

/* ---- sent again ---- */

Test(once, a_second_one_is_answered_as_the_first_was)
{
	struct answer first;

	scene_start(1);
	first = *ask_keyed("POST " CHILDREN, SLEEPER);
	cr_assert_eq(first.status, 201, "%s", first.bytes);
	cr_expect(says(&first, "\r\nLocation: " CHILDREN "/"), "%s", first.bytes);
	cr_expect_not(says(&first, "Idempotent-Replayed"), "%s", first.bytes);
	for (int i = 0; i < 3; i++)
		expect_replay_of(ask_keyed("POST " CHILDREN, SLEEPER), &first);
	cr_expect_eq(children(), 1);
	cr_expect_eq(answer(post("POST " CHILDREN, "", SLEEPER))->status, 201);
	cr_expect_eq(
		answer(post("POST " CHILDREN, "Idempotency-Key: K\r\n", SLEEPER))->status, 201);
	cr_expect_eq(children(), 3);
	scene_end();
}

Test(once, another_request_is_told_so_and_does_nothing)
{
	static const char *const rows[][2] = {{"POST " CHILDREN "?wait=1s", OTHER},
		{"POST " CHILDREN "?wait=2s", SLEEPER}, {"POST " CHILDREN "?ack=disk", SLEEPER},
		{"POST " CHILDREN, SLEEPER},
		{"POST " CHILDREN "/batch?wait=1s", "{\"items\":[{\"spec\":" SLEEPER "}]}"},
		{"POST /v1/supervisors/team/children?wait=1s", SLEEPER}};
	struct answer *a;

	scene_start(1);
	answer(post("PUT /v1/supervisors/team", "", "{}"));
	ask_keyed("POST " CHILDREN "?wait=1s", SLEEPER);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a = ask_keyed(rows[i][0], rows[i][1]);
		cr_expect_eq(a->status, 422, "%s", a->bytes);
		cr_expect(says(a, "\"code\":\"idempotency-key-reused\""), "%s", a->bytes);
		cr_expect_not(says(a, "Location"), "%s", a->bytes);
	}
	cr_expect_eq(children(), 1);
	a = ask_keyed("POST " CHILDREN "?pretty&wait=1s", SLEEPER);
	cr_expect(says(a, REPLAYED), "how it is shown is no part of it: %s", a->bytes);
	cr_expect(says(a, "\n  \""), "%s", a->bytes);
	scene_end();
}

Test(once, a_refusal_is_answered_again_too)
{
	struct answer first;

	scene_start(1);
	first = *ask_keyed("POST " CHILDREN "/web/start", NULL);
	cr_assert_eq(first.status, 404);
	answer(post("PUT " CHILDREN "/web", "", SLEEPER));
	expect_replay_of(ask_keyed("POST " CHILDREN "/web/start", NULL), &first);
	scene_end();
}

Test(once, what_was_refused_for_its_form_has_not_used_up_its_key)
{
	static const char *const bodies[] = {"{\"command\":[]}", "{", ""};
	struct answer *a;

	scene_start(1);
	for (size_t i = 0; i < 3; i++) {
		a = ask_keyed("POST " CHILDREN, bodies[i]);
		cr_expect(a->status == 422 || a->status == 400, "%s", a->bytes);
	}
	a = ask_keyed("POST " CHILDREN, SLEEPER);
	cr_expect_eq(a->status, 201, "%s", a->bytes);
	cr_expect_not(says(a, REPLAYED), "%s", a->bytes);
	scene_end();
}

Test(once, a_key_has_up_to_255_visible_characters)
{
	char headers[400], longest[257];
	static const char *const bad[] = {"", "a b", "\xc3\xa4", "a\tb", "\x7f"};
	struct answer *a;

	scene_start(1);
	for (size_t i = 0; i < 5; i++) {
		snprintf(headers, sizeof(headers), "Idempotency-Key: %s\r\n", bad[i]);
		a = answer(post("POST " CHILDREN, headers, SLEEPER));
		cr_expect_eq(a->status, 400, "%s", a->bytes);
		cr_expect(says(a, "\"code\":\"bad-header\""), "%s", a->bytes);
	}
	memset(longest, '~', sizeof(longest));
	for (int bytes = 255; bytes <= 256; bytes++) {
		snprintf(headers, sizeof(headers), "Idempotency-Key: %.*s\r\n", bytes, longest);
		a = answer(post("POST " CHILDREN, headers, SLEEPER));
		cr_expect_eq(a->status, bytes == 255 ? 201 : 400, "%s", a->bytes);
	}
	cr_expect_eq(children(), 1);
	scene_end();
}

Test(once, only_what_may_not_be_repeated_as_it_is_takes_one)
{
	struct answer *a;

	scene_start(1);
	for (int i = 0; i < 2; i++) {
		a = answer(post("PUT " CHILDREN "/web", KEY, SLEEPER));
		cr_expect_eq(a->status, i == 0 ? 201 : 200, "%s", a->bytes);
		cr_expect_not(says(a, REPLAYED), "%s", a->bytes);
	}
	scene_end();
}

static bool takes_key(const struct operation *op)
{
	for (size_t i = 0; i < op->parameter_count; i++)
		if (op->parameters[i].place == PARAMETER_HEADER &&
			strcmp(op->parameters[i].name, "Idempotency-Key") == 0)
			return true;
	return false;
}

Test(once, every_post_takes_one)
{
	struct openapi o;
	char why[HTTP_WHY_BYTES];

	cr_assert_eq(openapi_load(&o, document_openapi, document_openapi_length(), false, why),
		ERR_OK, "%s", why);
	for (size_t i = 0; i < o.operation_count; i++)
		/* What is passed on is the owner's, its key too. */
		cr_expect_eq(takes_key(&o.operations[i]),
			o.operations[i].method == METHOD_POST && !o.operations[i].rest, "%s",
			o.operations[i].id);
	openapi_fini(&o);
}

/* ---- while the first one is under way ---- */

static void cut_off(bool cut)
{
	scene.c.peers[2].cut = cut;
}

Test(once, a_second_one_waits_for_the_first)
{
	struct answer first;
	int fds[3];

	scene_start(3);
	cut_off(true);
	for (size_t i = 0; i < 3; i++)
		fds[i] = park(CUT_OFF, SLEEPER);
	scene_flow();
	scene_until(are_parked, 3);
	cut_off(false);
	first = *answer(fds[0]);
	cr_expect_eq(first.status, 201, "%s", first.bytes);
	expect_replay_of(answer(fds[1]), &first);
	expect_replay_of(answer(fds[2]), &first);
	cr_expect_eq(children(), 1);
	scene_end();
}

Test(once, another_request_does_not_wait_for_it)
{
	struct answer *a;
	int fd;

	scene_start(3);
	cut_off(true);
	fd = park(CUT_OFF, SLEEPER);
	a = ask_keyed(CUT_OFF, OTHER);
	cr_expect_eq(a->status, 422, "%s", a->bytes);
	cut_off(false);
	cr_expect_eq(answer(fd)->status, 201);
	scene_end();
}

Test(once, it_waits_no_longer_than_it_wants)
{
	struct answer *a;
	int fd;

	scene_start(3);
	cut_off(true);
	fd = park("POST " CHILDREN "?ack=all&wait=50ms", SLEEPER);
	close(park("POST " CHILDREN "?ack=all&wait=50ms", SLEEPER));
	scene_until(are_parked, 1);
	a = scene_answer(post("POST " CHILDREN "?ack=all&wait=50ms", KEY, SLEEPER));
	cr_expect_eq(a->status, 504, "%s", a->bytes);
	close(fd);
	scene_end();
}

Test(once, when_the_first_leaves_nothing_to_repeat_the_second_is_carried_out)
{
	struct answer *a;
	int first, second;

	scene_start(3);
	cut_off(true);
	first = park("POST " CHILDREN "?ack=all&wait=300ms", SLEEPER);
	second = park("POST " CHILDREN "?ack=all&wait=300ms", SLEEPER);
	a = answer(first);
	cr_expect_eq(a->status, 504, "%s", a->bytes);
	cr_expect(says(a, "\"applied\":true"), "%s", a->bytes);
	cut_off(false);
	a = answer(second);
	cr_expect(a->status == 201 || says(a, "wait-timeout"), "%s", a->bytes);
	a = ask_keyed("POST " CHILDREN "?ack=all&wait=300ms", SLEEPER);
	cr_expect_eq(a->status, 201, "%s", a->bytes);
	cr_expect_eq(children(), 1, "it is the same write");
	scene_end();
}

Test(once, it_goes_on_without_its_client)
{
	struct answer *a;
	int fd;

	scene_start(3);
	cut_off(true);
	fd = park(CUT_OFF, SLEEPER);
	close(fd);
	scene_flow();
	fd = park(CUT_OFF, SLEEPER);
	scene_until(are_parked, 2);
	cut_off(false);
	a = answer(fd);
	cr_expect_eq(a->status, 201, "%s", a->bytes);
	cr_expect(says(a, REPLAYED), "%s", a->bytes);
	cr_expect_eq(children(), 1);
	scene_until(is_idle, 0);
	scene_end();
}

Test(once, a_stop_answers_those_that_wait_and_those_whose_client_is_gone)
{
	int fds[2];

	scene_start(3);
	cut_off(true);
	fds[0] = park(CUT_OFF, SLEEPER);
	fds[1] = park(CUT_OFF, SLEEPER);
	close(fds[0]);
	scene_flow();
	http_drain(scene.http);
	cr_expect_eq(scene_answer(fds[1])->status, 503);
	scene_until(is_idle, 0);
	scene_end();
}

/* ---- what is kept ---- */

Test(once, the_reply_leaves_when_it_is_kept_on_disk)
{
	int fd;

	scene_start(1);
	fd = park("POST " CHILDREN "/web/start", NULL);
	cr_expect_not(is_answered(fd), "nothing but the reply was written");
	cr_expect_eq(map_count(horde_map(scene.c.peers[0].n.h), FAMILY_REPLY), 1);
	scene_store(ERR_OK);
	cr_expect_eq(scene_answer(fd)->status, 404);
	fd = post("POST " CHILDREN "?ack=memory&wait=0", KEY "X: y\r\n", SLEEPER);
	cr_expect_eq(scene_answer(fd)->status, 422, "an answer of another request");
	fd = post("POST " CHILDREN "?ack=memory&wait=0", "Idempotency-Key: m\r\n", SLEEPER);
	cr_expect_eq(scene_answer(fd)->status, 202, "who does not wait for the disk");
	scene_end();
}

static void set(const char *key, const char *text)
{
	struct event e = {.kind = EVENT_PUT_META};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = text;
	e.put.value_bytes = strlen(text);
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
	scene_flow();
}

/* The one reply that is kept: its key, and its text. */
static const char *only_kept(char key[KEY_BYTES_MAX])
{
	const struct entry *e = map_from(horde_map(scene.c.peers[0].n.h), "idem/", 5);

	cr_assert(e && family_of(e->key, e->key_bytes) == FAMILY_REPLY);
	snprintf(key, KEY_BYTES_MAX, "%s", e->key);
	return entry_text(e, NULL);
}

Test(once, for_24_hours)
{
	char key[KEY_BYTES_MAX], text[2000];
	const char *expires;
	long long at;
	struct answer *a;

	scene_start(1);
	ask_keyed("POST " CHILDREN "/web/start", NULL);
	snprintf(text, sizeof(text), "%s", only_kept(key));
	expires = strstr(text, "\"expires_at\":");
	cr_assert(expires, "%s", text);
	at = atoll(expires + 13);
	cr_expect_leq(llabs(at - loop_wall_ms() - 86400000), 20000, "%lld", at);
	answer(post("PUT " CHILDREN "/web", "", SLEEPER));
	for (int over = 0; over <= 1; over++) {
		at = loop_wall_ms() + (over ? 0 : 60000);
		snprintf((char *)(uintptr_t)expires + 13, 14, "%013lld", at);
		((char *)(uintptr_t)expires)[26] = ',';
		set(key, text);
		a = ask_keyed("POST " CHILDREN "/web/start", NULL);
		cr_expect_eq(a->status, over ? 200 : 404, "%s", a->bytes);
		cr_expect_eq(says(a, REPLAYED), !over, "%s", a->bytes);
	}
	scene_end();
}

Test(once, what_is_no_kept_reply_is_none)
{
	static const char *const texts[] = {
		"", "{}", "7", "{\"expires_at\":99999999999999}", "{\"expires_at\":\"x\"}"};
	char key[KEY_BYTES_MAX];

	for (size_t i = 0; i < 5; i++) {
		struct answer *a;

		scene_start(1);
		ask_keyed("POST " CHILDREN, SLEEPER);
		only_kept(key);
		set(key, texts[i]);
		a = ask_keyed("POST " CHILDREN, SLEEPER);
		cr_expect_eq(a->status, i == 3 ? 422 : 201, "%zu: %s", i, a->bytes);
		scene_end();
	}
}

/* The node crashed between the write and its reply, or another one had the request too. */
Test(once, carried_out_twice_it_is_the_same_write)
{
	struct event e = {.kind = EVENT_REMOVE_META};
	char key[KEY_BYTES_MAX], one[200], other[200];
	static const char *const rows[][2] = {{"POST " CHILDREN, SLEEPER},
		{"POST " CHILDREN "/batch",
			"{\"items\":[{\"spec\":" SLEEPER "},{\"spec\":" SLEEPER "}]}"}};

	for (size_t i = 0; i < 2; i++) {
		struct answer a;

		scene_start(1);
		a = *ask_keyed(rows[i][0], rows[i][1]);
		header_of(&a, "\nLocation: ", one);
		only_kept(key);
		e.put.key = key;
		e.put.key_bytes = strlen(key);
		cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
		a = *ask_keyed(rows[i][0], rows[i][1]);
		cr_expect_eq(a.status, i == 0 ? 201 : 200, "%s", a.bytes);
		cr_expect_not(says(&a, REPLAYED), "%s", a.bytes);
		header_of(&a, "\nLocation: ", other);
		cr_expect_str_eq(one, other);
		cr_expect_eq(children(), i + 1);
		cr_expect(i == 0 || says(&a, "\"outcome\":\"unchanged\""), "%s", a.bytes);
		scene_end();
	}
}

/* Its third block begins with the version, its fourth with the variant (RFC 9562). */
Test(once, ids_follow_from_key_path_and_cluster)
{
	static const char *const whats[] = {"POST " CHILDREN, "POST " CHILDREN "?wait=4s",
		"POST /v1/supervisors/team/children"};
	char ids[3][200];

	scene_start(1);
	answer(post("PUT /v1/supervisors/team", "", "{}"));
	for (size_t i = 0; i < 3; i++) {
		char key[60];
		const char *id;

		snprintf(key, sizeof(key), "Idempotency-Key: %s\r\n", i == 1 ? "b" : "a");
		header_of(answer(post(whats[i], i < 2 ? key : "Idempotency-Key: c\r\n", SLEEPER)),
			"\nLocation: ", ids[i]);
		id = strrchr(ids[i], '/') + 1;
		cr_expect_eq(strlen(id), 36, "%s", id);
		cr_expect_eq(id[14], '8', "%s", id);
		cr_expect(strchr("89ab", id[19]), "%s", id);
		memmove(ids[i], id, strlen(id) + 1);
	}
	cr_expect_str_neq(ids[0], ids[1]);
	cr_expect_str_neq(ids[1], ids[2]);
	scene_end();
}

/* As many bytes as may be, that are replies to others. */
static void fill(void)
{
	static char value[(1u << 20) + 1];
	char key[40];

	memset(value, ' ', sizeof(value) - 1);
	for (size_t i = 0; i < REPLIES_BYTES_MAX / (sizeof(value) - 1); i++) {
		snprintf(key, sizeof(key), "idem/%zu", i);
		set(key, value);
	}
}

Test(once, when_no_more_may_be_kept_nothing_is_begun)
{
	struct answer first;

	scene_start(1);
	first = *ask_keyed("POST " CHILDREN, SLEEPER);
	fill();
	expect_replay_of(ask_keyed("POST " CHILDREN, SLEEPER), &first);
	first = *answer(post("POST " CHILDREN, "Idempotency-Key: new\r\n", SLEEPER));
	cr_expect_eq(first.status, 503, "%s", first.bytes);
	cr_expect(says(&first, "\"code\":\"overloaded\""), "%s", first.bytes);
	cr_expect(says(&first, "\r\nRetry-After: "), "%s", first.bytes);
	cr_expect_eq(children(), 1);
	cr_expect_eq(answer(post("POST " CHILDREN, "", SLEEPER))->status, 201);
	scene_end();
}

Test(once, the_limits_are_those_that_the_contract_names)
{
	char texts[3][40];

	snprintf(texts[0], sizeof(texts[0]), " %d replies, or ", REPLIES_MAX);
	snprintf(texts[1], sizeof(texts[1]), " %u MiB of them", REPLIES_BYTES_MAX >> 20);
	snprintf(texts[2], sizeof(texts[2]), "above %u KiB only", REPLY_KEPT_BYTES_MAX >> 10);
	for (size_t i = 0; i < 3; i++)
		cr_expect(strstr(document_openapi, texts[i]), "no '%s'", texts[i]);
}

/* ---- replies of all kinds ---- */

static const char kinds_document[] =
	"paths:\n"
	"  /reply:\n"
	"    post:\n"
	"      operationId: postReply\n"
	"      parameters:\n"
	"        - {name: Idempotency-Key, in: header, schema: {type: string}}\n"
	"        - {name: bytes, in: query, schema: {type: integer}}\n"
	"        - {name: type, in: query, schema: {type: string}}\n"
	"        - {name: status, in: query, schema: {type: integer}}\n";

static unsigned replies_made;

/* What the query asks for. */
static void post_reply(struct exchange *x)
{
	int64_t bytes = exchange_query_int(x, "bytes", -1);
	unsigned status = (unsigned)exchange_query_int(x, "status", 200);
	const char *type = exchange_query(x, "type");
	struct text body = TEXT_INIT;

	replies_made++;
	if (bytes < 0) {
		exchange_reply_empty(x, status);
		return;
	}
	text_adds(&body, "\"");
	for (int64_t i = 2; i < bytes; i++)
		text_adds(&body, "x");
	text_adds(&body, "\"");
	exchange_reply_text(x, status, type ? type : "application/json", &body);
	text_fini(&body);
}

static void kinds_start(void)
{
	static const char *const hosts[] = {"127.0.0.1", NULL};
	static const struct binding bindings[] = {{"postReply", post_reply}, {NULL, NULL}};
	static const struct binding *const tables[] = {bindings, NULL};
	static const struct http_document documents[] = {
		{.yaml = kinds_document, .length = sizeof(kinds_document) - 1}, {0}};
	struct http_config c = {.node_name = "n1",
		.hosts = hosts,
		.service = &scene.service,
		.tables = tables,
		.documents = documents,
		.keeper = &replies_keeper};
	char why[HTTP_WHY_BYTES];

	scene_start(1);
	http_stop(scene.http);
	c.loop = scene.loop;
	c.listen_fd = served_listen(&served.port);
	cr_assert_eq(http_start(&c, &scene.http, why), ERR_OK, "%s", why);
	replies_made = 0;
}

/* A large one cannot be looked at before it is read. */
static bool is_done(long wanted)
{
	scene_flow();
	return http_busy(scene.http) == (size_t)wanted && replies_made > 0;
}

static void expect_kind(const char *query, int first, int second, unsigned made)
{
	char what[100];

	kinds_start();
	snprintf(what, sizeof(what), "POST /reply%s", query);
	for (int i = 0; i < 2; i++) {
		static char bytes[2000000];
		int fd = post(what, KEY, NULL);
		size_t used = 0;
		ssize_t n;

		fcntl(fd, F_SETFL, O_NONBLOCK);
		bytes[0] = '\0';
		do {
			scene_until(is_done, http_busy(scene.http) > 0 ? 1 : 0);
			n = recv(fd, bytes + used, sizeof(bytes) - 1 - used, 0);
			used += n > 0 ? (size_t)n : 0;
			bytes[used] = '\0';
		} while (n > 0 || used == 0 || http_busy(scene.http) > 0);
		close(fd);
		cr_expect_eq(atoi(bytes + 9), i == 0 ? first : second, "%s: %.300s", query, bytes);
		cr_expect_eq(!!strstr(bytes, REPLAYED), i == 1 && made == 1 && first == second,
			"%s: %.300s", query, bytes);
		cr_expect_eq(!!strstr(bytes, "\"reply-not-kept\""), i == 1 && first != second,
			"%s: %.300s", query, bytes);
	}
	cr_expect_eq(replies_made, made, "%s", query);
	scene_end();
}

Test(once, replies_of_each_kind)
{
	char most[40], more[40];

	snprintf(most, sizeof(most), "?bytes=%u", REPLY_KEPT_BYTES_MAX);
	snprintf(more, sizeof(more), "?bytes=%u", REPLY_KEPT_BYTES_MAX + 1);
	expect_kind("?bytes=10", 200, 200, 1);
	expect_kind("?status=204", 204, 204, 1);
	expect_kind("?bytes=10&status=202", 202, 202, 1);
	expect_kind("?bytes=10&status=409&type=application/problem%2Bjson", 409, 409, 1);
	expect_kind("?bytes=10&status=429", 429, 429, 2);
	expect_kind("?bytes=10&status=500", 500, 500, 2);
	expect_kind("?bytes=10&status=504", 504, 504, 2);
	expect_kind(most, 200, 200, 1);
	expect_kind(more, 200, 409, 1);
	expect_kind("?bytes=10&type=text/plain", 200, 409, 1);
}

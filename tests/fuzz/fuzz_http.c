/*
 * Requests as they come, through the whole kit (path, query, headers, body, the embedded OpenAPI
 * documents) and the real handlers to a real core; only libmicrohttpd is not there. An input is
 * up to eight requests, with form feeds between them, that run into each other: a parked one is
 * woken by what a later one writes, and the last of them by their deadlines.
 */
#include <strings.h>
#include <sys/eventfd.h>

#include "api/about.h"
#include "api/children.h"
#include "api/cluster.h"
#include "api/http_inside.h"
#include "api/dispatch.h"
#include "api/events.h"
#include "api/health.h"
#include "api/http_glue.h"
#include "api/json_read.h"
#include "api/lease.h"
#include "api/logs.h"
#include "api/peer.h"
#include "api/registries.h"
#include "api/registry.h"
#include "api/replies.h"
#include "api/snapshots.h"
#include "api/state.h"
#include "api/supervisors.h"
#include "api/utf8.h"
#include "tests/fuzz/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mhd.h"
#include "tests/fuzz/node.h"

#define REQUESTS_MAX 8
#define TURNS_MAX 16 /* within so many deadlines a request must be answered */

static const struct binding *const tables[] = {about_bindings, health_bindings, cluster_bindings,
	peer_bindings, supervisors_bindings, supervisors_delete_bindings, children_bindings,
	children_write_bindings, children_many_bindings, children_call_bindings, logs_bindings,
	logs_follow_bindings, events_bindings, events_follow_bindings, state_bindings,
	lease_bindings, registry_bindings, registry_write_bindings, registry_list_bindings,
	queries_bindings, queries_write_bindings, meta_bindings, registries_bindings,
	dispatch_bindings, snapshots_bindings, restore_bindings, NULL};
static const struct receiver *const receivers[] = {snapshots_receivers, dispatch_receivers, NULL};
static const char *const hosts[] = {"localhost", "127.0.0.1", "::1", NULL};

/* How long it is from one request to the next. */
static const int64_t pauses_ms[] = {0, 0, 1, 50, 1000, 20000};
#define PAUSES (sizeof(pauses_ms) / sizeof(pauses_ms[0]))

static struct loop *loop;
static struct http *http;
static int quiet[REQUESTS_MAX]; /* descriptors on which nothing ever happens */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct http_config c = {
		.node_name = "n1",
		.hosts = hosts,
		.service = node_service(),
		.tables = tables,
		.receivers = receivers,
		.covered = node_covered,
		.keeper = &replies_keeper,
	};
	char why[HTTP_WHY_BYTES];

	(void)argc;
	(void)argv;
	must(loop_new(&loop) == ERR_OK, "a loop");
	c.loop = loop;
	c.listen_fd = eventfd(0, 0);
	for (int i = 0; i < REQUESTS_MAX; i++)
		quiet[i] = eventfd(0, 0);
	if (http_start(&c, &http, why) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	return 0;
}

/* ---- the router, against a look at each operation in turn ---- */

static bool is_path_of(const struct operation *op, const struct exchange *x)
{
	const char *p = op->path;
	size_t i = 0;

	for (; *p == '/'; i++) {
		size_t length = strcspn(++p, "/");

		if (i == x->segment_count ||
			(*p != '{' && (strlen(x->segments[i]) != length ||
					      memcmp(p, x->segments[i], length) != 0)))
			return false;
		p += length;
	}
	return i == x->segment_count;
}

static void check_route(const struct exchange *x)
{
	unsigned methods = 0;
	bool found = false;

	for (size_t d = 0; d < http->document_count; d++)
		for (size_t i = 0; i < http->documents[d].operation_count; i++) {
			const struct operation *op = &http->documents[d].operations[i];

			if (!is_path_of(op, x))
				continue;
			methods |= 1u << op->method;
			found = found || op == x->operation;
		}
	if (x->operation) {
		must(found, "the operation has this path");
		must(x->operation->method == x->method ||
				(x->method == METHOD_HEAD && x->operation->method == METHOD_GET),
			"and this method");
		return;
	}
	must(x->method == METHOD_COUNT || !(methods & (1u << x->method)),
		"what has the path and the method is found");
	must(x->status != 404 || methods == 0, "what has the path is found");
	must((x->status != 405 && x->status != 204) || methods != 0, "what is found has the path");
}

static void check_begun(const struct exchange *x)
{
	/* Only who came as far as the router: earlier problems leave no full path behind. */
	bool routed = x->operation || x->status == 404 || x->status == 405 ||
		      (x->status == 204 && x->method == METHOD_OPTIONS);

	for (size_t i = 0; i < x->segment_count; i++)
		must(utf8_is_text(x->segments[i], strlen(x->segments[i])), "segments are text");
	for (size_t i = 0; i < x->query_count; i++)
		must(utf8_is_text(x->queries[i].name, strlen(x->queries[i].name)) &&
				utf8_is_text(x->queries[i].value, strlen(x->queries[i].value)),
			"queries are text");
	if (routed && x->segment_count < HTTP_SEGMENTS_MAX)
		check_route(x);
}

/* ---- replies ---- */

static json_t *parse(const char *bytes, size_t count)
{
	json_t *tree = NULL;

	must(json_read(bytes, count, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &tree) == ERR_OK,
		"a reply of JSON is JSON");
	return tree;
}

static void check_problem(unsigned status, const struct MHD_Response *r)
{
	json_t *tree = parse(r->bytes, r->count);
	const char *detail = json_string_value(json_object_get(tree, "detail"));

	must(json_integer_value(json_object_get(tree, "status")) == status, "it says its status");
	must(json_string_length(json_object_get(tree, "code")) > 0, "and its code");
	must(!detail || strcmp(detail, "out of memory") != 0, "there is memory");
	must(status != 405 || mhd_header(r, "Allow"), "a 405 says what is possible");
	json_decref(tree);
}

static void check_lines(const struct MHD_Response *r)
{
	for (size_t at = 0; at < r->count;) {
		const char *end = memchr(r->bytes + at, '\n', r->count - at);

		must(end, "a line ends");
		json_decref(parse(r->bytes + at, (size_t)(end - r->bytes) - at));
		at = (size_t)(end - r->bytes) + 1;
	}
}

static void check_reply(const struct MHD_Connection *c)
{
	struct MHD_Response *r = c->response;
	const char *media = mhd_header(r, "Content-Type");

	mhd_drain(r);
	must(c->status >= 200 && c->status < 600 && c->status != 500, "a status that is foreseen");
	must(mhd_header(r, "Horde-Request-Id"), "it has an id");
	must((r->count == 0) == !media, "what has a body has a type");
	if (c->status >= 400)
		must(media && strcmp(media, "application/problem+json") == 0, "a problem");
	if (c->status >= 400)
		check_problem(c->status, r);
	else if (media && strcmp(media, "application/json") == 0)
		json_decref(parse(r->bytes, r->count));
	else if (media && strcmp(media, "application/x-ndjson") == 0)
		check_lines(r);
}

/* ---- one request ---- */

static void access_handler(struct MHD_Connection *c, const char *bytes, size_t *count)
{
	if (http_access(http, c, c->url, c->method, "HTTP/1.1", bytes, count, &c->context) !=
		MHD_YES)
		c->closed = true;
}

/* Goes on with its body, as far as it is taken. */
static void feed(struct MHD_Connection *c, uint64_t *random)
{
	size_t none = 0;

	while (c->body_at < c->body_count && !c->closed && !c->response && !c->suspended) {
		size_t left = c->body_count - c->body_at, piece = 1 + fuzz_draw(random, left);
		size_t given = piece;

		access_handler(c, c->body + c->body_at, &piece);
		must(piece == 0 || c->suspended, "each piece is taken, or it waits");
		c->body_at += given - piece;
	}
	if (!c->closed && !c->response && !c->suspended)
		access_handler(c, NULL, &none);
}

static void begin(struct MHD_Connection *c, uint64_t *random)
{
	size_t none = 0;

	access_handler(c, NULL, &none);
	c->begun = c->context != NULL;
	must(c->begun && !c->closed, "there is memory");
	check_begun(c->context);
	feed(c, random);
}

static void turn(struct MHD_Connection *c, size_t count)
{
	uint64_t random = count;

	node_turn(http);
	http_turn(http);
	for (size_t i = 0; i < count; i++) {
		if (!c[i].closed && !c[i].response && !c[i].suspended)
			feed(&c[i], &random); /* it was held between two pieces */
		must(c[i].closed || c[i].response || c[i].suspended, "it waits or is answered");
	}
}

/* Time goes on from deadline to deadline until it is answered. */
static void expire(struct MHD_Connection *all, size_t count, const struct MHD_Connection *c)
{
	turn(all, count);
	for (int i = 0; i < TURNS_MAX * REQUESTS_MAX && !c->response; i++) {
		int64_t next = clock_next_ms(loop), now = loop_now_ms(loop);

		must(next < now + 2 * HTTP_WAIT_MS_MAX, "who waits has a deadline");
		clock_pass(loop, next > now ? next - now : 0);
		turn(all, count);
	}
	must(c->response, "nobody waits for ever");
}

static void end(struct MHD_Connection *c)
{
	if (c->response)
		check_reply(c);
	if (c->begun)
		http_completed(http, c, &c->context, MHD_REQUEST_TERMINATED_COMPLETED_OK);
	mhd_close(c);
}

/* A node asks for a token when any request shows one, so that both ways are gone. */
static void choose_token(const struct MHD_Connection *c, size_t count)
{
	http->config.token = http->config.secret = NULL;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < c[i].header_count; j++)
			if (strcasecmp(c[i].headers[j].name, "Authorization") == 0)
				http->config.token = http->config.secret = "token";
}

static size_t open_all(struct MHD_Connection *c, const char *text, size_t count)
{
	size_t opened = 0;

	while (count > 0 && opened < REQUESTS_MAX) {
		const char *feed = memchr(text, '\f', count);
		size_t length = feed ? (size_t)(feed - text) : count;

		if (mhd_open(&c[opened], text, length, quiet[opened]))
			opened++;
		else
			mhd_close(&c[opened]);
		text += length + (feed != NULL);
		count -= length + (feed != NULL);
	}
	return opened;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct MHD_Connection connections[REQUESTS_MAX];
	uint64_t random = fuzz_seed(bytes, count);
	size_t opened = open_all(connections, (const char *)bytes, count);

	if (opened == 0)
		return -1;
	clock_reset(loop);
	node_reset(loop);
	http->settled = 0;
	choose_token(connections, opened);
	for (size_t i = 0; i < opened; i++) {
		begin(&connections[i], &random);
		turn(connections, i + 1);
		clock_pass(loop, pauses_ms[fuzz_draw(&random, PAUSES)]);
	}
	for (size_t i = 0; i < opened; i++)
		if (!connections[i].closed)
			expire(connections, opened, &connections[i]);
	for (size_t i = 0; i < opened; i++)
		end(&connections[i]);
	must(http_busy(http) == 0 && http_parked(http) == 0, "nothing is left behind");
	node_free();
	return 0;
}

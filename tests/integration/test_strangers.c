/* A peer that says hello as it should, and then talks of what never was. */
#include "tests/integration/suite.h"

#include "tests/lib/values.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

SUITE(strangers);

enum {
	REQUEST_BYTES = 1 << 20,
	FLOOD_BYTES = 1 << 20,
	FLOODS_MAX = 400,
	PATIENCE_MS = 15000,
	EARLY_BYTES = 32 << 20, /* no line of a difference is as long */
	GROWTH_KB = 64 * 1024
};

struct stranger {
	pthread_t thread;
	int listener, port, number;
	const char *answer; /* to a poll for deltas: what comes behind the head */
	bool flood;         /* the answer again and again, for as long as somebody reads */
	atomic_int polls;
	atomic_long flooded;
};

/* ---- what it says ---- */

static void send_text(int fd, const char *type, const char *body, long claimed)
{
	char head[256];
	int size = snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %ld\r\n"
		"Connection: close\r\nHorde-Node: stranger\r\nHorde-Request-Id: 1\r\n\r\n",
		type, claimed);

	if (send(fd, head, (size_t)size, MSG_NOSIGNAL) == size)
		send(fd, body, strlen(body), MSG_NOSIGNAL);
}

/* As the caller would say it, under another name. */
static void say_hello(struct stranger *stranger, int fd, const char *body)
{
	json_t *hello = json_loads(body, 0, NULL);
	char text[128], *answer;

	snprintf(text, sizeof text, "stranger-%d", stranger->number);
	json_object_set_new(hello, "name", json_string(text));
	snprintf(text, sizeof text, "0c6f1f4c9f0e4b0fa3a1c2d3e4f506%02d", stranger->number);
	json_object_set_new(hello, "node_id", json_string(text));
	snprintf(text, sizeof text, "9f3c5a7e1b2d4c6f8091a2b3c4d5e6%02d", stranger->number);
	json_object_set_new(hello, "incarnation", json_string(text));
	snprintf(text, sizeof text, "http://127.0.0.1:%d", stranger->port);
	json_object_set_new(hello, "url", json_string(text));
	json_object_del(hello, "virgin");
	answer = json_dumps(hello, JSON_COMPACT);
	if (answer)
		send_text(fd, "application/json", answer, (long)strlen(answer));
	free(answer);
	json_decref(hello);
}

static void say_deltas(struct stranger *stranger, int fd)
{
	static char flood[FLOOD_BYTES + 1];
	long claimed = (long)strlen(stranger->answer);

	if (!stranger->flood) {
		send_text(fd, "application/x-ndjson", stranger->answer, claimed);
	} else {
		memset(flood, 'a', FLOOD_BYTES);
		send_text(fd, "application/x-ndjson", stranger->answer,
			claimed + (long)FLOODS_MAX * FLOOD_BYTES);
		for (int i = 0; i < FLOODS_MAX; i++) {
			if (send(fd, flood, FLOOD_BYTES, MSG_NOSIGNAL) != FLOOD_BYTES)
				break;
			atomic_fetch_add(&stranger->flooded, FLOOD_BYTES);
		}
	}
	atomic_fetch_add(&stranger->polls, 1);
}

/* A whole request, as far as its Content-Length says; false when there is none. */
static bool read_request(int fd, char *in)
{
	size_t used = 0;
	char *body;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t got;

		in[used] = '\0';
		body = strstr(in, "\r\n\r\n");
		if (body) {
			const char *length = strcasestr(in, "content-length:");

			if (!length || strlen(body + 4) >= strtoul(length + 15, NULL, 10))
				return true;
		}
		if (used + 1 >= REQUEST_BYTES || poll(&ready, 1, 2000) <= 0)
			return false;
		got = recv(fd, in + used, REQUEST_BYTES - 1 - used, 0);
		if (got <= 0)
			return false;
		used += (size_t)got;
	}
}

static void *talk(void *arg)
{
	static char in[REQUEST_BYTES];
	struct stranger *stranger = arg;
	int fd;

	while ((fd = accept4(stranger->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (read_request(fd, in) && strncmp(in, "POST /peer/v1/hello", 19) == 0)
			say_hello(stranger, fd, strstr(in, "\r\n\r\n") + 4);
		else if (strncmp(in, "POST /peer/v1/deltas", 20) == 0)
			say_deltas(stranger, fd);
		shutdown(fd, SHUT_WR);
		close(fd);
	}
	return NULL;
}

static void stranger_start(struct stranger *stranger)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;

	stranger->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(stranger->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
			listen(stranger->listener, 16) == 0 &&
			getsockname(stranger->listener, (struct sockaddr *)&address, &size) == 0,
		"cannot listen");
	stranger->port = ntohs(address.sin_port);
	CHECK(pthread_create(&stranger->thread, NULL, talk, stranger) == 0, "no thread");
}

static void stranger_stop(struct stranger *stranger)
{
	shutdown(stranger->listener, SHUT_RDWR);
	pthread_join(stranger->thread, NULL);
	close(stranger->listener);
}

/* ---- what must come of it ---- */

/* Has n1 call it, and waits until it was asked for deltas and what it said was refused. */
static void meet(const struct node *n1, struct stranger *stranger)
{
	int64_t end = check_now_ms() + check_ms(PATIENCE_MS);
	const char *url = text_of("http://127.0.0.1:%d", stranger->port);

	node_call(n1, "POST", text_of("{\"addresses\":[\"%s\"]}", url), "/v1/cluster/join?wait=1s");
	while (atomic_load(&stranger->polls) == 0) {
		CHECK(check_now_ms() < end, "it was never asked for deltas: %s", node_log(n1));
		check_pause_ms(5);
	}
	node_wait_log(n1, text_of("event=peer.rejected subject=%s", url), PATIENCE_MS);
}

static void unchanged(struct cluster *c, const char *what)
{
	for (int i = 0; i < c->count; i++) {
		struct http_reply *list =
			node_call(&c->nodes[i], "GET", NULL, "/v1/cluster/members");
		json_t *item;
		size_t k;

		json_array_foreach(json_at(expect_status(list, 200)->json, "items"), k, item)
			CHECK(*json_str(item, "name") == 'n' ||
					strcmp(json_str(item, "status"), "joining") == 0,
				"a stranger with %s is a member: %s", what, list->body);
		CHECK_INT(names_count(&c->nodes[i], ""), 1);
		CHECK_INT(node_call(&c->nodes[i], "GET", NULL, META "/evil")->status, 404);
		CHECK_STR(name_value(&c->nodes[i], "before"), "here");
	}
}

static struct cluster *two_nodes(void)
{
	struct cluster *c = cluster_start(2, NULL);

	name_put(&c->nodes[0], "before", "here");
	values_settle(c, CLUSTER_SOON_MS);
	return c;
}

#define HEADER(v)                                                                                  \
	"{\"v\":" v ",\"inc\":\"9f3c5a7e1b2d4c6f8091a2b3c4d5e601\","                               \
	"\"mode\":\"full\",\"o\":[\"9f3c5a7e1b2d4c6f8091a2b3c4d5e601\"],\"x\":[[0,0,1]]}\n"
#define PUT_LINE "[\"p\",0,1,114134567890123,\"meta/default/evil\",{\"value\":1}]\n"
#define TRAILER(sum)                                                                               \
	"{\"x\":[[0,0,1,\"\",\"\"]],\"vec\":[[0,1]],\"h\":\"5b1fc3a09d2e4f601f2e3d4c5b6a7988\","   \
	"\"clk\":114087288832065536,\"lines\":1,\"sum\":\"" sum "\"}\n"

CLUSTER_TEST(strangers, s117_differences_of_a_peer_that_lies_change_nothing)
{
	static const struct {
		const char *what, *answer;
	} rows[] = {{"nothing", ""}, {"no JSON", "hello there\n"}, {"no object", "[1,2,3]\n"},
		{"a header alone", HEADER("2")}, {"no trailer", HEADER("2") PUT_LINE},
		{"no header", PUT_LINE TRAILER("0011223344556677")},
		{"a wrong sum", HEADER("2") PUT_LINE TRAILER("0011223344556677")},
		{"a wrong sum, version 1", HEADER("1") PUT_LINE TRAILER("0011223344556677")},
		{"an alien version", HEADER("99") PUT_LINE TRAILER("0011223344556677")},
		{"a line of another kind", HEADER("2") "[\"q\",0,1]\n" TRAILER("0011223344556677")},
		{"a problem", "{\"type\":\"/problems/internal\",\"status\":500}\n"}};
	struct cluster *c = two_nodes();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stranger stranger = {.number = (int)i + 10, .answer = rows[i].answer};

		stranger_start(&stranger);
		meet(&c->nodes[0], &stranger);
		stranger_stop(&stranger);
		unchanged(c, rows[i].what);
	}
	cluster_settle(c);
	values_settle(c, CLUSTER_SOON_MS);
}

/* A line without end: it is left before it has filled the memory, and others are served meanwhile.
 */
CLUSTER_TEST(strangers, s117_an_endless_difference_is_left_early)
{
	struct cluster *c = two_nodes();
	struct stranger stranger = {.number = 10, .answer = "{\"inc\":\"", .flood = true};
	struct node *n1 = &c->nodes[0];
	long before = procs_status_kb(n1->pid, "VmHWM");

	stranger_start(&stranger);
	meet(n1, &stranger);
	stranger_stop(&stranger);
	CHECK(atomic_load(&stranger.flooded) < EARLY_BYTES, "%ld bytes of one line were read",
		atomic_load(&stranger.flooded));
	CHECK(procs_status_kb(n1->pid, "VmHWM") - before < GROWTH_KB, "it took %ld kB more",
		procs_status_kb(n1->pid, "VmHWM") - before);
	unchanged(c, "an endless line");
	values_settle(c, CLUSTER_SOON_MS);
}

/* ---- what it asks ---- */

CLUSTER_TEST(strangers, s117_polls_that_are_too_large_or_torn_change_nothing)
{
	enum { HUGE_BYTES = 17 << 20 };
	static const char *const torn[] = {"", "{",
		"{\"link\":\"x\",\"n\":1,\"seen\":0,\"after\":[", "\xff\xfe", "[]",
		"{\"link\":\"x\",\"n\":-1,\"seen\":0,\"after\":[],\"ack\":[],"
		"\"want\":\"*\",\"wait_ms\":1}",
		"{\"link\":\"x\",\"n\":1,\"seen\":0,\"after\":[[\"zz\",1]],\"ack\":[],"
		"\"want\":\"*\",\"wait_ms\":1}"};
	static const char *const paths[] = {"/peer/v1/deltas", "/peer/v1/digest"};
	struct cluster *c = two_nodes();
	struct node *n1 = &c->nodes[0];
	char *huge = malloc(HUGE_BYTES + 1);
	struct http_reply *reply;

	CHECK(huge, "out of memory");
	memset(huge, ' ', HUGE_BYTES);
	memcpy(huge, "{\"link\":\"x\"", 11);
	huge[HUGE_BYTES] = '\0';
	for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
		reply = node_call(n1, "POST", huge, "%s", paths[p]);
		expect_problem(reply, 413, "body-too-large");
		for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
			reply = node_call(n1, "POST", torn[i], "%s", paths[p]);
			CHECK(reply->status == 400 || reply->status == 422, "'%s' gave %ld: %s",
				torn[i], reply->status, reply->body);
			expect_problem(reply, reply->status, NULL);
		}
	}
	free(huge);
	unchanged(c, "bad polls");
	cluster_settle(c);
	values_settle(c, CLUSTER_SOON_MS);
}

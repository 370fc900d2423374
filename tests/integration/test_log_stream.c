/* What a child prints, as it comes, followed from any node (streamChildLogs). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/logs.h"

SUITE(log_stream);

#define PRINTER                                                                                    \
	"{\"command\":[\"/bin/sh\",\"-c\",\"trap 'echo hup' HUP; echo ready; while :; do sleep "   \
	"0.05; done\"]}"

struct stream {
	int fd;
	size_t raw_used;
	size_t raw_at; /* what lies before is decoded */
	bool has_head; /* it stands in `bytes` as it came; the body follows without its frames */
	bool is_whole; /* the last chunk has come (RFC 9112, 7.1) */
	size_t used;
	size_t seen; /* of `bytes`: what until() has found lies before */
	char raw[1 << 20];
	char bytes[1 << 20];
};

static void send_head(int fd, const char *id, const char *query, const char *accept)
{
	char head[512];
	int bytes = snprintf(head, sizeof head,
		"GET " CHILDREN "/%s/logs/stream?%s HTTP/1.1\r\nHost: localhost\r\nAccept: "
		"%s\r\n\r\n",
		id, query, accept);

	CHECK(write(fd, head, (size_t)bytes) == bytes, "the request could not be sent");
}

static struct stream *stream_open(
	const struct node *at, const char *id, const char *query, const char *accept)
{
	struct stream *s = calloc(1, sizeof *s);
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)at->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	child_until(at, id, "running", CLUSTER_SOON_MS); /* it has come to this node */
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(s->fd, (struct sockaddr *)&a, sizeof a) == 0, "nobody listens");
	send_head(s->fd, id, query, accept);
	return s;
}

static void stream_close(struct stream *s)
{
	close(s->fd);
	free(s);
}

static void take(struct stream *s, size_t count)
{
	memcpy(s->bytes + s->used, s->raw + s->raw_at, count);
	s->used += count;
	s->raw_at += count;
}

/* One chunk, once all of it is there. */
static bool take_chunk(struct stream *s)
{
	const char *line = s->raw + s->raw_at, *end = strstr(line, "\r\n");
	size_t count = end ? strtoul(line, NULL, 16) : 0;
	size_t head = end ? (size_t)(end + 2 - line) : 0;

	if (!end || s->raw_used - s->raw_at < head + count + 2)
		return false;
	s->raw_at += head;
	take(s, count);
	s->raw_at += 2;
	s->is_whole = count == 0;
	return !s->is_whole;
}

static void decode(struct stream *s)
{
	const char *end = s->has_head ? NULL : strstr(s->raw, "\r\n\r\n");

	if (end)
		take(s, (size_t)(end + 4 - s->raw));
	s->has_head = s->has_head || end;
	while (s->has_head && take_chunk(s))
		;
}

/* More of it; false: it has ended. */
static bool read_more(struct stream *s, int64_t deadline_ms)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	int64_t left_ms = deadline_ms - check_now_ms();
	ssize_t count;

	CHECK(left_ms > 0 && poll(&p, 1, (int)left_ms) == 1, "nothing more came after: %s",
		s->bytes + (s->used > 600 ? s->used - 600 : 0));
	CHECK(s->raw_used + 1 < sizeof s->raw, "there is too much");
	count = read(s->fd, s->raw + s->raw_used, sizeof s->raw - 1 - s->raw_used);
	if (count > 0)
		s->raw_used += (size_t)count;
	decode(s);
	return count > 0;
}

/* Behind what was found before. */
static void until(struct stream *s, const char *text)
{
	int64_t deadline_ms = check_now_ms() + check_ms(CLUSTER_SOON_MS);
	const char *at;

	while (!(at = strstr(s->bytes + s->seen, text)))
		CHECK(read_more(s, deadline_ms), "it ended before %s: %s", text, s->bytes);
	s->seen = (size_t)(at - s->bytes) + strlen(text);
}

static void until_end(struct stream *s)
{
	int64_t deadline_ms = check_now_ms() + check_ms(CLUSTER_SOON_MS);

	while (!s->is_whole)
		CHECK(read_more(s, deadline_ms), "it was cut off: %s", s->bytes);
}

static void hup(struct cluster *c, const char *id)
{
	expect_status(
		node_call(&c->nodes[0], "POST", "{\"signal\":\"HUP\"}", CHILDREN "/%s/signal", id),
		204);
}

CLUSTER_TEST(log_stream, it_shows_what_there_was_and_what_comes_at_every_node_until_the_delete)
{
	struct cluster *c = cluster_start(3, NULL);
	struct stream *s[3], *text;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", PRINTER, id, sizeof id);
	for (int i = 0; i < 3; i++) {
		s[i] = stream_open(&c->nodes[i], id, "tail=5", "application/x-ndjson");
		until(s[i], "200 OK");
		until(s[i], "application/x-ndjson");
		until(s[i], "\"event\":\"segment\"");
		until(s[i], c->nodes[1].name);
		until(s[i], "\"data\":\"ready\"");
	}
	text = stream_open(&c->nodes[0], id, "tail=5", "text/plain");
	until(text, "text/plain");
	until(text, "ready\n");
	for (int round = 0; round < 3; round++) {
		hup(c, id);
		for (int i = 0; i < 3; i++)
			until(s[i], "\"data\":\"hup\"");
		until(text, "hup\n");
	}
	CHECK(!strstr(text->bytes, "event"), "it is what was printed and nothing else: %s",
		text->bytes);
	child_delete(c, &c->nodes[2], id);
	for (int i = 0; i < 3; i++) {
		until(s[i], "\"event\":\"end\",\"reason\":\"child-not-found\"");
		until_end(s[i]);
		stream_close(s[i]);
	}
	until_end(text);
	stream_close(text);
}

CLUSTER_TEST(log_stream, it_goes_on_over_restarts_and_a_takeover)
{
	struct cluster *c = cluster_start(3, NULL);
	struct stream *s;
	size_t segment;
	char id[64];
	const char *name;

	child_start_on(c, &c->nodes[1], "web", PRINTER, id, sizeof id);
	s = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
	until(s, "\"data\":\"ready\"");
	expect_status(node_call(&c->nodes[2], "POST", NULL, CHILDREN "/%s/restart", id), 200);
	until(s, "\"data\":\"ready\"");
	node_kill(&c->nodes[1]);
	until(s, "\"event\":\"segment\"");
	segment = s->seen;
	until(s, "\"data\":\"ready\"");
	name = text_of("\"node\":\"%s\"", c->nodes[1].name);
	CHECK(!strstr(s->bytes + segment, name), "it is of another node: %s", s->bytes + segment);
	hup(c, id);
	until(s, "\"data\":\"hup\"");
	stream_close(s);
}

CLUSTER_TEST(log_stream, what_a_node_kept_of_an_earlier_life_is_not_shown_again)
{
	struct cluster *c = cluster_start(2, NULL);
	struct stream *s;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", PRINTER, id, sizeof id);
	s = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
	until(s, "\"data\":\"ready\"");
	node_kill(&c->nodes[1]);
	until(s, "\"data\":\"ready\"");
	node_start(&c->nodes[1]);
	cluster_settle(c);
	expect_status(
		node_call(&c->nodes[0], "DELETE", NULL, "/v1/supervisors/default?scope=local"),
		204);
	until(s, text_of("\"segment\",\"node\":\"%s\"", c->nodes[1].name));
	until(s, "\"offset\":");
	CHECK(s->bytes[s->seen] != '0', "it begins anew: %s", s->bytes + s->seen);
	until(s, "\"data\":\"ready\"");
	stream_close(s);
}

CLUSTER_TEST(log_stream, all_that_a_child_prints_comes_once_and_in_order_over_rotations)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"read x < $0; i=1000; while [ $i -lt 3000 ]; do "
		"echo $i; i=$((i+1)); done; exec sleep 1000\",\"%s/go\"],\"logs\":{\"max_bytes\":"
		"65536,\"max_files\":3}}";
	struct cluster *c = cluster_start(2, NULL);
	char id[64], own[512], fifo[256], line[64];
	struct stream *s;
	const char *at;
	int fd;

	snprintf(fifo, sizeof fifo, "%s/go", c->dir);
	CHECK(mkfifo(fifo, 0600) == 0, "no fifo");
	snprintf(own, sizeof own, spec, c->dir);
	child_start_on(c, &c->nodes[1], "web", own, id, sizeof id);
	s = stream_open(&c->nodes[0], id, "after=0", "application/x-ndjson");
	until(s, "200 OK");
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "go\n", 3) == 3, "the child does not read");
	close(fd);
	until(s, "\"data\":\"2999\"");
	at = s->bytes;
	for (int i = 1000; i < 3000; i++) {
		snprintf(line, sizeof line, "\"data\":\"%d\"", i);
		at = strstr(at, line);
		CHECK(at, "%d is missing, or not in its place", i);
		CHECK(!strstr(at + 1, line), "%d comes twice", i);
	}
	stream_close(s);
}

CLUSTER_TEST(log_stream, it_beats_and_is_refused_with_reasons)
{
	struct cluster *c = cluster_start(1, NULL);
	struct stream *s;
	char id[64];

	expect_problem(node_call(&c->nodes[0], "GET", NULL, CHILDREN "/none/logs/stream"), 404,
		"child-not-found");
	child_start_on(c, &c->nodes[0], "web", PRINTER, id, sizeof id);
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/logs/stream?after=99999", id),
		416, "bad-range");
	expect_status(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/logs/stream?heartbeat=61s", id),
		400);
	s = stream_open(&c->nodes[0], id, "tail=0&heartbeat=0", "application/x-ndjson");
	until(s, "segment");
	until(s, "}\n\n");
	until(s, "\n");
	CHECK(s->used < 1000, "it beats once in a second");
	stream_close(s);
}

CLUSTER_TEST(log_stream, only_so_many_are_followed_and_who_hangs_up_makes_room)
{
	struct cluster *c = cluster_start(1, NULL);
	struct stream *s[256];
	bool refused;
	char id[64];

	child_start_on(c, &c->nodes[0], "web", PRINTER, id, sizeof id);
	for (int i = 0; i < 256; i++) {
		s[i] = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
		until(s[i], "ready");
	}
	expect_problem(node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/logs/stream", id), 503,
		"watch-slots-exhausted");
	for (refused = true; refused;) {
		stream_close(s[0]);
		s[0] = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
		until(s[0], "HTTP/1.1 ");
		until(s[0], "\r\n\r\n");
		refused = strstr(s[0]->bytes, " 503 ");
	}
	hup(c, id);
	for (int i = 0; i < 256; i++) {
		until(s[i], "\"data\":\"hup\"");
		stream_close(s[i]);
	}
}

CLUSTER_TEST(log_stream, a_node_stops_though_it_is_followed)
{
	struct cluster *c = cluster_start(2, NULL);
	struct stream *s;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", PRINTER, id, sizeof id);
	s = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
	until(s, "ready");
	CHECK_INT(node_term(&c->nodes[0], check_ms(10000)), 0);
	while (read_more(s, check_now_ms() + check_ms(CLUSTER_SOON_MS)))
		;
	stream_close(s);
}

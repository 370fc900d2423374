/* What a child prints, as it comes, followed from any node (streamChildLogs). */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/logs.h"

SUITE(log_stream);

#define PRINTER                                                                                    \
	"{\"command\":[\"/bin/sh\",\"-c\",\"trap 'echo hup' HUP; echo ready; while :; do sleep "   \
	"0.05; done\"]}"

struct stream {
	struct http_flight *flight;
	const struct http_reply *reply; /* what has come so far */
	size_t seen;                    /* of its body: what until() has found lies before */
};

static struct stream *stream_open(
	const struct node *at, const char *id, const char *query, const char *media_type)
{
	struct http_request request = {
		.url = node_url(at, CHILDREN "/%s/logs/stream?%s", id, query),
		.headers = {text_of("Accept: %s", media_type)},
		.timeout_ms = 600000};
	struct stream *s = calloc(1, sizeof *s);

	child_until(at, id, "running", CLUSTER_SOON_MS); /* it has come to this node */
	s->flight = http_begin(&request, 1);
	s->reply = http_coming(s->flight, 0);
	return s;
}

static void stream_close(struct stream *s)
{
	http_drop(s->flight);
	free(s);
}

/* Behind what was found before; false: it has ended. */
static bool comes(struct stream *s, const char *text)
{
	return http_comes(s->flight, 0, text, &s->seen, check_ms(CLUSTER_SOON_MS));
}

static void until(struct stream *s, const char *text)
{
	CHECK(comes(s, text), "it ended before %s: %s", text, s->reply->body);
}

/* Whole: libcurl wants its last chunk (RFC 9112, 7.1). */
static void stream_end(struct stream *s)
{
	struct http_reply *r;

	http_finish(s->flight, &r);
	expect_status(r, 200);
	free(s);
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
		until(s[i], "\"event\":\"segment\"");
		CHECK_STR(http_header(s[i]->reply, "Content-Type"), "application/x-ndjson");
		until(s[i], c->nodes[1].name);
		until(s[i], "\"data\":\"ready\"");
	}
	text = stream_open(&c->nodes[0], id, "tail=5", "text/plain");
	until(text, "ready\n");
	CHECK_STR(http_header(text->reply, "Content-Type"), "text/plain");
	for (int round = 0; round < 3; round++) {
		hup(c, id);
		for (int i = 0; i < 3; i++)
			until(s[i], "\"data\":\"hup\"");
		until(text, "hup\n");
	}
	CHECK_STR(text->reply->body, "ready\nhup\nhup\nhup\n");
	child_delete(c, &c->nodes[2], id);
	for (int i = 0; i < 3; i++) {
		until(s[i], "\"event\":\"end\",\"reason\":\"child-not-found\"");
		stream_end(s[i]);
	}
	stream_end(text);
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
	CHECK(!strstr(s->reply->body + segment, name), "it is of another node: %s",
		s->reply->body + segment);
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
	CHECK(s->reply->body[s->seen] != '0', "it begins anew: %s", s->reply->body + s->seen);
	until(s, "\"data\":\"ready\"");
	stream_close(s);
}

/* Children wait there until they are to go on. */
static void make_fifo(const struct cluster *c)
{
	CHECK(mkfifo(text_of("%s/go", c->dir), 0600) == 0, "no fifo");
}

static void write_fifo(const struct cluster *c)
{
	int fd = open(text_of("%s/go", c->dir), O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, "go\n", 3) == 3, "the child does not read");
	close(fd);
}

CLUSTER_TEST(log_stream, all_that_a_child_prints_comes_once_and_in_order_over_rotations)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"read x < $0; i=1000; while [ $i -lt 3000 ]; do "
		"echo $i; i=$((i+1)); done; exec sleep 1000\",\"%s/go\"],\"logs\":{\"max_bytes\":"
		"65536,\"max_files\":3}}";
	struct cluster *c = cluster_start(2, NULL);
	char id[64], own[512], line[64];
	struct stream *s;
	const char *at;

	make_fifo(c);
	snprintf(own, sizeof own, spec, c->dir);
	child_start_on(c, &c->nodes[1], "web", own, id, sizeof id);
	s = stream_open(&c->nodes[0], id, "after=0", "application/x-ndjson");
	until(s, "segment");
	write_fifo(c);
	until(s, "\"data\":\"2999\"");
	at = s->reply->body;
	for (int i = 1000; i < 3000; i++) {
		snprintf(line, sizeof line, "\"data\":\"%d\"", i);
		at = strstr(at, line);
		CHECK(at, "%d is missing, or not in its place", i);
		CHECK(!strstr(at + 1, line), "%d comes twice", i);
	}
	stream_close(s);
}

CLUSTER_TEST(log_stream, who_reads_too_slowly_is_told_what_is_missing)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"read x < $0; yes 01234567890123456789 | head "
		"-c "
		"21000000; echo done; exec sleep 1000\",\"%s/go\"],\"logs\":{\"max_bytes\":65536}}";
	struct cluster *c = cluster_start(2, NULL);
	char id[64], own[512];
	struct stream *s[2];

	make_fifo(c);
	snprintf(own, sizeof own, spec, c->dir);
	child_start_on(c, &c->nodes[1], "web", own, id, sizeof id);
	for (int i = 0; i < 2; i++) {
		s[i] = stream_open(&c->nodes[i], id, "after=0", "application/x-ndjson");
		until(s[i], "segment");
	}
	write_fifo(c);
	/* Nobody reads meanwhile. */
	until_lines(&c->nodes[0], id, "tail=1", "done");
	for (int i = 0; i < 2; i++) {
		until(s[i], "{\"event\":\"gap\",\"from\":");
		until(s[i], "\"data\":\"done\"");
		stream_close(s[i]);
	}
}

CLUSTER_TEST(log_stream, plain_text_is_what_was_printed_byte_for_byte)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"printf 'a\\\\377\\\\t\\\"\\\\n%"
		"09000d\\\\n' 7; echo two >&2; printf end; exec sleep 1000\"]}";
	struct cluster *c = cluster_start(2, NULL);
	char id[64], expected[9100];
	struct stream *s;

	snprintf(expected, sizeof expected, "a\377\t\"\n%09000d\nend", 7);
	child_start_on(c, &c->nodes[1], "web", spec, id, sizeof id);
	for (int i = 0; i < 2; i++) {
		s = stream_open(&c->nodes[i], id, "after=0&stream=stdout", "text/plain");
		until(s, "end");
		CHECK(strcmp(s->reply->body, expected) == 0, "it is %s", s->reply->body);
		stream_close(s);
		s = stream_open(&c->nodes[i], id, "after=0&stream=stderr", "text/plain");
		until(s, "two\n");
		CHECK_STR(s->reply->body, "two\n");
		stream_close(s);
	}
}

CLUSTER_TEST(log_stream, it_beats_and_is_refused_with_reasons)
{
	struct cluster *c = cluster_start(1, NULL);
	struct stream *s;
	int64_t begin_ms;
	char id[64];

	expect_problem(node_call(&c->nodes[0], "GET", NULL, CHILDREN "/none/logs/stream"), 404,
		"child-not-found");
	child_start_on(c, &c->nodes[0], "web", SLEEPER, id, sizeof id);
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/logs/stream?after=99999", id),
		416, "bad-range");
	expect_status(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/logs/stream?heartbeat=61s", id),
		400);
	s = stream_open(&c->nodes[0], id, "tail=0&heartbeat=0", "application/x-ndjson");
	until(s, "segment");
	until(s, "}\n\n");
	begin_ms = check_now_ms();
	for (int i = 0; i < 3; i++)
		until(s, "\n");
	CHECK(check_now_ms() - begin_ms >= 2000, "it beats more than once in a second");
	stream_close(s);
}

CLUSTER_TEST(log_stream, only_so_many_are_followed_and_who_hangs_up_makes_room)
{
	struct cluster *c = cluster_start(1, NULL);
	struct stream *s[256];
	char id[64];

	child_start_on(c, &c->nodes[0], "web", PRINTER, id, sizeof id);
	for (int i = 0; i < 256; i++) {
		s[i] = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
		until(s[i], "ready");
	}
	expect_problem(node_call(&c->nodes[0], "GET", NULL, CHILDREN "/%s/logs/stream", id), 503,
		"watch-slots-exhausted");
	do {
		stream_close(s[0]);
		s[0] = stream_open(&c->nodes[0], id, "tail=1", "application/x-ndjson");
	} while (!comes(s[0], "ready"));
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
	CHECK(!comes(s, "more"), "it goes on");
	stream_close(s);
}

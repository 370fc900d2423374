/* What children print on their daemon's stdout: lines of JSON, whoever reads them or does not. */
#include <fcntl.h>
#include <poll.h>

#include "tests/integration/logs.h"

SUITE(log_lines);

/* How many lines of a file there are with this in it. */
static int count_lines(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char line[8192];
	int count = 0;

	CHECK(f, "cannot read %s", path);
	while (fgets(line, sizeof line, f))
		count += strstr(line, text) != NULL;
	fclose(f);
	return count;
}

/* Each line of the log is a line of JSON or one of the daemon's own; the last child's line. */
static json_t *last_child_line(const struct node *n)
{
	FILE *f = fopen(n->log, "re");
	json_t *last = NULL;
	char line[8192];

	CHECK(f, "cannot read %s", n->log);
	while (fgets(line, sizeof line, f)) {
		CHECK(strncmp(line, "{\"at\":", 6) == 0 || strncmp(line, "at=", 3) == 0, "torn: %s",
			line);
		if (line[0] != '{')
			continue;
		json_decref(last);
		last = json_loads(line, 0, NULL);
		CHECK(last, "no JSON: %s", line);
	}
	fclose(f);
	return last;
}

CLUSTER_TEST(log_lines, printed_on_stdout_they_are_not_kept_and_the_tail_is_known_all_the_same)
{
	static const char *const printing[] = {"--logs", "stdout", NULL};
	static const char spec[] = "{\"command\":[\"/bin/sh\",\"-c\",\"echo fine; printf "
				   "'%05000d' 7 >&2; echo ' cannot go on' >&2; exit 3\"],"
				   "\"restart\":\"temporary\"}";
	struct cluster *c = cluster_start(2, &(struct cluster_options){.args = printing});
	struct http_reply *r;
	json_t *line;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", SLEEPER, id, sizeof id);
	for (int i = 0; i < 2; i++) {
		r = expect_problem(logs(&c->nodes[i], id, ""), 409, "logs-not-kept");
		CHECK(strstr(json_str(r->json, "detail"), "'n2' runs with --logs stdout"), "%s",
			json_str(r->json, "detail"));
	}
	child_put(&c->nodes[0], id, spec);
	for (int i = 0; i < 2; i++) {
		const char *tail;

		r = child_until(&c->nodes[i], id, "exited", CLUSTER_SOON_MS);
		tail = json_str(r->json, "status.last_exit.tail");
		CHECK_INT(strlen(tail), 4095); /* without its newline */
		CHECK_STR(tail + strlen(tail) - 14, "7 cannot go on");
		CHECK(!strchr(tail, '\n'), "a long line is one still: %s", tail);
	}
	line = last_child_line(&c->nodes[1]);
	CHECK_STR(json_str(line, "node"), "n2");
	CHECK_STR(json_str(line, "supervisor"), "default");
	CHECK_STR(json_str(line, "child"), id);
	CHECK_STR(json_str(line, "stream"), "stderr");
	CHECK(json_number_at(line, "epoch") > 0, "its life is not said");
	CHECK_INT(count_lines(c->nodes[1].log, "\"data\":\"fine\""), 1);
	CHECK_INT(count_lines(c->nodes[0].log, "\"data\""), 0);
	CHECK(access(text_of("%s/logs/default/%s", c->nodes[1].dir, id), F_OK) != 0,
		"there are files");
	json_decref(line);
}

CLUSTER_TEST(log_lines, both_are_printed_and_kept)
{
	static const char *const both[] = {"--logs", "both", NULL};
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = both});
	json_t *line;

	child_start(&c->nodes[0], "web",
		"{\"command\":[\"/bin/sh\",\"-c\",\"printf 'a\\\\377\\\\n'; exec sleep 1000\"]}");
	until_lines(&c->nodes[0], "web", "tail=1", "Yf8=");
	line = last_child_line(&c->nodes[0]);
	CHECK_STR(json_str(line, "data"), "Yf8=");
	CHECK_STR(json_str(line, "encoding"), "base64");
	json_decref(line);
}

/* Reads the pipe until a line has this in it. */
static void read_until(int fd, const char *text)
{
	static char bytes[1 << 20];
	int64_t until_ms = check_now_ms() + check_ms(20000);
	size_t used = 0;

	for (;;) {
		ssize_t count = read(fd, bytes + used, sizeof bytes - 1 - used);

		CHECK(check_now_ms() < until_ms, "no line with %s came", text);
		if (count <= 0) {
			poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 100);
			continue;
		}
		used += (size_t)count;
		bytes[used] = '\0';
		if (strstr(bytes, text))
			return;
		if (used > sizeof bytes / 2) { /* the text may be cut in two */
			memmove(bytes, bytes + used - 100, 100);
			used = 100;
		}
	}
}

CLUSTER_TEST(log_lines, a_stdout_that_nobody_reads_blocks_nobody_and_tells_later_what_is_missing)
{
	static const char *const printing[] = {"--logs", "stdout", NULL};
	struct cluster *c = cluster_new(NULL);
	struct node *n = cluster_declare(c, NULL, printing);
	int fd;

	snprintf(n->out, sizeof n->out, "%s/out", c->dir);
	CHECK_INT(mkfifo(n->out, 0600), 0);
	fd = open(n->out, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	CHECK(fd >= 0, "cannot open the pipe");
	node_start(n);
	cluster_settle(c);
	child_put(n, "flood",
		"{\"command\":[\"/bin/sh\",\"-c\",\"yes 0123456789012345678901234567890 | head -c "
		"100M\"],\"restart\":\"temporary\"}");
	for (int i = 0; i < 20; i++)
		expect_status(node_call(n, "GET", NULL, "/livez"), 200);
	child_until(n, "flood", "exited", 60000);
	read_until(fd, "\"dropped\":");
	child_start(n, "late", "{\"command\":[\"/bin/sh\",\"-c\",\"echo late; exec sleep 1000\"]}");
	read_until(fd, "\"data\":\"late\"");
	close(fd);
	expect_status(node_call(n, "GET", NULL, "/livez"), 200);
}

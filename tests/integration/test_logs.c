/* What children print, read from any node: by offset, by its tail, and as it comes. */
#include "tests/integration/logs.h"

SUITE(logs);

static long long next_after(const struct http_reply *r)
{
	return json_number_at(r->json, "next_after");
}

CLUSTER_TEST(logs, s029_a_childs_output_is_read_from_any_node)
{
	static const char spec[] = "{\"command\":[\"/bin/sh\",\"-c\",\"echo one; echo two >&2; "
				   "echo three; exec sleep 1000\"]}";
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", spec, id, sizeof id);
	for (int i = 0; i < 3; i++) {
		until_lines(&c->nodes[i], id, "stream=stdout", "one three");
		until_lines(&c->nodes[i], id, "stream=stderr", "two");
		r = expect_status(logs(&c->nodes[i], id, "stream=stdout&after=0&limit=1"), 200);
		CHECK_STR(lines(r), "one");
		CHECK_STR(json_str(r->json, "items.0.stream"), "stdout");
		CHECK_STR(json_str(r->json, "node"), c->nodes[1].name);
		r = expect_status(
			logs(&c->nodes[i], id, text_of("stream=stdout&after=%lld", next_after(r))),
			200);
		CHECK_STR(lines(r), "three");
		CHECK_STR(lines(logs(&c->nodes[i], id, "stream=stdout&tail=1")), "three");
		CHECK_STR(json_str(r->json, "segments.0.node"), c->nodes[1].name);
	}
}

CLUSTER_TEST(logs, s029_an_offset_is_good_over_rotations_until_it_is_gone)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"i=100; while [ $i -lt 400 ]; do echo $i; "
		"i=$((i+1)); done; exec sleep "
		"1000\"],\"logs\":{\"max_bytes\":4096,\"max_files\":2}}";
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;
	char id[64];
	long long first;

	child_start_on(c, &c->nodes[1], "web", spec, id, sizeof id);
	r = until_lines(&c->nodes[0], id, "tail=3", "397 398 399");
	first = json_number_at(r->json, "first");
	CHECK(first > 0, "nothing was rotated away");
	for (int i = 0; i < 2; i++) {
		r = expect_problem(logs(&c->nodes[i], id, "after=0"), 416, "bad-range");
		CHECK_INT(json_number_at(r->json, "first"), first);
		r = expect_status(
			logs(&c->nodes[i], id, text_of("after=%lld&limit=1", first)), 200);
		CHECK(atoi(lines(r)) > 200, "%s is one of the oldest that are kept", lines(r));
		CHECK_INT(json_number_at(r->json, "items.0.offset"), first);
	}
}

/* The answer to a read from `after` on, which waits while `meanwhile` is done. */
static struct http_flight *follow(const struct node *at, const char *id, long long after)
{
	static struct http_request request;
	struct http_flight *flight;

	request = (struct http_request){
		.url = node_url(at, CHILDREN "/%s/logs?wait=15s&after=%lld", id, after)};
	flight = http_begin(&request, 1);
	CHECK(http_parked(flight, 100), "there is nothing to show, and it does not wait");
	return flight;
}

static struct http_reply *finish(struct http_flight *flight)
{
	struct http_reply *r;

	http_finish(flight, &r);
	return r;
}

CLUSTER_TEST(logs, s029_who_follows_a_child_sees_what_comes_and_its_end)
{
	static const char spec[] = "{\"command\":[\"/bin/sh\",\"-c\",\"trap 'echo hup' HUP; echo "
				   "ready; while :; do sleep 0.05; done\"]}";
	struct cluster *c = cluster_start(2, NULL);
	struct http_flight *flight;
	struct http_reply *r;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", spec, id, sizeof id);
	for (int i = 0; i < 2; i++) {
		r = until_lines(&c->nodes[i], id, "tail=1", i == 0 ? "ready" : "hup");
		flight = follow(&c->nodes[i], id, next_after(r));
		expect_status(node_call(&c->nodes[i], "POST", "{\"signal\":\"HUP\"}",
				      CHILDREN "/%s/signal", id),
			204);
		r = expect_status(finish(flight), 200);
		CHECK_STR(lines(r), "hup");
	}
	for (int i = 0; i < 2; i++) {
		struct http_reply *last = expect_status(logs(&c->nodes[1], id, "tail=0"), 200);

		flight = follow(&c->nodes[i], id, next_after(last));
		child_delete(c, &c->nodes[0], id);
		expect_problem(finish(flight), 404, "child-not-found");
		if (i == 0)
			child_start_on(c, &c->nodes[1], "next", spec, id, sizeof id);
		if (i == 0)
			until_lines(&c->nodes[1], id, "tail=1", "ready");
	}
}

static bool runs_elsewhere(const struct http_reply *r, const void *node)
{
	return r->status == 200 && strcmp(json_str(r->json, "status.state"), "running") == 0 &&
	       strcmp(json_str(r->json, "status.node"), node) != 0;
}

CLUSTER_TEST(logs, after_a_takeover_the_new_node_has_its_own_and_tells_of_the_other)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"echo on $HORDE_NODE; exec sleep 1000\"]}";
	struct cluster *c = cluster_start(3, NULL);
	struct http_reply *r;
	char id[64];

	child_start_on(c, &c->nodes[1], "web", spec, id, sizeof id);
	until_lines(&c->nodes[0], id, "tail=1", "on n2");
	node_kill(&c->nodes[1]);
	http_until(node_url(&c->nodes[0], CHILDREN "/%s", id), runs_elsewhere, "n2",
		check_ms(CLUSTER_FAIL_MS), "it runs elsewhere");
	r = child_get(&c->nodes[0], id);
	r = until_lines(
		&c->nodes[0], id, "tail=5", text_of("on %s", json_str(r->json, "status.node")));
	CHECK_INT(json_array_size(json_at(r->json, "segments")), 2);
	CHECK_STR(json_str(r->json, "segments.0.node"), "n2");
	CHECK(json_is_false(json_at(r->json, "segments.0.available")), "n2 is dead");
	CHECK(*json_str(r->json, "segments.0.reason"), "and it is not said why");
	CHECK(json_is_true(json_at(r->json, "segments.1.available")), "it runs there");
	expect_problem(logs(&c->nodes[0], id, "node=n2"), 502, "owner-unreachable");
	node_start(&c->nodes[1]);
	cluster_settle(c);
	r = until_lines(&c->nodes[2], id, "node=n2", "on n2");
	CHECK_STR(json_str(r->json, "node"), "n2");
	expect_problem(logs(&c->nodes[0], id, "node=n9"), 404, "member-not-found");
}

CLUSTER_TEST(logs, another_process_and_another_daemon_go_on_at_the_same_offsets)
{
	static const char spec[] =
		"{\"command\":[\"/bin/sh\",\"-c\",\"echo $HORDE_EPOCH; exec sleep 1000\"]}";
	struct cluster *c = cluster_start(1, NULL);
	long long ends[3];
	char first[64];

	child_start(&c->nodes[0], "web", spec);
	for (int life = 0; life < 3; life++) {
		struct http_reply *r = http_until_int(
			node_url(&c->nodes[0], CHILDREN "/web/logs?after=%lld&wait=5s",
				life ? ends[life - 1] : 0),
			"items.0.offset", life ? ends[life - 1] : 0, check_ms(CLUSTER_FAIL_MS));

		if (life == 0)
			snprintf(first, sizeof first, "%s", lines(r));
		ends[life] = next_after(r);
		if (life == 0)
			expect_status(
				node_call(&c->nodes[0], "POST", NULL, CHILDREN "/web/restart"),
				200);
		if (life == 1) {
			node_kill(&c->nodes[0]);
			node_start(&c->nodes[0]);
			cluster_settle(c);
		}
	}
	CHECK_STR(lines(logs(&c->nodes[0], "web", "after=0&limit=1")), first);
}

CLUSTER_TEST(logs, bytes_that_are_no_text_are_kept_and_long_lines_are_cut)
{
	static const char spec[] = "{\"command\":[\"/bin/sh\",\"-c\",\"printf 'a\\\\377\\\\n'; "
				   "printf '%05000d\\\\n' 7; exec sleep 1000\"]}";
	struct cluster *c = cluster_start(2, NULL);
	struct http_reply *r;

	child_start(&c->nodes[0], "web", spec);
	for (int i = 0; i < 2; i++) {
		r = http_until_int(node_url(&c->nodes[i], CHILDREN "/web/logs"), "end",
			2 + 5000 + 3 * 35, check_ms(CLUSTER_SOON_MS));
		CHECK_STR(json_str(r->json, "items.0.data"), "Yf8=");
		CHECK_STR(json_str(r->json, "items.0.encoding"), "base64");
		CHECK(json_is_true(json_at(r->json, "items.1.partial")), "it is whole");
		CHECK_INT(strlen(json_str(r->json, "items.1.data")) +
				  strlen(json_str(r->json, "items.2.data")),
			5000);
		CHECK(!json_at(r->json, "items.2.partial"), "it has its end");
	}
}

/* It writes as fast as it can, and comes to its end; what is kept stays below the cap. */
CLUSTER_TEST(logs, a_flood_blocks_nobody_and_is_capped)
{
	enum { MEGABYTES = 100 };
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	child_put(&c->nodes[0], "flood",
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"yes 0123456789012345678901234567890 | "
			"head -c %dM; echo done >&2\"],\"restart\":\"temporary\",\"logs\":"
			"{\"max_bytes\":1000000,\"max_files\":2}}",
			MEGABYTES));
	for (int i = 0; i < 20; i++)
		expect_status(node_call(&c->nodes[0], "GET", NULL, "/livez"), 200);
	child_until(&c->nodes[0], "flood", "exited", 60000);
	r = expect_status(logs(&c->nodes[0], "flood", "stream=stderr"), 200);
	CHECK_STR(lines(r), "done");
	CHECK(json_number_at(r->json, "end") > MEGABYTES * 1000000LL, "not all of it was read");
	CHECK(json_number_at(r->json, "end") - json_number_at(r->json, "first") <= 2000000,
		"more is kept than may be");
	CHECK_INT(json_number_at(r->json, "dropped_bytes"), 0);
}

/* Bytes of all log files of a node. */
static long long logs_size(const struct node *n)
{
	FILE *f = popen(text_of("find '%s/logs' -name '*.log' -printf '%%s\\n' | "
				"awk '{s += $1} END {print s + 0}'",
				n->dir),
		"re");
	long long bytes = -1;

	CHECK(f && fscanf(f, "%lld", &bytes) == 1, "cannot look at %s", n->dir);
	pclose(f);
	return bytes;
}

/* One that prints so many bytes and ends. */
static void print_and_end(const struct node *at, const char *id, int bytes)
{
	child_put(at, id,
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"yes 0123456789012345678901234567890 | "
			"head -c %d\"],\"restart\":\"temporary\",\"logs\":{\"max_bytes\":100000,"
			"\"max_files\":100}}",
			bytes));
	child_until(at, id, "exited", 60000);
}

/* From the first to the end: what is kept of it. */
static long long kept(const struct node *at, const char *id)
{
	struct http_reply *r = expect_status(logs(at, id, "tail=0"), 200);

	return json_number_at(r->json, "end") - json_number_at(r->json, "first");
}

enum { TOTAL = 1 << 20, SLACK = 200000 };
static const char *const total_1_mib[] = {"--logs-total", "1MiB", NULL};

CLUSTER_TEST(logs, beyond_the_total_of_a_node_the_oldest_files_go_first)
{
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = total_1_mib});
	struct node *n = &c->nodes[0];
	struct http_reply *r;
	long long end, whole;

	child_start(
		n, "quiet", "{\"command\":[\"/bin/sh\",\"-c\",\"echo here; exec sleep 1000\"]}");
	until_lines(n, "quiet", "tail=1", "here");
	print_and_end(n, "old", 200000);
	print_and_end(n, "gone", 200000);
	expect_status(node_call(n, "DELETE", NULL, CHILDREN "/gone"), 204);
	end = json_number_at(logs(n, "old", "tail=0")->json, "end");
	CHECK_INT(kept(n, "old"), end);
	whole = logs_size(n);
	print_and_end(n, "new", 200000);
	CHECK(logs_size(n) > whole, "too early: there is room for this one");
	print_and_end(n, "newer", 450000);
	CHECK(logs_size(n) <= TOTAL, "%lld bytes are kept", logs_size(n));
	CHECK_INT(kept(n, "old"), 0);
	r = expect_problem(logs(n, "old", "after=0"), 416, "bad-range");
	CHECK_INT(json_number_at(r->json, "first"), end);
	CHECK_INT(json_number_at(r->json, "end"), end);
	CHECK_INT(kept(n, "newer"), json_number_at(logs(n, "newer", "tail=0")->json, "end"));
	CHECK(access(text_of("%s/logs/default/gone", n->dir), F_OK) != 0,
		"what was deleted is there still");
	until_lines(n, "quiet", "after=0", "here");
	expect_status(node_call(n, "POST", NULL, CHILDREN "/old/restart"), 200);
	http_until_int(node_url(n, CHILDREN "/old/logs?after=%lld&wait=5s", end), "items.0.offset",
		end, check_ms(CLUSTER_FAIL_MS));
}

CLUSTER_TEST(
	logs, who_floods_takes_no_more_than_the_total_and_a_smaller_one_holds_at_the_next_start)
{
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = total_1_mib});
	struct node *n = &c->nodes[0];
	struct http_reply *r;

	child_start(
		n, "quiet", "{\"command\":[\"/bin/sh\",\"-c\",\"echo here; exec sleep 1000\"]}");
	until_lines(n, "quiet", "tail=1", "here");
	child_put(n, "flood",
		"{\"command\":[\"/bin/sh\",\"-c\",\"yes 0123456789012345678901234567890 | head -c "
		"20M; echo done; exec sleep 1000\"]}");
	r = until_lines(n, "flood", "tail=1", "done");
	CHECK_INT(json_number_at(r->json, "dropped_bytes"), 0);
	CHECK(kept(n, "flood") > 0, "nothing of it is kept");
	CHECK(logs_size(n) <= TOTAL + SLACK, "%lld bytes are kept", logs_size(n));
	until_lines(n, "quiet", "after=0", "here");
	/* So that nobody prints anything after the next start. */
	child_delete(c, n, "quiet");
	child_delete(c, n, "flood");
	node_kill(n);
	file_write(text_of("%s/logs/default/flood/00000000000000ff.log", n->dir),
		text_of("%s", "much"), 4, 0600);
	CHECK(truncate(text_of("%s/logs/default/flood/00000000000000ff.log", n->dir), 2 * TOTAL) ==
			0,
		"cannot make it larger");
	node_start(n);
	cluster_settle(c);
	CHECK(logs_size(n) <= TOTAL + SLACK, "%lld bytes are kept", logs_size(n));
}

CLUSTER_TEST(logs, what_a_failure_said_last_is_known_at_every_node)
{
	static const char spec[] = "{\"command\":[\"/bin/sh\",\"-c\",\"echo fine; printf "
				   "'%05000d' 7 >&2; echo ' cannot go on' >&2; exit 3\"],"
				   "\"restart\":\"temporary\"}";
	struct cluster *c = cluster_start(3, NULL);

	child_put(&c->nodes[1], "web", spec);
	for (int i = 0; i < 3; i++) {
		struct http_reply *r = child_until(&c->nodes[i], "web", "exited", CLUSTER_SOON_MS);
		const char *tail = json_str(r->json, "status.last_exit.tail");

		CHECK_INT(strlen(tail), 4095); /* without its newline */
		CHECK_STR(tail + strlen(tail) - 14, "7 cannot go on");
	}
	child_put(&c->nodes[0], "fine",
		"{\"command\":[\"/bin/sh\",\"-c\",\"echo chatter >&2\"],\"restart\":"
		"\"temporary\"}");
	CHECK(!json_at(child_until(&c->nodes[0], "fine", "exited", CLUSTER_SOON_MS)->json,
		      "status.last_exit.tail"),
		"it did not fail");
}

CLUSTER_TEST(logs, each_wrong_parameter_is_named)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r;

	child_start(&c->nodes[0], "web", SLEEPER);
	r = expect_problem(
		logs(&c->nodes[0], "web", "stream=stdin&tail=1001&after=-1&limit=0&wait=2h&node="),
		400, "bad-query");
	CHECK_INT(json_array_size(json_at(r->json, "errors")), 6);
	expect_problem(logs(&c->nodes[0], "nobody", ""), 404, "child-not-found");
	r = expect_status(logs(&c->nodes[0], "web", ""), 200);
	CHECK_STR(lines(r), "");
	CHECK_INT(json_number_at(r->json, "end"), 0);
	expect_problem(logs(&c->nodes[0], "web", "after=1"), 416, "bad-range");
}

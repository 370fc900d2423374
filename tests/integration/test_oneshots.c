/* Many children at once: work that is done once, children that stay, and where they are. */
#include "tests/integration/suite.h"

SUITE(oneshots);

#define COUNT "/v1/supervisors/default/count"
#define BATCH CHILDREN "/batch?wait=0"

enum { JOBS = 1000, CROWD = 2000, SPREAD = 300, NODES = 3, LONG_MS = 30000 };

/* {"items":[{"id":"PREFIX-FROM","spec":SPEC}, ...]}; to be freed. */
static char *items(const char *prefix, int from, int count, const char *spec)
{
	size_t size = (size_t)count * (strlen(prefix) + strlen(spec) + 40) + 32, used;
	char *text = malloc(size);

	CHECK(text, "no memory");
	used = (size_t)snprintf(text, size, "{\"items\":[");
	for (int i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, size - used,
			"%s{\"id\":\"%s-%d\",\"spec\":%s}", i ? "," : "", prefix, from + i, spec);
	snprintf(text + used, size - used, "]}");
	return text;
}

/* PREFIX-0 and so on, a share through each node, all at the same time. */
static void submit(struct cluster *c, const char *prefix, int count, const char *spec)
{
	struct http_request requests[NODES] = {0};
	struct http_reply *replies[NODES];
	char *bodies[NODES];

	for (int i = 0; i < NODES; i++) {
		int from = count * i / NODES;

		bodies[i] = items(prefix, from, count * (i + 1) / NODES - from, spec);
		requests[i] = (struct http_request){
			.method = "POST", .url = node_url(&c->nodes[i], BATCH), .body = bodies[i]};
	}
	http_send_all(requests, replies, NODES);
	for (int i = 0; i < NODES; i++) {
		CHECK(replies[i]->status == 200 || replies[i]->status == 202, "gave %ld: %s%s",
			replies[i]->status, replies[i]->error, replies[i]->body);
		free(bodies[i]);
	}
}

static void until_all(struct cluster *c, const char *state, int count)
{
	for (int i = 0; i < c->count; i++)
		http_until_int(node_url(&c->nodes[i], COUNT), text_of("by_state.%s", state), count,
			check_ms(LONG_MS));
}

/* How often each job has written its line into the file. */
static void each_once(const char *path)
{
	int times[JOBS] = {0};
	char line[64];
	FILE *file = fopen(path, "re");
	int lines = 0, number;

	CHECK(file, "nothing ran");
	while (fgets(line, sizeof line, file)) {
		CHECK(sscanf(line, "job-%d", &number) == 1 && number >= 0 && number < JOBS,
			"a line is torn: %s", line);
		times[number]++;
		lines++;
	}
	fclose(file);
	for (int i = 0; i < JOBS; i++)
		CHECK(times[i] == 1, "job-%d ran %d times", i, times[i]);
	CHECK_INT(lines, JOBS);
}

CLUSTER_TEST(oneshots, s013_a_thousand_jobs_over_three_nodes_run_once_each)
{
	struct cluster *c = cluster_start(NODES, NULL);
	const char *done = text_of("%s/done", c->dir);
	const char *spec = text_of("{\"command\":[\"/bin/sh\",\"-c\",\"echo $HORDE_CHILD >>%s\"],"
				   "\"restart\":\"transient\"}",
		done);

	submit(c, "job", JOBS, spec);
	until_all(c, "exited", JOBS);
	each_once(done);
	/* Nor does anything run them again, now that nobody waits for a turn. */
	node_kill(&c->nodes[2]);
	node_start(&c->nodes[2]);
	cluster_settle(c);
	until_all(c, "exited", JOBS);
	each_once(done);
}

/* Each pid once, at every node, and so many processes. */
static void none_is_double(struct cluster *c, int count)
{
	static pid_t pids[PROCS_MAX];
	int total = procs_descendants(getpid(), pids, PROCS_MAX), found = 0;

	for (int i = 0; i < total; i++)
		found += strcmp(procs_command(pids[i]), "/bin/sleep 1000") == 0;
	CHECK_INT(found, count);
	for (int i = 0; i < c->count; i++)
		CHECK_INT(json_number_at(
				  expect_status(node_call(&c->nodes[i], "GET", NULL, COUNT), 200)
					  ->json,
				  "active"),
			count);
}

/* Clock ticks that a daemon has run for. */
static long ticks_of(const struct node *n)
{
	char path[64], text[1024] = "";
	unsigned long user = 0, system = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)n->pid);
	file = fopen(path, "re");
	CHECK(file && fgets(text, sizeof text, file), "no %s", path);
	fclose(file);
	CHECK(sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		      &user, &system) == 2,
		"%s", text);
	return (long)(user + system);
}

/* Within a second of quiet no daemon uses more than a tenth of a core. */
static void until_idle(struct cluster *c)
{
	int64_t end = check_now_ms() + check_ms(LONG_MS);
	long most = 0;

	do {
		long before[NODES];

		CHECK(check_now_ms() < end, "a daemon uses %ld ticks a second", most);
		for (int i = 0; i < c->count; i++)
			before[i] = ticks_of(&c->nodes[i]);
		check_pause_ms(1000);
		most = 0;
		for (int i = 0; i < c->count; i++) {
			long now = ticks_of(&c->nodes[i]) - before[i];

			most = now > most ? now : most;
		}
	} while (most > sysconf(_SC_CLK_TCK) / 10);
}

CLUSTER_TEST(oneshots, s014_two_thousand_run_at_once_none_twice_and_then_none)
{
	struct cluster *c = cluster_start(NODES, NULL);
	long before = procs_status_kb(c->nodes[0].pid, "VmRSS");

	submit(c, "web", CROWD, SLEEPER);
	children_until_active(c, CROWD, LONG_MS);
	children_until_processes("/bin/sleep 1000", CROWD, LONG_MS);
	until_idle(c);
	none_is_double(c, CROWD);
	expect_status(node_call(&c->nodes[1], "POST", "{\"items\":[],\"prune\":true}",
			      "/v1/supervisors/default/apply?wait=60s"),
		200);
	children_until_active(c, 0, LONG_MS);
	CHECK_INT(children_processes("/bin/sleep 1000"), 0);
	until_idle(c);
	/* What memory was for them does not all go back, but it is no more than they took. */
	CHECK(procs_status_kb(c->nodes[0].pid, "VmRSS") < before + CROWD * 20,
		"%ld kB, and %ld at first", procs_status_kb(c->nodes[0].pid, "VmRSS"), before);
}

static long long on(const struct http_reply *count, const struct node *n)
{
	long long there = json_number_at(count->json, text_of("by_node.%s", n->name));

	return there < 0 ? 0 : there;
}

CLUSTER_TEST(oneshots, s015_children_are_spread_evenly)
{
	struct cluster *c = cluster_start(NODES, NULL);
	struct http_reply *count;
	int used = 0;

	children_start(c, "ten", 10, SLEEPER);
	children_until_active(c, 10, LONG_MS);
	count = expect_status(node_call(&c->nodes[0], "GET", NULL, COUNT), 200);
	for (int i = 0; i < NODES; i++)
		used += on(count, &c->nodes[i]) > 0;
	CHECK(used > 1, "all on one node: %s", count->body);
	submit(c, "web", SPREAD - 10, SLEEPER);
	children_until_active(c, SPREAD, LONG_MS);
	count = expect_status(node_call(&c->nodes[0], "GET", NULL, COUNT), 200);
	for (int i = 0; i < NODES; i++)
		CHECK(on(count, &c->nodes[i]) >= 70 && on(count, &c->nodes[i]) <= 130,
			"%s has %lld", c->nodes[i].name, on(count, &c->nodes[i]));
}

/* None of them will ever be ready, so each takes its place until its time limit. */
CLUSTER_TEST(oneshots, a_node_starts_a_few_at_a_time_and_the_others_wait_for_their_turn)
{
	static const char *const few[] = {"--start-parallel", "2", NULL};
	struct cluster *c = cluster_start(1, &(struct cluster_options){.args = few});
	struct node *n = &c->nodes[0];
	char *spec = trace_spec(c, text_of("\"restart\":\"temporary\",\"ready\":{\"kind\":\"tcp\","
					   "\"port\":%d,\"timeout_ms\":%ld}",
					   cluster_free_port(), check_ms(2000)));
	struct http_reply *reply;
	char *body = items("slow", 0, 6, spec);

	reply = node_call(n, "POST", body, BATCH);
	CHECK(reply->status / 100 == 2, "gave %ld: %s", reply->status, reply->body);
	free(body);
	free(spec);
	trace_until_starts(c, NULL, NULL, 2, CLUSTER_SOON_MS);
	http_until_int(node_url(n, COUNT), "by_state.pending", 4, check_ms(500));
	trace_stays(c, 300);
	/* The first of those that wait is gone before its turn, and takes nobody's. */
	child_delete(c, n, "slow-2");
	until_all(c, "exited", 5);
	trace_until_starts(c, NULL, NULL, 5, CLUSTER_SOON_MS);
	CHECK_INT(trace_starts(c, "slow-2", NULL), 0);
}

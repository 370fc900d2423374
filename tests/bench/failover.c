/*
 * Children: from the first request until all have been started, and from the kill of a node until
 * all that it had have been started elsewhere. What counts is the line that each process writes
 * when it lives; the lock that it holds while it lives shows if two lives of one child overlap.
 */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START_CONNECTIONS = 16, ALL_MS = 30000 };

struct run {
	struct cluster *cluster;
	const char *trace;
	char *spec;
	int count;
	int overlaps;
	struct samples start, start_floor, failover, failover_floor, lost;
};

static size_t write_child(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	const char *spec = data;

	return (size_t)snprintf(out, size,
		"PUT " CHILDREN "/c-%u-%lu?wait=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		connection, number, strlen(spec), spec);
}

/* How many lines of the trace are of this kind, and of this node unless it is NULL. */
static int trace_lines(const struct run *r, const char *kind, const char *node)
{
	FILE *file = fopen(r->trace, "re");
	char line[512], is[16], where[160];
	int count = 0;

	while (file && fgets(line, sizeof line, file))
		count += sscanf(line, "%15s %*s %*s %159s", is, where) == 2 &&
			 strcmp(is, kind) == 0 && (!node || strcmp(where, node) == 0);
	if (file)
		fclose(file);
	return count;
}

static double start_all(struct run *r)
{
	struct load load = {.port = r->cluster->nodes[0].port,
		.connections = START_CONNECTIONS,
		.requests = (unsigned long)r->count,
		.write = write_child,
		.data = r->spec};
	int64_t start_ns = check_now_ns(), end_ns;
	struct load_run requests = load_begin(&load);
	struct load_result result;

	end_ns = lines_until_ns(r->trace, r->count);
	result = load_end(requests);
	CHECK(result.bad == 0, "%lu children were refused", result.bad);
	children_until_active(r->cluster, r->count, ALL_MS);
	return (double)(end_ns - start_ns) / 1e6;
}

/* Kills `node`; milliseconds until each of its children lives elsewhere. */
static double fail_over(struct run *r, struct node *node, int lost)
{
	int before = trace_lines(r, "start", NULL);
	int64_t start_ns = check_now_ns(), end_ns;

	node_kill(node);
	end_ns = lines_until_ns(r->trace, before + lost);
	children_until_active(r->cluster, r->count, ALL_MS);
	r->overlaps += trace_lines(r, "overlap", NULL);
	CHECK(trace_lines(r, "start", NULL) == before + lost, "%d starts for %d lost children",
		trace_lines(r, "start", NULL) - before, lost);
	return (double)(end_ns - start_ns) / 1e6;
}

static void delete_all(struct run *r)
{
	static struct http_request requests[HTTP_ALL_MAX];
	static struct http_reply *replies[HTTP_ALL_MAX];
	static char urls[HTTP_ALL_MAX][CHILD_URL_BYTES];
	struct http_reply *list = expect_success(
		node_call(&r->cluster->nodes[0], "GET", NULL, CHILDREN "?limit=1000"));
	json_t *items = json_at(list->json, "items");
	int count = (int)json_array_size(items);

	for (int i = 0; i < count; i++) {
		snprintf(urls[i], sizeof urls[i], "%s" CHILDREN "/%s", r->cluster->nodes[0].url,
			json_str(json_array_get(items, (size_t)i), "id"));
		requests[i] = (struct http_request){.method = "DELETE", .url = urls[i]};
	}
	http_send_all(requests, replies, count);
	children_until_active(r->cluster, 0, ALL_MS);
	http_forget_all();
	unlink(r->trace);
}

static void one_round(struct run *r, bool starts)
{
	struct node *node = &r->cluster->nodes[1];
	int lost;

	if (starts)
		sample_add(&r->start_floor, floor_spawn_ms(r->cluster, r->spec, r->count));
	sample_add(&r->start, start_all(r));
	lost = trace_lines(r, "start", node->name);
	CHECK(lost > 0, "no child was placed on %s", node->name);
	sample_add(&r->lost, lost);
	sample_add(&r->failover_floor, floor_spawn_ms(r->cluster, r->spec, lost));
	sample_add(&r->failover, fail_over(r, node, lost));
	node_start(node);
	cluster_settle(r->cluster);
	delete_all(r);
}

static void print(const struct run *r, bool starts)
{
	double spawn = sample_median(&r->failover_floor), took = sample_median(&r->failover);
	bool has_target = r->count == 100;

	if (starts)
		table_row(&(struct row){text_of("start of %d children", r->count), "ms",
			sample_median(&r->start), sample_median(&r->start_floor),
			sample_ratio(&r->start, &r->start_floor), NULL, NULL, false,
			"floor: posix_spawn of the same"});
	table_row(&(struct row){text_of("kill -9 until all %d children run", r->count), "ms", took,
		spawn, sample_ratio(&r->failover, &r->failover_floor),
		has_target ? "37 ms, no OS pids" : NULL,
		has_target ? "<= 2 x spawn of lost + 100 ms, 0 overlap" : NULL,
		took <= 2 * spawn + 100 && r->overlaps == 0,
		text_of("%.0f lost, overlaps: %d", sample_median(&r->lost), r->overlaps)});
}

void bench_children(struct cluster *cluster, int count, int rounds, bool starts)
{
	static struct run r;
	char trace[300];

	snprintf(trace, sizeof trace, "%s/trace", cluster->dir);
	r = (struct run){.cluster = cluster,
		.trace = trace,
		.spec = trace_spec(cluster, NULL),
		.count = count};
	for (int i = 0; i < rounds; i++)
		one_round(&r, starts);
	print(&r, starts);
	free(r.spec);
}

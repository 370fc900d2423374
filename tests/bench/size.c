/* What an idle daemon holds in memory, and what one key among many costs on the wire. */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"
#include "tests/lib/procs.h"

#include <stdio.h>
#include <string.h>

enum {
	IDLE_MS = 3000,
	KEYS = 10000,
	PUT_CONNECTIONS = 64,
	WRITES = 15,
	QUIET_MS = 40,
	CONVERGE_MS = 30000,
	GUARDIANS_MAX = 4
};

static double rss_mb(pid_t pid)
{
	FILE *file = fopen(text_of("/proc/%d/status", (int)pid), "re");
	char line[256];
	double kb = -1;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %lf kB", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb / 1024;
}

void bench_idle(struct cluster *cluster)
{
	struct samples daemons = {0}, guardians = {0};
	pid_t pids[GUARDIANS_MAX];

	check_pause_ms(IDLE_MS);
	for (int i = 0; i < cluster->count; i++) {
		sample_add(&daemons, rss_mb(cluster->nodes[i].pid));
		CHECK(procs_children(cluster->nodes[i].pid, pids, GUARDIANS_MAX) == 1,
			"a daemon has one child, its guardian");
		sample_add(&guardians, rss_mb(pids[0]));
	}
	table_row(&(struct row){"RSS of an idle node of three", "MB", sample_median(&daemons), -1,
		0, "<= 16 MB", sample_median(&daemons) <= 16,
		text_of("guardian %.1f MB", sample_median(&guardians))});
}

static size_t write_key(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	static const char body[] =
		"{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":{\"port\":8080}}";

	(void)data;
	return (size_t)snprintf(out, size,
		"PUT " ENTRIES "/wire-%u-%lu?ack=memory HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		connection, number, sizeof body - 1, body);
}

static long relayed(const struct cluster *cluster)
{
	long sum = 0;

	for (int i = 0; i < cluster->count; i++)
		sum += proxy_bytes(cluster->nodes[i].proxy);
	return sum;
}

/* Until nothing has passed for a moment: what a write sets off is then over. */
static long quiet(const struct cluster *cluster)
{
	long before, now = relayed(cluster);

	do {
		before = now;
		check_pause_ms(QUIET_MS);
		now = relayed(cluster);
	} while (now != before);
	return now;
}

/* A key and its value once, without anything around them. */
static double entry_bytes(const struct node *node, const char *path)
{
	struct http_reply *reply = expect_status(node_call(node, "GET", NULL, "%s", path), 200);

	return (double)reply->body_size;
}

void bench_wire(void)
{
	struct cluster *cluster = cluster_start(2, &(struct cluster_options){.proxied = true});
	const struct node *a = &cluster->nodes[0], *b = &cluster->nodes[1];
	struct load load = {.port = a->port,
		.connections = PUT_CONNECTIONS,
		.requests = KEYS,
		.write = write_key};
	struct samples bytes = {0};
	double entry;

	load_rate(&load);
	http_until_int(
		node_url(b, "/v1/registries/default/count"), "count", KEYS, check_ms(CONVERGE_MS));
	for (int i = 0; i < WRITES; i++) {
		const char *path = text_of(ENTRIES "/one-%d", i);
		long before = quiet(cluster);

		expect_success(node_call(a, "PUT",
			"{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":{\"port\":80}"
			"}",
			"%s", path));
		http_until_status(node_url(b, "%s", path), 200, check_ms(CLUSTER_SOON_MS));
		sample_add(&bytes, (double)(quiet(cluster) - before));
	}
	entry = entry_bytes(a, ENTRIES "/one-0");
	table_row(&(struct row){"wire between 2 nodes, 1 key among 10 000", "B",
		sample_median(&bytes), entry, sample_median(&bytes) / entry, NULL, false,
		"both ways, HTTP heads too; floor: the entry as JSON"});
	cluster_stop(cluster);
}

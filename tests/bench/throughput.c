/* Requests a second at one daemon: reading a key, and writing keys that are on disk when it says
 * so. */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	ROUNDS = 21,
	ROUND_MS = 350,
	GET_CONNECTIONS = 16,
	PUT_CONNECTIONS = 64,
	KEYS_OF_CONNECTION = 16,
	HEADERS_BYTES = 4096
};

#define VALUE                                                                                      \
	"{\"host\":\"10.0.0.17\",\"port\":8080,\"zone\":\"eu-1\",\"weight\":%lu,"                  \
	"\"tags\":[\"web\",\"blue\",\"canary\"]}"
#define GET_KEY ENTRIES "/bench-get"

static size_t write_get(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	(void)data;
	(void)connection;
	(void)number;
	return (size_t)snprintf(out, size, "GET " GET_KEY " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
}

/* Each connection writes its own keys over and over, always with another value. */
static size_t write_put(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	const unsigned long *round = data;
	char body[512];
	int bytes = snprintf(body, sizeof body,
		"{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":" VALUE "}",
		*round * 10000000 + number);

	return (size_t)snprintf(out, size,
		"PUT " ENTRIES "/bench-put-%u-%lu HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		connection, number / PUT_CONNECTIONS % KEYS_OF_CONNECTION, bytes, body);
}

/* The headers that the bare server has to send too; it makes the others by itself. */
static void same_headers(const struct http_reply *reply, char *out, size_t size)
{
	static const char *const own[] = {"HTTP/", "Date:", "Connection:", "Content-Length:"};
	size_t used = 0;

	out[0] = '\0';
	for (const char *line = reply->head; *line;
		line += strcspn(line, "\n"), line += *line == '\n') {
		int length = (int)strcspn(line, "\r\n");
		bool skip = length == 0;

		for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
			skip = skip || strncasecmp(line, own[i], strlen(own[i])) == 0;
		if (!skip)
			used += (size_t)snprintf(out + used, size - used, "%.*s\r\n", length, line);
	}
}

static void bench_get(const struct node *node)
{
	struct http_reply *reply;
	char headers[HEADERS_BYTES];
	struct samples ours = {0}, base = {0};
	struct load load = {.connections = GET_CONNECTIONS, .ms = ROUND_MS, .write = write_get};
	struct floor_http bare;
	double ratio;

	expect_success(node_call(node, "PUT",
		text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":" VALUE "}",
			1ul),
		GET_KEY));
	reply = expect_status(node_call(node, "GET", NULL, GET_KEY), 200);
	same_headers(reply, headers, sizeof headers);
	bare = floor_http_start(reply->body, headers);
	for (int i = 0; i < ROUNDS; i++) {
		load.port = node->port;
		sample_add(&ours, load_rate(&load));
		load.port = bare.port;
		sample_add(&base, load_rate(&load));
	}
	raw_end(bare.pid);
	ratio = sample_ratio(&ours, &base);
	table_row(&(struct row){"GET of a key, 16 connections", "/s", sample_median(&ours),
		sample_median(&base), ratio, "5-14 k/s", ">= 0.6 of bare libmicrohttpd",
		ratio >= 0.6, NULL});
}

static void bench_put(const struct cluster *cluster, const struct node *node)
{
	struct samples ours = {0}, base = {0};
	unsigned long round = 1;
	struct load load = {.port = node->port,
		.connections = PUT_CONNECTIONS,
		.ms = ROUND_MS,
		.write = write_put,
		.data = &round};
	double rate, ratio;

	for (; round <= ROUNDS; round++) {
		sample_add(&ours, load_rate(&load));
		sample_add(&base, floor_store_rate(cluster->dir, PUT_CONNECTIONS, ROUND_MS));
	}
	rate = sample_median(&ours);
	ratio = sample_ratio(&ours, &base);
	table_row(&(struct row){"durable PUT of keys, 64 connections", "/s", rate,
		sample_median(&base), ratio, "19 k/s in memory", ">= 0.3 of group commit, > 3000/s",
		ratio >= 0.3 && rate > 3000, NULL});
	floor_store_end();
}

void bench_throughput(bool get, bool put)
{
	struct cluster *cluster = cluster_start(1, NULL);

	if (get)
		bench_get(&cluster->nodes[0]);
	if (put)
		bench_put(cluster, &cluster->nodes[0]);
	cluster_stop(cluster);
}

/* Requests a second at one daemon: reading a key, and writing keys that are on disk when it says
 * so. */
#include "tests/bench/bench.h"
#include "tests/bench/names.h"

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

static size_t write_list(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	(void)data;
	(void)connection;
	(void)number;
	return (size_t)snprintf(
		out, size, "GET " ENTRIES "?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
}

struct reading {
	const char *name;
	const char *path;
	size_t (*write)(const void *data, unsigned connection, unsigned long number, char *out,
		size_t size);
	const char *peer;
	const char *goal;
	double ratio; /* at least this part of the bare server, */
	double rate;  /* or so many a second */
};

/* The same request to the daemon and to a bare server that answers the same bytes, in turns. */
static void bench_read(const struct node *node, const struct reading *r)
{
	struct http_reply *reply = expect_status(node_call(node, "GET", NULL, "%s", r->path), 200);
	char headers[HEADERS_BYTES];
	struct samples ours = {0}, base = {0};
	struct load load = {.connections = GET_CONNECTIONS, .ms = ROUND_MS, .write = r->write};
	struct floor_http bare;
	double ratio, rate;

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
	rate = sample_median(&ours);
	table_row(&(struct row){r->name, "/s", rate, sample_median(&base), ratio, r->peer, r->goal,
		ratio >= r->ratio && rate >= r->rate, NULL});
}

static void put_get_key(const struct node *node)
{
	expect_success(node_call(node, "PUT",
		text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":" VALUE "}",
			1ul),
		GET_KEY));
}

static void bench_get(const struct node *node, const char *name)
{
	const struct reading get = {
		name, GET_KEY, write_get, "5-14 k/s", ">= 0.7 of bare libmicrohttpd", 0.7, 0};

	put_get_key(node);
	bench_read(node, &get);
}

static void bench_list(const struct node *node)
{
	const struct reading list = {"list of 1000 entries, 16 connections", ENTRIES "?limit=1000",
		write_list, "", "> 300/s", 0, 300};

	bench_read(node, &list);
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
		sample_median(&base), ratio, "19 k/s in memory", ">= 0.4 of group commit, > 5900/s",
		ratio >= 0.4 && rate > 5900, NULL});
	floor_store_end();
}

void bench_throughput(bool get, bool put, bool list, bool get1m)
{
	struct cluster *cluster = cluster_start(1, NULL);
	const struct node *node = &cluster->nodes[0];

	if (get || list)
		names_fill(node, 0, 1000, 0);
	if (get)
		bench_get(node, "GET of a key among 1000, 16 connections");
	if (list)
		bench_list(node);
	if (put)
		bench_put(cluster, node);
	if (get1m) {
		names_fill(node, 1000, 999000, 0);
		bench_get(node, "the same among a million");
	}
	cluster_stop(cluster);
}

/*
 * From the first byte of a write at one node to the last byte of the answer to a read that is
 * parked at another. One process sends the one and reads the other, so it is one clock.
 */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	ROUNDS = 40,
	ROUND_WRITES = 25,
	PARK_US = 3000,
	BYTES = 16384,
	LOAD_RATE = 2000, /* writes a second over all nodes */
	LOAD_CONNECTIONS = 16,
	LOAD_KEYS = 2000,
	LOAD_MS = 10000,
	LOAD_WARM_MS = 500,
	P99_MS_MAX = 20
};

#define KEY ENTRIES "/bench-visible"

static int say(int fd, const char *method, const char *path, const char *body)
{
	char request[2048];
	int bytes = snprintf(request, sizeof request,
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		method, path, strlen(body), body);

	raw_send(fd, request, (size_t)bytes);
	return bytes;
}

static const char *body_of(unsigned long number)
{
	return text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":%lu}", number);
}

static void read_etag(const char *response, char ret_etag[64])
{
	const char *line = strcasestr(response, "\netag: \"");

	CHECK(line && sscanf(line + 8, "%63[^\"]", ret_etag) == 1, "no ETag in %s", response);
}

/* Parks a read of `path`, gives it the time to be parked, writes; milliseconds until it answers. */
static double one(int writer, int reader, const char *path, const char *method, const char *at,
	const char *body, char *response)
{
	char ignored[BYTES];
	int64_t start_ns, end_ns;
	int status;

	say(reader, "GET", path, "");
	usleep(PARK_US);
	start_ns = check_now_ns();
	say(writer, method, at, body);
	status = raw_read(reader, response, BYTES);
	end_ns = check_now_ns();
	CHECK_INT(status, 200);
	CHECK_INT(raw_read(writer, ignored, sizeof ignored) / 100, 2);
	return (double)(end_ns - start_ns) / 1e6;
}

struct visible {
	struct floor_http bare, first, relays[2]; /* one for each other node */
	int a, b;           /* the writer at one node, the reader at another */
	int to, from;       /* the same at the bare server */
	int before, beyond; /* the same at the server before the relays, and at one of them */
	char etag[64];
	unsigned long number;
	struct samples ours, hop, hops;
};

static void open_visible(struct visible *v, const struct node *a, const struct node *b)
{
	expect_success(node_call(a, "PUT", body_of(0), KEY));
	http_until_status(node_url(b, KEY), 200, check_ms(CLUSTER_SOON_MS));
	memset(v, 0, sizeof *v);
	v->bare = floor_http_start("{}", "Content-Type: application/json\r\n");
	v->first = floor_http_start("{}", "Content-Type: application/json\r\n");
	for (int i = 0; i < 2; i++)
		v->relays[i] = floor_relay_start(v->first.port);
	v->a = raw_connect(a->port);
	v->b = raw_connect(b->port);
	v->to = raw_connect(v->bare.port);
	v->from = raw_connect(v->bare.port);
	v->before = raw_connect(v->first.port);
	v->beyond = raw_connect(v->relays[0].port);
	snprintf(v->etag, sizeof v->etag, "%s",
		json_str(node_call(b, "GET", NULL, KEY)->json, "etag"));
	http_forget_all();
}

static void close_visible(struct visible *v)
{
	close(v->a);
	close(v->b);
	close(v->to);
	close(v->from);
	close(v->before);
	close(v->beyond);
	for (int i = 0; i < 2; i++)
		raw_end(v->relays[i].pid);
	raw_end(v->first.pid);
	raw_end(v->bare.pid);
}

static void round_of(struct visible *v)
{
	char response[BYTES];

	for (int i = 0; i < ROUND_WRITES; i++) {
		sample_add(
			&v->ours, one(v->a, v->b, text_of(KEY "?since=%s&wait=30s", v->etag), "PUT",
					  KEY "?ack=memory", body_of(++v->number), response));
		read_etag(response, v->etag);
	}
	for (int i = 0; i < ROUND_WRITES; i++)
		sample_add(&v->hop, one(v->to, v->from, "/wait", "POST", "/put",
					    body_of(++v->number), response));
	for (int i = 0; i < ROUND_WRITES; i++)
		sample_add(&v->hops, one(v->before, v->beyond, "/wait", "POST", "/put",
					     body_of(++v->number), response));
}

/* It is two hops: from A to B, and from B to its reader. */
static void two_hops_row(const struct visible *v, double share)
{
	double ours = sample_quantile(&v->ours, share), hops = sample_quantile(&v->hops, share);

	table_row(&(struct row){text_of("the same beside two bare hops, p%.0f", share * 100), "ms",
		ours, hops, ours / hops, NULL, NULL, false,
		"POST at a bare server, libcurl's poll of it, a read parked there"});
}

void bench_visible(struct cluster *cluster)
{
	static struct visible v;
	double p50, p99, hop50, hop99;

	open_visible(&v, &cluster->nodes[0], &cluster->nodes[1]);
	for (int i = 0; i < ROUNDS; i++)
		round_of(&v);
	close_visible(&v);
	p50 = sample_median(&v.ours);
	p99 = sample_quantile(&v.ours, 0.99);
	hop50 = sample_median(&v.hop);
	hop99 = sample_quantile(&v.hop, 0.99);
	table_row(&(struct row){"write at A until visible at B, p50", "ms", p50, hop50, p50 / hop50,
		"143 ms", "<= 1.5 x the bare long poll", p50 <= 1.5 * hop50, "ack=memory"});
	table_row(&(struct row){"write at A until visible at B, p99", "ms", p99, hop99, p99 / hop99,
		"299 ms", "<= 1.5 x the bare long poll", p99 <= 1.5 * hop99,
		text_of("of %d writes", v.ours.count)});
	two_hops_row(&v, 0.5);
	two_hops_row(&v, 0.99);
}

/* ---- the same while others write ---- */

static size_t write_other(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	const struct node *node = data;
	const char *body = body_of(number);

	(void)connection;
	return (size_t)snprintf(out, size,
		"PUT " ENTRIES "/load-%s-%lu HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		node->name, number % LOAD_KEYS, strlen(body), body);
}

/* Writes a second that were answered, all nodes together. */
static double measure_under_load(struct visible *v, const struct cluster *cluster)
{
	struct load_run runs[CLUSTER_NODES_MAX];
	int64_t end_ms = check_now_ms() + LOAD_MS - LOAD_WARM_MS;
	double rate = 0;

	for (int i = 0; i < cluster->count; i++)
		runs[i] = load_begin(&(struct load){.port = cluster->nodes[i].port,
			.connections = LOAD_CONNECTIONS,
			.ms = LOAD_MS,
			.rate = LOAD_RATE / (unsigned)cluster->count,
			.write = write_other,
			.data = &cluster->nodes[i]});
	check_pause_ms(LOAD_WARM_MS);
	while (check_now_ms() < end_ms && v->ours.count + ROUND_WRITES <= SAMPLES_MAX)
		round_of(v);
	for (int i = 0; i < cluster->count; i++) {
		struct load_result result = load_end(runs[i]);

		CHECK(result.bad == 0, "%lu writes were refused", result.bad);
		rate += (double)result.good / result.seconds;
	}
	return rate;
}

void bench_visible_under_load(struct cluster *cluster)
{
	static struct visible v;
	double rate, p99, hop99;

	open_visible(&v, &cluster->nodes[0], &cluster->nodes[1]);
	rate = measure_under_load(&v, cluster);
	close_visible(&v);
	p99 = sample_quantile(&v.ours, 0.99);
	hop99 = sample_quantile(&v.hop, 0.99);
	table_row(&(struct row){"visible at B while 2000 writes/s go on, p99", "ms", p99, hop99,
		p99 / hop99, NULL, "p99 <= 20 ms at 2000 writes/s",
		p99 <= P99_MS_MAX && rate > 0.95 * LOAD_RATE,
		text_of("p50 %.2f ms, of %d writes; %.0f writes/s were answered",
			sample_median(&v.ours), v.ours.count, rate)});
}

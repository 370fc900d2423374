/*
 * Five thousand reads that are parked at one node: on a key each, of which one is written, and on
 * one key. From the first byte of the write to the last byte of the last answer, on one clock.
 */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/crowd.h"
#include "tests/lib/expect.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	WATCHERS = 5000,
	WRITES = 400,
	HERDS = 7,
	PARK_ALL_MS = 1500, /* so many requests have arrived and are parked by then */
	PARK_ONE_US = 3000,
	PATIENCE_MS = 20000,
	BYTES = 16384,
	WAKE_P99_MS_MAX = 5,
	HERD_MS_MAX = 500
};

/* Where they are parked: a daemon, or the bare server. */
struct place {
	int writer;
	struct crowd *crowd;
	char etags[WATCHERS][40]; /* the daemon's; "" at the bare one */
	unsigned long number;
};

static void write_at(struct place *p, const char *method, const char *path)
{
	char request[1024], body[128], response[BYTES];
	int bytes = snprintf(body, sizeof body,
		"{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":%lu}", ++p->number);

	bytes = snprintf(request, sizeof request,
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
		"Content-Length: %d\r\n\r\n%s",
		method, path, bytes, body);
	raw_send(p->writer, request, (size_t)bytes);
	CHECK_INT(raw_read(p->writer, response, sizeof response) / 100, 2);
}

/* Key `index`; of the bare server when `ours` is false. */
static void write_key(struct place *p, bool ours, int index)
{
	if (ours)
		write_at(p, "PUT", text_of(ENTRIES "/bench-watch-%d?ack=memory", index));
	else
		write_at(p, "POST", text_of("/put/%d", index));
}

static void park(struct place *p, bool ours, int index, int key)
{
	if (ours)
		crowd_get(p->crowd, index,
			text_of(ENTRIES "/bench-watch-%d?since=%s&wait=10m", key, p->etags[index]));
	else
		crowd_get(p->crowd, index, text_of("/wait/%d", key));
}

/* The version that its last answer has. */
static void note_etag(struct place *p, int index)
{
	const char *line = strcasestr(crowd_answer(p->crowd, index), "\netag: \"");

	CHECK_INT(crowd_status(p->crowd, index), 200);
	if (line)
		CHECK(sscanf(line + 8, "%39[^\"]", p->etags[index]) == 1, "no ETag");
}

static void open_place(struct place *p, int port)
{
	memset(p, 0, sizeof *p);
	p->writer = raw_connect(port);
	p->crowd = crowd_open(port, WATCHERS);
}

static void close_place(struct place *p)
{
	close(p->writer);
	crowd_close(p->crowd);
}

/* ---- a key each ---- */

static void park_each(struct place *p, bool ours)
{
	for (int i = 0; ours && i < WATCHERS; i++) {
		write_key(p, true, i);
		crowd_get(p->crowd, i, text_of(ENTRIES "/bench-watch-%d", i));
	}
	if (ours)
		CHECK_INT(crowd_collect(p->crowd, WATCHERS, PATIENCE_MS), WATCHERS);
	for (int i = 0; i < WATCHERS; i++) {
		if (ours)
			note_etag(p, i);
		park(p, ours, i, i);
	}
	CHECK_INT(crowd_collect(p->crowd, 1, PARK_ALL_MS), 0);
}

static void wake_one(struct place *p, bool ours, int index, struct samples *s)
{
	int64_t start_ns = check_now_ns();

	write_key(p, ours, index);
	CHECK_INT(crowd_collect(p->crowd, 1, PATIENCE_MS), 1);
	sample_add(s, (double)(crowd_last_ns(p->crowd) - start_ns) / 1e6);
	note_etag(p, index);
	park(p, ours, index, index);
	usleep(PARK_ONE_US);
}

static void each_rows(struct place *ours, struct place *bare)
{
	static struct samples our, floor;
	double p50, p99;

	park_each(ours, true);
	park_each(bare, false);
	for (int i = 0; i < WRITES; i++) {
		wake_one(ours, true, i * 37 % WATCHERS, &our);
		wake_one(bare, false, i * 37 % WATCHERS, &floor);
	}
	CHECK_INT(crowd_collect(ours->crowd, 1, PARK_ALL_MS), 0);
	p50 = sample_median(&our);
	p99 = sample_quantile(&our, 0.99);
	table_row(&(struct row){"5000 wait for a key each, one written, p50", "ms", p50,
		sample_median(&floor), p50 / sample_median(&floor), NULL, NULL, false,
		text_of("of %d writes; no other one was answered", WRITES)});
	table_row(&(struct row){"the same, p99", "ms", p99, sample_quantile(&floor, 0.99),
		p99 / sample_quantile(&floor, 0.99), NULL, "< 5 ms", p99 < WAKE_P99_MS_MAX,
		"etcd watch 2-7 ms"});
}

/* ---- one key ---- */

static double herd(struct place *p, bool ours)
{
	int64_t start_ns;

	for (int i = 0; i < WATCHERS; i++)
		park(p, ours, i, 0);
	CHECK_INT(crowd_collect(p->crowd, 1, PARK_ALL_MS), 0);
	start_ns = check_now_ns();
	write_key(p, ours, 0);
	CHECK_INT(crowd_collect(p->crowd, WATCHERS, PATIENCE_MS), WATCHERS);
	for (int i = 0; i < WATCHERS; i++)
		note_etag(p, i);
	return (double)(crowd_last_ns(p->crowd) - start_ns) / 1e6;
}

static void herd_rows(struct place *ours, struct place *bare)
{
	static struct samples our, floor;
	double most;

	crowd_get(ours->crowd, 0, ENTRIES "/bench-watch-0");
	CHECK_INT(crowd_collect(ours->crowd, 1, PATIENCE_MS), 1);
	note_etag(ours, 0);
	for (int i = 1; i < WATCHERS; i++)
		strcpy(ours->etags[i], ours->etags[0]);
	for (int i = 0; i < HERDS; i++) {
		sample_add(&our, herd(ours, true));
		sample_add(&floor, herd(bare, false));
	}
	most = sample_quantile(&our, 1);
	table_row(&(struct row){"5000 wait for one key, until the last has it", "ms",
		sample_median(&our), sample_median(&floor), sample_ratio(&our, &floor), NULL,
		"<= 500 ms", most <= HERD_MS_MAX, text_of("%.0f ms at most, of %d", most, HERDS)});
}

/* A bare server does not notice that its clients have gone, so each has a new one. */
static void measure(const struct node *node, void (*rows)(struct place *ours, struct place *bare))
{
	static struct place ours, bare;
	struct floor_http floor = floor_http_start("{}", "Content-Type: application/json\r\n");

	open_place(&ours, node->port);
	open_place(&bare, floor.port);
	rows(&ours, &bare);
	close_place(&ours);
	close_place(&bare);
	raw_end(floor.pid);
}

void bench_watch(void)
{
	struct cluster *cluster = cluster_start(1, NULL);
	const struct node *node = &cluster->nodes[0];

	expect_success(node_call(node, "PUT",
		"{\"owner\":{\"kind\":\"static\",\"id\":\"bench\"},\"value\":0}",
		ENTRIES "/bench-watch-0"));
	measure(node, each_rows);
	measure(node, herd_rows);
	cluster_stop(cluster);
}

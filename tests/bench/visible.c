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

enum { ROUNDS = 10, ROUND_WRITES = 15, PARK_US = 3000, BYTES = 16384 };

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
	int a, b;     /* the writer at one node, the reader at another */
	int to, from; /* the same at the bare server */
	char etag[64];
	unsigned long number;
	struct samples ours, hop, commit;
};

static void round_of(struct visible *v, const char *directory)
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
		sample_add(&v->commit, floor_store_commit_ms(directory));
}

void bench_visible(struct cluster *cluster)
{
	const struct node *a = &cluster->nodes[0], *b = &cluster->nodes[1];
	static struct visible v;
	struct floor_http bare = floor_http_start("{}", "Content-Type: application/json\r\n");
	double hop, commit;

	expect_success(node_call(a, "PUT", body_of(0), KEY));
	http_until_status(node_url(b, KEY), 200, check_ms(CLUSTER_SOON_MS));
	v = (struct visible){.a = raw_connect(a->port),
		.b = raw_connect(b->port),
		.to = raw_connect(bare.port),
		.from = raw_connect(bare.port)};
	snprintf(v.etag, sizeof v.etag, "%s",
		json_str(node_call(b, "GET", NULL, KEY)->json, "etag"));
	for (int i = 0; i < ROUNDS; i++)
		round_of(&v, cluster->dir);
	hop = sample_median(&v.hop);
	commit = sample_median(&v.commit);
	table_row(&(struct row){"write at A until visible at B", "ms", sample_median(&v.ours), hop,
		sample_median(&v.ours) / hop, "<= 3 x (bare hop + one commit)",
		sample_median(&v.ours) <= 3 * (hop + commit),
		text_of("one commit %.2f ms, so at most %.2f ms", commit, 3 * (hop + commit))});
	close(v.a);
	close(v.b);
	close(v.to);
	close(v.from);
	raw_end(bare.pid);
	floor_store_end();
}

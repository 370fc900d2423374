/*
 * The bench: what Horde takes, each row beside its floor, measured in the same run in turns.
 *
 * A floor is the least that the same machine, libraries and file system take for the same work
 * without Horde. Nothing here asserts a time: a row says `met` or `missed`. Only a measurement
 * that could not be made ends the run with a failure (check.h).
 */
#ifndef HORDE_BENCH_H
#define HORDE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/lib/cluster.h"

/* ---- table.c: medians and rows ---- */

enum { SAMPLES_MAX = 4096 };

struct samples {
	double items[SAMPLES_MAX];
	int count;
};

void sample_add(struct samples *s, double value);
double sample_median(const struct samples *s);
/* The least sample that `share` (0.99) of all samples do not exceed. */
double sample_quantile(const struct samples *s, double share);
/* The median of a[i] / b[i]: pairs were measured side by side, so it is steadier than a ratio of
 * medians when the machine is not alone. */
double sample_ratio(const struct samples *a, const struct samples *b);

struct row {
	const char *name;
	const char *unit;
	double ours;
	double floor;
	double ratio;       /* 0: there is none */
	const char *horde;  /* what Elixir's Horde takes, measured elsewhere; NULL: unknown */
	const char *target; /* as text; NULL: the row has none */
	bool met;
	const char *remark; /* NULL: none */
};

/* The machine, the versions, and the head of the table. */
void table_head(void);
void table_row(const struct row *row);

/* ---- raw.c: plain sockets ---- */

/* A TCP connection to a loopback port, without Nagle's delay. */
int raw_connect(int port);
/* A listening socket on a free loopback port. */
int raw_listen(int *ret_port);
void raw_send(int fd, const char *bytes, size_t count);
/* How long the HTTP response at the start of `bytes` is, head and body; 0 when it is not whole. */
size_t raw_response(const char *bytes, size_t count, int *ret_status);
/* Reads one whole response and ends it with a NUL; returns its status. */
int raw_read(int fd, char *out, size_t size);
/* The next free fork: it dies with the bench. Returns 0 in the child. */
pid_t raw_fork(void);
/* Kills and reaps what raw_fork made. */
void raw_end(pid_t pid);

/* ---- load.c: a load generator in a process of its own ---- */

struct load {
	int port;
	unsigned connections;
	unsigned long requests; /* how many in all; 0: as many as go in `ms` */
	long ms;
	/*
	 * 0: a closed loop, each connection sends when it has its answer. Else an open loop: so
	 * many requests a second are due for `ms`, whether the earlier ones were answered or not;
	 * one that finds no free connection is late, never left out before the end of the time.
	 */
	unsigned rate;
	/* Writes request `number` (counted over all connections); returns its length. */
	size_t (*write)(const void *data, unsigned connection, unsigned long number, char *out,
		size_t size);
	const void *data;
};

struct load_result {
	unsigned long good; /* 2xx */
	unsigned long bad;
	double seconds;
};

struct load_run {
	pid_t pid;
	int fd;
};

struct load_run load_begin(const struct load *load);
struct load_result load_end(struct load_run run);
/* Begins, waits, fails when there was anything but 2xx; returns requests a second. */
double load_rate(const struct load *load);

/* ---- floors ---- */

/* A libmicrohttpd server in a process of its own; raw_end() ends it. */
struct floor_http {
	pid_t pid;
	int port;
};

/*
 * Answers every GET with this body and these headers ("Name: value" lines, each ended by \r\n),
 * in a response built for the request. GET /wait is parked until the next POST, and then gets the
 * body of that; GET /wait/7 until the next POST whose path ends in /7.
 */
struct floor_http floor_http_start(const char *body, const char *headers);
/* The same, without headers, whose parked reads get what GET /wait at `from_port` got. */
struct floor_http floor_relay_start(int from_port);

/* Group commits of the real schema in a file of its own, for `ms`; rows a second. */
double floor_store_rate(const char *directory, unsigned batch, long ms);
void floor_store_end(void);

/* Spawns `count` processes of the spec's command and waits until each has written its start line;
 * milliseconds. They are gone on return. */
double floor_spawn_ms(const struct cluster *cluster, const char *spec, int count);

/* Reads all entries of the daemon's file in one pass, and then passes `bytes` over a loopback
 * connection until all have come; milliseconds. */
double floor_join_ms(const char *directory, long bytes);

/* ---- the rows ---- */

void bench_throughput(bool get, bool put, bool list, bool get1m);
void bench_visible(struct cluster *cluster);
void bench_visible_under_load(struct cluster *cluster);
void bench_watch(void);
void bench_idle(struct cluster *cluster);
void bench_children(struct cluster *cluster, int count, int rounds, bool starts);
void bench_restart(struct cluster *cluster);
void bench_starts(struct cluster *cluster);
void bench_many(void);
void bench_wire(void);
void bench_pair(long seconds);
/* A join of so many names; from 100 k on also what a name takes in memory, what an update takes
 * beside one among a thousand, and below a million what coming back after some changes takes. */
void bench_join(unsigned long names);
void bench_seeds(void);

/* Waits until a file has this many lines more than before `offset`; when that was seen. */
int64_t lines_until_ns(const char *path, int count);

#endif

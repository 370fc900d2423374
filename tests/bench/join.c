/*
 * A node that comes to many names: a new one, and one that was away for some changes. With them
 * what a name takes in memory, and what an update takes among many.
 */
#include "tests/bench/bench.h"

#include "tests/bench/cost.h"
#include "tests/bench/names.h"
#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <string.h>

enum {
	FEW = 1000, /* names, for comparison; and changes while a node is away */
	UPDATE_RATE = 1000,
	UPDATE_MS = 5000,
	JOIN_MS = 120000,
	LEAVE_MS = 10000,
	REJOINS = 5,
	NAME_BYTES_MAX = 250,
	WIRE_MB_MAX = 6 /* of 100 k names */
};

struct join_size {
	unsigned long names;
	const char *text;
	int rounds;
	double ms_max;
	const char *target, *horde;
	bool more; /* memory and the cost of updates too */
};

static const struct join_size sizes[] = {
	{10000, "10k", 5, 100, "<= 0.1 s", "0.49 s, 3.0 MB", false},
	{100000, "100k", 3, 1000, "<= 1 s, <= 6 MB", "5.4 s, 57 MB", true},
	{1000000, "1M", 1, 12000, "<= 12 s", NULL, true},
};

static const struct join_size *size_of(unsigned long names)
{
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		if (sizes[i].names == names)
			return &sizes[i];
	CHECK(false, "no join of %lu names", names);
}

static struct node *newcomer(struct cluster *cluster)
{
	return cluster_declare(cluster, &cluster->nodes[0],
		(const char *const[]){"--on-terminate", "leave", NULL});
}

static void leave(struct node *node)
{
	CHECK_INT(node_term(node, LEAVE_MS), 0);
}

/* Of both nodes, for each update of one; microseconds. */
static double update_us(const struct cluster *cluster, const struct node *b, unsigned long names)
{
	const struct node *a = &cluster->nodes[0];
	double before;
	unsigned long count;

	cost_quiet(cluster);
	before = cost_cpu_ms(a) + cost_cpu_ms(b);
	count = names_update(a, names, UPDATE_RATE, UPDATE_MS);
	cost_quiet(cluster);
	return (cost_cpu_ms(a) + cost_cpu_ms(b) - before) * 1000 / (double)count;
}

/* What it takes to have names: memory where they were written and on a replica, and an update. */
struct taken {
	unsigned long names;
	double writer, replica; /* bytes */
	double us;
};

/*
 * Memory is looked at when all that came is stored; a write that waits for the disk says so. Its
 * name is not a new one.
 */
static struct taken take(const struct cluster *cluster, const struct node *b, unsigned long names)
{
	struct taken t = {.names = names};

	expect_success(node_call(b, "PUT", name_body(0, 2), "%s?ack=disk", name_path(0)));
	t.writer = cost_rss(cluster->nodes[0].pid);
	t.replica = cost_rss(b->pid);
	t.us = update_us(cluster, b, names);
	return t;
}

/* With few names, before there are many; the second node is gone again on return. */
static struct taken take_of_few(struct cluster *cluster)
{
	struct node *b = newcomer(cluster);
	struct taken t;

	names_fill(&cluster->nodes[0], 0, FEW, 0);
	node_start(b);
	node_wait_listening(b);
	names_until_ns(b, FEW - 1, 0, FEW, JOIN_MS);
	t = take(cluster, b, FEW);
	leave(b);
	return t;
}

/* ---- a new node ---- */

struct joins {
	struct samples ms, floor_ms, mb;
	struct node *last; /* it runs */
};

static void join_once(struct cluster *cluster, const struct join_size *size, struct joins *j)
{
	struct node *b = newcomer(cluster);
	struct cost_traffic before = cost_quiet(cluster), t;
	int64_t start_ns = check_now_ns();

	node_start(b);
	node_wait_listening(b);
	sample_add(&j->ms,
		(double)(names_until_ns(b, size->names - 1, 0, size->names, JOIN_MS) - start_ns) /
			1e6);
	t = cost_traffic_since(cluster, &before);
	sample_add(&j->mb, (double)cost_bytes(&t) / 1e6);
	sample_add(&j->floor_ms, floor_join_ms(cluster->nodes[0].dir, cost_bytes(&t)));
	j->last = b;
}

static void print_join(const struct join_size *size, const struct joins *j)
{
	double ms = sample_median(&j->ms), mb = sample_median(&j->mb);
	bool small = size->names != 100000 || mb <= WIRE_MB_MAX;

	table_row(&(struct row){text_of("cold join of %s names", size->text), "ms", ms,
		sample_median(&j->floor_ms), sample_ratio(&j->ms, &j->floor_ms), size->horde,
		size->target, ms <= size->ms_max && small,
		text_of("%.2f MB on the wire, from exec to ready", mb)});
}

static void print_memory(
	const struct join_size *size, const struct taken *few, const struct taken *many)
{
	double more = (double)(many->names - few->names);
	double writer = (many->writer - few->writer) / more;
	double replica = (many->replica - few->replica) / more;

	table_row(&(struct row){text_of("memory a name, %s names on a replica", size->text), "B",
		replica, NAME_KEY_BYTES + NAME_VALUE_BYTES,
		replica / (NAME_KEY_BYTES + NAME_VALUE_BYTES), "5.1 kB", "<= 250 B",
		replica <= NAME_BYTES_MAX,
		text_of("RSS above that with 1000; %.0f B where they were written", writer)});
}

static void print_update(const struct join_size *size, double many, double few)
{
	table_row(&(struct row){text_of("CPU of one update among %s names", size->text), "us", many,
		few, many / few, NULL, "<= 1.5 x the same among 1k", many <= 1.5 * few,
		"of both nodes, HTTP, store and sync too"});
}

/* ---- a node that was away ---- */

struct rejoins {
	struct samples ms, floor_ms, kb, floor_kb;
};

/* Milliseconds from the start of `b` until it has what was written last. */
static double come_back(const struct cluster *cluster, struct node *b, unsigned long names,
	unsigned long last, unsigned generation, double *ret_kb)
{
	struct cost_traffic before = cost_quiet(cluster), t;
	int64_t start_ns = check_now_ns(), end_ns;

	node_start(b);
	node_wait_listening(b);
	end_ns = names_until_ns(b, last, generation, names, JOIN_MS);
	cost_quiet(cluster);
	t = cost_traffic_since(cluster, &before);
	*ret_kb = (double)cost_bytes(&t) / 1e3;
	return (double)(end_ns - start_ns) / 1e6;
}

/* In turns: nothing was changed meanwhile, then a thousand names were. */
static void rejoin(struct cluster *cluster, struct node *b, unsigned long names)
{
	const struct node *a = &cluster->nodes[0];
	struct rejoins r = {0};
	unsigned long first = 0;
	double kb, json;

	names_fill(a, first, FEW, 1);
	names_until_ns(b, first + FEW - 1, 1, names, JOIN_MS);
	for (unsigned i = 0; i < REJOINS; i++) {
		node_kill(b);
		sample_add(&r.floor_ms, come_back(cluster, b, names, first + FEW - 1, 1, &kb));
		sample_add(&r.floor_kb, kb);
		node_kill(b);
		first += FEW;
		names_fill(a, first, FEW, 1);
		sample_add(&r.ms, come_back(cluster, b, names, first + FEW - 1, 1, &kb));
		sample_add(&r.kb, kb);
	}
	json = (double)FEW * (double)node_call(a, "GET", NULL, "%s", name_path(0))->body_size / 1e3;
	table_row(&(struct row){"restart after 1000 changes among 100k", "ms", sample_median(&r.ms),
		sample_median(&r.floor_ms), sample_ratio(&r.ms, &r.floor_ms), NULL,
		"the time of the 1000", sample_median(&r.ms) <= 1.5 * sample_median(&r.floor_ms),
		"floor: restart after no change"});
	table_row(&(struct row){"the same, bytes both ways, heads too", "kB", sample_median(&r.kb),
		json, sample_median(&r.kb) / json, NULL, "the bytes of the 1000",
		sample_median(&r.kb) <= json,
		text_of("floor: 1000 entries as JSON; after no change %.1f kB",
			sample_median(&r.floor_kb))});
}

void bench_join(unsigned long names)
{
	const struct join_size *size = size_of(names);
	struct cluster *cluster = cluster_start(1, &(struct cluster_options){.proxied = true});
	const struct node *a = &cluster->nodes[0];
	struct taken few = {0}, many;
	unsigned long there = size->more ? FEW : 0;
	struct joins j = {0};

	if (size->more)
		few = take_of_few(cluster);

	names_fill(a, there, names - there, 0);
	for (int i = 0; i < size->rounds; i++) {
		if (j.last)
			leave(j.last);
		join_once(cluster, size, &j);
	}
	print_join(size, &j);
	if (size->more) {
		many = take(cluster, j.last, names);
		print_memory(size, &few, &many);
		print_update(size, many.us, few.us);
	}
	if (size->names == 100000)
		rejoin(cluster, j.last, names);
	cluster_stop(cluster);
}

/* What an idle daemon and an idle pair take, and what one key among many costs on the wire. */
#include "tests/bench/bench.h"

#include "tests/bench/cost.h"
#include "tests/bench/names.h"
#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"
#include "tests/lib/procs.h"

#include <string.h>

enum {
	IDLE_MS = 3000,
	KEYS = 50000,
	WRITES = 15,
	CONVERGE_MS = 60000,
	KEY_BYTES_MAX = 400,
	PAIR_BYTES_MAX = 400, /* a second, heads too */
	TICK_BYTES = 70,
	GUARDIANS_MAX = 4
};

#define PAIR_CPU_PERCENT_MAX 0.1 /* `top` shows one decimal */

void bench_idle(struct cluster *cluster)
{
	struct samples daemons = {0}, guardians = {0};
	pid_t pids[GUARDIANS_MAX];
	double mb;

	check_pause_ms(IDLE_MS);
	for (int i = 0; i < cluster->count; i++) {
		sample_add(&daemons, cost_rss(cluster->nodes[i].pid) / 1048576);
		CHECK(procs_children(cluster->nodes[i].pid, pids, GUARDIANS_MAX) == 1,
			"a daemon has one child, its guardian");
		sample_add(&guardians, cost_rss(pids[0]) / 1048576);
	}
	mb = sample_median(&daemons);
	table_row(&(struct row){"RSS of an idle node of three", "MB", mb, -1, 0, "46 MB",
		"<= 16 MB", mb <= 16, text_of("guardian %.1f MB", sample_median(&guardians))});
}

/* ---- one key among many ---- */

/* What one further name sets off between the two. */
static struct cost_traffic one_name(const struct cluster *cluster, unsigned long number)
{
	const struct node *a = &cluster->nodes[0], *b = &cluster->nodes[1];
	struct cost_traffic before = cost_quiet(cluster);

	expect_success(node_call(a, "PUT", name_body(number, 0), "%s", name_path(number)));
	http_until_status(node_url(b, "%s", name_path(number)), 200, check_ms(CLUSTER_SOON_MS));
	cost_quiet(cluster);
	return cost_traffic_since(cluster, &before);
}

/* The entry as the API gives it: a key and its value once, without anything around them. */
static double entry_bytes(const struct node *node, unsigned long number)
{
	return (double)expect_status(node_call(node, "GET", NULL, "%s", name_path(number)), 200)
		->body_size;
}

void bench_wire(void)
{
	struct cluster *cluster = cluster_start(2, &(struct cluster_options){.proxied = true});
	struct samples told = {0}, asked = {0}, heads = {0}, exchanges = {0};
	double entry, bytes;

	names_fill(&cluster->nodes[0], 0, KEYS, 0);
	names_until_ns(&cluster->nodes[1], KEYS - 1, 0, KEYS, CONVERGE_MS);
	for (unsigned long i = 0; i < WRITES; i++) {
		struct cost_traffic t = one_name(cluster, KEYS + i);

		sample_add(&told, (double)t.answers);
		sample_add(&asked, (double)t.requests);
		sample_add(&heads, (double)t.heads);
		sample_add(&exchanges, (double)t.exchanges);
	}
	entry = entry_bytes(&cluster->nodes[0], KEYS);
	bytes = sample_median(&told);
	table_row(&(struct row){"one new key among 50 000: bodies that tell it", "B", bytes, entry,
		bytes / entry, "33.9 kB", "<= 400 B", bytes <= KEY_BYTES_MAX,
		text_of("and %.0f B that ask for the next, %.0f B of heads, %.0f exchanges",
			sample_median(&asked), sample_median(&heads), sample_median(&exchanges))});
	cluster_stop(cluster);
}

/* ---- nothing to say ---- */

void bench_pair(long seconds)
{
	struct cluster *cluster = cluster_start(2, &(struct cluster_options){.proxied = true});
	struct cost_traffic before;
	double cpu_ms = 0, bytes, ticks, percent;

	check_pause_ms(IDLE_MS);
	before = cost_quiet(cluster);
	for (int i = 0; i < 2; i++)
		cpu_ms -= cost_cpu_ms(&cluster->nodes[i]);
	check_pause_ms(seconds * 1000);
	for (int i = 0; i < 2; i++)
		cpu_ms += cost_cpu_ms(&cluster->nodes[i]);
	before = cost_traffic_since(cluster, &before);
	bytes = (double)cost_bytes(&before) / (double)seconds;
	ticks = (double)before.exchanges * TICK_BYTES / (double)seconds;
	percent = cpu_ms / 2 / (double)seconds / 10;
	table_row(&(struct row){"idle pair: bytes a second, heads too", "B", bytes, ticks,
		bytes / ticks, "37 kB", "<= 400 B, no CPU that shows",
		bytes <= PAIR_BYTES_MAX && percent <= PAIR_CPU_PERCENT_MAX,
		text_of("%.3f %% of a core each, %.2f exchanges/s; floor: a body of %d B each",
			percent, (double)before.exchanges / (double)seconds, TICK_BYTES)});
	cluster_stop(cluster);
}

#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIR_SECONDS = 26 }; /* a whole cycle of the polls, which are parked for 25 s */

static struct row_name {
	const char *name;
	bool asked_only; /* it takes long */
	bool wanted;
} rows[] = {
	{.name = "get"},
	{.name = "list"},
	{.name = "put"},
	{.name = "get1m", .asked_only = true},
	{.name = "idle"},
	{.name = "visible"},
	{.name = "load"},
	{.name = "watch"},
	{.name = "children"},
	{.name = "children300"},
	{.name = "restart"},
	{.name = "starts"},
	{.name = "many"},
	{.name = "wire"},
	{.name = "pair"},
	{.name = "join10k"},
	{.name = "join100k"},
	{.name = "join1m", .asked_only = true},
	{.name = "seeds"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static struct row_name *row_of(const char *name)
{
	for (int i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

static bool wanted(const char *name)
{
	return row_of(name)->wanted;
}

static _Noreturn void usage(const char *word)
{
	fprintf(stderr, "horde-bench: what is '%s'? --idle-seconds=N, or rows:", word);
	for (int i = 0; i < ROWS; i++)
		fprintf(stderr, " %s", rows[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

/* Returns for how long the idle pair is watched. */
static long choose(int argc, char **argv)
{
	long seconds = PAIR_SECONDS;
	bool named = false;

	for (int i = 1; i < argc; i++) {
		struct row_name *row = row_of(argv[i]);

		if (row)
			named = row->wanted = true;
		else if (sscanf(argv[i], "--idle-seconds=%ld", &seconds) != 1 || seconds < 1)
			usage(argv[i]);
	}
	for (int i = 0; i < ROWS && !named; i++)
		rows[i].wanted = !rows[i].asked_only;
	return seconds;
}

static void bench_cluster(void)
{
	struct cluster *cluster = cluster_start(3, NULL);

	if (wanted("idle"))
		bench_idle(cluster);
	if (wanted("visible"))
		bench_visible(cluster);
	if (wanted("load"))
		bench_visible_under_load(cluster);
	if (wanted("children"))
		bench_children(cluster, 100, 5, true);
	if (wanted("children300"))
		bench_children(cluster, 300, 3, false);
	if (wanted("restart"))
		bench_restart(cluster);
	if (wanted("starts"))
		bench_starts(cluster);
	cluster_stop(cluster);
}

/* Arguments choose rows; without any of them all but those that take long. */
int main(int argc, char **argv)
{
	long seconds = choose(argc, argv);

	table_head();
	if (wanted("get") || wanted("put") || wanted("list") || wanted("get1m"))
		bench_throughput(wanted("get"), wanted("put"), wanted("list"), wanted("get1m"));
	if (wanted("idle") || wanted("visible") || wanted("load") || wanted("children") ||
		wanted("children300") || wanted("restart") || wanted("starts"))
		bench_cluster();
	if (wanted("watch"))
		bench_watch();
	if (wanted("many"))
		bench_many();
	if (wanted("wire"))
		bench_wire();
	if (wanted("pair"))
		bench_pair(seconds);
	if (wanted("join10k"))
		bench_join(10000);
	if (wanted("join100k"))
		bench_join(100000);
	if (wanted("join1m"))
		bench_join(1000000);
	if (wanted("seeds"))
		bench_seeds();
	return 0;
}

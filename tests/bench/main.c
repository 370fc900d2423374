#include "tests/bench/bench.h"

#include <stdio.h>
#include <string.h>

static bool wanted(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

static void bench_cluster(int argc, char **argv)
{
	struct cluster *cluster = cluster_start(3, NULL);

	if (wanted(argc, argv, "idle"))
		bench_idle(cluster);
	if (wanted(argc, argv, "visible"))
		bench_visible(cluster);
	if (wanted(argc, argv, "children"))
		bench_children(cluster, 100, 5, true);
	if (wanted(argc, argv, "children300"))
		bench_children(cluster, 300, 3, false);
	cluster_stop(cluster);
}

/* Arguments choose rows: get put idle visible children children300 wire. None: all. */
int main(int argc, char **argv)
{
	bool get = wanted(argc, argv, "get"), put = wanted(argc, argv, "put");

	table_head();
	if (get || put)
		bench_throughput(get, put);
	if (wanted(argc, argv, "idle") || wanted(argc, argv, "visible") ||
		wanted(argc, argv, "children") || wanted(argc, argv, "children300"))
		bench_cluster(argc, argv);
	if (wanted(argc, argv, "wire"))
		bench_wire();
	return 0;
}

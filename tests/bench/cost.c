#include "tests/bench/cost.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/procs.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { QUIET_MS = 40, GUARDIANS_MAX = 4 };

double cost_rss(pid_t pid)
{
	FILE *file = fopen(text_of("/proc/%d/status", (int)pid), "re");
	char line[256];
	double kb = -1;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %lf kB", &kb) == 1)
			break;
	if (file)
		fclose(file);
	CHECK(kb >= 0, "no VmRSS of process %d", (int)pid);
	return kb * 1024;
}

/* What the threads of a process have run so far, in nanoseconds, as the scheduler counts it. */
static double ran_ns(pid_t pid)
{
	glob_t threads;
	double sum = 0;

	CHECK(glob(text_of("/proc/%d/task/*/schedstat", (int)pid), 0, NULL, &threads) == 0,
		"no schedstat of process %d", (int)pid);
	for (size_t i = 0; i < threads.gl_pathc; i++) {
		FILE *file = fopen(threads.gl_pathv[i], "re");
		double ns = 0;

		CHECK(file && fscanf(file, "%lf", &ns) == 1, "cannot read %s", threads.gl_pathv[i]);
		fclose(file);
		sum += ns;
	}
	globfree(&threads);
	return sum;
}

double cost_cpu_ms(const struct node *node)
{
	pid_t guardians[GUARDIANS_MAX];
	int count = procs_children(node->pid, guardians, GUARDIANS_MAX);
	double sum = ran_ns(node->pid);

	for (int i = 0; i < count; i++)
		sum += ran_ns(guardians[i]);
	return sum / 1e6;
}

struct cost_traffic cost_traffic(const struct cluster *cluster)
{
	struct cost_traffic sum = {0};

	for (int i = 0; i < cluster->count; i++) {
		struct proxy_traffic t = proxy_traffic(cluster->nodes[i].proxy);

		CHECK(!t.requests.lost && !t.answers.lost, "something passed that is no HTTP");
		sum.requests += t.requests.bodies;
		sum.answers += t.answers.bodies;
		sum.heads += t.requests.heads + t.answers.heads;
		sum.exchanges += t.answers.messages;
	}
	return sum;
}

struct cost_traffic cost_traffic_since(
	const struct cluster *cluster, const struct cost_traffic *before)
{
	struct cost_traffic t = cost_traffic(cluster);

	t.requests -= before->requests;
	t.answers -= before->answers;
	t.heads -= before->heads;
	t.exchanges -= before->exchanges;
	return t;
}

long cost_bytes(const struct cost_traffic *t)
{
	return t->requests + t->answers + t->heads;
}

struct cost_traffic cost_quiet(const struct cluster *cluster)
{
	struct cost_traffic before, now = cost_traffic(cluster);

	do {
		before = now;
		check_pause_ms(QUIET_MS);
		now = cost_traffic(cluster);
	} while (cost_bytes(&now) != cost_bytes(&before));
	return now;
}

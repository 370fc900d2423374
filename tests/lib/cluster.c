#include "tests/lib/cluster.h"

#include "tests/lib/check.h"
#include "tests/lib/procs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LOOK_MS = 5,
	LEFTOVERS_MS = 2000,
	CLEAN_END_MS = 5000,
	LOG_SHOWN_BYTES = 16384,
	FILES_AT_ONCE = 16
};

static struct cluster *present;

struct cluster *cluster_present(void)
{
	return present;
}

/* ---- many daemons ---- */

struct cluster *cluster_new(const struct cluster_options *options)
{
	static struct cluster cluster;
	const char *tmp = getenv("TMPDIR");

	CHECK(!present, "this process has a cluster already");
	CHECK(access(node_program(), X_OK) == 0, "there is no %s: build it first", node_program());
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "cannot become a subreaper");
	memset(&cluster, 0, sizeof cluster);
	snprintf(cluster.dir, sizeof cluster.dir, "%s/horde-test-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(cluster.dir), "mkdtemp %s: %s", cluster.dir, strerror(errno));
	cluster.proxied = options && options->proxied;
	present = &cluster;
	return present;
}

/* A proxied node must know its port before it starts, since it tells its peers the proxy's. */
int cluster_free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
			getsockname(fd, (struct sockaddr *)&address, &size) == 0,
		"no free port");
	close(fd);
	return ntohs(address.sin_port);
}

static void add_proxy(struct node *node)
{
	char url[64];

	node->port = cluster_free_port();
	node->proxy = proxy_start();
	proxy_target(node->proxy, node->port);
	snprintf(url, sizeof url, "http://127.0.0.1:%d", proxy_port(node->proxy));
	node_set_flag(node, "--advertise", url);
}

static void name_files(struct node *node, const char *top)
{
	char dir[sizeof node->dir], log[sizeof node->log];

	snprintf(dir, sizeof dir, "%s/%s", top, node->name);
	snprintf(log, sizeof log, "%s/%s.stderr.log", top, node->name);
	memcpy(node->dir, dir, sizeof dir);
	memcpy(node->log, log, sizeof log);
}

struct node *cluster_declare(
	struct cluster *cluster, const struct node *join, const char *const *args)
{
	struct node *node = &cluster->nodes[cluster->count];
	char url[64];

	CHECK(cluster->count < CLUSTER_NODES_MAX, "too many nodes");
	cluster->count++;
	snprintf(node->name, sizeof node->name, "n%d", cluster->count);
	snprintf(node->host, sizeof node->host, "127.0.0.1");
	name_files(node, cluster->dir);
	CHECK(mkdir(node->dir, 0700) == 0, "mkdir %s: %s", node->dir, strerror(errno));
	node_add_flags(node, (const char *const[]){node_program(), NULL});
	node_set_flag(node, "--name", node->name);
	node_set_flag(node, "--data-dir", node->dir);
	if (cluster->proxied)
		add_proxy(node);
	node_set_listen(node, node->port);
	if (join) {
		snprintf(url, sizeof url, "http://127.0.0.1:%d",
			join->proxy ? proxy_port(join->proxy) : join->port);
		node_set_flag(node, "--join", url);
	}
	node_add_flags(node, args);
	return node;
}

struct node *cluster_add(struct cluster *cluster, const struct node *join, const char *const *args)
{
	struct node *node = cluster_declare(cluster, join, args);

	node_start(node);
	node_wait_listening(node);
	return node;
}

struct cluster *cluster_start(int count, const struct cluster_options *options)
{
	struct cluster *cluster = cluster_new(options);
	const char *const *args = options ? options->args : NULL;

	for (int i = 0; i < count; i++)
		cluster_add(cluster, i ? &cluster->nodes[0] : NULL, args);
	cluster_settle(cluster);
	return cluster;
}

static int running_nodes(const struct cluster *cluster)
{
	int count = 0;

	for (int i = 0; i < cluster->count; i++)
		count += cluster->nodes[i].pid != 0;
	return count;
}

static bool lists_running_alive(const struct http_reply *reply, const void *argument)
{
	const struct cluster *cluster = argument;
	json_t *items = json_at(reply->json, "items"), *item;
	int alive = 0;
	size_t i;

	json_array_foreach(items, i, item)
	{
		for (int n = 0; n < cluster->count; n++)
			alive += cluster->nodes[n].pid != 0 &&
				 strcmp(json_str(item, "name"), cluster->nodes[n].name) == 0 &&
				 strcmp(json_str(item, "status"), "alive") == 0;
	}
	return alive == running_nodes(cluster);
}

void cluster_settle(struct cluster *cluster)
{
	for (int i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].pid)
			node_wait_ready(&cluster->nodes[i]);
	for (int i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].pid)
			http_until(node_url(&cluster->nodes[i], "/v1/cluster/members"),
				lists_running_alive, cluster, check_ms(CLUSTER_START_MS),
				"all running members to be alive");
}

long cluster_bytes(const struct cluster *cluster)
{
	long bytes = 0;

	for (int i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].proxy)
			bytes += proxy_bytes(cluster->nodes[i].proxy);
	return bytes;
}

long cluster_quiet(const struct cluster *cluster, long still_ms)
{
	int64_t end = check_now_ms() + check_ms(CLUSTER_START_MS), since = check_now_ms();
	long bytes = cluster_bytes(cluster), before = bytes;

	while (check_now_ms() - since < still_ms) {
		CHECK(check_now_ms() < end, "the lines are never still for %ld ms", still_ms);
		check_pause_ms(LOOK_MS);
		bytes = cluster_bytes(cluster);
		if (bytes != before)
			since = check_now_ms();
		before = bytes;
	}
	return bytes;
}

/* ---- the end ---- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	remove(path);
	return 0;
}

static void end_node(struct node *node)
{
	int64_t end = check_now_ms() + check_ms(CLEAN_END_MS);
	int status, code;

	/* Sanitizers report leaks at a clean end only. */
	if (node->pid && getenv("HORDE_TEST_LEAKS") && kill(node->pid, SIGTERM) == 0)
		while (!node_has_ended(node, &code) && check_now_ms() < end)
			check_pause_ms(LOOK_MS);
	if (node->pid) {
		kill(node->pid, SIGKILL);
		waitpid(node->pid, &status, 0);
		node->pid = 0;
	}
	proxy_stop(node->proxy);
	for (int i = 0; node->args[i]; i++)
		free(node->args[i]);
	for (int i = 0; node->env[i]; i++)
		free(node->env[i]);
}

/* Everything a daemon left falls to us, the subreaper, and must end soon by the guardian's hand. */
static int leftovers(pid_t *out, int cap)
{
	int64_t end = check_now_ms() + check_ms(LEFTOVERS_MS);
	int left;

	do {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		left = procs_descendants(getpid(), out, cap);
		if (left)
			check_pause_ms(LOOK_MS);
	} while (left && check_now_ms() < end);
	return left;
}

static void show_logs(const struct cluster *cluster)
{
	for (int i = 0; i < cluster->count; i++) {
		char *text = node_log_tail(&cluster->nodes[i], LOG_SHOWN_BYTES);

		fprintf(stderr, "---- %s ----\n%s\n", cluster->nodes[i].log, text ? text : "");
		free(text);
	}
	fprintf(stderr, "---- everything stays in %s ----\n", cluster->dir);
}

void cluster_stop(struct cluster *cluster)
{
	static pid_t left[PROCS_MAX];
	char first[512] = "";
	int count;

	if (!cluster)
		return;
	for (int i = 0; i < cluster->count; i++)
		end_node(&cluster->nodes[i]);
	present = NULL;
	count = leftovers(left, PROCS_MAX);
	if (count)
		snprintf(first, sizeof first, "%s", procs_command(left[0]));
	for (int i = 0; i < count; i++)
		kill(left[i], SIGKILL);
	if (count || check_has_failed())
		show_logs(cluster);
	else
		nftw(cluster->dir, remove_one, FILES_AT_ONCE, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	CHECK(count == 0, "%d processes outlived their daemons, the first is: %s", count, first);
}

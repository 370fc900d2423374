/*
 * Supervising processes: a restart, a thousand starts through one node of three, and thousands that
 * do nothing. The floor is a bare supervisor: posix_spawn, a pidfd and poll, nothing around them.
 */
#include "tests/bench/bench.h"

#include "tests/bench/cost.h"
#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"
#include "tests/lib/procs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RESTARTS = 200,
	REST_US = 20000, /* between a start and the kill: a restart in time is made at once */
	BATCH = 1000,    /* children of one request */
	STARTS_ROUNDS = 3,
	MANY = 5000,
	MANY_MB_MAX = 60,
	MANY_WATCH_MS = 5000,
	WAIT_MS = 120000,
	BODY_BYTES = 1 << 20
};

/* ---- a restart ---- */

/*
 * A child that says its pid as soon as it runs; both supervisors have the same, and `dollar` is how
 * each of them writes one.
 */
static const char *script_of(const char *dollar, const char *fifo)
{
	return text_of("echo %s%s >%s; exec sleep 1000", dollar, dollar, fifo);
}

/* Starts the child again and again, whenever it ends. */
static void supervise_bare(const char *script)
{
	char *const words[] = {"/bin/sh", "-c", (char *)script, NULL};
	char *const environment[] = {"PATH=/usr/bin:/bin", NULL};

	for (;;) {
		struct pollfd ended = {.events = POLLIN};
		pid_t pid;

		CHECK(posix_spawn(&pid, words[0], NULL, NULL, words, environment) == 0, "spawn");
		ended.fd = pidfd_open(pid, 0);
		while (poll(&ended, 1, -1) < 1)
			;
		waitpid(pid, NULL, 0);
		close(ended.fd);
	}
}

struct watched { /* a supervised child, and where it says its pid */
	int fifo;
	pid_t pid;
};

static int open_fifo(const char *path)
{
	CHECK(mkfifo(path, 0600) == 0, "no fifo");
	return open(path, O_RDWR | O_CLOEXEC);
}

static void next_pid(struct watched *w)
{
	char text[32] = "";
	size_t used = 0;

	while (used < sizeof text - 1 && read(w->fifo, text + used, 1) == 1 && text[used] != '\n')
		used++;
	w->pid = atoi(text);
	CHECK(w->pid > 0, "no pid: '%s'", text);
}

/* Milliseconds from the kill until the next one runs. */
static double restart_ms(struct watched *w)
{
	int64_t start_ns;

	usleep(REST_US);
	start_ns = check_now_ns();
	kill(w->pid, SIGKILL);
	next_pid(w);
	return (double)(check_now_ns() - start_ns) / 1e6;
}

void bench_restart(struct cluster *cluster)
{
	struct samples ours = {0}, floor = {0};
	const char *path = text_of("%s/horde.fifo", cluster->dir);
	const char *bare_path = text_of("%s/bare.fifo", cluster->dir);
	struct watched horde = {.fifo = open_fifo(path)}, bare = {.fifo = open_fifo(bare_path)};
	const char *script = script_of("$", bare_path);
	pid_t supervisor = raw_fork();
	double p50, bare50;

	if (supervisor == 0)
		supervise_bare(script);
	child_start(&cluster->nodes[0], "restarted",
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"%s\"],\"max_restarts\":100000,"
			"\"backoff\":{\"reset_after_ms\":1}}",
			script_of("$$", path)));
	next_pid(&horde);
	next_pid(&bare);
	for (int i = 0; i < RESTARTS; i++) {
		sample_add(&ours, restart_ms(&horde));
		sample_add(&floor, restart_ms(&bare));
	}
	raw_end(supervisor);
	kill(bare.pid, SIGKILL);
	child_delete(cluster, &cluster->nodes[0], "restarted");
	close(horde.fifo);
	close(bare.fifo);
	p50 = sample_median(&ours);
	bare50 = sample_median(&floor);
	table_row(&(struct row){"restart of a killed child, p50", "ms", p50, bare50, p50 / bare50,
		NULL, "<= 1.5 x a bare pidfd supervisor", p50 <= 1.5 * bare50,
		text_of("p99 %.2f against %.2f ms", sample_quantile(&ours, 0.99),
			sample_quantile(&floor, 0.99))});
}

/* ---- a thousand starts ---- */

static const char *batch_body(const char *prefix)
{
	static char body[BODY_BYTES];
	size_t used = (size_t)snprintf(body, sizeof body, "{\"items\":[");

	for (int i = 0; i < BATCH; i++)
		used += (size_t)snprintf(body + used, sizeof body - used,
			"%s{\"id\":\"%s-%d\",\"spec\":{\"command\":[\"/bin/sleep\",\"1000\"]}}",
			i ? "," : "", prefix, i);
	snprintf(body + used, sizeof body - used, "]}");
	return body;
}

/* Milliseconds until all of one request run. */
static double batch_ms(const struct node *node, const char *prefix)
{
	struct http_request request = {.method = "POST",
		.url = node_url(node, "/v1/supervisors/many/children/batch?wait=2m"),
		.body = batch_body(prefix),
		.timeout_ms = WAIT_MS};
	int64_t start_ns = check_now_ns();

	expect_status(http_send(&request), 200);
	return (double)(check_now_ns() - start_ns) / 1e6;
}

static void delete_many(const struct node *node)
{
	struct http_request request = {.method = "DELETE",
		.url = node_url(node, "/v1/supervisors/many?wait=2m"),
		.timeout_ms = WAIT_MS};

	expect_status(http_send(&request), 204);
}

static double spawn_ms(void)
{
	static pid_t pids[BATCH];
	char *const words[] = {"/bin/sleep", "1000", NULL};
	char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	int64_t start_ns = check_now_ns(), end_ns;

	for (int i = 0; i < BATCH; i++)
		CHECK(posix_spawn(&pids[i], words[0], NULL, NULL, words, environment) == 0,
			"spawn");
	end_ns = check_now_ns();
	for (int i = 0; i < BATCH; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < BATCH; i++)
		waitpid(pids[i], NULL, 0);
	return (double)(end_ns - start_ns) / 1e6;
}

static void describe_many(const struct node *node)
{
	expect_success(node_call(node, "PUT", "{}", "/v1/supervisors/many"));
}

void bench_starts(struct cluster *cluster)
{
	struct samples ours = {0}, floor = {0};
	double rate, raw;

	for (int i = 0; i < STARTS_ROUNDS; i++) {
		describe_many(&cluster->nodes[0]);
		sample_add(&ours, batch_ms(&cluster->nodes[0], "child"));
		delete_many(&cluster->nodes[0]);
		sample_add(&floor, spawn_ms());
	}
	rate = BATCH / sample_median(&ours) * 1000;
	raw = BATCH / sample_median(&floor) * 1000;
	table_row(&(struct row){"start of 1000 through one of three", "/s", rate, raw, rate / raw,
		NULL, ">= 0.5 of posix_spawn", rate >= 0.5 * raw,
		"one request; until the last one runs, on all nodes"});
}

/* ---- thousands that do nothing ---- */

void bench_many(void)
{
	struct cluster *cluster = cluster_start(1, NULL);
	const struct node *node = &cluster->nodes[0];
	double mb, cpu_ms, percent;

	describe_many(node);
	for (int i = 0; i < MANY / BATCH; i++)
		batch_ms(node, text_of("child-%d", i));
	check_pause_ms(MANY_WATCH_MS);
	cpu_ms = cost_cpu_ms(node);
	check_pause_ms(MANY_WATCH_MS);
	percent = (cost_cpu_ms(node) - cpu_ms) / MANY_WATCH_MS * 100;
	mb = cost_rss(node->pid) / 1048576;
	table_row(&(struct row){text_of("RSS with %d idle children", MANY), "MB", mb, -1, 0, NULL,
		"< 60 MB, no CPU that shows", mb < MANY_MB_MAX && percent < 0.1,
		text_of("%.3f %% of a core", percent)});
	delete_many(node);
	cluster_stop(cluster);
}

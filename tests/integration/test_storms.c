/* Many starts and many ends, and nothing that is left of them. */
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "tests/integration/suite.h"
#include "tests/lib/procs.h"

SUITE(storms);

#define BATCH CHILDREN "/batch"
/* It ends at once, and is started at once, for as long as it stands. */
#define SHORT                                                                                      \
	"{\"command\":[\"/bin/true\"],\"max_restarts\":100000,\"max_seconds\":1,\"backoff\":{"     \
	"\"initial_ms\":0},\"logs\":{\"max_files\":1}}"

enum { SHORT_ONES = 50, STARTS = 10000, MANY = 1000, STORM_MS = 60000 };

static void start_all(const struct node *n, int count, const char *spec)
{
	char *items = children_items("p", count, spec), *body = NULL;

	CHECK(asprintf(&body, "{\"items\":%s}", items) > 0, "no memory");
	/* Whoever always ends may never be seen to run by whoever waits for that: a 202. */
	expect_success(node_call(n, "POST", body, BATCH "?wait=10s"));
	free(items);
	free(body);
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int count = 0;

	CHECK(d, "%s cannot be read", path);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

/* What a daemon or its guardian holds. */
static int descriptors(pid_t pid)
{
	return entries(text_of("/proc/%d/fd", (int)pid));
}

/* What a reply has waited for may be closed a little behind it. */
static void until_descriptors(pid_t pid, int most)
{
	int64_t deadline_ms = check_now_ms() + check_ms(CLUSTER_SOON_MS);

	while (descriptors(pid) > most)
		CHECK(check_now_ms() < deadline_ms, "%s had %d descriptors, and has %d",
			procs_command(pid), most, descriptors(pid));
}

static int restarts(const struct node *n)
{
	struct http_reply *r =
		expect_status(node_call(n, "GET", NULL, CHILDREN "?limit=1000"), 200);
	json_t *item;
	size_t i;
	int sum = 0;

	json_array_foreach(json_at(r->json, "items"), i, item)
	{
		sum += (int)json_number_at(item, "status.restarts");
	}
	return sum;
}

static void delete_all(struct cluster *c, int count)
{
	for (int i = 0; i < count; i++)
		child_delete(c, &c->nodes[0], text_of("p-%d", i));
}

CLUSTER_TEST(storms, ten_thousand_starts_leave_nothing)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	pid_t guardian = procs_guardian(n->pid);
	int64_t deadline_ms = check_now_ms() + check_ms(STORM_MS);
	int of_daemon, of_guardian;

	/* What is made once for the first child stays: so there was one. */
	start_all(n, 1, SHORT);
	delete_all(c, 1);
	of_daemon = descriptors(n->pid);
	of_guardian = descriptors(guardian);
	start_all(n, SHORT_ONES, SHORT);
	while (restarts(n) < STARTS)
		CHECK(check_now_ms() < deadline_ms, "only %d restarts", restarts(n));
	delete_all(c, SHORT_ONES);
	CHECK_INT(procs_offspring(guardian), 0);
	CHECK_INT(children_processes("/bin/true"), 0);
	until_descriptors(n->pid, of_daemon);
	until_descriptors(guardian, of_guardian);
	CHECK(access(text_of("%s/run/default", n->dir), F_OK) != 0,
		"there are run directories of children that are gone");
	CHECK_INT(procs_guardian(n->pid), guardian);
}

static void kill_all(const struct node *n)
{
	struct http_reply *r =
		expect_status(node_call(n, "GET", NULL, CHILDREN "?limit=1000"), 200);
	json_t *item;
	size_t i;

	CHECK_INT(json_array_size(json_at(r->json, "items")), MANY);
	json_array_foreach(json_at(r->json, "items"), i, item)
	{
		kill((pid_t)json_number_at(item, "status.pid"), SIGKILL);
	}
}

CLUSTER_TEST(storms, a_thousand_that_are_killed_at_once_are_all_back_and_none_twice)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	pid_t guardian = procs_guardian(n->pid);
	int64_t deadline_ms = check_now_ms() + check_ms(STORM_MS);

	start_all(n, MANY, SLEEPER);
	children_until_active(c, MANY, STORM_MS);
	children_until_processes("/bin/sleep 1000", MANY, STORM_MS);
	kill_all(n);
	while (restarts(n) < MANY) {
		expect_status(node_call(n, "GET", NULL, "/livez"), 200);
		CHECK(check_now_ms() < deadline_ms, "only %d restarts", restarts(n));
	}
	children_until_processes("/bin/sleep 1000", MANY, STORM_MS);
	CHECK_INT(restarts(n), MANY);
	CHECK_INT(procs_offspring(guardian), MANY);
}

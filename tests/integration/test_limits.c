/*
 * Limits of what the processes of a child have together, by control groups of version 2. Where the
 * machine hands out none, the first three are skipped:
 * HORDE_CGROUPS names the directory to try in place of /sys/fs/cgroup.
 */
#include "tests/integration/suite.h"

#include <dirent.h>

SUITE(limits);

static const char *root(void)
{
	const char *given = getenv("HORDE_CGROUPS");

	return given ? given : "/sys/fs/cgroup";
}

/* It can hand out all three. */
static bool is_possible(void)
{
	char line[256] = "";
	FILE *in = fopen(text_of("%s/cgroup.controllers", root()), "re");
	bool all;

	if (in && !fgets(line, sizeof line, in))
		line[0] = '\0';
	if (in)
		fclose(in);
	all = strstr(line, "cpu") && strstr(line, "memory") && strstr(line, "pids") &&
	      access(text_of("%s/cgroup.subtree_control", root()), W_OK) == 0;
	if (!all)
		cr_skip_test("%s hands out '%s'", root(), line);
	return all;
}

static const char *dir_of(const struct node *n)
{
	return text_of("%s/horde-test-%d-%s", root(), (int)getpid(), n->name);
}

static struct node *add(struct cluster *c)
{
	struct node *n = cluster_declare(c, c->count ? &c->nodes[0] : NULL, NULL);

	node_set_flag(n, "--cgroup", dir_of(n));
	node_start(n);
	node_wait_ready(n);
	return n;
}

/* One node; NULL: the test is skipped. */
static struct node *begin(struct cluster **ret_cluster)
{
	if (!is_possible())
		return NULL;
	*ret_cluster = cluster_new(NULL);
	return add(*ret_cluster);
}

static int groups(const struct node *n)
{
	DIR *all = opendir(dir_of(n));
	const struct dirent *one;
	int count = 0;

	CHECK(all, "there is no %s", dir_of(n));
	while ((one = readdir(all)))
		count += strncmp(one->d_name, "child-", 6) == 0;
	closedir(all);
	return count;
}

static void until_groups(const struct node *n, int count)
{
	int64_t end = check_now_ms() + check_ms(CLUSTER_SOON_MS);

	while (groups(n) != count) {
		CHECK(check_now_ms() < end, "%d groups, not %d", groups(n), count);
		check_pause_ms(5);
	}
}

/* Its node's last act. */
static void end(struct cluster *c)
{
	for (int i = 0; i < c->count; i++) {
		CHECK_INT(node_term(&c->nodes[i], 10000), 0);
		CHECK_INT(groups(&c->nodes[i]), 0);
		CHECK(rmdir(dir_of(&c->nodes[i])) == 0, "%s is not empty", dir_of(&c->nodes[i]));
	}
}

static const char *sh(const char *script, const char *members)
{
	return text_of("{\"command\":[\"/bin/sh\",\"-c\",\"%s\"],%s}", script, members);
}

/* One that grows beyond what it may have is killed, all of it, and everybody is told why. */
CLUSTER_TEST(limits, who_wants_more_memory_is_killed_and_told_so)
{
	struct cluster *c;
	struct http_reply *r;
	struct node *n;

	if (!(n = begin(&c)))
		return;
	add(c);
	child_put(n, "hungry",
		sh("sleep 1000 & x=$(head -c 100000000 /dev/zero | tr "
		   "'\\\\0' x); sleep 1000",
			"\"restart\":\"temporary\",\"limits\":{\"memory_bytes\":16777216}"));
	r = child_until(&c->nodes[1], "hungry", "exited", 10000);
	CHECK_INT(json_number_at(r->json, "status.last_exit.signal"), SIGKILL);
	CHECK(json_is_true(json_at(r->json, "status.last_exit.oom_killed")), "%s", r->body);
	r = node_call(n, "GET", NULL, CHILDREN "/hungry/history");
	CHECK(strstr(r->body, "\"oom_killed\":true"), "%s", r->body);
	/* Another one that is killed is not said to have been hungry. */
	child_start(n, "modest", sh("kill -9 $$$$", "\"limits\":{\"memory_bytes\":16777216}"));
	r = child_until(n, "modest", "backoff", CLUSTER_SOON_MS);
	CHECK_INT(json_number_at(r->json, "status.last_exit.signal"), SIGKILL);
	CHECK(!json_at(r->json, "status.last_exit.oom_killed"), "%s", r->body);
	child_delete(c, n, "modest");
	children_until_processes("sleep 1000", 0, CLUSTER_SOON_MS);
	end(c);
}

/* A child says what group it is in; what that may have, its files say. */
CLUSTER_TEST(limits, each_limit_is_that_of_its_group_and_ends_with_it)
{
	static const char limits[] = "\"limits\":{\"memory_bytes\":16777216,\"cpu_millis\":250,"
				     "\"pids\":4}";
	struct cluster *c;
	struct node *n;

	if (!(n = begin(&c)))
		return;
	child_put(n, "web",
		sh(text_of("d=%s; s=%s$(sed -n s/^0:://p /proc/self/cgroup); "
			   "cat $s/memory.max $s/cpu.max $s/pids.max >$d/new; mv $d/new $d/has; "
			   "i=0; while [ $i -lt 10 ]; do sleep 1000 & i=$((i+1)); done; wait",
			   c->dir, root()),
			text_of("\"restart\":\"temporary\",%s", limits)));
	CHECK_STR(file_wait(text_of("%s/has", c->dir), check_ms(CLUSTER_START_MS)),
		"16777216\n25000 100000\n4\n");
	/* A shell that cannot fork ends. */
	child_until(n, "web", "exited", CLUSTER_START_MS);
	child_start(n, "plain", SLEEPER);
	until_groups(n, 0);
	/* What leaves the group, and forgets its name, does not leave the control group. */
	child_start(n, "family", sh("setsid env -i setsid sleep 1001 & exec sleep 1002", limits));
	children_until_processes("sleep 1001", 1, CLUSTER_SOON_MS);
	until_groups(n, 1);
	child_delete(c, n, "family");
	children_until_processes("sleep 1001", 0, CLUSTER_SOON_MS);
	until_groups(n, 0);
	child_delete(c, n, "web");
	end(c);
}

CLUSTER_TEST(limits, a_daemon_or_a_guardian_that_is_killed_leaves_nothing)
{
	pid_t guardian, pid;
	struct cluster *c;
	struct node *n;

	if (!(n = begin(&c)))
		return;
	child_start(n, "web", "{\"command\":[\"/bin/sleep\",\"1000\"],\"limits\":{\"pids\":4}}");
	until_groups(n, 1);
	guardian = procs_guardian(n->pid);
	pid = (pid_t)json_number_at(child_get(n, "web")->json, "status.pid");
	CHECK(kill(guardian, SIGKILL) == 0, "there is no guardian");
	child_until_new_pid(n, "web", pid, CLUSTER_START_MS);
	until_groups(n, 1);
	node_kill(n);
	children_until_processes("sleep 1000", 0, CLUSTER_SOON_MS);
	node_start(n);
	node_wait_ready(n);
	child_until(n, "web", "running", CLUSTER_SOON_MS);
	until_groups(n, 1);
	end(c);
}

CLUSTER_TEST(limits, a_node_without_control_groups_says_so)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];

	expect_fault(expect_problem(child_put(n, "web", sh("exit 0", "\"limits\":{\"pids\":4}")),
			     422, "unsupported"),
		"/limits/pids");
	expect_problem(node_call(n, "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
}

/* A file is the same on many machines: this is no fault of it. */
CLUSTER_TEST(limits, a_start_that_cannot_be_limited_fails)
{
	static const char file[] = "children:\n  - {id: web, spec: {command: [/bin/sleep, '1000'], "
				   "limits: {cpu_millis: 100}}}\n";
	struct cluster *c = cluster_new(NULL);
	struct node *n = cluster_declare(c, NULL, NULL);
	const char *path = text_of("%s/n.yaml", c->dir);
	struct http_reply *r;

	file_write(path, file, strlen(file), 0600);
	node_set_flag(n, "--config", path);
	node_start(n);
	node_wait_ready(n);
	r = child_until(n, "web", "backoff", CLUSTER_SOON_MS);
	CHECK(strstr(json_str(r->json, "status.error"), "limits.cpu_millis: E"), "%s", r->body);
	CHECK_INT(children_processes("sleep 1000"), 0);
}

static void refuses(struct node *n, const char *dir, const char *why)
{
	node_set_flag(n, "--cgroup", dir);
	node_start(n);
	CHECK(node_wait_exit(n, 10000) > 0, "it started");
	CHECK(strstr(node_log(n), why), "%s", node_log(n));
}

CLUSTER_TEST(limits, a_directory_that_cannot_limit_refuses_the_start)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n = cluster_declare(c, NULL, NULL);
	char longest[3074];

	refuses(n, c->dir, "is no directory of cgroup v2");
	refuses(n, "cgroup", "'cgroup' is no absolute path of at most 3072 bytes");
	memset(longest, '/', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	refuses(n, longest, "//' is no absolute path of at most 3072 bytes");
}

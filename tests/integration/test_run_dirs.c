/* What each process has of its own: HORDE_RUN_DIR, and in it why it is told to end. */
#include "tests/integration/suite.h"

SUITE(run_dirs);

/* Writes "ready" to c->dir/told once it is, and then each reason that it is told. */
static char *teller(const struct cluster *c, const char *members)
{
	char *spec = NULL;

	CHECK(asprintf(&spec,
		      "{\"command\":[\"/bin/sh\",\"-c\",\"ls -A $HORDE_RUN_DIR >>%s/told; "
		      "trap 'cat $HORDE_RUN_DIR/stop_reason >>%s/told; exit' TERM; "
		      "echo >$HORDE_RUN_DIR/mine; echo ready >>%s/told; "
		      "while :; do sleep 0.05; done\"],\"shutdown\":{\"timeout_ms\":60000}%s}",
		      c->dir, c->dir, c->dir, members) > 0,
		"no memory");
	return spec;
}

/* All that was told so far. */
static void until_told(const struct cluster *c, const char *all)
{
	file_until(text_of("%s/told", c->dir), all, 10000);
}

static bool is_there(const struct node *n, const char *below)
{
	return access(text_of("%s/run/%s", n->dir, below), F_OK) == 0;
}

static void until_not_there(const struct node *n, const char *below)
{
	int64_t end = check_now_ms() + check_ms(5000);

	while (is_there(n, below) && check_now_ms() < end)
		check_pause_ms(10);
	CHECK(!is_there(n, below), "%s/run/%s is there", n->dir, below);
}

CLUSTER_TEST(run_dirs, a_process_is_told_why_before_its_signal_and_starts_with_nothing)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	char *spec = teller(c, ""), *other = teller(c, ",\"env\":{\"A\":\"1\"}");
	struct stat info;

	child_start(n, "web", spec);
	until_told(c, "ready\n");
	CHECK(stat(text_of("%s/run/default/web", n->dir), &info) == 0, "there is none");
	CHECK_INT(info.st_mode & 07777, 0700);
	expect_status(child_put(n, "web", other), 200);
	until_told(c, "ready\nreplaced\nready\n");
	expect_status(node_call(n, "POST", "", CHILDREN "/web/restart"), 200);
	until_told(c, "ready\nreplaced\nready\nrestart\nready\n");
	expect_status(node_call(n, "POST", "", CHILDREN "/web/stop"), 200);
	until_told(c, "ready\nreplaced\nready\nrestart\nready\nstopped\n");
	CHECK(!is_there(n, "default/web"), "its process has gone");
	expect_status(node_call(n, "POST", "", CHILDREN "/web/start"), 200);
	until_told(c, "ready\nreplaced\nready\nrestart\nready\nstopped\nready\n");
	child_delete(c, n, "web");
	until_told(c, "ready\nreplaced\nready\nrestart\nready\nstopped\nready\ndeleted\n");
	until_not_there(n, "default");
	free(spec);
	free(other);
}

CLUSTER_TEST(run_dirs, the_end_of_the_node_is_told_as_what_it_is)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	char *spec = teller(c, "");

	child_start(n, "web", spec);
	until_told(c, "ready\n");
	CHECK_INT(node_term(n, 10000), 0);
	until_told(c, "ready\nnode_restart\n");
	CHECK(!is_there(n, "default"), "nothing runs");
	node_set_flag(n, "--on-terminate", "leave");
	node_start(n);
	node_wait_ready(n);
	until_told(c, "ready\nnode_restart\nready\n");
	CHECK_INT(node_term(n, 10000), 0);
	until_told(c, "ready\nnode_restart\nready\nnode_leave\n");
	free(spec);
}

CLUSTER_TEST(run_dirs, what_a_killed_daemon_has_left_is_gone_when_it_is_back)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	char *spec = teller(c, "");

	child_start(n, "web", spec);
	until_told(c, "ready\n");
	CHECK(mkdir(text_of("%s/run/default/gone", n->dir), 0700) == 0, "mkdir");
	CHECK(mkdir(text_of("%s/run/default/gone/deep", n->dir), 0700) == 0, "mkdir");
	node_kill(n);
	node_start(n);
	node_wait_ready(n);
	until_told(c, "ready\nready\n");
	until_not_there(n, "default/gone");
	until_not_there(n, ".gone/*");
	free(spec);
}

CLUSTER_TEST(run_dirs, a_crashed_process_leaves_nothing_and_a_heap_of_files_blocks_nobody)
{
	struct cluster *c = cluster_start(1, NULL);
	struct node *n = &c->nodes[0];
	const char *spec = "{\"command\":[\"/bin/sh\",\"-c\",\"cd $HORDE_RUN_DIR && ls -A | wc -l "
			   "&& seq 20000 | xargs touch && ln -s / root && exec sleep 1000\"]}";
	pid_t pid = (pid_t)json_number_at(child_start(n, "heap", spec)->json, "status.pid");
	int64_t end = check_now_ms() + check_ms(20000);

	while (!is_there(n, "default/heap/root") && check_now_ms() < end)
		check_pause_ms(10);
	CHECK(is_there(n, "default/heap/root"), "the heap is not made");
	kill(pid, SIGKILL);
	child_until_new_pid(n, "heap", pid, CLUSTER_SOON_MS);
	child_delete(c, n, "heap");
	CHECK(!is_there(n, "default"), "its process has gone");
	child_start(n, "web", SLEEPER);
}

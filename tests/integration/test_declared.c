/*
 * The children of the configuration file: who acts on a change of which file, who takes over, and
 * what a file with faults does. Each round of a node ends with a line of its log that counts.
 */
#include "tests/integration/suite.h"

SUITE(declared);

#define DONE "event=declared.done"
#define WEB "  - {id: web, spec: %s}\n"
#define OTHER "{\"command\":[\"/bin/sleep\",\"1001\"]}"
#define THIRD "{\"command\":[\"/bin/sleep\",\"1002\"]}"
#define NOTHING_DONE(count) "0 of " count " put, 0 deleted, 0 refused"

enum { MANY = 1000, ROUND_MS = 10000 };

static const char *config_of(const struct cluster *c, const struct node *n)
{
	return text_of("%s/%s.yaml", c->dir, n->name);
}

/* `children` are the lines below that word. */
static void declare(const struct cluster *c, const struct node *n, const char *children)
{
	char *yaml = NULL;
	int bytes = asprintf(
		&yaml, "cluster: horde\nchildren:%s\n%s", *children ? "" : " []", children);

	CHECK(bytes > 0, "no memory");
	file_write(config_of(c, n), yaml, (size_t)bytes, 0600);
	free(yaml);
}

/* The last line of a round, and how many there were. */
static const char *last_round(const struct node *n, int *ret_count)
{
	const char *at = node_log(n), *last = NULL;

	for (*ret_count = 0; (at = strstr(at, DONE)); at++, (*ret_count)++)
		last = at;
	return last;
}

static int rounds(const struct node *n)
{
	int count;

	(void)last_round(n, &count);
	return count;
}

/* Waits for the end of a round beyond the first `before`, which must have done this. */
static void until_round(const struct node *n, int before, const char *did)
{
	int64_t end = check_now_ms() + check_ms(ROUND_MS);
	const char *line;
	int count;

	while (line = last_round(n, &count), count <= before) {
		CHECK(check_now_ms() < end, "%s has ended %d rounds:\n%s", n->name, count,
			node_log(n));
		check_pause_ms(5);
	}
	line = text_of("%.*s", (int)strcspn(line, "\n"), line);
	CHECK(strstr(line, did), "%s did not say '%s': %s", n->name, did, line);
}

static void reload(const struct node *n, const char *did)
{
	int before = rounds(n);

	node_signal((struct node *)(uintptr_t)n, SIGHUP);
	until_round(n, before, did);
}

static void start_again(struct node *n, const char *did)
{
	int before = rounds(n);

	node_start(n);
	node_wait_ready(n);
	until_round(n, before, did);
}

static void restart(struct node *n, const char *did)
{
	CHECK_INT(node_term(n, 10000), 0);
	start_again(n, did);
}

/* A further node with a file of its own. */
static struct node *add(struct cluster *c, const char *children, const char *did)
{
	struct node *n = cluster_declare(c, c->count ? &c->nodes[0] : NULL, NULL);

	declare(c, n, children);
	node_set_flag(n, "--config", config_of(c, n));
	start_again(n, did);
	return n;
}

static void delete_child(const struct cluster *c, const struct node *at, const char *id)
{
	expect_status(node_call(at, "DELETE", NULL, CHILDREN "/%s", id), 204);
	for (int i = 0; i < c->count; i++)
		http_until_status(
			node_url(&c->nodes[i], CHILDREN "/%s", id), 404, check_ms(CLUSTER_SOON_MS));
}

static pid_t pid_of(const struct node *at, const char *id)
{
	return (pid_t)json_number_at(
		child_until(at, id, "running", CLUSTER_SOON_MS)->json, "status.pid");
}

/* Waits until this node knows the child with this last word of its command. */
static void until_word(const struct node *at, const char *id, const char *word)
{
	http_until_str(
		node_url(at, CHILDREN "/%s", id), "command.1", word, check_ms(CLUSTER_SOON_MS));
}

CLUSTER_TEST(declared, a_child_of_the_file_runs_once_whichever_nodes_declare_it)
{
	struct cluster *c = cluster_new(NULL);
	char *first = trace_spec(c, "\"labels\":{\"v\":\"1\"}");
	char *second = trace_spec(c, "\"env\":{\"V\":\"2\"}");
	const char *web = text_of(WEB, first);
	struct node *n[3];
	pid_t pid;

	n[0] = add(c, web, "1 of 1 put, 0 deleted");
	pid = pid_of(n[0], "web");
	CHECK_STR(json_str(child_get(n[0], "web")->json, "source"), "file");
	n[1] = add(c, web, NOTHING_DONE("1"));
	n[2] = add(c, web, NOTHING_DONE("1"));
	for (int i = 0; i < 3; i++) {
		reload(n[i], NOTHING_DONE("1"));
		CHECK_INT(pid_of(n[i], "web"), pid);
	}
	web = text_of(WEB, second);
	for (int i = 0; i < 3; i++) {
		declare(c, n[i], web);
		reload(n[i], i == 0 ? "1 of 1 put, 0 deleted" : NOTHING_DONE("1"));
		CHECK(child_until_new_pid(n[i], "web", pid, CLUSTER_SOON_MS) != pid, "as it was");
	}
	trace_until_starts(c, "web", NULL, 2, CLUSTER_SOON_MS);
	trace_no_overlap(c);
	declare(c, n[2], "");
	reload(n[2], "0 of 0 put, 1 deleted");
	for (int i = 0; i < 3; i++)
		http_until_status(node_url(n[i], CHILDREN "/web"), 404, check_ms(CLUSTER_SOON_MS));
	reload(n[0], NOTHING_DONE("1"));
	free(first);
	free(second);
}

CLUSTER_TEST(declared, nodes_with_different_files_do_not_roll_each_other_back)
{
	struct cluster *c = cluster_new(NULL);
	struct node *old = add(c, text_of(WEB, SLEEPER), "1 of 1 put"), *young;
	pid_t pid;

	add(c, "", NOTHING_DONE("0"));
	young = add(c, text_of(WEB, OTHER), "1 of 1 put");
	until_word(old, "web", "1001");
	reload(old, NOTHING_DONE("1"));
	restart(old, NOTHING_DONE("1"));
	until_word(old, "web", "1001");
	restart(young, NOTHING_DONE("1"));
	node_kill(old);
	start_again(old, NOTHING_DONE("1"));
	until_word(young, "web", "1001");
	/* Now the file of the older one changes, and that counts. */
	declare(c, old, text_of(WEB, THIRD));
	reload(old, "1 of 1 put");
	until_word(young, "web", "1002");
	reload(young, NOTHING_DONE("1"));
	restart(young, NOTHING_DONE("1"));
	pid = pid_of(young, "web");
	CHECK_STR(json_str(child_get(young, "web")->json, "command.1"), "1002");
	/* The same word comes to the other: there is nothing left to do. */
	declare(c, young, text_of(WEB, THIRD));
	reload(young, NOTHING_DONE("1"));
	CHECK_INT(pid_of(young, "web"), pid);
	declare(c, old, "");
	reload(old, "1 deleted");
	http_until_status(node_url(young, CHILDREN "/web"), 404, check_ms(CLUSTER_SOON_MS));
	restart(young, NOTHING_DONE("1"));
	expect_problem(node_call(young, "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
}

/* Each of these is somebody's own word, also where it says what the file said. */
CLUSTER_TEST(declared, what_a_request_puts_is_no_longer_the_file_s)
{
	static const char *const ids[] = {"put", "patch", "apply", "stopped"};
	struct cluster *c = cluster_new(NULL);
	const char *all = "";
	struct node *n;
	pid_t pid;

	for (int i = 0; i < 4; i++)
		all = text_of("%s  - {id: %s, spec: " SLEEPER "}\n", all, ids[i]);
	n = add(c, all, "4 of 4 put");
	pid = pid_of(n, "put");
	pid_of(n, "patch");
	pid_of(n, "apply");
	expect_status(child_put(n, "put", SLEEPER), 200);
	expect_status(node_call(n, "PATCH", "{\"labels\":{\"a\":\"b\"}}", CHILDREN "/patch"), 200);
	expect_status(node_call(n, "POST", "{\"items\":[{\"id\":\"apply\",\"spec\":" SLEEPER "}]}",
			      "/v1/supervisors/default/apply"),
		200);
	expect_status(node_call(n, "POST", NULL, CHILDREN "/stopped/stop"), 200);
	CHECK_INT(pid_of(n, "put"), pid);
	for (int i = 0; i < 4; i++)
		CHECK_STR(json_str(child_get(n, ids[i])->json, "source"), i < 3 ? "api" : "file");
	restart(n, NOTHING_DONE("4"));
	declare(c, n, "");
	reload(n, "0 of 0 put, 1 deleted");
	http_until_status(node_url(n, CHILDREN "/stopped"), 404, check_ms(CLUSTER_SOON_MS));
	for (int i = 0; i < 3; i++)
		child_until(n, ids[i], "running", CLUSTER_SOON_MS);
	/* They were forgotten: named again, they are as they are; said otherwise, they are put. */
	declare(c, n, text_of("  - {id: put, spec: %s}\n", SLEEPER));
	reload(n, NOTHING_DONE("1"));
	CHECK_STR(json_str(child_get(n, "put")->json, "source"), "api");
	declare(c, n, text_of("  - {id: put, spec: %s}\n", OTHER));
	reload(n, "1 of 1 put");
	CHECK_STR(json_str(child_get(n, "put")->json, "source"), "file");
}

CLUSTER_TEST(declared, what_was_deleted_is_not_brought_back_by_the_same_file)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n = add(c, text_of(WEB, SLEEPER), "1 of 1 put");

	add(c, text_of(WEB, SLEEPER), NOTHING_DONE("1"));
	pid_of(n, "web");
	delete_child(c, n, "web");
	reload(n, NOTHING_DONE("1"));
	restart(n, NOTHING_DONE("1"));
	node_kill(&c->nodes[1]);
	start_again(&c->nodes[1], NOTHING_DONE("1"));
	expect_problem(node_call(n, "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
	declare(c, n, text_of(WEB, OTHER));
	reload(n, "1 of 1 put");
	pid_of(n, "web");
}

/* No file says that a child is gone; one that is empty does. */
CLUSTER_TEST(declared, without_a_file_nothing_is_done)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n = cluster_declare(c, NULL, NULL);

	declare(c, n, text_of(WEB, SLEEPER));
	node_set_env(n, "HORDE_CONFIG", config_of(c, n));
	start_again(n, "1 of 1 put");
	pid_of(n, "web");
	CHECK_INT(node_term(n, 10000), 0);
	node_set_env(n, "HORDE_CONFIG", NULL);
	node_start(n);
	node_wait_ready(n);
	node_signal(n, SIGHUP);
	node_wait_log(n, "event=declared.none", ROUND_MS);
	pid_of(n, "web");
	CHECK_INT(node_term(n, 10000), 0);
	file_write(config_of(c, n), "# empty\n", 8, 0600);
	node_set_env(n, "HORDE_CONFIG", config_of(c, n));
	start_again(n, "0 of 0 put, 1 deleted");
	http_until_status(node_url(n, CHILDREN "/web"), 404, check_ms(CLUSTER_SOON_MS));
}

CLUSTER_TEST(declared, a_file_with_faults_refuses_the_start_and_names_them_all)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n = cluster_declare(c, NULL, NULL);

	declare(c, n,
		"  - {id: a, spec: {command: []}}\n  - {id: -b, spec: {command: [x]}}\n"
		"  - {id: c, spec: {command: [x], ready: {kind: tcp}}}\n"
		"  - {id: c, spec: {command: [x]}}\n");
	node_set_flag(n, "--config", config_of(c, n));
	node_set_flag(n, "--log-level", "loud");
	node_start(n);
	CHECK_INT(node_wait_exit(n, ROUND_MS), 2);
	CHECK(strstr(node_log(n), ": /children/0/spec/command: "), "%s", node_log(n));
	CHECK(strstr(node_log(n), ": /children/1/id: "), "%s", node_log(n));
	CHECK(strstr(node_log(n), ": /children/2/spec/ready/port: "), "%s", node_log(n));
	CHECK(strstr(node_log(n), "loud"), "%s", node_log(n));
}

CLUSTER_TEST(declared, a_file_with_faults_changes_nothing_at_a_hangup)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n = add(c, text_of(WEB, SLEEPER), "1 of 1 put");
	pid_t pid = pid_of(n, "web");
	int before = rounds(n);

	declare(c, n, "  - {id: a, spec: {command: [x]}}\n  - {id: b}\n  - {id: c}\n");
	node_signal(n, SIGHUP);
	node_wait_log(n, "/children/2/spec: is missing", ROUND_MS);
	CHECK(strstr(node_log(n), "/children/1/spec: is missing"), "%s", node_log(n));
	file_write(config_of(c, n), "nam: x\n", 7, 0600);
	node_signal(n, SIGHUP);
	node_wait_log(n, "unknown key 'nam'", ROUND_MS);
	CHECK(unlink(config_of(c, n)) == 0, "cannot remove it");
	node_signal(n, SIGHUP);
	node_wait_log(n, "No such file", ROUND_MS);
	CHECK_INT(rounds(n), before);
	CHECK_INT(pid_of(n, "web"), pid);
	expect_problem(node_call(n, "GET", NULL, CHILDREN "/a"), 404, "child-not-found");
	declare(c, n, text_of(WEB, SLEEPER));
	reload(n, NOTHING_DONE("1"));
	CHECK_INT(pid_of(n, "web"), pid);
}

/* `count` lines, to be freed. */
static char *many(int count)
{
	char *lines = NULL;
	size_t bytes;
	FILE *out = open_memstream(&lines, &bytes);

	CHECK(out, "no memory");
	for (int i = 0; i < count; i++)
		fprintf(out, "  - {id: web-%d, spec: " SLEEPER "}\n", i);
	fclose(out);
	return lines;
}

CLUSTER_TEST(declared, a_thousand_run_over_three_nodes_and_one_more_is_refused)
{
	struct cluster *c = cluster_start(2, NULL);
	char *all = many(MANY), *more = many(MANY + 1);
	struct node *n = add(c, "", NOTHING_DONE("0"));

	cluster_settle(c);
	declare(c, n, all);
	reload(n, "1000 of 1000 put, 0 deleted, 0 refused");
	children_until_active(c, MANY, 20000);
	declare(c, n, more);
	node_signal(n, SIGHUP);
	node_wait_log(n, "/children: must have at most 1000 items", ROUND_MS);
	free(all);
	free(more);
}

CLUSTER_TEST(declared, what_finds_no_supervisor_or_no_room_is_tried_again)
{
	struct cluster *c = cluster_new(NULL);
	struct node *n = add(c,
		"  - {id: a, supervisor: team, spec: " SLEEPER "}\n"
		"  - {id: b, supervisor: team, spec: " SLEEPER "}\n"
		"  - {id: web, spec: " SLEEPER "}\n",
		"1 of 3 put, 0 deleted, 2 refused");

	pid_of(n, "web");
	node_wait_log(n, "there is no such supervisor", ROUND_MS);
	expect_status(node_call(n, "PUT", "{\"max_children\":1}", "/v1/supervisors/team"), 201);
	node_wait_log(n, "has no room", ROUND_MS);
	http_until_status(node_url(n, "/v1/supervisors/team/children/a"), 200, check_ms(ROUND_MS));
	expect_problem(node_call(n, "GET", NULL, "/v1/supervisors/team/children/b"), 404, NULL);
	expect_status(node_call(n, "PUT", "{\"max_children\":2}", "/v1/supervisors/team"), 200);
	http_until_status(node_url(n, "/v1/supervisors/team/children/b"), 200, check_ms(ROUND_MS));
}

/* How often a child may be restarted, and what each policy does beyond that. */
#include "tests/integration/suite.h"

SUITE(budgets);

/* At least so many; it may go on. */
static void until_starts(const struct cluster *c, const char *id, int least)
{
	int64_t end = check_now_ms() + check_ms(15000);

	while (trace_starts(c, id, NULL) < least) {
		CHECK(check_now_ms() < end, "only %d starts of %s", trace_starts(c, id, NULL), id);
		check_pause_ms(10);
	}
}

static void act_kill(const struct node *at, const char *id)
{
	expect_success(node_call(at, "POST", "{\"signal\":\"KILL\"}", CHILDREN "/%s/signal", id));
}

#define SOON "\"backoff\":{\"initial_ms\":1,\"max_ms\":1},\"max_seconds\":86400"
#define BUDGET(n, policy) SOON ",\"max_restarts\":" #n ",\"on_max_restarts\":\"" policy "\""
#define EXEC(script) "\"kind\":\"exec\",\"command\":[\"/bin/sh\",\"-c\",\"" script "\"]"
#define ILL "\"health\":[{" EXEC("exit 1") ",\"period_ms\":1000,\"threshold\":1,\"grace_ms\":0}]"
#define UNREADY "\"ready\":{" EXEC("exit 1") ",\"timeout_ms\":200,\"period_ms\":100}"

/* Two failures, one of which is in order. */
CLUSTER_TEST(budgets, every_failure_counts_and_no_success_of_a_transient_does)
{
	static const struct {
		const char *id, *script, *type, *members, *state, *reason;
		int code, signal, starts;
	} some[] = {
		{"code", "exit 1", "permanent", "", "failed", "max_restarts", 1, -1, 2},
		{"clean", "exit 0", "permanent", "", "failed", "max_restarts", 0, -1, 2},
		{"signal", "kill -9 $$$$", "permanent", "", "failed", "max_restarts", -1, 9, 2},
		{"ill", "exec sleep 1000", "permanent", "," ILL, "failed", "max_restarts", -1, 15,
			2},
		{"unready", "exec sleep 1000", "permanent", "," UNREADY, "failed", "max_restarts",
			-1, 15, 2},
		{"missing", NULL, "permanent", "", "failed", "max_restarts", -1, -1, 0},
		{"t-code", "exit 1", "transient", "", "failed", "max_restarts", 1, -1, 2},
		{"t-signal", "kill -9 $$$$", "transient", "", "failed", "max_restarts", -1, 9, 2},
		{"t-missing", NULL, "transient", "", "failed", "max_restarts", -1, -1, 0},
		{"t-clean", "exit 0", "transient", "", "exited", "exit", 0, -1, 1},
		{"once", "exit 1", "temporary", "", "exited", "exit", 1, -1, 1},
	};
	struct cluster *c = cluster_start(1, NULL);

	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		char *spec = trace_script(c, some[i].script ? some[i].script : "",
			text_of("\"restart\":\"%s\"," BUDGET(1, "fail_child") "%s%s", some[i].type,
				some[i].members,
				some[i].script ? "" : ",\"cwd\":\"/no/such/directory\""));

		expect_status(child_put(&c->nodes[0], some[i].id, spec), 201);
		free(spec);
	}
	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		struct http_reply *r =
			child_until(&c->nodes[0], some[i].id, some[i].state, CLUSTER_FAIL_MS);

		CHECK_STR(json_str(r->json, "status.reason"), some[i].reason);
		CHECK_INT(json_number_at(r->json, "status.last_exit.code"), some[i].code);
		CHECK_INT(json_number_at(r->json, "status.last_exit.signal"), some[i].signal);
		CHECK_INT(json_number_at(r->json, "status.restarts"),
			strcmp(some[i].state, "failed") == 0);
		CHECK_STR(json_str(r->json, "status.error"),
			some[i].script ? json_str(r->json, "status.error") : "chdir: ENOENT");
		trace_until_starts(c, some[i].id, NULL, some[i].starts, CLUSTER_SOON_MS);
	}
	trace_stays(c, 300);
}

CLUSTER_TEST(budgets, without_any_restart_in_order_the_first_failure_is_the_last)
{
	struct cluster *c = cluster_start(1, NULL);
	char *spec = trace_script(c, "exit 1", BUDGET(0, "fail_child"));
	struct http_reply *r;

	expect_status(child_put(&c->nodes[0], "job", spec), 201);
	free(spec);
	r = child_until(&c->nodes[0], "job", "failed", CLUSTER_SOON_MS);
	CHECK_STR(json_str(r->json, "status.reason"), "max_restarts");
	CHECK_INT(json_number_at(r->json, "status.restarts"), 0);
	CHECK_INT(trace_starts(c, "job", NULL), 1);
	/* Only restart revives it; to start one is for what was stopped. */
	r = expect_success(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/job/start"));
	CHECK_STR(json_str(r->json, "status.state"), "failed");
	trace_stays(c, 200);
	expect_success(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/job/restart"));
	trace_until_starts(c, "job", NULL, 2, CLUSTER_SOON_MS);
	child_until(&c->nodes[0], "job", "failed", CLUSTER_SOON_MS);
}

/* Each of them fails five times, which would be too often within the time that counts. */
CLUSTER_TEST(budgets, failures_far_apart_never_use_it_up)
{
	static const char script[] = "sleep 1.2; exit 1";
	static const struct {
		const char *id, *members;
		bool fails;
	} some[] = {
		{"apart", "\"max_seconds\":1,\"backoff\":{\"initial_ms\":1,\"max_ms\":1}", false},
		{"close", "\"max_seconds\":60,\"backoff\":{\"initial_ms\":1,\"max_ms\":1}", true},
		{"begins-anew",
			"\"max_seconds\":86400,\"backoff\":{\"initial_ms\":600000,"
			"\"max_ms\":600000,\"reset_after_ms\":500}",
			false},
	};
	struct cluster *c = cluster_start(1, NULL);

	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		char *spec = trace_script(c, script,
			text_of("\"max_restarts\":1,\"on_max_restarts\":\"fail_child\",%s",
				some[i].members));

		expect_status(child_put(&c->nodes[0], some[i].id, spec), 201);
		free(spec);
	}
	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		if (!some[i].fails)
			until_starts(c, some[i].id, 5);
		CHECK_INT(
			strcmp(json_str(child_get(&c->nodes[0], some[i].id)->json, "status.state"),
				"failed") == 0,
			some[i].fails);
	}
	CHECK_INT(trace_starts(c, "close", NULL), 2);
}

/* ---- what happens beyond it ---- */

#define TEAM "/v1/supervisors/team"
#define ALONE "{\"command\":[\"/bin/sleep\",\"1000\"],\"restart\":\"temporary\"}"

static struct http_reply *team_put(const struct node *at, const char *id, const char *spec)
{
	return expect_status(node_call(at, "PUT", spec, TEAM "/children/%s", id), 201);
}

static void team_until(struct cluster *c, const char *id, const char *state)
{
	for (int i = 0; i < c->count; i++)
		http_until_str(node_url(&c->nodes[i], TEAM "/children/%s", id), "status.state",
			state, check_ms(CLUSTER_FAIL_MS));
}

/* The child `crash` is ill from now on; and cured. */
static void say_of_crash(const struct cluster *c, const char *what)
{
	file_write(text_of("%s/trace.%s", c->dir, what), "", 0, 0600);
}

static void make_team(struct cluster *c)
{
	struct node *at = &c->nodes[0];
	char *spec = trace_script(c,
		"[ -e \"$1.cured\" ] || [ ! -e \"$1.ill\" ] || exit 1; : >\"$1.well\"; exec sleep "
		"1000",
		BUDGET(1, "stop_supervisor"));

	expect_status(node_call(at, "PUT", "{}", TEAM), 201);
	team_put(at, "a", SLEEPER);
	team_put(at, "b", SLEEPER);
	team_put(at, "temp", ALONE);
	team_put(at, "off", SLEEPER);
	expect_status(node_call(at, "POST", NULL, TEAM "/children/off/stop"), 200);
	team_put(at, "done", "{\"command\":[\"/bin/true\"],\"restart\":\"transient\"}");
	team_until(c, "done", "exited");
	team_put(at, "crash", spec);
	free(spec);
	file_wait(text_of("%s/trace.well", c->dir), CLUSTER_SOON_MS);
}

CLUSTER_TEST(budgets, stop_supervisor_stops_all_until_it_is_started)
{
	struct cluster *c = cluster_start(3, NULL);
	pid_t other = (pid_t)json_number_at(
		child_start(&c->nodes[0], "other", SLEEPER)->json, "status.pid");
	struct http_reply *r;

	make_team(c);
	expect_problem(node_call(&c->nodes[1], "POST", NULL, TEAM "/start"), 409, "wrong-state");
	say_of_crash(c, "ill");
	expect_success(node_call(
		&c->nodes[2], "POST", "{\"signal\":\"KILL\"}", TEAM "/children/crash/signal"));
	for (int i = 0; i < 3; i++) {
		r = http_until_str(node_url(&c->nodes[i], TEAM), "state", "stopped",
			check_ms(CLUSTER_FAIL_MS));
		CHECK_STR(json_str(r->json, "stopped_by"), "team/crash");
	}
	team_until(c, "a", "stopped");
	team_until(c, "b", "stopped");
	team_until(c, "off", "stopped");
	children_until_processes("sleep 1000", 1, CLUSTER_SOON_MS);
	CHECK(procs_alive(other), "a child of another supervisor was ended");
	trace_stays(c, 300);

	say_of_crash(c, "cured");
	r = expect_status(node_call(&c->nodes[1], "POST", NULL, TEAM "/start"), 200);
	CHECK_STR(json_str(r->json, "state"), "running");
	CHECK(!json_at(r->json, "stopped_by"), "still: %s", r->body);
	team_until(c, "a", "running");
	team_until(c, "b", "running");
	team_until(c, "crash", "running");
	team_until(c, "off", "stopped");
	team_until(c, "done", "exited");
	/* a, b and crash; the temporary one is never started twice. */
	children_until_processes("sleep 1000", 4, CLUSTER_SOON_MS);
	CHECK_INT(json_number_at(child_get(&c->nodes[0], "other")->json, "status.pid"), other);
}

/* It stays stopped over the end of all daemons. */
CLUSTER_TEST(budgets, a_stopped_supervisor_stays_so_over_a_restart)
{
	struct cluster *c = cluster_start(1, NULL);

	make_team(c);
	say_of_crash(c, "ill");
	expect_success(node_call(
		&c->nodes[0], "POST", "{\"signal\":\"KILL\"}", TEAM "/children/crash/signal"));
	team_until(c, "a", "stopped");
	/* What is answered later is on disk later, so this is there too. */
	expect_success(node_call(&c->nodes[0], "PUT", "{\"value\":1}", META "/mark"));
	node_kill(&c->nodes[0]);
	node_start(&c->nodes[0]);
	cluster_settle(c);
	CHECK_STR(json_str(expect_status(node_call(&c->nodes[0], "GET", NULL, TEAM), 200)->json,
			  "state"),
		"stopped");
	team_until(c, "a", "stopped");
	trace_stays(c, 300);
	CHECK_INT(children_processes("sleep 1000"), 0);
}

/* A node where it cannot run. */
static void spoil(struct cluster *c, const struct node *node)
{
	file_write(text_of("%s/trace.bad.%s", c->dir, node->name), "", 0, 0600);
}

static const char bad_here[] =
	"[ -e \"$1.bad.$HORDE_NODE\" ] && exit 1; : >\"$1.good.$HORDE_NODE\"; exec sleep 1000";

/* It runs there, and has seen that it can. */
static void is_well_on(const struct cluster *c, const struct node *node)
{
	file_wait(text_of("%s/trace.good.%s", c->dir, node->name), CLUSTER_SOON_MS);
}

static bool runs_elsewhere(const struct http_reply *child, const void *argument)
{
	return strcmp(json_str(child->json, "status.state"), "running") == 0 &&
	       strcmp(json_str(child->json, "status.node"), argument) != 0;
}

CLUSTER_TEST(budgets, s033_reschedule_goes_on_elsewhere_and_not_back)
{
	struct cluster *c = cluster_start(3, NULL);
	char *spec = trace_script(c, bad_here, BUDGET(1, "reschedule"));
	struct http_reply *r = child_start(&c->nodes[0], "web", spec);
	struct node *first = child_owner(c, r), *second, *third;

	free(spec);
	is_well_on(c, first);
	spoil(c, first);
	act_kill(first, "web");
	r = http_until(node_url(&c->nodes[0], CHILDREN "/web"), runs_elsewhere, first->name,
		check_ms(CLUSTER_FAIL_MS), "it to go elsewhere");
	second = child_owner(c, r);
	/* Once before, and once for the one restart that was in order. */
	trace_until_starts(c, "web", first->name, 2, CLUSTER_SOON_MS);
	is_well_on(c, second);
	for (int i = 0; i < 3; i++)
		http_until_str(node_url(&c->nodes[i], CHILDREN "/web"), "status.node", second->name,
			check_ms(CLUSTER_SOON_MS));
	spoil(c, second);
	act_kill(second, "web");
	r = http_until(node_url(&c->nodes[0], CHILDREN "/web"), runs_elsewhere, second->name,
		check_ms(CLUSTER_FAIL_MS), "it to go elsewhere once more");
	third = child_owner(c, r);
	CHECK(third != first, "it went back to %s", first->name);
	/* Nobody is left: it goes on trying where it is. */
	is_well_on(c, third);
	spoil(c, third);
	act_kill(third, "web");
	until_starts(c, "web", trace_starts(c, "web", NULL) + 5);
	CHECK(trace_starts(c, "web", third->name) >= 6, "not on %s", third->name);
	CHECK_INT(trace_starts(c, "web", first->name), 2);
	trace_no_overlap(c);
}

CLUSTER_TEST(budgets, reschedule_goes_on_alone)
{
	struct cluster *c = cluster_start(1, NULL);
	char *spec = trace_script(c, "exit 1", BUDGET(0, "reschedule"));

	expect_status(child_put(&c->nodes[0], "web", spec), 201);
	free(spec);
	until_starts(c, "web", 8);
	CHECK(strcmp(json_str(child_get(&c->nodes[0], "web")->json, "status.state"), "failed") != 0,
		"it gave up");
}

/* What becomes of a child: every restart type with every way to end. */
#include "tests/integration/suite.h"

SUITE(policies);

enum type { PERMANENT, TRANSIENT, TEMPORARY, TYPES };

static const char *const types[TYPES] = {"permanent", "transient", "temporary"};

/* A first life that ends is followed by one that lasts, if any. */
struct outcome {
	const char *state;
	int restarts, starts;
};

static const struct outcome again = {"running", 1, 2};
static const struct outcome anew = {"running", 0, 2}; /* asked for, so it is not counted */
static const struct outcome ended = {"exited", 0, 1};
static const struct outcome stopped = {"stopped", 0, 1};
/* The first restart is at once, the second one is a long time off, and counted already. */
static const struct outcome waits = {"backoff", 2, 0};
static const struct outcome never = {"exited", 0, 0};

typedef void act_fn(const struct node *at, const char *id);

static void act_kill(const struct node *at, const char *id)
{
	pid_t pid = (pid_t)json_number_at(child_get(at, id)->json, "status.pid");

	CHECK(kill(pid, SIGKILL) == 0, "there is no process %d of %s", (int)pid, id);
}

static void act_signal(const struct node *at, const char *id)
{
	expect_success(node_call(at, "POST", "{\"signal\":\"TERM\"}", CHILDREN "/%s/signal", id));
}

static void act_stop(const struct node *at, const char *id)
{
	expect_status(node_call(at, "POST", NULL, CHILDREN "/%s/stop", id), 200);
}

static void act_restart(const struct node *at, const char *id)
{
	expect_status(node_call(at, "POST", NULL, CHILDREN "/%s/restart", id), 200);
}

/* The first life leaves a mark, by which the second one knows that it is to last. */
#define MARK ": >$TRACE.$HORDE_CHILD.once; "
#define LIVE MARK "exec sleep 1000"
/* In place of a script: a program that is not there. */
#define MISSING NULL
/* A check that fails once. */
#define ILL_ONCE                                                                                   \
	"\"health\":[{\"kind\":\"exec\",\"command\":[\"/bin/sh\",\"-c\",\"[ -e "                   \
	"$TRACE.$HORDE_CHILD.ill ] || { : >$TRACE.$HORDE_CHILD.ill; exit 1; }\"],"                 \
	"\"period_ms\":1000,\"threshold\":1,\"grace_ms\":0}]"
/* Only the second life gets ready. */
#define READY_TWICE(ms)                                                                            \
	"\"ready\":{\"kind\":\"exec\",\"timeout_ms\":" ms ",\"period_ms\":100,\"command\":["       \
	"\"/bin/sh\",\"-c\",\"[ -e $TRACE.$HORDE_CHILD.twice ]\"]}"
#define AGAIN_BUT_TEMPORARY                                                                        \
	{                                                                                          \
		&again, &again, &ended                                                             \
	}
#define ALL(outcome)                                                                               \
	{                                                                                          \
		&(outcome), &(outcome), &(outcome)                                                 \
	}

static const struct row {
	const char *id, *script, *members, *reason;
	int code, signal; /* of the first life's end; -1: none */
	const struct outcome *outcomes[TYPES];
	act_fn *act;
} rows[] = {
	{"exit-0", MARK "exit 0", "", "exit", 0, -1, {&again, &ended, &ended}, NULL},
	{"exit-3", MARK "exit 3", "", "exit", 3, -1, AGAIN_BUT_TEMPORARY, NULL},
	{"listed", MARK "exit 3", "\"success_exit_codes\":[0,3]", "exit", 3, -1,
		{&again, &ended, &ended}, NULL},
	{"unlisted-0", MARK "exit 0", "\"success_exit_codes\":[3]", "exit", 0, -1,
		AGAIN_BUT_TEMPORARY, NULL},
	{"none-listed", MARK "exit 0", "\"success_exit_codes\":[]", "exit", 0, -1,
		AGAIN_BUT_TEMPORARY, NULL},
	{"killed", LIVE, "", "signal", -1, SIGKILL, AGAIN_BUT_TEMPORARY, act_kill},
	/* 128 + 9 is what a shell says of a signal; here it is a code like any other. */
	{"listed-137", LIVE, "\"success_exit_codes\":[0,9,137]", "signal", -1, SIGKILL,
		AGAIN_BUT_TEMPORARY, act_kill},
	{"signalled", LIVE, "", "signal", -1, SIGTERM, AGAIN_BUT_TEMPORARY, act_signal},
	{"aborts", MARK "kill -ABRT $$$$", "", "signal", -1, SIGABRT, AGAIN_BUT_TEMPORARY, NULL},
	{"faults", MARK "kill -SEGV $$$$", "", "signal", -1, SIGSEGV, AGAIN_BUT_TEMPORARY, NULL},
	{"missing", MISSING, "", "spawn_error", -1, -1, {&waits, &waits, &never}, NULL},
	{"stopped", LIVE, "", "terminated", -1, SIGTERM, ALL(stopped), act_stop},
	{"stopped-9", LIVE, "\"shutdown\":{\"timeout_ms\":0}", "terminated", -1, SIGKILL,
		ALL(stopped), act_stop},
	{"stopped-7", "trap 'exit 7' TERM; " MARK "sleep 1000 & wait", "", "terminated", 7, -1,
		ALL(stopped), act_stop},
	{"restarted", LIVE, "", "none", -1, SIGTERM, ALL(anew), act_restart},
	{"ill", LIVE, ILL_ONCE, "health", -1, SIGTERM, AGAIN_BUT_TEMPORARY, NULL},
	{"not-ready", LIVE, READY_TWICE("1500"), "start_timeout", -1, SIGTERM, AGAIN_BUT_TEMPORARY,
		NULL},
	{"declines", MARK "exit 0", READY_TWICE("60000"), "declined", 0, -1, ALL(ended), NULL},
	{"declines-3", MARK "exit 3", READY_TWICE("60000") ",\"success_exit_codes\":[3]",
		"declined", 3, -1, ALL(ended), NULL},
	{"fails-early", MARK "exit 3", READY_TWICE("60000"), "exit", 3, -1, AGAIN_BUT_TEMPORARY,
		NULL},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static char *spec_of(const struct cluster *c, const struct row *row, enum type type)
{
	static const char twice[] =
		"[ -e $TRACE.$HORDE_CHILD.once ] && { : >$TRACE.$HORDE_CHILD.twice; "
		"exec sleep 1000; }; %s";
	const char *members = text_of("\"restart\":\"%s\",\"env\":{\"TRACE\":\"%s/trace\"},"
				      "\"backoff\":{\"initial_ms\":600000,\"max_ms\":600000}%s%s",
		types[type], c->dir, *row->members ? "," : "", row->members);
	char *spec;

	if (row->script)
		return trace_script(c, text_of(twice, row->script), members);
	CHECK(asprintf(&spec, "{\"command\":[\"%s/no-such\"],%s}", c->dir, members) > 0,
		"no memory");
	return spec;
}

static bool is_so(const struct http_reply *child, const void *argument)
{
	const struct outcome *so = argument;

	return strcmp(json_str(child->json, "status.state"), so->state) == 0 &&
	       json_number_at(child->json, "status.restarts") == so->restarts;
}

/* Its history tells how the first life ended, also when there was a second. */
static void history_has(const struct node *at, const struct row *row)
{
	struct http_reply *r =
		expect_status(node_call(at, "GET", NULL, CHILDREN "/%s/history", row->id), 200);
	json_t *item;
	size_t i;

	json_array_foreach(json_at(r->json, "items"), i, item)
	{
		if (strcmp(json_str(item, "reason"), row->reason) == 0 &&
			json_number_at(item, "code") == row->code &&
			json_number_at(item, "signal") == row->signal)
			return;
	}
	CHECK(false, "%s: no end by %s in %s", row->id, row->reason, r->body);
}

static void expect_outcome(struct cluster *c, const struct row *row, enum type type)
{
	const struct outcome *so = row->outcomes[type];
	const struct node *at = &c->nodes[0];
	bool runs = strcmp(so->state, "running") == 0;
	struct http_reply *r = http_until(node_url(at, CHILDREN "/%s", row->id), is_so, so,
		check_ms(CLUSTER_FAIL_MS),
		text_of("%s %s to be %s, restarted %d times", types[type], row->id, so->state,
			so->restarts));

	CHECK_STR(json_str(r->json, "status.reason"), runs ? "none" : row->reason);
	CHECK_INT(json_number_at(r->json, "status.last_exit.code"), row->code);
	CHECK_INT(json_number_at(r->json, "status.last_exit.signal"), row->signal);
	CHECK_STR(json_str(r->json, "desired"), so == &stopped ? "stopped" : "running");
	CHECK_INT(json_number_at(r->json, "status.pid") > 0, runs);
	history_has(at, row);
	if (row->script)
		trace_until_starts(c, row->id, NULL, so->starts, CLUSTER_SOON_MS);
}

static void each_row(enum type type)
{
	struct cluster *c = cluster_start(1, NULL);
	const struct node *at = &c->nodes[0];

	for (int i = 0; i < ROWS; i++) {
		char *spec = spec_of(c, &rows[i], type);

		expect_status(child_put(at, rows[i].id, spec), 201);
		free(spec);
	}
	for (int i = 0; i < ROWS; i++)
		if (rows[i].act) {
			file_wait(text_of("%s/trace.%s.once", c->dir, rows[i].id), CLUSTER_SOON_MS);
			rows[i].act(at, rows[i].id);
		}
	for (int i = 0; i < ROWS; i++)
		expect_outcome(c, &rows[i], type);
	trace_stays(c, 500);
	for (int i = 0; i < ROWS; i++)
		expect_outcome(c, &rows[i], type);
	trace_no_overlap(c);
}

CLUSTER_TEST(policies, permanent_is_restarted_unless_it_was_stopped_or_declined)
{
	each_row(PERMANENT);
}

CLUSTER_TEST(policies, transient_is_restarted_after_what_is_no_success)
{
	each_row(TRANSIENT);
}

CLUSTER_TEST(policies, temporary_is_restarted_by_hand_only)
{
	each_row(TEMPORARY);
}

CLUSTER_TEST(policies, the_end_of_a_node_takes_over_all_but_the_temporary)
{
	struct cluster *c = cluster_start(2, NULL);
	const struct node *at = &c->nodes[0];
	char ids[TYPES][64];

	for (int i = 0; i < TYPES; i++) {
		char *spec = trace_spec(c, text_of("\"restart\":\"%s\"", types[i]));

		child_start_on(c, &c->nodes[1], types[i], spec, ids[i], sizeof ids[i]);
		trace_until_starts(c, ids[i], NULL, 1, CLUSTER_SOON_MS);
		free(spec);
	}
	node_kill(&c->nodes[1]);
	for (int i = 0; i < TEMPORARY; i++) {
		struct http_reply *r = child_until_on(at, ids[i], at, CLUSTER_FAIL_MS);

		CHECK_INT(json_number_at(r->json, "status.restarts"), 0);
		trace_until_starts(c, ids[i], at->name, 1, CLUSTER_SOON_MS);
	}
	CHECK_STR(json_str(child_until(at, ids[TEMPORARY], "exited", CLUSTER_FAIL_MS)->json,
			  "status.reason"),
		"node_dead");
	CHECK_INT(trace_starts(c, ids[TEMPORARY], at->name), 0);
	trace_no_overlap(c);
}

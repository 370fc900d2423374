/* Readiness and health of children: what a node does about them. */
#include "server/core/parts.h"
#include "tests/unit/core/support.h"

/* A check that is the record's to free. */
static struct check check_of(enum check_kind kind)
{
	return (struct check){.kind = kind,
		.port = 80,
		.period_ms = 1000,
		.timeout_ms = 400,
		.limit_ms = 5000,
		.grace_ms = 300,
		.threshold = 2};
}

static struct record *with_ready(struct record *r, enum check_kind kind)
{
	r->spec.checks.ready = malloc(sizeof(struct check));
	*r->spec.checks.ready = check_of(kind);
	return r;
}

static struct record *with_health(struct record *r)
{
	r->spec.checks.health = malloc(sizeof(struct check));
	r->spec.checks.health[0] = check_of(CHECK_HTTP);
	r->spec.checks.health_count = 1;
	return r;
}

/* The last PROBE of the latest step that had one. */
static struct action probed;

static void sees(struct node *n)
{
	for (size_t i = 0; i < n->actions.used; i++) {
		const struct action *a = &n->actions.items[i];

		if (a->kind == ACTION_PROBE) {
			probed = *a;
			trace(n, "PROBE %u|", a->check);
		} else if (a->kind == ACTION_UNPROBE) {
			trace(n, "UNPROBE|");
		}
	}
}

static struct node node_with(struct record *spec)
{
	struct node n = node_make("n1", 0);

	n.sees = sees;
	cr_assert_eq(node_put(&n, "default/web", spec), ERR_OK);
	node_started(&n, "default/web", 4711);
	return n;
}

static void answer(struct node *n, bool ok)
{
	struct event e = {.kind = EVENT_PROBED};

	e.probed.ref = "default/web";
	e.probed.epoch = n->epoch;
	e.probed.check = probed.check;
	e.probed.number = probed.number;
	e.probed.ok = ok;
	e.probed.why = ok ? NULL : "status 503";
	node_does(n, &e);
}

static void says(struct node *n, unsigned what, const char *text)
{
	struct event e = {.kind = EVENT_NOTIFIED};

	e.notified.ref = "default/web";
	e.notified.epoch = n->epoch;
	e.notified.what = what;
	e.notified.text = text;
	node_does(n, &e);
}

static const struct status_record *status(const struct node *n)
{
	return &node_get(n, "status/default/web")->record->status;
}

static void cr_state(const struct node *n, enum child_state state, enum reason reason)
{
	struct child_view v = node_child(n, "default/web");

	cr_assert_str_eq(child_state_name(v.state), child_state_name(state));
	cr_assert_str_eq(reason_name(v.reason), reason_name(reason));
}

Test(probe, it_runs_first_and_is_ready_later)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_TCP));

	cr_trace(&n, "spec web|assign web n1 placed|SPAWN web|status web running none|PROBE 0|");
	cr_assert_not(status(&n)->ready);
	answer(&n, false);
	node_wait(&n, 1000);
	cr_trace(&n, "PROBE 0|");
	answer(&n, true);
	cr_trace(&n, "status web running none|");
	cr_assert(status(&n)->ready);
	cr_assert_eq(status(&n)->ready_at_ms, WALL_MS + n.now_ms);
	node_wait(&n, 100000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(probe, without_a_check_it_is_ready_when_it_runs)
{
	struct node n = node_with(plain_spec(1));

	cr_assert(status(&n)->ready);
	cr_assert_null(child_find(n.h, "default/web")->health);
	node_free(&n);
}

Test(probe, not_ready_in_time_is_a_failure_of_its_own)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_NOTIFY));

	n.trace[0] = '\0';
	node_wait(&n, 5000);
	cr_trace(&n, "STOP web 15 5000|");
	node_exited(&n, "default/web", 0, 0);
	cr_trace(&n, "SPAWN web|");
	node_started(&n, "default/web", 4712);
	cr_assert_eq(status(&n)->restarts, 1);
	cr_assert_str_eq(status(&n)->last_exit.error, "not ready in time");
	node_wait(&n, 5000);
	node_exited(&n, "default/web", -1, 15);
	cr_state(&n, CHILD_BACKOFF, REASON_START_TIMEOUT);
	node_free(&n);
}

/* It ends by our TERM with code 0; whatever its type makes of that code by itself. */
Test(probe, what_was_ended_for_its_health_counts_as_abnormal_for_each_type)
{
	static const struct {
		enum restart_type type;
		enum child_state state;
	} rows[] = {{RESTART_PERMANENT, CHILD_RUNNING}, {RESTART_TRANSIENT, CHILD_RUNNING},
		{RESTART_TEMPORARY, CHILD_EXITED}};

	for (size_t i = 0; i < 3; i++) {
		struct node n = node_with(with_health(typed_spec(1, rows[i].type)));

		node_wait(&n, 400);
		answer(&n, false);
		node_wait(&n, 1000);
		n.trace[0] = '\0';
		answer(&n, false);
		cr_trace(&n, "STOP web 15 5000|");
		node_exited(&n, "default/web", 0, 0);
		if (rows[i].state == CHILD_RUNNING)
			node_started(&n, "default/web", 4712);
		cr_assert_eq(node_child(&n, "default/web").state, rows[i].state);
		cr_assert_str_eq(status(&n)->last_exit.error, "http: status 503");
		if (rows[i].state == CHILD_EXITED)
			cr_state(&n, CHILD_EXITED, REASON_HEALTH);
		node_free(&n);
	}
}

Test(probe, failures_of_health_use_up_the_budget)
{
	struct record *r = with_health(plain_spec(1));
	struct node n;

	r->spec.restart.policy = POLICY_FAIL_CHILD;
	r->spec.restart.max_restarts = 0;
	r->spec.checks.health[0].threshold = 1;
	n = node_with(r);
	node_wait(&n, 400);
	answer(&n, false);
	node_exited(&n, "default/web", -1, 15);
	cr_state(&n, CHILD_FAILED, REASON_MAX_RESTARTS);
	node_free(&n);
}

Test(probe, success_before_readiness_declines_and_after_it_does_not)
{
	/* Which code it ends with, whether it was ready, and what that is. */
	static const struct {
		bool ready;
		int code;
		enum child_state state;
		enum reason reason;
	} rows[] = {{false, 0, CHILD_EXITED, REASON_DECLINED},
		{false, 1, CHILD_PENDING, REASON_EXIT}, {true, 0, CHILD_PENDING, REASON_EXIT}};

	for (size_t i = 0; i < 3; i++) {
		struct node n = node_with(with_ready(plain_spec(1), CHECK_NOTIFY));
		const struct child *c = child_find(n.h, "default/web");

		if (rows[i].ready)
			says(&n, NOTIFIED_READY, NULL);
		node_exited(&n, "default/web", rows[i].code, 0);
		cr_assert_eq(c->state, rows[i].state, "row %zu", i);
		cr_assert_eq(c->reason, rows[i].reason, "row %zu", i);
		node_wait(&n, 100);
		if (rows[i].reason == REASON_DECLINED) {
			cr_state(&n, CHILD_EXITED, REASON_DECLINED);
			n.trace[0] = '\0';
			cr_assert_eq(node_restart(&n, "default/web"), ERR_OK);
			cr_trace(&n, "SPAWN web|");
		}
		node_free(&n);
	}
}

Test(probe, success_without_a_check_is_no_decline)
{
	struct node n = node_with(plain_spec(1));

	node_exited(&n, "default/web", 0, 0);
	cr_assert_eq(child_find(n.h, "default/web")->reason, REASON_EXIT);
	node_free(&n);
}

Test(probe, a_stop_takes_back_what_is_tried_and_counts_nothing)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_TCP));

	n.trace[0] = '\0';
	cr_assert_eq(node_remove(&n, "default/web"), ERR_OK);
	cr_trace(&n, "-spec web|STOP web 15 5000|UNPROBE|");
	answer(&n, true);
	node_wait(&n, 20000);
	cr_trace(&n, "");
	node_exited(&n, "default/web", -1, 15);
	cr_assert_null(node_get(&n, "status/default/web"));
	node_free(&n);
}

Test(probe, a_restart_by_hand_of_a_faulty_one_does_not_count)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_NOTIFY));

	node_wait(&n, 5000);
	cr_assert_eq(node_restart(&n, "default/web"), ERR_OK);
	node_exited(&n, "default/web", -1, 15);
	node_started(&n, "default/web", 4712);
	cr_assert_eq(status(&n)->restarts, 0);
	node_free(&n);
}

Test(probe, answers_and_words_of_another_life_are_nothing)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_TCP));

	n.epoch--;
	answer(&n, true);
	says(&n, NOTIFIED_STOPPING, "late");
	cr_assert_not(status(&n)->ready);
	n.epoch++;
	answer(&n, true);
	cr_assert(status(&n)->ready);
	node_free(&n);
}

Test(probe, a_change_of_checks_is_live_and_arms_them_anew)
{
	struct node n = node_with(plain_spec(1));
	struct record *r = with_health(with_ready(plain_spec(2), CHECK_TCP));

	r->spec.process_hash = 1;
	n.trace[0] = '\0';
	cr_assert_eq(node_put(&n, "default/web", r), ERR_OK);
	cr_assert_eq(status(&n)->pid, 4711);
	cr_assert_not(status(&n)->ready);
	answer(&n, true);
	cr_assert(status(&n)->ready);
	node_wait(&n, 400);
	cr_assert_eq(probed.check, 1);
	r = plain_spec(3);
	r->spec.process_hash = 1;
	cr_assert_eq(node_put(&n, "default/web", r), ERR_OK);
	n.trace[0] = '\0';
	node_wait(&n, 100000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(probe, what_it_says_of_itself_is_told_once_a_second)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_NOTIFY));

	says(&n, 0, "one");
	cr_assert_str_eq(status(&n)->text, "one");
	n.trace[0] = '\0';
	for (int i = 0; i < 50; i++)
		says(&n, 0, i % 2 ? "two" : "three");
	cr_trace(&n, "");
	node_wait(&n, STATUS_TEXT_MS);
	cr_trace(&n, "status web running none|");
	cr_assert_str_eq(status(&n)->text, "two");
	says(&n, 0, "two");
	node_wait(&n, 2000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(probe, one_that_says_it_stops_is_not_ready_and_gets_its_time)
{
	struct node n = node_with(with_ready(plain_spec(1), CHECK_NOTIFY));

	says(&n, NOTIFIED_READY, NULL);
	cr_assert(status(&n)->ready);
	says(&n, NOTIFIED_STOPPING, NULL);
	cr_assert_not(status(&n)->ready);
	n.trace[0] = '\0';
	node_wait(&n, 4999);
	cr_trace(&n, "");
	node_wait(&n, 1);
	cr_trace(&n, "STOP web 15 5000|");
	node_free(&n);
}

/* What becomes of a process between the decision that it is to end and its signal. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

static struct record *delayed(uint64_t hash, int64_t delay_ms)
{
	struct record *r = plain_spec(hash);

	r->spec.shutdown_delay_ms = delay_ms;
	return r;
}

static struct node runs(int64_t delay_ms)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", delayed(1, delay_ms));
	n.trace[0] = '\0';
	return n;
}

static void cr_shown(const struct node *n, enum child_state state, bool ready)
{
	const struct status_record *s = &node_get(n, "status/default/a")->record->status;

	cr_assert_str_eq(child_state_name(s->state), child_state_name(state));
	cr_assert_eq(s->ready, ready);
}

Test(withdraw, it_is_shown_as_stopping_first_and_told_after_the_delay)
{
	struct node n = runs(1000);

	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	cr_shown(&n, CHILD_STOPPING, false);
	cr_assert_null(strstr(n.trace, "STOP"));
	cr_assert_leq(horde_deadline_ms(n.h), n.now_ms + 1000);
	node_wait(&n, 999);
	cr_assert_null(strstr(n.trace, "STOP"), "%s", n.trace);
	node_wait(&n, 1);
	cr_assert_not_null(strstr(n.trace, "STOP a 15 5000|"), "%s", n.trace);
	node_exited(&n, "default/a", 0, 0);
	cr_assert_null(node_get(&n, "status/default/a"));
	node_free(&n);
}

Test(withdraw, who_has_no_name_and_no_delay_is_told_at_once)
{
	struct node n = runs(0);

	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	cr_assert_not_null(strstr(n.trace, "STOP a 15 5000|"), "%s", n.trace);
	cr_shown(&n, CHILD_RUNNING, true);
	node_free(&n);
}

Test(withdraw, who_has_a_name_is_shown_as_stopping_and_told_in_one_step)
{
	struct node n = runs(0);
	struct event e = {.kind = EVENT_REGISTER};

	e.entry.key = "entry/default/k";
	e.entry.key_bytes = strlen(e.entry.key);
	e.entry.owner_given = true;
	e.entry.owner_kind = OWNER_CHILD;
	e.entry.owner_id = "default/a";
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	cr_assert_eq(node_does(&n, &e), ERR_OK);
	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	cr_shown(&n, CHILD_STOPPING, false);
	cr_assert_not_null(strstr(n.trace, "STOP a 15 5000|"), "%s", n.trace);
	node_free(&n);
}

Test(withdraw, an_end_meanwhile_is_no_failure_of_its_own)
{
	struct node n = runs(1000);

	cr_assert_eq(node_put(&n, "default/a", delayed(2, 1000)), ERR_OK);
	cr_shown(&n, CHILD_STOPPING, false);
	node_exited(&n, "default/a", 1, 0);
	node_started(&n, "default/a", 9);
	cr_shown(&n, CHILD_RUNNING, true);
	cr_assert_eq(node_get(&n, "status/default/a")->record->status.restarts, 0);
	node_wait(&n, 5000);
	cr_shown(&n, CHILD_RUNNING, true);
	node_free(&n);
}

Test(withdraw, a_restart_by_hand_is_delayed_too)
{
	struct node n = runs(1000);

	cr_assert_eq(node_restart(&n, "default/a"), ERR_OK);
	cr_shown(&n, CHILD_STOPPING, false);
	node_wait(&n, 1000);
	cr_assert_not_null(strstr(n.trace, "STOP a 15 5000|"), "%s", n.trace);
	node_free(&n);
}

/* The node as a whole: starting, ending, storing, refusing. */
#include "server/core/parts.h"
#include "tests/unit/core/support.h"

static void stop(struct node *n, enum goodbye_reason reason)
{
	struct event e = {.kind = EVENT_STOP};

	e.stop.reason = reason;
	e.stop.back_within_ms = 10000;
	node_does(n, &e);
}

static void store_fails(struct node *n, enum err err)
{
	struct event e = {.kind = EVENT_STORE_FAILED};

	e.stored.err = err;
	node_step(n, &e);
}

Test(step, an_unstarted_node_does_nothing_and_wants_no_tick)
{
	struct node n = node_bare(config_of("n1", 0));

	cr_expect_eq(node_put(&n, "default/a", plain_spec(1)), ERR_NOT_READY);
	node_tick(&n);
	cr_trace(&n, "");
	cr_expect_eq(horde_deadline_ms(n.h), INT64_MAX);
	node_start(&n);
	cr_trace(&n, "member n1 alive|");
	cr_expect_eq(horde_deadline_ms(n.h), INT64_MAX, "an idle node sleeps");
	node_free(&n);
}

Test(step, a_restart_stops_everything_keeps_the_records_and_exits_at_the_last_end)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	stop(&n, GOODBYE_RESTART);
	cr_trace(&n, "STOP a 15 5000|");
	cr_expect_eq(node_put(&n, "default/b", plain_spec(1)), ERR_SHUTTING_DOWN);
	cr_expect_eq(node_restart(&n, "default/a"), ERR_SHUTTING_DOWN);
	node_started(&n, "default/a", 3);
	stop(&n, GOODBYE_LEAVE);
	cr_trace(&n, "");
	node_exited(&n, "default/a", -1, 15);
	cr_trace(&n, "EXIT|");
	cr_expect(node_get(&n, "assign/default/a"));
	node_wait(&n, 100000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(step, leaving_writes_the_record_only_when_no_process_is_left)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	stop(&n, GOODBYE_LEAVE);
	cr_trace(&n, "STOP a 15 5000|");
	node_exited(&n, "default/a", -1, 15);
	cr_trace(&n, "member n1 left|EXIT|");
	node_free(&n);
}

Test(step, a_stopping_node_starts_nothing_that_was_about_to)
{
	struct node n = node_make("n1", 0);

	n.writes_kept = true;
	node_put(&n, "default/a", plain_spec(1));
	stop(&n, GOODBYE_RESTART);
	n.trace[0] = '\0';
	node_stored(&n);
	node_wait(&n, 10000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(step, a_failed_store_refuses_writes_before_a_dot_is_minted_and_recovers)
{
	struct node n = node_make("n1", 0);
	struct dot before;

	node_runs(&n, "default/a", plain_spec(1));
	store_fails(&n, ERR_STORAGE_FULL);
	before = map_last_dot(horde_map(n.h));
	n.writes_kept = true;
	cr_expect_eq(node_put(&n, "default/b", plain_spec(1)), ERR_STORAGE_FULL);
	cr_expect_eq(node_remove(&n, "default/a"), ERR_STORAGE_FULL);
	cr_expect_eq(map_last_dot(horde_map(n.h)).seq, before.seq);
	cr_expect_not(horde_readiness(n.h).storing);
	node_exited(&n, "default/a", 1, 0);
	cr_trace(&n, "SPAWN a|"); /* supervision goes on */
	n.writes_kept = false;
	node_stored(&n);
	cr_expect_eq(node_put(&n, "default/b", plain_spec(1)), ERR_OK);
	cr_trace(&n, "spec b|assign b n1 placed|SPAWN b|");
	node_free(&n);
}

Test(step, an_assign_that_could_not_be_stored_waits_for_the_disk)
{
	struct node n = node_make("n1", 0);

	n.writes_kept = true;
	node_put(&n, "default/a", plain_spec(1));
	n.trace[0] = '\0';
	store_fails(&n, ERR_IO);
	node_wait(&n, 60000);
	cr_trace(&n, "");
	node_stored(&n);
	cr_trace(&n, "SPAWN a|");
	node_free(&n);
}

Test(step, a_signal_goes_to_a_running_child_of_this_node)
{
	struct node n = node_make("n1", 0);
	struct event e = {.kind = EVENT_SIGNAL_CHILD};

	e.signal.ref = "default/a";
	e.signal.number = 1;
	cr_expect_eq(node_does(&n, &e), ERR_NOT_FOUND);
	node_put(&n, "default/a", plain_spec(1));
	cr_expect_eq(node_does(&n, &e), ERR_WRONG_STATE, "it is starting");
	node_started(&n, "default/a", 3);
	n.trace[0] = '\0';
	cr_expect_eq(node_does(&n, &e), ERR_OK);
	cr_trace(&n, "SIGNAL a 1|");
	node_free(&n);
}

Test(step, names_that_no_api_takes_are_kept_and_not_acted_upon)
{
	struct node n = node_make("n1", 0);
	char ref[REF_BYTES_MAX + 50];

	memset(ref, 'x', sizeof(ref) - 1);
	memcpy(ref, "default/", 8);
	ref[sizeof(ref) - 1] = '\0';
	cr_expect_eq(node_put(&n, ref, plain_spec(1)), ERR_OK);
	node_wait(&n, 10000);
	cr_expect_null(strstr(n.trace, "SPAWN"));
	node_free(&n);
}

Test(step, a_thousand_children_come_and_go)
{
	struct node n = node_make("n1", 0);
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "default/c%d", i);
		node_put(&n, name, plain_spec(1));
		node_started(&n, name, i + 1);
		n.trace[0] = '\0';
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "default/c%d", i);
		node_remove(&n, name);
		node_exited(&n, name, -1, 15);
		n.trace[0] = '\0';
	}
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_ASSIGN), 0);
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_STATUS), 0);
	cr_expect_null(n.h->all, "and leave nothing behind");
	node_free(&n);
}

static struct actions actions_with_room(size_t size)
{
	struct actions a = {0};

	a.changes.items = calloc(size, sizeof(*a.changes.items));
	a.changes.size = size;
	a.changes.used = size;
	return a;
}

Test(step, the_room_that_only_a_join_needs_is_given_back)
{
	struct actions few = actions_with_room(CHANGES_KEPT);
	struct actions many = actions_with_room(CHANGES_KEPT + 1);

	actions_clear(&few);
	actions_clear(&many);
	cr_assert_eq(few.changes.size, CHANGES_KEPT, "what every step needs is kept");
	cr_assert_not_null(few.changes.items);
	cr_assert_eq(many.changes.size, 0);
	cr_assert_null(many.changes.items);
	cr_assert_eq(few.changes.used + many.changes.used, 0);
	actions_fini(&few);
	actions_fini(&many);
}

/* How many children of a node start at a time, and who is next. */
#include "server/core/parts.h"
#include "tests/unit/core/support.h"

/* A node that starts at most `parallel` at a time. */
static struct node node_with(uint32_t parallel)
{
	struct horde_config config = config_of("n1", 0);
	struct node n;

	config.start_parallel = parallel;
	n = node_bare(config);
	node_start(&n);
	n.trace[0] = '\0';
	return n;
}

static void put(struct node *n, char name)
{
	char ref[] = {'d', 'e', 'f', 'a', 'u', 'l', 't', '/', name, '\0'};

	cr_assert_eq(node_put(n, ref, plain_spec(1)), ERR_OK);
}

/* "default/a" and so on are asked for; the trace is empty then. */
static struct node node_asked(uint32_t parallel, const char *names)
{
	struct node n = node_with(parallel);

	for (; *names; names++)
		put(&n, *names);
	n.trace[0] = '\0';
	return n;
}

/* By epochs of their own: those of the node's last action are of no use here. */
static void ends(struct node *n, const char *ref, enum event_kind kind)
{
	struct event e = {.kind = kind};

	e.process.ref = ref;
	e.process.epoch = child_find(n->h, ref)->process_epoch;
	e.process.pid = 4711;
	e.process.error = "exec: ENOENT";
	e.process.end = (struct process_end){.code = 1};
	node_does(n, &e);
}

/* The refs of the present trace's SPAWNs. */
static const char *spawned(struct node *n)
{
	static char names[64];
	size_t used = 0;

	for (const char *p = n->trace; (p = strstr(p, "SPAWN ")); p++)
		names[used++] = p[6];
	names[used] = '\0';
	n->trace[0] = '\0';
	return names;
}

Test(start_queue, so_many_start_at_once_and_no_more)
{
	for (uint32_t parallel = 1; parallel <= 6; parallel++) {
		struct node n = node_with(parallel);
		size_t want = parallel < 5 ? parallel : 5;

		for (char name = 'a'; name <= 'e'; name++)
			put(&n, name);
		cr_assert_eq(strlen(spawned(&n)), want, "of %u", parallel);
		cr_assert_eq(n.h->starting, want);
		node_free(&n);
	}
}

Test(start_queue, without_a_limit_all_start)
{
	struct node n = node_with(0);

	for (char name = 'a'; name <= 'z'; name++)
		put(&n, name);
	cr_assert_eq(strlen(spawned(&n)), 26);
	node_free(&n);
}

Test(start_queue, who_waits_is_pending_and_the_longest_wait_is_over_first)
{
	struct node n = node_asked(2, "caebd");

	cr_assert_eq(node_child(&n, "default/e").state, CHILD_PENDING);
	ends(&n, "default/a", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), "e");
	ends(&n, "default/e", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), "b");
	ends(&n, "default/c", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), "d");
	ends(&n, "default/b", EVENT_STARTED);
	ends(&n, "default/d", EVENT_STARTED);
	cr_assert_eq(n.h->starting, 0);
	cr_assert_null(n.h->queue_first);
	cr_assert_null(n.h->queue_last);
	node_free(&n);
}

Test(start_queue, a_start_that_fails_or_ends_at_once_makes_room)
{
	struct node n = node_asked(1, "abc");

	ends(&n, "default/a", EVENT_START_FAILED);
	cr_assert_str_eq(spawned(&n), "b");
	ends(&n, "default/b", EVENT_EXITED);
	cr_assert_str_eq(spawned(&n), "c", "a was behind it");
	cr_assert_eq(n.h->starting, 1);
	node_free(&n);
}

/* It would start first; the first after it starts then. */
static void leaves(enum err (*how)(struct node *n, const char *ref), const char *then)
{
	struct node n = node_asked(1, "abc");

	cr_assert_eq(how(&n, "default/b"), ERR_OK);
	cr_assert_str_eq(spawned(&n), "");
	ends(&n, "default/a", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), then);
	node_free(&n);
}

static enum err stop(struct node *n, const char *ref)
{
	struct record *r = plain_spec(1);

	r->spec.desired_running = false;
	return node_put(n, ref, r);
}

Test(start_queue, who_is_deleted_or_stopped_leaves_at_once)
{
	leaves(node_remove, "c");
	leaves(stop, "c");
}

Test(start_queue, a_start_that_is_stopped_makes_room_before_its_end)
{
	struct node n = node_asked(1, "ab");

	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	cr_assert_str_eq(spawned(&n), "b");
	node_free(&n);
}

Test(start_queue, who_ran_and_waits_is_not_shown_as_running)
{
	struct node n = node_asked(1, "a");

	ends(&n, "default/a", EVENT_STARTED);
	put(&n, 'b');
	n.trace[0] = '\0';
	ends(&n, "default/a", EVENT_EXITED);
	cr_trace(&n, "status a pending exit|");
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_PENDING);
	cr_assert_not(node_child(&n, "default/a").current);
	ends(&n, "default/b", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), "a");
	ends(&n, "default/a", EVENT_STARTED);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_RUNNING);
	node_free(&n);
}

Test(start_queue, a_restart_waits_as_well)
{
	struct node n = node_asked(1, "a");

	ends(&n, "default/a", EVENT_STARTED);
	put(&n, 'b');
	cr_assert_eq(node_restart(&n, "default/a"), ERR_OK);
	n.trace[0] = '\0';
	ends(&n, "default/a", EVENT_EXITED);
	cr_trace(&n, "status a pending none|");
	ends(&n, "default/b", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), "a");
	node_free(&n);
}

Test(start_queue, nobody_waits_when_there_is_room)
{
	struct node n = node_asked(2, "ab");

	ends(&n, "default/a", EVENT_STARTED);
	n.trace[0] = '\0';
	ends(&n, "default/a", EVENT_EXITED);
	cr_trace(&n, "SPAWN a|");
	node_free(&n);
}

Test(start_queue, a_node_that_ends_starts_nobody)
{
	struct node n = node_asked(1, "abc");
	struct event e = {.kind = EVENT_STOP};

	node_does(&n, &e);
	cr_assert_null(n.h->queue_first);
	ends(&n, "default/a", EVENT_EXITED);
	cr_assert_str_eq(spawned(&n), "");
	node_free(&n);
}

static struct record *with_ready(int64_t limit_ms)
{
	struct record *r = plain_spec(1);

	r->spec.checks.ready = calloc(1, sizeof(struct check));
	*r->spec.checks.ready = (struct check){
		.kind = CHECK_NOTIFY, .period_ms = 1000, .timeout_ms = 1000, .limit_ms = limit_ms};
	return r;
}

static void notified(struct node *n, const char *ref)
{
	struct event e = {.kind = EVENT_NOTIFIED};

	e.notified.ref = ref;
	e.notified.epoch = child_find(n->h, ref)->process_epoch;
	e.notified.what = NOTIFIED_READY;
	node_does(n, &e);
}

/* a, which is to get ready, and b behind it. */
static struct node node_getting_ready(void)
{
	struct node n = node_with(1);

	cr_assert_eq(node_put(&n, "default/a", with_ready(5000)), ERR_OK);
	put(&n, 'b');
	ends(&n, "default/a", EVENT_STARTED);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_RUNNING);
	cr_assert_str_eq(spawned(&n), "a");
	return n;
}

Test(start_queue, what_is_to_get_ready_is_starting_until_it_is)
{
	struct node n = node_getting_ready();

	notified(&n, "default/a");
	cr_assert_str_eq(spawned(&n), "b");
	ends(&n, "default/b", EVENT_STARTED);
	cr_assert_eq(n.h->starting, 0);
	node_free(&n);
}

Test(start_queue, or_until_its_time_limit)
{
	struct node n = node_getting_ready();

	node_wait(&n, 4999);
	cr_assert_str_eq(spawned(&n), "");
	node_wait(&n, 1);
	cr_assert_str_eq(spawned(&n), "b", "before a has ended");
	node_free(&n);
}

Test(start_queue, or_until_its_end)
{
	struct node n = node_getting_ready();

	ends(&n, "default/a", EVENT_EXITED);
	cr_assert_str_eq(spawned(&n), "b");
	node_free(&n);
}

Test(start_queue, one_with_health_checks_alone_starts_no_longer_than_others)
{
	struct record *r = plain_spec(1);
	struct node n = node_with(1);

	r->spec.checks.watchdog_ms = 60000;
	cr_assert_eq(node_put(&n, "default/a", r), ERR_OK);
	put(&n, 'b');
	ends(&n, "default/a", EVENT_STARTED);
	cr_assert_str_eq(spawned(&n), "ab");
	node_free(&n);
}

Test(start_queue, a_thousand_are_started_in_their_order)
{
	struct node n = node_with(4);
	char ref[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(ref, sizeof(ref), "default/%d", i);
		cr_assert_eq(node_put(&n, ref, plain_spec(1)), ERR_OK);
		n.trace[0] = '\0';
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(ref, sizeof(ref), "default/%d", i);
		cr_assert_eq(child_find(n.h, ref)->process, PROCESS_STARTING, "%s", ref);
		cr_assert_leq(n.h->starting, 4);
		ends(&n, ref, EVENT_STARTED);
		n.trace[0] = '\0';
	}
	cr_assert_eq(n.h->starting, 0);
	node_free(&n);
}

/*
 * Every allocation of a story fails once, each in a run of its own: nothing crashes or leaks, and
 * the node comes to the same end, since whatever was missed is looked at again.
 */
#include "tests/unit/core/failing.h"

#include "tests/unit/core/cluster.h"

#define ALLOCATIONS_MAX 2000

static struct cluster c;

/* Runs `story` with the n-th allocation of its node failing, for each n until there is none. */
static void each_fails(bool (*story)(long fail_at))
{
	long n = 1;

	while (story(n))
		cr_assert_lt(++n, ALLOCATIONS_MAX);
	cr_assert_gt(n, 1, "something is allocated");
}

static size_t count(const char *trace, const char *what)
{
	size_t found = 0;

	for (const char *at = strstr(trace, what); at; at = strstr(at + 1, what))
		found++;
	return found;
}

static bool put_story(long fail_at)
{
	struct node n = node_make("n1", 0);
	bool failed;

	n.fail_at = fail_at;
	if (node_put(&n, "default/a", plain_spec(1)) != ERR_OK) {
		cr_expect_null(node_get(&n, "spec/default/a"), "refused is not written");
		cr_expect_eq(node_put(&n, "default/a", plain_spec(1)), ERR_OK);
	}
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 3000);
	cr_expect_eq(count(n.trace, "SPAWN a|"), 1, "%ld: %s", fail_at, n.trace);
	node_started(&n, "default/a", 4);
	cr_expect_eq(node_child(&n, "default/a").state, CHILD_RUNNING, "%ld", fail_at);
	node_free(&n);
	return failed;
}

Test(memory, a_put_child_starts_once)
{
	each_fails(put_story);
}

static bool retain_story(long fail_at)
{
	struct record *r = typed_spec(1, RESTART_TRANSIENT);
	struct node n = node_make("n1", 0);
	bool failed;

	r->spec.retain_ms = 1000;
	node_runs(&n, "default/a", r);
	node_exited(&n, "default/a", 0, 0);
	n.now_ms += 2000;
	n.fail_at = fail_at;
	node_tick(&n);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 3000);
	cr_expect_null(node_get(&n, "spec/default/a"), "%ld", fail_at);
	cr_expect_null(node_get(&n, "status/default/a"), "%ld", fail_at);
	cr_expect_null(node_get(&n, "assign/default/a"), "%ld", fail_at);
	cr_expect_eq(count(n.trace, "SPAWN a|"), 0, "%ld: %s", fail_at, n.trace);
	node_free(&n);
	return failed;
}

Test(memory, one_that_was_kept_long_enough_goes_once)
{
	each_fails(retain_story);
}

/* It is ended for not being ready in time, and runs again. */
static bool ready_story(long fail_at)
{
	struct record *r = plain_spec(1);
	struct node n = node_make("n1", 0);
	bool failed;

	r->spec.checks.ready = calloc(1, sizeof(struct check));
	*r->spec.checks.ready = (struct check){
		.kind = CHECK_TCP, .period_ms = 1000, .timeout_ms = 100, .limit_ms = 5000};
	n.fail_at = fail_at;
	if (node_put(&n, "default/a", r) != ERR_OK) {
		n.fail_at = 0;
		node_free(&n);
		return true; /* as in put_story */
	}
	node_wait(&n, 200);
	node_started(&n, "default/a", 4);
	node_wait(&n, 7000);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 1000);
	cr_expect_eq(count(n.trace, "STOP a 15 5000|"), 1, "%ld: %s", fail_at, n.trace);
	node_exited(&n, "default/a", 0, 0);
	node_wait(&n, 1000);
	cr_expect_eq(count(n.trace, "SPAWN a|"), 2, "%ld: %s", fail_at, n.trace);
	node_free(&n);
	return failed;
}

Test(memory, one_that_is_not_ready_in_time_runs_again_once)
{
	each_fails(ready_story);
}

/* It gets its name when it runs, and loses it with its end. */
static bool names_story(long fail_at)
{
	struct record *r = plain_spec(1);
	struct claim *one = calloc(1, sizeof(*one));
	struct node n = node_make("n1", 0);
	bool failed;

	one->key = strdup("entry/default/x");
	one->key_bytes = strlen(one->key);
	one->value = strdup("1");
	r->spec.claims = (struct claims){.items = one, .count = 1};
	cr_expect_eq(node_put(&n, "default/a", r), ERR_OK);
	n.fail_at = fail_at;
	node_started(&n, "default/a", 4);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 1000);
	cr_expect(node_get(&n, "entry/default/x"), "%ld", fail_at);
	cr_expect_eq(node_child(&n, "default/a").state, CHILD_RUNNING, "%ld", fail_at);
	cr_expect_eq(count(n.trace, "entry x|"), 1, "%ld: %s", fail_at, n.trace);
	cr_expect_eq(node_remove(&n, "default/a"), ERR_OK);
	node_exited(&n, "default/a", 0, 0);
	cr_expect_null(node_get(&n, "entry/default/x"), "%ld", fail_at);
	node_free(&n);
	return failed;
}

Test(memory, one_that_runs_gets_its_name_once)
{
	each_fails(names_story);
}

static bool start_story(long fail_at)
{
	struct node n = node_bare(config_of("n1", 0));
	bool failed;

	n.fail_at = fail_at;
	node_start(&n);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 3000);
	cr_expect(horde_readiness(n.h).synced);
	cr_expect_eq(node_put(&n, "default/a", plain_spec(1)), ERR_OK);
	cr_expect_eq(count(n.trace, "SPAWN a|"), 1, "%ld: %s", fail_at, n.trace);
	node_free(&n);
	return failed;
}

Test(memory, a_node_starts)
{
	each_fails(start_story);
}

static bool exit_story(long fail_at)
{
	struct node n = node_make("n1", 0);
	bool failed;

	node_runs(&n, "default/a", plain_spec(1));
	n.fail_at = fail_at;
	node_exited(&n, "default/a", 1, 0);
	node_wait(&n, 1000);
	node_started(&n, "default/a", 5);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 1000);
	cr_expect_eq(count(n.trace, "SPAWN a|"), 1, "%ld: %s", fail_at, n.trace);
	cr_expect_eq(node_child(&n, "default/a").status->record->status.pid, 5, "%ld", fail_at);
	node_free(&n);
	return failed;
}

Test(memory, a_child_that_ended_runs_again_once)
{
	each_fails(exit_story);
}

static bool delete_story(long fail_at)
{
	struct node n = node_make("n1", 0);
	struct event e = {.kind = EVENT_REGISTER};
	bool failed;

	node_runs(&n, "default/a", plain_spec(1));
	e.entry.key = "entry/default/k";
	e.entry.key_bytes = strlen(e.entry.key);
	e.entry.owner_kind = OWNER_CHILD;
	e.entry.owner_id = "default/a";
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	n.fail_at = fail_at;
	if (node_does(&n, &e) != ERR_OK)
		cr_expect_eq(node_does(&n, &e), ERR_OK);
	if (node_remove(&n, "default/a") != ERR_OK)
		cr_expect_eq(node_remove(&n, "default/a"), ERR_OK);
	node_wait(&n, 1000);
	cr_expect_eq(count(n.trace, "STOP a"), 1, "%ld: %s", fail_at, n.trace);
	node_exited(&n, "default/a", -1, 15);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 1000);
	cr_expect_null(node_get(&n, "assign/default/a"), "%ld", fail_at);
	cr_expect_null(node_get(&n, "status/default/a"), "%ld", fail_at);
	cr_expect_null(node_get(&n, "entry/default/k"), "%ld", fail_at);
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_ENTRY), 0);
	node_free(&n);
	return failed;
}

Test(memory, a_deleted_child_leaves_no_process_no_record_and_no_name)
{
	each_fails(delete_story);
}

static bool stop_story(long fail_at)
{
	struct node n = node_make("n1", 0);
	struct event e = {.kind = EVENT_STOP};
	bool failed;

	e.stop.reason = GOODBYE_LEAVE;
	node_runs(&n, "default/a", plain_spec(1));
	n.fail_at = fail_at;
	node_does(&n, &e);
	node_wait(&n, 1000);
	n.writes_kept = true; /* nothing else wakes it */
	node_exited(&n, "default/a", -1, 15);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 1000);
	cr_expect_eq(count(n.trace, "STOP a"), 1, "%ld: %s", fail_at, n.trace);
	cr_expect_eq(count(n.trace, "member n1 left|"), 1, "%ld: %s", fail_at, n.trace);
	cr_expect_eq(count(n.trace, "EXIT|"), 1, "%ld: %s", fail_at, n.trace);
	node_free(&n);
	return failed;
}

Test(memory, a_stopping_node_comes_to_its_end)
{
	each_fails(stop_story);
}

static bool restart_story(long fail_at)
{
	struct node n = node_make("n1", 0);
	bool failed;

	node_runs(&n, "default/a", plain_spec(1));
	actions_fini(&n.actions); /* so that the first action has to be allocated */
	n.fail_at = fail_at;
	if (node_restart(&n, "default/a") != ERR_OK)
		cr_expect_eq(node_restart(&n, "default/a"), ERR_OK);
	cr_expect_eq(count(n.trace, "STOP a"), 1, "%ld: %s", fail_at, n.trace);
	failed = n.fail_at == 0;
	node_free(&n);
	return failed;
}

Test(memory, a_restart_that_is_answered_ok_is_carried_out)
{
	each_fails(restart_story);
}

static bool takeover_story(long fail_at)
{
	bool failed;

	cluster_make(&c, 2);
	for (int i = 0; i < 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "default/c%d", i);
		node_put(&c.peers[0].n, name, plain_spec(1));
		settle_all(&c);
	}
	peer_kill(&c, 1);
	c.peers[0].n.fail_at = fail_at;
	cluster_wait(&c, 3000);
	failed = c.peers[0].n.fail_at == 0;
	c.peers[0].n.fail_at = 0;
	cluster_wait(&c, 8000);
	cr_expect_eq(c.peers[0].proc_count, 4, "%ld: %zu", fail_at, c.peers[0].proc_count);
	cr_expect_eq(c.greatest, 1);
	cluster_free(&c);
	return failed;
}

Test(memory, a_dead_node_s_children_are_taken_over_once)
{
	each_fails(takeover_story);
}

/* n2 joins, and learns all from n1, while its own allocations fail. */
static bool join_story(long fail_at)
{
	struct event e = {.kind = EVENT_JOIN};
	struct peer *p;
	bool failed;

	c = (struct cluster){.count = 1};
	peer_begin(&c, 0, NULL);
	node_put(&c.peers[0].n, "default/a", plain_spec(1));
	node_put(&c.peers[0].n, "default/b", plain_spec(1));
	settle_all(&c);
	c.count = 2;
	p = peer_bare(&c, 1, 0, true);
	e.join.url = "http://n1";
	e.join.keep = true;
	p->n.fail_at = fail_at;
	peer_does(p, &e);
	peer_does(p, &(struct event){.kind = EVENT_START});
	cluster_wait(&c, 3000);
	failed = p->n.fail_at == 0;
	p->n.fail_at = 0;
	cluster_wait(&c, 7000);
	cr_expect(horde_readiness(p->n.h).synced, "%ld", fail_at);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(horde_member_count(c.peers[i].n.h), 2, "%ld", fail_at);
		cr_expect_eq(node_child(&c.peers[i].n, "default/a").state, CHILD_RUNNING);
		cr_expect_eq(node_child(&c.peers[i].n, "default/b").state, CHILD_RUNNING);
	}
	cr_expect(vector_equal(
		map_vector(horde_map(c.peers[0].n.h)), map_vector(horde_map(c.peers[1].n.h))));
	cluster_free(&c);
	return failed;
}

Test(memory, a_node_joins_and_learns_everything)
{
	each_fails(join_story);
}

/* A lease is made, has a name, is renewed, and ends with it. */
static bool lease_story(long fail_at)
{
	static const unsigned char secret[LEASE_SECRET_BYTES];
	struct node n = node_make("n1", 0);
	struct event put = {.kind = EVENT_PUT_LEASE}, renew = {.kind = EVENT_RENEW_LEASE};
	struct event name = {.kind = EVENT_REGISTER};
	bool failed;

	put.lease.id = renew.lease.id = "l";
	put.lease.ttl_ms = 2000;
	put.lease.secret = secret;
	name.entry.key = "entry/default/x";
	name.entry.key_bytes = strlen(name.entry.key);
	name.entry.owner_kind = OWNER_LEASE;
	name.entry.owner_id = "l";
	name.entry.value = "1";
	name.entry.value_bytes = 1;
	n.fail_at = fail_at;
	if (node_step(&n, &put) != ERR_OK)
		cr_expect_eq(node_step(&n, &put), ERR_OK, "%ld", fail_at);
	if (node_step(&n, &name) != ERR_OK)
		cr_expect_eq(node_step(&n, &name), ERR_OK, "%ld", fail_at);
	node_wait(&n, 1500);
	cr_expect_eq(node_step(&n, &renew), ERR_OK, "%ld", fail_at);
	node_wait(&n, 1500);
	cr_expect(node_get(&n, "lease/l") && node_get(&n, "entry/default/x"), "%ld", fail_at);
	node_wait(&n, 1500);
	failed = n.fail_at == 0;
	n.fail_at = 0;
	node_wait(&n, 1000);
	cr_expect_null(node_get(&n, "lease/l"), "%ld", fail_at);
	cr_expect_null(node_get(&n, "entry/default/x"), "%ld", fail_at);
	node_free(&n);
	return failed;
}

Test(memory, a_lease_ends_once_and_takes_its_name_along)
{
	each_fails(lease_story);
}

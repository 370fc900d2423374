/* How long the record of a child that has finished is kept, and who removes it. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

TestSuite(retain, .timeout = 60);

static struct record *one_shot(int64_t retain_ms)
{
	struct record *r = typed_spec(1, RESTART_TRANSIENT);

	r->spec.retain_ms = retain_ms;
	r->spec.given = GIVEN_RETAIN;
	return r;
}

/* It has ended well, at a full second. */
static struct node node_finished(struct record *spec)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", spec);
	node_exited(&n, "default/a", 0, 0);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_EXITED);
	n.trace[0] = '\0';
	return n;
}

static bool is_kept(const struct node *n)
{
	return node_get(n, "spec/default/a") != NULL;
}

Test(retain, what_has_exited_goes_with_all_its_records_when_its_time_is_over)
{
	struct node n = node_finished(one_shot(4000));

	node_wait(&n, 3999);
	cr_assert(is_kept(&n));
	cr_trace(&n, "");
	node_wait(&n, 1);
	cr_trace(&n, "-spec a|-status a|-assign a|");
	cr_assert_null(child_find(n.h, "default/a"));
	node_wait(&n, 100000);
	cr_trace(&n, "");
	node_free(&n);
}

Test(retain, those_of_one_second_go_together)
{
	struct node n = node_make("n1", 0);

	for (char name = 'a'; name <= 'c'; name++) {
		char ref[] = {'d', 'e', 'f', 'a', 'u', 'l', 't', '/', name, '\0'};

		n.now_ms += 300; /* so that they end at .3, .6, and .9 */
		node_runs(&n, ref, one_shot(4000));
		node_exited(&n, ref, 0, 0);
	}
	n.trace[0] = '\0';
	n.now_ms += 4099; /* .999 */
	node_tick(&n);
	cr_trace(&n, "");
	n.now_ms += 1;
	node_tick(&n);
	cr_assert_eq(map_count(horde_map(n.h), FAMILY_SPEC), 0, "%s", n.trace);
	node_free(&n);
}

Test(retain, without_it_a_record_is_kept_for_ever)
{
	struct node n = node_finished(one_shot(0));

	cr_assert_eq(n.h->expiry_ms, INT64_MAX, "nothing is to be looked at");
	node_wait(&n, 1000000000);
	cr_assert(is_kept(&n));
	node_free(&n);
}

static void keeps(struct node *n, const char *what)
{
	node_wait(n, 1000000);
	cr_expect(is_kept(n), "%s", what);
	node_free(n);
}

Test(retain, only_what_has_exited_goes)
{
	struct node n = node_make("n1", 0);
	struct record *r = one_shot(1000);

	node_runs(&n, "default/a", r);
	keeps(&n, "it runs");
	n = node_make("n1", 0);
	r = one_shot(1000);
	r->spec.restart.policy = POLICY_FAIL_CHILD;
	r->spec.restart.max_restarts = 0;
	node_runs(&n, "default/a", r);
	node_exited(&n, "default/a", 1, 0);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_FAILED);
	keeps(&n, "it has failed");
	n = node_make("n1", 0);
	node_runs(&n, "default/a", one_shot(1000));
	r = one_shot(1000);
	r->spec.desired_running = false;
	node_put(&n, "default/a", r);
	node_exited(&n, "default/a", 0, 0);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_STOPPED);
	keeps(&n, "it was stopped");
}

Test(retain, what_was_started_again_stays)
{
	struct node n = node_finished(one_shot(4000));

	node_wait(&n, 3000);
	cr_assert_eq(node_restart(&n, "default/a"), ERR_OK);
	node_started(&n, "default/a", 5);
	node_wait(&n, 100000);
	cr_assert(is_kept(&n));
	node_exited(&n, "default/a", 0, 0);
	node_wait(&n, 3000);
	cr_assert(is_kept(&n), "its time began anew");
	node_wait(&n, 2000);
	cr_assert_not(is_kept(&n));
	node_free(&n);
}

Test(retain, the_time_of_an_earlier_life_says_nothing)
{
	struct record *r = one_shot(4000);
	struct event e = {.kind = EVENT_START_FAILED};
	struct node n;

	r->spec.restart.type = RESTART_TEMPORARY;
	n = node_finished(r);
	node_wait(&n, 3000);
	cr_assert_eq(node_restart(&n, "default/a"), ERR_OK);
	n.now_ms += 2000;
	e.process.ref = "default/a";
	e.process.epoch = n.epoch;
	e.process.error = "exec: ENOENT";
	node_does(&n, &e);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_EXITED);
	node_wait(&n, 3999);
	cr_assert(is_kept(&n));
	node_wait(&n, 1);
	cr_assert_not(is_kept(&n));
	node_free(&n);
}

Test(retain, a_change_of_it_holds_at_once_and_starts_nothing)
{
	struct node n = node_finished(one_shot(4000));

	node_wait(&n, 2000);
	node_put(&n, "default/a", one_shot(0));
	node_wait(&n, 100000);
	cr_assert(is_kept(&n));
	n.trace[0] = '\0';
	node_put(&n, "default/a", one_shot(1000));
	cr_trace(&n, "-spec a|spec a|-spec a|-status a|-assign a|");
	node_free(&n);
}

Test(retain, a_change_of_it_alone_is_applied_live)
{
	struct record *a = one_shot(4000), *b = one_shot(5000);

	cr_expect_eq(spec_applied(&a->spec, &b->spec), APPLIED_LIVE);
	b->spec.retain_ms = 4000;
	cr_expect_eq(spec_applied(&a->spec, &b->spec), APPLIED_NONE);
	record_free(a);
	record_free(b);
}

Test(retain, a_wall_clock_that_jumps_is_noticed_within_a_minute)
{
	struct node n = node_finished(one_shot(3600000));

	n.ahead_ms = 3600000;
	node_wait(&n, RETAIN_LOOK_MS);
	cr_assert_not(is_kept(&n));
	node_free(&n);
	n = node_finished(one_shot(4000));
	n.ahead_ms = -60000;
	node_wait(&n, 63999);
	cr_assert(is_kept(&n));
	node_wait(&n, 1);
	cr_assert_not(is_kept(&n));
	node_free(&n);
}

Test(retain, a_time_beyond_all_times_is_none)
{
	struct node n = node_finished(one_shot(INT64_MAX));

	keeps(&n, "for ever");
}

/* ---- several nodes ---- */

static struct cluster c;

static const char ref[] = "default/d"; /* hashing gives it to n1 */

static void finished_of(size_t count, int64_t retain_ms)
{
	struct event e = {.kind = EVENT_EXITED};

	cluster_make(&c, count);
	cr_assert_eq(node_put(&c.peers[count - 1].n, ref, one_shot(retain_ms)), ERR_OK);
	settle_all(&c);
	cr_assert_eq(c.peers[0].proc_count, 1);
	e.process.ref = ref;
	e.process.epoch = c.peers[0].procs[--c.peers[0].proc_count].epoch;
	peer_does(&c.peers[0], &e);
	settle_all(&c);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(node_child(&c.peers[i].n, ref).state, CHILD_EXITED);
		c.peers[i].n.trace[0] = '\0';
	}
}

static bool all_keep(bool kept)
{
	for (size_t i = 0; i < c.count; i++)
		if (c.peers[i].up && (node_get(&c.peers[i].n, "spec/default/d") != NULL) != kept)
			return false;
	return true;
}

/* How many nodes have minted a removal: their vectors have grown since. */
static size_t removers(const struct vector *before)
{
	size_t count = 0;

	for (size_t i = 0; i < c.count; i++) {
		struct origin_id self = horde_config(c.peers[i].n.h)->incarnation;

		count += vector_get(map_vector(horde_map(c.peers[i].n.h)), self) >
			 vector_get(before, self);
	}
	return count;
}

Test(retain, one_node_removes_and_all_are_rid_of_it)
{
	struct vector before = VECTOR_INIT;

	finished_of(3, 4000);
	cr_assert_eq(vector_copy(map_vector(horde_map(c.peers[0].n.h)), &before), ERR_OK);
	cluster_wait(&c, 3000);
	cr_assert(all_keep(true));
	cluster_wait(&c, 2000);
	cr_assert(all_keep(false));
	cr_assert_eq(removers(&before), 1);
	cr_assert_eq(c.peers[0].spawns + c.peers[1].spawns + c.peers[2].spawns, 1);
	vector_fini(&before);
	cluster_free(&c);
}

Test(retain, of_a_dead_owner_another_node_removes_it)
{
	finished_of(3, 20000);
	peer_kill(&c, 0);
	cluster_wait(&c, 19000);
	cr_assert(all_keep(true));
	cluster_wait(&c, 3000);
	cr_assert(all_keep(false));
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 8000);
	cr_assert(all_keep(false));
	cr_assert_eq(cluster_processes(&c, ref), 0);
	cluster_free(&c);
}

Test(retain, it_outlasts_the_end_of_all_nodes)
{
	finished_of(2, 20000);
	peer_kill(&c, 0);
	peer_kill(&c, 1);
	peer_restart(&c, 0, 1);
	peer_restart(&c, 1, 1);
	cluster_wait(&c, 18000);
	cr_assert(all_keep(true));
	cr_assert_eq(c.peers[0].spawns + c.peers[1].spawns, 0, "of these lives");
	cluster_wait(&c, 3000);
	cr_assert(all_keep(false));
	cluster_free(&c);
}

Test(retain, what_was_over_while_all_were_down_goes_once_they_are_back)
{
	finished_of(2, 20000);
	peer_kill(&c, 0);
	peer_kill(&c, 1);
	c.peers[0].n.now_ms += 60000;
	peer_restart(&c, 0, 1);
	peer_restart(&c, 1, 1);
	cluster_wait(&c, 8000);
	cr_assert(all_keep(false));
	cr_assert_eq(c.peers[0].spawns + c.peers[1].spawns, 0);
	cluster_free(&c);
}

Test(retain, a_put_that_the_remover_did_not_see_stands)
{
	struct record *again = one_shot(0);

	finished_of(3, 4000);
	again->spec.hash = again->spec.process_hash = 2;
	c.peers[2].cut = true;
	cr_assert_eq(node_put(&c.peers[2].n, ref, again), ERR_OK);
	cluster_wait(&c, 5000);
	cr_assert_null(node_get(&c.peers[0].n, "spec/default/d"));
	c.peers[2].cut = false;
	cluster_wait(&c, 10000);
	cr_assert(all_keep(true));
	cr_assert_eq(cluster_processes(&c, ref), 1);
	cr_assert_eq(node_get(&c.peers[0].n, "spec/default/d")->record->spec.hash, 2);
	cluster_free(&c);
}

/* A temporary child is never started twice, whatever the map shows of it meanwhile. */
#include "tests/unit/core/cluster.h"
#include "tests/unit/core/links.h"

static const char ref[] = "default/d"; /* hashing gives it to n1 */

/*
 * The first of two nodes comes back from an old store, knows of nothing, and adopts; the second had
 * run a temporary child meanwhile. The assign of the first wins, and the spec of the second.
 */
Test(temporary, one_whose_assign_lost_to_that_of_an_old_life_is_not_started_again)
{
	static struct cluster c;
	unsigned spawns;

	cluster_make(&c, 2);
	cr_assert_eq(node_put(&c.peers[0].n, ref, plain_spec(1)), ERR_OK);
	cluster_wait(&c, 0);
	peer_kill(&c, 0);
	cluster_wait(&c, 8000);
	cr_assert_eq(c.peers[1].proc_count, 1);
	cr_assert_eq(node_put(&c.peers[1].n, ref, typed_spec(2, RESTART_TEMPORARY)), ERR_OK);
	cluster_wait(&c, 2000);
	cr_assert_eq(c.peers[1].proc_count, 1);
	peer_kill(&c, 1);
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 8000);
	cr_assert_eq(c.peers[0].proc_count, 1, "of the spec that it knows");
	spawns = c.peers[0].spawns;
	peer_restart(&c, 1, 1);
	cluster_wait(&c, 8000);
	cr_expect_eq(cluster_processes(&c, ref), 0);
	cr_expect_eq(c.peers[0].spawns, spawns);
	cr_expect_eq(c.peers[1].spawns, 0);
	for (size_t i = 0; i < 2; i++)
		cr_expect_eq(node_child(&c.peers[i].n, ref).state, CHILD_EXITED);
	cluster_free(&c);
}

/* What n2 knows of, and n1 is told at once. */
static void tell(struct node *n, uint32_t link, const struct map *m)
{
	struct fragment f;
	struct event e = {.kind = EVENT_FRAGMENT, .link = link, .fragment = &f};

	cr_assert_eq(map_difference(m, map_vector(horde_map(n->h)), &f), ERR_OK);
	node_does(n, &e);
	fragment_fini(&f);
}

Test(temporary, one_that_another_write_hid_for_a_while_is_not_started_again)
{
	static const char key[] = "spec/default/d";
	struct changes changes = {0};
	struct node n;
	uint32_t link = node_with_peer(&n);
	struct map *m;

	n.writes_kept = false;
	node_runs(&n, ref, typed_spec(1, RESTART_TEMPORARY));
	cr_assert_eq(map_new(config_of("n2", 1).incarnation, 0, &m), ERR_OK);
	map_put(m, key, strlen(key), "{}", 2, plain_spec(2), UINT64_MAX, &changes);
	tell(&n, link, m);
	node_exited(&n, ref, 0, 15);
	node_started(&n, ref, 4712);
	cr_assert_eq(node_child(&n, ref).state, CHILD_RUNNING);
	n.trace[0] = '\0';
	map_remove(m, key, strlen(key), UINT64_MAX, &changes);
	tell(&n, link, m);
	node_exited(&n, ref, 0, 15);
	cr_trace(&n, "STOP d 15 5000|status d exited terminated|");
	changes_fini(&changes);
	map_free(m);
	node_free(&n);
}

/* The other write is gone before the process has ended: found by seed 4287 of the simulator. */
Test(temporary, one_that_another_write_hid_while_it_was_stopping_is_not_started_again)
{
	static const char key[] = "spec/default/d";
	struct changes changes = {0};
	struct node n;
	uint32_t link = node_with_peer(&n);
	struct map *m;

	n.writes_kept = false;
	node_runs(&n, ref, typed_spec(1, RESTART_TEMPORARY));
	cr_assert_eq(map_new(config_of("n2", 1).incarnation, 0, &m), ERR_OK);
	map_put(m, key, strlen(key), "{}", 2, plain_spec(2), UINT64_MAX, &changes);
	tell(&n, link, m);
	map_remove(m, key, strlen(key), UINT64_MAX, &changes);
	tell(&n, link, m);
	node_exited(&n, ref, 0, 15);
	cr_trace(&n, "spec d|STOP d 15 5000|status d exited terminated|");
	changes_fini(&changes);
	map_free(m);
	node_free(&n);
}

static struct record *temporary_with_name(const char *key)
{
	struct record *r = typed_spec(2, RESTART_TEMPORARY);
	struct claim *one = calloc(1, sizeof(*one));

	one->key = strdup(key);
	one->key_bytes = strlen(key);
	one->value = strdup("2");
	r->spec.claims = (struct claims){.items = one, .count = 1};
	return r;
}

/* Its status says that it is stopped, and it has run all the same: seed 4183. */
Test(temporary, one_whose_name_was_taken_is_not_started_again_by_who_took_over_its_past)
{
	static struct cluster c;
	struct event e = {.kind = EVENT_REGISTER};
	unsigned spawns;

	e.entry.key = "entry/default/x";
	e.entry.key_bytes = strlen(e.entry.key);
	e.entry.owner_kind = OWNER_STATIC;
	e.entry.owner_id = "someone";
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	cluster_make(&c, 2);
	cr_assert_eq(node_put(&c.peers[0].n, ref, plain_spec(1)), ERR_OK);
	cluster_wait(&c, 1000);
	c.peers[1].cut = true;
	cr_assert_eq(node_put(&c.peers[0].n, ref, temporary_with_name(e.entry.key)), ERR_OK);
	cr_assert_eq(node_does(&c.peers[0].n, &e), ERR_OK);
	cluster_wait(&c, 3000);
	cr_assert_eq(node_child(&c.peers[0].n, ref).reason, REASON_NAME_CONFLICT);
	peer_kill(&c, 0);
	c.peers[1].cut = false;
	cluster_wait(&c, 10000);
	cr_assert_eq(cluster_processes(&c, ref), 1, "of the spec that n2 knows");
	spawns = c.peers[1].spawns;
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 10000);
	cr_expect_eq(cluster_processes(&c, ref), 0);
	cr_expect_eq(c.peers[1].spawns, spawns);
	cluster_free(&c);
}

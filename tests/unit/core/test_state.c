/* What a child leaves for its next life: kept with its spec, and gone with it. */
#include "tests/unit/core/cluster.h"

TestSuite(state, .timeout = 30);

static struct cluster c;

static enum err does(size_t at, enum event_kind kind, const char *key, size_t bytes)
{
	static char value[STATES_BYTES_MAX / 200];
	struct event e = {.kind = kind};
	enum err err;

	memset(value, ' ', sizeof(value));
	memcpy(value, "{}", 2);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value;
	e.put.value_bytes = bytes;
	err = peer_does(&c.peers[at], &e);
	settle_all(&c);
	return err;
}

static bool is_kept(size_t at, const char *key)
{
	return map_get(horde_map(c.peers[at].n.h), key, strlen(key)) != NULL;
}

static void begin(void)
{
	cluster_make(&c, 3);
	node_put(&c.peers[0].n, "default/a", plain_spec(1));
	settle_all(&c);
}

Test(state, it_is_on_every_node_and_outlives_its_process_and_its_node)
{
	begin();
	cr_assert_eq(does(1, EVENT_PUT_STATE, "state/default/a", 2), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		cr_expect(is_kept(i, "state/default/a"));
	cr_expect_eq(does(2, EVENT_PUT_STATE, "state/default/a", 3), ERR_OK);
	peer_kill(&c, 0);
	cluster_wait(&c, 10000);
	cr_expect(is_kept(1, "state/default/a"));
	cr_expect_eq(does(1, EVENT_REMOVE_STATE, "state/default/a", 0), ERR_OK);
	cr_expect_eq(does(1, EVENT_REMOVE_STATE, "state/default/a", 0), ERR_NOT_FOUND);
	cr_expect_not(is_kept(2, "state/default/a"));
	cluster_free(&c);
}

Test(state, it_goes_with_the_spec_and_a_new_one_begins_without)
{
	begin();
	does(1, EVENT_PUT_STATE, "state/default/a", 2);
	c.obstinate = true;
	cr_assert_eq(does(2, EVENT_REMOVE_SPEC, "spec/default/a", 0), ERR_OK);
	cr_expect_not(is_kept(0, "state/default/a"));
	node_put(&c.peers[1].n, "default/a", plain_spec(1));
	c.obstinate = false;
	settle_all(&c);
	cr_expect_not(is_kept(0, "state/default/a"));
	cr_expect_eq(does(0, EVENT_PUT_STATE, "state/default/b", 2), ERR_NOT_FOUND);
	cluster_free(&c);
}

Test(state, it_goes_with_its_supervisor)
{
	struct event e = {.kind = EVENT_PUT_SUPERVISOR};

	begin();
	e.put.key = "supervisor/team";
	e.put.key_bytes = 15;
	e.put.value = "{}";
	e.put.value_bytes = 2;
	e.put.record = record_new(FAMILY_SUPERVISOR);
	cr_assert_eq(peer_does(&c.peers[0], &e), ERR_OK);
	node_put(&c.peers[0].n, "team/a", plain_spec(1));
	settle_all(&c);
	does(1, EVENT_PUT_STATE, "state/team/a", 2);
	does(1, EVENT_REMOVE_SUPERVISOR, "supervisor/team", 0);
	cr_expect_not(is_kept(2, "state/team/a"));
	cluster_free(&c);
}

Test(state, one_that_crosses_a_delete_is_cleared_too)
{
	size_t away = 0;

	begin();
	while (c.peers[away].proc_count)
		away++; /* one that does not run it, so that nothing of it is left when it is back */
	c.peers[away].cut = true;
	cr_assert_eq(does(away, EVENT_PUT_STATE, "state/default/a", 2), ERR_OK);
	cr_assert_eq(does((away + 1) % 3, EVENT_REMOVE_SPEC, "spec/default/a", 0), ERR_OK);
	c.peers[away].cut = false;
	cluster_wait(&c, 60000);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_not(is_kept(i, "state/default/a"), "node %zu", i);
		cr_expect_not(is_kept(i, "spec/default/a"), "node %zu", i);
	}
	cluster_free(&c);
}

static struct record *stopped_spec(void)
{
	struct record *r = plain_spec(1);

	r->spec.desired_running = false;
	return r;
}

Test(state, all_together_have_a_limit)
{
	char key[40];
	int kept = 0;

	begin();
	for (int i = 0; i < 210; i++) {
		enum err e;

		snprintf(key, sizeof(key), "default/s%d", i);
		node_put(&c.peers[0].n, key, stopped_spec());
		snprintf(key, sizeof(key), "state/default/s%d", i);
		e = does(0, EVENT_PUT_STATE, key, STATES_BYTES_MAX / 200);
		kept += e == ERR_OK;
		cr_assert(e == ERR_OK || e == ERR_STORAGE_FULL);
	}
	cr_expect_eq(kept, 200);
	cr_expect_eq(does(0, EVENT_PUT_STATE, "state/default/s7", STATES_BYTES_MAX / 200), ERR_OK,
		"it replaces its own");
	cluster_free(&c);
}

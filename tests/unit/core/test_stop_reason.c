/* Why a process is told to end. */
#include "tests/unit/core/links.h"

/* One that runs, and is told to end by `how`. */
static void stops(enum err (*how)(struct node *n), enum stop_reason why)
{
	struct node n = node_make("n1", 0);

	n.why = STOP_REASON_COUNT;
	node_runs(&n, "default/a", plain_spec(1));
	cr_assert_eq(how(&n), ERR_OK);
	cr_assert_neq(n.why, STOP_REASON_COUNT, "it was not told: %s", n.trace);
	cr_expect_str_eq(stop_reason_name(n.why), stop_reason_name(why));
	node_free(&n);
}

static enum err delete (struct node *n) { return node_remove(n, "default/a"); }

static enum err stop(struct node *n)
{
	struct record *r = plain_spec(1);

	r->spec.desired_running = false;
	return node_put(n, "default/a", r);
}

static enum err replace(struct node *n)
{
	return node_put(n, "default/a", plain_spec(2));
}

static enum err restart(struct node *n)
{
	return node_restart(n, "default/a");
}

static enum err end_node(struct node *n, enum goodbye_reason reason)
{
	struct event e = {.kind = EVENT_STOP};

	e.stop.reason = reason;
	return node_does(n, &e);
}

static enum err node_restarts(struct node *n)
{
	return end_node(n, GOODBYE_RESTART);
}

static enum err node_leaves(struct node *n)
{
	return end_node(n, GOODBYE_LEAVE);
}

Test(stop_reason, each_way_to_end_has_its_word)
{
	stops(delete, STOP_DELETED);
	stops(stop, STOP_STOPPED);
	stops(replace, STOP_REPLACED);
	stops(restart, STOP_RESTART);
	stops(node_restarts, STOP_NODE_RESTART);
	stops(node_leaves, STOP_NODE_LEAVE);
}

Test(stop_reason, the_words_are_those_of_the_contract)
{
	static const char *const words[STOP_REASON_COUNT] = {"deleted", "stopped", "replaced",
		"restart", "move", "conflict", "node_restart", "node_leave", "start_timeout",
		"health", "name_conflict"};

	for (unsigned i = 0; i < STOP_REASON_COUNT; i++) {
		cr_expect_str_eq(stop_reason_name((enum stop_reason)i), words[i]);
		cr_expect_eq(stop_reason_from(words[i]), i);
	}
}

/* n2 has given it to itself, later: what n1 is told of that. */
static void wins(struct node *n, uint32_t link, const char *key)
{
	struct record *r = record_new(FAMILY_ASSIGN);
	struct changes changes = {0};
	struct fragment f;
	struct event e = {.kind = EVENT_FRAGMENT, .link = link, .fragment = &f};
	struct map *m;

	r->assign.node = config_of("n2", 0).node_id;
	r->assign.incarnation = config_of("n2", 0).incarnation;
	r->assign.epoch = UINT64_MAX >> 1;
	cr_assert_eq(map_new(config_of("n2", 1).incarnation, 0, &m), ERR_OK);
	map_put(m, key, strlen(key), "{}", 2, r, UINT64_MAX, &changes);
	cr_assert_eq(map_difference(m, map_vector(horde_map(n->h)), &f), ERR_OK);
	node_does(n, &e);
	fragment_fini(&f);
	changes_fini(&changes);
	map_free(m);
}

Test(stop_reason, who_has_lost_its_child_to_another_node_tells_it_of_the_conflict)
{
	struct node n;
	uint32_t link = node_with_peer(&n);

	n.writes_kept = false;
	n.why = STOP_REASON_COUNT;
	node_runs(&n, "default/d", plain_spec(1)); /* hashing gives it to n1 */
	wins(&n, link, "assign/default/d");
	cr_trace(&n, "assign d n2 ?|STOP d 15 2000|");
	cr_expect_eq(n.why, STOP_CONFLICT);
	node_free(&n);
}

Test(stop_reason, what_is_sent_to_another_node_is_told_so)
{
	struct event e = {.kind = EVENT_VACATE_SUPERVISOR};
	struct node n;

	node_with_peer(&n);
	n.writes_kept = false;
	n.why = STOP_REASON_COUNT;
	node_runs(&n, "default/d", plain_spec(1)); /* hashing gives it to n1 */
	e.put.key = "supervisor/default";
	e.put.key_bytes = strlen(e.put.key);
	cr_assert_eq(node_does(&n, &e), ERR_OK);
	cr_trace(&n, "STOP d 15 5000|");
	cr_expect_eq(n.why, STOP_MOVE);
	node_free(&n);
}

/* The names that specs ask for: whose they are, from when, and until when. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

static struct cluster c;

/* `list` is "key=value key=value". */
static struct record *with_names(struct record *r, const char *list)
{
	struct claims *all = &r->spec.claims;

	all->items = calloc(CLAIMS_MAX, sizeof(*all->items));
	while (*list) {
		struct claim *one = &all->items[all->count++];
		size_t key = strcspn(list, "="), value = strcspn(list + key + 1, " ");

		one->key = malloc(key + 20);
		one->key_bytes = (size_t)sprintf(one->key, "entry/default/%.*s", (int)key, list);
		one->value = strndup(list + key + 1, value);
		list += key + 1 + value;
		list += *list == ' ';
	}
	return r;
}

static struct record *that_notifies(struct record *r)
{
	r->spec.checks.ready = calloc(1, sizeof(struct check));
	*r->spec.checks.ready = (struct check){
		.kind = CHECK_NOTIFY, .period_ms = 1000, .timeout_ms = 400, .limit_ms = 60000};
	return r;
}

/* "OWNER=VALUE", or "" when nobody has it. */
static const char *holder(const struct node *n, const char *key)
{
	static char text[256];
	char full[KEY_BYTES_MAX], room[ENTRY_ROOM];
	struct entry_record r;
	const struct entry *e;

	snprintf(full, sizeof(full), "entry/default/%s", key);
	e = node_get(n, full);
	if (!e || !entry_name(e, &r))
		return "";
	snprintf(text, sizeof(text), "%s=%.*s", short_ref(r.owner_id), (int)r.value_bytes,
		entry_text(e, room) + r.value_at);
	return text;
}

static enum err asks(struct node *n, enum event_kind kind, const char *key, const char *owner)
{
	char full[KEY_BYTES_MAX];
	struct event e = {.kind = kind};

	snprintf(full, sizeof(full), "entry/default/%s", key);
	e.entry.key = full;
	e.entry.key_bytes = strlen(full);
	e.entry.owner_given = owner != NULL;
	e.entry.owner_kind = owner && strchr(owner, '/') ? OWNER_CHILD : OWNER_STATIC;
	e.entry.owner_id = owner ? owner : "tool";
	e.entry.value = "9";
	e.entry.value_bytes = 1;
	return node_does(n, &e);
}

static void gets_ready(struct node *n, const char *ref)
{
	struct event e = {.kind = EVENT_NOTIFIED};

	e.notified.ref = ref;
	e.notified.epoch = child_find(n->h, ref)->process_epoch;
	e.notified.what = NOTIFIED_READY;
	node_does(n, &e);
}

static void ends(struct node *n, const char *ref, int code)
{
	n->epoch = child_find(n->h, ref)->process_epoch;
	node_exited(n, ref, code, 0);
}

static void cr_state(const struct node *n, const char *ref, enum child_state s, enum reason r)
{
	struct child_view v = node_child(n, ref);

	cr_assert_str_eq(child_state_name(v.state), child_state_name(s));
	cr_assert_str_eq(reason_name(v.reason), reason_name(r));
}

Test(claims, a_child_has_its_names_when_it_runs_or_is_ready)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(node_put(&n, "default/a", with_names(plain_spec(1), "x=1 y={}")), ERR_OK);
	cr_assert_str_eq(holder(&n, "x"), "", "it does not run yet");
	node_started(&n, "default/a", 4);
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	cr_assert_str_eq(holder(&n, "y"), "a={}");
	node_runs(&n, "default/b", that_notifies(with_names(plain_spec(1), "z=2")));
	cr_assert_str_eq(holder(&n, "z"), "");
	gets_ready(&n, "default/b");
	cr_assert_str_eq(holder(&n, "z"), "b=2");
	node_free(&n);
}

/* What ends it, and whether its name ends with that. */
Test(claims, names_stay_through_a_restart_and_go_with_the_child)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", with_names(typed_spec(1, RESTART_TRANSIENT), "x=1"));
	ends(&n, "default/a", 1);
	cr_assert_str_eq(holder(&n, "x"), "a=1", "it is restarted");
	node_started(&n, "default/a", 5);
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	ends(&n, "default/a", 0);
	cr_assert_str_eq(holder(&n, "x"), "", "exited");
	cr_assert_eq(node_restart(&n, "default/a"), ERR_OK);
	node_started(&n, "default/a", 6);
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	cr_assert_str_eq(holder(&n, "x"), "a=1", "it is stopping");
	ends(&n, "default/a", 0);
	cr_assert_str_eq(holder(&n, "x"), "", "deleted");
	node_free(&n);
}

Test(claims, a_taken_name_ends_the_child_for_good)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(node_put(&n, "default/a", with_names(plain_spec(1), "w=1 x=1")), ERR_OK);
	cr_assert_eq(asks(&n, EVENT_REGISTER, "x", "someone"), ERR_OK);
	n.trace[0] = '\0';
	node_started(&n, "default/a", 4);
	cr_trace(&n, "STOP a 15 2000|");
	cr_assert_str_eq(holder(&n, "w"), "", "all or none");
	ends(&n, "default/a", 0);
	cr_state(&n, "default/a", CHILD_STOPPED, REASON_NAME_CONFLICT);
	n.trace[0] = '\0';
	node_wait(&n, 100000);
	cr_trace(&n, "");
	cr_assert_str_eq(holder(&n, "x"), "someone=9");
	cr_assert_eq(asks(&n, EVENT_UNREGISTER, "x", NULL), ERR_OK);
	cr_assert_eq(node_restart(&n, "default/a"), ERR_OK);
	node_started(&n, "default/a", 5);
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	cr_state(&n, "default/a", CHILD_RUNNING, REASON_NONE);
	node_free(&n);
}

Test(claims, the_second_of_two_children_gives_way)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(node_put(&n, "default/b", with_names(plain_spec(1), "x=2")), ERR_OK);
	node_runs(&n, "default/a", with_names(plain_spec(1), "x=1"));
	node_started(&n, "default/b", 5);
	ends(&n, "default/b", 1);
	cr_state(&n, "default/b", CHILD_STOPPED, REASON_NAME_CONFLICT);
	cr_state(&n, "default/a", CHILD_RUNNING, REASON_NONE);
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	node_free(&n);
}

Test(claims, one_that_is_not_listed_any_more_goes_and_others_stay)
{
	struct node n = node_make("n1", 0);
	struct record *r = with_names(plain_spec(2), "y=2 z=3");

	r->spec.process_hash = 1;
	node_runs(&n, "default/a", with_names(plain_spec(1), "x=1 y=1"));
	cr_assert_eq(asks(&n, EVENT_REGISTER, "own", "default/a"), ERR_OK);
	cr_assert_eq(node_put(&n, "default/a", r), ERR_OK);
	cr_assert_str_eq(holder(&n, "x"), "");
	cr_assert_str_eq(holder(&n, "y"), "a=2");
	cr_assert_str_eq(holder(&n, "z"), "a=3");
	cr_assert_str_eq(holder(&n, "own"), "a=9", "by itself");
	cr_state(&n, "default/a", CHILD_RUNNING, REASON_NONE);
	r = plain_spec(3);
	r->spec.process_hash = 1;
	cr_assert_eq(node_put(&n, "default/a", r), ERR_OK);
	cr_assert_str_eq(holder(&n, "y"), "");
	cr_assert_str_eq(holder(&n, "own"), "a=9");
	node_free(&n);
}

Test(claims, a_name_of_another_is_never_taken_away)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(node_put(&n, "default/a", with_names(plain_spec(1), "x=1")), ERR_OK);
	cr_assert_eq(asks(&n, EVENT_REGISTER, "x", "someone"), ERR_OK);
	cr_assert_eq(node_put(&n, "default/a", plain_spec(2)), ERR_OK);
	cr_assert_str_eq(holder(&n, "x"), "someone=9");
	node_free(&n);
}

/* ---- on_taken ---- */

static struct record *on_taken(struct record *r, enum taken_rule rule)
{
	for (uint32_t i = 0; i < r->spec.claims.count; i++)
		r->spec.claims.items[i].on_taken = rule;
	return r;
}

Test(claims, who_does_not_run_without_a_name_is_not_created_while_it_is_taken)
{
	struct node n = node_make("n1", 0);
	struct record *r = with_names(plain_spec(1), "w=1 x=1");

	cr_assert_eq(asks(&n, EVENT_REGISTER, "x", "someone"), ERR_OK);
	cr_assert_eq(node_put(&n, "default/a", r), ERR_NAME_TAKEN);
	cr_assert_null(node_child(&n, "default/a").spec);
	cr_assert_eq(asks(&n, EVENT_UNREGISTER, "x", NULL), ERR_OK);
	node_runs(&n, "default/a", with_names(plain_spec(1), "w=1 x=1"));
	/* Its own names are no hindrance, neither as they are nor with others. */
	cr_assert_eq(node_put(&n, "default/a", with_names(plain_spec(1), "w=1 x=1")), ERR_OK);
	cr_assert_eq(node_put(&n, "default/a", with_names(plain_spec(1), "w=2 x=1")), ERR_OK);
	cr_assert_str_eq(holder(&n, "w"), "a=2");
	node_free(&n);
}

Test(claims, a_standby_runs_without_its_name_and_gets_it_when_it_is_free)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", with_names(plain_spec(1), "x=1"));
	node_runs(&n, "default/b", on_taken(with_names(plain_spec(1), "w=2 x=2"), TAKEN_WAIT));
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	cr_assert_str_eq(holder(&n, "w"), "b=2");
	cr_state(&n, "default/b", CHILD_RUNNING, REASON_NONE);
	cr_assert_eq(asks(&n, EVENT_UNREGISTER, "w", NULL), ERR_OK);
	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	ends(&n, "default/a", 0);
	cr_assert_str_eq(holder(&n, "x"), "b=2");
	cr_assert_str_eq(holder(&n, "w"), "", "what an admin has freed stays free");
	node_free(&n);
}

Test(claims, who_runs_without_a_name_does_not_wait_for_it)
{
	struct node n = node_make("n1", 0);

	cr_assert_eq(asks(&n, EVENT_REGISTER, "x", "someone"), ERR_OK);
	node_runs(&n, "default/b", on_taken(with_names(plain_spec(1), "x=2"), TAKEN_RUN));
	cr_state(&n, "default/b", CHILD_RUNNING, REASON_NONE);
	cr_assert_eq(asks(&n, EVENT_UNREGISTER, "x", NULL), ERR_OK);
	cr_assert_str_eq(holder(&n, "x"), "");
	ends(&n, "default/b", 1);
	node_started(&n, "default/b", 5);
	cr_assert_str_eq(holder(&n, "x"), "b=2", "it was free at its next start");
	node_free(&n);
}

/* Two nodes give the name at once; the loser runs on, and has it after the winner. */
Test(claims, a_standby_that_loses_its_name_waits_for_it_again)
{
	struct peer *owner, *other;

	cluster_make(&c, 2);
	cr_assert_eq(node_put(&c.peers[0].n, "default/b",
			     on_taken(with_names(plain_spec(1), "x=2"), TAKEN_WAIT)),
		ERR_OK);
	cluster_wait(&c, 1000);
	owner = &c.peers[c.peers[0].proc_count == 0];
	other = &c.peers[owner == c.peers];
	cr_assert_str_eq(holder(&other->n, "x"), "b=2");
	owner->cut = other->cut = true;
	cr_assert_eq(asks(&other->n, EVENT_UNREGISTER, "x", NULL), ERR_OK);
	cr_assert_eq(asks(&other->n, EVENT_REGISTER, "x", "someone"), ERR_OK);
	/* Both wrote the key while they did not hear of each other. */
	other->n.ahead_ms = 60000;
	cr_assert_eq(asks(&owner->n, EVENT_UPDATE, "x", NULL), ERR_OK);
	cr_assert_eq(asks(&other->n, EVENT_UPDATE, "x", NULL), ERR_OK);
	owner->cut = other->cut = false;
	cluster_wait(&c, 3000);
	cr_assert_str_eq(holder(&owner->n, "x"), "someone=9");
	cr_assert_eq(owner->proc_count, 1);
	cr_state(&owner->n, "default/b", CHILD_RUNNING, REASON_NONE);
	cr_assert_eq(asks(&other->n, EVENT_UNREGISTER, "x", NULL), ERR_OK);
	cluster_wait(&c, 3000);
	cr_assert_str_eq(holder(&other->n, "x"), "b=2");
	cr_assert_eq(owner->spawns, 1);
	cluster_free(&c);
}

Test(claims, what_others_change_stays_until_the_next_start)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", with_names(plain_spec(1), "x=1 y=1"));
	cr_assert_eq(asks(&n, EVENT_UPDATE, "x", NULL), ERR_OK);
	cr_assert_eq(asks(&n, EVENT_UNREGISTER, "y", NULL), ERR_OK);
	node_wait(&n, 10000);
	cr_assert_str_eq(holder(&n, "x"), "a=9");
	cr_assert_str_eq(holder(&n, "y"), "");
	ends(&n, "default/a", 1);
	node_started(&n, "default/a", 5);
	cr_assert_str_eq(holder(&n, "x"), "a=1");
	cr_assert_str_eq(holder(&n, "y"), "a=1");
	node_free(&n);
}

Test(claims, one_that_was_freed_is_anybody_s_until_the_next_start)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", with_names(plain_spec(1), "x=1 y=1"));
	cr_assert_eq(asks(&n, EVENT_UNREGISTER, "x", NULL), ERR_OK);
	cr_assert_eq(asks(&n, EVENT_REGISTER, "x", "someone"), ERR_OK);
	cr_assert_eq(asks(&n, EVENT_UPDATE, "y", NULL), ERR_OK);
	node_wait(&n, 10000);
	cr_state(&n, "default/a", CHILD_RUNNING, REASON_NONE);
	ends(&n, "default/a", 1);
	node_started(&n, "default/a", 5);
	ends(&n, "default/a", 0);
	cr_state(&n, "default/a", CHILD_STOPPED, REASON_NAME_CONFLICT);
	node_free(&n);
}

Test(claims, a_write_of_the_same_spec_writes_no_name_again)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", with_names(plain_spec(1), "x=1"));
	cr_assert_eq(node_put(&n, "default/a", with_names(plain_spec(1), "x=1")), ERR_OK);
	node_wait(&n, 10000);
	cr_assert_null(strstr(n.trace, "entry"), "%s", n.trace);
	node_free(&n);
}

static void put_at(size_t i, const char *ref, struct record *spec)
{
	struct peer *p = &c.peers[i];

	cr_assert_eq(node_put(&p->n, ref, spec), ERR_OK);
}

/* Puts a child that this node places on itself, with the name x; its reference. */
static const char *put_here(size_t i, const char *value)
{
	static char refs[2][32];

	for (char name = 'a'; name <= 'z'; name++) {
		snprintf(refs[i], sizeof(refs[i]), "default/%c%zu", name, i);
		put_at(i, refs[i], with_names(plain_spec(1), value));
		cluster_wait(&c, 100);
		if (c.peers[i].proc_count == 1)
			return refs[i];
		cr_assert_eq(node_remove(&c.peers[i].n, refs[i]), ERR_OK);
	}
	cr_assert_fail("none is placed here");
	return NULL;
}

/* Both register while they do not see each other; later one has it, and the other gave way. */
Test(claims, of_two_that_met_later_one_gives_way)
{
	size_t stopped = 0, running = 0;
	const char *refs[2];

	cluster_make(&c, 2);
	c.peers[0].cut = c.peers[1].cut = true;
	refs[0] = put_here(0, "x=1");
	refs[1] = put_here(1, "x=2");
	cr_assert_str_eq(strchr(holder(&c.peers[0].n, "x"), '='), "=1");
	cr_assert_str_eq(strchr(holder(&c.peers[1].n, "x"), '='), "=2");
	c.peers[0].cut = c.peers[1].cut = false;
	cluster_wait(&c, 20000);
	for (size_t i = 0; i < 2; i++) {
		struct child_view v = node_child(&c.peers[0].n, refs[i]);
		bool holds = strchr(holder(&c.peers[1].n, "x"), '=')[1] == (i == 0 ? '1' : '2');

		running += v.state == CHILD_RUNNING;
		stopped += v.state == CHILD_STOPPED && v.reason == REASON_NAME_CONFLICT;
		cr_expect_eq(v.state == CHILD_RUNNING, holds);
	}
	cr_expect_eq(running, 1);
	cr_expect_eq(stopped, 1);
	cr_expect_null(node_get(&c.peers[0].n, "entry/default/x")->sibling);
	cluster_free(&c);
}

Test(claims, a_name_goes_with_its_child_to_another_node)
{
	struct entry_record r;
	struct node *n;

	cluster_make(&c, 2);
	put_at(0, "default/a", with_names(plain_spec(1), "x=1"));
	cluster_wait(&c, 1000);
	peer_kill(&c, c.peers[0].proc_count > 0 ? 0 : 1);
	cluster_wait(&c, 10000);
	n = c.peers[0].up ? &c.peers[0].n : &c.peers[1].n;
	cr_assert_eq(cluster_processes(&c, "default/a"), 1);
	cr_assert(entry_name(node_get(n, "entry/default/x"), &r));
	cr_assert(origin_equal(r.node, horde_config(n->h)->node_id), "of the new life");
	cr_assert_eq(r.epoch, child_find(n->h, "default/a")->epoch);
	cluster_free(&c);
}

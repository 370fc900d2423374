/* What those hear who listen: each change once, in order, with its reason. */
#include "server/core/parts.h"
#include "tests/unit/core/failing.h"

#include "tests/unit/core/cluster.h"

static struct cluster c;
static uint64_t heard_to[NODES];

/* The value of a member of a text, without quotes; "" when there is none. */
static const char *member(const char *text, const char *name)
{
	static char room[4][128];
	static unsigned turn;
	char *value = room[turn++ % 4], quoted[32];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":\"", name);
	at = strstr(text, quoted);
	value[0] = '\0';
	if (at)
		snprintf(value, sizeof(room[0]), "%.*s", (int)strcspn(at + strlen(quoted), "\""),
			at + strlen(quoted));
	return value;
}

/* What came since `*from`, as "TYPE TOPIC [REASON]|", of the topics that begin with `topic`. */
static const char *since(const struct node *n, uint64_t *from, const char *topic)
{
	static char out[8192];
	const struct events *ev = horde_events(n->h);
	struct happened e;

	for (out[0] = '\0'; *from < events_last(ev); ++*from) {
		size_t used = strlen(out);

		cr_assert(events_at(ev, *from + 1, &e), "%" PRIu64 " is lost", *from + 1);
		if (strncmp(e.topic, topic, strlen(topic)) != 0)
			continue;
		snprintf(out + used, sizeof(out) - used, "%s %s%s%s|", e.type,
			strchr(e.topic, ':') ? strchr(e.topic, ':') + 1 : member(e.text, "member"),
			strcmp(member(e.text, "reason"), "") ? " " : "", member(e.text, "reason"));
	}
	return out;
}

#define cr_heard(n, from, topic, want) cr_expect_str_eq(since(n, from, topic), want)

static const char *last_text(const struct node *n)
{
	struct happened e;

	cr_assert(events_at(horde_events(n->h), events_last(horde_events(n->h)), &e));
	return e.text;
}

static enum err asks(
	struct node *n, enum event_kind kind, const char *key, const char *owner, const char *value)
{
	char full[KEY_BYTES_MAX];
	struct event e = {.kind = kind};
	enum err err;

	snprintf(full, sizeof(full), "entry/default/%s", key);
	e.entry.key = full;
	e.entry.key_bytes = strlen(full);
	e.entry.owner_given = true;
	e.entry.owner_kind = strchr(owner, '/') ? OWNER_CHILD : OWNER_STATIC;
	e.entry.owner_id = owner;
	e.entry.value = value;
	e.entry.value_bytes = strlen(value);
	err = node_step(n, &e);
	node_stored(n);
	return err;
}

static void registers(struct node *n, const char *key, const char *owner)
{
	cr_assert_eq(asks(n, EVENT_REGISTER, key, owner, "1"), ERR_OK);
}

static void unregisters(struct node *n, const char *key, const char *owner)
{
	cr_assert_eq(asks(n, EVENT_UNREGISTER, key, owner, ""), ERR_OK);
}

static void meta(struct node *n, enum event_kind kind, const char *value)
{
	struct event e = {.kind = kind};

	e.put.key = "meta/default/m";
	e.put.key_bytes = strlen(e.put.key);
	e.put.value = value;
	e.put.value_bytes = strlen(value);
	cr_assert_eq(node_does(n, &e), ERR_OK);
}

static void hear_from_now(void)
{
	for (size_t i = 0; i < c.count; i++)
		heard_to[i] = events_last(horde_events(c.peers[i].n.h));
}

Test(tell, a_name_is_registered_updated_and_released)
{
	struct node n = node_make("n1", 0);
	uint64_t from = events_last(horde_events(n.h));

	registers(&n, "k", "tool");
	cr_heard(&n, &from, "", "entry.registered default/k|");
	cr_expect_str_eq(strstr(last_text(&n), "\"registry\""),
		"\"registry\":\"default\",\"key\":\"k\","
		"\"owner\":{\"kind\":\"static\",\"id\":\"tool\"},\"value\":1}");
	cr_assert_eq(asks(&n, EVENT_UPDATE, "k", "tool", "[2]"), ERR_OK);
	cr_heard(&n, &from, "registry:default/k", "entry.updated default/k|");
	cr_expect(strstr(last_text(&n), "\"value\":[2]}"));
	cr_assert_eq(asks(&n, EVENT_UPDATE, "k", "tool", "[2]"), ERR_OK);
	cr_assert_eq(asks(&n, EVENT_REGISTER, "k", "tool", "[2]"), ERR_OK);
	cr_heard(&n, &from, "", "");
	unregisters(&n, "k", "tool");
	cr_heard(&n, &from, "", "entry.unregistered default/k released|");
	node_free(&n);
}

Test(tell, each_has_its_id_and_the_time)
{
	struct node n = node_make("n1", 0);
	const struct events *ev = horde_events(n.h);
	char wanted[128], id[EVENT_ID_BYTES];

	registers(&n, "k", "tool");
	events_id(ev, events_last(ev), id);
	snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\",\"type\":\"entry.registered\",\"at\":\"%s",
		id, "2023-11-14T22:30:00.000Z\"");
	cr_expect_eq(strncmp(last_text(&n), wanted, strlen(wanted)), 0, "%s", last_text(&n));
	node_free(&n);
}

Test(tell, meta_is_put_once_and_deleted)
{
	struct node n = node_make("n1", 0);
	uint64_t from = events_last(horde_events(n.h));

	meta(&n, EVENT_PUT_META, "null");
	cr_heard(&n, &from, "meta:", "meta.put default/m|");
	cr_expect(strstr(last_text(&n), "\"key\":\"m\",\"value\":null}"), "%s", last_text(&n));
	meta(&n, EVENT_PUT_META, "null");
	cr_heard(&n, &from, "", "");
	meta(&n, EVENT_PUT_META, "{\"a\":1}");
	meta(&n, EVENT_REMOVE_META, "");
	cr_heard(&n, &from, "", "meta.put default/m|meta.deleted default/m|");
	node_free(&n);
}

Test(tell, a_child_is_created_assigned_runs_and_is_deleted_with_its_names)
{
	struct node n = node_make("n1", 0);
	uint64_t from = events_last(horde_events(n.h));

	cr_assert_eq(node_put(&n, "default/a", plain_spec(1)), ERR_OK);
	cr_heard(&n, &from, "", "child.created default/a|child.assigned default/a|");
	node_started(&n, "default/a", 4711);
	cr_heard(&n, &from, "", "child.state_changed default/a none|");
	cr_expect(
		strstr(last_text(&n), "\"state\":\"running\",\"reason\":\"none\",\"node\":\"n1\""),
		"%s", last_text(&n));
	registers(&n, "k", "default/a");
	node_remove(&n, "default/a");
	cr_heard(&n, &from, "", "entry.registered default/k|child.deleted default/a|");
	node_exited(&n, "default/a", 0, 15);
	cr_heard(&n, &from, "", "entry.unregistered default/k owner_exit|");
	node_free(&n);
}

Test(tell, a_name_that_goes_with_the_end_of_its_owner_says_so)
{
	struct node n = node_make("n1", 0);
	uint64_t from;

	node_runs(&n, "default/a", typed_spec(1, RESTART_TEMPORARY));
	registers(&n, "k", "default/a");
	registers(&n, "other", "default/a");
	from = events_last(horde_events(n.h));
	unregisters(&n, "other", "default/a");
	node_exited(&n, "default/a", 3, 0);
	cr_heard(&n, &from, "",
		"entry.unregistered default/other released|"
		"child.state_changed default/a exit|entry.unregistered default/k owner_exit|");
	node_free(&n);
}

Test(tell, a_crash_loop_is_told_once)
{
	struct node n = node_make("n1", 0);
	struct record *r = plain_spec(1);
	uint64_t from;

	r->spec.restart.max_restarts = 0;
	node_runs(&n, "default/a", r);
	from = events_last(horde_events(n.h));
	node_exited(&n, "default/a", 1, 0);
	cr_expect(strstr(since(&n, &from, "child:default/a"), "child.crash_loop default/a|"));
	node_free(&n);
}

Test(tell, what_a_node_starts_with_is_no_event)
{
	uint64_t from = 0;

	cluster_make(&c, 1);
	registers(&c.peers[0].n, "k", "tool");
	meta(&c.peers[0].n, EVENT_PUT_META, "1");
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 6000);
	cr_heard(&c.peers[0].n, &from, "", "member.joined n1|");
	unregisters(&c.peers[0].n, "k", "tool");
	registers(&c.peers[0].n, "k", "other");
	cr_heard(&c.peers[0].n, &from, "",
		"entry.unregistered default/k released|entry.registered default/k|");
	cluster_free(&c);
}

Test(tell, changes_of_others_are_heard_once)
{
	cluster_make(&c, 3);
	hear_from_now();
	registers(&c.peers[0].n, "k", "tool");
	settle_all(&c);
	cr_assert_eq(asks(&c.peers[1].n, EVENT_UPDATE, "k", "tool", "2"), ERR_OK);
	settle_all(&c);
	unregisters(&c.peers[2].n, "k", "tool");
	cluster_wait(&c, 1000);
	for (size_t i = 0; i < 3; i++)
		cr_heard(&c.peers[i].n, &heard_to[i], "",
			"entry.registered default/k|entry.updated default/k|"
			"entry.unregistered default/k released|");
	cluster_free(&c);
}

Test(tell, a_conflict_is_unregistered_then_registered_and_names_both)
{
	struct node *n1 = &c.peers[0].n, *n2 = &c.peers[1].n;

	cluster_make(&c, 3);
	hear_from_now();
	n2->ahead_ms = 5; /* the later one */
	registers(n1, "k", "one");
	registers(n2, "k", "two");
	cluster_wait(&c, 1000);
	cr_heard(n1, &heard_to[0], "",
		"entry.registered default/k|entry.unregistered default/k conflict|"
		"entry.registered default/k|entry.conflict_resolved default/k|");
	cr_expect(strstr(last_text(n1), "\"owner\":{\"kind\":\"static\",\"id\":\"two\"},"
					"\"loser\":{\"kind\":\"static\",\"id\":\"one\"}"),
		"%s", last_text(n1));
	cr_heard(n2, &heard_to[1], "",
		"entry.registered default/k|entry.conflict_resolved default/k|");
	cr_expect(strstr(last_text(n2), "\"loser\":{\"kind\":\"static\",\"id\":\"one\"}"));
	cluster_free(&c);
}

Test(tell, one_put_behind_another_s_removal_is_no_conflict)
{
	cluster_make(&c, 2);
	registers(&c.peers[0].n, "k", "one");
	settle_all(&c);
	hear_from_now();
	c.peers[1].cut = true;
	unregisters(&c.peers[0].n, "k", "one");
	registers(&c.peers[0].n, "k", "two");
	c.peers[1].cut = false;
	cluster_wait(&c, 1000);
	cr_heard(&c.peers[1].n, &heard_to[1],
		"registry:", "entry.unregistered default/k released|entry.registered default/k|");
	cluster_free(&c);
}

Test(tell, a_dead_member_takes_its_temporary_children_s_names_along)
{
	char key[16], name[32];
	size_t lost = 0;

	cluster_make(&c, 2);
	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof(key), "c%d", i);
		snprintf(name, sizeof(name), "default/%s", key);
		node_put(&c.peers[0].n, name, typed_spec(1, RESTART_TEMPORARY));
		settle_all(&c);
		registers(&c.peers[0].n, key, name);
	}
	settle_all(&c);
	hear_from_now();
	peer_kill(&c, 1);
	cluster_wait(&c, 500);
	for (const char *at = since(&c.peers[0].n, &heard_to[0], "registry:");
		(at = strstr(at, " node_lost|")); at++)
		lost++;
	cr_expect(lost > 0 && lost < 6, "%zu", lost);
	cluster_free(&c);
}

Test(tell, members_come_die_and_come_back)
{
	cluster_make(&c, 3);
	hear_from_now();
	peer_kill(&c, 2);
	cluster_wait(&c, 500);
	cr_heard(&c.peers[0].n, &heard_to[0], "", "member.dead n3|");
	peer_restart(&c, 2, 1);
	cluster_wait(&c, 2000);
	cr_heard(&c.peers[0].n, &heard_to[0], "", "member.alive n3|member.joined n3|");
	cluster_free(&c);
}

Test(tell, a_lost_majority_is_told_and_its_return)
{
	cluster_make(&c, 3);
	hear_from_now();
	peer_kill(&c, 2);
	peer_kill(&c, 1);
	cluster_wait(&c, 500);
	cr_heard(&c.peers[0].n, &heard_to[0], "quorum", "quorum.lost |");
	peer_restart(&c, 1, 1);
	cluster_wait(&c, 2000);
	cr_heard(&c.peers[0].n, &heard_to[0], "quorum", "quorum.regained |");
	cluster_free(&c);
}

/* A change that is no event. */
static void puts_silently(struct node *n, int i)
{
	struct event e = {.kind = EVENT_PUT_META};
	char key[32];

	snprintf(key, sizeof(key), "other/%d", i);
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "1";
	e.put.value_bytes = 1;
	cr_assert_eq(node_does(n, &e), ERR_OK);
}

Test(tell, of_very_many_changes_at_once_only_the_latest_are_told)
{
	struct node full = node_make("n1", 0), n = node_make("n2", 0);
	struct event e = {.kind = EVENT_MERGE};
	const struct events *ev = horde_events(n.h);
	struct vector nothing = {0};
	struct fragment f;
	uint64_t from;
	char key[32];

	for (int i = 0; i < EVENTS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		registers(&full, key, "tool");
	}
	for (int i = 0; i < 100; i++)
		puts_silently(&full, i);
	from = events_last(ev);
	cr_assert_eq(map_difference(horde_map(full.h), &nothing, &f), ERR_OK);
	e.fragment = &f;
	cr_assert_eq(node_does(&n, &e), ERR_OK);
	cr_expect_eq(map_count(horde_map(n.h), FAMILY_ENTRY), EVENTS_MAX);
	cr_expect_lt(events_last(ev) - events_first(ev), EVENTS_MAX - 50,
		"the first are not even written");
	cr_expect_geq(events_last(ev), from + EVENTS_MAX, "but counted");
	fragment_fini(&f);
	from = events_last(ev);
	unregisters(&n, "k0", "tool");
	registers(&n, "k0", "other");
	cr_heard(&n, &from, "",
		"entry.unregistered default/k0 released|entry.registered default/k0|");
	node_free(&full);
	node_free(&n);
}

/* True: the allocation failed. */
static bool told_or_lost(long fail_at, bool *lost)
{
	struct node n = node_make("n1", 0);
	const struct events *ev = horde_events(n.h);
	bool failed;
	uint64_t from;

	registers(&n, "k", "one");
	n.fail_at = fail_at;
	asks(&n, EVENT_UNREGISTER, "k", "one", "");
	failed = n.fail_at == 0;
	n.fail_at = 0;
	if (events_first(ev) > events_last(ev))
		*lost = true;
	else if (node_get(&n, "entry/default/k"))
		unregisters(&n, "k", "one");
	else
		cr_expect(strstr(last_text(&n), "entry.unregistered"), "%ld", fail_at);
	from = events_last(ev);
	registers(&n, "k", "two");
	cr_heard(&n, &from, "", "entry.registered default/k|");
	node_free(&n);
	return failed;
}

Test(tell, without_memory_it_is_lost_and_said_to_be_and_what_follows_is_right)
{
	bool lost = false;
	long n = 1;

	while (told_or_lost(n, &lost))
		cr_assert_lt(++n, 200);
	cr_expect(lost);
}

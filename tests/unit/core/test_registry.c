/* Who may register what, and when names end. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

struct asking {
	const char *key;   /* after entry/default/ */
	const char *owner; /* "default/a", or NULL for a static one */
	const char *value;
	bool admin; /* UPDATE, UNREGISTER: no owner is named */
};

static enum err asks(struct node *n, enum event_kind kind, struct asking c)
{
	char key[KEY_BYTES_MAX];
	struct event e = {.kind = kind};

	snprintf(key, sizeof(key), "entry/default/%s", c.key);
	e.entry.key = key;
	e.entry.key_bytes = strlen(key);
	e.entry.owner_given = !c.admin;
	e.entry.owner_kind = c.owner ? OWNER_CHILD : OWNER_STATIC;
	e.entry.owner_id = c.owner ? c.owner : "tool";
	e.entry.value = c.value ? c.value : "1";
	e.entry.value_bytes = strlen(e.entry.value);
	return node_step(n, &e);
}

static enum err claims(struct node *n, const char *key, const char *owner)
{
	enum err err = asks(n, EVENT_REGISTER, (struct asking){.key = key, .owner = owner});

	node_stored(n);
	return err;
}

static bool held(const struct node *n, const char *key)
{
	char full[KEY_BYTES_MAX];

	snprintf(full, sizeof(full), "entry/default/%s", key);
	return node_get(n, full) != NULL;
}

static const struct entry_record *entry(const struct node *n, const char *key)
{
	static struct entry_record fields;
	char full[KEY_BYTES_MAX];

	snprintf(full, sizeof(full), "entry/default/%s", key);
	cr_assert(entry_name(node_get(n, full), &fields));
	return &fields;
}

Test(registry, one_owner_per_key_and_the_same_one_may_register_again)
{
	struct node n = node_make("n1", 0);
	uint64_t created;

	node_runs(&n, "default/a", plain_spec(1));
	node_runs(&n, "default/b", plain_spec(1));
	cr_expect_eq(asks(&n, EVENT_REGISTER, (struct asking){"k", "default/a", "{\"x\":1}", false}),
		ERR_OK);
	cr_expect(n.actions.created);
	created = entry(&n, "k")->created;
	cr_expect_eq(entry(&n, "k")->epoch, node_get(&n, "assign/default/a")->record->assign.epoch);
	cr_expect_eq(
		asks(&n, EVENT_REGISTER, (struct asking){"k", "default/a", "null", false}), ERR_OK);
	cr_expect_not(n.actions.created);
	cr_expect_eq(entry(&n, "k")->created, created);
	cr_expect_eq(claims(&n, "k", "default/b"), ERR_ALREADY_REGISTERED);
	cr_expect_eq(claims(&n, "k", NULL), ERR_ALREADY_REGISTERED);
	cr_expect_str_eq(entry(&n, "k")->owner_id, "default/a");
	node_free(&n);
}

Test(registry, the_value_is_found_in_the_text_byte_for_byte)
{
	static const char *const values[] = {
		"null", "0.10", "\"}\\u0000}\"", "{\"a\":[1,2 ]}", "[]"};
	struct node n = node_make("n1", 0);

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct entry *e;
		const char *text, *raw;
		char room[ENTRY_ROOM];
		size_t bytes;

		cr_assert_eq(asks(&n, EVENT_REGISTER, (struct asking){"k", NULL, values[i], false}),
			ERR_OK);
		e = node_get(&n, "entry/default/k");
		cr_expect_eq(entry(&n, "k")->value_bytes, strlen(values[i]));
		text = entry_text(e, room);
		cr_expect_eq(memcmp(text + entry(&n, "k")->value_at, values[i], strlen(values[i])),
			0, "%s", text);
		raw = entry_raw(e, &bytes);
		cr_expect_eq(bytes, strlen(values[i]));
		cr_expect_eq(memcmp(raw, values[i], bytes), 0);
	}
	node_free(&n);
}

Test(registry, an_unknown_owner_is_no_owner_and_an_ended_one_none_any_more)
{
	struct node n = node_make("n1", 0);

	cr_expect_eq(claims(&n, "k", "default/nobody"), ERR_OWNER_UNKNOWN);
	node_runs(&n, "default/a", typed_spec(1, RESTART_TEMPORARY));
	node_exited(&n, "default/a", 0, 0);
	cr_expect_eq(claims(&n, "k", "default/a"), ERR_WRONG_STATE);
	cr_expect_not(held(&n, "k"));
	node_free(&n);
}

Test(registry, only_the_owner_or_an_admin_changes_an_entry)
{
	struct node n = node_make("n1", 0);
	struct asking by_b = {"k", "default/b", "2", false}, by_a = {"k", "default/a", "3", false};
	struct asking admin = {.key = "k", .value = "4", .admin = true};

	node_runs(&n, "default/a", plain_spec(1));
	cr_expect_eq(asks(&n, EVENT_UPDATE, by_a), ERR_NOT_FOUND);
	cr_expect_eq(asks(&n, EVENT_UNREGISTER, by_a), ERR_NOT_FOUND);
	claims(&n, "k", "default/a");
	cr_expect_eq(asks(&n, EVENT_UPDATE, by_b), ERR_NOT_OWNER);
	cr_expect_eq(asks(&n, EVENT_UNREGISTER, by_b), ERR_NOT_OWNER);
	cr_expect_eq(asks(&n, EVENT_UPDATE, by_a), ERR_OK);
	cr_expect_eq(asks(&n, EVENT_UPDATE, admin), ERR_OK);
	cr_expect_str_eq(entry(&n, "k")->owner_id, "default/a", "an admin takes nothing over");
	cr_expect_eq(asks(&n, EVENT_UNREGISTER, by_a), ERR_OK);
	cr_expect_not(held(&n, "k"));
	node_free(&n);
}

Test(registry, names_outlive_a_restart_and_end_with_the_child)
{
	static const enum restart_type types[] = {RESTART_TRANSIENT, RESTART_TEMPORARY};
	struct node n = node_make("n1", 0);

	for (int i = 0; i < 2; i++) {
		node_runs(&n, "default/a", typed_spec((uint64_t)i + 1, types[i]));
		claims(&n, "k1", "default/a");
		claims(&n, "k2", "default/a");
		claims(&n, "other", NULL);
		if (i == 0) {
			node_exited(&n, "default/a", 1, 0);
			node_started(&n, "default/a", 2);
			cr_expect(held(&n, "k1") && held(&n, "k2"));
		}
		node_exited(&n, "default/a", 0, 0);
		cr_expect_not(held(&n, "k1") || held(&n, "k2"), "type %d", i);
		cr_expect(held(&n, "other"));
	}
	node_free(&n);
}

Test(registry, names_end_with_a_stop_and_a_deletion_once_the_process_is_gone)
{
	for (int deleted = 0; deleted < 2; deleted++) {
		struct node n = node_make("n1", 0);
		struct record *stopped = plain_spec(1);

		stopped->spec.desired_running = false;
		node_runs(&n, "default/a", plain_spec(1));
		claims(&n, "k", "default/a");
		if (deleted) {
			record_free(stopped);
			node_remove(&n, "default/a");
		} else {
			node_put(&n, "default/a", stopped);
		}
		cr_expect(held(&n, "k"), "it still runs");
		node_exited(&n, "default/a", -1, 15);
		cr_expect_not(held(&n, "k"));
		node_free(&n);
	}
}

Test(registry, a_name_of_the_next_life_is_not_taken_by_the_end_of_the_last)
{
	struct node n = node_make("n1", 0);

	node_runs(&n, "default/a", plain_spec(1));
	claims(&n, "old", "default/a");
	node_remove(&n, "default/a");
	node_put(&n, "default/a", plain_spec(1));
	claims(&n, "new", "default/a");
	node_exited(&n, "default/a", -1, 15);
	node_started(&n, "default/a", 2);
	cr_expect(held(&n, "new"));
	node_free(&n);
}

Test(registry, the_end_of_an_epoch_takes_no_name_of_a_later_one)
{
	struct node n = node_make("n1", 0);
	uint64_t epoch;

	node_runs(&n, "default/a", plain_spec(1));
	claims(&n, "k", "default/a");
	epoch = entry(&n, "k")->epoch;
	n.h->out = &n.actions;
	registry_end(n.h, OWNER_CHILD, "default/a", epoch - 1);
	cr_expect(held(&n, "k"));
	registry_end(n.h, OWNER_CHILD, "default/a", epoch);
	cr_expect_not(held(&n, "k"));
	node_free(&n);
}

Test(registry, names_move_with_a_taken_over_child_stale_until_it_registers_again)
{
	static struct cluster c;
	const struct node *n1 = &c.peers[0].n;
	char name[32];
	int moved = 0;

	cluster_make(&c, 2);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "default/c%d", i);
		node_put(&c.peers[0].n, name, plain_spec(1));
		settle_all(&c);
		cr_expect_eq(claims(&c.peers[0].n, name + 8, name), ERR_OK);
		settle_all(&c);
		cr_expect_not(horde_entry_stale(n1->h,
			node_get(
				n1, (snprintf(name, sizeof(name), "entry/default/c%d", i), name))));
	}
	peer_kill(&c, 1);
	cluster_wait(&c, 500);
	for (int i = 0; i < 8; i++) {
		const struct entry *e;

		snprintf(name, sizeof(name), "entry/default/c%d", i);
		e = node_get(n1, name);
		cr_assert(e, "%s is still there", name);
		if (!horde_entry_stale(n1->h, e))
			continue;
		moved++;
		snprintf(name, sizeof(name), "default/c%d", i);
		cr_expect_eq(claims(&c.peers[0].n, name + 8, name), ERR_OK);
		snprintf(name, sizeof(name), "entry/default/c%d", i);
		cr_expect_not(horde_entry_stale(n1->h, node_get(n1, name)));
	}
	cr_expect_gt(moved, 0);
	cluster_free(&c);
}

Test(registry, concurrent_registrations_converge_on_one_owner)
{
	static struct cluster c;

	cluster_make(&c, 2);
	for (int i = 0; i < 2; i++) {
		node_put(&c.peers[0].n, i ? "default/a" : "default/b", plain_spec(1));
		settle_all(&c);
	}
	cr_expect_eq(claims(&c.peers[0].n, "k", "default/a"), ERR_OK);
	cr_expect_eq(claims(&c.peers[1].n, "k", "default/b"), ERR_OK);
	cluster_wait(&c, 1000);
	cr_expect_str_eq(entry(&c.peers[0].n, "k")->owner_id, entry(&c.peers[1].n, "k")->owner_id);
	node_remove(&c.peers[0].n, "default/a");
	node_remove(&c.peers[0].n, "default/b");
	cluster_wait(&c, 3000);
	cr_expect_not(held(&c.peers[0].n, "k") || held(&c.peers[1].n, "k"));
	cluster_free(&c);
}

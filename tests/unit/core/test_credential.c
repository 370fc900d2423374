/* What a process may write by its own token, and when that is over. */
#include "tests/unit/core/support.h"

TestSuite(credential, .timeout = 30);

static struct node n;

static uint64_t epoch_of(const char *ref)
{
	return node_child(&n, ref).assign->record->assign.epoch;
}

static void begin(void)
{
	n = node_make("n1", 0);
	node_runs(&n, "default/a", plain_spec(1));
	node_runs(&n, "default/b", plain_spec(1));
}

/* `owner`: a child's ref, "" for a static one, NULL for nobody. */
static enum err names(
	enum event_kind kind, struct credential by, const char *key, const char *owner)
{
	struct event e = {.kind = kind, .by = by};

	e.entry.key = key;
	e.entry.key_bytes = strlen(key);
	e.entry.owner_given = owner != NULL;
	e.entry.owner_kind = owner && *owner ? OWNER_CHILD : OWNER_STATIC;
	e.entry.owner_id = owner && *owner ? owner : "tool";
	e.entry.value = "1";
	e.entry.value_bytes = 1;
	return node_does(&n, &e);
}

static enum err puts_at(enum event_kind kind, struct credential by, const char *key)
{
	struct event e = {.kind = kind, .by = by};

	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = "{}";
	e.put.value_bytes = 2;
	return node_does(&n, &e);
}

static enum err registers(const char *ref, uint64_t epoch)
{
	return names(EVENT_REGISTER, (struct credential){ref, epoch}, "entry/default/k", ref);
}

Test(credential, it_writes_names_of_its_own_and_its_own_state)
{
	struct credential a, b;

	begin();
	a = (struct credential){"default/a", epoch_of("default/a")};
	b = (struct credential){"default/b", epoch_of("default/b")};
	cr_expect_eq(names(EVENT_REGISTER, a, "entry/default/k", "default/a"), ERR_OK);
	cr_expect_eq(names(EVENT_UPDATE, a, "entry/default/k", "default/a"), ERR_OK);
	cr_expect_eq(names(EVENT_UPDATE, b, "entry/default/k", "default/b"), ERR_NOT_OWNER);
	cr_expect_eq(names(EVENT_UNREGISTER, b, "entry/default/k", "default/b"), ERR_NOT_OWNER);
	cr_expect_eq(names(EVENT_UNREGISTER, a, "entry/default/k", "default/a"), ERR_OK);
	cr_expect_eq(names(EVENT_UNREGISTER, a, "entry/default/k", "default/a"), ERR_NOT_FOUND);
	cr_expect_eq(puts_at(EVENT_PUT_STATE, a, "state/default/a"), ERR_OK);
	cr_expect_eq(puts_at(EVENT_REMOVE_STATE, a, "state/default/a"), ERR_OK);
	node_free(&n);
}

Test(credential, it_never_speaks_for_another)
{
	static const char *const others[] = {"default/b", "", NULL};
	struct credential a;

	begin();
	a = (struct credential){"default/a", epoch_of("default/a")};
	names(EVENT_REGISTER, (struct credential){0}, "entry/default/k", "default/b");
	for (size_t i = 0; i < 3; i++)
		for (enum event_kind k = EVENT_REGISTER; k <= EVENT_UNREGISTER; k++)
			cr_expect_eq(names(k, a, "entry/default/k", others[i]), ERR_FORBIDDEN);
	cr_expect_eq(puts_at(EVENT_PUT_STATE, a, "state/default/b"), ERR_FORBIDDEN);
	cr_expect_eq(puts_at(EVENT_REMOVE_STATE, a, "state/default/b"), ERR_FORBIDDEN);
	node_free(&n);
}

Test(credential, it_sends_no_other_command)
{
	struct credential a;

	begin();
	a = (struct credential){"default/a", epoch_of("default/a")};
	for (enum event_kind k = EVENT_PUT_SPEC; k < EVENT_COUNT; k++) {
		struct event e = {.kind = k, .by = a};

		if ((k >= EVENT_REGISTER && k <= EVENT_UNREGISTER) || k == EVENT_PUT_STATE ||
			k == EVENT_REMOVE_STATE)
			continue;
		cr_expect_eq(node_does(&n, &e), ERR_FORBIDDEN, "event %u", k);
	}
	node_free(&n);
}

static void assigned(struct node *to, const char *key, uint64_t node, uint64_t epoch)
{
	struct record *r = record_new(FAMILY_ASSIGN);
	struct changes changes = {0};
	struct fragment f;
	struct event e = {.kind = EVENT_MERGE, .fragment = &f};
	struct map *m;

	r->assign.node = node ? id_of(node) : horde_config(to->h)->node_id;
	r->assign.incarnation = node ? id_of(node) : horde_config(to->h)->incarnation;
	r->assign.epoch = epoch;
	cr_assert_eq(map_new(id_of(99), 0, &m), ERR_OK);
	cr_assert_eq(map_put(m, key, strlen(key), "{}", 2, r, UINT64_MAX, &changes), ERR_OK);
	cr_assert_eq(map_difference(m, map_vector(horde_map(to->h)), &f), ERR_OK);
	cr_assert_eq(node_does(to, &e), ERR_OK);
	fragment_fini(&f);
	changes_fini(&changes);
	map_free(m);
}

Test(credential, an_older_epoch_is_stale_and_a_newer_one_is_not_known_yet)
{
	uint64_t epoch;

	begin();
	epoch = epoch_of("default/a");
	cr_expect_eq(registers("default/a", epoch), ERR_OK);
	cr_expect_eq(registers("default/a", epoch - 1), ERR_STALE_EPOCH);
	cr_expect_eq(registers("default/a", epoch + 1), ERR_AHEAD);
	cr_expect_eq(registers("default/nobody", epoch), ERR_STALE_EPOCH);
	assigned(&n, "assign/default/a", 2, epoch + 1);
	cr_expect_eq(registers("default/a", epoch), ERR_STALE_EPOCH);
	cr_expect_eq(registers("default/a", epoch + 1), ERR_OK);
	node_free(&n);
}

Test(credential, a_process_that_lives_on_under_a_later_assignment_keeps_its_token)
{
	uint64_t epoch;

	begin();
	epoch = epoch_of("default/a");
	assigned(&n, "assign/default/a", 0, epoch + 5);
	cr_assert_eq(node_child(&n, "default/a").assign->record->assign.epoch, epoch + 5);
	cr_expect_eq(registers("default/a", epoch), ERR_OK);
	cr_expect_eq(registers("default/a", epoch + 5), ERR_OK);
	cr_expect_eq(registers("default/a", epoch + 4), ERR_STALE_EPOCH);
	/* The next process has the later one, and the earlier is over. */
	node_exited(&n, "default/a", 1, 0);
	node_wait(&n, 60000);
	node_started(&n, "default/a", 4712);
	cr_assert_eq(node_child(&n, "default/a").state, CHILD_RUNNING);
	cr_expect_eq(registers("default/a", epoch), ERR_STALE_EPOCH);
	cr_expect_eq(registers("default/a", epoch + 5), ERR_OK);
	node_free(&n);
}

Test(credential, it_ends_with_the_child)
{
	uint64_t epoch;

	begin();
	epoch = epoch_of("default/a");
	cr_assert_eq(puts_at(EVENT_REMOVE_SPEC, (struct credential){0}, "spec/default/a"), ERR_OK);
	cr_expect_eq(registers("default/a", epoch), ERR_STALE_EPOCH);
	node_free(&n);
}

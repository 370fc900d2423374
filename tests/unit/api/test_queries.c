/* Walks over registries that are too large for one turn of the loop. */
#include "tests/unit/api/scene.h"

#include "api/queries.h"
#include "api/scan.h"

TestSuite(queries, .timeout = 120);

#define R "/v1/registries/default"

/* More than one turn looks at, and more than a page does. */
enum { SOME = SCAN_TURN_STEPS * 6, MANY = QUERY_PAGE_ENTRIES + SCAN_TURN_STEPS };

static void put(const char *key, const char *owner, const char *value)
{
	char name[100];
	struct event e = {.kind = EVENT_REGISTER};

	snprintf(name, sizeof(name), "entry/default/%s", key);
	e.entry.key = name;
	e.entry.key_bytes = strlen(name);
	e.entry.owner_given = true;
	e.entry.owner_kind = OWNER_STATIC;
	e.entry.owner_id = owner;
	e.entry.value = value;
	e.entry.value_bytes = strlen(value);
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
}

static void drop(const char *key)
{
	char name[100];
	struct event e = {.kind = EVENT_UNREGISTER};

	snprintf(name, sizeof(name), "entry/default/%s", key);
	e.entry.key = name;
	e.entry.key_bytes = strlen(name);
	cr_assert_eq(peer_does(&scene.c.peers[0], &e), ERR_OK);
}

static void put_many(int count)
{
	char key[20];

	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "k%07d", i);
		put(key, "alice", "1");
	}
	scene_flow();
}

static struct answer *ask_with(const char *what, const char *body)
{
	return scene_answer(scene_send(what, body));
}

/* The cursor of the last answer, or "". */
static const char *cursor_of(const struct answer *a)
{
	static char cursor[400];
	const char *at = strstr(a->bytes, "\"next_cursor\":\"");

	cursor[0] = '\0';
	if (at)
		sscanf(at + strlen("\"next_cursor\":\""), "%300[^\"]", cursor);
	return cursor;
}

Test(queries, a_count_goes_on_over_many_turns)
{
	struct answer *a;
	int fd;

	scene_start(1);
	put_many(SOME);
	fd = scene_park("POST " R "/count_select", "{\"match\":{\"value\":1}}");
	/* Others are answered while it walks. */
	a = ask_with("GET " R "/entries/k0000000", NULL);
	cr_expect_eq(a->status, 200, "%s", a->bytes);
	cr_expect_eq(http_parked(scene.http), 1);
	a = scene_answer(fd);
	cr_expect(says(a, "{\"count\":60000}"), "%s", a->bytes);
	scene_end();
}

Test(queries, a_walk_looks_at_each_key_once_while_others_write)
{
	struct answer *a;
	int fd;

	scene_start(1);
	put_many(SOME);
	fd = scene_park("POST " R "/count_select", "{\"match\":{\"value\":1}}");
	drop("k0000000");             /* it was counted */
	put("k00000000", "bob", "1"); /* where it has been already */
	drop("k0059998");             /* where it is going to be */
	put("k0059999", "alice", "2");
	put("l", "bob", "1");
	a = scene_answer(fd);
	cr_expect(says(a, "{\"count\":59999}"), "%s", a->bytes);
	scene_end();
}

Test(queries, a_page_ends_where_it_has_looked_at_enough)
{
	static const char nobody[] = "{\"match\":{\"value\":2},\"select\":[\"key\"]}";
	char what[400];
	struct answer *a;

	scene_start(1);
	put_many(MANY);
	put("l", "bob", "2");
	a = ask_with("POST " R "/select", nobody);
	cr_expect(says(a, "{\"items\":[],\"next_cursor\":"), "%s", a->bytes);
	snprintf(what, sizeof(what), "POST " R "/select?cursor=%s", cursor_of(a));
	a = ask_with(what, nobody);
	cr_expect(says(a, "{\"items\":[{\"key\":\"l\"}]}"), "%s", a->bytes);
	scene_end();
}

Test(queries, a_list_ends_where_it_has_looked_at_enough)
{
	char what[500] = "GET " R "/entries?keys_only&owner=static:bob";
	struct answer *a;
	int pages = 0;

	scene_start(1);
	put_many(SOME);
	put("l", "bob", "2");
	for (;; pages++) {
		a = scene_ask(what);
		if (!*cursor_of(a))
			break;
		cr_expect(says(a, "{\"items\":[],"), "%s", a->bytes);
		snprintf(what, sizeof(what),
			"GET " R "/entries?keys_only&owner=static:bob&cursor=%s", cursor_of(a));
	}
	cr_expect(says(a, "{\"items\":[{\"key\":\"l\"}],\"etag\""), "%s", a->bytes);
	cr_expect_eq(pages, 3);
	scene_end();
}

static bool is_answered_at_once(long fd)
{
	cr_expect_eq(http_parked(scene.http), 0, "it goes on in another turn");
	return is_answered(fd);
}

Test(queries, a_prefix_leaves_out_what_is_before_and_behind)
{
	static const char *const prefixes[] = {"a/", "l/"};

	scene_start(1);
	put_many(SOME);
	for (int i = 0; i < 2; i++) {
		char text[100];
		int fd;

		snprintf(text, sizeof(text), "%s1", prefixes[i]);
		put(text, "bob", "2");
		snprintf(text, sizeof(text),
			"{\"match\":{\"key\":{\"$prefix\":\"%s\"},\"value\":2}}", prefixes[i]);
		fd = scene_send("POST " R "/count_select", text);
		scene_until(is_answered_at_once, fd);
		cr_expect(says(scene_answer(fd), "{\"count\":1}"));
	}
	scene_end();
}

static int freed;

static bool is_freed(long count)
{
	freed = (int)map_count(horde_map(scene.c.peers[0].n.h), FAMILY_ENTRY);
	return freed <= count;
}

Test(queries, many_are_freed_in_many_turns)
{
	struct answer *a;
	int fd;

	scene_start(1);
	put_many(2000);
	put("l", "bob", "1");
	fd = scene_park("POST " R "/unregister_select?owner=static:alice", "{\"match\":{}}");
	scene_until(is_freed, 2000);
	cr_expect_gt(freed, 1, "all at once");
	scene_until(is_freed, 1);
	scene_until(are_parked, 1); /* on the way to the disk */
	scene_store(ERR_OK);
	a = scene_answer(fd);
	cr_expect(says(a, "{\"unregistered\":2000}"), "%s", a->bytes);
	cr_expect_eq(scene_ask("GET " R "/entries/l")->status, 200);
	scene_end();
}

static int turns;

static bool is_freed_after(long count)
{
	turns++;
	return is_freed(count);
}

Test(queries, what_a_child_has_is_found_without_a_walk)
{
	static const char body[] =
		"{\"value\":1,\"owner\":{\"kind\":\"child\",\"id\":\"default/web\"}}";
	static const char *const keys[] = {"a", "k0030000x", "l"};
	struct answer *a;
	int fd;

	scene_start(1);
	put_many(SOME);
	scene_answer(scene_send("PUT /v1/supervisors/default/children/web?ack=memory&wait=0ms",
		"{\"command\":[\"sleep\",\"1000\"]}"));
	for (int i = 0; i < 3; i++) {
		char what[100];

		snprintf(what, sizeof(what), "PUT " R "/entries/%s?ack=memory", keys[i]);
		a = ask_with(what, body);
		cr_assert_eq(a->status, 201, "%s", a->bytes);
	}
	a = scene_ask("GET " R "/owners/child:default%2Fweb/keys");
	cr_expect(says(a, "{\"items\":[{\"key\":\"a\"},{\"key\":\"k0030000x\"},{\"key\":\"l\"}],"
			  "\"etag\""),
		"%s", a->bytes);
	/* A prefix that is a key of its own, and one that is not. */
	a = scene_ask("GET " R "/entries?keys_only&owner=child:default/web&prefix=k0030000x");
	cr_expect(says(a, "{\"items\":[{\"key\":\"k0030000x\"}],\"etag\""), "%s", a->bytes);
	a = scene_ask("GET " R "/entries?keys_only&owner=child:default/web&prefix=k");
	cr_expect(says(a, "{\"items\":[{\"key\":\"k0030000x\"}],\"etag\""), "%s", a->bytes);
	a = scene_ask("GET " R "/count?owner=child:default/web");
	cr_expect(says(a, "{\"count\":3,"), "%s", a->bytes);
	fd = scene_send("POST " R "/unregister_select?owner=child:default/web&ack=memory",
		"{\"match\":{}}");
	scene_until(is_freed_after, SOME);
	cr_expect_lt(turns, 10, "it walks over all");
	cr_expect(says(scene_answer(fd), "{\"unregistered\":3}"));
	scene_end();
}

Test(queries, who_breaks_off_says_how_many_were_freed)
{
	struct answer *a;
	int fd;

	scene_start(1);
	put_many(2000);
	fd = scene_park("POST " R "/unregister_select", "{\"match\":{}}");
	scene_until(is_freed, 1999);
	scene_store(ERR_STORAGE_FULL);
	a = scene_answer(fd);
	cr_expect_eq(a->status, 507, "%s", a->bytes);
	cr_expect(says(a, "\"applied\":true"), "%s", a->bytes);
	is_freed(0);
	{
		char wanted[40];

		snprintf(wanted, sizeof(wanted), "\"unregistered\":%d", 2000 - freed);
		cr_expect(says(a, wanted), "not %s: %s", wanted, a->bytes);
	}
	scene_end();
}

Test(queries, a_client_that_has_gone_frees_no_more)
{
	int fd;

	scene_start(1);
	put_many(2000);
	fd = scene_park("POST " R "/unregister_select", "{\"match\":{}}");
	close(fd);
	scene_until(is_idle, 0);
	is_freed(0);
	cr_expect_gt(freed, 0);
	cr_expect_eq(http_parked(scene.http), 0);
	scene_end();
}

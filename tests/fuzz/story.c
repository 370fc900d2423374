#include "tests/fuzz/story.h"

#include "api/records.h"
#include "api/wire.h"
#include "tests/fuzz/fuzz.h"

enum { A, B, C, REPLICAS };

struct story {
	struct map *maps[REPLICAS];
	struct rows rows[REPLICAS];
	uint64_t clock;
};

static struct origin_id origin_of(int replica)
{
	/* Not in the order of their numbers. */
	static const struct origin_id origins[REPLICAS] = {
		{0x9f3c5a7e1b2d4c6f, 1}, {0x1b224c6d8e9fa0b1, 2}, {0x5d00000000000000, 3}};

	return origins[replica];
}

static void put(struct story *s, int replica, const char *key, const char *value)
{
	struct changes c = {0};
	struct record *record = NULL;

	must(record_decode(key, strlen(key), value, strlen(value), &record) == ERR_OK &&
			map_put(s->maps[replica], key, strlen(key), value, strlen(value), record,
				++s->clock, &c) == ERR_OK,
		"the story goes on");
	rows_change(&s->rows[replica], &c);
	changes_fini(&c);
}

static void drop(struct story *s, int replica, const char *key)
{
	struct changes c = {0};

	must(map_remove(s->maps[replica], key, strlen(key), ++s->clock, &c) == ERR_OK,
		"the story goes on");
	rows_change(&s->rows[replica], &c);
	changes_fini(&c);
}

static void resolve(struct story *s, int replica, const char *key)
{
	struct changes c = {0};

	must(map_resolve(s->maps[replica], key, strlen(key), ++s->clock, &c) == ERR_OK,
		"the story goes on");
	rows_change(&s->rows[replica], &c);
	changes_fini(&c);
}

static void pull(struct story *s, int replica, int from)
{
	struct changes c = {0};
	struct fragment f;

	must(map_difference(s->maps[from], map_vector(s->maps[replica]), &f) == ERR_OK &&
			map_apply(s->maps[replica], &f, &c) == ERR_OK,
		"the story goes on");
	rows_change(&s->rows[replica], &c);
	fragment_fini(&f);
	changes_fini(&c);
}

/* ---- the story ---- */

#define HEX_A "9f3c5a7e1b2d4c6f0000000000000001"

static void open_story(struct story *s)
{
	*s = (struct story){.clock = (uint64_t)1700000000000 << 16};
	for (int i = 0; i < REPLICAS; i++)
		s->maps[i] = rows_map(origin_of(i));
}

static void close_story(struct story *s)
{
	for (int i = 0; i < REPLICAS; i++) {
		map_free(s->maps[i]);
		rows_fini(&s->rows[i]);
	}
}

/* A child is placed and runs; C hears of it. */
static void begin(struct story *s)
{
	put(s, A, "member/" HEX_A,
		"{\"name\":\"n1\",\"url\":\"http://n1\",\"incarnation\":\"" HEX_A
		"\",\"started\":\"018bcfe568000000\",\"state\":\"alive\"}");
	put(s, A, "spec/default/web",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"a\"]}}");
	put(s, A, "assign/default/web",
		"{\"node\":\"" HEX_A "\",\"incarnation\":\"" HEX_A "\",\"epoch\":5,\"at\":1}");
	put(s, A, "status/default/web",
		"{\"state\":\"running\",\"reason\":\"none\",\"node\":\"" HEX_A
		"\",\"incarnation\":\"" HEX_A "\",\"epoch\":5,\"spec_hash\":\"1f\",\"pid\":7}");
	put(s, A, "meta/default/a", "1");
	pull(s, B, A);
	pull(s, C, A);
}

/* Names, removals, overwriting, siblings and a line break. */
static void go_on(struct story *s)
{
	put(s, B, "meta/default/a", "[2]");
	put(s, A, "meta/default/a", "\"three\\u00e9\"");
	put(s, A, "entry/default/db",
		"{\"owner\":{\"kind\":\"child\",\"id\":\"default/web\",\"node\":\"" HEX_A
		"\",\"epoch\":5},\"created\":\"1\",\"value\":{\"port\": 1}}");
	drop(s, B, "status/default/web");
	put(s, B, "meta/default/b", "{\n}");
	put(s, B, "other/\"x", "null");
	pull(s, A, B);
	resolve(s, A, "meta/default/a");
	put(s, A, "meta/default/c", "0");
	drop(s, A, "meta/default/c");
	put(s, A, "meta/default/b", "5");
}

/* C writes without having heard, then hears of some. */
static void diverge(struct story *s)
{
	put(s, C, "meta/default/a", "\"from c\"");
	drop(s, C, "spec/default/web");
	put(s, C, "meta/default/d", "4");
}

static void tell(struct story *s, int client)
{
	open_story(s);
	if (client > 0)
		begin(s);
	if (client == 2) {
		go_on(s);
		diverge(s);
		pull(s, C, B);
	}
}

struct map *story_client(int client, struct rows *ret_rows)
{
	struct story s;
	struct map *m;

	tell(&s, client);
	m = s.maps[C];
	*ret_rows = s.rows[C];
	s.maps[C] = NULL;
	s.rows[C] = (struct rows){0};
	close_story(&s);
	return m;
}

/* ---- bodies ---- */

static void add(struct story_body *bodies, size_t *count, const char *name, const struct story *s,
	int server, const struct vector *after)
{
	struct story_body *body = &bodies[(*count)++];
	struct fragment f;

	*body = (struct story_body){.name = name};
	must(map_difference(s->maps[server], after, &f) == ERR_OK, "the story is told");
	f.clock = s->clock;
	wire_write(&f, server == A ? "n1" : "n\xC3\xBC", &body->text);
	must(text_ok(&body->text), "the story is told");
	fragment_fini(&f);
}

size_t story_bodies(struct story_body ret_bodies[STORY_BODIES_MAX])
{
	static const char *const names[STORY_CLIENTS][3] = {{"all-a", "all-b", "all-c"},
		{"late-a", "late-b", "tick"}, {"apart-a", "apart-b", "self"}};
	struct vector none = VECTOR_INIT;
	struct story s, client;
	size_t count = 0;

	tell(&s, 2);
	for (int i = 0; i < STORY_CLIENTS; i++) {
		tell(&client, i);
		for (int server = A; server < REPLICAS; server++)
			add(ret_bodies, &count, names[i][server], server == C ? &client : &s,
				server, i == 0 ? &none : map_vector(client.maps[C]));
		close_story(&client);
	}
	close_story(&s);
	return count;
}

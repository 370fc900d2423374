#include "tests/fuzz/story.h"

#include "api/records.h"
#include "server/core/stream.h"
#include "tests/fuzz/body.h"
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

/* What `server` has for a client: slices of these origins, or the difference when none is named. */
static struct fragment answer(const struct map *server, const struct map *client,
	const struct origin_id *want, size_t count)
{
	const struct vector *after = map_vector(client);
	struct block_sums sums = {0};
	struct fragment f;

	if (count > 0) {
		must(map_slice(server, after, want, count, &f) == ERR_OK, "the story goes on");
		return f;
	}
	must(map_difference(server, after, &f) == ERR_OK, "the story goes on");
	if (f.mode != FRAGMENT_NEED)
		return f;
	fragment_fini(&f);
	must(map_block_sums(client, &sums) == ERR_OK &&
			map_difference_checked(server, after, &sums, false, &f) == ERR_OK,
		"the story goes on");
	block_sums_fini(&sums);
	return f;
}

static void pull(struct story *s, int replica, int from)
{
	struct changes c = {0};
	struct fragment f = answer(s->maps[from], s->maps[replica], NULL, 0), *one = &f;
	struct origin_id forked;

	must(map_apply(s->maps[replica], &one, 1, &c, &forked) == ERR_OK, "the story goes on");
	rows_change(&s->rows[replica], &c);
	fragment_fini(&f);
	changes_fini(&c);
}

/* ---- the story ---- */

#define HEX_A "9f3c5a7e1b2d4c6f0000000000000001"

static void open_story(struct story *s)
{
	*s = (struct story){.clock = (uint64_t)STORY_WALL_MS << 16};
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

struct bodies {
	struct story_body *items;
	size_t used;
	uint64_t clock;
};

static void add_text(struct bodies *b, const char *name, int client, struct text text)
{
	struct story_body *body = &b->items[b->used++];

	must(b->used <= STORY_BODIES_MAX && text_ok(&text), "the story is told");
	snprintf(body->name, sizeof(body->name), "%s-%d", name, client);
	body->text = text;
}

static void add(struct bodies *b, const char *name, int client, struct fragment *f_take)
{
	f_take->clock = b->clock;
	f_take->ack_wanted = client == 1;
	add_text(b, name, client, body_write(f_take, client == 2));
	fragment_fini(f_take);
}

/* What the server says to block sums; a repair speaks of living entries too. */
static void add_checked(struct bodies *b, const char *name, int client, const struct map *server,
	const struct map *m)
{
	struct block_sums sums = {0};
	struct fragment f;

	must(map_block_sums(m, &sums) == ERR_OK &&
			map_difference_checked(server, map_vector(m), &sums,
				strcmp(name, "repair") == 0, &f) == ERR_OK,
		"the story is told");
	add(b, name, client, &f);
	block_sums_fini(&sums);
}

static void add_stream(struct bodies *b, int client, struct map *server, const struct map *m)
{
	struct wire_sender sender = {.after = NULL};
	struct wire_writer *writer = NULL;
	struct stream *stream = NULL;
	struct text t = TEXT_INIT;
	bool last = false;

	must(stream_new(server, map_vector(m), NULL, &stream) == ERR_OK &&
			wire_writer_new(&sender, &writer) == ERR_OK,
		"the story is told");
	for (bool first = true; !last; first = false) {
		struct fragment piece;

		must(stream_next(stream, 2, &piece, &last) == ERR_OK, "the story is told");
		if (first)
			wire_writer_begin(writer, &piece, &t);
		wire_writer_piece(writer, &piece, &t);
		if (last)
			wire_writer_end(writer, &piece, &t);
		fragment_fini(&piece);
	}
	add_text(b, "stream", client, t);
	wire_writer_free(writer);
	stream_free(stream);
}

/* Whole bodies that say what cannot be: seqs that nobody has, and entries outside of all ranges. */
static void add_lies(struct bodies *b, struct story *s, int client, const struct map *m)
{
	static const char *const names[] = {"lie-victim", "lie-gap", "lie-put"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct fragment f = answer(s->maps[A], m, NULL, 0);

		if (i == 0 && f.kill_count > 0)
			f.kills[0].victim.seq += 100;
		if (i == 1 && f.range_count > 0)
			f.ranges[0].after++;
		if (i == 2 && f.put_count > 0)
			f.puts[0].dot.seq += 100;
		add(b, names[i], client, &f);
	}
}

static void add_all(struct bodies *b, struct story *s, int client, const struct map *m)
{
	const struct origin_id both[] = {origin_of(B), origin_of(A)};
	struct fragment f = answer(s->maps[A], m, NULL, 0);

	add(b, "full-a", client, &f);
	f = answer(s->maps[B], m, NULL, 0);
	add(b, "full-b", client, &f);
	f = answer(s->maps[A], m, &both[1], 1);
	add(b, "slice", client, &f);
	f = answer(s->maps[A], m, both, 2);
	add(b, "slices", client, &f);
	f = answer(m, m, NULL, 0);
	add(b, "tick", client, &f);
	add_stream(b, client, s->maps[A], m);
	add_checked(b, "repair", client, s->maps[B], m);
	add_lies(b, s, client, m);
}

/* The same once the server has forgotten its kill records. */
static void add_short(struct bodies *b, struct story *s, int client, const struct map *m)
{
	const struct origin_id own = origin_of(A);
	struct fragment f;

	must(map_difference(s->maps[A], map_vector(m), &f) == ERR_OK, "the story is told");
	add(b, "below-floor", client, &f);
	f = answer(s->maps[A], m, &own, 1);
	add(b, "below-floor-slice", client, &f);
	add_checked(b, "checked", client, s->maps[A], m);
}

size_t story_bodies(struct story_body ret_bodies[STORY_BODIES_MAX])
{
	struct bodies b = {ret_bodies, 0, 0};
	struct changes c = {0};
	struct story s;

	tell(&s, 2);
	b.clock = s.clock;
	for (int i = 0; i < 2 * STORY_CLIENTS; i++) {
		struct rows rows = {0};
		struct map *m = story_client(i % STORY_CLIENTS, &rows);

		if (i == STORY_CLIENTS)
			must(map_truncate(s.maps[A], map_vector(s.maps[A]), &c) == ERR_OK,
				"the story is told");
		(i < STORY_CLIENTS ? add_all : add_short)(&b, &s, i % STORY_CLIENTS, m);
		map_free(m);
		rows_fini(&rows);
	}
	changes_fini(&c);
	close_story(&s);
	return b.used;
}

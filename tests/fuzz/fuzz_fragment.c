/*
 * Fragments, from a peer that says what it likes. An input is a body as it is sent. It is read in
 * one piece and in many; what is accepted must be written and read back equal, must be refused when
 * it is truncated, altered, reordered or alien (refuse.h), and goes to the clients of story.h: each
 * joins it, holds it (a slice), and repairs itself by it (block sums). The map then is sound; when
 * it refused, nothing has changed.
 */
#include "server/core/held.h"
#include "tests/fuzz/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/join.h"
#include "tests/fuzz/mend.h"
#include "tests/fuzz/records.h"
#include "tests/fuzz/refuse.h"
#include "tests/fuzz/story.h"
#include "tests/fuzz/tally.h"

/* Most mutants get a right trailer: the others end at the sum, all of them in the same way. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t size, unsigned seed)
{
	uint64_t random = seed, how = fuzz_draw(&random, 4);

	if (how == 0)
		count = mend_move(bytes, count, size, &random);
	else if (how == 1)
		mend_digit(bytes, count, &random);
	else
		count = LLVMFuzzerMutate(bytes, count, size);
	return fuzz_draw(&random, 16) ? mend(bytes, count, size) : count;
}

/* ---- reading ---- */

static bool same_put(const struct fragment_put *p, const struct fragment_put *q)
{
	return dot_compare(p->dot, q->dot) == 0 && p->clock == q->clock &&
	       p->key_bytes == q->key_bytes && memcmp(p->key, q->key, p->key_bytes) == 0 &&
	       p->value_bytes == q->value_bytes &&
	       memcmp(p->value, q->value, p->value_bytes) == 0 &&
	       records_equal(p->record, q->record, p->value);
}

static bool same_items(const void *a, size_t count, const void *b, size_t other, size_t bytes)
{
	return count == other && (count == 0 || memcmp(a, b, count * bytes) == 0);
}

static bool same(const struct fragment *f, const struct fragment *g)
{
	bool equal =
		f->mode == g->mode && origin_equal(f->from, g->from) &&
		f->put_count == g->put_count && f->clock == g->clock &&
		f->ack_wanted == g->ack_wanted && vector_equal(&f->vector, &g->vector) &&
		vector_equal(&f->floors, &g->floors) &&
		memcmp(&f->digest, &g->digest, sizeof(f->digest)) == 0 &&
		same_items(
			f->ranges, f->range_count, g->ranges, g->range_count, sizeof(*f->ranges)) &&
		same_items(f->kills, f->kill_count, g->kills, g->kill_count, sizeof(*f->kills)) &&
		same_items(
			f->checks, f->check_count, g->checks, g->check_count, sizeof(*f->checks)) &&
		same_items(f->alive, f->alive_count, g->alive, g->alive_count, sizeof(*f->alive));

	for (size_t i = 0; equal && i < f->put_count; i++)
		equal = same_put(&f->puts[i], &g->puts[i]);
	return equal;
}

static void check_written(const struct fragment *f, bool by_after, uint64_t *random)
{
	struct text t = body_write(f, by_after);
	struct fragment again = {0};

	must(body_read_pieces(t.bytes, t.used, 1 + fuzz_draw(random, 200), random, &again) ==
			ERR_OK,
		"what is written is read");
	must(same(f, &again), "and is the same");
	fragment_fini(&again);
	text_fini(&t);
}

/* The sum tells of damage; what was written otherwise tells itself. */
static void check_refused(
	const struct fragment *f, const char *bytes, size_t count, uint64_t *random)
{
	refuse_damaged(TALLY_TRUNCATED, bytes, count, random);
	refuse_damaged(TALLY_ALTERED, bytes, count, random);
	refuse_damaged(TALLY_REORDERED, bytes, count, random);
	refuse_alien_body(f, random);
}

/* ---- joining ---- */

static struct fragment read_again(const char *bytes, size_t count)
{
	struct fragment f = {0};
	uint64_t random = 1;

	must(body_read_pieces(bytes, count, count, &random, &f) == ERR_OK,
		"a body is read every time");
	return f;
}

/* What was joined, or not, left a map that is sound and that its store would give back. */
static void check_sound(struct map *m, struct rows *rows, struct changes *c)
{
	rows_change(rows, c);
	rows_check_map(m);
	rows_check(rows, m);
	map_sweep(m);
}

static void join_twice(const char *bytes, size_t count, struct map *m, struct rows *rows)
{
	struct fragment f = read_again(bytes, count), again = read_again(bytes, count);
	struct fragment *fragment = &f, *second = &again;
	struct changes c = {0};
	enum err e = join(m, &fragment, 1, &c);

	check_sound(m, rows, &c);
	must(join(m, &second, 1, &c) == e && c.used == 0, "the second time changes nothing");
	changes_fini(&c);
	fragment_fini(&f);
	fragment_fini(&again);
}

static void join_alien(const char *bytes, size_t count, struct map *m, struct rows *rows)
{
	uint64_t random = fuzz_seed(bytes, count) ^ map_digest(m).sums[0];
	struct fragment f = read_again(bytes, count);
	struct changes none = {0};

	refuse_alien(&f, m, &random);
	check_sound(m, rows, &none);
}

/* Slices are held until they fit. */
static void hold(const char *bytes, size_t count, struct map *m, struct rows *rows)
{
	struct fragment f = read_again(bytes, count);
	struct before before = before_of(m);
	struct changes c = {0};
	struct held *held = NULL;
	struct origin_id forked;
	struct vector cursor = VECTOR_INIT;
	size_t applied = 0;
	uint32_t link = 0;
	enum err e;

	must(held_new(&held) == ERR_OK && held_add(held, 7, &f, 0) == ERR_OK, "there is memory");
	e = held_settle(held, m, &c, &applied, &forked, &link);
	must(e == ERR_OK || (e == ERR_MALFORMED && link == 7), "it is held, joined or refused");
	must(held_cursor(held, m, &cursor) == ERR_OK && vector_covers(&cursor, map_vector(m)),
		"what is known is not asked for");
	if (applied > 0)
		before_fini(&before);
	else
		before_check(&before, m, &c);
	tally(e != ERR_OK ? TALLY_UNJOINED : applied ? TALLY_JOINED : TALLY_HELD);
	check_sound(m, rows, &c);
	held_free(held);
	vector_fini(&cursor);
	changes_fini(&c);
}

/* As the answer to block sums of two that know the same. */
static struct fragment read_repair(const char *bytes, size_t count, const struct map *m)
{
	struct fragment f = read_again(bytes, count);

	vector_fini(&f.vector);
	must(vector_copy(map_vector(m), &f.vector) == ERR_OK, "there is memory");
	return f;
}

static void repair(const char *bytes, size_t count, struct map *m, struct rows *rows)
{
	uint64_t random = fuzz_seed(bytes, count) ^ map_digest(m).sums[0];
	struct fragment alien = read_repair(bytes, count, m), f = read_repair(bytes, count, m);
	struct hybrid_clock clock = {0};
	struct before before;
	struct changes c = {0};
	enum err e;

	refuse_alien_repair(&alien, m, &random);
	before = before_of(m);
	e = map_repair(m, &f, &clock, STORY_WALL_MS, &c);
	must(e == ERR_OK || e == ERR_MALFORMED, "it is repaired or refused");
	if (e == ERR_OK)
		before_fini(&before);
	else
		before_check(&before, m, &c);
	tally(e == ERR_OK ? TALLY_REPAIRED : TALLY_UNREPAIRED);
	check_sound(m, rows, &c);
	changes_fini(&c);
	fragment_fini(&f);
}

static void with_client(int client, const char *bytes, size_t count,
	void (*use)(const char *bytes, size_t count, struct map *m, struct rows *rows))
{
	struct rows rows = {0};
	struct map *m = story_client(client, &rows);

	use(bytes, count, m, &rows);
	map_free(m);
	rows_fini(&rows);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (int i = 0; i < TALLY_COUNT; i++)
		tally_expect((enum tally)i);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	const char *body = (const char *)bytes;
	uint64_t random = fuzz_seed(bytes, count);
	struct fragment f = {0}, pieces = {0};
	enum err e = body_read(body, count, &f);
	enum err other =
		body_read_pieces(body, count, 1 + fuzz_draw(&random, 64), &random, &pieces);

	must(e == other && (e != ERR_OK || same(&f, &pieces)), "the pieces do not matter");
	if (e == ERR_OK) {
		check_written(&f, false, &random);
		check_written(&f, true, &random);
		check_refused(&f, body, count, &random);
	}
	for (int i = 0; e == ERR_OK && i < STORY_CLIENTS; i++) {
		with_client(i, body, count, join_twice);
		with_client(i, body, count, join_alien);
		if (f.mode == FRAGMENT_SLICE)
			with_client(i, body, count, hold);
		if (f.check_count > 0)
			with_client(i, body, count, repair);
	}
	fragment_fini(&f);
	fragment_fini(&pieces);
	return 0;
}

/*
 * The replicated map. The bytes of an input are a program for three replicas (see `steps`): they
 * write, ask each other for differences, slices and streams, get what was asked for late, twice or
 * by mistake, forget kill records, fall back to an old store. After each step the replica is
 * compared with the history of all events, and with what its store would give back; at the end all
 * tell each other everything, and must be equal. Then entries of one are lost or damaged, and the
 * repair must bring back what anyone has.
 */
#include "api/records.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/refuse.h"
#include "tests/fuzz/world.h"

#include <inttypes.h>

#define KEYS 4
#define STEPS_MAX 2000

struct program {
	const uint8_t *at;
	const uint8_t *end;
};

/* The next byte, below `below`; 0 behind the end. */
static size_t next(struct program *p, size_t below)
{
	return p->at < p->end ? *p->at++ % below : 0;
}

/* Of which replica, other than `r`. */
static int next_other(struct program *p, int r)
{
	return (r + 1 + (int)next(p, REPLICAS - 1)) % REPLICAS;
}

static struct letter *next_letter(struct program *p)
{
	return &w.letters[next(p, LETTERS_MAX)];
}

/* ---- steps: writes ---- */

/* Half of the keys are names, which the map keeps in a form of their own. */
static bool is_name(size_t number)
{
	return number % 2 != 0;
}

static void spell_key(size_t number, char key[16])
{
	snprintf(key, 16, is_name(number) ? "entry/r/%zu" : "meta/r/%zu", number);
}

static struct text spell_value(size_t number, uint64_t value)
{
	struct text t = TEXT_INIT;

	if (is_name(number))
		text_addf(&t,
			"{\"owner\":{\"kind\":\"static\",\"id\":\"a\"},\"created\":\"%016" PRIx64
			"\",\"value\":%" PRIu64 "}",
			value / 2, value);
	else
		text_addf(&t, "%" PRIu64, value);
	must(text_cstr(&t), "there is memory");
	return t;
}

static void step_put(struct program *p, int r)
{
	struct map *m = w.replicas[r].map;
	struct changes c = {0};
	size_t number = next(p, KEYS), skew = next(p, 4);
	struct record *record = NULL;
	struct text value;
	char key[16];

	if (!history_room(&w.history, map_last_dot(m).origin))
		return;
	spell_key(number, key);
	value = spell_value(number, ++w.clock);
	must(record_decode(key, strlen(key), value.bytes, value.used, &record) == ERR_OK &&
			map_put(m, key, strlen(key), value.bytes, value.used, record,
				w.clock * skew, &c) == ERR_OK,
		"there is memory");
	must((map_get(m, key, strlen(key))->form != 0) == is_name(number), "a name is kept small");
	text_fini(&value);
	history_add(&w.history, m, &c);
	world_settle(r, &c);
}

static void step_remove(struct program *p, int r)
{
	struct map *m = w.replicas[r].map;
	struct changes c = {0};
	char key[16];
	size_t number = next(p, 2 * KEYS);
	enum err e;

	if (!history_room(&w.history, map_last_dot(m).origin))
		return;
	spell_key(number % KEYS, key);
	e = (number < KEYS ? map_remove : map_resolve)(m, key, strlen(key), ++w.clock, &c);
	must(e == ERR_OK || (e == ERR_NOT_FOUND && c.used == 0), "there is memory");
	history_add(&w.history, m, &c);
	world_settle(r, &c);
}

/* ---- steps: the network ---- */

/* Its own alone, as in a mesh; or also some of others, as after a graft. */
static struct letter ask_slices(struct program *p, int r)
{
	int from = next_other(p, r);
	uint64_t others = next(p, 2) ? (uint64_t)next(p, 256) * 0x0101010101 : 0;

	return world_ask_slices(from, r, others);
}

static void step_pull(struct program *p, int r)
{
	world_pull(r, next_other(p, r));
}

static void step_pull_slices(struct program *p, int r)
{
	struct letter l = ask_slices(p, r);

	world_deliver(r, &l);
	letter_fini(&l);
}

/* The answer is under way, and the letter whose place it takes is lost. */
static void step_ask(struct program *p, int r)
{
	struct letter *place = next_letter(p);

	letter_fini(place);
	*place = next(p, 3) ? ask_slices(p, r) : world_ask_all(next_other(p, r), r);
}

static void step_receive(struct program *p, int r)
{
	world_deliver(r, next_letter(p));
}

static void step_stream(struct program *p, int r)
{
	struct letter *place = next_letter(p), l;
	size_t most = next(p, 8);

	if (most == 0)
		world_stream_open(next_other(p, r), r);
	if (!world_stream_next(r, 1 + most, &l))
		return;
	letter_fini(place);
	*place = l;
}

/* Damaged under way: none of it is read. */
static void step_tamper(struct program *p, int r)
{
	static const enum tally kinds[] = {TALLY_TRUNCATED, TALLY_ALTERED, TALLY_REORDERED};
	const struct letter *l = next_letter(p);
	uint64_t random = (uint64_t)next(p, 256) << 8 | next(p, 256);

	(void)r;
	refuse_damaged(kinds[random % 3], l->body.bytes, l->body.used, &random);
}

/* ---- steps: the disk ---- */

static void step_sync(struct program *p, int r)
{
	struct replica *x = &w.replicas[r];

	(void)p;
	rows_fini(&x->synced);
	x->synced = rows_copy(&x->rows);
}

/* A crash: nothing, or all since the last sync, is lost; or it comes up with another's store. */
static void step_restart(struct program *p, int r)
{
	size_t what = next(p, 4);
	const struct rows *rows = &w.replicas[r].synced;

	if (what == 1)
		rows = &w.replicas[r].rows;
	if (what == 2)
		rows = &w.replicas[next_other(p, r)].synced;
	if (what == 3)
		world_renew(r);
	else if (world_restart(r, rows))
		history_restart(&w.history, r, w.replicas[r].map);
}

/* Kill records of one origin, or of all, are forgotten up to some event. */
static void step_truncate(struct program *p, int r)
{
	const struct vector *v = map_vector(w.replicas[r].map);
	struct vector stable = VECTOR_INIT;
	struct changes c = {0};
	size_t first = next(p, 8), keep = next(p, 4);

	for (size_t i = 0; i < v->used; i++)
		if ((first == 0 || i == first - 1) && v->items[i].count > keep)
			must(vector_raise(&stable, v->items[i].origin, v->items[i].count - keep) ==
					ERR_OK,
				"there is memory");
	must(map_truncate(w.replicas[r].map, &stable, &c) == ERR_OK, "there is memory");
	vector_fini(&stable);
	world_settle(r, &c);
	history_check_kills(&w.history, w.replicas[r].map);
}

static void (*const steps[])(struct program *p, int r) = {
	step_put,
	step_put,
	step_remove,
	step_pull,
	step_pull_slices,
	step_ask,
	step_receive,
	step_receive,
	step_stream,
	step_tamper,
	step_sync,
	step_restart,
	step_truncate,
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* ---- the end ---- */

static void check_replica(int r)
{
	const struct replica *x = &w.replicas[r], *first = &w.replicas[0];

	must(vector_equal(map_vector(first->map), map_vector(x->map)),
		"all know the same in the end");
	must(rows_same_entries(first->map, x->map), "and are equal");
	rows_check_map(x->map);
	rows_check(&x->rows, x->map);
	history_check_kills(&w.history, x->map);
}

static void pull_slices(int r, int from)
{
	struct letter l;

	if (vector_covers(map_vector(w.replicas[r].map), map_vector(w.replicas[from].map)))
		return;
	l = world_ask_slices(from, r, UINT64_MAX);
	world_deliver(r, &l);
	letter_fini(&l);
}

/* By slices as far as that goes, then whole, twice around: each hears of all. */
static void heal(void)
{
	for (int i = 0; i < REPLICAS * REPLICAS; i++)
		if (i / REPLICAS != i % REPLICAS)
			pull_slices(i / REPLICAS, i % REPLICAS);
	for (int i = 0; i < 2 * REPLICAS; i++)
		world_pull(i % REPLICAS, (i + REPLICAS - 1) % REPLICAS);
	for (int r = 0; r < REPLICAS; r++)
		check_replica(r);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const enum tally expected[] = {TALLY_READ, TALLY_TRUNCATED, TALLY_ALTERED,
		TALLY_REORDERED, TALLY_JOINED, TALLY_UNJOINED, TALLY_HELD, TALLY_REPAIRED};

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		tally_expect(expected[i]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct program p = {bytes, bytes + count};
	size_t damage = next(&p, 256);

	world_open();
	for (int i = 0; p.at < p.end && i < STEPS_MAX; i++) {
		size_t what = next(&p, STEPS * REPLICAS);

		steps[what / REPLICAS](&p, (int)(what % REPLICAS));
	}
	heal();
	damage_and_repair(damage);
	world_close();
	return 0;
}

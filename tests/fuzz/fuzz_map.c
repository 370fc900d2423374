/*
 * The replicated map. The bytes of an input are a program for three replicas (see `steps`): they
 * write, ask each other, get what was asked for late, twice or by mistake, fall back to an old
 * store. After each step the replica is compared with the history of all events, and with what its
 * store would give back; at the end all tell each other everything, and must be equal.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/history.h"
#include "tests/fuzz/rows.h"

#define REPLICAS HISTORY_REPLICAS
#define KEYS 4
#define HELD_MAX 6
#define STEPS_MAX 2000

struct program {
	const uint8_t *at;
	const uint8_t *end;
};

struct replica {
	struct map *map;
	struct rows rows;
	struct rows saved; /* an older state of the store */
};

static struct world {
	struct history_log history;
	struct replica replicas[REPLICAS];
	struct fragment held[HELD_MAX]; /* on their way, to whoever comes */
	uint64_t clock;
} w;

/* The next byte, below `below`; 0 behind the end. */
static size_t next(struct program *p, size_t below)
{
	return p->at < p->end ? *p->at++ % below : 0;
}

/* ---- fragments ---- */

/* A copy that lives on its own. */
static struct fragment own(const struct fragment *f)
{
	struct fragment o = *f;

	o.borrowed = false;
	o.ranges = (void *)fuzz_copy(f->ranges, f->range_count * sizeof(*f->ranges));
	o.kills = (void *)fuzz_copy(f->kills, f->kill_count * sizeof(*f->kills));
	o.puts = (void *)fuzz_copy(f->puts, f->put_count * sizeof(*f->puts));
	o.checks = (void *)fuzz_copy(f->checks, f->check_count * sizeof(*f->checks));
	o.alive = (void *)fuzz_copy(f->alive, f->alive_count * sizeof(*f->alive));
	for (size_t i = 0; i < f->put_count; i++) {
		o.puts[i].key = fuzz_string(f->puts[i].key, f->puts[i].key_bytes);
		o.puts[i].value = fuzz_string(f->puts[i].value, f->puts[i].value_bytes);
	}
	must(vector_copy(&f->vector, &o.vector) == ERR_OK &&
			vector_copy(&f->floors, &o.floors) == ERR_OK,
		"there is memory");
	return o;
}

/* The store gets what has changed, and both are looked at. */
static void settle(int r, struct changes *c)
{
	struct replica *x = &w.replicas[r];

	history_check(&w.history, r, x->map, c);
	rows_change(&x->rows, c);
	map_sweep(x->map);
	changes_fini(c);
}

static enum err apply(int r, struct fragment *f)
{
	struct changes c = {0};
	enum err e = map_apply(w.replicas[r].map, f, &c);

	must(e == ERR_OK || (e == ERR_MALFORMED && c.used == 0), "it is applied or refused");
	settle(r, &c);
	return e;
}

static struct fragment difference(int from, int asker)
{
	struct fragment f;

	must(map_difference(w.replicas[from].map, map_vector(w.replicas[asker].map), &f) == ERR_OK,
		"there is memory");
	return f;
}

/* ---- steps ---- */

static void step_put(struct program *p, int r)
{
	struct map *m = w.replicas[r].map;
	struct changes c = {0};
	size_t number = next(p, KEYS), skew = next(p, 4);
	char key[16], value[32];

	if (!history_room(&w.history, map_last_dot(m).origin))
		return;
	snprintf(key, sizeof(key), "meta/r/%zu", number);
	snprintf(value, sizeof(value), "%llu", (unsigned long long)++w.clock);
	must(map_put(m, key, strlen(key), value, strlen(value), NULL, w.clock * skew, &c) == ERR_OK,
		"there is memory");
	history_add(&w.history, m, &c);
	settle(r, &c);
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
	snprintf(key, sizeof(key), "meta/r/%zu", number % KEYS);
	e = (number < KEYS ? map_remove : map_resolve)(m, key, strlen(key), ++w.clock, &c);
	must(e == ERR_OK || (e == ERR_NOT_FOUND && c.used == 0), "there is memory");
	history_add(&w.history, m, &c);
	settle(r, &c);
}

static void step_pull(struct program *p, int r)
{
	struct fragment f = difference((int)next(p, REPLICAS), r);

	must(apply(r, &f) == ERR_OK, "what was asked for is applied");
	fragment_fini(&f);
}

static void step_send(struct program *p, int r)
{
	struct fragment *slot = &w.held[next(p, HELD_MAX)];
	struct fragment f = difference((int)next(p, REPLICAS), r);

	fragment_fini(slot);
	*slot = own(&f);
	fragment_fini(&f);
}

static void step_receive(struct program *p, int r)
{
	struct fragment copy = own(&w.held[next(p, HELD_MAX)]);

	apply(r, &copy);
	fragment_fini(&copy);
}

static void step_save(struct program *p, int r)
{
	(void)p;
	rows_fini(&w.replicas[r].saved);
	w.replicas[r].saved = rows_copy(&w.replicas[r].rows);
}

/* A crash, back to what is stored now or was stored once. */
static void step_restart(struct program *p, int r)
{
	struct replica *x = &w.replicas[r];
	struct origin_id fresh;

	if (!history_fresh(&w.history, &fresh))
		return;
	if (next(p, 2) == 0) {
		rows_fini(&x->rows);
		x->rows = rows_copy(&x->saved);
	} else {
		rows_check(&x->rows, x->map);
	}
	map_free(x->map);
	x->map = rows_load(&x->rows, fresh);
	history_restart(&w.history, r, x->map);
}

static void (*const steps[])(struct program *p, int r) = {
	step_put,
	step_put,
	step_remove,
	step_pull,
	step_send,
	step_receive,
	step_save,
	step_restart,
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void check_pairs(int r)
{
	for (int i = 0; i < REPLICAS; i++) {
		struct digest a = map_digest(w.replicas[r].map), b = map_digest(w.replicas[i].map);

		must(!vector_equal(map_vector(w.replicas[r].map), map_vector(w.replicas[i].map)) ||
				(a.sums[0] == b.sums[0] && a.sums[1] == b.sums[1]),
			"equal vectors have equal digests");
	}
}

/* ---- the whole ---- */

static void open_world(void)
{
	history_init(&w.history);
	memset(w.replicas, 0, sizeof(w.replicas));
	memset(w.held, 0, sizeof(w.held));
	w.clock = 0;
	for (int r = 0; r < REPLICAS; r++) {
		struct origin_id fresh;

		must(history_fresh(&w.history, &fresh), "there are origins");
		w.replicas[r].map = rows_map(fresh);
	}
}

/* Twice around: each hears of all. */
static void heal(void)
{
	for (int i = 0; i < 2 * REPLICAS; i++) {
		int r = i % REPLICAS;
		struct fragment f = difference((r + REPLICAS - 1) % REPLICAS, r);

		must(apply(r, &f) == ERR_OK, "what was asked for is applied");
		fragment_fini(&f);
	}
	for (int r = 0; r < REPLICAS; r++) {
		must(vector_equal(map_vector(w.replicas[0].map), map_vector(w.replicas[r].map)),
			"all know the same in the end");
		must(rows_same_entries(w.replicas[0].map, w.replicas[r].map), "and are equal");
		rows_check_map(w.replicas[r].map);
		rows_check(&w.replicas[r].rows, w.replicas[r].map);
	}
}

static void close_world(void)
{
	for (int r = 0; r < REPLICAS; r++) {
		map_free(w.replicas[r].map);
		rows_fini(&w.replicas[r].rows);
		rows_fini(&w.replicas[r].saved);
	}
	for (int i = 0; i < HELD_MAX; i++)
		fragment_fini(&w.held[i]);
	history_fini(&w.history);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct program p = {bytes, bytes + count};

	open_world();
	for (int i = 0; p.at < p.end && i < STEPS_MAX; i++) {
		size_t what = next(&p, STEPS * REPLICAS);
		int r = (int)(what % REPLICAS);

		steps[what / REPLICAS](&p, r);
		check_pairs(r);
	}
	heal();
	close_world();
	return 0;
}

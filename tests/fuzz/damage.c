#include "tests/fuzz/damage.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/join.h"
#include "tests/fuzz/tally.h"
#include "tests/fuzz/world.h"

#define ROUNDS_MAX 3
#define WALL_MS 1000

/* Every third of some entries is lost, the others get another value. */
static void damage(struct rows *r, size_t what)
{
	size_t step = 1 + what % 4;

	for (size_t i = what / 4 % 8; i < r->entry_count; i += step) {
		struct rows_entry *e = &r->entries[i];

		if ((what / 32 + i) % 3 > 0) {
			free(e->value);
			e->value = fuzz_string("\"damaged\"", 9);
			e->value_bytes = 9;
			continue;
		}
		free(e->key);
		free(e->value);
		*e = r->entries[--r->entry_count];
	}
}

/* Not by world_settle: the state is no function of the vector now. */
static void store(int r, struct changes *c)
{
	struct replica *x = &w.replicas[r];

	rows_change(&x->rows, c);
	map_sweep(x->map);
	rows_check_map(x->map);
	rows_check(&x->rows, x->map);
	changes_fini(c);
}

static void repair(int r, int from)
{
	const struct map *server = w.replicas[from].map;
	struct map *m = w.replicas[r].map;
	struct hybrid_clock clock = {0};
	struct block_sums sums = {0};
	struct fragment f, read = {0};
	struct changes c = {0};
	struct text body;

	must(map_block_sums(m, &sums) == ERR_OK &&
			map_difference_checked(server, map_vector(m), &sums, true, &f) == ERR_OK,
		"there is memory");
	body = body_write(&f, false);
	must(body_read(body.bytes, body.used, &read) == ERR_OK &&
			map_repair(m, &read, &clock, WALL_MS, &c) == ERR_OK,
		"an answer is one");
	tally(TALLY_REPAIRED);
	text_fini(&body);
	fragment_fini(&f);
	fragment_fini(&read);
	block_sums_fini(&sums);
	store(r, &c);
}

static void pull(int r, int from)
{
	struct fragment f = world_difference(from, r), *one = &f;
	struct changes c = {0};
	enum err e = join(w.replicas[r].map, &one, 1, &c);

	must((e == ERR_OK) == (f.mode == FRAGMENT_FULL), "what was asked for is joined");
	store(r, &c);
	fragment_fini(&f);
}

static bool agree(int r, int s)
{
	return rows_same_entries(w.replicas[r].map, w.replicas[s].map);
}

static bool same_vectors(int r, int s)
{
	return vector_equal(map_vector(w.replicas[r].map), map_vector(w.replicas[s].map));
}

/* Who differs and knows the same repairs itself, and the others hear of it. */
static void mend_all(void)
{
	for (int i = 0; i < ROUNDS_MAX * REPLICAS * REPLICAS; i++) {
		int r = i / REPLICAS % REPLICAS, s = i % REPLICAS;

		if (agree(r, s) && same_vectors(r, s))
			continue;
		if (same_vectors(r, s))
			repair(r, s);
		pull(s, r);
	}
}

/* Each content is there still, under whatever dot. */
static void check_kept(const struct rows *before, const struct map *m)
{
	for (size_t i = 0; i < before->entry_count; i++) {
		const struct rows_entry *b = &before->entries[i];
		const struct entry *e = map_get(m, b->key, b->key_bytes);
		char room[ENTRY_ROOM];

		while (e && (e->value_bytes != b->value_bytes ||
				    memcmp(entry_text(e, room), b->value, b->value_bytes) != 0))
			e = e->sibling;
		must(e, "what anyone had is there");
	}
}

void damage_and_repair(size_t what)
{
	struct rows damaged = rows_copy(&w.replicas[0].rows), whole;

	damage(&damaged, what);
	if (!world_restart(0, &damaged)) {
		rows_fini(&damaged);
		return;
	}
	whole = rows_copy(&w.replicas[1].rows);
	mend_all();
	for (int r = 0; r < REPLICAS; r++) {
		must(agree(0, r), "all are equal after the repair");
		check_kept(&damaged, w.replicas[r].map);
		check_kept(&whole, w.replicas[r].map);
	}
	rows_fini(&damaged);
	rows_fini(&whole);
}

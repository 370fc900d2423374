#include "tests/fuzz/world.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/join.h"
#include "tests/fuzz/tally.h"

struct world w;

/* ---- lives ---- */

static void open_replica(struct replica *x, struct map *m)
{
	x->map = m;
	must(held_new(&x->held) == ERR_OK, "there is memory");
}

static void close_replica(int r)
{
	struct replica *x = &w.replicas[r];

	world_stream_close(r);
	held_free(x->held);
	map_free(x->map);
}

void world_open(void)
{
	memset(w.replicas, 0, sizeof(w.replicas));
	memset(w.letters, 0, sizeof(w.letters));
	w.clock = 0;
	history_init(&w.history);
	for (int r = 0; r < REPLICAS; r++) {
		struct origin_id fresh;

		must(history_fresh(&w.history, &fresh), "there are origins");
		open_replica(&w.replicas[r], rows_map(fresh));
	}
}

void world_close(void)
{
	for (int r = 0; r < REPLICAS; r++) {
		close_replica(r);
		rows_fini(&w.replicas[r].rows);
		rows_fini(&w.replicas[r].synced);
	}
	for (int i = 0; i < LETTERS_MAX; i++)
		letter_fini(&w.letters[i]);
	history_fini(&w.history);
}

bool world_restart(int r, const struct rows *rows)
{
	struct replica *x = &w.replicas[r];
	struct rows copy = rows_copy(rows);
	struct origin_id fresh;

	if (!history_fresh(&w.history, &fresh)) {
		rows_fini(&copy);
		return false;
	}
	rows_check(&x->rows, x->map);
	close_replica(r);
	rows_fini(&x->rows);
	x->rows = copy;
	open_replica(x, rows_load(&x->rows, fresh));
	return true;
}

void world_renew(int r)
{
	struct origin_id fresh;

	if (history_fresh(&w.history, &fresh))
		must(map_renew(w.replicas[r].map, fresh) == ERR_OK, "there is memory");
}

static void check_pairs(int r)
{
	for (int i = 0; i < REPLICAS; i++) {
		struct digest a = map_digest(w.replicas[r].map), b = map_digest(w.replicas[i].map);

		must(!vector_equal(map_vector(w.replicas[r].map), map_vector(w.replicas[i].map)) ||
				(a.sums[0] == b.sums[0] && a.sums[1] == b.sums[1]),
			"equal vectors have equal digests");
	}
}

void world_settle(int r, struct changes *c)
{
	struct replica *x = &w.replicas[r];

	history_check(&w.history, r, x->map, c);
	rows_change(&x->rows, c);
	map_sweep(x->map);
	changes_fini(c);
	check_pairs(r);
}

/* ---- letters ---- */

void letter_fini(struct letter *l)
{
	text_fini(&l->body);
	vector_fini(&l->after);
	*l = (struct letter){0};
}

static struct letter write_letter(int from, const struct vector *after, struct fragment *f_take)
{
	struct letter l = {.from = from, .body = body_write(f_take, w.clock % 2)};

	must(vector_copy(after, &l.after) == ERR_OK, "there is memory");
	fragment_fini(f_take);
	return l;
}

struct fragment world_difference(int from, int asker)
{
	const struct map *server = w.replicas[from].map, *client = w.replicas[asker].map;
	const struct vector *after = map_vector(client);
	struct block_sums sums = {0};
	struct fragment f;

	must(map_difference(server, after, &f) == ERR_OK, "there is memory");
	must((f.mode == FRAGMENT_NEED) == map_needs_sums(server, after), "it is foreseen");
	if (f.mode == FRAGMENT_NEED) {
		fragment_fini(&f);
		must(map_block_sums(client, &sums) == ERR_OK &&
				map_difference_checked(server, after, &sums, false, &f) == ERR_OK,
			"there is memory");
		block_sums_fini(&sums);
	}
	return f;
}

struct letter world_ask_all(int from, int asker)
{
	struct fragment f = world_difference(from, asker);

	return write_letter(from, map_vector(w.replicas[asker].map), &f);
}

struct letter world_ask_slices(int from, int asker, uint64_t others)
{
	const struct replica *client = &w.replicas[asker];
	struct origin_id want[HISTORY_ORIGINS + 1];
	struct vector cursor = VECTOR_INIT;
	struct fragment f;
	struct letter l;
	size_t count = 0;

	want[count++] = map_last_dot(w.replicas[from].map).origin;
	for (size_t i = 0; i < w.history.origins; i++)
		if (others >> i & 1 && !origin_equal(history_origin(i), want[0]))
			want[count++] = history_origin(i);
	must(held_cursor(client->held, client->map, &cursor) == ERR_OK &&
			map_slice(w.replicas[from].map, &cursor, want, count, &f) == ERR_OK,
		"there is memory");
	l = write_letter(from, &cursor, &f);
	vector_fini(&cursor);
	return l;
}

/* ---- streams ---- */

static const struct wire_sender stream_sender = {0};

void world_stream_open(int from, int asker)
{
	struct sending *s = &w.replicas[from].sending;
	const struct map *client = w.replicas[asker].map;
	struct block_sums sums = {0};

	if (s->stream)
		return;
	must(map_block_sums(client, &sums) == ERR_OK &&
			stream_new(w.replicas[from].map, map_vector(client), &sums, &s->stream) ==
				ERR_OK &&
			wire_writer_new(&stream_sender, &s->writer) == ERR_OK &&
			vector_copy(map_vector(client), &s->letter.after) == ERR_OK,
		"there is memory");
	s->letter.from = from;
	block_sums_fini(&sums);
}

void world_stream_close(int from)
{
	struct sending *s = &w.replicas[from].sending;

	stream_free(s->stream);
	wire_writer_free(s->writer);
	letter_fini(&s->letter);
	*s = (struct sending){0};
}

bool world_stream_next(int from, size_t most, struct letter *ret)
{
	struct sending *s = &w.replicas[from].sending;
	struct fragment piece;
	bool last = false;
	enum err e;

	if (!s->stream)
		return false;
	e = stream_next(s->stream, most, &piece, &last);
	must(e == ERR_OK || e == ERR_WRONG_STATE, "there is memory");
	if (e != ERR_OK) {
		world_stream_close(from);
		return false;
	}
	if (!s->begun)
		wire_writer_begin(s->writer, &piece, &s->letter.body);
	s->begun = true;
	wire_writer_piece(s->writer, &piece, &s->letter.body);
	if (last)
		wire_writer_end(s->writer, &piece, &s->letter.body);
	fragment_fini(&piece);
	if (!last)
		return false;
	must(text_ok(&s->letter.body), "there is memory");
	*ret = s->letter;
	s->letter = (struct letter){0};
	world_stream_close(from);
	return true;
}

/* ---- delivery ---- */

static void take_slice(int r, int from, struct fragment *f)
{
	struct replica *x = &w.replicas[r];
	struct before before = before_of(x->map);
	struct origin_id forked = {0};
	struct changes c = {0};
	size_t applied = 0;
	uint32_t link = 0;

	must(held_add(x->held, (uint32_t)from, f, 0) == ERR_OK &&
			held_settle(x->held, x->map, &c, &applied, &forked, &link) == ERR_OK &&
			origin_is_zero(forked),
		"slices are slices, and nobody lives twice");
	if (applied > 0)
		before_fini(&before);
	else
		before_check(&before, x->map, &c);
	tally(applied > 0 ? TALLY_JOINED : TALLY_HELD);
	world_settle(r, &c);
}

void world_pull(int r, int from)
{
	struct fragment f = world_difference(from, r), *one = &f;
	struct changes c = {0};
	enum err e = join(w.replicas[r].map, &one, 1, &c);

	must((e == ERR_OK) == (f.mode == FRAGMENT_FULL), "what was asked for is joined");
	world_settle(r, &c);
	fragment_fini(&f);
}

/*
 * A digest answer only tells of what its asker did not know to be dead: it is for nobody who knows
 * less (fragment.h).
 */
static void take_other(int r, const struct letter *l, struct fragment *f)
{
	struct replica *x = &w.replicas[r];
	bool meant = f->mode == FRAGMENT_FULL && vector_covers(map_vector(x->map), &l->after);
	struct changes c = {0};
	enum err e;

	if (!meant && (f->check_count > 0 || f->floors.used > 0))
		return;
	e = join(x->map, &f, 1, &c);
	must(!meant || e == ERR_OK, "what was asked for is joined");
	must(f->mode == FRAGMENT_FULL || e != ERR_OK, "what carries nothing is not joined");
	world_settle(r, &c);
}

void world_deliver(int r, const struct letter *l)
{
	struct fragment f = {0};

	if (l->body.used == 0)
		return;
	must(body_read(l->body.bytes, l->body.used, &f) == ERR_OK, "what is written is read");
	if (f.mode == FRAGMENT_SLICE)
		take_slice(r, l->from, &f);
	else
		take_other(r, l, &f);
	fragment_fini(&f);
}

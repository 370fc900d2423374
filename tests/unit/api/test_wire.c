/* Fragments over the wire: what was written is read, and nothing else is. */
#include "tests/unit/api/wire_scene.h"
#include "tests/unit/core/failing.h"

/* ---- what comes back ---- */

static void cr_same_vectors(const struct vector *a, const struct vector *b, const char *what)
{
	cr_assert(vector_equal(a, b), "%s", what);
}

static void cr_same_ranges(const struct fragment *a, const struct fragment *b)
{
	cr_assert_eq(a->range_count, b->range_count);
	for (size_t i = 0; i < a->range_count; i++) {
		cr_assert(origin_equal(a->ranges[i].origin, b->ranges[i].origin));
		cr_assert_eq(a->ranges[i].after, b->ranges[i].after);
		cr_assert_eq(a->ranges[i].upto, b->ranges[i].upto);
		cr_assert_eq(a->ranges[i].chain_after, b->ranges[i].chain_after);
		cr_assert_eq(a->ranges[i].chain_upto, b->ranges[i].chain_upto);
	}
}

static void cr_same_puts(const struct fragment *a, const struct fragment *b)
{
	cr_assert_eq(a->put_count, b->put_count);
	for (size_t i = 0; i < a->put_count; i++) {
		const struct fragment_put *p = &a->puts[i], *q = &b->puts[i];

		cr_assert_eq(dot_compare(p->dot, q->dot), 0);
		cr_assert_eq(p->clock, q->clock);
		cr_assert_eq(p->key_bytes, q->key_bytes);
		cr_assert_eq(memcmp(p->key, q->key, p->key_bytes), 0);
		cr_assert_eq(p->value_bytes, q->value_bytes);
		cr_assert_eq(memcmp(p->value, q->value, p->value_bytes), 0);
	}
}

static void cr_same_lists(const struct fragment *a, const struct fragment *b)
{
	cr_assert_eq(a->kill_count, b->kill_count);
	for (size_t i = 0; i < a->kill_count; i++) {
		cr_assert_eq(dot_compare(a->kills[i].killer, b->kills[i].killer), 0);
		cr_assert_eq(dot_compare(a->kills[i].victim, b->kills[i].victim), 0);
	}
	cr_assert_eq(a->check_count, b->check_count);
	for (size_t i = 0; i < a->check_count; i++) {
		const struct fragment_check *c = &a->checks[i], *d = &b->checks[i];

		cr_assert(origin_equal(c->origin, d->origin));
		cr_assert(c->after == d->after && c->upto == d->upto && c->count == d->count);
		for (size_t k = 0; k < c->count; k++)
			cr_assert_eq(a->alive[c->first + k], b->alive[d->first + k]);
	}
}

static void cr_same_fragments(const struct fragment *a, const struct fragment *b)
{
	cr_assert_eq(a->mode, b->mode);
	cr_assert(origin_equal(a->from, b->from));
	cr_same_ranges(a, b);
	cr_same_puts(a, b);
	cr_same_lists(a, b);
	cr_same_vectors(&a->vector, &b->vector, "vector");
	cr_same_vectors(&a->floors, &b->floors, "floors");
	cr_assert_eq(a->digest.sums[0], b->digest.sums[0]);
	cr_assert_eq(a->digest.sums[1], b->digest.sums[1]);
	cr_assert_eq(a->clock, b->clock);
	cr_assert_eq(a->ack_wanted, b->ack_wanted);
	cr_assert_not(b->borrowed);
}

Test(wire, every_kind_of_fragment_comes_back_whatever_the_pieces)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		for (size_t piece = 1; piece < 4000; piece = piece * 3 / 2 + 1) {
			struct fragment sent, read;
			struct scene s;
			struct text t;

			scene_init(&s);
			t = body_of(&s, kind, piece % 2, &sent);
			cr_assert_eq(read_with(t.bytes, t.used, piece, &s.after, &read), ERR_OK,
				"kind %d", kind);
			cr_same_fragments(&sent, &read);
			fragment_fini(&sent);
			fragment_fini(&read);
			text_fini(&t);
			scene_fini(&s);
		}
	}
}

Test(wire, what_was_read_is_joined_and_decoded)
{
	struct map *to = new_map(9);
	struct fragment sent, read;
	struct scene s;
	struct text t;

	scene_init(&s);
	t = body_of(&s, KIND_WHOLE, false, &sent);
	cr_assert_eq(read_body(t.bytes, t.used, 100, &read), ERR_OK);
	cr_assert_eq(apply(to, &read), ERR_OK);
	cr_same_vectors(map_vector(to), map_vector(s.m), "joined");
	cr_assert_eq(map_digest(to).sums[0], map_digest(s.m).sums[0]);
	cr_assert_eq(map_digest(to).sums[1], map_digest(s.m).sums[1]);
	cr_assert_eq(map_get(to, "assign/default/a", 16)->record->assign.epoch, 9);
	fragment_fini(&sent);
	fragment_fini(&read);
	text_fini(&t);
	map_free(to);
	scene_fini(&s);
}

Test(wire, keys_and_values_travel_byte_for_byte)
{
	static const char *const keys[] = {"meta/d/\"quo\\ted\"", "meta/d/\xc3\xa9\xf0\x9f\x90\x9d",
		"meta/d/\x7f\x01\n\t\r", "", "meta/d/ space", "meta/d/[\"p\",0]"};
	static const char *const values[] = {"0.1", "1e2", " { \"a\" : 1 } ", "\"\\u00e9\xc3\xa9\"",
		"[\n1,\n2\n]", "\"]]\\\"\"", "-0", "123456789012345678"};
	struct wire_sender sender = {.after = NULL};
	struct map *m = new_map(1);
	struct vector none = VECTOR_INIT;
	struct fragment sent, read;
	struct text t = TEXT_INIT;
	char *big = malloc(65537);

	for (size_t i = 0; i < 6; i++)
		put(m, keys[i], values[i], UINT64_MAX >> 1);
	for (size_t i = 0; i < 8; i++) {
		char key[32];

		snprintf(key, sizeof(key), "meta/v/%zu", i);
		put(m, key, values[i], i);
	}
	memset(big, 'x', 65536);
	big[0] = big[65535] = '"';
	put_n(m, "meta/big", 8, big, 65536, 1);
	cr_assert_eq(map_difference(m, &none, &sent), ERR_OK);
	wire_write(&sent, &sender, &t);
	cr_assert_eq(read_body(t.bytes, t.used, 4096, &read), ERR_OK);
	cr_same_fragments(&sent, &read);
	fragment_fini(&sent);
	fragment_fini(&read);
	text_fini(&t);
	free(big);
	map_free(m);
}

Test(wire, a_tick_is_two_lines)
{
	struct fragment sent, read;
	struct scene s;
	struct text t;
	size_t lines = 0;

	scene_init(&s);
	t = body_of(&s, KIND_TICK, false, &sent);
	for (size_t i = 0; i < t.used; i++)
		lines += t.bytes[i] == '\n';
	cr_assert_eq(lines, 2);
	cr_assert_eq(read_body(t.bytes, t.used, 10, &read), ERR_OK);
	fragment_fini(&sent);
	fragment_fini(&read);
	text_fini(&t);
	scene_fini(&s);
}

/* ---- in pieces, as a stream ---- */

/* A fragment whose puts, kills and checks are `count` ones of `f`, from the `at`-th. */
static struct fragment part(const struct fragment *f, size_t at, size_t count)
{
	struct fragment p = {.mode = f->mode, .from = f->from, .borrowed = true};

	if (at < f->put_count) {
		p.puts = f->puts + at;
		p.put_count = f->put_count - at < count ? f->put_count - at : count;
	} else if (at - f->put_count < f->kill_count) {
		p.kills = f->kills + (at - f->put_count);
		p.kill_count = f->kill_count - (at - f->put_count);
		p.kill_count = p.kill_count < count ? p.kill_count : count;
	}
	return p;
}

static void stream(
	const struct fragment *f, const struct wire_sender *sender, size_t piece, struct text *body)
{
	struct wire_writer *w = NULL;
	struct text t = TEXT_INIT;
	struct fragment last = *f, p = part(f, 0, 0);

	cr_assert_eq(wire_writer_new(sender, &w), ERR_OK);
	p.ack_wanted = f->ack_wanted;
	wire_writer_begin(w, &p, &t);
	for (size_t at = 0; at < f->put_count + f->kill_count; at += p.put_count + p.kill_count) {
		p = part(f, at, piece);
		wire_writer_piece(w, &p, &t);
		text_add(body, t.bytes, t.used);
		text_clear(&t);
	}
	last.put_count = last.kill_count = 0;
	wire_writer_piece(w, &last, &t);
	wire_writer_end(w, &last, &t);
	text_add(body, t.bytes, t.used);
	text_fini(&t);
	wire_writer_free(w);
}

Test(wire, a_stream_of_pieces_reads_as_one_body)
{
	for (int kind = KIND_FULL; kind <= KIND_CHECKED; kind++) {
		for (size_t piece = 1; piece < 20; piece++) {
			struct wire_sender sender = {RETIRED_HASH, NULL};
			struct fragment sent, read;
			struct text t = TEXT_INIT;
			struct scene s;

			if (kind != KIND_FULL && kind != KIND_WHOLE && kind != KIND_CHECKED)
				continue;
			scene_init(&s);
			if (piece % 2)
				sender.after = &s.after;
			make_fragment(&s, kind, &sent);
			stream(&sent, &sender, piece, &t);
			/* Numbers of origins are met in another order, and named later. */
			cr_assert_eq(read_with(t.bytes, t.used, 77, &s.after, &read), ERR_OK,
				"%d %zu: %.*s", kind, piece, (int)t.used, t.bytes);
			cr_same_fragments(&sent, &read);
			fragment_fini(&sent);
			fragment_fini(&read);
			text_fini(&t);
			scene_fini(&s);
		}
	}
}

Test(wire, what_does_not_fit_into_one_line_is_written_into_several)
{
	size_t count = WIRE_LINE_ITEMS_MAX + 10;
	struct wire_sender sender = {.after = NULL};
	struct fragment_check check = {.origin = origin(1), .upto = 3 * count, .count = count};
	struct fragment_kill *kills = calloc(count, sizeof(*kills));
	uint64_t *alive = calloc(count, sizeof(*alive));
	struct fragment f = {.mode = FRAGMENT_FULL,
		.from = origin(1),
		.kills = kills,
		.kill_count = count,
		.checks = &check,
		.check_count = 1,
		.alive = alive,
		.alive_count = count};
	struct text t = TEXT_INIT;
	struct fragment read;

	for (size_t i = 0; i < count; i++) {
		alive[i] = 2 * i + 1;
		kills[i] = (struct fragment_kill){{origin(1), 5 * count}, {origin(i + 1), 1}};
	}
	cr_assert_eq(vector_raise(&f.vector, origin(1), 5 * count), ERR_OK);
	wire_write(&f, &sender, &t);
	cr_assert_eq(read_body(t.bytes, t.used, 65536, &read), ERR_OK);
	cr_assert_eq(read.kill_count, count);
	cr_assert(origin_equal(read.kills[count - 1].victim.origin, origin(count)));
	cr_assert_eq(read.check_count, 2);
	cr_assert_eq(read.alive_count, count);
	cr_assert_eq(read.checks[0].upto, read.alive[read.checks[0].count - 1]);
	cr_assert_eq(read.checks[1].after, read.checks[0].upto);
	cr_assert_eq(read.checks[1].upto, 3 * count);
	vector_fini(&f.vector);
	fragment_fini(&read);
	text_fini(&t);
	free(kills);
	free(alive);
}

/* ---- vectors that are told by what the request knew ---- */

Test(wire, a_vector_may_say_only_what_differs_from_the_requests)
{
	struct fragment sent, read = {0};
	struct scene s;
	struct text whole, small;
	char hex[ORIGIN_HEX_BYTES];

	scene_init(&s);
	whole = body_of(&s, KIND_TICK, false, &sent);
	fragment_fini(&sent);
	small = body_of(&s, KIND_TICK, true, &sent);
	origin_to_hex(origin(2), hex);
	cr_assert(strstr(text_cstr(&whole), hex));
	cr_assert_null(strstr(text_cstr(&small), hex));
	/* The request knew more than the map: that is said with a 0. */
	origin_to_hex(origin(3), hex);
	cr_assert(strstr(text_cstr(&small), hex));
	cr_assert(strstr(text_cstr(&small), "[1,0]") || strstr(text_cstr(&small), "[2,0]"));
	/* Without what the request knew it cannot be read, unless it is whole. */
	cr_assert_eq(read_with(small.bytes, small.used, 50, NULL, &read), ERR_MALFORMED);
	cr_assert_null(read.vector.items);
	cr_assert_eq(read_with(whole.bytes, whole.used, 50, &s.after, &read), ERR_OK);
	cr_same_vectors(&read.vector, &sent.vector, "whole");
	fragment_fini(&read);
	fragment_fini(&sent);
	text_fini(&whole);
	text_fini(&small);
	scene_fini(&s);
}

Test(wire, the_reader_tells_the_hash_of_the_servers_table)
{
	struct wire_reader *r = NULL;
	struct fragment sent;
	struct scene s;
	struct text t;

	scene_init(&s);
	t = body_of(&s, KIND_TICK, false, &sent);
	cr_assert_eq(wire_reader_new(&r), ERR_OK);
	cr_assert_eq(wire_reader_retired(r), 0);
	cr_assert_eq(wire_reader_feed(r, t.bytes, t.used), ERR_OK);
	cr_assert_eq(wire_reader_retired(r), RETIRED_HASH);
	wire_reader_free(r);
	fragment_fini(&sent);
	text_fini(&t);
	scene_fini(&s);
}

/* ---- what was cut or altered ---- */

Test(wire, a_body_that_was_cut_anywhere_gives_nothing)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct fragment sent, read = {0};
		struct scene s;
		struct text t;

		scene_init(&s);
		t = body_of(&s, kind, kind % 2, &sent);
		for (size_t count = 0; count < t.used; count++)
			cr_assert_eq(read_with(t.bytes, count, 64, &s.after, &read), ERR_MALFORMED,
				"kind %d, %zu bytes", kind, count);
		cr_assert_null(read.puts);
		fragment_fini(&sent);
		text_fini(&t);
		scene_fini(&s);
	}
}

Test(wire, a_body_with_one_altered_byte_gives_nothing)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct fragment sent, read = {0};
		struct scene s;
		struct text t;

		scene_init(&s);
		t = body_of(&s, kind, kind % 2, &sent);
		for (size_t i = 0; i < 8 * t.used; i++) {
			enum err e;

			t.bytes[i / 8] = (char)(t.bytes[i / 8] ^ 1 << i % 8);
			e = read_with(t.bytes, t.used, 512, &s.after, &read);
			/* A version that was altered is another version. */
			cr_assert(e == ERR_MALFORMED || e == ERR_PROTOCOL, "kind %d, bit %zu", kind,
				i);
			t.bytes[i / 8] = (char)(t.bytes[i / 8] ^ 1 << i % 8);
		}
		cr_assert_eq(read_with(t.bytes, t.used, 512, &s.after, &read), ERR_OK);
		fragment_fini(&sent);
		fragment_fini(&read);
		text_fini(&t);
		scene_fini(&s);
	}
}

Test(wire, lines_in_another_order_or_twice_give_nothing)
{
	struct fragment sent, read = {0};
	struct scene s;
	struct text t, mixed = TEXT_INIT;

	scene_init(&s);
	t = body_of(&s, KIND_CHECKED, false, &sent);
	for (const char *a = t.bytes; a < t.bytes + t.used;) {
		const char *b = (const char *)memchr(a, '\n', t.used) + 1;
		const char *c =
			b < t.bytes + t.used ? (const char *)memchr(b, '\n', t.used) + 1 : b;

		text_clear(&mixed); /* the lines a and b change places */
		text_add(&mixed, t.bytes, (size_t)(a - t.bytes));
		text_add(&mixed, b, (size_t)(c - b));
		text_add(&mixed, a, (size_t)(b - a));
		text_add(&mixed, c, (size_t)(t.bytes + t.used - c));
		if (b < c)
			cr_assert_eq(read_body(mixed.bytes, mixed.used, 64, &read), ERR_MALFORMED);
		text_clear(&mixed); /* the line a comes twice */
		text_add(&mixed, t.bytes, (size_t)(b - t.bytes));
		text_add(&mixed, a, (size_t)(t.bytes + t.used - a));
		cr_assert_eq(read_body(mixed.bytes, mixed.used, 64, &read), ERR_MALFORMED);
		a = b;
	}
	fragment_fini(&sent);
	text_fini(&mixed);
	text_fini(&t);
	scene_fini(&s);
}

/* ---- without memory ---- */

static enum err read_failing(const struct text *t, const struct scene *s, struct fragment *ret)
{
	struct wire_reader *r = NULL;
	enum err e = wire_reader_new(&r);

	if (e == ERR_OK)
		e = wire_reader_feed(r, t->bytes, t->used / 2);
	if (e == ERR_OK)
		e = wire_reader_feed(r, t->bytes + t->used / 2, t->used - t->used / 2);
	if (e == ERR_OK)
		e = wire_reader_end(r, &s->after, ret);
	wire_reader_free(r);
	return e;
}

Test(wire, without_memory_a_body_gives_nothing_and_says_so)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct fragment sent;
		struct scene s;
		struct text t;
		bool failed = true;

		scene_init(&s);
		t = body_of(&s, kind, true, &sent);
		for (long n = 0; failed; n++) {
			struct fragment read = {0};
			enum err e;

			failing_arm(n);
			e = read_failing(&t, &s, &read);
			failed = failing_disarm();
			cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "%d, %ld: %s", kind, n,
				err_text(e));
			fragment_fini(&read);
		}
		fragment_fini(&sent);
		text_fini(&t);
		scene_fini(&s);
	}
}

Test(wire, without_memory_no_body_is_written)
{
	struct wire_sender sender = {.after = NULL};
	struct fragment f;
	struct scene s;
	bool failed = true;

	scene_init(&s);
	make_fragment(&s, KIND_SLICE, &f);
	for (long n = 0; failed; n++) {
		struct text t = TEXT_INIT;

		failing_arm(n);
		wire_write(&f, &sender, &t);
		failed = failing_disarm();
		cr_assert_eq(text_ok(&t), !failed, "%ld", n);
		text_fini(&t);
	}
	fragment_fini(&f);
	scene_fini(&s);
}

/*
 * The decoder of fragments. An input is a body as a peer sends it. It is read in one piece and in
 * many; what is accepted must be written and read back equal, must be refused when it is cut or
 * altered, and is applied to the clients of story.h: the map then is unchanged, or sound.
 */
#include "api/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mend.h"
#include "tests/fuzz/records.h"
#include "tests/fuzz/story.h"

/* Most mutants get a right trailer: the others end at the sum, all of them in the same way. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t size, unsigned seed)
{
	uint64_t random = seed;

	if (fuzz_draw(&random, 4) == 0)
		count = mend_move(bytes, count, size, &random);
	else
		count = LLVMFuzzerMutate(bytes, count, size);
	return fuzz_draw(&random, 16) ? mend(bytes, count, size) : count;
}

/* ---- reading ---- */

/* In pieces of up to `most` bytes; each piece is alone in its memory. */
static enum err read_body(
	const char *bytes, size_t count, size_t most, uint64_t *random, struct fragment *ret)
{
	struct wire_reader *r = NULL;
	enum err e = ERR_OK, end;

	must(wire_reader_new(&r) == ERR_OK, "there is memory");
	for (size_t at = 0, piece; e == ERR_OK && at < count; at += piece) {
		char *copy;

		piece = 1 + fuzz_draw(random, most);
		piece = piece < count - at ? piece : count - at;
		copy = fuzz_copy(bytes + at, piece);
		e = wire_reader_feed(r, copy, piece);
		free(copy);
	}
	end = wire_reader_end(r, ret);
	must(e == ERR_OK || end == e, "the first error stays");
	must(end != ERR_NO_MEMORY, "there is memory");
	must(strlen(wire_reader_name(r)) <= WIRE_NAME_BYTES_MAX, "the name has its limit");
	wire_reader_free(r);
	return end;
}

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

static void check_written(const struct fragment *f, uint64_t *random)
{
	struct text t = TEXT_INIT;
	struct fragment again = {0};

	wire_write(f, "n1", &t);
	must(text_ok(&t), "there is memory");
	must(read_body(t.bytes, t.used, 1 + fuzz_draw(random, 200), random, &again) == ERR_OK,
		"what is written is read");
	must(same(f, &again), "and is the same");
	fragment_fini(&again);
	text_fini(&t);
}

/* Cut short, one bit turned, something behind: the sum tells. */
static void check_altered(const char *bytes, size_t count, uint64_t *random)
{
	char *copy = fuzz_copy(bytes, count);
	struct fragment f = {0};

	must(read_body(bytes, fuzz_draw(random, count), count, random, &f) != ERR_OK,
		"what was cut is refused");
	copy[fuzz_draw(random, count)] ^= (char)(1 << fuzz_draw(random, 8));
	must(read_body(copy, count, count, random, &f) != ERR_OK, "what was altered is refused");
	free(copy);
	copy = malloc(count + 1);
	if (!copy)
		abort();
	memcpy(copy, bytes, count);
	copy[count] = (char)fuzz_draw(random, 256);
	must(read_body(copy, count + 1, count, random, &f) != ERR_OK,
		"something behind it is refused");
	free(copy);
}

/* ---- applying ---- */

static void apply(const char *bytes, size_t count, int client)
{
	struct fragment f = {0}, again = {0};
	struct changes c = {0};
	struct rows rows = {0};
	uint64_t random = 1;
	struct map *m = story_client(client, &rows);
	enum err e;

	must(read_body(bytes, count, count, &random, &f) == ERR_OK &&
			read_body(bytes, count, count, &random, &again) == ERR_OK,
		"a body is read every time");
	e = map_apply(m, &f, &c);
	must(e == ERR_OK || (e == ERR_MALFORMED && c.used == 0), "it is applied or refused");
	rows_change(&rows, &c);
	rows_check_map(m);
	rows_check(&rows, m);
	map_sweep(m);
	must(map_apply(m, &again, &c) == e && c.used == 0, "the second time changes nothing");
	rows_check(&rows, m);
	changes_fini(&c);
	fragment_fini(&f);
	fragment_fini(&again);
	map_free(m);
	rows_fini(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	const char *body = (const char *)bytes;
	uint64_t random = fuzz_seed(bytes, count);
	struct fragment f = {0}, pieces = {0};
	enum err e = read_body(body, count, count ? count : 1, &random, &f);
	enum err other = read_body(body, count, 1 + fuzz_draw(&random, 64), &random, &pieces);

	must(e == other && (e != ERR_OK || same(&f, &pieces)), "the pieces do not matter");
	if (e == ERR_OK) {
		check_written(&f, &random);
		check_altered(body, count, &random);
		for (int i = 0; i < STORY_CLIENTS; i++)
			apply(body, count, i);
	}
	fragment_fini(&f);
	fragment_fini(&pieces);
	return 0;
}

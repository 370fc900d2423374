#include "tests/fuzz/body.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tally.h"

/* One of them is known to the clients of story.h, with another count, and one to nobody. */
static struct vector_item retired_items[] = {
	{{0x9f3c5a7e1b2d4c6f, 1}, 4}, {{0xe000000000000000, 14}, 2}};
static const struct vector retired = {.items = retired_items, .used = 2, .size = 2};

const struct vector *body_retired(void)
{
	return &retired;
}

struct text body_write(const struct fragment *f, bool by_after)
{
	struct wire_sender sender = {.retired_hash = BODY_RETIRED_HASH};
	struct text t = TEXT_INIT;

	if (by_after)
		sender.after = &retired;
	wire_write(f, &sender, &t);
	must(text_ok(&t), "there is memory");
	return t;
}

enum err body_read_pieces(
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
	end = wire_reader_end(r, &retired, ret);
	must(e == ERR_OK || end == e, "the first error stays");
	must(end != ERR_NO_MEMORY, "there is memory");
	wire_reader_free(r);
	return end;
}

static bool is_empty(const struct fragment *f)
{
	return f->range_count + f->put_count + f->kill_count + f->check_count == 0 &&
	       f->vector.used == 0 && !f->puts && !f->kills;
}

static enum err read_whole(
	const char *bytes, size_t count, const struct vector *after, struct fragment *ret)
{
	struct wire_reader *r = NULL;
	enum err e;

	must(wire_reader_new(&r) == ERR_OK, "there is memory");
	(void)wire_reader_feed(r, bytes, count);
	e = wire_reader_end(r, after, ret);
	must(e != ERR_NO_MEMORY, "there is memory");
	must(e == ERR_OK || is_empty(ret), "of what is refused nothing is given");
	wire_reader_free(r);
	tally(e == ERR_OK ? TALLY_READ : TALLY_UNREAD);
	return e;
}

enum err body_read(const char *bytes, size_t count, struct fragment *ret)
{
	return read_whole(bytes, count, &retired, ret);
}

enum err body_read_unasked(const char *bytes, size_t count, struct fragment *ret)
{
	return read_whole(bytes, count, NULL, ret);
}

#include "tests/fuzz/refuse.h"

#include "tests/fuzz/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/join.h"
#include "tests/fuzz/mend.h"

/* ---- damaged under way ---- */

struct damaged { /* a copy, with room for as much again */
	uint8_t *bytes;
	size_t count;
	size_t size;
};

static void truncated(struct damaged *d, uint64_t *random)
{
	d->count = fuzz_draw(random, d->count);
}

static void altered(struct damaged *d, uint64_t *random)
{
	if (fuzz_draw(random, 4) == 0)
		d->bytes[d->count++] = (uint8_t)fuzz_draw(random, 256);
	else
		d->bytes[fuzz_draw(random, d->count)] ^= (uint8_t)(1 << fuzz_draw(random, 8));
}

static void reordered(struct damaged *d, uint64_t *random)
{
	if (fuzz_draw(random, 2) == 0)
		mend_swap(d->bytes, d->count, random);
	else
		d->count = mend_move(d->bytes, d->count, d->size, random);
}

static void damage(enum tally kind, struct damaged *d, uint64_t *random)
{
	if (kind == TALLY_TRUNCATED)
		truncated(d, random);
	else if (kind == TALLY_ALTERED)
		altered(d, random);
	else
		reordered(d, random);
}

void refuse_damaged(enum tally kind, const char *bytes, size_t count, uint64_t *random)
{
	struct damaged d = {malloc(2 * count + 1), count, 2 * count + 1};
	struct fragment f = {0};

	must(d.bytes, "there is memory");
	if (count > 0) {
		memcpy(d.bytes, bytes, count);
		damage(kind, &d, random);
	}
	if (d.count != count || (count > 0 && memcmp(d.bytes, bytes, count) != 0)) {
		must(body_read((char *)d.bytes, d.count, &f) != ERR_OK, tally_name(kind));
		tally(kind);
	}
	free(d.bytes);
}

/* ---- of another kind ---- */

static void other_version(const struct fragment *f, uint64_t *random)
{
	static const char begin[] = "{\"v\":2,";
	struct fragment refused = {0};
	struct text t = body_write(f, false);

	must(t.used > sizeof(begin) && memcmp(t.bytes, begin, sizeof(begin) - 1) == 0,
		"a body says its version");
	t.bytes[sizeof(begin) - 3] = (char)('3' + fuzz_draw(random, 7));
	must(mend((uint8_t *)t.bytes, t.used, t.used) == t.used, "the sum is right");
	must(body_read(t.bytes, t.used, &refused) == ERR_PROTOCOL, "another version is refused");
	tally(TALLY_ALIEN);
	text_fini(&t);
}

/* It tells its vectors by those of a request that was not made. */
static void other_request(const struct fragment *f)
{
	struct fragment refused = {0};
	struct text t = body_write(f, true);

	must(body_read_unasked(t.bytes, t.used, &refused) == ERR_MALFORMED,
		"an answer to somebody else is refused");
	tally(TALLY_ALIEN);
	text_fini(&t);
}

void refuse_alien_body(const struct fragment *f, uint64_t *random)
{
	other_version(f, random);
	other_request(f);
}

/* ---- of what the reader cannot have; false: there is nothing to begin with ---- */

static struct origin_id nobody(uint64_t *random)
{
	return (struct origin_id){fuzz_draw(random, UINT64_MAX), fuzz_draw(random, UINT64_MAX)};
}

/* One that the client knows up to somewhere before it. */
static bool gap(struct fragment *f, const struct map *m, uint64_t *random)
{
	struct fragment_range *r;

	if (f->range_count == 0)
		return false;
	r = &f->ranges[fuzz_draw(random, f->range_count)];
	r->after = vector_get(map_vector(m), r->origin) + 1 + fuzz_draw(random, 4);
	r->upto = r->upto > r->after ? r->upto : r->after;
	return true;
}

/* One range more: all the rest is as it should be. */
static void add_range(struct fragment *f, struct origin_id origin, uint64_t after)
{
	f->ranges = realloc(f->ranges, (f->range_count + 1) * sizeof(*f->ranges));
	must(f->ranges, "there is memory");
	f->ranges[f->range_count++] =
		(struct fragment_range){.origin = origin, .after = after, .upto = after + 1};
}

static bool strange_gap(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	add_range(f, nobody(random), 1);
	return true;
}

static bool own_future(struct fragment *f, const struct map *m, uint64_t *random)
{
	struct dot own = map_last_dot(m);

	(void)random;
	add_range(f, own.origin, own.seq);
	return true;
}

static bool strange_victim(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	if (f->kill_count == 0)
		return false;
	f->kills[fuzz_draw(random, f->kill_count)].victim = (struct dot){nobody(random), 1};
	return true;
}

static bool strange_killer(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	if (f->kill_count == 0)
		return false;
	f->kills[fuzz_draw(random, f->kill_count)].killer.origin = nobody(random);
	return true;
}

static bool strange_put(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	if (f->put_count == 0)
		return false;
	f->puts[fuzz_draw(random, f->put_count)].dot.origin = nobody(random);
	return true;
}

/* The server knew more than what it says leads to. */
static bool strange_vector(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	must(vector_raise(&f->vector, nobody(random), 1) == ERR_OK, "there is memory");
	return true;
}

/* Kill records are gone up to an event that even the server does not know. */
static bool strange_floor(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	must(vector_raise(&f->floors, nobody(random), 1) == ERR_OK, "there is memory");
	return true;
}

/* Of events that the client does not know nobody can say which are live in its map. */
static bool strange_check(struct fragment *f, const struct map *m, uint64_t *random)
{
	struct fragment_check *c;

	if (f->check_count == 0)
		return false;
	c = &f->checks[fuzz_draw(random, f->check_count)];
	c->upto = vector_get(map_vector(m), c->origin) + 1;
	c->after = c->after < c->upto ? c->after : c->upto;
	return true;
}

static bool self_kill(struct fragment *f, const struct map *m, uint64_t *random)
{
	struct fragment_kill *k;

	(void)m;
	if (f->kill_count == 0)
		return false;
	k = &f->kills[fuzz_draw(random, f->kill_count)];
	k->victim = k->killer;
	return true;
}

static bool range_twice(struct fragment *f, const struct map *m, uint64_t *random)
{
	const struct fragment_range *r;

	(void)m;
	if (f->range_count == 0)
		return false;
	r = &f->ranges[fuzz_draw(random, f->range_count)];
	add_range(f, r->origin, r->after);
	return true;
}

static bool put_twice(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	(void)random;
	if (f->put_count < 2)
		return false;
	f->puts[0].dot = f->puts[1].dot;
	return true;
}

static bool check_twice(struct fragment *f, const struct map *m, uint64_t *random)
{
	(void)m;
	if (f->check_count == 0)
		return false;
	f->checks = realloc(f->checks, (f->check_count + 1) * sizeof(*f->checks));
	must(f->checks, "there is memory");
	f->checks[f->check_count] = f->checks[fuzz_draw(random, f->check_count)];
	f->check_count++;
	return true;
}

/* ---- refused ---- */

void refuse_alien(struct fragment *f_take, struct map *m, uint64_t *random)
{
	static bool (*const ways[])(struct fragment * f, const struct map *m, uint64_t *random) = {
		gap, strange_gap, own_future, strange_victim, strange_killer, strange_put,
		strange_vector, strange_floor, strange_check, self_kill, range_twice, put_twice};
	size_t way = fuzz_draw(random, sizeof(ways) / sizeof(ways[0]));
	struct changes c = {0};

	if (ways[way](f_take, m, random)) {
		must(join(m, &f_take, 1, &c) == ERR_MALFORMED, "what is alien is refused");
		tally(TALLY_ALIEN);
	}
	changes_fini(&c);
	fragment_fini(f_take);
}

void refuse_alien_repair(struct fragment *f_take, struct map *m, uint64_t *random)
{
	static bool (*const ways[])(struct fragment * f, const struct map *m, uint64_t *random) = {
		strange_vector, strange_check, put_twice, check_twice};
	size_t way = fuzz_draw(random, sizeof(ways) / sizeof(ways[0]));
	struct hybrid_clock clock = {0};
	struct before before = before_of(m);
	struct changes c = {0};

	if (ways[way](f_take, m, random)) {
		must(map_repair(m, f_take, &clock, 1, &c) == ERR_MALFORMED,
			"no repair is made of what is alien");
		tally(TALLY_ALIEN);
	}
	before_check(&before, m, &c);
	changes_fini(&c);
	fragment_fini(f_take);
}

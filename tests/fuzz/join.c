#include "tests/fuzz/join.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tally.h"

struct before before_of(const struct map *m)
{
	struct before b = {.digest = map_digest(m), .kills = map_kills(m)};

	must(vector_copy(map_vector(m), &b.vector) == ERR_OK, "there is memory");
	return b;
}

void before_fini(struct before *b)
{
	vector_fini(&b->vector);
}

void before_check(struct before *b, const struct map *m, const struct changes *c)
{
	struct digest d = map_digest(m);

	must(c->used == 0, "a refused fragment changes nothing");
	must(vector_equal(&b->vector, map_vector(m)), "and nothing more is known than before");
	must(b->digest.sums[0] == d.sums[0] && b->digest.sums[1] == d.sums[1] &&
			b->kills == map_kills(m),
		"and the entries and kill records are those of before");
	before_fini(b);
}

enum err join(
	struct map *m, struct fragment *const *fragments, size_t count, struct changes *changes)
{
	struct before before = before_of(m);
	struct origin_id forked;
	enum err e = map_apply(m, fragments, count, changes, &forked);

	must(e == ERR_OK || e == ERR_MALFORMED, "it is joined or refused");
	if (e == ERR_OK)
		before_fini(&before);
	else
		before_check(&before, m, changes);
	tally(e == ERR_OK ? TALLY_JOINED : TALLY_UNJOINED);
	return e;
}

#include "server/core/blocks.h"

#include <stdlib.h>

#include "server/core/builder.h"
#include "server/core/digest.h"

void block_sums_fini(struct block_sums *b)
{
	free(b->runs);
	free(b->sums);
	*b = (struct block_sums){0};
}

static uint64_t block_of(uint64_t seq, unsigned shift)
{
	return (seq - 1) >> shift;
}

static size_t live_of(const struct history *h)
{
	return h->slot_used - h->holes;
}

/* The least for which the blocks are about as full as they should be. */
static unsigned shift_of(const struct history *h)
{
	unsigned shift = 0;
	uint64_t blocks = live_of(h) / BLOCK_LIVE + 1;

	while (shift < BLOCK_SHIFT_MAX && (h->count >> shift) > blocks)
		shift++;
	return shift;
}

/* A part of the history `h`, in blocks. */
struct part {
	uint64_t key; /* of the digest */
	const struct history *h;
	unsigned shift;
	uint64_t upto; /* its events up to here */
};

/* Adds up what is live in block `index`, from slot `*at` on. */
static uint64_t sum_block(const struct part *p, uint64_t index, size_t *at)
{
	const struct history *h = p->h;
	uint64_t sum = 0;

	for (; *at < h->slot_used && h->slots[*at].seq <= p->upto &&
		block_of(h->slots[*at].seq, p->shift) == index;
		(*at)++)
		if (h->slots[*at].live)
			sum += digest_term(p->key, h->slots[*at].live).sums[0];
	return sum;
}

/* The next slot from `at` on that holds an entry; slot_used when there is none. */
static size_t next_live(const struct history *h, size_t at)
{
	while (at < h->slot_used && !h->slots[at].live)
		at++;
	return at;
}

static void add_run(struct block_sums *b, const struct map *m, const struct history *h)
{
	struct block_run run = {h->origin, shift_of(h), b->sum_count, 0};
	struct part all = {m->key, h, run.shift, h->count};

	for (size_t at = next_live(h, 0); at < h->slot_used; at = next_live(h, at)) {
		struct block_sum *s = &b->sums[b->sum_count++];

		s->index = block_of(h->slots[at].seq, run.shift);
		s->sum = sum_block(&all, s->index, &at);
		run.count++;
	}
	if (run.count > 0)
		b->runs[b->run_count++] = run;
}

/* No more blocks than are made of `shift`: as many as there are, or as there are live entries. */
static size_t blocks_max(const struct history *h)
{
	uint64_t blocks = h->count > 0 ? block_of(h->count, shift_of(h)) + 1 : 0;

	return blocks < live_of(h) ? (size_t)blocks : live_of(h);
}

enum err map_block_sums(const struct map *m, struct block_sums *ret_sums)
{
	struct block_sums b = {0};
	size_t most = 0;

	for (size_t i = 0; i < m->used; i++)
		most += blocks_max(m->histories[i]);
	b.runs = malloc((m->used + 1) * sizeof(*b.runs));
	b.sums = malloc((most + 1) * sizeof(*b.sums));
	if (!b.runs || !b.sums) {
		block_sums_fini(&b);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < m->used; i++)
		add_run(&b, m, m->histories[i]);
	*ret_sums = b;
	return ERR_OK;
}

/* ---- the server's side ---- */

struct comparison { /* of one origin's blocks */
	struct builder *b;
	struct part ours; /* up to what both know */
	bool repair;
};

/* The first seq after block `index`, and none that a client made up overflows. */
static uint64_t end_of(const struct comparison *c, uint64_t index)
{
	return index >= block_of(c->ours.upto, c->ours.shift) ? c->ours.upto
							      : (index + 1) << c->ours.shift;
}

static void add_check(const struct comparison *c, uint64_t index)
{
	uint64_t after = index << c->ours.shift, upto = end_of(c, index);

	builder_check(c->b, c->ours.h, after, upto);
	for (size_t i = history_slot_after(c->ours.h, after);
		i < c->ours.h->slot_used && c->ours.h->slots[i].seq <= upto && !c->b->failed; i++) {
		if (!c->ours.h->slots[i].live)
			continue;
		builder_alive(c->b, c->ours.h->slots[i].seq);
		if (c->repair)
			builder_put(c->b, c->ours.h->slots[i].live);
	}
}

/* Our blocks before `index`: the client has nothing in them. */
static void pass_ours(const struct comparison *c, uint64_t index, size_t *at)
{
	for (*at = next_live(c->ours.h, *at);
		*at < c->ours.h->slot_used && c->ours.h->slots[*at].seq <= c->ours.upto;
		*at = next_live(c->ours.h, *at)) {
		uint64_t ours = block_of(c->ours.h->slots[*at].seq, c->ours.shift);

		if (ours >= index)
			return;
		sum_block(&c->ours, ours, at);
		if (c->repair)
			add_check(c, ours);
	}
}

static void compare_run(const struct comparison *c, const struct block_sum *sums, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count && !c->b->failed; i++) {
		if (sums[i].index > block_of(c->ours.upto, c->ours.shift))
			break;
		pass_ours(c, sums[i].index, &at);
		if (sum_block(&c->ours, sums[i].index, &at) != sums[i].sum)
			add_check(c, sums[i].index);
	}
	pass_ours(c, UINT64_MAX, &at);
}

static const struct block_run *run_of(const struct block_sums *theirs, struct origin_id origin)
{
	size_t low = 0, high = theirs->run_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (origin_compare(theirs->runs[middle].origin, origin) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < theirs->run_count && origin_equal(theirs->runs[low].origin, origin))
		return &theirs->runs[low];
	return NULL;
}

void builder_checks(struct builder *b, const struct map *m, const struct vector *after,
	const struct block_sums *theirs, bool repair)
{
	for (size_t i = 0; i < m->used && !b->failed; i++) {
		const struct history *h = m->histories[i];
		const struct block_run *run = run_of(theirs, h->origin);
		uint64_t known = vector_get(after, h->origin);
		struct comparison c = {b,
			{m->key, h, run ? run->shift : shift_of(h),
				known < h->count ? known : h->count},
			repair};

		if (c.ours.upto > 0 && (run || repair))
			compare_run(
				&c, run ? theirs->sums + run->first : NULL, run ? run->count : 0);
	}
}

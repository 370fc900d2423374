#include "server/core/stream.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/builder.h"

struct stream {
	struct map *m;
	struct vector after;      /* the client's */
	struct vector sent;       /* what it has had of us, `after` included */
	struct block_sums theirs; /* no runs: none were posted */
	struct origin_id at;      /* where the walk is: the last origin that was looked at */
	bool walking;
	uint64_t floors_taken; /* of the map, at the begin */
};

static enum err copy_sums(const struct block_sums *from, struct block_sums *ret)
{
	struct block_sums b = {0};

	b.runs = malloc((from->run_count + 1) * sizeof(*b.runs));
	b.sums = malloc((from->sum_count + 1) * sizeof(*b.sums));
	if (!b.runs || !b.sums) {
		block_sums_fini(&b);
		return ERR_NO_MEMORY;
	}
	if (from->run_count > 0)
		memcpy(b.runs, from->runs, from->run_count * sizeof(*b.runs));
	if (from->sum_count > 0)
		memcpy(b.sums, from->sums, from->sum_count * sizeof(*b.sums));
	b.run_count = from->run_count;
	b.sum_count = from->sum_count;
	*ret = b;
	return ERR_OK;
}

enum err stream_new(struct map *m, const struct vector *after, const struct block_sums *theirs,
	struct stream **ret_stream)
{
	struct stream *s = calloc(1, sizeof(*s));
	enum err e = s ? vector_copy(after, &s->after) : ERR_NO_MEMORY;

	if (e == ERR_OK)
		e = vector_copy(after, &s->sent);
	if (e == ERR_OK && theirs)
		e = copy_sums(theirs, &s->theirs);
	if (e != ERR_OK) {
		stream_free(s);
		return e;
	}
	s->m = m;
	s->floors_taken = m->floors_taken;
	m->streams++;
	*ret_stream = s;
	return ERR_OK;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->m)
		s->m->streams--;
	vector_fini(&s->after);
	vector_fini(&s->sent);
	block_sums_fini(&s->theirs);
	free(s);
}

/* The first history after `at`, in the order of origins; NULL at the end. */
static const struct history *next_history(const struct stream *s)
{
	for (size_t i = 0; i < s->m->used; i++)
		if (!s->walking || origin_compare(s->m->histories[i]->origin, s->at) > 0)
			return s->m->histories[i];
	return NULL;
}

/* The seq up to which events of `h` after `from` are about `most` entries and records. */
static uint64_t bound(const struct history *h, uint64_t from, size_t most)
{
	size_t slot = history_slot_after(h, from) + most, kill = history_kill_after(h, from) + most;
	uint64_t upto = h->count;

	if (slot < h->slot_used && h->slots[slot].seq < upto)
		upto = h->slots[slot].seq;
	if (kill < h->kill_used && h->kills[kill].seq < upto)
		upto = h->kills[kill].seq;
	return upto;
}

/* Sends some of one history; moves on to the next one when it is done. */
static enum err send_some(struct stream *s, const struct history *h, struct builder *b, size_t most)
{
	uint64_t from = vector_get(&s->sent, h->origin), upto = bound(h, from, most);
	enum err e = ERR_OK;

	if (h->count > from) {
		e = vector_raise(&s->sent, h->origin, upto);
		if (e == ERR_OK)
			builder_events(b, h, from, upto, &s->after);
	}
	if (e == ERR_OK && upto == h->count) {
		s->at = h->origin;
		s->walking = true;
	}
	return b->failed ? ERR_NO_MEMORY : e;
}

static size_t weight(const struct builder *b)
{
	return b->f.put_count + b->f.kill_count;
}

/* A round ends after the last origin; what came since is the next round's. */
static enum err walk(struct stream *s, struct builder *b, size_t most)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && weight(b) < most) {
		const struct history *h = next_history(s);

		if (!h) {
			s->walking = false;
			break;
		}
		e = send_some(s, h, b, most - weight(b));
	}
	return e;
}

/* The rest, and all that is said of the whole. */
static void finish(struct stream *s, struct builder *b)
{
	builder_sign(b, s->m);
	b->f.mode = FRAGMENT_FULL;
	for (size_t i = 0; i < s->m->used && !b->failed; i++) {
		const struct history *h = s->m->histories[i];
		uint64_t after = vector_get(&s->after, h->origin);

		if (h->count <= after)
			continue;
		builder_range(b, h, after, h->count);
		builder_events(b, h, vector_get(&s->sent, h->origin), h->count, &s->after);
		builder_floor(b, h, after);
	}
	if (s->theirs.run_count > 0)
		builder_checks(b, s->m, &s->after, &s->theirs, false);
}

enum err stream_next(struct stream *s, size_t most, struct fragment *ret_piece, bool *ret_last)
{
	struct vector before = VECTOR_INIT;
	struct builder b;
	bool last = map_difference_weight(s->m, &s->sent) <= most;
	enum err e = s->m->floors_taken == s->floors_taken ? ERR_OK : ERR_WRONG_STATE;

	if (e == ERR_OK)
		e = vector_copy(&s->sent, &before);
	if (e != ERR_OK)
		return e;
	builder_init(&b, s->m);
	b.f.mode = FRAGMENT_FULL;
	if (last)
		finish(s, &b);
	else
		e = walk(s, &b, most);
	b.failed = b.failed || e != ERR_OK;
	e = builder_end(&b, ret_piece);
	if (e == ERR_OK)
		*ret_last = last;
	else { /* nothing was sent: what was noted as sent is taken back */
		vector_fini(&s->sent);
		s->sent = before;
		before = (struct vector)VECTOR_INIT;
		s->walking = false;
	}
	vector_fini(&before);
	return e;
}

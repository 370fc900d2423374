#include "server/core/serve.h"

#include <stdlib.h>

#include "server/core/parts.h"

void poll_fini(struct poll *p)
{
	free(p->origins);
	vector_fini(&p->after);
	vector_fini(&p->ack);
	*p = (struct poll){0};
}

/* How many events of this origin the client has not asked for yet. */
static uint64_t news_of(const struct horde *h, const struct poll *p, struct origin_id origin)
{
	uint64_t known = vector_get(map_vector(h->map), origin);
	uint64_t after = vector_get(&p->after, origin);

	return known > after ? known - after : 0;
}

static uint64_t news(const struct horde *h, const struct poll *p)
{
	uint64_t count = news_of(h, p, h->config.incarnation);

	for (size_t i = 0; i < p->origin_count; i++)
		count += news_of(h, p, p->origins[i]);
	return count;
}

static int64_t window_ms(const struct horde *h)
{
	int64_t ms = (int64_t)h->member_count / 4;

	if (ms < SERVE_WINDOW_MIN_MS)
		return SERVE_WINDOW_MIN_MS;
	return ms > SERVE_WINDOW_MAX_MS ? SERVE_WINDOW_MAX_MS : ms;
}

static void look_at(int64_t at_ms, int64_t *deadline_ms)
{
	if (at_ms < *deadline_ms)
		*deadline_ms = at_ms;
}

/* Only origins that were not asked for have news: in a while a tick tells of them. */
static bool relay_due(const struct horde *h, const struct poll *p, struct serving *s,
	int64_t now_ms, int64_t *deadline_ms)
{
	if (vector_covers(&p->after, map_vector(h->map))) {
		s->ahead_ms = 0;
		return false;
	}
	if (s->ahead_ms == 0)
		s->ahead_ms = now_ms;
	look_at(s->ahead_ms + SERVE_RELAY_MS, deadline_ms);
	return now_ms >= s->ahead_ms + SERVE_RELAY_MS;
}

bool horde_serve_due(const struct horde *h, const struct poll *p, struct serving *s, int64_t now_ms,
	int64_t *deadline_ms)
{
	uint64_t count;

	if (s->since_ms == 0)
		s->since_ms = now_ms;
	if (p->all)
		return !vector_covers(&p->after, map_vector(h->map));
	count = news(h, p);
	if (count == 0)
		return relay_due(h, p, s, now_ms, deadline_ms);
	if (count >= SERVE_FLUSH_EVENTS || now_ms >= s->since_ms + window_ms(h))
		return true;
	look_at(s->since_ms + window_ms(h), deadline_ms);
	return false;
}

void horde_serve_sign(const struct horde *h, struct fragment *f)
{
	f->clock = h->clock.stamp;
	f->ack_wanted = acks_wanted(h);
}

static enum err slice(const struct horde *h, const struct poll *p, struct fragment *ret)
{
	struct origin_id *want = malloc((p->origin_count + 1) * sizeof(*want));
	size_t count = 1;
	enum err e;

	if (!want)
		return ERR_NO_MEMORY;
	want[0] = h->config.incarnation;
	for (size_t i = 0; i < p->origin_count; i++)
		if (!origin_equal(p->origins[i], want[0]))
			want[count++] = p->origins[i];
	e = map_slice(h->map, &p->after, want, count, ret);
	free(want);
	return e;
}

enum err horde_serve(const struct horde *h, const struct poll *p, struct fragment *ret)
{
	enum err e = p->all ? map_difference(h->map, &p->after, ret) : slice(h, p, ret);

	if (e == ERR_OK)
		horde_serve_sign(h, ret);
	return e;
}

enum err horde_serve_redo(const struct horde *h, struct fragment *ret)
{
	enum err e = map_difference(h->map, map_vector(h->map), ret);

	if (e == ERR_OK) {
		ret->mode = FRAGMENT_REDO;
		horde_serve_sign(h, ret);
	}
	return e;
}

const struct vector *horde_retired(const struct horde *h, uint64_t *ret_hash)
{
	*ret_hash = h->retired_hash;
	return &h->retired;
}

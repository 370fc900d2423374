#include "server/core/serve.h"

#include <stdlib.h>

#include "server/core/horde.h"

void poll_fini(struct poll *p)
{
	free(p->origins);
	vector_fini(&p->after);
	vector_fini(&p->ack);
	*p = (struct poll){0};
}

bool horde_serve_due(const struct horde *h, const struct poll *p, struct serving *s, int64_t now_ms,
	int64_t *deadline_ms)
{
	(void)now_ms;
	(void)deadline_ms;
	(void)s;
	return !vector_covers(&p->after, map_vector(horde_map(h)));
}

void horde_serve_sign(const struct horde *h, struct fragment *f)
{
	f->clock = horde_clock(h);
}

enum err horde_serve(const struct horde *h, const struct poll *p, struct fragment *ret)
{
	enum err e = map_difference(horde_map(h), &p->after, ret);

	if (e == ERR_OK)
		horde_serve_sign(h, ret);
	return e;
}

const struct vector *horde_retired(const struct horde *h, uint64_t *ret_hash)
{
	static const struct vector none = VECTOR_INIT;

	(void)h;
	*ret_hash = 0;
	return &none;
}

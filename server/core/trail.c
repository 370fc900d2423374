#include "server/core/trail.h"

#include <stdlib.h>
#include <string.h>

void trail_fini(struct trail *t)
{
	free(t->items);
	*t = (struct trail){0};
}

bool trail_add(struct trail *t, const struct transition *latest)
{
	struct transition *items;

	if (t->count == TRAIL_MAX) {
		memmove(t->items, t->items + 1, (TRAIL_MAX - 1) * sizeof(*t->items));
		t->items[TRAIL_MAX - 1] = *latest;
		return true;
	}
	items = realloc(t->items, (t->count + 1) * sizeof(*items));
	if (!items)
		return false;
	t->items = items;
	t->items[t->count++] = *latest;
	return true;
}

const struct transition *trail_last(const struct trail *t)
{
	return t->count ? &t->items[t->count - 1] : NULL;
}

bool trail_dup(const struct trail *t, struct trail *ret_copy)
{
	*ret_copy = (struct trail){0};
	if (t->count == 0)
		return true;
	ret_copy->items = malloc(t->count * sizeof(*t->items));
	if (!ret_copy->items)
		return false;
	memcpy(ret_copy->items, t->items, t->count * sizeof(*t->items));
	ret_copy->count = t->count;
	return true;
}

static void encode_end(const struct transition *x, struct text *out)
{
	json_put_int(out, "code", x->code);
	if (x->signal)
		json_put_int(out, "signal", x->signal);
	if (x->core_dumped)
		json_put_bool(out, "core_dumped", true);
	if (x->oom_killed)
		json_put_bool(out, "oom_killed", true);
	json_put_int(out, "uptime_ms", x->uptime_ms);
	if (x->error[0])
		json_put_string(out, "error", x->error);
}

void trail_encode(const struct trail *t, struct origin_id node, struct text *out)
{
	char hex[ORIGIN_HEX_BYTES];

	if (t->count == 0)
		return;
	json_key(out, "trail");
	json_array(out);
	for (uint32_t i = 0; i < t->count; i++) {
		const struct transition *x = &t->items[i];

		json_object(out);
		json_put_int(out, "at", x->at_ms);
		json_put_string(out, "state", child_state_name(x->state));
		if (x->reason != REASON_NONE)
			json_put_string(out, "reason", reason_name(x->reason));
		json_put_uint(out, "epoch", x->epoch);
		origin_to_hex(x->node, hex);
		if (!origin_equal(x->node, node))
			json_put_string(out, "node", hex);
		if (x->ended)
			encode_end(x, out);
		json_end_object(out);
	}
	json_end_array(out);
}

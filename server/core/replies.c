/*
 * What was answered to requests with an Idempotency-Key, kept for who asks again. Who reads one
 * looks at its time himself; here goes what nobody may read any more. All nodes look, some at a
 * time, and the first in rendezvous order among those alive removes: by the wall clock, as the time
 * was set by that of another node.
 */
#include "server/core/parts.h"

#include <string.h>

#define PREFIX "idem/"

enum err replies_keep(struct horde *h, const struct event *e)
{
	return map_put(h->map, e->put.key, e->put.key_bytes, e->put.value, e->put.value_bytes,
		e->put.record, stamp(h), &h->out->changes);
}

enum err horde_reply_refused(const struct horde *h)
{
	enum err err = horde_write_refused(h);

	if (err == ERR_OK && (map_count(h->map, FAMILY_REPLY) >= REPLIES_MAX ||
				     h->replies_bytes >= REPLIES_BYTES_MAX))
		return ERR_LIMIT;
	return err;
}

static bool is_reply(const struct entry *e)
{
	return e && family_of(e->key, e->key_bytes) == FAMILY_REPLY;
}

static void look_later(struct horde *h)
{
	h->replies_at_bytes = 0;
	h->replies_ms =
		map_count(h->map, FAMILY_REPLY) > 0 ? h->now_ms + REPLIES_LOOK_MS : INT64_MAX;
}

void replies_begin(struct horde *h)
{
	const struct entry *e = map_from(h->map, PREFIX, strlen(PREFIX));

	h->replies_bytes = 0;
	for (; is_reply(e); e = map_after(h->map, e->key, e->key_bytes))
		for (const struct entry *s = e; s; s = s->sibling)
			h->replies_bytes += s->value_bytes;
	look_later(h);
}

void replies_changed(struct horde *h, const struct change *change)
{
	size_t bytes = change->entry->value_bytes;

	if (change->kind == CHANGE_PUT)
		h->replies_bytes += bytes;
	else
		h->replies_bytes -= bytes < h->replies_bytes ? bytes : h->replies_bytes;
	if (h->replies_ms == INT64_MAX)
		look_later(h);
}

/* What has no record is of a newer version, which is to say when it ends. */
static bool is_over(const struct horde *h, const struct entry *e)
{
	return e->record && e->record->reply.expires_ms <= h->wall_ms && member_first(h, e->key);
}

/* The next one of this look, or NULL. */
static const struct entry *next(struct horde *h)
{
	const struct entry *e = h->replies_at_bytes
					? map_after(h->map, h->replies_at, h->replies_at_bytes)
					: map_from(h->map, PREFIX, strlen(PREFIX));

	if (!is_reply(e))
		return NULL;
	memcpy(h->replies_at, e->key, e->key_bytes);
	h->replies_at_bytes = e->key_bytes;
	return e;
}

void replies_tick(struct horde *h)
{
	const struct entry *e;

	if (h->now_ms < h->replies_ms)
		return;
	for (size_t i = 0; i < REPLIES_STEP && h->synced && !h->stopping; i++) {
		e = next(h);
		if (!e) {
			look_later(h);
			return;
		}
		/* One that cannot be removed for lack of memory is met again by the next look. */
		if (is_over(h, e))
			map_remove(h->map, e->key, e->key_bytes, stamp(h), &h->out->changes);
	}
	h->replies_ms = h->now_ms + (h->synced ? REPLIES_STEP_MS : REPLIES_LOOK_MS);
}

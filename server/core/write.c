/* Records into the map, actions out. */
#include "server/core/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void actions_clear(struct actions *a)
{
	for (size_t i = 0; i < a->used; i++)
		identity_free(a->items[i].identity);
	a->used = 0;
	a->changes.used = 0;
	/* A cold join needs room for every entry; nothing else does. */
	if (a->changes.size > CHANGES_KEPT)
		changes_fini(&a->changes);
	a->created = false;
	a->applied = APPLIED_UNSAID;
	a->dot = (struct dot){0};
}

void actions_fini(struct actions *a)
{
	actions_clear(a);
	free(a->items);
	changes_fini(&a->changes);
	*a = (struct actions){0};
}

struct action *act(struct horde *h, enum action_kind kind)
{
	struct actions *a = h->out;

	if (a->used == a->size) {
		size_t size = a->size ? 2 * a->size : 16;
		struct action *items = realloc(a->items, size * sizeof(*items));

		if (!items)
			return NULL;
		a->items = items;
		a->size = size;
	}
	a->items[a->used] = (struct action){.kind = kind};
	return &a->items[a->used++];
}

/* A line that is lost for lack of memory is lost; nothing depends on it. */
void say(struct horde *h, const char *event, const char *subject, const char *format, ...)
{
	char detail[sizeof(((struct action *)NULL)->detail)];
	struct action *a;
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	tell_said(h, event, subject, detail);
	a = act(h, ACTION_LOG);
	if (!a)
		return;
	a->event = event;
	a->subject = subject;
	memcpy(a->detail, detail, sizeof(detail));
}

uint64_t stamp(struct horde *h)
{
	return clock_now(&h->clock, h->wall_ms);
}

static size_t key_of(char key[KEY_BYTES_MAX], const char *family, const char *rest)
{
	int bytes = snprintf(key, KEY_BYTES_MAX, "%s/%s", family, rest);

	return bytes < KEY_BYTES_MAX ? (size_t)bytes : KEY_BYTES_MAX - 1;
}

const struct entry *get(const struct horde *h, const char *family, const char *rest)
{
	char key[KEY_BYTES_MAX];

	return map_get(h->map, key, key_of(key, family, rest));
}

enum err write_record(struct horde *h, const char *family, const char *rest, const struct record *r)
{
	struct text text = TEXT_INIT;
	struct record *copy = record_dup(r);
	char key[KEY_BYTES_MAX];
	size_t key_bytes = key_of(key, family, rest);
	enum err err = ERR_NO_MEMORY;

	record_encode(r, NULL, 0, &text);
	if (copy && text_cstr(&text))
		err = map_put(h->map, key, key_bytes, text.bytes, text.used, copy, stamp(h),
			&h->out->changes);
	if (err != ERR_OK)
		record_free(copy);
	text_fini(&text);
	return err;
}

enum err put_as_it_is(struct horde *h, const struct event *e)
{
	h->out->created = !map_get(h->map, e->put.key, e->put.key_bytes);
	return map_put(h->map, e->put.key, e->put.key_bytes, e->put.value, e->put.value_bytes,
		e->put.record, stamp(h), &h->out->changes);
}

enum err remove_key(struct horde *h, const char *family, const char *rest)
{
	char key[KEY_BYTES_MAX];
	enum err err =
		map_remove(h->map, key, key_of(key, family, rest), stamp(h), &h->out->changes);

	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err spec_remove(struct horde *h, const char *ref)
{
	enum err err = get(h, "spec", ref) ? remove_key(h, "state", ref) : ERR_NOT_FOUND;

	return err == ERR_OK ? remove_key(h, "spec", ref) : err;
}

enum err resolve_key(struct horde *h, const char *family, const char *rest)
{
	char key[KEY_BYTES_MAX];

	return map_resolve(h->map, key, key_of(key, family, rest), stamp(h), &h->out->changes);
}

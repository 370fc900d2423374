#include "api/scan.h"

#include <string.h>

#include "api/json_read.h"

void scan_begin(struct scan *s, const struct match *match, const char *family, const char *registry,
	const char *after, size_t after_bytes)
{
	size_t room;

	memset(s, 0, sizeof(*s));
	s->match = match;
	s->family = resource_key(s->prefix, family, registry, "");
	/* No key is as long as that, and the conditions are asked all the same. */
	room = KEY_BYTES_MAX - s->family;
	s->prefix_bytes = s->family + (match->prefix_bytes < room ? match->prefix_bytes : room);
	memcpy(s->prefix + s->family, match->prefix, s->prefix_bytes - s->family);
	if (!after)
		return;
	after_bytes = after_bytes < room ? after_bytes : room;
	memcpy(s->at, s->prefix, s->family);
	memcpy(s->at + s->family, after, after_bytes);
	s->at_bytes = s->family + after_bytes;
}

const char *scan_key(const struct scan *s, size_t *ret_bytes)
{
	*ret_bytes = s->at_bytes - s->family;
	return s->at + s->family;
}

/* ---- one entry ---- */

struct looking {
	const struct horde *h;
	const struct entry *e;
	size_t steps;
};

static enum err read_part(void *data, enum match_part part, json_t **ret_part)
{
	struct looking *l = data;
	struct text room = TEXT_INIT;
	size_t bytes = 0;
	const char *text = entry_part(&room, l->h, l->e, part, &bytes);
	enum err e = room.failed ? ERR_NO_MEMORY : ERR_OK;

	l->steps += SCAN_PART_STEPS + bytes / SCAN_BYTES_A_STEP;
	*ret_part = NULL;
	/* What a peer made up and is no JSON is no part. */
	if (text && json_read(text, bytes, JSON_DECODE_ANY, ret_part) == ERR_NO_MEMORY)
		e = ERR_NO_MEMORY;
	text_fini(&room);
	return e;
}

static bool is_of(const struct entry *e, const struct owner *only)
{
	struct entry_record r;

	return entry_name(e, &r) && r.owner_kind == only->kind && strcmp(r.owner_id, only->id) == 0;
}

static enum err look(const struct scan *s, struct looking *l, bool *ret_holds)
{
	struct match_subject subject = {.read = read_part, .data = l};
	enum err e;

	*ret_holds = false;
	l->steps += SCAN_ENTRY_STEPS;
	if (s->only && !is_of(l->e, s->only))
		return ERR_OK;
	l->steps += s->match->cost;
	e = match_holds(s->match, &subject, ret_holds);
	match_subject_fini(&subject);
	return e;
}

/* ---- the walk ---- */

static const struct entry *next(const struct scan *s, const struct map *m)
{
	const struct entry *e;

	if (s->at_bytes == 0 || memcmp(s->at, s->prefix, s->prefix_bytes) < 0)
		e = entry_from(m, s->only, s->prefix, s->prefix_bytes);
	else if (s->again)
		e = entry_from(m, s->only, s->at, s->at_bytes);
	else
		e = entry_after(m, s->only, s->at, s->at_bytes);
	return e && e->key_bytes >= s->prefix_bytes &&
			       memcmp(e->key, s->prefix, s->prefix_bytes) == 0
		       ? e
		       : NULL;
}

enum scan_result scan_next(
	struct scan *s, const struct horde *h, size_t *steps, const struct entry **ret_entry)
{
	struct looking l = {.h = h};
	bool holds = false;

	while (!holds) {
		if (l.steps >= *steps) {
			*steps = 0;
			return SCAN_PAUSED;
		}
		l.e = next(s, horde_map(h));
		if (!l.e)
			return SCAN_DONE;
		memcpy(s->at, l.e->key, l.e->key_bytes);
		s->at_bytes = l.e->key_bytes;
		s->again = false;
		s->looked++;
		if (look(s, &l, &holds) != ERR_OK)
			return SCAN_FAILED;
	}
	*steps -= l.steps < *steps ? l.steps : *steps;
	*ret_entry = l.e;
	return SCAN_FOUND;
}

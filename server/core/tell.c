/*
 * What those hear who listen: changes of the map by key, each once, when the winner of a key is
 * another one than it was when that was last told (`shown`); and some of what the core says. Who it
 * came from makes no difference. What happened to a key between two looks is told as one change.
 */
#include "server/core/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- changes ---- */

struct look {
	struct horde *h;
	const struct entry **gone; /* were shown, and have died; by key */
	size_t gone_count;
	bool quiet; /* what is shown follows, and nothing is told */
};

static bool counts(const struct change *c)
{
	return c->kind == CHANGE_PUT || c->kind == CHANGE_DROP;
}

static bool is_gone(const struct change *c)
{
	return c->kind == CHANGE_DROP && c->entry->shown;
}

static int compare_keys(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;
	size_t least = x->key_bytes < y->key_bytes ? x->key_bytes : y->key_bytes;
	int order = memcmp(x->key, y->key, least);

	return order ? order : (int)x->key_bytes - (int)y->key_bytes;
}

/* False without memory. */
static bool find_gone(struct look *l)
{
	const struct changes *changes = &l->h->out->changes;
	size_t count = 0;

	for (size_t i = l->h->told; i < changes->used; i++)
		count += is_gone(&changes->items[i]);
	if (count == 0)
		return true;
	l->gone = malloc(count * sizeof(struct entry *));
	if (!l->gone)
		return false;
	for (size_t i = l->h->told; i < changes->used; i++)
		if (is_gone(&changes->items[i]))
			l->gone[l->gone_count++] = changes->items[i].entry;
	qsort(l->gone, l->gone_count, sizeof(*l->gone), compare_keys);
	return true;
}

static const struct entry *find_shown(
	const struct look *l, const struct entry *winner, const struct entry *e)
{
	const struct entry **found;

	for (const struct entry *s = winner; s; s = s->sibling)
		if (s->shown)
			return s;
	if (l->gone_count == 0)
		return NULL;
	found = bsearch(&e, l->gone, l->gone_count, sizeof(*l->gone), compare_keys);
	return found && (*found)->shown ? *found : NULL;
}

static void look_at_key(const struct look *l, const struct entry *e)
{
	const struct entry *now =
		e->dead ? map_get(l->h->map, e->key, e->key_bytes) : entry_winner(e);
	const struct entry *before = find_shown(l, now, e);

	if (before != now) {
		if (before)
			entry_show(before, false);
		if (now)
			entry_show(now, true);
		if (!l->quiet)
			tell_key(l->h, before, now);
	}
	if (!e->dead && e != now && e != before && !l->quiet)
		tell_beside(l->h, now, e);
}

/* Of very many, as of a join to a cluster, the latest alone are told. */
static uint64_t too_many(const struct horde *h)
{
	const struct changes *changes = &h->out->changes;
	uint64_t count = 0;

	if (changes->used - h->told <= EVENTS_MAX)
		return 0;
	for (size_t i = h->told; i < changes->used; i++)
		count += counts(&changes->items[i]);
	return count > EVENTS_MAX ? count - EVENTS_MAX : 0;
}

void tell_changes(struct horde *h)
{
	const struct changes *changes = &h->out->changes;
	uint64_t untold = too_many(h);
	struct look l = {.h = h};

	if (h->told == changes->used)
		return;
	if (!find_gone(&l))
		untold = UINT64_MAX;
	if (untold)
		events_lose(h->events, untold == UINT64_MAX ? 1 : untold);
	for (; h->told < changes->used; h->told++) {
		const struct change *c = &changes->items[h->told];

		if (!counts(c))
			continue;
		l.quiet = untold > 0;
		untold -= untold > 0;
		look_at_key(&l, c->entry);
		if (c->kind == CHANGE_DROP)
			entry_show(c->entry, false);
	}
	free(l.gone);
}

/* ---- what is said ---- */

static const struct said {
	const char *event;
	const char *topic;
	const char *subject; /* the member that names it; NULL: it is the node itself */
} saids[] = {
	{"member.alive", "member", "member"},
	{"member.suspect", "member", "member"},
	{"member.dead", "member", "member"},
	{"member.draining", "member", "member"},
	{"child.crash_loop", "child:", "child"},
	{"quorum.lost", "quorum", NULL},
	{"quorum.regained", "quorum", NULL},
	{"sync.diverged", "sync", "peer"},
	{"sync.recovered", "sync", "peer"},
	{"sync.forked", "sync", "peer"},
	{"storage.error", "storage", NULL},
	{"storage.recovered", "storage", NULL},
	{"guardian.lost", "guardian", NULL},
};

static const struct said *find_said(const char *event)
{
	for (size_t i = 0; i < sizeof(saids) / sizeof(saids[0]); i++)
		if (strcmp(saids[i].event, event) == 0)
			return &saids[i];
	return NULL;
}

void tell_said(struct horde *h, const char *event, const char *subject, const char *detail)
{
	const struct said *s = find_said(event);
	char topic[REF_BYTES_MAX + sizeof "child:"];
	bool of_child = s && strcmp(s->topic, "child:") == 0;
	struct text *t;

	if (!s)
		return;
	t = tell_open(h, event);
	if (s->subject)
		json_put_string(t, s->subject, subject);
	json_put_string(t, "detail", detail);
	snprintf(topic, sizeof(topic), "%s%s", s->topic, of_child ? subject : "");
	tell_close(h, topic);
}

void tell_quorum(struct horde *h)
{
	struct quorum q;

	if (!h->synced || h->stopping)
		return;
	q = horde_quorum(h);
	if (q.has != h->no_quorum)
		return;
	h->no_quorum = !q.has;
	say(h, q.has ? "quorum.regained" : "quorum.lost", h->config.name,
		"%llu of %llu members are alive", (unsigned long long)q.alive,
		(unsigned long long)q.total);
}

enum err tell_guardian(struct horde *h, const struct event *e)
{
	(void)e;
	say(h, "guardian.lost", h->config.name,
		"its children were killed and are started again under a new one");
	return ERR_OK;
}

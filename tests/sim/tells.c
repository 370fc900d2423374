/*
 * The oracle of events: who listens to a node from its first event on, and knows nothing else,
 * holds what its map does, after every step. A key is registered (created, put) when it was not,
 * and unregistered (deleted) when it was.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct heard { /* a key that the listener holds to be there */
	struct heard *next;
	char topic[KEY_BYTES_MAX];
	char owner[64]; /* of a name: the member that says whose it is */
};

static const struct family_topics {
	const char *prefix; /* of its keys in the map */
	const char *topic;
	enum family family;
	const char *comes, *changes, *goes;
} families[] = {
	{"entry/", "registry:", FAMILY_ENTRY, "entry.registered", "entry.updated",
		"entry.unregistered"},
	{"spec/", "child:", FAMILY_SPEC, "child.created", "child.updated", "child.deleted"},
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

static struct heard **find(struct node *n, const char *topic)
{
	struct heard **at = &n->heard;

	while (*at && strcmp((*at)->topic, topic) != 0)
		at = &(*at)->next;
	return at;
}

void tells_forget(struct node *n)
{
	while (n->heard) {
		struct heard *one = n->heard;

		n->heard = one->next;
		free(one);
	}
	n->heard_to = 0;
}

static struct heard *add(struct node *n, const char *topic)
{
	struct heard *one = calloc(1, sizeof(*one));

	if (!one)
		abort();
	snprintf(one->topic, sizeof(one->topic), "%s", topic);
	one->next = n->heard;
	n->heard = one;
	return one;
}

/* Who missed something reads what is there, and goes on from then. */
void tells_read_all(struct node *n)
{
	const struct map *m = horde_map(n->h);
	char topic[KEY_BYTES_MAX];

	tells_forget(n);
	n->heard_to = events_last(horde_events(n->h));
	for (size_t f = 0; f < FAMILIES; f++) {
		const char *prefix = families[f].prefix;
		const struct entry *e = map_from(m, prefix, strlen(prefix));

		for (; e && strncmp(e->key, prefix, strlen(prefix)) == 0;
			e = map_after(m, e->key, e->key_bytes)) {
			snprintf(topic, sizeof(topic), "%s%s", families[f].topic, key_rest(e->key));
			add(n, topic);
		}
	}
}

static bool is_type(const struct happened *e, const char *type)
{
	return strcmp(e->type, type) == 0;
}

static void keep_owner(struct heard *one, const struct happened *e)
{
	const char *at = strstr(e->text, "\"owner\":{");

	snprintf(one->owner, sizeof(one->owner), "%.*s", at ? (int)strcspn(at, "}") : 0,
		at ? at : "");
}

static void hear(
	struct world *w, struct node *n, const struct family_topics *f, const struct happened *e)
{
	struct heard **at = find(n, e->topic), *one = *at;

	if (is_type(e, f->comes) && one)
		fail(w, "%s: %s comes, and is there: %s", n->name, e->topic, e->text);
	if ((is_type(e, f->goes) || is_type(e, f->changes)) && !one)
		fail(w, "%s: %s is not there: %s", n->name, e->topic, e->text);
	if (is_type(e, f->comes) && !one)
		one = add(n, e->topic);
	if (one && (is_type(e, f->comes) || is_type(e, f->changes)))
		keep_owner(one, e);
	if (one && is_type(e, f->goes)) {
		*at = one->next;
		free(one);
	}
	w->tells++;
}

static void compare(struct world *w, struct node *n, const struct family_topics *f)
{
	size_t count = 0;

	for (const struct heard *one = n->heard; one; one = one->next) {
		char key[2 * KEY_BYTES_MAX], owner[80];
		struct entry_record r;
		const struct entry *e;

		if (strncmp(one->topic, f->topic, strlen(f->topic)) != 0)
			continue;
		count++;
		snprintf(key, sizeof(key), "%s%s", f->prefix, one->topic + strlen(f->topic));
		e = map_get(horde_map(n->h), key, strlen(key));
		if (!e)
			fail(w, "%s was told that %s is there", n->name, key);
		if (!e || !one->owner[0] || !entry_name(e, &r))
			continue;
		snprintf(owner, sizeof(owner), "\"id\":\"%s\"", r.owner_id);
		if (!strstr(one->owner, owner))
			fail(w, "%s was told that %s has %s, it is %s", n->name, key, one->owner,
				owner);
	}
	if (count != map_count(horde_map(n->h), f->family))
		fail(w, "%s was told of %zu of %s, and has %zu", n->name, count, f->prefix,
			map_count(horde_map(n->h), f->family));
}

void tells_step(struct world *w, struct node *n)
{
	const struct events *ev = horde_events(n->h);
	struct happened e;

	if (n->heard_to + 1 < events_first(ev)) {
		fail(w, "%s has lost events", n->name);
		return;
	}
	while (n->heard_to < events_last(ev)) {
		events_at(ev, ++n->heard_to, &e);
		for (size_t f = 0; f < FAMILIES; f++)
			if (strncmp(e.topic, families[f].topic, strlen(families[f].topic)) == 0)
				hear(w, n, &families[f], &e);
	}
	for (size_t f = 0; f < FAMILIES; f++)
		compare(w, n, &families[f]);
}

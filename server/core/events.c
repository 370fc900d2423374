/* The ring: slots by number, so that the one that goes is always where the next one comes. */
#include "server/core/events.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/times.h"

#define LIFE_DIGITS 16

struct event_text { /* both texts, each with its NUL, in one block */
	uint32_t topic_bytes;
	uint32_t text_bytes;
	const char *type;
	char texts[];
};

struct events {
	struct origin_id life;
	uint64_t first;
	uint64_t last;
	size_t bytes;
	struct event_text *slots[EVENTS_MAX];
};

enum err events_new(struct origin_id life, struct events **ret_events)
{
	struct events *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return ERR_NO_MEMORY;
	ev->life = life;
	ev->first = 1;
	*ret_events = ev;
	return ERR_OK;
}

static struct event_text **slot_of(const struct events *ev, uint64_t number)
{
	return (struct event_text **)(uintptr_t)&ev->slots[number % EVENTS_MAX];
}

static size_t size_of(const struct event_text *t)
{
	return sizeof(*t) + t->topic_bytes + t->text_bytes + 2;
}

static void drop_first(struct events *ev)
{
	struct event_text **slot = slot_of(ev, ev->first++);

	ev->bytes -= size_of(*slot);
	free(*slot);
	*slot = NULL;
}

void events_free(struct events *ev)
{
	if (!ev)
		return;
	while (ev->first <= ev->last)
		drop_first(ev);
	free(ev);
}

void events_lose(struct events *ev, uint64_t count)
{
	while (ev->first <= ev->last)
		drop_first(ev);
	ev->last += count;
	ev->first = ev->last + 1;
}

static struct event_text *make(
	const char *topic, size_t topic_bytes, const char *text, size_t text_bytes)
{
	struct event_text *t = malloc(sizeof(*t) + topic_bytes + text_bytes + 2);

	if (!t)
		return NULL;
	*t = (struct event_text){
		.topic_bytes = (uint32_t)topic_bytes, .text_bytes = (uint32_t)text_bytes};
	memcpy(t->texts, topic, topic_bytes + 1);
	memcpy(t->texts + topic_bytes + 1, text, text_bytes);
	t->texts[topic_bytes + 1 + text_bytes] = '\0';
	return t;
}

void events_add(
	struct events *ev, const char *topic, const char *type, const char *text, size_t text_bytes)
{
	struct event_text *t = make(topic, strlen(topic), text, text_bytes);

	if (!t || size_of(t) > EVENTS_BYTES_MAX) {
		free(t);
		events_lose(ev, 1);
		return;
	}
	t->type = type;
	while (ev->last - ev->first + 1 == EVENTS_MAX || ev->bytes + size_of(t) > EVENTS_BYTES_MAX)
		drop_first(ev);
	*slot_of(ev, ++ev->last) = t;
	ev->bytes += size_of(t);
}

uint64_t events_last(const struct events *ev)
{
	return ev->last;
}

uint64_t events_first(const struct events *ev)
{
	return ev->first;
}

bool events_at(const struct events *ev, uint64_t number, struct happened *ret_happened)
{
	const struct event_text *t;

	if (number < ev->first || number > ev->last)
		return false;
	t = *slot_of(ev, number);
	assert(t);
	*ret_happened = (struct happened){.topic = t->texts,
		.topic_bytes = t->topic_bytes,
		.type = t->type,
		.text = t->texts + t->topic_bytes + 1,
		.text_bytes = t->text_bytes};
	return true;
}

void events_id(const struct events *ev, uint64_t number, char ret_id[EVENT_ID_BYTES])
{
	snprintf(ret_id, EVENT_ID_BYTES, "%016llx-%llu", (unsigned long long)ev->life.hi,
		(unsigned long long)number);
}

enum events_place events_find(const struct events *ev, const char *id, uint64_t *ret_number)
{
	char again[EVENT_ID_BYTES];
	uint64_t number;

	if (strlen(id) < LIFE_DIGITS + 2 || id[LIFE_DIGITS] != '-')
		return EVENTS_ELSEWHERE;
	number = strtoull(id + LIFE_DIGITS + 1, NULL, 10);
	/* It is one when it is written as it would be here: no signs, blanks or zeros in front. */
	events_id(ev, number, again);
	if (strcmp(id, again) != 0 || number > ev->last)
		return EVENTS_ELSEWHERE;
	if (number + 1 < ev->first)
		return EVENTS_GONE;
	*ret_number = number;
	return EVENTS_AT;
}

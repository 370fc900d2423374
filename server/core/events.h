/*
 * What has happened, for those who listen: a ring of one node's last events, each of them one JSON
 * text that all its readers share. They are numbered from 1 without holes, and bounded in number
 * and bytes (times.h): the oldest go. Who has read up to a number goes on behind it; when what
 * comes next is gone, he has missed something and is to be told.
 *
 * An event's id is `<first 16 hex digits of the life>-<number>`: of this node, in this life, alone.
 */
#ifndef HORDE_CORE_EVENTS_H
#define HORDE_CORE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/dot.h"
#include "server/core/err.h"

#define EVENT_ID_BYTES 38 /* 16 digits, '-', a number of at most 20, and the NUL */
/* What stands before each topic in the name that is woken for it; the shell's and the API's word.
 */
#define EVENTS_WAKE "event/"

struct events;

struct happened {          /* all end with a NUL, and stay until the next events_add */
	const char *topic; /* "registry:default/web/1", "child:default/web", "member" */
	size_t topic_bytes;
	const char *type; /* "entry.registered" */
	const char *text; /* a JSON object on one line */
	size_t text_bytes;
};

/* `life` is the incarnation. Errors: NO_MEMORY. */
enum err events_new(struct origin_id life, struct events **ret_events);
void events_free(struct events *ev); /* NULL is fine */

/* One more, of which topic and text are copied; `type` is a literal. Without memory it is lost, and
 * all before it. */
void events_add(struct events *ev, const char *topic, const char *type, const char *text,
	size_t text_bytes);
/* So many have happened that nobody can tell any more; all before them go too. */
void events_lose(struct events *ev, uint64_t count);

/* The number of the latest, 0 before there is one; and of the oldest that is kept, which is one
 * more than the latest when none is. */
uint64_t events_last(const struct events *ev);
uint64_t events_first(const struct events *ev);
/* False: it is not kept, or has not happened. */
bool events_at(const struct events *ev, uint64_t number, struct happened *ret_happened);

/* Number 0 stands before the first. */
void events_id(const struct events *ev, uint64_t number, char ret_id[EVENT_ID_BYTES]);

enum events_place {
	EVENTS_AT,       /* all behind this id is kept */
	EVENTS_GONE,     /* some of what came behind it is not kept any more */
	EVENTS_ELSEWHERE /* it is another node's, or of another life, or no id at all */
};
/* Where an id is; of AT, `ret_number` is its number. */
enum events_place events_find(const struct events *ev, const char *id, uint64_t *ret_number);

#endif

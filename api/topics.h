/*
 * What a listener wants to hear of (the parameter `topics`): a list with commas of
 *
 *	member quorum sync storage guardian	all of these
 *	child:SUP/ID registry:REG/KEY meta:REG/KEY	of this one
 *	child:SUP/web* registry:REG/web* meta:*	of all that begin so
 *
 * A key may be percent-encoded, so that it can hold a comma, or end with a star. No topics at all
 * are everything.
 */
#ifndef HORDE_API_TOPICS_H
#define HORDE_API_TOPICS_H

#include "api/exchange.h"
#include "server/core/events.h"

#define TOPICS_MAX 16
#define TOPICS_BYTES_MAX 4096 /* of the parameter, decoded once */

/*
 * Woken now and then, whatever happens: who waits for something rare has to look on before what he
 * has not looked at goes, though none of it is for him.
 */
#define EVENTS_WAKE_ALL "events"
#define EVENTS_WAKE_ALL_EVERY 4096u /* events, well below EVENTS_MAX */

struct topic {
	const char *text; /* in the `texts` of its topics */
	size_t bytes;
	bool prefix;
};

struct topics { /* not to be moved */
	struct topic items[TOPICS_MAX];
	size_t count;
	char texts[TOPICS_BYTES_MAX + TOPICS_MAX];
};

/* From the query. False: 400 `bad-query` was answered, with a fault for each topic that is none. */
bool topics_of(struct exchange *x, struct topics *ret_topics);
bool topics_match(const struct topics *t, const struct happened *e);
/* Watches them (wait.h): the handler is run again when one of them has happened, or many others. */
void topics_watch(struct exchange *x, const struct topics *t);
/*
 * The first event of these topics behind `*number`, which becomes its number; without one it
 * becomes that of the latest event, and this is false. All behind `*number` has to be kept.
 */
bool topics_next(const struct topics *t, const struct events *ev, uint64_t *number,
	struct happened *ret_happened);

#endif

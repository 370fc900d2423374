#include "api/topics.h"

#include <string.h>

#include "api/limits.h"
#include "api/utf8.h"
#include "api/wait.h"

static bool is_single(const char *text)
{
	static const char *const singles[] = {"member", "quorum", "sync", "storage", "guardian"};

	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		if (strcmp(text, singles[i]) == 0)
			return true;
	return false;
}

/* "child:default/web", or what such a one may begin with. */
static bool is_scoped(const char *text, bool prefix)
{
	static const char *const kinds[] = {"child:", "registry:", "meta:"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t bytes = strlen(kinds[i]);
		const char *slash;

		if (strncmp(text, kinds[i], bytes) != 0)
			continue;
		slash = strchr(text + bytes, '/');
		return prefix || (slash && slash > text + bytes && slash[1]);
	}
	return false;
}

/* Decodes one of `bytes` to `room`; false: it is none. */
static bool read_one(const char *from, size_t bytes, char *room, struct topic *ret)
{
	bool prefix = bytes > 0 && from[bytes - 1] == '*';

	*ret = (struct topic){.text = room, .prefix = prefix};
	return percent_decode(from, bytes - prefix, room, &ret->bytes) &&
	       utf8_is_text(room, ret->bytes) &&
	       (is_scoped(room, prefix) || (!prefix && is_single(room)));
}

static size_t read_all(struct exchange *x, const char *list, struct topics *ret)
{
	char *room = ret->texts;
	size_t bad = 0;

	for (;;) {
		size_t bytes = strcspn(list, ",");
		struct topic *t = &ret->items[ret->count];

		if (ret->count == TOPICS_MAX) {
			exchange_fault(x, "query.topics", "too-many",
				"there are more than %d topics", TOPICS_MAX);
			return bad + 1;
		}
		if (read_one(list, bytes, room, t)) {
			room += t->bytes + 1;
			ret->count++;
		} else {
			exchange_fault(x, "query.topics", "bad-topic", "'%.*s' is no topic",
				(int)bytes, list);
			bad++;
		}
		list += bytes;
		if (*list++ != ',')
			return bad;
	}
}

bool topics_of(struct exchange *x, struct topics *ret_topics)
{
	const char *list = exchange_query(x, "topics");

	ret_topics->count = 0;
	if (!list || read_all(x, list, ret_topics) == 0)
		return true;
	exchange_problem(x, PROBLEM_BAD_QUERY,
		"a topic is member, quorum, sync, storage, guardian, or child:SUP/ID, "
		"registry:REG/KEY, meta:REG/KEY, where a star ends what is to begin so");
	return false;
}

static bool matches(const struct topic *t, const struct happened *e)
{
	return (t->prefix ? t->bytes <= e->topic_bytes : t->bytes == e->topic_bytes) &&
	       memcmp(t->text, e->topic, t->bytes) == 0;
}

bool topics_match(const struct topics *t, const struct happened *e)
{
	for (size_t i = 0; i < t->count; i++)
		if (matches(&t->items[i], e))
			return true;
	return t->count == 0;
}

void topics_watch(struct exchange *x, const struct topics *t)
{
	static const size_t wake = sizeof(EVENTS_WAKE) - 1;
	char key[sizeof(EVENTS_WAKE) + TOPICS_BYTES_MAX] = EVENTS_WAKE;

	exchange_watch_key(x, EVENTS_WAKE_ALL, sizeof(EVENTS_WAKE_ALL) - 1);
	if (t->count == 0 || t->count + 1 > HTTP_WATCHES_MAX) {
		exchange_watch_prefix(x, key, wake);
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		memcpy(key + wake, t->items[i].text, t->items[i].bytes);
		if (t->items[i].prefix)
			exchange_watch_prefix(x, key, wake + t->items[i].bytes);
		else
			exchange_watch_key(x, key, wake + t->items[i].bytes);
	}
}

bool topics_next(const struct topics *t, const struct events *ev, uint64_t *number,
	struct happened *ret_happened)
{
	while (*number < events_last(ev))
		if (events_at(ev, ++*number, ret_happened) && topics_match(t, ret_happened))
			return true;
	return false;
}

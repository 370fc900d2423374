#include "api/replies.h"

#include <string.h>

#include "api/service.h"

static enum err room(void *service)
{
	const struct service *s = service;

	return horde_reply_refused(s->horde);
}

static const char *find(void *service, const char *key, size_t *ret_bytes)
{
	const struct service *s = service;
	const struct entry *e = map_get(horde_map(s->horde), key, strlen(key));

	if (!e)
		return NULL;
	*ret_bytes = e->value_bytes;
	return entry_text(e, NULL);
}

static enum err keep(void *service, const char *key, const struct text *value, int64_t expires_ms,
	uint64_t *ret_batch)
{
	const struct service *s = service;
	struct event e = {.kind = EVENT_KEEP_REPLY};
	struct record *r = record_new(FAMILY_REPLY);
	struct command_result result;
	enum err err;

	if (!r)
		return ERR_NO_MEMORY;
	r->reply.expires_ms = expires_ms;
	e.put.key = key;
	e.put.key_bytes = strlen(key);
	e.put.value = value->bytes;
	e.put.value_bytes = value->used;
	e.put.record = r;
	err = s->command(s->node, &e, &result);
	if (err == ERR_OK)
		*ret_batch = result.batch;
	else
		record_free(r);
	return err;
}

const struct reply_keeper replies_keeper = {.room = room, .find = find, .keep = keep};

/*
 * What a process is told of itself: HORDE_CHILD and the like, as its environment has them, and as
 * `${HORDE_CHILD}` in what its spec says means them (expand.h).
 */
#include "server/core/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_COUNT 7 /* beside its ports */

struct list {
	char **items;
	uint32_t count;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *l, const char *format, ...)
{
	struct text t = TEXT_INIT;
	char bytes[2 * KEY_BYTES_MAX];
	va_list args;
	int used;

	va_start(args, format);
	used = vsnprintf(bytes, sizeof(bytes), format, args);
	va_end(args);
	if (used > 0 && (size_t)used < sizeof(bytes))
		text_add(&t, bytes, (size_t)used);
	l->items[l->count] = text_take(&t);
	if (!l->items[l->count++])
		l->failed = true;
}

/* "http-admin" is HORDE_PORT_HTTP_ADMIN; whatever the locale, in which toupper() answers. */
static char in_variable(char c)
{
	if (c == '-')
		return '_';
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static void add_port(struct list *l, const struct port *p)
{
	char name[sizeof(p->name)];
	size_t i = 0;

	for (; p->name[i]; i++)
		name[i] = in_variable(p->name[i]);
	name[i] = '\0';
	add(l, "HORDE_PORT_%s=%u", name, (unsigned)p->number);
}

void identity_free(char **identity)
{
	for (char **item = identity; item && *item; item++)
		free(*item);
	free(identity);
}

/* What is the same on every node. */
static void add_ref(struct list *l, const char *ref)
{
	const char *child = key_rest(ref);

	add(l, "HORDE_CHILD=%s", child);
	add(l, "HORDE_CHILD_REF=%s", ref);
	add(l, "HORDE_SUPERVISOR=%.*s", (int)(child > ref ? child - ref - 1 : 0), ref);
}

static bool list_new(struct list *l, uint32_t more)
{
	*l = (struct list){.items = calloc(OWN_COUNT + more + 1, sizeof(*l->items))};
	return l->items;
}

static char **list_done(struct list *l)
{
	if (!l->failed)
		return l->items;
	for (uint32_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l->items);
	return NULL;
}

char **identity_of_ref(const char *ref)
{
	struct list l;

	if (!list_new(&l, 0))
		return NULL;
	add_ref(&l, ref);
	return list_done(&l);
}

char **identity_make(const struct horde *h, const struct child *c, uint64_t epoch)
{
	struct list l;

	if (!list_new(&l, c->ports.count))
		return NULL;
	add_ref(&l, c->ref);
	add(&l, "HORDE_NODE=%s", h->config.name);
	add(&l, "HORDE_URL=%s", h->config.local_url);
	add(&l, "HORDE_EPOCH=%llu", (unsigned long long)epoch);
	if (h->config.run_dirs)
		add(&l, "HORDE_RUN_DIR=%s/%s", h->config.run_dirs, c->ref);
	for (uint32_t i = 0; i < c->ports.count; i++)
		add_port(&l, &c->ports.items[i]);
	return list_done(&l);
}

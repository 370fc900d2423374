/* Dispatches, as api/dispatch_service.h has them, and where they may go. */
#include "server/node_inside.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "HOST" or "HOST:PORT", one of IPv6 in []. */
static bool is_place(const char *item, const char *host, uint16_t port)
{
	char name[OPTION_BYTES_MAX + 1], place[OPTION_BYTES_MAX + 8];

	snprintf(name, sizeof name, strchr(host, ':') ? "[%s]" : "%s", host);
	snprintf(place, sizeof place, "%s:%u", name, (unsigned)port);
	return strcasecmp(item, host) == 0 || strcasecmp(item, name) == 0 ||
	       strcasecmp(item, place) == 0;
}

static bool allowed(void *node, const char *host, uint16_t port)
{
	const struct option_list *hosts = &((struct node *)node)->config.options->dispatch_hosts;

	for (size_t i = 0; i < hosts->count; i++)
		if (is_place(hosts->items[i], host, port))
			return true;
	return false;
}

static enum err begin(void *node, const struct dispatch_request *r, struct dispatch **ret_dispatch)
{
	return dispatches_begin(((struct node *)node)->dispatches, r, ret_dispatch);
}

const struct dispatch_service node_dispatch = {
	.allowed = allowed,
	.begin = begin,
	.ticket = dispatch_ticket,
	.send = dispatch_send,
	.finish = dispatch_finish,
	.view = dispatch_view,
	.take = dispatch_take,
	.end = dispatch_end,
};

static void on_moved(void *data, uint64_t ticket)
{
	char key[32];
	int bytes = snprintf(key, sizeof key, "dispatch/%llu", (unsigned long long)ticket);

	node_wake(data, key, (size_t)bytes);
}

enum err node_make_dispatches(struct node *n)
{
	struct dispatches_config c = {
		.loop = n->config.loop,
		.moved = on_moved,
		.data = n,
		.max = DISPATCHES_MAX,
		.connect_ms = DISPATCH_CONNECT_MS,
		.idle_ms = DISPATCH_IDLE_MS,
		.total_ms = DISPATCH_TOTAL_MS,
	};

	return dispatches_new(&c, &n->dispatches);
}

/*
 * Transfers to the owners of names (api/dispatch_service.h says what is promised of one), by
 * libcurl's multi on the one loop. Each has a connection of its own that is used once: what is sent
 * again because a connection was stale may arrive twice.
 */
#ifndef HORDE_DISPATCHES_H
#define HORDE_DISPATCHES_H

#include "api/dispatch_service.h"
#include "server/loop.h"

struct dispatches;

struct dispatches_config {
	struct loop *loop;
	/* A transfer goes on; from the loop, dispatches_turn, or a call of this file. */
	void (*moved)(void *data, uint64_t ticket);
	void *data;
	unsigned max;
	int64_t connect_ms, idle_ms, total_ms;
};

/* Errors: NO_MEMORY. */
enum err dispatches_new(const struct dispatches_config *config, struct dispatches **ret);
/* None may be under way. NULL is fine. */
void dispatches_free(struct dispatches *all);
/* Once a turn, before the loop sleeps. */
void dispatches_turn(struct dispatches *all);

/* As dispatch_service.h has them. */
enum err dispatches_begin(
	struct dispatches *all, const struct dispatch_request *r, struct dispatch **ret_dispatch);
uint64_t dispatch_ticket(const struct dispatch *d);
enum dispatch_send dispatch_send(struct dispatch *d, const char *bytes, size_t count);
void dispatch_finish(struct dispatch *d);
struct dispatch_view dispatch_view(const struct dispatch *d);
void dispatch_take(struct dispatch *d, struct text *out);
void dispatch_end(struct dispatch *d);

#endif

/*
 * What a handler may ask of the node: read the core, run a command, call a peer. exchange_service()
 * is a pointer to this. server/node.c fills it; the api room knows nothing else of server/.
 */
#ifndef HORDE_API_SERVICE_H
#define HORDE_API_SERVICE_H

#include "api/dispatch_service.h"
#include "api/logs_service.h"
#include "api/snapshot_service.h"
#include "server/core/horde.h"
#include "server/core/stream.h"

struct command_result {
	uint64_t batch;       /* the store batch that carries it: wait for exchange_stored */
	struct dot dot;       /* the last dot it minted, for Horde-Dot */
	bool created;         /* as `struct actions` has it */
	enum applied applied; /* of a spec */
};

enum call_state { CALL_PENDING, CALL_ANSWERED, CALL_FAILED };

struct service {
	const struct horde *horde; /* for reading */
	void *node;
	/*
	 * One event for the core, on behalf of a request: sets its times, steps, carries out the
	 * actions (changes are stored with the turn's batch; watchers and parked polls are woken).
	 * Errors: those that horde_step documents for the event.
	 */
	enum err (*command)(void *node, struct event *e, struct command_result *ret);
	/*
	 * POSTs `body` (copied, JSON) to `<url><path>` with the peers' secret and gives a ticket;
	 * the key "call/<ticket>" is woken when it ends. `path` is "/peer/v1/call". Errors:
	 * NO_MEMORY, LIMIT.
	 */
	enum err (*call)(void *node, const char *url, const char *path, const char *body,
		size_t body_bytes, int64_t timeout_ms, uint64_t *ret_ticket);
	/* ANSWERED: status and body (borrowed until call_end) are set. */
	enum call_state (*call_result)(void *node, uint64_t ticket, unsigned *ret_status,
		const char **ret_body, size_t *ret_bytes);
	void (*call_end)(void *node, uint64_t ticket);
	const struct snapshot_service *snapshots;
	const struct dispatch_service *dispatch;
	logs_read_fn *logs;
	/*
	 * A full difference in pieces (server/core/stream.h); `sums` may be NULL. It is to be freed
	 * before the node is. Errors: NO_MEMORY.
	 */
	enum err (*stream)(void *node, const struct vector *after, const struct block_sums *sums,
		struct stream **ret_stream);
	/* For getNode and getVersion. */
	int64_t started_wall_ms;
	const char *version;
};

#endif

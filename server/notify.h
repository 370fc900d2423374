/*
 * The socket on which processes tell of themselves, NOTIFY_SOCKET of sd_notify(3): one for the
 * node, in Linux's abstract namespace, so that it needs no file, no permission for a child's user,
 * and goes with the daemon.
 *
 * The kernel says who has sent a datagram. It counts for the child that the sender is, or whose
 * session or descendant it is; what anybody else says is ignored, so nobody can speak for another.
 * The first process of a child is heard whatever happens; a helper of it has to be there still when
 * its word is read (systemd-notify waits for that). Descriptors that come along are closed.
 *
 * A word that comes before the start of its sender was told waits for that.
 */
#ifndef HORDE_NOTIFY_H
#define HORDE_NOTIFY_H

#include "server/core/event.h"
#include "server/loop.h"

#define NOTIFY_HELD_MAX 64      /* processes whose word waits for the news of their start */
#define NOTIFY_PER_TURN 64      /* datagrams read at a time */
#define NOTIFY_ADDRESS_BYTES 64 /* "@horde/...", with its NUL */
#define NOTIFY_ANCESTORS_MAX 64 /* how far up a sender is looked for */

struct notify;

struct notify_config {
	struct loop *loop;
	/* The process below which all children are; 0: there is none now. */
	int (*guardian_pid)(void *data);
	/* EVENT_NOTIFIED; its times are not set. */
	void (*event)(void *data, struct event *e);
	void *data;
};

/* Errors: NO_MEMORY, SYSTEM. */
enum err notify_new(const struct notify_config *config, struct notify **ret_notify);
void notify_free(struct notify *n);
/* The value of NOTIFY_SOCKET. */
const char *notify_address(const struct notify *n);

/* A child that is to be heard is about to be started. Errors: NO_MEMORY. */
enum err notify_expect(struct notify *n, const char *ref, uint64_t epoch);
/* It was started: what it has said so far is told now, by events. Also for those not expected. */
void notify_started(struct notify *n, const char *ref, uint64_t epoch, int pid);
/* It could not be started. */
void notify_failed(struct notify *n, const char *ref, uint64_t epoch);
/* It has ended: what it said before is told first, by events, and nothing afterwards. */
void notify_ended(struct notify *n, int pid);

#endif

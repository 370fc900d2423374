/*
 * Leases: owners that live as long as somebody renews them. The record (lease/{id}) says which node
 * holds the lease; the time that is left is that node's alone, by its monotonic clock, and a
 *renewal moves it there and writes nothing.
 *
 *	holder            others
 *	renewed           -                        a full time to live from now on
 *	time is over      -                        the record goes, and the names of its epochs with
 *it dead, removed     the first in rendezvous  takes it over: another epoch, its names anew under
 *	                  order among the alive    that, a full time and up to a tenth more (so that
 *	                                           what was taken at once does not end at once)
 *	does not answer   who is asked to renew    the same, at once
 *	starts again      -                        holds it again, for a full time
 *
 * Taken over on one side of a cut while it was still held on the other: the higher epoch stays, and
 * what the other side ended of the lower one takes nothing of it. A name that a lease has lost to
 * another owner is told with its next renewal, once. A name that came for a lease which had ended
 * elsewhere is taken away by the first in rendezvous order.
 *
 * Source: Gray, Cheriton, "Leases" (1989); times: server/core/times.h.
 */
#ifndef HORDE_CORE_LEASE_H
#define HORDE_CORE_LEASE_H

#include "server/core/map.h"

struct horde;
struct event;
struct change;

void leases_init(struct horde *h);
void leases_fini(struct horde *h);

/* EVENT_PUT_LEASE, EVENT_RENEW_LEASE, EVENT_REMOVE_LEASE: see event.h. */
enum err leases_put(struct horde *h, const struct event *e);
enum err leases_renew(struct horde *h, const struct event *e);
enum err leases_remove(struct horde *h, const struct event *e);

/* The record of `id` was put, or has gone. */
void leases_changed(struct horde *h, const char *id);
/* A name was put, or has gone. */
void leases_named(struct horde *h, const struct change *change);
/* Opinions about members are others, or this node has synced: each is looked at. */
void leases_look(struct horde *h);
/* What is due; a bounded number each step. */
void leases_tick(struct horde *h);
bool leases_busy(const struct horde *h); /* leases_tick has something to do in this very step */
int64_t leases_deadline_ms(const struct horde *h);

/* The winning record of a lease, or NULL: there is none (any more), or nobody can read it. */
const struct lease_record *lease_of(const struct horde *h, const char *id);

#endif

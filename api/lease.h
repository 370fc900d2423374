/* One lease as the API shows it, its secret, and its renewal at whichever node holds it. */
#ifndef HORDE_API_LEASE_H
#define HORDE_API_LEASE_H

#include "api/entry.h"
#include "api/http.h"

#define LEASE_SECRET "Horde-Lease-Secret"
#define LEASE_SECRET_HEX 33 /* 128 random bits, with a NUL; shown once */
#define LEASE_CALL_MS 2000  /* so long its holder may take to answer before it is taken over */

/* The winner of lease/ID, when it can be read; else NULL. */
const struct entry *lease_find(const struct exchange *x, const char *id);
/* A fresh secret, and the hash that is kept of it. Errors: SYSTEM, NO_MEMORY. */
enum err lease_secret_make(
	char ret_secret[LEASE_SECRET_HEX], unsigned char ret_hash[LEASE_SECRET_BYTES]);
/* Has the request the secret of this lease? False: 403 was answered. */
bool lease_proved(struct exchange *x, const struct entry *lease);
/* May the request act as this owner? Of a lease that is there it needs the secret; of all else it
 * is the core's to say. False: 403 was answered. */
bool lease_owner_proved(struct exchange *x, const struct owner *owner);
/* An object without its end; `secret` may be NULL. */
void lease_open(
	struct text *out, const struct exchange *x, const struct entry *lease, const char *secret);

struct renewal { /* all zero at first; renewal_fini in the end */
	const struct service *service;
	uint64_t ticket;
	bool calling;
	uint64_t batch;   /* it was taken over by that; 0: it was not */
	struct text lost; /* keys, as items of a JSON array: to be told once */
};

enum renewal_state {
	RENEWAL_DONE,
	RENEWAL_UNDER_WAY, /* watched; the caller parks, and comes again */
	RENEWAL_OVER,      /* there is no such lease any more */
	RENEWAL_REFUSED    /* a problem was answered */
};

/*
 * Renews it here, or by one call to its holder (POST /peer/v1/renew), or by taking it over when
 * that does not answer. Once it is done, the next call begins another renewal.
 */
enum renewal_state renewal_go(struct exchange *x, struct renewal *r, const char *id);
void renewal_fini(struct renewal *r);
/* True: there is something to tell, and it was: 409 `conflict-lost`. */
bool renewal_told(struct exchange *x, struct renewal *r);

extern const struct binding lease_bindings[];

#endif

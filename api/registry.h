/* The operations on registries, in tables. Keys are raw bytes in the map: entry/REG/KEY. */
#ifndef HORDE_API_REGISTRY_H
#define HORDE_API_REGISTRY_H

#include "api/entry.h"
#include "api/http.h"

extern const struct binding registry_bindings[];       /* lookupKey, getKeyValue */
extern const struct binding registry_write_bindings[]; /* register, update, unregister */
extern const struct binding registry_list_bindings[];  /* listEntries, countEntries, ... */
extern const struct binding queries_bindings[];        /* select, count_select, lookup of many */
extern const struct binding queries_write_bindings[];  /* unregisterSelect */
extern const struct binding meta_bindings[];           /* getMeta, putMeta, deleteMeta */

/*
 * Who changes a name: `?owner=`, or the process whose token was shown; neither is an admin. Fills
 * the event's owner; `ret_owner` borrows from the request. False: 400 was answered.
 */
bool registry_claim(struct exchange *x, struct event *event, struct owner *ret_owner);

#endif

/* The operations on registries, in four tables. Keys are raw bytes in the map: entry/REG/KEY. */
#ifndef HORDE_API_REGISTRY_H
#define HORDE_API_REGISTRY_H

#include "api/http.h"

extern const struct binding registry_bindings[];       /* lookupKey, getKeyValue */
extern const struct binding registry_write_bindings[]; /* register, update, unregister */
extern const struct binding registry_list_bindings[];  /* listEntries, countEntries, listMeta */
extern const struct binding meta_bindings[];           /* getMeta, putMeta, deleteMeta */

#endif

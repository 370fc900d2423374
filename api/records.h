/*
 * From the JSON text of a value of the map to its record. This happens once, when a value arrives:
 * from the API, a peer or the store. What the core writes it encodes itself (record_encode).
 *
 *   member  {"name","url","incarnation":<hex>,"started":<16 hex digits>,"state"}
 *   spec    {"created_at":<wall ms>,"desired":"running|stopped","spec":{as asked for, api.md}}
 *   assign  {"node":<hex>,"incarnation":<hex>,"epoch","reason","at":<wall ms>}
 *   status  {"state","reason","node","incarnation","epoch",["process_epoch",]
 *            "spec_hash":<16 hex digits>,"pid","restarts","started_at","retry_at",
 *            "last_exit":{"code","signal","core_dumped",["oom_killed",]"at","uptime_ms","error"},
 *            "ports":{"name":number},"trail":[{"at","state","reason","epoch","node","code",
 *            "signal","core_dumped",["oom_killed",]"uptime_ms","error"}, ...]}
 *   state   {"at":<wall ms>,"epoch","bytes":<base64>}
 *   idem    {"request":<hash, hex>,"expires_at":<wall ms>, ...} (api/once.h)
 *   entry   {"owner":{"kind","id","node":<hex>,"epoch"},"created":<16 hex digits>,
 *            ["voted":true,]["first":true,]"value":<raw>}
 *   lease   {"ttl_ms","node":<hex>,"epoch","created_at":<wall ms>,"secret":<SHA-256, hex>}
 *   registry  {"created_at":<wall ms>,"options":{"keys","conflict","lock_delay_ms"}}
 *
 * Unknown members are ignored here and live on in the text. The other families have no record.
 */
#ifndef HORDE_API_RECORDS_H
#define HORDE_API_RECORDS_H

#include "server/core/record.h"

/*
 * The record of the value of `key`, for the caller to free; NULL when the family has none or the
 * value is not understood, which is no error: it may come from a newer version.
 * Errors: NO_MEMORY.
 */
enum err record_decode(const char *key, size_t key_bytes, const char *json, size_t json_bytes,
	struct record **ret_record);

/* The same for texts from outside. Errors: NO_MEMORY, MALFORMED (it is not even JSON). */
enum err record_decode_checked(const char *key, size_t key_bytes, const char *json,
	size_t json_bytes, struct record **ret_record);

#endif

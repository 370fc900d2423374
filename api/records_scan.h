/* The values that arrive most, decoded without jansson. Only records.c uses it. */
#ifndef HORDE_API_RECORDS_SCAN_H
#define HORDE_API_RECORDS_SCAN_H

#include "server/core/record.h"

/*
 * What record_decode_checked does, for a value without a record (meta and unknown families), and
 * for an entry that reads exactly as record_encode writes it. Errors: NO_MEMORY, NOT_FOUND (it is
 * something else: decode it the long way).
 */
enum err record_scan(
	enum family family, const char *json, size_t bytes, struct record **ret_record);

#endif

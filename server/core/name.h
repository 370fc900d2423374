/*
 * A name of the registry as the map keeps it: there may be a million of them, and most of the text
 * of each says what its record says too. So the fields are kept once, with the raw value, where
 * they spell the very text that came (record_encode); any other text is kept as it is, beside its
 * record. Which of the two it is shows nowhere outside of map.h's entry_... functions.
 *
 *	packed:  created  raw_bytes  [node  epoch]  owner_id NUL  raw value
 */
#ifndef HORDE_CORE_NAME_H
#define HORDE_CORE_NAME_H

#include <stdbool.h>

#include "server/core/record.h"

#define NAME_TEXT_MAX                                                                              \
	1024 /* a longer text is not packed; room for it, with its NUL, is one more                \
	      */

/* How a value is kept: 0 for its text, else NAME_PACKED and what else holds of it. */
enum name_form {
	NAME_PACKED = 1,
	NAME_OF_CHILD = 2, /* its owner is a child, not static */
	NAME_PLACED = 4,   /* it has a node and an epoch */
	NAME_FIRST = 8,    /* its first owner wins */
	NAME_VOTED = 16,   /* it was asked for with a majority */
	NAME_OF_LEASE = 32 /* its owner is a lease */
};

/*
 * Whether `text`, of which `r` is the record, is spelled by the fields of `r`: the form to pack it
 * in, or 0; and how many bytes it takes then.
 */
unsigned name_form_of(const struct record *r, const char *text, size_t text_bytes);
size_t name_packed_bytes(const struct record *r, unsigned form);
/* Writes those bytes. */
void name_pack(const struct record *r, unsigned form, const char *text, char *ret_packed);

/* The fields, but for value_at; the id lies in what is packed. The raw value, not terminated. */
void name_fields(const char *packed, unsigned form, struct entry_record *ret_fields);
const char *name_raw(const char *packed, unsigned form, size_t *ret_bytes);
/* The text, NUL-terminated; returns its length. */
size_t name_spell(const char *packed, unsigned form, char room[NAME_TEXT_MAX + 1]);

#endif

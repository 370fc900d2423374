/*
 * Reading the members of one value's object, between records.c and the files of its families. The
 * first trouble is kept in `struct decoding`, and all that is read after it is harmless.
 */
#ifndef HORDE_API_RECORDS_TAKE_H
#define HORDE_API_RECORDS_TAKE_H

#include "api/json.h"
#include "server/core/record.h"

struct decoding {
	bool wrong; /* a member is absent or has the wrong shape */
	bool no_memory;
};

/* A string that has to be there; "" when it is wrong. Borrowed. */
const char *take_string(struct decoding *d, const json_t *o, const char *name);
/* The caller's to free; NULL when there is no memory. */
char *copy_string(struct decoding *d, const char *s);
/* An integer from `least` to `most`; `absent` when it is not there. */
int64_t take_int(struct decoding *d, const json_t *o, const char *name, int64_t least, int64_t most,
	int64_t absent);
struct origin_id take_origin(struct decoding *d, const json_t *o, const char *name);
/* A string of at most 16 hex digits. */
uint64_t take_hex(struct decoding *d, const json_t *o, const char *name);
uint64_t take_epoch(struct decoding *d, const json_t *o);
/* A member that is an object or absent; what is read from an absent one is its default. */
const json_t *take_object(struct decoding *d, const json_t *o, const char *name);
/* A name as an optional member, else `absent`. Borrowed. */
const char *take_name(struct decoding *d, const json_t *o, const char *name, const char *absent);

/* ---- records_state.c: what nodes write, and names ---- */
void decode_member(struct decoding *d, const json_t *o, struct member_record *m);
void decode_assign(struct decoding *d, const json_t *o, struct assign_record *a);
void decode_status(struct decoding *d, const json_t *o, struct status_record *s);
void decode_registry(struct decoding *d, const json_t *o, struct registry_record *r);
void decode_lease(struct decoding *d, const json_t *o, struct lease_record *l);
/* Its owner's id stands in the record's own block, so it makes the record too; NULL: no memory. */
struct record *decode_entry(struct decoding *d, const json_t *o, const char *json, size_t bytes);

/* ---- records_checks.c: readiness and health, of a spec and of defaults ---- */
void decode_checks(struct decoding *d, const json_t *spec, struct checks *ret);
/* ---- records_setup.c: a part of a spec ---- */
void take_setup(struct decoding *d, const json_t *spec, struct setup *s);

/* ---- records_claims.c: the names that a spec asks for ---- */
void decode_claims(struct decoding *d, const json_t *spec, struct claims *ret);

/* ---- records_ports.c: the ports that a spec asks for, and those that a child has ---- */
void decode_ports(struct decoding *d, const json_t *spec, struct ports *ret);
void decode_numbers(struct decoding *d, const json_t *status, struct ports *ret);

/* ---- records_spec.c: what the API writes of children and supervisors ---- */
void decode_spec(
	struct decoding *d, const json_t *o, const char *json, size_t bytes, struct spec_record *s);
void decode_supervisor(struct decoding *d, const json_t *o, struct supervisor_record *s);
/* Words, ended by NULL, the caller's to free; fewer than `least` are wrong. */
char **take_words(struct decoding *d, const json_t *o, const char *name, size_t least);

#endif

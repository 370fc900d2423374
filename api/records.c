#include "api/records.h"

#include "api/json_read.h"
#include "api/records_scan.h"
#include "api/records_take.h"

/* NULL: there is no memory. */
static struct record *decode(
	struct decoding *d, enum family family, const json_t *o, const char *json, size_t bytes)
{
	struct record *r;

	if (family == FAMILY_ENTRY)
		return decode_entry(d, o, json, bytes);
	r = record_new(family);
	if (r && family == FAMILY_MEMBER)
		decode_member(d, o, &r->member);
	else if (r && family == FAMILY_SPEC)
		decode_spec(d, o, json, bytes, &r->spec);
	else if (r && family == FAMILY_SUPERVISOR)
		decode_supervisor(d, o, &r->supervisor);
	else if (r && family == FAMILY_ASSIGN)
		decode_assign(d, o, &r->assign);
	else if (r && family == FAMILY_STATUS)
		decode_status(d, o, &r->status);
	else if (r && family == FAMILY_REGISTRY)
		decode_registry(d, o, &r->registry);
	else if (r && family == FAMILY_LEASE)
		decode_lease(d, o, &r->lease);
	else if (r && family == FAMILY_STATE)
		r->state.epoch = (uint64_t)take_int(d, o, "epoch", 0, INT64_MAX, 0);
	else if (r && family == FAMILY_REPLY)
		r->reply.expires_ms = take_int(d, o, "expires_at", 0, INT64_MAX, 0);
	return r;
}

static enum err decode_tree(enum family family, const json_t *o, const char *json, size_t bytes,
	struct record **ret_record)
{
	struct decoding d = {0};
	struct record *r = decode(&d, family, o, json, bytes);

	if (!r)
		return ERR_NO_MEMORY;
	if (d.wrong || d.no_memory) {
		record_free(r);
		r = NULL;
	}
	if (d.no_memory)
		return ERR_NO_MEMORY;
	*ret_record = r;
	return ERR_OK;
}

enum err record_decode_checked(const char *key, size_t key_bytes, const char *json,
	size_t json_bytes, struct record **ret_record)
{
	enum family family = family_of(key, key_bytes);
	struct record *r = NULL;
	json_t *o = NULL;
	enum err e = record_scan(family, json, json_bytes, ret_record);

	if (e != ERR_NOT_FOUND)
		return e;
	e = json_read(json, json_bytes, JSON_DECODE_ANY, &o);
	if (e != ERR_OK)
		return e;
	if (json_is_object(o) && family_has_record(family))
		e = decode_tree(family, o, json, json_bytes, &r);
	json_decref(o);
	if (e == ERR_OK)
		*ret_record = r;
	return e;
}

enum err record_decode(const char *key, size_t key_bytes, const char *json, size_t json_bytes,
	struct record **ret_record)
{
	enum family family = family_of(key, key_bytes);
	struct record *r = NULL;
	enum err e = ERR_OK;

	if (family_has_record(family))
		e = record_decode_checked(key, key_bytes, json, json_bytes, &r);
	if (e == ERR_NO_MEMORY)
		return e;
	*ret_record = r;
	return ERR_OK;
}

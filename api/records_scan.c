#include "api/records_scan.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_scan.h"

#define KIND_BYTES_MAX 15

struct cursor {
	const char *at;
	const char *end;
	bool ok;
};

/* True: these bytes came next. */
static bool flag(struct cursor *c, const char *text)
{
	size_t bytes = strlen(text);
	bool there = c->ok && (size_t)(c->end - c->at) >= bytes && memcmp(c->at, text, bytes) == 0;

	if (there)
		c->at += bytes;
	return there;
}

static void skip(struct cursor *c, const char *text)
{
	c->ok = flag(c, text);
}

/* A plain string; what is between its quotes. */
static const char *string(struct cursor *c, size_t *ret_bytes)
{
	const char *start = c->at;
	size_t bytes = c->ok ? json_scan_plain(start, (size_t)(c->end - start)) : 0;

	c->ok = bytes > 0;
	if (!c->ok)
		return start;
	c->at += bytes;
	*ret_bytes = bytes - 2;
	return start + 1;
}

/* A string of 32 digits, as origin_to_hex makes them or not. */
static struct origin_id origin(struct cursor *c)
{
	struct origin_id id = {0, 0};
	char hex[ORIGIN_HEX_BYTES];
	size_t bytes = 0;
	const char *s = string(c, &bytes);

	if (c->ok && bytes == sizeof(hex) - 1) {
		memcpy(hex, s, bytes);
		hex[bytes] = '\0';
		c->ok = origin_from_hex(hex, &id);
	} else {
		c->ok = false;
	}
	return id;
}

/* A string of 16 digits is the low half of one of 32. */
static uint64_t half_origin(struct cursor *c)
{
	char hex[ORIGIN_HEX_BYTES] = "0000000000000000";
	struct origin_id id = {0, 0};
	size_t bytes = 0;
	const char *s = string(c, &bytes);

	if (c->ok && bytes == 16) {
		memcpy(hex + 16, s, 16);
		c->ok = origin_from_hex(hex, &id);
	} else {
		c->ok = false;
	}
	return id.lo;
}

/* A whole number of at most 18 digits. */
static uint64_t number(struct cursor *c)
{
	const char *start = c->at;
	uint64_t value = 0;

	while (c->ok && c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - start < 18)
		value = value * 10 + (uint64_t)(*c->at++ - '0');
	if (c->at == start || (*start == '0' && c->at - start > 1))
		c->ok = false;
	return value;
}

static enum owner_kind kind(struct cursor *c)
{
	char name[KIND_BYTES_MAX + 1];
	size_t bytes = 0;
	const char *s = string(c, &bytes);

	if (!c->ok || bytes > KIND_BYTES_MAX || memchr(s, '\0', bytes))
		return OWNER_KIND_COUNT;
	memcpy(name, s, bytes);
	name[bytes] = '\0';
	return owner_kind_from(name);
}

/* The owner's id is given as it stands in the text. */
static bool scan_entry(const char *json, size_t bytes, struct entry_record *e, size_t *ret_id_bytes)
{
	struct cursor c = {json, json + bytes, true};

	skip(&c, "{\"owner\":{\"kind\":");
	e->owner_kind = kind(&c);
	skip(&c, ",\"id\":");
	e->owner_id = string(&c, ret_id_bytes);
	if (c.ok && c.at < c.end && *c.at == ',') {
		skip(&c, ",\"node\":");
		e->node = origin(&c);
		skip(&c, ",\"epoch\":");
		e->epoch = number(&c);
	}
	skip(&c, "},\"created\":");
	e->created = half_origin(&c);
	e->voted = flag(&c, ",\"voted\":true");
	e->first = flag(&c, ",\"first\":true");
	skip(&c, ",\"value\":");
	if (!c.ok || e->owner_kind == OWNER_KIND_COUNT || c.end - c.at < 2 || c.end[-1] != '}')
		return false;
	e->value_at = (uint32_t)(c.at - json);
	e->value_bytes = (uint32_t)(c.end - c.at) - 1;
	return json_scan_value(c.at, e->value_bytes);
}

enum err record_scan(enum family family, const char *json, size_t bytes, struct record **ret_record)
{
	struct entry_record e = {0};
	struct record *r;
	size_t id_bytes = 0;

	if (family == FAMILY_ENTRY && scan_entry(json, bytes, &e, &id_bytes)) {
		r = record_new_entry(&e, id_bytes);
		if (!r)
			return ERR_NO_MEMORY;
		*ret_record = r;
		return ERR_OK;
	}
	if (!family_has_record(family) && json_scan_value(json, bytes)) {
		*ret_record = NULL;
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}
